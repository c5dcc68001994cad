"""Plain alarming by ISO 20816 limits, which the scripted day is held against: velocity RMS over a limit for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.demo.world import RATE_HZ
from app.severity import broad_band
from features.iso20816 import Limits
from models.alarm import Alarm, AlarmConfig

__all__ = ["RULES", "LimitAlarms", "Rule", "of_all"]

# Of the boundary B/C, above the machine's own baseline: how the standard suggests to set an alarm.
_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that sets a limit.

    Attributes
    ----------
    key, name : str
    boundary : int
        Which boundary of the zones: 1 is B/C, 2 is C/D.
    share : float or None
        Of the boundary, above the mean of the machine's healthy start; None: the boundary itself.
    """

    key: str
    name: str
    boundary: int
    share: float | None = None

    def limit(self, limits: Limits, baseline: float | None) -> float | None:
        """RMS velocity in mm/s above which a window is abnormal; None while there is no baseline.

        Examples
        --------
        >>> from features.iso20816 import limits_named
        >>> [rule.limit(limits_named("class-I"), 0.5) for rule in RULES]
        [1.8, 4.5, 0.95]
        """
        boundary = limits.velocity_mm_s[self.boundary]
        if self.share is None:
            return boundary
        return None if baseline is None else baseline + self.share * boundary


RULES = (
    Rule("zone_c", "ISO zone C entered", 1),
    Rule("zone_d", "ISO zone D entered", 2),
    Rule("baseline", "ISO baseline + 25 % of B/C", 1, _SHARE),
)


@dataclass
class LimitAlarms:
    """Alarms of one machine by every rule, with the on and off delay of ours.

    Attributes
    ----------
    limits : Limits
    config : AlarmConfig
    learned : int
        Windows of a healthy start that a baseline is the mean of.
    raised_h : dict of str to list of float
        When alarms were raised, by rule.
    watched : dict of str to int
        Windows that were judged, by rule.
    """

    limits: Limits
    config: AlarmConfig
    learned: int
    raised_h: dict[str, list[float]] = field(default_factory=lambda: {rule.key: [] for rule in RULES})
    watched: dict[str, int] = field(default_factory=lambda: {rule.key: 0 for rule in RULES})
    _start: list[float] = field(default_factory=list)
    _alarms: dict[str, Alarm] = field(default_factory=lambda: {rule.key: Alarm() for rule in RULES})

    def update(self, x: NDArray[np.float32], hour: float, *, shaft_hz: float, healthy: bool) -> float:
        """Take the next window; its RMS velocity in mm/s.

        Parameters
        ----------
        x : ndarray of float32, shape (channels, n)
            In g.
        hour : float
        shaft_hz : float
        healthy : bool
            Whether the window counts as healthy in `watched`.
        """
        velocity = broad_band(x, RATE_HZ, unit="g", shaft_hz=shaft_hz).velocity_mm_s
        baseline = float(np.mean(self._start)) if len(self._start) >= self.learned else None
        for rule in RULES:
            limit = rule.limit(self.limits, baseline)
            if limit is None:
                continue
            self.watched[rule.key] += healthy
            if self._alarms[rule.key].update(velocity / limit, config=self.config) == "raised":
                self.raised_h[rule.key].append(hour)
        if baseline is None:
            self._start.append(velocity)
        return velocity

    def restart(self) -> None:
        """Begin anew after a failure: the machine was mended, and what is healthy is to be learned again."""
        self._start.clear()
        self._alarms = {rule.key: Alarm() for rule in RULES}


def of_all(machines: Mapping[str, LimitAlarms], rule: str) -> list[tuple[str, float]]:
    """Points and hours of all alarms by a rule, in the order of time."""
    found = [(point, hour) for point, alarms in machines.items() for hour in alarms.raised_h[rule]]
    return sorted(found, key=lambda one: (one[1], one[0]))
