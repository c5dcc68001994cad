"""A point of the curve is pruned, converted, run on the emulated node and judged; what is chosen is chosen unseen."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from node_tasks_making import toy_task

from edge import curve
from edge.bench import VECTORS, Row
from edge.curve import EXTRA, SHAPES, SPARSITIES, Measured, Point, chosen, dense_of, measure_point, points, prune_both
from edge.pruning.gradual import Recipe
from models.node_tasks.task import Task, train

_QUICK = Recipe(ramp_epochs=2, tune_epochs=2, rises=2, rate=3e-3)


def _silent(*told: Any) -> None:
    del told


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task(np.random.default_rng(4))


@pytest.fixture(scope="module")
def dense(task: Task) -> Any:
    return train(replace(task, epochs=30), seed=3, progress=_silent)


@pytest.fixture(scope="module")
def measured(task: Task, dense: Any) -> list[Measured]:
    if missing := [tool for tool in ("arm-none-eabi-gcc", "qemu-system-arm", "gcc") if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(missing)} not found; install the packages that tests/packages.sh names")
    wanted = points(["4x4"], [0.5])
    return [measure_point(task, dense, point, recipe=_QUICK, seed=5, progress=_silent) for point in wanted]


def test_every_network_has_the_whole_grid() -> None:
    for extra in EXTRA.values():
        found = points(extra=extra)
        assert found[0] == Point("dense", 0.0)
        assert {(point.shape, point.sparsity) for point in found[1:]} >= {(a, b) for a in SHAPES for b in SPARSITIES}


def test_a_point_is_what_it_asks_for(measured: list[Measured], task: Task, dense: Any) -> None:
    full, pruned = measured
    assert [one.row.variant for one in measured] == ["dense", "4x4 50 %"]
    assert [one.row.bit_equal_vectors for one in measured] == [VECTORS, VECTORS]
    assert pruned.row.cycles < full.row.cycles
    assert pruned.row.model_bytes < full.row.model_bytes < full.row.flash_bytes
    assert np.mean(pruned.model.layers[0].kernel.numpy() == 0) == 0.5
    # The integers' error on the test part is near that of the floats.
    reached = dense_of(task, dense)
    assert full.row.metric_dense_float == reached.test
    assert full.row.metric == pytest.approx(reached.test, rel=0.2)


def test_both_prunings_count(measured: list[Measured], task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(curve.RECIPES, "toy", _QUICK)
    figures = prune_both(task, measured[1], seed=5, progress=_silent)
    assert figures["weights_saved"] == 0.5
    assert figures["computation_saved"] >= figures["computation_saved_before"] >= figures["weights_saved"]
    assert figures["computation_saved"] <= 1.0 - figures["left_by_group"] + 0.5
    assert figures["activations_active"] <= figures["activations_active_before"]


def _row(**changed: Any) -> Row:
    same = {"model": "toy", "variant": "", "sparsity": 0.5, "instructions": 1, "flash_bytes": 1, "model_bytes": 1}
    same |= {"ram_bytes": 1, "stack_bytes": 1, "metric_name": "RMSE", "metric_dense_float": 1.0, "operators": []}
    return Row(**same | {"bit_equal_vectors": 200, "validation_dense_float": 1.0} | changed)


def test_the_cheapest_that_keeps_the_validation_is_chosen_whatever_the_test_says(task: Task) -> None:
    figures = [("dense", 90, 1.0, 1.0), ("2x4", 50, 1.02, 9.0), ("4x4", 40, 1.03, 0.5), ("1x4", 60, 1.0, 0.5)]
    rows = [_row(shape=shape, cycles=cycles, validation=v, metric=m) for shape, cycles, v, m in figures]
    candidates = [Measured(Point(row.shape, row.sparsity), row, None) for row in rows]
    found = chosen(candidates, task)
    assert found is not None
    assert found.row.shape == "2x4"
    assert chosen(candidates[:1], task) is None
    better = chosen(candidates, replace(task, larger_is_better=True))
    assert better is not None
    assert better.row.shape == "4x4"
