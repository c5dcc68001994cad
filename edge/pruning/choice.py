"""Scalpel's choice for each layer, groups, nodes or nothing, by cycles at an equal metric; refuses an empty grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edge.cycles import CycleTable
from edge.pruning.blocks import block_of
from edge.pruning.cycles import cheapest_shapes, model_cycles
from edge.pruning.descent import Lesson
from edge.pruning.gradual import Gauge, Progress, Recipe, prune_blocks
from edge.pruning.masks import prunable
from edge.pruning.nodes import prune_nodes
from features.errors import ParameterError

__all__ = ["GRID", "NODES", "Choice", "choose", "prune_as_chosen"]

NODES = "nodes"
GRID = (0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True)
class Choice:
    """How one layer is to be pruned.

    Attributes
    ----------
    layer : str
    kind : str
        Name of a block shape, ``nodes`` or ``dense``.
    share : float
        Of its weights or nodes to drop.
    cycles : float
        Of the whole network with this layer alone pruned.
    metric : float
        Of that network, on what choices are made on.
    """

    layer: str
    kind: str
    share: float
    cycles: float
    metric: float


def choose(
    model: Any,
    lesson: Lesson,
    *,
    table: CycleTable,
    worst: float,
    gauge: Gauge,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    grid: Sequence[float] = GRID,
) -> list[Choice]:
    """Prune each layer alone in every way, as far as the metric holds, and take the way that leaves the fewest cycles.

    Parameters
    ----------
    model : keras.Model
        Trained, compiled with its loss; it is not changed.
    lesson : Lesson
    table : CycleTable
        Its shapes of blocks are the ways, beside nodes and nothing.
    worst : float
        Metric that each layer alone must keep.
    gauge : Gauge
        The metric on the validation part.
    recipe : Recipe
        A short one: it is spent for each layer, way and share.
    seed : int
    progress : callable
    grid : sequence of float
        Shares to try, rising; a way ends at the first that loses too much.

    Returns
    -------
    list of Choice
        One for each layer with weights.

    Raises
    ------
    ParameterError
        If the grid is empty.

    References
    ----------
    .. [1] J. Yu et al., Scalpel: Customizing DNN pruning to the underlying hardware parallelism, ISCA 2017. There the
       kind of layer and the target decide; here the cycles of the target do.
    """
    if not grid:
        raise ParameterError("a grid without shares was given; at least one is wanted")
    layers = prunable(model)
    whole = model_cycles(model, table, cheapest_shapes(model, table)), gauge.score(model)
    chosen = []
    for layer in layers:
        ways = [*table.groups, *([NODES] if layer is not layers[-1] else [])]
        found = [Choice(layer.name, "dense", 0.0, *whole)]
        for way in ways:
            prune = _way(model, lesson, layer.name, way, recipe=recipe, seed=seed, progress=progress)
            found += _held(prune, layer.name, way, table=table, worst=worst, gauge=gauge, grid=grid)
        best = min(found, key=lambda choice: choice.cycles)
        progress(f"{layer.name}: {best.kind} at {best.share:g}, {best.cycles:.0f} cycles, metric {best.metric:.5g}")
        chosen.append(best)
    return chosen


def prune_as_chosen(
    model: Any,
    lesson: Lesson,
    choices: Sequence[Choice],
    *,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    gauge: Gauge | None = None,
) -> Any:
    """Prune a model as was chosen for each layer: the nodes first, then all blocks together.

    Parameters
    ----------
    model : keras.Model
        It is not changed.
    lesson : Lesson
    choices : sequence of Choice
    recipe : Recipe
        Spent on the nodes and on the blocks.
    seed : int
    progress : callable
    gauge : Gauge, optional

    Returns
    -------
    keras.Model
    """
    nodes = {choice.layer: choice.share for choice in choices if choice.kind == NODES}
    grouped = {choice.layer: choice for choice in choices if choice.kind not in (NODES, "dense")}
    if nodes:
        model = prune_nodes(model, lesson, share=nodes, recipe=recipe, seed=seed, progress=progress, gauge=gauge)
    if not grouped:
        return model
    return prune_blocks(
        model,
        lesson,
        blocks={name: block_of(choice.kind) for name, choice in grouped.items()},
        sparsity={name: choice.share for name, choice in grouped.items()},
        recipe=recipe,
        seed=seed,
        progress=progress,
        gauge=gauge,
    )


def _way(
    model: Any, lesson: Lesson, layer: str, way: str, *, recipe: Recipe, seed: int, progress: Progress
) -> Callable[[float], Any]:
    """Give what prunes one layer in one way by a share."""

    def prune(share: float) -> Any:
        choice = Choice(layer, way, share, 0.0, 0.0)
        return prune_as_chosen(model, lesson, [choice], recipe=recipe, seed=seed, progress=progress)

    return prune


def _held(
    prune: Callable[[float], Any],
    layer: str,
    way: str,
    *,
    table: CycleTable,
    worst: float,
    gauge: Gauge,
    grid: Sequence[float],
) -> list[Choice]:
    """Give the choices of one way whose metric holds."""
    found = []
    for share in grid:
        tried = prune(share)
        metric = gauge.score(tried)
        if gauge.better(worst, metric):
            break
        found.append(Choice(layer, way, share, model_cycles(tried, table, cheapest_shapes(tried, table)), metric))
    return found
