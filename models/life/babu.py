"""The convolutional regression of Babu, Zhao and Li on windows of 15 cycles; refuses to learn from no units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.life.metrics import Estimates
from models.life.protocol import CAP, Normaliser, Unit, targets, windows
from models.life.training import descend, seeded, squared_error

__all__ = ["PUBLISHED_RMSE", "BabuNetwork", "learn_babu"]

PUBLISHED_RMSE = {"FD001": 18.45, "FD002": 30.29, "FD003": 19.82, "FD004": 29.16}
_WINDOW = 15
_STEPS, _RATE = 2000, 2e-3
_HISTORY_SCALE = 100.0


@dataclass(frozen=True, eq=False)
class BabuNetwork:
    """A learned network with all it needs to read a history.

    Attributes
    ----------
    normaliser : Normaliser
    model : keras.Model
        From windows of 15 cycles to remaining life in units of ``CAP``.
    """

    normaliser: Normaliser
    model: Any

    def inputs(self, histories: Sequence[Unit]) -> NDArray[np.float32]:
        """What the network sees of the last rows, shape (units, 15, features)."""
        return np.stack([windows(_features(self.normaliser, u)[-_WINDOW:], _WINDOW)[-1] for u in histories])

    def __call__(self, histories: Sequence[Unit]) -> Estimates:
        """Estimate at the last rows, without intervals."""
        return Estimates(np.clip(CAP * np.asarray(self.model(self.inputs(histories)))[:, 0], 0.0, CAP))


def learn_babu(units: Sequence[Unit], *, seed: int, steps: int = _STEPS) -> BabuNetwork:
    """Learn the network from run-to-failure histories.

    Convolution of 8 filters over all features and 4 cycles, average pooling by 2, convolution of 14 filters over 3
    cycles, average pooling by 2, one linear output; squared error.

    Parameters
    ----------
    units : sequence of Unit
    seed : int
    steps : int
        Batches.

    Returns
    -------
    BabuNetwork
        From histories to estimates at their last rows, without intervals.

    Raises
    ------
    ParameterError
        If there are no units.

    Notes
    -----
    Source: G. S. Babu, P. Zhao, X.-L. Li, "Deep convolutional neural network based regression approach for estimation
    of remaining useful life", DASFAA 2016. Its errors are as a public transcript of table III of Ragab and others
    (arXiv:2007.09868, 2020) quotes them; another public table has 29.10 for FD004. Its 27 rows are here the sensors
    that vary and, where there are several operating conditions, the cycles spent so far in each. Not taken from the
    paper, so that they may differ from it: hyperbolic tangents after the convolutions, Adam at a rate of 0.002 that
    falls to 0 over 2,000 batches of 256 rows, deviations from the mean of the operating condition, and the protocol's
    cap of 125 cycles.
    """
    normaliser = Normaliser.learn(units)
    rows = np.concatenate([windows(_features(normaliser, unit), _WINDOW) for unit in units])
    model = _network(rows.shape[2], seed)
    wanted = np.concatenate([targets(unit) for unit in units]).astype(np.float32) / np.float32(CAP)
    descend(model, rows, wanted, loss=squared_error, steps=steps, rate=_RATE, seed=seed)
    return BabuNetwork(normaliser, model)


def _features(normaliser: Normaliser, unit: Unit) -> NDArray[np.float32]:
    """Sensors and, with more than one condition, cycles spent so far in each, in hundreds."""
    sensors = normaliser.apply(unit)
    count = len(normaliser.settings)
    if count == 1:
        return sensors
    spent = np.cumsum(np.eye(count, dtype=np.float32)[normaliser.conditions(unit)], axis=0)
    return np.concatenate([sensors, spent / np.float32(_HISTORY_SCALE)], axis=1)


def _network(features: int, seed: int) -> Any:
    keras = seeded(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((_WINDOW, features)),
            layers.Conv1D(8, 4, activation="tanh"),
            layers.AveragePooling1D(2),
            layers.Conv1D(14, 3, activation="tanh"),
            layers.AveragePooling1D(2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
