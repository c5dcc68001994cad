"""Statistics that take one value or block at a time and equal their batch twins at every step; refuses NaN and inf."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from features.errors import ParameterError
from features.statistics import GAUSSIAN_SHAPES, Moments

__all__ = ["Ewma", "LinearTrend", "RunningMoments", "SlidingRms", "Trend"]

_NS_PER_S = 1e9
_NS_PER_H = 3600 * 10**9


class RunningMoments:
    """Moments up to the sixth, extremes, mean absolute value and root amplitude of all values so far.

    Notes
    -----
    A block's own two-pass sums are merged into the running ones by the formulas of any order of Pebay, "Formulas for
    robust, one-pass parallel computation of covariances and arbitrary-order statistical moments", Sandia report
    SAND2008-6212, equation 2.1. A block of one value is Welford's step.

    Examples
    --------
    >>> running = RunningMoments()
    >>> for value in (1.0, -1.0, 1.0, -1.0):
    ...     running.update(value)
    >>> m = running.moments()
    >>> running.n, float(m.rms), round(float(m.kurtosis), 9)
    (4, 1.0, 1.0)
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self.n = 0
        self._mean = self._abs = self._root = 0.0
        # Sums of the powers of deviations by their exponent; those of 0 and 1 are never read.
        self._sums = [0.0] * 7
        self._low, self._high = math.inf, -math.inf

    def update(self, values: ArrayLike) -> None:
        """Take a value or a block of shape (n,).

        Raises
        ------
        ParameterError
            If a value is NaN or infinite; nothing is taken then.
        """
        x = _block(values)
        if x.size:
            block = RunningMoments()
            absolute = np.abs(x)
            block.n, block._mean = x.size, float(x.mean())
            block._abs, block._root = float(absolute.mean()), float(np.sqrt(absolute).mean())
            block._sums = [0.0, 0.0, *(float(((x - block._mean) ** p).sum()) for p in range(2, 7))]
            block._low, block._high = float(x.min()), float(x.max())
            self.merge(block)

    def merge(self, other: RunningMoments) -> None:
        """Take in all values that another one has seen."""
        if other.n == 0:
            return
        n = self.n + other.n
        delta = other._mean - self._mean
        ours, theirs = self.n / n, other.n / n
        merged = [0.0, 0.0]
        for p in range(2, 7):
            total = self._sums[p] + other._sums[p]
            total += ours * other.n * delta**p * (ours ** (p - 1) - (-theirs) ** (p - 1))
            for k in range(1, p - 1):
                moved = (-theirs) ** k * self._sums[p - k] + ours**k * other._sums[p - k]
                total += math.comb(p, k) * delta**k * moved
            merged.append(total)
        self._sums = merged
        self._mean += delta * theirs
        self._abs += (other._abs - self._abs) * theirs
        self._root += (other._root - self._root) * theirs
        self._low, self._high, self.n = min(self._low, other._low), max(self._high, other._high), n

    def moments(self) -> Moments:
        """Give what `features.statistics.moments` gives for all values at once.

        Raises
        ------
        ParameterError
            If no value was taken yet.
        """
        if self.n == 0:
            raise ParameterError("moments were asked of no values; update first")
        # The same floor as in the batch: extremes that differ by rounding alone have no shape.
        varies = self._high - self._low > float(np.finfo(np.float64).eps) * max(abs(self._low), abs(self._high))
        variance = self._sums[2] / self.n if varies else 0.0
        shapes = GAUSSIAN_SHAPES.tolist()
        if variance > 0.0:
            shapes = [self._sums[p] / self.n / variance ** (0.5 * p) for p in range(3, 7)]
        rms = math.sqrt(variance + self._mean**2)
        levels = (self._mean, math.sqrt(variance), rms, self._low, self._high, self._abs, self._root**2)
        return Moments(*(np.asarray(value, dtype=np.float64) for value in (*levels, *shapes)))

    @property
    def low(self) -> float:
        """Smallest value so far; inf before the first."""
        return self._low

    @property
    def high(self) -> float:
        """Largest value so far; -inf before the first."""
        return self._high

    def snapshot(self) -> dict[str, Any]:
        """State as plain values that JSON can hold."""
        sums = [self._mean, self._abs, self._root, *self._sums[2:]]
        return {"n": self.n, "sums": sums, "extremes": [self._low, self._high] if self.n else []}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> RunningMoments:
        """Make one that goes on where the one of the snapshot stood."""
        restored = cls()
        n, sums, extremes = _fields(state, "n", "sums", "extremes")
        restored.n = _count(n)
        restored._mean, restored._abs, restored._root, *powers = _numbers(sums, 8)
        restored._sums = [0.0, 0.0, *powers]
        if restored.n:
            restored._low, restored._high = _numbers(extremes, 2)
        return restored


