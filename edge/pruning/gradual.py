"""Pruning along a cubic ramp with fine-tuning after it; refuses recipes without a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.pruning.blocks import Block
from edge.pruning.descent import Lesson, MaskedDescent, copy_of, taught_by
from edge.pruning.masks import Masks, global_masks, kernels_of, layer_masks, masks_of
from features.errors import ParameterError

__all__ = ["Gauge", "Progress", "Recipe", "fine_tune", "prune_blocks", "ramp"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Gauge:
    """How good a model is, on what choices are made on.

    Attributes
    ----------
    score : callable
        From a Keras model to the metric.
    larger_is_better : bool
    """

    score: Callable[[Any], float]
    larger_is_better: bool = True

    def better(self, one: float, other: float) -> bool:
        """Tell whether one metric is strictly better than another."""
        return one > other if self.larger_is_better else one < other


@dataclass(frozen=True)
class Recipe:
    """How to prune.

    Attributes
    ----------
    ramp_epochs, tune_epochs : int
        Passes over the training rows while sparsity rises, and after.
    rate : float
        Learning rate of the ramp; afterwards it falls to 0 along half a cosine.
    rises : int
        How often masks are chosen anew along the ramp.
    teacher : float
        Weight of the outputs of the model before pruning among the targets, from 0 to 1.
    whole : bool
        One threshold over all layers instead of one sparsity for each.
    """

    ramp_epochs: int = 20
    tune_epochs: int = 20
    rate: float = 1e-3
    rises: int = 20
    teacher: float = 0.0
    whole: bool = False


def ramp(done: float, *, final: float, initial: float = 0.0) -> float:
    """Sparsity along a cubic ramp, steep first and flat at the end.

    Parameters
    ----------
    done : float
        Share of the ramp that is done, from 0 to 1.
    final, initial : float
        Sparsity at the ends.

    Returns
    -------
    float
        ``final + (initial - final) * (1 - done) ** 3``.

    References
    ----------
    .. [1] M. Zhu, S. Gupta, To prune, or not to prune, 2017, equation 1.

    Examples
    --------
    >>> [round(ramp(done, final=0.8), 3) for done in (0.0, 0.5, 1.0)]
    [0.0, 0.7, 0.8]
    """
    return final + (initial - final) * (1.0 - min(max(done, 0.0), 1.0)) ** 3


def prune_blocks(
    model: Any,
    lesson: Lesson,
    *,
    blocks: Mapping[str, Block],
    sparsity: Mapping[str, float] | float,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    gauge: Gauge | None = None,
) -> Any:
    """Prune the kernels of a model in blocks and fine-tune what is left.

    Parameters
    ----------
    model : keras.Model
        Trained, compiled with its loss; it is not changed.
    lesson : Lesson
        What it learned from.
    blocks : mapping of Block
        By layer name; layers that it lacks are not pruned. Biases never are.
    sparsity : float or mapping of float
        Share of the weights to drop, from 0 to below 1: of each layer, or by layer name. One number under a recipe
        with one threshold for all layers counts all of them together.
    recipe : Recipe
    seed : int
        Of the order of the rows.
    progress : callable
        Told what was reached.
    gauge : Gauge, optional
        Where given, the best pass of the fine-tuning is kept, else the last.

    Returns
    -------
    keras.Model
        Its kernels hold exact zeros.

    Raises
    ------
    ParameterError
        If a sparsity is outside its range, or the recipe prunes without a rise.
    """
    if recipe.rises < 1:
        raise ParameterError(f"a recipe of {recipe.rises} rises was given; at least 1 is wanted")
    taught = taught_by(model, lesson, share=recipe.teacher)
    pruned = copy_of(model)
    descent = MaskedDescent(pruned, taught, seed=seed)
    steps = np.diff(np.linspace(0, recipe.ramp_epochs * lesson.steps, recipe.rises + 1).astype(int))
    for rise, count in enumerate(steps, start=1):
        masks = _masks_at(pruned, blocks, sparsity, rise / recipe.rises, whole=recipe.whole)
        descent.mask(masks)
        loss = descent.run(np.full(count, recipe.rate))
        progress(f"rise {rise} of {recipe.rises}: loss {loss:.5g}")
    _settle(descent, lesson.steps, recipe, gauge, progress)
    return pruned


def fine_tune(
    model: Any, lesson: Lesson, *, recipe: Recipe, seed: int, progress: Progress, gauge: Gauge | None = None
) -> Any:
    """Train a copy of a model further, what is 0 in its kernels staying 0; as the tail of `prune_blocks`."""
    tuned = copy_of(model)
    descent = MaskedDescent(tuned, lesson, seed=seed)
    descent.mask(masks_of(tuned))
    _settle(descent, lesson.steps, recipe, gauge, progress)
    return tuned


def _masks_at(
    model: Any, blocks: Mapping[str, Block], sparsity: Mapping[str, float] | float, done: float, *, whole: bool
) -> Masks:
    """Masks of a moment of the ramp; what was dropped has score 0 and stays dropped."""
    kernels = kernels_of(model)
    if isinstance(sparsity, Mapping):
        return layer_masks(kernels, blocks, {name: ramp(done, final=value) for name, value in sparsity.items()})
    if whole:
        return global_masks(kernels, blocks, ramp(done, final=sparsity))
    return layer_masks(kernels, blocks, dict.fromkeys(blocks, ramp(done, final=sparsity)))


def _settle(descent: MaskedDescent, steps: int, recipe: Recipe, gauge: Gauge | None, progress: Progress) -> None:
    """Fine-tune along half a cosine; under a gauge the best pass stays."""
    rates = recipe.rate * _half_cosine(recipe.tune_epochs * steps)
    best: tuple[float, list[NDArray[np.float32]]] | None = None
    for epoch in range(recipe.tune_epochs):
        loss = descent.run(rates[epoch * steps : (epoch + 1) * steps])
        if gauge is None:
            progress(f"pass {epoch + 1} of {recipe.tune_epochs}: loss {loss:.5g}")
            continue
        reached = gauge.score(descent.model)
        progress(f"pass {epoch + 1} of {recipe.tune_epochs}: loss {loss:.5g}, metric {reached:.5g}")
        if best is None or gauge.better(reached, best[0]):
            best = reached, descent.model.get_weights()
    if best is not None:
        descent.model.set_weights(best[1])


def _half_cosine(steps: int) -> NDArray[np.float64]:
    return 0.5 * (1.0 + np.cos(np.pi * np.arange(steps) / max(steps, 1)))
