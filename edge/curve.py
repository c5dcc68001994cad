"""A network's metric and cost over block shapes and sparsities, each point trained, converted and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge.bench import Dense, Row, Variant, measure
from edge.convert import to_tflite_int8
from edge.pruning.blocks import block_of
from edge.pruning.descent import Lesson
from edge.pruning.gradual import Gauge, Recipe, prune_blocks
from edge.pruning.masks import prunable
from models.node_tasks.task import Task, outputs

__all__ = [
    "LOST_POINTS",
    "LOST_SHARE",
    "RECIPES",
    "SHAPES",
    "SPARSITIES",
    "Point",
    "chosen",
    "curve",
    "dense_of",
    "gauge_of",
    "lesson_of",
    "points",
    "quantised",
]

SHAPES = ("1x4", "2x4", "4x4")
SPARSITIES = (0.5, 0.75, 0.9, 0.95)
# What pruning may lose against the dense network in float: of a share from 0 to 1, and of an error.
LOST_POINTS, LOST_SHARE = 0.005, 0.02
_REPRESENTATIVE = 300

# By task; found on validation parts.
RECIPES = {
    "M1": Recipe(ramp_epochs=200, tune_epochs=200, rate=1e-3),
    "M2": Recipe(ramp_epochs=20, tune_epochs=20, rate=1e-3),
    "M3": Recipe(ramp_epochs=20, tune_epochs=20, rate=1e-3),
}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Point:
    """What a point of the curve asks for."""

    shape: str
    sparsity: float


def points(shapes: Sequence[str] = SHAPES, sparsities: Sequence[float] = SPARSITIES) -> list[Point]:
    """Dense first, then each shape at each sparsity.

    Examples
    --------
    >>> [f"{point.shape} {point.sparsity}" for point in points(["4x4"], [0.5, 0.9])]
    ['dense 0.0', '4x4 0.5', '4x4 0.9']
    """
    return [Point("dense", 0.0), *(Point(shape, sparsity) for shape in shapes for sparsity in sparsities)]


def curve(
    task: Task, dense: Any, wanted: Sequence[Point], *, recipe: Recipe, seed: int, progress: Progress
) -> Iterator[Row]:
    """Measure a trained network and what pruning makes of it.

    Parameters
    ----------
    task : Task
    dense : keras.Model
        Trained on the task; it is not changed.
    wanted : sequence of Point
    recipe : Recipe
        Of every point that is pruned.
    seed : int
        Of pruning and of the vectors.
    progress : callable
        Told what is being done.

    Yields
    ------
    Row
        In the order of the points.
    """
    reached = dense_of(task, dense)
    for point in wanted:
        progress(f"{task.name} {point.shape} {point.sparsity:.0%}")
        model = dense if point.shape == "dense" else _pruned(task, dense, point, recipe, seed, progress)
        network = quantised(model, task)
        variant = Variant(point.shape, point.sparsity)
        yield measure(network, task, name=task.name, variant=variant, dense=reached, seed=seed)


def dense_of(task: Task, model: Any) -> Dense:
    """What a network reaches in float on the judged parts."""
    validation, test = (task.score(outputs(model, part), part) for part in (task.validation, task.test))
    return Dense(validation, test)


def _pruned(task: Task, dense: Any, point: Point, recipe: Recipe, seed: int, progress: Progress) -> Any:
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


def chosen(rows: Sequence[Row], task: Task) -> Row | None:
    """Return the cheapest row that keeps the metric on the validation part, None where none does.

    Notes
    -----
    Kept is what loses at most half a point of a share, or 2 % of an error, against the dense network in float.
    """
    kept = [row for row in rows if row.shape != "dense" and _is_kept(row, task)]
    return min(kept, key=lambda row: row.cycles, default=None)


def _is_kept(row: Row, task: Task) -> bool:
    dense = row.validation_dense_float
    if task.larger_is_better:
        return row.validation >= dense - LOST_POINTS
    return row.validation <= dense * (1.0 + LOST_SHARE)


def lesson_of(task: Task) -> Lesson:
    """What a task's networks learn from, as pruning takes it."""
    return Lesson(task.training.inputs, task.training.targets, task.batch_size)


def gauge_of(task: Task) -> Gauge:
    """The task's metric on its validation part: what choices are made on."""

    def score(model: Any) -> float:
        return task.score(outputs(model, task.validation), task.validation)

    return Gauge(score, task.larger_is_better)


def quantised(model: Any, task: Task) -> bytes:
    """The int8 `.tflite` of a network, ranges from its training part; one scale a dense layer, as the peer has."""
    step = max(1, len(task.training) // _REPRESENTATIVE)
    return to_tflite_int8(model, task.training.inputs[::step][:_REPRESENTATIVE], dense_per_channel=False)
