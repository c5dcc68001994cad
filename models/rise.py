"""Robust slope of a value over a long span, from medians of its parts as they come; refuses spans that are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from features.errors import ParameterError

__all__ = ["PARTS", "Rise", "slope_per_day"]

# Parts of a span; each counts by the median of its values, however many these are.
PARTS = 24
# Parts that are wanted for a slope, and what share of the span they have to reach over.
_FEWEST, _REACH = 6, 0.5
# Values kept of a part: a burst's all, of a stream every second, fourth, ... one, so that they stay as few.
_KEPT = 32
_DAY_NS = 86_400_000_000_000


@dataclass(slots=True)
class Rise:
    """Running state of a value whose slope is watched.

    Attributes
    ----------
    of : str
        What the values are of; where that changes, the old ones count no more.
    part : int or None
        Number of the part that is being filled, counted from the epoch.
    seen, stride : int
        Values of this part so far, and of how many one is kept.
    kept : list of float
        Of this part.
    medians : list of (int, float)
        Of the parts before, oldest first.
    """

    of: str = ""
    part: int | None = None
    seen: int = 0
    stride: int = 1
    kept: list[float] = field(default_factory=list)
    medians: list[tuple[int, float]] = field(default_factory=list)

    def update(self, value: float, *, at_ns: int, span_s: float, of: str = "") -> float | None:
        """Take the next value, and give the slope wherever a part of the span has ended.

        Parameters
        ----------
        value : float
        at_ns : int
            Time of the value. One of an earlier part is passed over; a clock set back by more begins anew.
        span_s : float
            Seconds over which the slope is taken, positive.
        of : str
            Names what the values are of, such as the model whose scores they are, and the span where that may change.

        Returns
        -------
        float or None
            Units of the value per day; None between the ends of parts, and where less than half of the span or fewer
            than six parts are known.

        Raises
        ------
        ParameterError
            If the span is not positive.

        Examples
        --------
        >>> rise, hour_ns = Rise(), 3600 * 10**9
        >>> slopes = [rise.update(0.5 * hour / 24, at_ns=hour * hour_ns, span_s=86_400.0) for hour in range(30)]
        >>> slopes[:12] == [None] * 12, round(slopes[-1], 6)
        (True, 0.5)
        """
        if not 0.0 < span_s < float("inf"):
            raise ParameterError(f"a slope over {span_s} s was asked; a positive span is wanted")
        part_ns = max(1, round(span_s * 1e9 / PARTS))
        part = at_ns // part_ns
        if of != self.of or (self.part is not None and part < self.part - 1):
            self.reset()
        self.of = of
        if self.part is not None and part < self.part:
            return None
        slope = self._end(part_ns) if self.part is not None and part > self.part else None
        self.part = part
        self.medians = [one for one in self.medians if one[0] >= part - PARTS]
        self._keep(value)
        return slope

    def _keep(self, value: float) -> None:
        if self.seen % self.stride == 0:
            self.kept.append(value)
        self.seen += 1
        if len(self.kept) > _KEPT:
            self.kept, self.stride = self.kept[::2], 2 * self.stride

    def _end(self, part_ns: int) -> float | None:
        assert self.part is not None
        self.medians.append((self.part, float(np.median(self.kept))))
        self.kept, self.seen, self.stride = [], 0, 1
        parts = [part for part, _ in self.medians]
        if len(parts) < _FEWEST or parts[-1] - parts[0] < _REACH * PARTS:
            return None
        return slope_per_day([part * part_ns for part in parts], [value for _, value in self.medians])

    def reset(self) -> None:
        """Forget all values."""
        self.part, self.seen, self.stride = None, 0, 1
        self.kept, self.medians = [], []

    def snapshot(self) -> dict[str, Any]:
        """Give the state as a map."""
        return asdict(self)

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Rise:
        """Make one that goes on where the one of the snapshot stood."""
        return cls(**state | {"medians": [(part, median) for part, median in state["medians"]]})


def slope_per_day(times_ns: Sequence[int], values: Sequence[float]) -> float:
    """Median of the slopes between any two values: of many, up to 29 % may be anything.

    Parameters
    ----------
    times_ns : sequence of int
        Ascending, at least two.
    values : sequence of float

    Returns
    -------
    float
        Units of the value per day.

    References
    ----------
    .. [1] P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", J. Am. Stat. Assoc. 63 (1968)
       1379-1389.

    Examples
    --------
    >>> day_ns = 86_400 * 10**9
    >>> slope_per_day([day * day_ns for day in range(5)], [0.0, 1.0, 2.0, 3.0, 50.0])
    1.0
    """
    days = np.array([time_ns - times_ns[0] for time_ns in times_ns], dtype=np.float64) / _DAY_NS
    y = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(days), 1)
    return float(np.median((y[second] - y[first]) / (days[second] - days[first])))
