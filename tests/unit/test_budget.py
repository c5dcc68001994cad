"""Limits of compiled models: those of a name override the default, and what passes them is told by how much."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge.budget import Limits, check_budget, read_budget
from edge.emulator.running import M4Run
from features.errors import ArtifactError, BudgetError, ParameterError

_WHOLE = "[models.default]\nflash_bytes = 1000\nram_bytes = 200\nstack_bytes = 30\ncycles = 4000\n"
_RUN = M4Run(
    outputs=np.zeros((1, 1), np.int8),
    instructions=3000,
    cycles=4000,
    instructions_smallest=3000,
    operators=(),
    flash_bytes=1000,
    model_bytes=400,
    ram_bytes=200,
    stack_bytes=30,
)


def _file(folder: Path, text: str) -> Path:
    (folder / "budget.toml").write_text(text, encoding="utf-8")
    return folder / "budget.toml"


def test_the_committed_budget_leaves_room_on_the_node() -> None:
    budget = read_budget()
    # A node of 128 KB flash and 64 KB RAM, of which the front end takes its share.
    assert budget.default.flash_bytes <= 128 * 1024 // 2
    assert budget.default.ram_bytes + budget.default.stack_bytes <= 64 * 1024 // 2
    # The weights of the autoencoder alone: 640 x 128 twice, 128 x 128 six times, 128 x 8 twice.
    assert budget.limits_of("m1").flash_bytes > 2 * 640 * 128 + 6 * 128 * 128 + 2 * 128 * 8
    assert budget.limits_of("another") == budget.default


def test_a_name_overrides_what_it_says_and_keeps_the_rest(tmp_path: Path) -> None:
    budget = read_budget(_file(tmp_path, _WHOLE + "[models.big]\ncycles = 9000\n[node]\nflash_bytes = 'all'\n"))
    assert budget.limits_of("big") == Limits(1000, 200, 30, 9000)
    assert budget.limits_of("small") == Limits(1000, 200, 30, 4000)


def test_a_run_at_its_limits_passes_and_one_above_is_refused(tmp_path: Path) -> None:
    budget = read_budget(_file(tmp_path, _WHOLE))
    check_budget(_RUN, budget, "m")
    for field in dataclasses.fields(Limits):
        above = dataclasses.replace(_RUN, **{field.name: getattr(_RUN, field.name) + 1})
        with pytest.raises(BudgetError, match=rf"{field.name.replace('_', ' ')} \(1 above the"):
            check_budget(above, budget, "m")


def test_every_limit_that_is_passed_is_named_with_its_excess(tmp_path: Path) -> None:
    above = dataclasses.replace(_RUN, flash_bytes=3500, cycles=4400)
    said = (
        r"the model m exceeds its budget with 3,500 flash bytes \(2,500 above the 1,000 allowed\), "
        r"4,400 cycles \(400 above the 4,000 allowed\); .*\[models.m\]"
    )
    with pytest.raises(BudgetError, match=said) as caught:
        check_budget(above, read_budget(_file(tmp_path, _WHOLE)), "m")
    assert (caught.value.resource, caught.value.reached, caught.value.allowed) == ("flash bytes", 3500, 1000)


def test_a_run_that_was_not_counted_is_not_waved_through(tmp_path: Path) -> None:
    uncounted = dataclasses.replace(_RUN, instructions=0, cycles=0)
    with pytest.raises(ParameterError, match="count=True"):
        check_budget(uncounted, read_budget(_file(tmp_path, _WHOLE)), "m")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models", "is no TOML"),
        ("[node]\nflash_bytes = 1\n", r"has no table \[models.default\]"),
        ("[models]\ndefault = 3\n", r"\[models.default\] of .* is no table"),
        (_WHOLE.replace("cycles = 4000\n", ""), r"\[models.default\] of .* lacks cycles"),
        (_WHOLE + "[models.m]\nflesh_bytes = 3\n", r"\[models.m\] of .* limits flesh_bytes; flash_bytes, "),
        (_WHOLE + "[models.m]\ncycles = 1.5\n", r"\[models.m\] of .* gives cycles no positive integer"),
        (_WHOLE + "[models.m]\ncycles = true\n", "gives cycles no positive integer"),
        (_WHOLE + "[models.m]\ncycles = 0\n", "gives cycles no positive integer"),
    ],
)
def test_a_budget_that_says_nothing_clear_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        read_budget(_file(tmp_path, text))


def test_a_budget_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        read_budget(tmp_path / "none.toml")
