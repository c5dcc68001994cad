"""Pruning to a budget or to an allowed loss; refuses, with what was reached, a budget that cannot be met."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge.cycles import CycleTable
from edge.pruning.accounting import model_bytes
from edge.pruning.blocks import Block
from edge.pruning.cycles import cheapest_shapes, model_cycles
from edge.pruning.descent import Lesson, copy_of
from edge.pruning.gradual import Gauge, Progress, Recipe, prune_blocks
from edge.pruning.masks import apply_masks, global_masks, kernels_of, layer_masks, sparsity_of
from edge.pruning.nodes import chain_of, node_scores, prune_nodes, strongest, without_nodes
from features.errors import BudgetError, ParameterError

__all__ = [
    "MOST",
    "Budget",
    "Figures",
    "Pruned",
    "allowed_loss",
    "figures_of",
    "prune_to_budget",
    "prune_to_loss",
    "ram_bytes",
]

# Beyond it whole layers fall silent.
MOST = 0.98
_TIGHTENINGS = 3
_BUFFERED = ("Dense", "Conv", "Depthwise", "Pooling")


@dataclass(frozen=True)
class Budget:
    """What a network may cost; what is not given is free.

    Attributes
    ----------
    cycles : float, optional
        Of the layers with weights, by the table.
    flash_bytes, ram_bytes : int, optional
        Of weights, indices, biases and multipliers; and of the activations.
    """

    cycles: float | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None


@dataclass(frozen=True)
class Figures:
    """What a network costs and reaches.

    Attributes
    ----------
    cycles : float
    flash_bytes, ram_bytes : int
    sparsity : float
        Share of the weights that is 0.
    metric : float
        On what choices are made on.
    shapes : mapping of str
        Encoding of each layer.
    """

    cycles: float
    flash_bytes: int
    ram_bytes: int
    sparsity: float
    metric: float
    shapes: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Pruned:
    """A pruned model with its figures, and those it had before.

    Attributes
    ----------
    model : keras.Model
    figures, before : Figures
    """

    model: Any
    figures: Figures
    before: Figures


def figures_of(model: Any, *, table: CycleTable, gauge: Gauge) -> Figures:
    """Measure a model, each layer in its cheapest encoding."""
    shapes = cheapest_shapes(model, table)
    return Figures(
        cycles=model_cycles(model, table, shapes),
        flash_bytes=model_bytes(model, shapes),
        ram_bytes=ram_bytes(model),
        sparsity=sparsity_of(model),
        metric=gauge.score(model),
        shapes=shapes,
    )


def ram_bytes(model: Any) -> int:
    """Largest sum of int8 input and output of a layer, the kernels' scratch left out.

    Parameters
    ----------
    model : keras.Model
        A chain; normalisation and activations belong to the layer before them.

    Returns
    -------
    int
    """
    buffered = [layer for layer in chain_of(model) if any(kind in type(layer).__name__ for kind in _BUFFERED)]
    return int(max(math.prod(layer.input.shape[1:]) + math.prod(layer.output.shape[1:]) for layer in buffered))


def allowed_loss(dense: float, *, loss: float, gauge: Gauge, relative: bool = False) -> float:
    """Give the worst metric that a pruned model may have.

    Examples
    --------
    >>> allowed_loss(12.5, loss=0.02, gauge=Gauge(lambda model: 0.0, larger_is_better=False), relative=True)
    12.75
    """
    step = loss * abs(dense) if relative else loss
    return dense - step if gauge.larger_is_better else dense + step


def prune_to_loss(
    model: Any,
    lesson: Lesson,
    *,
    blocks: Mapping[str, Block],
    worst: float,
    gauge: Gauge,
    recipe: Recipe,
    table: CycleTable,
    seed: int,
    progress: Progress,
    trials: int = 5,
) -> Pruned:
    """Find by bisection the largest sparsity whose metric stays at a bound.

    Parameters
    ----------
    model : keras.Model
        Trained, compiled with its loss; it is not changed.
    lesson : Lesson
    blocks : mapping of Block
        By layer name.
    worst : float
        Metric that must be kept, as `allowed_loss` gives it.
    gauge : Gauge
        The metric on the validation part.
    recipe : Recipe
    table : CycleTable
    seed : int
    progress : callable
    trials : int
        Prunings to spend; the sparsity is known to ``0.98 / 2 ** trials``.

    Returns
    -------
    Pruned
        The model itself, unpruned, where no trial kept the metric.
    """
    before = figures_of(model, table=table, gauge=gauge)
    best, low, high = model, 0.0, MOST
    for trial in range(trials):
        # The cheap end of a curve of accuracy lies far right, so that the first guess is there.
        sparsity = 0.9 if trial == 0 else (low + high) / 2.0
        tried = prune_blocks(
            model, lesson, blocks=blocks, sparsity=sparsity, recipe=recipe, seed=seed, progress=progress, gauge=gauge
        )
        reached = gauge.score(tried)
        held = not gauge.better(worst, reached)
        progress(f"trial {trial + 1} of {trials}: sparsity {sparsity:.3f}, metric {reached:.5g}, held {held}")
        low, high, best = (sparsity, high, tried) if held else (low, sparsity, best)
    return Pruned(best, figures_of(best, table=table, gauge=gauge), before)


def prune_to_budget(
    model: Any,
    lesson: Lesson,
    *,
    blocks: Mapping[str, Block],
    budget: Budget,
    gauge: Gauge,
    recipe: Recipe,
    table: CycleTable,
    seed: int,
    progress: Progress,
) -> Pruned:
    """Prune as little as meets a budget: nodes for RAM, then blocks for cycles and flash.

    Parameters
    ----------
    model : keras.Model
        Trained, compiled with its loss; it is not changed.
    lesson : Lesson
    blocks : mapping of Block
        By layer name.
    budget : Budget
    gauge : Gauge
        The metric on the validation part, reported and, pass by pass, watched.
    recipe : Recipe
    table : CycleTable
    seed : int
    progress : callable

    Returns
    -------
    Pruned

    Raises
    ------
    BudgetError
        If the budget cannot be met; before anything is trained, but where training itself has made the network dearer.
    ParameterError
        If the budget names nothing.
    """
    if budget == Budget():
        raise ParameterError("a budget without a number was given; give cycles, flash_bytes or ram_bytes")
    before = figures_of(model, table=table, gauge=gauge)
    share = _least(lambda share: _over_ram(_narrowed(model, share), budget))
    start = _narrowed(model, share)
    sparsity = _least(lambda sparsity: _over(start, blocks, sparsity, budget, table, whole=recipe.whole))
    if share > 0.0:
        progress(f"a share of {share:.3f} of the nodes goes for RAM")
        model = prune_nodes(model, lesson, share=share, recipe=recipe, seed=seed, progress=progress, gauge=gauge)
    progress(f"a sparsity of {sparsity:.3f} meets the budget")
    pruned = model
    if sparsity > 0.0:
        pruned = prune_blocks(
            model, lesson, blocks=blocks, sparsity=sparsity, recipe=recipe, seed=seed, progress=progress, gauge=gauge
        )
    pruned = _tightened(
        pruned, lesson, blocks, budget, gauge=gauge, recipe=recipe, table=table, seed=seed, progress=progress
    )
    figures = figures_of(pruned, table=table, gauge=gauge)
    _raise(_excess(figures.cycles, figures.flash_bytes, budget))
    return Pruned(pruned, figures, before)


def _tightened(
    model: Any,
    lesson: Lesson,
    blocks: Mapping[str, Block],
    budget: Budget,
    *,
    gauge: Gauge,
    recipe: Recipe,
    table: CycleTable,
    seed: int,
    progress: Progress,
) -> Any:
    """Drop what training brought above the budget: under one threshold it moves weights to layers that cost more."""
    once = replace(recipe, ramp_epochs=0, rises=1, teacher=0.0)
    for _ in range(_TIGHTENINGS):
        sparsity = _least(functools.partial(_over, model, blocks, budget=budget, table=table, whole=recipe.whole))
        if sparsity == 0.0:
            break
        progress(f"a sparsity of {sparsity:.3f} meets the budget after training")
        model = prune_blocks(
            model, lesson, blocks=blocks, sparsity=sparsity, recipe=once, seed=seed, progress=progress, gauge=gauge
        )
    return model


# What is over a budget: resource, reached, allowed.
_Over = tuple[str, float, float] | None


def _least(over: Callable[[float], _Over]) -> float:
    """Least share that is not over the budget, by bisection to a thousandth; what is over at the most cannot be met."""
    if over(0.0) is None:
        return 0.0
    _raise(over(MOST))
    low, high = 0.0, MOST
    while high - low > 1e-3:
        middle = (low + high) / 2.0
        low, high = (low, middle) if over(middle) is None else (middle, high)
    return high


def _raise(over: _Over) -> None:
    if over is not None:
        raise BudgetError(over[0], reached=over[1], allowed=over[2])


def _narrowed(model: Any, share: float) -> Any:
    """The model without its weakest nodes, not trained further."""
    if share <= 0.0:
        return model
    scores = node_scores(model)
    return without_nodes(
        model, {name: strongest(values, len(values) - round(share * len(values))) for name, values in scores.items()}
    )


def _over_ram(model: Any, budget: Budget) -> _Over:
    if budget.ram_bytes is None:
        return None
    reached = ram_bytes(model)
    return ("RAM bytes", reached, budget.ram_bytes) if reached > budget.ram_bytes else None


def _over(
    model: Any, blocks: Mapping[str, Block], sparsity: float, budget: Budget, table: CycleTable, *, whole: bool
) -> _Over:
    """What a model is over its budget when it has lost its weakest blocks, untrained."""
    kernels = kernels_of(model)
    lean = copy_of(model)
    if whole:
        apply_masks(lean, global_masks(kernels, blocks, sparsity, most=MOST))
    else:
        apply_masks(lean, layer_masks(kernels, blocks, dict.fromkeys(blocks, sparsity)))
    shapes = cheapest_shapes(lean, table)
    return _excess(model_cycles(lean, table, shapes), model_bytes(lean, shapes), budget)


def _excess(cycles: float, flash_bytes: int, budget: Budget) -> _Over:
    for name, reached, allowed in (("cycles", cycles, budget.cycles), ("flash bytes", flash_bytes, budget.flash_bytes)):
        if allowed is not None and reached > allowed:
            return name, reached, allowed
    return None
