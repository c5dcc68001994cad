"""The level that healthy scores pass at a stated rate, beyond those seen; refuses too few scores and absurd rates.

Excesses over a high quantile follow a generalised Pareto distribution, whatever the scores follow (Pickands, Ann.
Statist. 3 (1975) 119-131). Its two parameters come from probability-weighted moments (Hosking and Wallis, Technometrics
29 (1987) 339-349), which hold with a few dozen excesses where the likelihood often has no maximum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["FALSE_ALARM_RATE", "FEWEST_SCORES", "LARGEST_RATE", "Tail", "pareto_by_moments"]

FEWEST_SCORES = 30
# The largest power of ten at which the service's hysteresis raised no false alarm on simulated machines and on FEMTO.
FALSE_ALARM_RATE = 1e-3
# The highest fifth of the scores is taken as the tail; of 30 scores these are 6.
LARGEST_RATE = 0.2
# A bounded tail is never believed: the largest score of a short healthy start is no bound. Beyond a half, moments fail.
_SHAPES = (0.0, 0.5)


def pareto_by_moments(excesses: NDArray[np.floating]) -> tuple[float, float]:
    """Estimate a generalised Pareto distribution from probability-weighted moments.

    Parameters
    ----------
    excesses : ndarray, shape (n,)
        At least two, none below 0, not all alike.

    Returns
    -------
    shape, scale : float
        Of the survival function ``(1 + shape * x / scale) ** (-1 / shape)``; a positive shape is a heavy tail.

    Examples
    --------
    >>> shape, scale = pareto_by_moments(-np.log(np.linspace(0.0005, 0.9995, 1000)))
    >>> abs(shape) < 0.01, abs(scale - 1.0) < 0.01
    (True, True)
    """
    ordered = np.sort(np.asarray(excesses, dtype=np.float64))
    n = ordered.size
    if n < 2 or ordered[0] < 0.0 or not ordered[-1] > ordered[0]:
        raise ParameterError(f"{n} excesses were given; two or more from 0 on, not all alike, are wanted")
    above = (n - 1 - np.arange(n)) / (n - 1)
    mean, weighted = float(ordered.mean()), float((above * ordered).mean())
    ratio = mean / (mean - 2.0 * weighted)
    return 2.0 - ratio, 2.0 * weighted * ratio


@dataclass(frozen=True)
class Tail:
    """The upper tail of healthy scores.

    Attributes
    ----------
    start : float
        Score from which the tail is described.
    share : float
        Share of the scores above it.
    shape, scale : float
        Of the generalised Pareto distribution of the excesses.
    """

    start: float
    share: float
    shape: float
    scale: float

    @classmethod
    def learn(cls, scores: NDArray[np.floating]) -> Tail:
        """Learn from scores of healthy windows that the scorer did not learn from.

        Parameters
        ----------
        scores : ndarray, shape (n,)
            At least ``FEWEST_SCORES``, finite, not all alike.

        Raises
        ------
        ParameterError
            If there are too few, one is not finite, or all are alike.
        """
        ordered = np.sort(np.asarray(scores, dtype=np.float64))
        if ordered.ndim != 1 or ordered.size < FEWEST_SCORES or not np.isfinite(ordered).all():
            raise ParameterError(f"{ordered.size} scores were given; {FEWEST_SCORES} finite ones or more are wanted")
        count = math.ceil(LARGEST_RATE * ordered.size)
        start = float(ordered[-count - 1])
        if not ordered[-1] > start:
            raise ParameterError(
                f"the highest fifth of {ordered.size} scores is {start:g} throughout; scores must vary"
            )
        return cls(start, count / ordered.size, *_believable(ordered[-count:] - start))

    def level(self, rate: float) -> float:
        """Score that a healthy window passes with this probability.

        Parameters
        ----------
        rate : float
            Above 0, at most the share of the tail.

        Raises
        ------
        ParameterError
            If the rate is no such probability.

        Examples
        --------
        >>> round(Tail(start=1.0, share=0.2, shape=0.0, scale=0.5).level(0.002), 3)
        3.303
        """
        if not 0.0 < rate <= self.share:
            raise ParameterError(f"a rate of {rate:g} was asked for; above 0, up to {self.share:g} is wanted")
        decades = math.log(self.share / rate)
        growth = decades if self.shape == 0.0 else math.expm1(self.shape * decades) / self.shape
        return self.start + self.scale * growth

    def rate(self, level: float) -> float:
        """Probability that a healthy window passes a level from ``start`` on; the inverse of `level`."""
        if level < self.start:
            raise ParameterError(f"a level of {level:g} was asked for; {self.start:g} or more is wanted")
        beyond = (level - self.start) / self.scale
        if self.shape == 0.0:
            return self.share * math.exp(-beyond)
        return float(self.share * (1.0 + self.shape * beyond) ** (-1.0 / self.shape))


def _believable(excesses: NDArray[np.float64]) -> tuple[float, float]:
    """Shape within what is believed, and scale; the mean of the excesses is kept."""
    # Medians over time repeat each other: all excesses may be alike, and what is alike has no tail that is known.
    alike = excesses[0] == excesses[-1]
    shape, scale = (_SHAPES[0], math.nan) if alike else pareto_by_moments(excesses)
    if alike or not _SHAPES[0] <= shape <= _SHAPES[1]:
        shape = min(max(shape, _SHAPES[0]), _SHAPES[1])
        scale = (1.0 - shape) * float(np.mean(excesses))
    return shape, scale
