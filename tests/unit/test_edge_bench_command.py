"""The command measures what is asked and takes the rest from earlier figures, with the run that measured it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from node_tasks_making import toy_task

from app.cli import _raceway
from edge import curve
from edge.pruning.gradual import Recipe
from models.node_tasks import tasks

_QUICK = Recipe(ramp_epochs=1, tune_epochs=1, rises=1, rate=3e-3)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    if missing := [tool for tool in ("arm-none-eabi-gcc", "qemu-system-arm", "gcc") if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(missing)} not found; install the packages that tests/packages.sh names")
    monkeypatch.setattr(tasks, "task", lambda name, root: toy_task(np.random.default_rng(len(name) + len(str(root)))))
    for name in ("M1", "toy"):
        monkeypatch.setitem(curve.RECIPES, name, _QUICK)


@pytest.mark.usefixtures("toy", "settings")
def test_rows_are_measured_and_joined_with_earlier_ones(tmp_path: Path) -> None:
    first, joined = tmp_path / "first.json", tmp_path / "joined.json"
    asked = ["--model", "M1", "--shape", "4x4", "--sparsity", "0.5", "--no-deployed", "--output", str(first)]
    done = CliRunner().invoke(_raceway, ["edge", "bench", *asked])
    assert done.exit_code == 0, done.output
    figures = json.loads(first.read_text())
    assert [row["variant"] for row in figures["rows"]] == ["dense", "4x4 50 %"]
    assert figures["tasks"]["M1"]["data"] == "made up"
    assert set(figures["peer"]) == {"M1", "M2", "M3"}
    assert figures["run"]["command"] == "raceway edge bench" or figures["run"]["command"].endswith("edge bench")
    again = CliRunner().invoke(
        _raceway, ["edge", "bench", "--no-deployed", "--beside", str(first), "--output", str(joined)]
    )
    assert again.exit_code == 0, again.output
    taken = json.loads(joined.read_text())["rows"]
    best = [row for row in figures["rows"] if row.get("chosen")]
    assert all(row["shape"] != "dense" for row in best)
    assert [row["run"] for row in taken] == [figures["run"]] * 2
    assert [{**row, "run": None} for row in taken] == [{**row, "run": None} for row in figures["rows"]]


@pytest.mark.usefixtures("settings")
def test_figures_of_something_else_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    done = CliRunner().invoke(_raceway, ["edge", "bench", "--no-deployed", "--beside", str(other)])
    assert done.exit_code == 2
    assert "holds no figures of this command" in done.output
