"""A network's metric and cost over block shapes and sparsities, each point trained, converted and measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.bench import Reached, Row, Variant, judge, measure
from edge.convert import to_tflite_int8
from edge.pruning.activity import Activity, activity, computation_saved
from edge.pruning.blocks import block_of
from edge.pruning.command import gauge_of, lesson_of
from edge.pruning.gradual import Recipe, prune_blocks
from edge.pruning.integral import prune_activations
from edge.pruning.masks import prunable
from models.node_tasks.task import Task, outputs, train

__all__ = [
    "EXTRA",
    "LOST_POINTS",
    "LOST_SHARE",
    "RECIPES",
    "SEEDS",
    "SHAPES",
    "SPARSITIES",
    "Point",
    "Repeat",
    "Repeats",
    "candidates",
    "chosen",
    "dense_of",
    "holds",
    "keeps",
    "points",
    "quantised",
]

SHAPES = ("1x4", "2x4", "4x4")
SPARSITIES = (0.5, 0.75, 0.85, 0.9, 0.95)
# What pruning may lose against the dense network in float: of a share from 0 to 1, and of an error.
LOST_POINTS, LOST_SHARE = 0.005, 0.02
# From how many seeds a pruned network is to keep the metric.
SEEDS = 3
_REPRESENTATIVE = 300
_ROUNDING = 1e-9

# By task; found on validation parts.
RECIPES = {
    "M1": Recipe(ramp_epochs=100, tune_epochs=100, rate=1e-3),
    "M2": Recipe(ramp_epochs=12, tune_epochs=24, rate=2e-3, teacher=0.7),
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


def dense_of(task: Task, model: Any) -> Reached:
    """What a network reaches in float on the judged parts."""
    validation, test = (task.score(outputs(model, part), part) for part in (task.validation, task.test))
    return Reached(validation, test)


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


@dataclass(frozen=True)
class Repeat:
    """A point once more from another seed: what its integers reach, and its dense network in float."""

    seed: int
    metric: float
    metric_dense_float: float
    validation: float
    validation_dense_float: float


def candidates(measured: Sequence[Measured], task: Task) -> list[Measured]:
    """Return the pruned networks that keep the metric on the validation part, the cheapest first.

    Notes
    -----
    Kept is what loses at most half a point of a share, or 2 % of an error, against the dense network in float.
    """
    kept = [
        one
        for one in measured
        if one.point.shape != "dense" and holds([_validated(one.row)], larger_is_better=task.larger_is_better)
    ]
    return sorted(kept, key=lambda one: one.row.cycles)


def chosen(
    measured: Sequence[Measured], task: Task, *, repeat: Callable[[Point, int], Repeat], seeds: Sequence[int]
) -> tuple[Measured | None, dict[Point, list[Repeat]]]:
    """Choose the cheapest pruned network that keeps the metric on the validation part, over several seeds.

    Parameters
    ----------
    measured : sequence of Measured
        From one seed.
    task : Task
    repeat : callable
        Trains and prunes a point from another seed, as `Repeats`.
    seeds : sequence of int
        The others.

    Returns
    -------
    chosen : Measured or None
        Keeps the metric from the first seed, and in the mean over all of them. None where no network does.
    repeats : dict
        All that were made: of the candidates, up to the one that is chosen.
    """
    made: dict[Point, list[Repeat]] = {}
    for one in candidates(measured, task):
        made[one.point] = [repeat(one.point, seed) for seed in seeds]
        validated = [_validated(one.row), *map(_validated, made[one.point])]
        if holds(validated, larger_is_better=task.larger_is_better):
            return one, made
    return None, made


def holds(validated: Sequence[tuple[float, float]], *, larger_is_better: bool) -> bool:
    """Tell whether pruning loses no more than it may in the mean over several seeds.

    Parameters
    ----------
    validated : sequence of (float, float)
        Of each seed, the metric and that of its dense network, on the validation part.
    larger_is_better : bool

    Examples
    --------
    >>> holds([(0.956, 0.96), (0.953, 0.96)], larger_is_better=True)
    False
    >>> holds([(0.956, 0.96), (0.954, 0.96)], larger_is_better=True)
    True
    """
    metric, dense = np.mean(np.array(validated), axis=0).tolist()
    return keeps(metric, dense, larger_is_better=larger_is_better)


def _validated(reached: Row | Repeat) -> tuple[float, float]:
    return reached.validation, reached.validation_dense_float


class Repeats:
    """Points from other seeds, each with a dense network of its own seed, which is trained once."""

    def __init__(self, task: Task, recipe: Recipe) -> None:
        self._task, self._recipe = task, recipe
        self._dense: dict[int, tuple[Any, Reached]] = {}
        self._pruned: dict[tuple[Point, int], Any] = {}

    def __call__(self, point: Point, seed: int) -> Repeat:
        """Train, prune and judge."""
        dense = self.dense(seed)
        reached = judge(quantised(self.pruned(point, seed), self._task), self._task)
        return Repeat(seed, reached.test, dense.test, reached.validation, dense.validation)

    def dense(self, seed: int) -> Reached:
        """What the dense network of a seed reaches in float."""
        return self._trained(seed)[1]

    def pruned(self, point: Point, seed: int) -> Any:
        """The pruned Keras model."""
        if (point, seed) not in self._pruned:
            model = _pruned(self._task, self._trained(seed)[0], point, self._recipe, seed, _untold)
            self._pruned[point, seed] = model
        return self._pruned[point, seed]

    def _trained(self, seed: int) -> tuple[Any, Reached]:
        if seed not in self._dense:
            model = train(self._task, seed=seed, progress=_untold)
            self._dense[seed] = model, dense_of(self._task, model)
        return self._dense[seed]


def _untold(*told: object) -> None:
    del told


def keeps(metric: float, dense: float, *, larger_is_better: bool) -> bool:
    """Tell whether a metric has lost no more than pruning may.

    Examples
    --------
    >>> keeps(0.956, 0.96, larger_is_better=True), keeps(12.3, 12.0, larger_is_better=False)
    (True, False)
    """
    worst = _worst(dense, larger_is_better=larger_is_better)
    return metric >= worst - _ROUNDING if larger_is_better else metric <= worst + _ROUNDING


def _worst(dense: float, *, larger_is_better: bool) -> float:
    return dense - LOST_POINTS if larger_is_better else dense * (1.0 + LOST_SHARE)


def prune_both(
    task: Task, picked: Measured, *, repeats: Repeats, seeds: Sequence[int], progress: Progress
) -> dict[str, Any]:
    """Prune the activations of a network whose weights are pruned, and count what is left to multiply.

    Parameters
    ----------
    task : Task
    picked : Measured
        The network of the first seed, with its cycles.
    repeats : Repeats
        Gives the networks of the other seeds.
    seeds : sequence of int
        The first one and the others.
    progress : callable

    Returns
    -------
    dict
        Shares of all multiplications saved by weights alone, by weights and the zeros that ReLU leaves anyway, and by
        weights and pruned activations; share of activations that are left; share of multiplications left to a kernel
        that skips blocks of weights, and to one that also asks once for each group of four activations; metrics in
        float on the test part, of both prunings and of weights alone; and the cycles on the node, which the zeros among
        activations do not lower. Of the other seeds what is saved and the metrics, under ``repeats``.
    """
    first = Reached(picked.row.validation_dense_float, picked.row.metric_dense_float)
    figures = _both(task, picked.model, picked.point, first, seeds[0], progress)
    kept = ("computation_saved_before", "computation_saved", "metric", "metric_weights_only", "metric_dense_float")
    others = []
    for seed in seeds[1:]:
        model = repeats.pruned(picked.point, seed)
        again = _both(task, model, picked.point, repeats.dense(seed), seed, progress)
        others.append({"seed": seed} | {name: again[name] for name in kept})
    named = {"model": task.name, "variant": picked.row.variant, "cycles": picked.row.cycles}
    return named | figures | {"repeats": others}


def _both(task: Task, model: Any, point: Point, dense: Reached, seed: int, progress: Progress) -> dict[str, Any]:
    """Figures of both prunings from one seed.

    What may be lost is that of `candidates`, on the validation part, against the better of the dense network and the
    one whose weights are pruned: what pruning the weights has won is not there to be spent.
    """
    gauge = gauge_of(task)
    weights_only = dense_of(task, model)
    better = max if task.larger_is_better else min
    integral = prune_activations(
        model,
        lesson_of(task),
        worst=_worst(better(weights_only.validation, dense.validation), larger_is_better=task.larger_is_better),
        gauge=gauge,
        recipe=RECIPES[task.name],
        seed=seed,
        progress=progress,
        judged=task.test.inputs,
    )
    in_blocks = activity(integral.model, task.test.inputs, block=block_of(point.shape))
    macs = sum(one.macs for one in integral.counted)
    return {
        "weights_saved": 1.0 - sum(one.by_weight for one in integral.before) / macs,
        "computation_saved_before": computation_saved(integral.before),
        "computation_saved": integral.saved,
        "activations_active_before": _mean_active(integral.before),
        "activations_active": _mean_active(integral.counted),
        "left_by_block": sum(one.by_block for one in in_blocks) / macs,
        "left_by_group": sum(one.by_group for one in in_blocks) / macs,
        "winner_rates": dict(integral.rates),
        "metric_name": task.metric,
        "metric": dense_of(task, integral.model).test,
        "metric_weights_only": weights_only.test,
        "metric_dense_float": dense.test,
        "validation": integral.metric,
        "validation_dense_float": dense.validation,
    }


def _mean_active(counted: Sequence[Activity]) -> float:
    """Over the layers after the first, whose inputs are measured signals and not activations."""
    return float(np.mean([one.active for one in counted[1:]]))


def quantised(model: Any, task: Task, *, dense_per_channel: bool = False) -> bytes:
    """The int8 `.tflite` of a network, ranges from its training part; one scale a dense layer, as the peer has."""
    step = max(1, len(task.training) // _REPRESENTATIVE)
    return to_tflite_int8(model, task.training.inputs[::step][:_REPRESENTATIVE], dense_per_channel=dense_per_channel)
