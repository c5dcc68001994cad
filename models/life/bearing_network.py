"""A small network from causal inputs to quantiles of a bearing's remaining life; refuses unknown inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.life.bearing_history import BearingHistory, causal_inputs, moments
from models.life.training import descend, seeded

__all__ = ["LEVELS", "BearingNetwork", "Networks", "Recipe", "pinball", "training_rows"]

# The outer two are the raw 90 % interval; one of the others is the estimate, chosen by who trains.
LEVELS = (0.05, 0.3, 0.4, 0.5, 0.95)
# Every 2 % of a life: bearings count the same, whatever they lasted.
_SHARES = np.arange(0.05, 0.99, 0.02)
# A node that is told of half a minute or of none does the same.
_SHORTEST_S = 30.0
_HIDDEN, _STEPS, _RATE = 16, 400, 5e-3
_LEAST_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network learns.

    Attributes
    ----------
    inputs : tuple of str
        Of ``bearing_history.INPUTS``.
    noise : float
        Deviation of the noise on the standardised inputs while learning.
    stretch : float
        By how much training lives are made slower and faster, at least 1: the ages of five lives would else be learned
        by heart, while lives of equal bearings under equal load are known to differ tenfold.
    """

    inputs: tuple[str, ...]
    noise: float
    stretch: float


def training_rows(
    bearings: Sequence[BearingHistory], *, inputs: tuple[str, ...], stretch: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs at many moments of each life, also of lives stretched in time, and what is to be learned.

    Parameters
    ----------
    bearings : sequence of BearingHistory
    inputs : tuple of str
        Of ``bearing_history.INPUTS``; only ``age`` changes with the stretch.
    stretch : float
        Largest factor; lives are taken as they are, and slower and faster by it and by its root.

    Returns
    -------
    inputs : ndarray, shape (rows, inputs)
    wanted : ndarray, shape (rows,)
        Natural logarithm of the remaining seconds, at least 30.
    """
    rows, wanted = [], []
    for bearing in bearings:
        at = moments(bearing, _SHARES)
        plain = causal_inputs(bearing, inputs)[at]
        for factor in stretch ** np.linspace(-1.0, 1.0, 5):
            moved = np.log(factor) * np.array([name == "age" for name in inputs])
            rows.append(plain + moved)
            wanted.append(np.log(np.maximum(factor * bearing.rul_s[at], _SHORTEST_S)))
    return np.concatenate(rows), np.concatenate(wanted)


def pinball(quantiles: NDArray[np.floating], truths: NDArray[np.floating]) -> float:
    """Mean pinball loss of all ``LEVELS``.

    Parameters
    ----------
    quantiles : ndarray, shape (rows, levels)
    truths : ndarray, shape (rows,)

    Examples
    --------
    >>> round(pinball(np.zeros((1, 5)), np.array([1.0])), 6) == round(sum(LEVELS) / 5, 6)
    True
    """
    over, levels = truths[:, None] - quantiles, np.array(LEVELS)
    return float(np.maximum(levels * over, (levels - 1.0) * over).mean())


@dataclass(frozen=True, eq=False)
class BearingNetwork:
    """A learned network with all it needs to read a history.

    Attributes
    ----------
    inputs : tuple of str
    centre, spread : ndarray, shape (inputs,)
        Of the training rows.
    middle : float
        Mean of what was learned, added to the outputs.
    model : keras.Model
        From standardised inputs to the quantiles of ``LEVELS``.
    """

    inputs: tuple[str, ...]
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    middle: float
    model: Any

    @classmethod
    def learn(
        cls, bearings: Sequence[BearingHistory], *, recipe: Recipe, seed: int, steps: int = _STEPS
    ) -> BearingNetwork:
        """Learn from run-to-failure histories.

        Parameters
        ----------
        bearings : sequence of BearingHistory
            At least one.
        recipe : Recipe
        seed : int
        steps : int
            Batches.
        """
        given = training_rows(bearings, inputs=recipe.inputs, stretch=recipe.stretch)
        rows, wanted = (values.astype(np.float32) for values in given)
        centre, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), _LEAST_SPREAD)
        middle = float(wanted.mean())
        model = _network(len(recipe.inputs), noise=recipe.noise, seed=seed)
        descend(model, (rows - centre) / spread, wanted - middle, loss=_loss, steps=steps, rate=_RATE, seed=seed)
        return cls(recipe.inputs, centre, spread, middle, model)

    def scaled(self, history: BearingHistory, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """What the model is given at these rows, shape (rows, inputs)."""
        values = causal_inputs(history, self.inputs)[rows].astype(np.float32)
        return np.asarray((values - self.centre) / self.spread)

    def __call__(self, history: BearingHistory, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Quantiles of the logarithm of the remaining seconds at these rows, rising, shape (rows, levels)."""
        outputs = np.asarray(self.model(self.scaled(history, rows)), dtype=np.float64)
        return np.sort(outputs + self.middle, axis=1)


@dataclass(frozen=True, eq=False)
class Networks:
    """Networks already learned: two bearings left out one after the other leave the same others in either order.

    Attributes
    ----------
    steps : int
        Batches of each network.
    """

    steps: int = _STEPS
    _learned: dict[Any, BearingNetwork] = field(default_factory=dict, repr=False)

    def learn(self, bearings: Sequence[BearingHistory], *, recipe: Recipe, seed: int) -> BearingNetwork:
        """Learn a network, or give the one that was learned from the same bearings in the same way."""
        key = (frozenset(bearings), recipe, seed)
        if key not in self._learned:
            self._learned[key] = BearingNetwork.learn(bearings, recipe=recipe, seed=seed, steps=self.steps)
        return self._learned[key]

    def __len__(self) -> int:
        return len(self._learned)


def _network(inputs: int, *, noise: float, seed: int) -> Any:
    keras = seeded(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((inputs,)),
            layers.GaussianNoise(noise),
            layers.Dense(_HIDDEN, activation="tanh"),
            layers.Dense(_HIDDEN, activation="tanh"),
            layers.Dense(len(LEVELS)),
        ]
    )


def _loss(outputs: Any, wanted: Any) -> Any:
    import tensorflow as tf

    over, levels = wanted[:, None] - outputs, tf.constant(LEVELS)
    return tf.reduce_mean(tf.maximum(levels * over, (levels - 1.0) * over))
