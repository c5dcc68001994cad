"""The service's own networks are judged on what they did not learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from node_tasks_making import cwru_pack

from models.diagnosis import CLASSES
from models.node_tasks.deployed import learned_baseline, learned_kinds
from models.node_tasks.task import outputs


def _unconverted(model: Any) -> bytes:
    del model
    return b""


def test_the_baseline_is_judged_on_loads_and_bearings_of_their_own(tmp_path: Path) -> None:
    task, model = learned_baseline(cwru_pack(tmp_path, samples=48_000), convert=_unconverted, seed=1)
    sources = [set(part.sources.tolist()) for part in (task.training, task.validation, task.test)]
    assert sources[0] == {"normal_L0", "normal_L1"}
    assert {source for source in sources[1] if source.startswith("normal")} == {"normal_L2"}
    assert {source for source in sources[2] if source.startswith("normal")} == {"normal_L3"}
    assert not sources[1] & sources[2]
    assert 0.0 <= task.score(outputs(model, task.test), task.test) <= 1.0
    # Noise of the same kind at all loads, each window over its deviation: nothing is to be told.
    assert abs(task.score(outputs(model, task.test), task.test) - 0.5) < 0.35


def test_kinds_are_judged_on_machines_of_their_own() -> None:
    task, model = learned_kinds(convert=_unconverted, seed=1, windows=1_000, epochs=1)
    assert [len(part) for part in (task.training, task.validation, task.test)] == [1_000, 1_000, 1_000]
    assert not np.array_equal(task.validation.inputs, task.test.inputs)
    perfect = np.eye(len(CLASSES))[task.test.targets]
    assert task.score(perfect, task.test) == 1.0
    assert task.score(outputs(model, task.test), task.test) > 1.0 / len(CLASSES)