class SlidingRms:
    """RMS of the last values, or of all while there are fewer.

    Parameters
    ----------
    length : int
        Values in the window, at least 1.

    Notes
    -----
    Nothing is ever subtracted, so a shock leaves no error behind when it leaves the window: the squares of the running
    block are added up, and those of the block before it are held as sums from each place to its end.

    Examples
    --------
    >>> sliding = SlidingRms(2)
    >>> [round(sliding.update(value), 6) for value in (3.0, 4.0, 0.0)]
    [3.0, 3.535534, 2.828427]
    """

    def __init__(self, length: int) -> None:
        if length < 1:
            raise ParameterError(f"a sliding RMS over {length} values was asked; at least 1 is wanted")
        self.length = length
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self.n = 0
        self._head = np.zeros(self.length)
        self._filled = 0
        self._tail = np.zeros(self.length + 1)

    def update(self, values: ArrayLike) -> float:
        """Take a value or a block of shape (n,) and give the RMS after the last of them; 0 before the first.

        Raises
        ------
        ParameterError
            If a value is NaN or infinite; nothing is taken then.
        """
        x = _block(values)
        taken = 0
        while taken < x.size:
            part = x[taken : taken + self.length - self._filled]
            self._head[self._filled : self._filled + part.size] = part * part
            self._filled += part.size
            taken += part.size
            if self._filled == self.length:
                self._tail[:-1] = np.cumsum(self._head[::-1])[::-1]
                self._filled = 0
        self.n += x.size
        return self.rms

    @property
    def rms(self) -> float:
        """RMS of the values in the window; 0 before the first."""
        held = min(self.n, self.length)
        total = float(self._head[: self._filled].sum() + self._tail[self._filled])
        return math.sqrt(total / held) if held else 0.0

    def snapshot(self) -> dict[str, Any]:
        """State as plain values that JSON can hold."""
        head, tail = self._head[: self._filled].tolist(), self._tail.tolist()
        return {"length": self.length, "n": self.n, "head": head, "tail": tail}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> SlidingRms:
        """Make one that goes on where the one of the snapshot stood."""
        length, n, head, tail = _fields(state, "length", "n", "head", "tail")
        restored = cls(_count(length))
        restored.n, restored._filled = _count(n), len(head)
        restored._head[: len(head)] = _numbers(head, min(len(head), restored.length - 1))
        restored._tail[:] = _numbers(tail, restored.length + 1)
        return restored


class Ewma:
    """Exponentially weighted mean over values at any times, without the pull of a start value.

    Parameters
    ----------
    time_constant_s : float
        Age in seconds at which a value's weight has fallen to 1 / e, positive.

    Notes
    -----
    mean = sum(w_i x_i) / sum(w_i) with w_i = exp(-(t - t_i) / time constant), t the time of the last value. At even
    steps this is the recursion with alpha = 1 - exp(-step / time constant), divided by 1 - (1 - alpha)**n.

    Examples
    --------
    >>> ewma = Ewma(10.0)
    >>> ewma.update(1.0, time_ns=0), round(ewma.update(2.0, time_ns=10_000_000_000), 6)
    (1.0, 1.731059)
    """

    def __init__(self, time_constant_s: float) -> None:
        if not (math.isfinite(time_constant_s) and time_constant_s > 0.0):
            raise ParameterError(f"a time constant of {time_constant_s} s was given; a positive one is wanted")
        self.time_constant_s = time_constant_s
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self._mean = self._weight = 0.0
        self._last_ns: int | None = None

    @property
    def mean(self) -> float | None:
        """Weighted mean at the time of the last value; None before the first."""
        return None if self._last_ns is None else self._mean

    def update(self, value: float, *, time_ns: int) -> float:
        """Take a value at its time in nanoseconds since the epoch and give the mean.

        Raises
        ------
        ParameterError
            If the value is not finite, or its time is earlier than the last one or no whole number.
        """
        value, time_ns = _finite(value), _whole_ns(time_ns)
        last_ns = time_ns if self._last_ns is None else self._last_ns
        if time_ns < last_ns:
            raise ParameterError(f"a value at {time_ns} ns follows one at {last_ns} ns; give them in order of time")
        self._weight = 1.0 + self._weight * math.exp(-(time_ns - last_ns) / _NS_PER_S / self.time_constant_s)
        self._mean += (value - self._mean) / self._weight
        self._last_ns = time_ns
        return self._mean

    def snapshot(self) -> dict[str, Any]:
        """State as plain values that JSON can hold."""
        sums = [self._mean, self._weight]
        return {"time_constant_s": self.time_constant_s, "sums": sums, "last_ns": self._last_ns}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Ewma:
        """Make one that goes on where the one of the snapshot stood."""
        time_constant_s, sums, last_ns = _fields(state, "time_constant_s", "sums", "last_ns")
        restored = cls(float(time_constant_s))
        restored._mean, restored._weight = _numbers(sums, 2)
        restored._last_ns = None if last_ns is None else _whole_ns(last_ns)
        return restored


