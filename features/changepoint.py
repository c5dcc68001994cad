"""Change points in a trended value: two-sided CUSUM and Page-Hinkley, online and in batch; refuses NaN and inf."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = [
    "Changes",
    "Cusum",
    "CusumConfig",
    "Decision",
    "PageHinkley",
    "PageHinkleyConfig",
    "cusum",
    "page_hinkley",
]

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class CusumConfig:
    """Settings of a two-sided tabular CUSUM.

    Parameters
    ----------
    target, sigma : float
        In-control mean and standard deviation, in the unit of the values; sigma positive.
    slack : float
        k, in sigmas, >= 0: half of the shift that is to be found soonest.
    limit : float
        h, in sigmas, positive.

    Notes
    -----
    Montgomery, Introduction to Statistical Quality Control, 6th ed. (2009), section 9.1: with k = 0.5 and h = 5 the
    in-control average run length of independent Gaussian values is about 465, and a shift of one sigma is found after
    10.4 on average.
    """

    target: float
    sigma: float
    slack: float = 0.5
    limit: float = 5.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.target) and math.isfinite(self.sigma) and self.sigma > 0.0):
            raise ParameterError(f"a target of {self.target} and a sigma of {self.sigma}; finite, sigma > 0 are wanted")
        _refuse_allowance(self.slack, self.limit)


@dataclass(frozen=True)
class PageHinkleyConfig:
    """Settings of a two-sided Page-Hinkley test.

    Parameters
    ----------
    slack : float
        Deviation from the running mean that is forgiven at each step, in the unit of the values, >= 0.
    limit : float
        Sum of what is not forgiven at which a change is declared, positive.
    warmup : int
        Values before which nothing is declared, at least 1: the mean must settle first.

    Notes
    -----
    Page, Biometrika 41 (1954) 100-115; Hinkley, Biometrika 58 (1971) 509-523. Unlike the CUSUM it needs no target: the
    mean of all values since the reset stands for it.
    """

    slack: float
    limit: float
    warmup: int = 30

    def __post_init__(self) -> None:
        _refuse_allowance(self.slack, self.limit)
        if self.warmup < 1:
            raise ParameterError(f"a warm-up of {self.warmup} values was given; at least 1 is wanted")


class Decision(NamedTuple):
    """Both sums after a value, and whether they are beyond the limit.

    Attributes
    ----------
    up, down : float
        Evidence of a rise and of a fall: in sigmas for a CUSUM, in the unit of the values for Page-Hinkley.
    rose, fell : bool
        Whether the sum is beyond the limit; they stay so until the sum falls back or the state is reset.
    up_for, down_for : int
        Values since the sum was last zero: the change is estimated to begin with the first of them (Montgomery's N).
    """

    up: float
    down: float
    rose: bool
    fell: bool
    up_for: int
    down_for: int


@dataclass(frozen=True, eq=False)
class Changes:
    """Decisions over whole series; the fields are those of `Decision`, each of shape (..., n)."""

    up: NDArray[np.float64]
    down: NDArray[np.float64]
    rose: NDArray[np.bool_]
    fell: NDArray[np.bool_]
    up_for: NDArray[np.int64]
    down_for: NDArray[np.int64]

    def first(self) -> NDArray[np.int64]:
        """Index of the first value at which either side is beyond its limit, shape (...); -1 where none is."""
        alarm = self.rose | self.fell
        if alarm.shape[-1] == 0:
            return np.full(alarm.shape[:-1], -1, dtype=np.int64)
        return np.where(alarm.any(axis=-1), alarm.argmax(axis=-1), -1)


Config = TypeVar("Config", CusumConfig, PageHinkleyConfig)


class _TwoSided(ABC, Generic[Config]):
    """What both detectors share: two sums that cannot fall below zero."""

    def __init__(self, config: Config) -> None:
        self.config: Config = config
        self.reset()

    def reset(self) -> None:
        """Begin anew, as after a change that was dealt with or a gap in the values."""
        self._n = 0
        self._mean = self._up = self._down = 0.0
        self._up_for = self._down_for = 0

    @abstractmethod
    def _step(self, value: float) -> tuple[float, float]:
        """Take a value; give its excess over the mean and the same below it, both less the slack."""

    @property
    def _warm(self) -> bool:
        return True

    def update(self, value: float) -> Decision:
        """Take a value and decide.

        Raises
        ------
        ParameterError
            If the value is NaN or infinite; nothing is taken then.
        """
        if not math.isfinite(value):
            raise ParameterError(f"a value of {value} was given; a finite one is wanted, quarantine it")
        self._n += 1
        above, below = self._step(float(value))
        self._up, self._down = max(0.0, self._up + above), max(0.0, self._down + below)
        self._up_for = self._up_for + 1 if self._up > 0.0 else 0
        self._down_for = self._down_for + 1 if self._down > 0.0 else 0
        limit = self.config.limit
        rose, fell = self._warm and self._up > limit, self._warm and self._down > limit
        return Decision(self._up, self._down, rose, fell, self._up_for, self._down_for)

    def snapshot(self) -> dict[str, Any]:
        """State, without the settings, as plain values that JSON can hold."""
        sums = [self._mean, self._up, self._down]
        return {"counts": [self._n, self._up_for, self._down_for], "sums": sums}

    @classmethod
    def restore(cls, config: Config, state: Mapping[str, Any]) -> Self:
        """Make a detector that goes on where the one of the snapshot stood.

        Raises
        ------
        ParameterError
            If this is no snapshot of one.
        """
        restored = cls(config)
        try:
            counts, sums = [int(count) for count in state["counts"]], [float(value) for value in state["sums"]]
            restored._n, restored._up_for, restored._down_for = counts
            restored._mean, restored._up, restored._down = sums
        except (KeyError, TypeError, ValueError) as error:
            raise ParameterError(f"{state!r} is no snapshot of a change detector ({error!r})") from error
        if min(counts) < 0 or min(sums[1:]) < 0.0 or not all(map(math.isfinite, sums)):
            raise ParameterError(f"{state!r} is no state that a change detector can be in; take a new snapshot")
        return restored


class Cusum(_TwoSided[CusumConfig]):
    """Running state of a two-sided tabular CUSUM.

    Parameters
    ----------
    config : CusumConfig

    Notes
    -----
    up = max(0, up + z - k), down = max(0, down - z - k) with z = (value - target) / sigma; beyond h is a change.

    Examples
    --------
    >>> detector = Cusum(CusumConfig(target=10.0, sigma=1.0, slack=0.5, limit=5.0))
    >>> [detector.update(value).rose for value in (10.0, 13.0, 13.0, 13.0)]
    [False, False, False, True]
    """

    def _step(self, value: float) -> tuple[float, float]:
        z = (value - self.config.target) / self.config.sigma
        return z - self.config.slack, -z - self.config.slack


class PageHinkley(_TwoSided[PageHinkleyConfig]):
    """Running state of a two-sided Page-Hinkley test.

    Parameters
    ----------
    config : PageHinkleyConfig

    Notes
    -----
    With m_t the sum of (value - running mean - slack) the test compares m_t - min(m) to the limit; the recursion
    up = max(0, up + value - running mean - slack) is the same number without its growth. A fall is found on the
    negative values.

    Examples
    --------
    >>> detector = PageHinkley(PageHinkleyConfig(slack=0.1, limit=2.0, warmup=3))
    >>> [detector.update(value).rose for value in (1.0, 1.0, 1.0, 3.0, 3.0)]
    [False, False, False, False, True]
    """

    def _step(self, value: float) -> tuple[float, float]:
        self._mean += (value - self._mean) / self._n
        off = value - self._mean
        return off - self.config.slack, -off - self.config.slack

    @property
    def _warm(self) -> bool:
        return bool(self._n >= self.config.warmup)


def cusum(x: Floats, config: CusumConfig) -> Changes:
    """Run a CUSUM over whole series, with the very decisions of `Cusum`.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Values in order of time.
    config : CusumConfig

    Returns
    -------
    Changes

    Raises
    ------
    ParameterError
        If a value is NaN or infinite.

    Examples
    --------
    >>> steps = np.repeat([0.0, 2.0], 20)
    >>> changes = cusum(steps, CusumConfig(target=0.0, sigma=1.0))
    >>> at = int(changes.first())
    >>> at, at + 1 - int(changes.up_for[at])
    (23, 20)
    """
    series = _finite(x)
    z = (series - config.target) / config.sigma
    return _changes(z - config.slack, -z - config.slack, limit=config.limit, warmup=1)


def page_hinkley(x: Floats, config: PageHinkleyConfig) -> Changes:
    """Run a Page-Hinkley test over whole series, with the very decisions of `PageHinkley`.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Values in order of time.
    config : PageHinkleyConfig

    Returns
    -------
    Changes

    Raises
    ------
    ParameterError
        If a value is NaN or infinite.

    Examples
    --------
    >>> changes = page_hinkley(np.repeat([0.0, 2.0], 50), PageHinkleyConfig(slack=0.2, limit=5.0))
    >>> int(changes.first())
    52
    """
    series = _finite(x)
    off = np.empty_like(series)
    mean = np.zeros(series.shape[:-1])
    for i in range(series.shape[-1]):
        mean = mean + (series[..., i] - mean) / (i + 1)
        off[..., i] = series[..., i] - mean
    return _changes(off - config.slack, -off - config.slack, limit=config.limit, warmup=config.warmup)


def _refuse_allowance(slack: float, limit: float) -> None:
    if not (math.isfinite(slack) and slack >= 0.0 and math.isfinite(limit) and limit > 0.0):
        raise ParameterError(f"a slack of {slack} and a limit of {limit} were given; >= 0 and > 0 are wanted")


def _finite(x: Floats) -> NDArray[np.float64]:
    series = np.asarray(x, dtype=np.float64)
    if series.ndim == 0 or not np.isfinite(series).all():
        raise ParameterError(
            f"a series of shape {series.shape} with NaN or inf, or one number; a finite (..., n) is wanted"
        )
    return series


def _changes(above: NDArray[np.float64], below: NDArray[np.float64], *, limit: float, warmup: int) -> Changes:
    """Both sums by the recursion itself: the closed form by cumulative sums rounds otherwise, so it may decide so."""
    (up, up_for), (down, down_for) = _sums(above), _sums(below)
    warm = np.arange(1, above.shape[-1] + 1) >= warmup
    return Changes(up, down, warm & (up > limit), warm & (down > limit), up_for, down_for)


def _sums(excess: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    total = np.zeros_like(excess)
    length = np.zeros(excess.shape, dtype=np.int64)
    running, run = np.zeros(excess.shape[:-1]), np.zeros(excess.shape[:-1], dtype=np.int64)
    for i in range(excess.shape[-1]):
        running = np.maximum(0.0, running + excess[..., i])
        run = np.where(running > 0.0, run + 1, 0)
        total[..., i], length[..., i] = running, run
    return total, length
