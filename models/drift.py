"""How far recent windows have moved from those a model learned from, by feature and by score; refuses too few.

Three measures, since each is blind where another sees: the population stability index counts what moved between bins
of the reference, the two-sample Kolmogorov-Smirnov statistic is the largest distance of the distributions, and the
score shift says whether the model itself finds the new windows stranger. Windows that follow each other are alike, so
what chance explains is judged by an effective number of windows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = [
    "FEWEST_WINDOWS",
    "Drift",
    "FeatureDrift",
    "ScoreShift",
    "effective_size",
    "feature_drift",
    "kolmogorov_smirnov",
    "population_stability",
    "score_shift",
    "stability_by_chance",
]

Floats = NDArray[np.floating]

FEWEST_WINDOWS = 30
_BINS = 10
# A stability index from here on is called a major change (Siddiqi, Credit Risk Scorecards, 2006).
_MAJOR = 0.25
# Probability by chance, in any feature of a point together, below which a change is taken as one.
_CHANCE = 1e-3
# Shares of features, and probability that a recent score is above one of the reference, that call for a challenger.
_SHARE, _SUPERIORITY = 0.2, 0.7


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """What became of one feature.

    Attributes
    ----------
    name : str
    psi, psi_by_chance : float
        Population stability index, and what it passes by chance once in a thousand times where windows are many; beside
        few it says nothing, since no index is above some 3.5 then.
    ks, p_value : float
        Kolmogorov-Smirnov statistic and its probability by chance.
    drifted : bool
        Whether the index calls it a major change and the statistic none by chance.
    """

    name: str
    psi: float
    psi_by_chance: float
    ks: float
    p_value: float
    drifted: bool


@dataclass(frozen=True, slots=True)
class ScoreShift:
    """What became of the scores of a model.

    Attributes
    ----------
    superiority : float
        Probability that a recent score is above one of the reference; a half where nothing shifted.
    p_value : float
        Of that or more by chance.
    ratio : float
        Recent median over that of the reference.
    passing : float
        Share of recent scores above the threshold.
    drifted : bool
    """

    superiority: float
    p_value: float
    ratio: float
    passing: float
    drifted: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of a point: its features and the score of its model."""

    features: tuple[FeatureDrift, ...]
    score: ScoreShift

    @property
    def share(self) -> float:
        """Share of features that drifted."""
        return sum(feature.drifted for feature in self.features) / len(self.features)

    @property
    def drifted(self) -> bool:
        """Whether a fifth of the features or the score drifted."""
        return self.share >= _SHARE or self.score.drifted


