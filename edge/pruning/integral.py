"""Integral Pruning: after the weights, activations below a threshold of their layer; refuses rates outside 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.pruning.activity import Activity, activity, computation_saved, inputs_of_layers
from edge.pruning.descent import Lesson
from edge.pruning.gradual import Gauge, Progress, Recipe, fine_tune
from edge.pruning.masks import prunable
from edge.pruning.nodes import chain_of
from features.errors import ParameterError

__all__ = ["RATES", "Integral", "prune_activations", "rectified", "thresholds_for", "with_thresholds"]

RATES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
_SMALLEST = 1e-6
_ATTEMPTS = 6


@dataclass(frozen=True, eq=False)
class Integral:
    """A model pruned in weights and activations.

    Attributes
    ----------
    model : keras.Model
        With a threshold before each layer whose activations are pruned.
    rates : mapping of float
        Share of winners that each of these layers was given.
    metric : float
        On what choices are made on.
    counted, before : list of Activity
        With the activations pruned, and without.
    """

    model: Any
    rates: Mapping[str, float]
    metric: float
    counted: list[Activity]
    before: list[Activity]

    @property
    def saved(self) -> float:
        """Share of all multiplications in which weight or activation is 0."""
        return computation_saved(self.counted)


def rectified(model: Any) -> list[str]:
    """Name the layers with weights whose inputs are activations of a ReLU, pooled or not: never negative."""
    found, positive = [], False
    weighted = {layer.name for layer in prunable(model)}
    for layer in chain_of(model):
        if layer.name in weighted and positive:
            found.append(layer.name)
        kind = type(layer).__name__
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if kind in ("ReLU",) or activation in ("relu", "relu6"):
            positive = True
        elif not (kind.endswith(("Pooling1D", "Pooling2D")) or kind in ("Flatten", "Dropout")):
            positive = False
    return found


def thresholds_for(model: Any, inputs: NDArray[np.floating], rates: Mapping[str, float]) -> dict[str, float]:
    """Find the thresholds above which a share of the activations of each layer lies.

    Parameters
    ----------
    model : keras.Model
    inputs : ndarray, shape (items, ...)
        Of the training part.
    rates : mapping of float
        Share of winners by name of the layer that takes the activations, above 0 and at most 1.

    Returns
    -------
    dict of float
        Those of 0 left out: there the ReLU leaves fewer than the winners by itself.

    Raises
    ------
    ParameterError
        If a rate is outside its range.
    """
    wrong = [rate for rate in rates.values() if not 0.0 < rate <= 1.0]
    if wrong:
        raise ParameterError(f"a winner rate of {wrong[0]:g} was given; above 0, at most 1 is wanted")
    names = [layer.name for layer in prunable(model)]
    chunks = list(inputs_of_layers(model, inputs))
    seen = {name: np.concatenate([chunk[names.index(name)].ravel() for chunk in chunks]) for name in rates}
    found = {name: float(np.quantile(values, 1.0 - rates[name])) for name, values in seen.items()}
    return {name: level for name, level in found.items() if level > _SMALLEST}


def with_thresholds(model: Any, thresholds: Mapping[str, float]) -> Any:
    """Build the model whose activations count only where they are above a threshold.

    Parameters
    ----------
    model : keras.Model
        A chain.
    thresholds : mapping of float
        By name of the layer that takes the activations.

    Returns
    -------
    keras.Sequential
        Compiled with the same loss; ``x * (x > t)`` stands before each of these layers, as a ReLU with a threshold,
        so that it loads without any code of ours.
    """
    import keras

    made = [keras.layers.Input(model.input_shape[1:])]
    for layer in chain_of(model):
        if layer.name in thresholds:
            made.append(keras.layers.ReLU(threshold=thresholds[layer.name], name=f"{layer.name}_winners"))
        made.append(type(layer).from_config(layer.get_config()))
    built = keras.Sequential(made, name=model.name)
    built.set_weights(model.get_weights())
    built.compile(optimizer="adam", loss=model.loss)
    return built


def prune_activations(
    model: Any,
    lesson: Lesson,
    *,
    worst: float,
    gauge: Gauge,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    judged: NDArray[np.floating],
    rates: Sequence[float] = RATES,
) -> Integral:
    """Prune the activations of a model whose weights are pruned, as far as the metric holds.

    Parameters
    ----------
    model : keras.Model
        A chain, compiled with its loss; it is not changed.
    lesson : Lesson
        What it learned from; thresholds come from its inputs.
    worst : float
        Metric that must be kept.
    gauge : Gauge
        The metric on the validation part.
    recipe : Recipe
        Its fine-tuning is spent with the thresholds in place, what is 0 of the weights staying 0.
    seed : int
    progress : callable
    judged : ndarray, shape (items, ...)
        Inputs over which multiplications are counted; nothing is chosen by them.
    rates : sequence of float
        Winner rates to try, rising.

    Returns
    -------
    Integral

    Notes
    -----
    Each layer alone is given the smallest rate that, without training, costs no more than what may be lost. All of
    them together, fine-tuned, then lose more or less than that; where it is more, the rates rise by a quarter, up to
    six times, and then no activation is pruned.

    References
    ----------
    .. [1] Q. Yang et al., Joint regularization on activations and weights for efficient neural network pruning, 2019,
       on which Integral Pruning rests: weights first, then winners of each layer.
    """
    chosen = {
        name: _smallest_rate(model, lesson, name, worst=worst, gauge=gauge, rates=rates) for name in rectified(model)
    }
    progress("winner rates alone: " + ", ".join(f"{name} {rate:g}" for name, rate in chosen.items()))
    before = activity(model, judged)
    for _ in range(_ATTEMPTS):
        masked = with_thresholds(model, thresholds_for(model, lesson.inputs, chosen))
        tuned = fine_tune(masked, lesson, recipe=recipe, seed=seed, progress=progress, gauge=gauge)
        metric = gauge.score(tuned)
        progress(f"winner rates {min(chosen.values()):.3f} to {max(chosen.values()):.3f}: metric {metric:.5g}")
        if not gauge.better(worst, metric):
            return Integral(tuned, chosen, metric, activity(tuned, judged), before)
        chosen = {name: min(1.25 * rate, 1.0) for name, rate in chosen.items()}
    return Integral(model, {}, gauge.score(model), before, before)


def _smallest_rate(
    model: Any, lesson: Lesson, name: str, *, worst: float, gauge: Gauge, rates: Sequence[float]
) -> float:
    """Scan one layer alone."""
    for rate in rates:
        tried = with_thresholds(model, thresholds_for(model, lesson.inputs, {name: rate}))
        if not gauge.better(worst, gauge.score(tried)):
            return rate
    return 1.0
