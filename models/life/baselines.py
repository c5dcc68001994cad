"""Ridge, random forest and gradient boosting on window statistics, the yardstick of every network of remaining life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.life.metrics import Estimates
from models.life.ours import running_means
from models.life.protocol import CAP, Normaliser, Unit, targets, windows

__all__ = ["BASELINES", "ON_OUR_MEANS", "StatisticsRegressor", "learn_baseline", "statistics"]

ON_OUR_MEANS = "boosting on our means"
BASELINES = ("ridge", "forest", "boosting", ON_OUR_MEANS)
_WINDOW = 30


def statistics(values: NDArray[np.floating], *, length: int) -> NDArray[np.float64]:
    """Last value, mean and slope of each sensor over the window that ends at each row.

    Parameters
    ----------
    values : ndarray, shape (cycles, k)
    length : int
        Rows of a window, at least 2.

    Returns
    -------
    ndarray, shape (cycles, 3 k)
        The slope is that of the least-squares line, in units of a value over a cycle.

    Raises
    ------
    ParameterError
        If `length` is below 2.

    Examples
    --------
    >>> statistics(np.array([[0.0], [2.0], [4.0]]), length=3)[-1]
    array([4., 2., 2.])
    """
    if length < 2:
        raise ParameterError(f"statistics over {length} rows were asked for; a slope wants at least 2")
    cut = windows(values, length).astype(float)
    time = np.arange(length) - (length - 1) / 2
    slope = np.einsum("t,ntk->nk", time / np.square(time).sum(), cut)
    return np.concatenate([cut[:, -1], cut.mean(axis=1), slope], axis=1)


@dataclass(frozen=True, eq=False)
class StatisticsRegressor:
    """A learned regressor with all it needs to read a history.

    Attributes
    ----------
    normaliser : Normaliser
    regressor : object
        With ``predict``, from what it sees of a row to remaining cycles.
    length : int or None
        Rows of a window of `statistics`; None for one that sees `models.life.ours.running_means`.
    """

    normaliser: Normaliser
    regressor: Any
    length: int | None

    def seen(self, unit: Unit) -> NDArray[np.floating]:
        """What it sees of each row, shape (cycles, inputs)."""
        values = self.normaliser.apply(unit)
        return running_means(values) if self.length is None else statistics(values, length=self.length)

    def __call__(self, histories: Sequence[Unit]) -> Estimates:
        """Estimate at the last rows, without intervals."""
        last = np.stack([self.seen(unit)[-1] for unit in histories])
        return Estimates(np.clip(self.regressor.predict(last), 0.0, CAP))


def learn_baseline(name: str, units: Sequence[Unit], *, seed: int, length: int = _WINDOW) -> StatisticsRegressor:
    """Learn one of ``BASELINES`` from run-to-failure histories.

    ``ON_OUR_MEANS`` sees what `models.life.ours` sees, so that inputs and network are told apart; the others see
    `statistics`.

    Parameters
    ----------
    name : str
    units : sequence of Unit
    seed : int
        Of the forest and of the boosting; ridge has no chance in it.
    length : int
        Rows of a window of `statistics`.

    Returns
    -------
    StatisticsRegressor
        From histories to estimates at their last rows, without intervals.

    Raises
    ------
    ParameterError
        If the name is unknown or there are no units.
    """
    regressor = _regressor(name, seed)
    learned = StatisticsRegressor(Normaliser.learn(units), regressor, None if name == ON_OUR_MEANS else length)
    rows = np.concatenate([learned.seen(unit) for unit in units])
    regressor.fit(rows, np.concatenate([targets(unit) for unit in units]))
    return learned


def _regressor(name: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import Ridge

    if name == "ridge":
        return Ridge(alpha=1.0)
    if name == "forest":
        return RandomForestRegressor(
            n_estimators=100, min_samples_leaf=10, max_features=1 / 3, max_samples=0.3, random_state=seed
        )
    if name in ("boosting", ON_OUR_MEANS):
        return HistGradientBoostingRegressor(
            learning_rate=0.05, max_iter=200, min_samples_leaf=50, early_stopping=False, random_state=seed
        )
    raise ParameterError(f"a baseline {name!r} was asked for; known are {', '.join(BASELINES)}")
