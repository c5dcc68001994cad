"""A network's metric and cost over block shapes and sparsities, each point trained, converted and measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.bench import Dense, Row, Variant, measure
from edge.convert import to_tflite_int8
from edge.pruning.activity import Activity, activity, computation_saved
from edge.pruning.blocks import block_of
from edge.pruning.command import gauge_of, lesson_of
from edge.pruning.gradual import Recipe, prune_blocks
from edge.pruning.integral import prune_activations
from edge.pruning.masks import prunable
from models.node_tasks.task import Task, outputs

__all__ = [
    "EXTRA",
    "LOST_POINTS",
    "LOST_SHARE",
    "RECIPES",
    "SHAPES",
    "SPARSITIES",
    "Point",
    "chosen",
    "dense_of",
    "keeps",
    "points",
    "quantised",
]

SHAPES = ("1x4", "2x4", "4x4")
SPARSITIES = (0.5, 0.75, 0.85, 0.9, 0.95)
# What pruning may lose against the dense network in float: of a share from 0 to 1, and of an error.
LOST_POINTS, LOST_SHARE = 0.005, 0.02
_REPRESENTATIVE = 300

# By task; found on validation parts.
RECIPES = {
    "M1": Recipe(ramp_epochs=100, tune_epochs=100, rate=1e-3),
    "M2": Recipe(ramp_epochs=12, tune_epochs=12, rate=1e-3, teacher=0.7),
    "M3": Recipe(ramp_epochs=40, tune_epochs=40, rate=1e-3, teacher=0.7, whole=True),
}
# Points beside the grid: about where the bytes of the model become a tenth or a fifth of the peer's.
EXTRA = {"M1": (("4x4", 0.92),), "M2": (("4x4", 0.8), ("4x4", 0.82), ("2x4", 0.8)), "M3": ()}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Point:
    """What a point of the curve asks for."""

    shape: str
    sparsity: float


def points(
    shapes: Sequence[str] = SHAPES,
    sparsities: Sequence[float] = SPARSITIES,
    *,
    extra: Sequence[tuple[str, float]] = (),
) -> list[Point]:
    """Dense first, then each shape at each sparsity and the points beside the grid, by shape and sparsity.

    Examples
    --------
    >>> [f"{point.shape} {point.sparsity}" for point in points(["4x4"], [0.5, 0.9], extra=[("4x4", 0.8)])]
    ['dense 0.0', '4x4 0.5', '4x4 0.8', '4x4 0.9']
    """
    grid = {(shape, sparsity) for shape in shapes for sparsity in sparsities} | set(extra)
    return [Point("dense", 0.0), *(Point(shape, sparsity) for shape, sparsity in sorted(grid))]


@dataclass(frozen=True, eq=False)
class Measured:
    """A point with its figures and the Keras model behind them."""

    point: Point
    row: Row
    model: Any


def measure_point(task: Task, dense: Any, point: Point, *, recipe: Recipe, seed: int, progress: Progress) -> Measured:
    """Prune a trained network as a point asks, convert it and measure it on the emulated node.

    Parameters
    ----------
    task : Task
    dense : keras.Model
        Trained on the task; it is not changed.
    point : Point
    recipe : Recipe
    seed : int
        Of pruning and of the vectors.
    progress : callable
        Told what is being done.

    Returns
    -------
    Measured
    """
    model = dense if point.shape == "dense" else _pruned(task, dense, point, recipe, seed, progress)
    variant = Variant(point.shape, point.sparsity)
    reached = dense_of(task, dense)
    row = measure(quantised(model, task), task, name=task.name, variant=variant, dense=reached, seed=seed)
    return Measured(point, row, model)


def dense_of(task: Task, model: Any) -> Dense:
    """What a network reaches in float on the judged parts."""
    validation, test = (task.score(outputs(model, part), part) for part in (task.validation, task.test))
    return Dense(validation, test)


def _pruned(task: Task, dense: Any, point: Point, recipe: Recipe, seed: int, progress: Progress) -> Any:
    import keras

    # What is dropped out in training is drawn from the global generator; a point is not to depend on those before it.
    keras.utils.set_random_seed(seed)
    return prune_blocks(
        dense,
        lesson_of(task),
        blocks={layer.name: block_of(point.shape) for layer in prunable(dense)},
        sparsity=point.sparsity,
        recipe=recipe,
        seed=seed,
        progress=progress,
        gauge=gauge_of(task),
    )


def chosen(measured: Sequence[Measured], task: Task) -> Measured | None:
    """Return the cheapest pruned network that keeps the metric on the validation part, None where none does.

    Notes
    -----
    Kept is what loses at most half a point of a share, or 2 % of an error, against the dense network in float.
    """
    better = task.larger_is_better
    kept = [
        one
        for one in measured
        if one.point.shape != "dense"
        and keeps(one.row.validation, one.row.validation_dense_float, larger_is_better=better)
    ]
    return min(kept, key=lambda one: one.row.cycles, default=None)


def keeps(metric: float, dense: float, *, larger_is_better: bool) -> bool:
    """Tell whether a metric has lost no more than pruning may.

    Examples
    --------
    >>> keeps(0.956, 0.96, larger_is_better=True), keeps(12.3, 12.0, larger_is_better=False)
    (True, False)
    """
    worst = _worst(dense, larger_is_better=larger_is_better)
    return metric >= worst if larger_is_better else metric <= worst


def _worst(dense: float, *, larger_is_better: bool) -> float:
    return dense - LOST_POINTS if larger_is_better else dense * (1.0 + LOST_SHARE)


def prune_both(task: Task, picked: Measured, *, seed: int, progress: Progress) -> dict[str, Any]:
    """Prune the activations of a network whose weights are pruned, and count what is left to multiply.

    Parameters
    ----------
    task : Task
    picked : Measured
        The network, with its cycles.
    seed : int
    progress : callable

    Returns
    -------
    dict
        Shares of all multiplications saved by weights alone, by weights and the zeros that ReLU leaves anyway, and by
        weights and pruned activations; share of activations that are left; share of multiplications left to a kernel
        that asks once for each group of four activations; metrics in float on the test part; and the cycles on the
        node, which the zeros among activations do not lower.

    Notes
    -----
    What is allowed to be lost is that of `chosen`, on the validation part.
    """
    block = block_of(picked.point.shape)
    worst = _worst(picked.row.validation_dense_float, larger_is_better=task.larger_is_better)
    integral = prune_activations(
        picked.model,
        lesson_of(task),
        worst=worst,
        gauge=gauge_of(task),
        recipe=RECIPES[task.name],
        seed=seed,
        progress=progress,
        judged=task.test.inputs,
    )
    by_group = activity(integral.model, task.test.inputs, block=block)
    macs = sum(one.macs for one in integral.counted)
    return {
        "model": task.name,
        "variant": picked.row.variant,
        "weights_saved": 1.0 - sum(one.by_weight for one in integral.before) / macs,
        "computation_saved_before": computation_saved(integral.before),
        "computation_saved": integral.saved,
        "activations_active_before": _mean_active(integral.before),
        "activations_active": _mean_active(integral.counted),
        "left_by_group": sum(one.by_group for one in by_group) / macs,
        "winner_rates": dict(integral.rates),
        "metric_name": task.metric,
        "metric": dense_of(task, integral.model).test,
        "metric_dense_float": picked.row.metric_dense_float,
        "validation": integral.metric,
        "validation_dense_float": picked.row.validation_dense_float,
        "cycles": picked.row.cycles,
    }


def _mean_active(counted: Sequence[Activity]) -> float:
    """Over the layers after the first, whose inputs are measured signals and not activations."""
    return float(np.mean([one.active for one in counted[1:]]))


def quantised(model: Any, task: Task, *, dense_per_channel: bool = False) -> bytes:
    """The int8 `.tflite` of a network, ranges from its training part; one scale a dense layer, as the peer has."""
    step = max(1, len(task.training) // _REPRESENTATIVE)
    return to_tflite_int8(model, task.training.inputs[::step][:_REPRESENTATIVE], dense_per_channel=dense_per_channel)