@dataclass(frozen=True)
class Trend:
    """A straight line through values over time, with the confidence interval of its slope.

    Attributes
    ----------
    slope_per_h, low_per_h, high_per_h : float
        Slope and its interval, in the unit of the values per hour.
    stderr_per_h : float
        Standard error of the slope.
    level : float
        Height of the line at the time of the last value.
    n : int
        Values it rests on.
    """

    slope_per_h: float
    low_per_h: float
    high_per_h: float
    stderr_per_h: float
    level: float
    n: int

    @property
    def rises(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low_per_h > 0.0


class LinearTrend:
    """Least squares of values over time, one value after the other.

    Parameters
    ----------
    confidence : float
        Of the slope's two-sided Student interval, between 0 and 1; 0.95 is usual.

    Notes
    -----
    Centred sums (Welford) over hours since the first value, whose difference is taken in whole nanoseconds; the squared
    residuals grow by each value's squared prediction error over its variance factor (recursive least squares: Brown,
    Durbin and Evans, J. R. Stat. Soc. B 37 (1975) 149-192), which is never a difference of large numbers. Values that
    follow each other are taken as independent: where they are not, the interval is too narrow.

    Examples
    --------
    >>> trend = LinearTrend(confidence=0.95)
    >>> for hour, value in enumerate((1.0, 1.5, 2.0, 2.5)):
    ...     line = trend.update(value, time_ns=1_700_000_000_000_000_000 + hour * 3_600_000_000_000)
    >>> line.slope_per_h, line.level, line.rises
    (0.5, 2.5, True)
    """

    def __init__(self, *, confidence: float) -> None:
        if not 0.0 < confidence < 1.0:
            raise ParameterError(f"a confidence of {confidence} was given; one between 0 and 1 is wanted")
        self.confidence = confidence
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self.n = 0
        self._first_ns = self._last_ns = 0
        self._mean_h = self._mean = self._stt = self._sty = self._residual = 0.0

    def update(self, value: float, *, time_ns: int) -> Trend | None:
        """Take a value at its time in nanoseconds since the epoch, in any order, and give the `trend`.

        Raises
        ------
        ParameterError
            If the value is not finite or the time no whole number; nothing is taken then.
        """
        value, time_ns = _finite(value), _whole_ns(time_ns)
        if self.n == 0:
            self._first_ns = time_ns
        hours = (time_ns - self._first_ns) / _NS_PER_H
        off_h, off = hours - self._mean_h, value - self._mean
        self._residual += self._misfit(off_h, off) if self.n else 0.0
        self.n += 1
        self._mean_h += off_h / self.n
        self._mean += off / self.n
        self._stt += off_h * (hours - self._mean_h)
        self._sty += off_h * (value - self._mean)
        self._last_ns = time_ns
        return self.trend

    def _misfit(self, off_h: float, off: float) -> float:
        """Growth of the sum of squared residuals by a value; none where it is the first that fixes a slope."""
        if self._stt > 0.0:
            error = off - self._sty / self._stt * off_h
            return error * error / (1.0 + 1.0 / self.n + off_h * off_h / self._stt)
        return off * off / (1.0 + 1.0 / self.n) if off_h == 0.0 else 0.0

    @property
    def trend(self) -> Trend | None:
        """Line so far; None below 3 values or while all stand at one time."""
        if self.n < 3 or self._stt <= 0.0:
            return None
        slope = self._sty / self._stt
        stderr = math.sqrt(self._residual / (self.n - 2) / self._stt)
        half = stderr * float(scipy.special.stdtrit(self.n - 2, 0.5 + 0.5 * self.confidence))
        level = self._mean + slope * ((self._last_ns - self._first_ns) / _NS_PER_H - self._mean_h)
        return Trend(slope, slope - half, slope + half, stderr, level, self.n)

    def snapshot(self) -> dict[str, Any]:
        """State as plain values that JSON can hold."""
        sums = [self._mean_h, self._mean, self._stt, self._sty, self._residual]
        times = [self._first_ns, self._last_ns]
        return {"confidence": self.confidence, "n": self.n, "times_ns": times, "sums": sums}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> LinearTrend:
        """Make one that goes on where the one of the snapshot stood."""
        confidence, n, times, sums = _fields(state, "confidence", "n", "times_ns", "sums")
        restored = cls(confidence=float(confidence))
        restored.n, (restored._first_ns, restored._last_ns) = _count(n), (_whole_ns(time) for time in times)
        restored._mean_h, restored._mean, restored._stt, restored._sty, restored._residual = _numbers(sums, 5)
        return restored


def _block(values: ArrayLike) -> NDArray[np.float64]:
    x = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ParameterError(f"values of shape {x.shape} with NaN, inf or too many axes; a finite (n,) is wanted")
    return x


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ParameterError(f"a value of {value} was given; a finite one is wanted, quarantine it")
    return float(value)


def _whole_ns(time_ns: int) -> int:
    try:
        return operator.index(time_ns)
    except TypeError:
        raise ParameterError(
            f"a time of {time_ns!r} ns was given; whole nanoseconds since the epoch are wanted"
        ) from None


def _fields(state: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    try:
        return tuple(state[name] for name in names)
    except KeyError as error:
        raise ParameterError(f"a snapshot without {error} was given; one with {', '.join(names)} is wanted") from None


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ParameterError(f"a snapshot counts {value!r} values; a whole number >= 0 is wanted")
    return value


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    if len(values) != count or not all(math.isfinite(value) for value in values):
        raise ParameterError(f"a snapshot holds {values!r}; {count} finite numbers are wanted")
    return tuple(float(value) for value in values)
