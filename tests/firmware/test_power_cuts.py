"""The supply fails in every step of an update that writes flash, in the whole node: it comes back with one whole model.

The library of the updates is cut at each step in `test_update_law.py`, with damage of all kinds; here its place is the
firmware, as a process at each step and on the emulated board at some.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from node_hosting import NodeHost
from updating_firmware import CONFIRMED, TRIAL, ModelMaker, connected, send, status_after, update, updating_sources

from edge.emulator.toolchain import find_toolchain
from edge.node.building import build_firmware
from edge.node.host import build_host_firmware, host_node
from edge.node.package import generate_key, read_private_key
from edge.node.qemu import emulated_node
from edge.node.running import RunningNode, sample_bytes
from features.errors import ToolchainError

N, OLD, NEW = 256, 4, 5
DEFINITIONS = (
    "RW_NODE_RATE_HZ=12000.0f",
    "RW_NODE_SCALE=1e-3f",
    f"RW_NODE_SAMPLES={N}u",
    "RW_NODE_PERIOD_MS=0u",
    "RW_NODE_SILENCE_MS=60000u",
)


@dataclass(frozen=True)
class Bench:
    """A node that can be started on a flash, and cut in the operation of flash that is asked for; 0 for none."""

    run: Callable[[Path, int], RunningNode]
    make: ModelMaker
    folder: Path

    def start(self, flash: Path | None, *, cut_at: int = 0) -> RunningNode:
        """On a copy of a flash in a folder of its own; on the one that the last start left where none is given."""
        place = self.folder / "run"
        place.mkdir(exist_ok=True)
        if flash is not None:
            shutil.copy(flash, place / "flash.bin")
        return self.run(place, cut_at)

    def keep(self, name: str) -> Path:
        """A copy of the flash as it is."""
        return Path(shutil.copy(self.folder / "run" / "flash.bin", self.folder / name))


def prepare(bench: Bench) -> tuple[Path, Path]:
    """Flash with the old model confirmed, and that with the new one on trial besides."""
    with bench.start(None) as node:
        update(connected(node), bench.make(OLD), boot=2)
        node.kill()
    old = bench.keep("old.bin")
    with bench.start(None) as node:
        host = connected(node)
        send(host, bench.make(NEW))
        status_after(host, "update_try")
        host.until(lambda: host.of("hello")[-1]["slot"] == TRIAL)
        node.kill()
    return old, bench.keep("trial.bin")


def take_new(host: NodeHost, image: bytes) -> None:
    assert send(host, image)["reason"] == 0
    assert status_after(host, "update_try")["slot"] == TRIAL
    boot = host.of("hello")[-1]["boot"]
    host.until(lambda: host.of("hello")[-1]["boot"] > boot)


def confirm_new(host: NodeHost, image: bytes) -> None:
    del image
    assert status_after(host, "update_confirm", version=NEW)["slot"] == CONFIRMED


def is_cut(bench: Bench, flash: Path, step: Callable[[NodeHost, bytes], None], cut_at: int) -> bool:
    """Whether the supply failed within the step; where it did not, the step has no operation of this number."""
    with bench.start(flash, cut_at=cut_at) as node:
        try:
            step(connected(node), bench.make(NEW))
        except (AssertionError, OSError, ToolchainError):
            assert node.ended(), "the step failed with the supply there"
            return True
        node.kill()
        return False


def check_it_is_whole(bench: Bench, cut_at: int, *, goes_on: bool) -> int:
    """It runs the old model or the new one, reports under it, and can be brought to the new one; which it was."""
    with bench.start(None) as node:
        host = connected(node)
        model = host.of("hello")[0]["model"]
        assert model in (OLD, NEW), cut_at
        node.feed(sample_bytes(np.random.default_rng(cut_at).integers(-1000, 1000, N).astype(np.int16)))
        host.until(lambda: bool(host.of("report")))
        assert host.of("report")[0]["model"] == model
        if goes_on and model == OLD:
            take_new(host, bench.make(NEW))
        if goes_on and host.of("hello")[-1]["slot"] == TRIAL:
            confirm_new(host, b"")
        assert host.of("hello")[-1]["model"] == (NEW if goes_on else model)
        node.kill()
    return int(model)


def check_cuts(bench: Bench, *, every: int) -> dict[str, list[int]]:
    """Cut each so manieth operation of the arrival and of the confirmation; the models it came back with."""
    old, trial = prepare(bench)
    found: dict[str, list[int]] = {}
    for step, flash in ((take_new, old), (confirm_new, trial)):
        models, cut_at = [], 1
        while is_cut(bench, flash, step, cut_at):
            models.append(check_it_is_whole(bench, cut_at, goes_on=len(models) % 6 == 0))
            cut_at += every if step is take_new else 1
        found[step.__name__] = models
    return found


@pytest.fixture(scope="module")
def make() -> ModelMaker:
    return ModelMaker(read_private_key(generate_key()))


def test_a_process_that_is_cut_at_any_step_comes_back_whole(make: ModelMaker, tmp_path: Path) -> None:
    sources, includes = updating_sources(tmp_path, make.key, DEFINITIONS)
    program = build_host_firmware(sources, tmp_path / "build", includes=includes)

    def run(folder: Path, cut_at: int) -> RunningNode:
        return host_node(program, folder, arguments=[f"cut={cut_at}"] if cut_at else [])

    found = check_cuts(Bench(run, make, tmp_path), every=1)
    assert len(found["take_new"]) > 20
    assert set(found["take_new"]) == {OLD, NEW}
    assert len(found["confirm_new"]) >= 1


def test_a_board_that_is_cut_at_some_steps_comes_back_whole(make: ModelMaker, tmp_path: Path) -> None:
    try:
        toolchain = find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")
    sources, includes = updating_sources(tmp_path, make.key, DEFINITIONS)
    firmware = build_firmware("mps2_an386", sources, tmp_path / "build", includes=includes, toolchain=toolchain)

    def run(folder: Path, cut_at: int) -> RunningNode:
        return emulated_node(firmware, folder, toolchain=toolchain, deadline_s=200.0, cut_at=cut_at)

    found = check_cuts(Bench(run, make, tmp_path), every=7)
    assert len(found["take_new"]) >= 6
    assert len(found["confirm_new"]) >= 1
