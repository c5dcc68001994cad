"""Remaining life with a 90 % interval from a small network over running means; refuses too few units to calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import ParameterError
from models.life.metrics import Estimates
from models.life.protocol import CAP, Normaliser, Unit, held_out, targets, truncated
from models.life.training import descend, seeded

__all__ = [
    "FEWEST_UNITS",
    "CalibratedLife",
    "LifeNetwork",
    "calibrated",
    "in_cycles",
    "learn_ours",
    "running_means",
]

FEWEST_UNITS = 8
_SPANS = (5, 15, 40, 100)
_CHANGE = 60
_EARLY = 20
_LIMIT = 5.0
_AGE_SCALE = 200.0
_HIDDEN, _DROPPED, _NOISE = 64, 0.05, 0.1
_STEPS, _RATE = 2400, 2e-3
_FOLDS = 4
_CUTS, _SHORTEST = 10, 20
_SHARE = 0.9
_TAIL = 0.05
# Above it a healthy engine is taken for one at the cap, whose errors are of another kind than those of a worn one.
_HEALTHY = 0.8 * CAP
_PINBALL_WEIGHT = 0.2


def running_means(values: NDArray[np.floating], *, spans: Sequence[int] = _SPANS) -> NDArray[np.float32]:
    """Means of each sensor over the last cycles and over the first twenty, its latest change, and the age.

    Parameters
    ----------
    values : ndarray, shape (cycles, k)
        Deviations from the mean of the operating condition; cut to -5 to 5.
    spans : sequence of int
        Cycles of each mean; a history that is shorter is averaged whole.

    Returns
    -------
    ndarray of float32, shape (cycles, k (spans + 2) + 1)
        The change is the mean over the last thirty cycles less that over the thirty before them, 0 before there are
        any. The age is in units of 200 cycles.

    Examples
    --------
    >>> running_means(np.array([[0.0], [2.0], [4.0]]), spans=[2])[:, 0]
    array([0., 1., 3.], dtype=float32)
    """
    limited = np.clip(values, -_LIMIT, _LIMIT)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(limited, axis=0, dtype=float)])
    end = np.arange(1, len(values) + 1)

    def mean(first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray((sums[last] - sums[first]) / np.maximum(last - first, 1)[:, None])

    parts = [mean(np.maximum(end - span, 0), end) for span in spans]
    middle = np.maximum(end - _CHANGE // 2, 0)
    change = mean(middle, end) - mean(np.maximum(end - _CHANGE, 0), middle)
    parts.append(np.where(middle[:, None] > 0, change, 0.0))
    parts += [mean(np.zeros_like(end), np.minimum(end, _EARLY)), end[:, None] / _AGE_SCALE]
    return np.concatenate(parts, axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class LifeNetwork:
    """A learned network with all it needs to read a history.

    Attributes
    ----------
    normaliser : Normaliser
    centre, spread : ndarray, shape (inputs,)
        Of the running means over the training rows.
    model : keras.Model
        From inputs to estimate, 5 % and 95 % quantile, in units of ``CAP``.
    """

    normaliser: Normaliser
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    model: Any

    @classmethod
    def learn(cls, units: Sequence[Unit], *, seed: int, steps: int = _STEPS) -> LifeNetwork:
        """Learn from run-to-failure histories."""
        normaliser = Normaliser.learn(units)
        rows = np.concatenate([running_means(normaliser.apply(unit)) for unit in units])
        centre, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
        model = _network(rows.shape[1], seed)
        wanted = np.concatenate([targets(unit) for unit in units]).astype(np.float32) / np.float32(CAP)
        descend(model, (rows - centre) / spread, wanted, loss=_loss, steps=steps, rate=_RATE, seed=seed)
        return cls(normaliser, centre, spread, model)

    def __call__(self, histories: Sequence[Unit]) -> NDArray[np.float64]:
        """Estimate, 5 % and 95 % quantile at the last rows, in cycles, shape (units, 3)."""
        return in_cycles(self.model(self.inputs(histories)))

    def inputs(self, histories: Sequence[Unit]) -> NDArray[np.float32]:
        """Scale what the network sees of the last rows, shape (units, inputs)."""
        last = np.stack([running_means(self.normaliser.apply(unit))[-1] for unit in histories])
        return np.asarray((last - self.centre) / self.spread, dtype=np.float32)


def in_cycles(outputs: ArrayLike) -> NDArray[np.float64]:
    """Turn outputs of the network into cycles, the estimate within 0 to ``CAP``; shape (units, 3) as given.

    Examples
    --------
    >>> in_cycles([[1.2, 0.8, 1.0]]).tolist()
    [[125.0, 100.0, 125.0]]
    """
    cycles = CAP * np.asarray(outputs, dtype=float)
    cycles[:, 0] = np.clip(cycles[:, 0], 0.0, CAP)
    return cycles


@dataclass(frozen=True, eq=False)
class CalibratedLife:
    """A learned network with intervals that held for units it had not seen.

    Attributes
    ----------
    network : LifeNetwork
    below, above : float
        By how many cycles the quantiles are widened, for estimates up to 100 cycles and above.
    """

    network: LifeNetwork
    below: float
    above: float

    def inputs(self, histories: Sequence[Unit]) -> NDArray[np.float32]:
        """What the network sees of the last rows, shape (units, inputs)."""
        return self.network.inputs(histories)

    def __call__(self, histories: Sequence[Unit]) -> Estimates:
        """Estimate at the last rows with 90 % intervals, all from 0 to ``CAP``."""
        left, low, high = self.network(histories).T
        by = np.where(left > _HEALTHY, self.above, self.below)
        low, high = np.minimum(low - by, left), np.maximum(high + by, left)
        return Estimates(left, np.clip(low, 0.0, CAP), np.clip(high, 0.0, CAP))


def calibrated(estimates: NDArray[np.floating], truths: NDArray[np.floating]) -> float:
    """By how much intervals are to be widened on both sides to hold 90 % of further truths (conformal quantiles).

    Parameters
    ----------
    estimates : ndarray, shape (n, 3)
        Estimate, low and high quantile of units that were not learned from.
    truths : ndarray, shape (n,)

    Returns
    -------
    float
        In cycles; negative where the intervals were too wide, infinite where there are too few truths to say.

    Notes
    -----
    Source: Y. Romano, E. Patterson, E. Candès, "Conformalized quantile regression", NeurIPS 2019.

    Examples
    --------
    >>> calibrated(np.tile([5.0, 4.0, 6.0], (9, 1)), np.arange(1.0, 10.0))
    3.0
    """
    outside = np.maximum(estimates[:, 1] - truths, truths - estimates[:, 2])
    rank = int(np.ceil((len(truths) + 1) * _SHARE))
    return float(np.sort(outside)[rank - 1]) if rank <= len(truths) else float("inf")


def learn_ours(units: Sequence[Unit], *, seed: int, steps: int = _STEPS) -> CalibratedLife:
    """Learn the network from all units, and its intervals from networks that had not seen the unit they are judged on.

    Parameters
    ----------
    units : sequence of Unit
        Run-to-failure histories, at least ``FEWEST_UNITS``.
    seed : int
    steps : int
        Batches of each network; the default was chosen on training units held out.

    Returns
    -------
    CalibratedLife
        From histories to estimates at their last rows with 90 % intervals, all from 0 to ``CAP``.

    Raises
    ------
    ParameterError
        If there are fewer units than ``FEWEST_UNITS``.

    Notes
    -----
    Units are dealt to four folds; each is cut at ten random cycles and estimated by a network learned on the other
    three folds. The intervals are widened by the conformal quantile of those errors, apart for estimates above and
    below 100 cycles, and cut to 0 to ``CAP``.
    """
    if len(units) < FEWEST_UNITS:
        raise ParameterError(f"{len(units)} units were given; at least {FEWEST_UNITS} are wanted for the intervals")
    estimates, truths = _unseen(units, seed=seed, steps=steps)
    healthy = estimates[:, 0] > _HEALTHY
    everywhere = calibrated(estimates, truths)
    widen = [calibrated(estimates[part], truths[part]) for part in (~healthy, healthy)]
    below, above = (by if np.isfinite(by) else everywhere for by in widen)
    return CalibratedLife(LifeNetwork.learn(units, seed=seed, steps=steps), below, above)


def _unseen(units: Sequence[Unit], *, seed: int, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimates of cut histories by networks that did not learn from their unit, and the truths."""
    estimates, truths = [], []
    for k, (inside, outside) in enumerate(held_out(units, folds=_FOLDS, seed=seed)):
        network = LifeNetwork.learn(inside, seed=seed + 1 + k, steps=steps)
        cut = truncated(outside, cuts=_CUTS, shortest=_SHORTEST, seed=seed + k)
        estimates.append(network(cut))
        truths.append(np.array([min(float(unit.left), CAP) for unit in cut]))
    return np.concatenate(estimates), np.concatenate(truths)


def _network(inputs: int, seed: int) -> Any:
    keras = seeded(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((inputs,)),
            layers.GaussianNoise(_NOISE),
            layers.Dense(_HIDDEN, activation="relu"),
            layers.Dropout(_DROPPED),
            layers.Dense(_HIDDEN, activation="relu"),
            layers.Dropout(_DROPPED),
            layers.Dense(3),
        ]
    )


def _loss(outputs: Any, wanted: Any) -> Any:
    """Squared error of the estimate and pinball losses of the quantiles."""
    import tensorflow as tf

    over = wanted[:, None] - outputs[:, 1:]
    level = tf.constant([_TAIL, 1.0 - _TAIL])
    pinball = tf.maximum(level * over, (level - 1.0) * over)
    return tf.reduce_mean(tf.square(wanted - outputs[:, 0])) + _PINBALL_WEIGHT * tf.reduce_mean(pinball)