def population_stability(reference: Floats, recent: Floats, *, bins: int = _BINS) -> float:
    """Population stability index over bins that hold equal shares of the reference.

    ``sum((q - p) * ln(q / p))`` over the shares p of the reference and q of the recent values in each bin; half a value
    is added to each bin, so that an empty one counts by how many there are and not without end.

    Parameters
    ----------
    reference, recent : ndarray, shape (n,) and (m,)
    bins : int
        Wanted; values that repeat make fewer.

    Returns
    -------
    float
        0 where nothing moved.

    Examples
    --------
    >>> x = np.arange(1000.0)
    >>> round(population_stability(x, x), 6), round(population_stability(x, x + 500.0), 1)
    (0.0, 3.5)
    """
    edges = np.unique(np.quantile(reference, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    p, q = (_shares(values, edges) for values in (reference, recent))
    return float(np.sum((q - p) * np.log(q / p)))


def _shares(values: Floats, edges: Floats) -> NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1) + 0.5
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def stability_by_chance(n: float, m: float, *, probability: float, bins: int = _BINS) -> float:
    """Index that values of one distribution pass with a probability.

    Parameters
    ----------
    n, m : float
        Numbers of independent values.
    probability : float
    bins : int

    Notes
    -----
    For large numbers the index over (1/n + 1/m) follows a chi-square distribution of ``bins - 1`` degrees of freedom
    (Yurdakul, Statistical Properties of Population Stability Index, 2018).

    Examples
    --------
    >>> round(stability_by_chance(100, 100, probability=0.05), 3)
    0.338
    """
    return float((1.0 / n + 1.0 / m) * _index_scale(probability, bins))


@functools.lru_cache(maxsize=32)
def _index_scale(probability: float, bins: int) -> float:
    return float(scipy.stats.chi2.isf(probability, bins - 1))


def kolmogorov_smirnov(reference: Floats, recent: Floats) -> float:
    """Largest distance of the two empirical distribution functions, 0 to 1.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0]))
    0.5
    """
    # Not by ks_2samp, which works out a probability too: thrice the time, for each feature of each point each night.
    places = np.concatenate([reference, recent])
    gaps = _reached(reference, places) - _reached(recent, places)
    return float(np.max(np.abs(gaps)))


def _reached(values: Floats, places: Floats) -> NDArray[np.float64]:
    """Empirical distribution function at some places."""
    below = np.searchsorted(np.sort(values), places, side="right")
    return np.asarray(below / values.size, dtype=np.float64)


def effective_size(values: Floats) -> float:
    """Number of independent values that say as much as these, which follow each other in time.

    ``n (1 - r) / (1 + r)`` with the correlation r of neighbours, where that is positive (Bayley and Hammersley,
    J. R. Stat. Soc. Suppl. 8 (1946) 184-197, for a process of first order).

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(2000)
    >>> effective_size(x) > 1800.0, effective_size(np.repeat(x[:500], 4)) < 400.0
    (True, True)
    """
    centred = np.asarray(values, dtype=np.float64) - np.mean(values)
    power = float(np.dot(centred, centred))
    if power == 0.0:
        return 1.0
    r = min(max(float(np.dot(centred[1:], centred[:-1])) / power, 0.0), 1.0)
    return max(values.size * (1.0 - r) / (1.0 + r), 1.0)


def feature_drift(reference: Floats, recent: Floats, *, names: Sequence[str]) -> tuple[FeatureDrift, ...]:
    """Compare each feature of recent windows with those that a model learned from.

    Parameters
    ----------
    reference, recent : ndarray, shape (windows, features)
        In time order.
    names : sequence of str

    Returns
    -------
    tuple of FeatureDrift
        The most drifted first.

    Raises
    ------
    ParameterError
        If there are fewer than ``FEWEST_WINDOWS`` of either, or the shapes do not belong together.
    """
    if min(len(reference), len(recent)) < FEWEST_WINDOWS or {reference.shape[1:], recent.shape[1:]} != {(len(names),)}:
        raise ParameterError(
            f"drift of {recent.shape} against {reference.shape} was asked for, with {len(names)} names; "
            f"{FEWEST_WINDOWS} windows or more of as many features each are wanted"
        )
    pairs = list(zip(reference.T, recent.T, strict=True))
    n, m = (np.array([effective_size(values) for values in side.T]) for side in (reference, recent))
    ks = np.array([kolmogorov_smirnov(*pair) for pair in pairs])
    # All features in one call: what SciPy does around each takes longer than the probability itself.
    p_values = scipy.stats.kstwo.sf(ks, np.maximum(np.rint(n * m / (n + m)), 1))
    found = [
        _one(name, population_stability(*pair), *numbers, chance=_CHANCE / len(names))
        for name, pair, *numbers in zip(names, pairs, n, m, ks, p_values, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.drifted, -one.psi)))


def _one(name: str, psi: float, n: float, m: float, ks: float, p_value: float, *, chance: float) -> FeatureDrift:
    by_chance = stability_by_chance(n, m, probability=_CHANCE)
    return FeatureDrift(name, psi, by_chance, float(ks), float(p_value), bool(psi > _MAJOR and p_value < chance))


def score_shift(reference: Floats, recent: Floats, *, threshold: float) -> ScoreShift:
    """Compare the scores of recent windows with those of healthy ones that the model did not learn from.

    Parameters
    ----------
    reference, recent : ndarray, shape (n,) and (m,)
        In time order.
    threshold : float
        Above which a window is abnormal.

    Raises
    ------
    ParameterError
        If there are fewer than ``FEWEST_WINDOWS`` of either.

    Notes
    -----
    The probability is that of Mann and Whitney (Ann. Math. Stat. 18 (1947) 50-60), with the normal approximation of its
    chance at the effective numbers of windows.
    """
    if min(reference.size, recent.size) < FEWEST_WINDOWS:
        raise ParameterError(
            f"a shift of {recent.size} scores against {reference.size} was asked for; {FEWEST_WINDOWS} or more of each "
            "are wanted"
        )
    u = float(scipy.stats.mannwhitneyu(recent, reference, method="asymptotic").statistic)
    superiority = u / (reference.size * recent.size)
    n, m = effective_size(reference), effective_size(recent)
    p_value = float(scipy.stats.norm.sf((superiority - 0.5) / math.sqrt((n + m + 1.0) / (12.0 * n * m))))
    ratio = float(np.median(recent) / np.median(reference))
    passing = float(np.mean(recent > threshold))
    return ScoreShift(superiority, p_value, ratio, passing, superiority > _SUPERIORITY and p_value < _CHANCE)
