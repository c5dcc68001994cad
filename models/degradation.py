"""When a health indicator that has begun to grow reaches a limit, with an interval; refuses to say so without growth.

The logarithm of the indicator is a Wiener process with drift since the onset: growth is exponential, and what is not
growth wanders. The drift is known as well as the data tell, so the time to the limit is the first passage of a process
whose drift is normal; its distribution is known in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from features.errors import ParameterError

__all__ = ["FEWEST", "Growth", "Passage", "first_passage", "growth_of", "passage_of"]

Floats = NDArray[np.floating]

# Levels from the onset on without which no growth is told from wandering.
FEWEST = 6
# Fixed before anything was measured: deviations above the healthy levels, levels in a row there, and how sure growth
# has to be.
_SIGMAS, _IN_A_ROW, _SURE = 3.0, 3, 0.95
# Levels differ by at least this factor's logarithm (2 %): fewer are not told apart from rounding.
_FINEST = 0.02
_TAIL = 0.05


@dataclass(frozen=True, slots=True)
class Growth:
    """How an indicator has grown since its onset.

    Attributes
    ----------
    onset : int
        Row at which growth begins.
    rate : float
        Drift of the natural logarithm per second.
    rate_error : float
        Standard deviation of the drift.
    wander : float
        Variance of the logarithm per second.
    level : float
        Natural logarithm of the indicator now.
    """

    onset: int
    rate: float
    rate_error: float
    wander: float
    level: float

    @property
    def sure(self) -> float:
        """Probability that it grows at all."""
        return float(special.ndtr(self.rate / self.rate_error)) if self.rate_error > 0.0 else float(self.rate > 0.0)


@dataclass(frozen=True, slots=True)
class Passage:
    """When the limit is reached, in seconds from now.

    Attributes
    ----------
    early_s, likely_s : float
        By then it is reached with a probability of 5 % and of one half.
    late_s : float
        The same with 95 %; infinite where it may well never be.
    """

    early_s: float
    likely_s: float
    late_s: float


def growth_of(values: ArrayLike, times_s: ArrayLike, *, healthy: int) -> Growth | None:
    """Find when an indicator began to grow, and how fast it has since.

    Parameters
    ----------
    values : array_like, shape (rows,)
        Positive levels, such as medians over equal spans.
    times_s : array_like, shape (rows,)
        Rising.
    healthy : int
        First rows that are healthy, at least 3.

    Returns
    -------
    Growth or None
        None where the latest levels are not above the healthy ones, there are fewer than `FEWEST` since they are, or
        growth is less sure than 95 %.

    Raises
    ------
    ParameterError
        If values are not positive, times do not rise, or shapes differ.

    Notes
    -----
    The onset is the row before the last unbroken run, up to now, of levels more than three standard deviations (of the
    healthy levels' logarithms, robustly) above their median. Drift m = (x_n - x_0) / T and variance
    s2 = sum((dx - m dt)^2 / dt) / (n - 1) are those of maximum likelihood for a Wiener process, the latter without its
    bias; the drift's own variance is s2 / T. Source: Gebraeel et al., IIE Transactions 37 (2005) 543, exponential
    growth with Brownian error, with a flat prior.

    Examples
    --------
    >>> values = [1.0, 1.01, 0.99, 1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 4.0]
    >>> growth = growth_of(values, range(11), healthy=4)
    >>> growth.onset, round(growth.rate, 3)
    (3, 0.198)
    """
    levels, times = _checked(values, times_s)
    if healthy < _IN_A_ROW:
        raise ParameterError(f"{healthy} healthy rows were given; at least {_IN_A_ROW} are wanted")
    if len(levels) < healthy + _IN_A_ROW:
        return None
    start = levels[:healthy]
    middle = float(np.median(start))
    spread = max(1.4826 * float(np.median(np.abs(start - middle))), _FINEST / 2.0)
    below = np.flatnonzero(levels <= middle + _SIGMAS * spread)
    onset = int(below[-1]) if below.size else healthy - 1
    if len(levels) - 1 - onset < _IN_A_ROW or len(levels) - onset < FEWEST:
        return None
    x, t = levels[onset:], times[onset:]
    steps, spans = np.diff(x), np.diff(t)
    whole = float(t[-1] - t[0])
    rate = float(x[-1] - x[0]) / whole
    wander = float(np.sum(np.square(steps - rate * spans) / spans) / (len(steps) - 1))
    growth = Growth(onset, rate, math.sqrt(wander / whole), wander, float(x[-1]))
    return growth if growth.sure >= _SURE and rate > 0.0 else None


def passage_of(growth: Growth, *, limit: float) -> Passage:
    """Say when a limit is reached: at once where the level is at it already.

    Parameters
    ----------
    growth : Growth
    limit : float
        Of the indicator, positive.

    Raises
    ------
    ParameterError
        If the limit is not positive.

    Examples
    --------
    >>> steady = Growth(onset=0, rate=0.01, rate_error=0.0, wander=1e-9, level=0.0)
    >>> round(passage_of(steady, limit=2.0).likely_s, 1)
    69.3
    """
    if not (limit > 0.0 and math.isfinite(limit)):
        raise ParameterError(f"a limit of {limit} is none; a positive one is wanted")
    way = math.log(limit) - growth.level
    if way <= 0.0:
        return Passage(0.0, 0.0, 0.0)
    return Passage(*(_quantile(growth, way, share) for share in (_TAIL, 0.5, 1.0 - _TAIL)))


def first_passage(time_s: ArrayLike, *, way: float, rate: float, rate_error: float, wander: float) -> Floats:
    """Probability that a Wiener process whose drift is normal has gone a way by a time.

    Parameters
    ----------
    time_s : array_like
        Positive.
    way : float
        Positive.
    rate, rate_error : float
        Mean and standard deviation of the drift per second.
    wander : float
        Variance per second, positive.

    Returns
    -------
    ndarray
        Of the shape of `time_s`; below 1 for ever where the drift may be negative.

    Notes
    -----
    With a known drift m the time is inverse Gaussian: F = Phi((m t - w) / (s sqrt t)) +
    exp(2 m w / s^2) Phi(-(m t + w) / (s sqrt t)). Its mean over m ~ N(mu, e^2) is
    Phi((mu t - w) / r) + exp(2 mu w / s^2 + 2 e^2 w^2 / s^4) Phi(-(mu t + w + 2 e^2 w t / s^2) / r) with
    r = sqrt(e^2 t^2 + s^2 t). Source: Si et al., Mech. Syst. Signal Process. 35 (2013) 219; derived again by completing
    the square. Computed by logarithms, since the exponential overflows where the other factor vanishes.
    """
    t = np.asarray(time_s, dtype=float)
    e2, s2 = rate_error**2, wander
    r = np.sqrt(e2 * t**2 + s2 * t)
    direct = special.ndtr((rate * t - way) / r)
    exponent = 2.0 * rate * way / s2 + 2.0 * e2 * way**2 / s2**2
    reflected = np.exp(exponent + special.log_ndtr(-(rate * t + way + 2.0 * e2 * way * t / s2) / r))
    return np.asarray(np.clip(direct + reflected, 0.0, 1.0))


def _quantile(growth: Growth, way: float, share: float) -> float:
    """Time by which the way is gone with a probability; infinite where it never is."""
    wander = max(growth.wander, 1e-12 * growth.rate * way)

    def missing(log_t: float) -> float:
        found = first_passage(math.exp(log_t), way=way, rate=growth.rate, rate_error=growth.rate_error, wander=wander)
        return float(found) - share

    middle = math.log(way / growth.rate)
    low, high = middle - 25.0, middle + 12.0
    if missing(high) < 0.0:
        return math.inf
    return math.exp(float(optimize.brentq(missing, low, high, xtol=1e-6)))


def _checked(values: ArrayLike, times_s: ArrayLike) -> tuple[Floats, Floats]:
    found, times = np.asarray(values, dtype=float), np.asarray(times_s, dtype=float)
    if found.ndim != 1 or found.shape != times.shape:
        raise ParameterError(f"values of shape {found.shape} were given with times of shape {times.shape}")
    if not (np.isfinite(found).all() and (found > 0.0).all()):
        raise ParameterError("a value is not positive; levels such as RMS or a score over its threshold are wanted")
    if not (np.diff(times) > 0.0).all():
        raise ParameterError("times do not rise; rows in time order are wanted, each once")
    return np.log(found), times
