"""Yardsticks of a bearing's remaining life: mean life, a trend run on to failure, a forest; refuse too few bearings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from features.errors import ParameterError
from models.life.bearing_figures import LifeEstimates
from models.life.bearing_history import INDICATORS, BearingHistory, trailing_means

__all__ = ["FEWEST_BEARINGS", "LifeEstimator", "MeanLife", "Trend", "learn_mean_life", "learn_trend", "onset"]

LifeEstimator = Callable[[BearingHistory, NDArray[np.intp]], LifeEstimates]

FEWEST_BEARINGS = 3
_TAIL = 0.05
_RMS = INDICATORS.index("rms")
# Fixed before anything was measured.
_SMOOTH_S, _HEALTHY_S, _SIGMAS, _IN_A_ROW = 60.0, 600.0, 3.0, 5
_FEWEST_ROWS = 5
_DRAWS = 400


@dataclass(frozen=True, eq=False)
class MeanLife:
    """A known mean life.

    Attributes
    ----------
    mean_s, half_s : float
        The life, and half the width of the interval of one more.
    """

    mean_s: float
    half_s: float

    def __call__(self, history: BearingHistory, rows: NDArray[np.intp]) -> LifeEstimates:
        """What is left of it at the ages of these rows, at least 0."""
        ends = (self.mean_s, self.mean_s - self.half_s, self.mean_s + self.half_s)
        return LifeEstimates(*(np.maximum(life_s - history.age_s[rows], 0.0) for life_s in ends))


@dataclass(frozen=True, eq=False)
class Trend:
    """A known level of failure, to which the growth of others is run on.

    Attributes
    ----------
    before : MeanLife
        What is said where nothing grows.
    failure : float
        Logarithm of the level over that of the healthy start.
    longest_s : float
        The longest life known.
    seed : int
        Of the draws that the interval is taken from.
    """

    before: MeanLife
    failure: float
    longest_s: float
    seed: int

    def __call__(self, history: BearingHistory, rows: NDArray[np.intp]) -> LifeEstimates:
        """Estimate at these rows, each from the rows up to it."""
        level, plain = _level(history), self.before(history, rows)
        values = np.column_stack([plain.rul_s, plain.low_s, plain.high_s])
        for i, row in enumerate(rows):
            until, age_s = level[: row + 1], history.age_s[: row + 1]
            begun = onset(until, age_s)
            if begun is not None and row + 1 - begun >= _FEWEST_ROWS:
                rng = np.random.default_rng((self.seed, int(row)))
                left = _run_on(until[begun:], age_s[begun:], failure=self.failure, rng=rng)
                if left is not None:
                    values[i] = np.clip(left, 0.0, self.longest_s)
        return LifeEstimates(values[:, 0], values[:, 1], values[:, 2])


def learn_mean_life(bearings: Sequence[BearingHistory]) -> MeanLife:
    """Give the mean life of the training bearings less the age, and the interval of one more such life.

    Parameters
    ----------
    bearings : sequence of BearingHistory
        At least ``FEWEST_BEARINGS``.

    Returns
    -------
    MeanLife
        From a history and rows of it to estimates, at least 0; of the history only the age is used.

    Raises
    ------
    ParameterError
        If there are fewer bearings.

    Notes
    -----
    The interval is Student's prediction interval of a further normal life: mean ± t s sqrt(1 + 1/n).
    """
    lives = _lives(bearings)
    half = float(stats.t.ppf(1.0 - _TAIL, len(lives) - 1) * lives.std(ddof=1) * np.sqrt(1.0 + 1.0 / len(lives)))
    return MeanLife(float(lives.mean()), half)


def learn_trend(bearings: Sequence[BearingHistory], *, seed: int) -> Trend:
    """Run the exponential growth of the RMS level since its onset on to the level at which training bearings failed.

    Parameters
    ----------
    bearings : sequence of BearingHistory
        At least ``FEWEST_BEARINGS``, all to the end of their lives.
    seed : int
        Of the draws that the interval is taken from.

    Returns
    -------
    Trend
        From a history and rows of it to estimates. Before the onset and where the level does not grow it says what
        `learn_mean_life` says; no estimate goes beyond the longest training life.

    Raises
    ------
    ParameterError
        If there are fewer bearings.

    Notes
    -----
    The logarithm of the level, over that of the bearing's first ten minutes, is a line a + b t fitted by least squares
    since the onset; failure is the median of the training bearings' levels in their last minute. The interval holds
    90 % of lives drawn from the normal distribution of a and b that the fit's residuals give; draws that do not grow
    go on for ever.
    """
    before = learn_mean_life(bearings)
    failure = float(np.median([_level(bearing)[-1] for bearing in bearings]))
    return Trend(before, failure, float(_lives(bearings).max()), seed)


def onset(level: NDArray[np.floating], age_s: NDArray[np.floating]) -> int | None:
    """First row after the healthy start from which five levels in a row are three deviations above it, or None.

    Parameters
    ----------
    level : ndarray, shape (rows,)
        Known so far, over the healthy start.
    age_s : ndarray, shape (rows,)

    Examples
    --------
    >>> age_s = 10.0 * np.arange(1, 101)
    >>> onset(np.where(age_s > 800, 1.0, 0.01 * (-1.0) ** np.arange(100)), age_s)
    80
    """
    healthy = age_s <= _HEALTHY_S
    limit = float(level[healthy].mean() + _SIGMAS * level[healthy].std()) if healthy.any() else np.inf
    above = (level > limit) & ~healthy
    if len(above) < _IN_A_ROW:
        return None
    runs = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(above, _IN_A_ROW).all(axis=1))
    return int(runs[0]) if runs.size else None


def _level(history: BearingHistory) -> NDArray[np.float64]:
    """RMS level of the last minute over the mean of the first ten, in natural logarithms."""
    rms = history.indicators[:, _RMS : _RMS + 1]
    start = rms[: max(int(np.searchsorted(history.age_s, _HEALTHY_S, side="right")), 1)].mean()
    return np.asarray(trailing_means(rms, history.age_s, _SMOOTH_S)[:, 0] - start)


def _run_on(
    level: NDArray[np.floating], age_s: NDArray[np.floating], *, failure: float, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Remaining life, its 5 % and 95 % quantile, by the line through the levels; None where it does not grow."""
    since = age_s - age_s[-1]
    fitted, covariance = np.polyfit(since, level, 1, cov=True)
    if not fitted[0] > 0.0:
        return None
    slopes, nows = rng.multivariate_normal(fitted, covariance, size=_DRAWS, method="cholesky").T
    left = np.where(slopes > 0.0, (failure - nows) / np.maximum(slopes, 1e-300), np.inf)
    # An infinite draw is a quantile of its own kind: no value may be interpolated towards it.
    low, high = np.quantile(left, [_TAIL, 1.0 - _TAIL], method="nearest")
    best = float((failure - fitted[1]) / fitted[0])
    return best, min(float(low), best), max(float(high), best)


def _lives(bearings: Sequence[BearingHistory]) -> NDArray[np.float64]:
    if len(bearings) < FEWEST_BEARINGS:
        raise ParameterError(
            f"{len(bearings)} bearings were given to learn from; at least {FEWEST_BEARINGS} are wanted"
        )
    return np.array([bearing.life_s for bearing in bearings])
