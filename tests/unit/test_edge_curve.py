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
from edge.curve import (
    EXTRA,
    SHAPES,
    SPARSITIES,
    Measured,
    Point,
    Repeat,
    Repeats,
    candidates,
    chosen,
    dense_of,
    measure_point,
    points,
    prune_both,
)
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
    repeats = Repeats(replace(task, epochs=30), _QUICK)
    figures = prune_both(task, measured[1], repeats=repeats, seeds=[5, 6], progress=_silent)
    (again,) = figures["repeats"]
    assert again["seed"] == 6
    assert again["metric_dense_float"] == repeats.dense(6).test
    assert again["computation_saved"] >= 0.5
    assert figures["weights_saved"] == 0.5
    assert figures["computation_saved"] >= figures["computation_saved_before"] >= figures["weights_saved"]
    assert figures["computation_saved"] <= 1.0 - figures["left_by_group"] + 0.5
    assert figures["activations_active"] <= figures["activations_active_before"]


def _row(**changed: Any) -> Row:
    same = {"model": "toy", "variant": "", "sparsity": 0.5, "instructions": 1, "flash_bytes": 1, "model_bytes": 1}
    same |= {"ram_bytes": 1, "stack_bytes": 1, "metric_name": "RMSE", "metric_dense_float": 1.0, "operators": []}
    return Row(**same | {"bit_equal_vectors": 200, "validation_dense_float": 1.0} | changed)


_FIGURES = [("dense", 90, 1.0, 1.0), ("2x4", 50, 1.02, 9.0), ("4x4", 40, 1.03, 0.5), ("1x4", 60, 1.0, 0.5)]


def _measured_rows() -> list[Measured]:
    rows = [_row(shape=shape, cycles=cycles, validation=v, metric=m) for shape, cycles, v, m in _FIGURES]
    return [Measured(Point(row.shape, row.sparsity), row, None) for row in rows]


def test_the_cheapest_that_keep_the_validation_come_first_whatever_the_test_says(task: Task) -> None:
    found = candidates(_measured_rows(), task)
    assert [one.row.shape for one in found] == ["2x4", "1x4"]
    assert not candidates(_measured_rows()[:1], task)
    better = candidates(_measured_rows(), replace(task, larger_is_better=True))
    assert better[0].row.shape == "4x4"


def test_what_loses_over_several_seeds_is_not_chosen(task: Task) -> None:
    asked: list[tuple[str, int]] = []

    def repeat(point: Point, seed: int) -> Repeat:
        asked.append((point.shape, seed))
        # In the mean with 1.02 of the first seed, 2.3 % are lost of 2x4 and 1 % of 1x4, in spite of its last seed.
        lost = {("2x4", 6): 1.01, ("2x4", 7): 1.04}.get((point.shape, seed), 1.03 if seed == 7 else 1.0)
        return Repeat(seed, 1.0, 1.0, lost, 1.0)

    found, repeats = chosen(_measured_rows(), task, repeat=repeat, seeds=[6, 7])
    assert found is not None
    assert found.row.shape == "1x4"
    assert asked == [("2x4", 6), ("2x4", 7), ("1x4", 6), ("1x4", 7)]
    assert {point.shape: [one.seed for one in made] for point, made in repeats.items()} == {
        "2x4": [6, 7],
        "1x4": [6, 7],
    }
    none, _ = chosen(_measured_rows()[:2], task, repeat=repeat, seeds=[6, 7])
    assert none is None


def test_a_point_is_made_again_from_a_seed_of_its_own(measured: list[Measured], task: Task) -> None:
    repeats = Repeats(replace(task, epochs=30), _QUICK)
    made = [repeats(measured[1].point, seed) for seed in (5, 6, 5)]
    assert made[0] == made[2]
    assert made[0].metric_dense_float != made[1].metric_dense_float
    for one in made:
        assert one.metric == pytest.approx(one.validation, rel=0.3)
        assert one.metric > one.metric_dense_float
