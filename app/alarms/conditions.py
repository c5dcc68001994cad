"""What alarms at a point and when: dead-band, delays, zones, rise and silence; refuses options that cannot be met."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from app.alarms.register import FIRST_PRIORITY, HEALTH, RISING, SEVERITY, SEVERITY_HIGH, Priority
from features.errors import ParameterError
from models.alarm import Alarm, AlarmConfig
from models.rise import Rise

__all__ = [
    "CONDITIONS",
    "Alarming",
    "Change",
    "Conditions",
    "Option",
    "Seen",
    "Standing",
    "alarming_of",
    "alarming_text",
]

Option = float | int | str
Alarming = Mapping[str, Option]
Quantity = Literal["score", "velocity"]
Zone = Literal["C", "D", "none"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """When the alarms of a point are raised and cleared.

    Attributes
    ----------
    raise_after, clear_after : int
        Windows in a row that raise and clear.
    dead_band : float
        Share of the limit that a value has to be below it to count for clearing, 0 <= share < 1.
    on_delay_s, off_delay_s : float
        Seconds of the sensor's time that it has to be above, and below, without a break.
    severity : str
        Zone of ISO 20816 from which on a machine whose group is known alarms: ``C``, ``D`` or ``none``.
    severity_on_delay_s : float
        On delay of these alarms: every start of a machine passes through its resonances.
    rise_of : str
        What may not rise: ``score`` (over its threshold) or ``velocity`` (mm/s).
    rise_limit : float
        Largest rise a day, in thresholds or mm/s; 0: any.
    rise_span_s : float
        Over which the rise is taken.
    stale_after_s : float
        Silence that is told; 0: none.
    alarm, zone_alarm, rise_alarm : AlarmConfig
        Made of these: of the score over its threshold, of the velocity over a zone's boundary, and of the rise over its
        limit.

    Raises
    ------
    ParameterError
        If any of them cannot be met.

    Examples
    --------
    >>> Conditions().changed({"on_delay_s": 60, "severity": "D"}).on_delay_s
    60.0
    """

    raise_after: int = 3
    clear_after: int = 10
    dead_band: float = 0.2
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    severity: Zone = "C"
    severity_on_delay_s: float = 10.0
    rise_of: Quantity = "score"
    rise_limit: float = 0.0
    rise_span_s: float = 604_800.0
    stale_after_s: float = 3600.0
    # Made once: they are asked for with every window.
    alarm: AlarmConfig = field(init=False, repr=False, compare=False)
    zone_alarm: AlarmConfig = field(init=False, repr=False, compare=False)
    rise_alarm: AlarmConfig = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        delays = (self.on_delay_s, self.off_delay_s)
        alarm = AlarmConfig(self.raise_after, self.clear_after, 1.0 - self.dead_band, *delays)
        object.__setattr__(self, "alarm", alarm)
        object.__setattr__(self, "zone_alarm", replace(alarm, on_delay_s=self.severity_on_delay_s))
        # A rise is of a whole span already, so that one is enough.
        object.__setattr__(self, "rise_alarm", replace(alarm, raise_after=1, clear_after=1))

    def _check(self) -> None:
        for name in ("on_delay_s", "off_delay_s", "severity_on_delay_s", "rise_limit", "stale_after_s"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ParameterError(f"{name} is {getattr(self, name)}; 0 or more is wanted")
        if not 0.0 < self.rise_span_s < math.inf:
            raise ParameterError(f"rise_span_s is {self.rise_span_s}; a positive number is wanted")
        if self.raise_after < 1 or self.clear_after < 1:
            raise ParameterError(f"{self.raise_after} and {self.clear_after} windows are to raise and clear; 1 or more")
        if not 0.0 <= self.dead_band < 1.0:
            raise ParameterError(f"dead_band is {self.dead_band}; 0 to below 1 is wanted")
        for name, kind in (("severity", Zone), ("rise_of", Quantity)):
            if getattr(self, name) not in get_args(kind):
                given, known = getattr(self, name), ", ".join(get_args(kind))
                raise ParameterError(f"{name} is {given!r}; one of {known} is wanted")

    def changed(self, given: Alarming | None) -> Conditions:
        """Give these with what was given for a point laid over them.

        Raises
        ------
        ParameterError
            If a name is unknown, or a value not of its kind or not admissible.
        """
        values: dict[str, Any] = {name: _typed(name, value) for name, value in (given or {}).items()}
        return replace(self, **values)


# Names of the options, with the type of each.
CONDITIONS: dict[str, type] = {one.name: type(one.default) for one in fields(Conditions) if one.init}


def alarming_of(text: str | None) -> dict[str, Option]:
    """Read the options of a point as the store has them; empty where the settings' hold."""
    return {} if not text else dict(json.loads(text))


def alarming_text(given: Alarming | None) -> str | None:
    """Write the options of a point for the store."""
    return json.dumps(dict(given), sort_keys=True) if given else None


def _typed(name: str, value: Option) -> Option:
    kind = CONDITIONS.get(name)
    if kind is None:
        raise ParameterError(f"unknown alarm option {name!r}; known are {', '.join(CONDITIONS)}")
    whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    if kind is str and isinstance(value, str):
        return value
    if kind is int and whole:
        return int(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    wanted = {str: "a word", int: "a whole number", float: "a number"}[kind]
    raise ParameterError(f"{name} is {value!r}; {wanted} is wanted")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a window says of the conditions.

    Attributes
    ----------
    at_ns : int
        End of the window.
    ratio : float or None
        Score over threshold; None while there is no baseline.
    velocity : float or None
        Velocity RMS in mm/s that zones are judged by; None where the window cannot be judged.
    zones : tuple of float, or None
        Velocity (of a slow machine: displacement, where that is worse) over the boundaries B/C and C/D.
    bundle : str or None
        Whose score it is.
    """

    at_ns: int
    ratio: float | None = None
    velocity: float | None = None
    zones: tuple[float, float] | None = None
    bundle: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm that was raised or cleared, why, and the priority that it has if it never was before."""

    tag: str
    change: Literal["raised", "cleared"]
    why: str = ""

    @property
    def priority(self) -> Priority:
        """Of one that has never been raised."""
        return FIRST_PRIORITY[self.tag]


@dataclass(slots=True)
class Standing:
    """Running state of the alarms of a point."""

    health: Alarm = field(default_factory=Alarm)
    severity: Alarm = field(default_factory=Alarm)
    severity_high: Alarm = field(default_factory=Alarm)
    rising: Alarm = field(default_factory=Alarm)
    rise: Rise = field(default_factory=Rise)

    def update(self, seen: Seen, *, conditions: Conditions, grouped: bool) -> list[Change]:
        """Take the next window and say which alarms changed.

        Parameters
        ----------
        seen : Seen
        conditions : Conditions
        grouped : bool
            Whether zones hold at the point; where none do, what stood is cleared.
        """
        changes = self._health(seen, conditions)
        if grouped and conditions.severity != "none":
            changes += self._zones(seen, conditions)
        else:
            changes += _ended(SEVERITY, self.severity) + _ended(SEVERITY_HIGH, self.severity_high)
        if conditions.rise_limit:
            return changes + self._rising(seen, conditions)
        return changes + _ended(RISING, self.rising)

    def _health(self, seen: Seen, conditions: Conditions) -> list[Change]:
        if seen.ratio is None:
            return []
        change = self.health.update(seen.ratio, config=conditions.alarm, at_ns=seen.at_ns)
        return [] if change is None else [Change(HEALTH, change)]

    def _zones(self, seen: Seen, conditions: Conditions) -> list[Change]:
        changes = [] if conditions.severity == "C" else _ended(SEVERITY, self.severity)
        if seen.zones is None:
            return changes
        judged = [("D", SEVERITY_HIGH, self.severity_high, seen.zones[1])]
        if conditions.severity == "C":
            judged.insert(0, ("C", SEVERITY, self.severity, seen.zones[0]))
        for zone, tag, alarm, ratio in judged:
            change = alarm.update(ratio, config=conditions.zone_alarm, at_ns=seen.at_ns)
            if change is not None:
                why = f"{100.0 * ratio:.0f} % of where zone {zone} begins, at {seen.velocity:.2g} mm/s"
                changes.append(Change(tag, change, why))
        return changes

    def _rising(self, seen: Seen, conditions: Conditions) -> list[Change]:
        score = conditions.rise_of == "score"
        value, of = (seen.ratio, seen.bundle or "") if score else (seen.velocity, "velocity")
        if value is None:
            return []
        # Parts are numbered by their length: those of another span are of other times.
        span_s = conditions.rise_span_s
        slope = self.rise.update(value, at_ns=seen.at_ns, span_s=span_s, of=f"{of} over {span_s} s")
        if slope is None:
            return []
        change = self.rising.update(slope / conditions.rise_limit, config=conditions.rise_alarm, at_ns=seen.at_ns)
        unit = "thresholds" if score else "mm/s"
        why = f"{slope:+.2g} {unit} a day over {span_s / 86_400.0:.2g} days"
        return [] if change is None else [Change(RISING, change, why)]

    def reset(self) -> None:
        """Forget everything; no alarm stands."""
        for one in (self.health, self.severity, self.severity_high, self.rising, self.rise):
            one.reset()

    def snapshot(self) -> dict[str, Any]:
        """Give the state as a map; what has never been judged is left out."""
        more = {name: getattr(self, name) for name in _MORE}
        return self.health.snapshot() | {name: one.snapshot() for name, one in more.items() if one != type(one)()}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Standing:
        """Make one that goes on where the one of the snapshot stood."""
        more = {name: kind.restore(state[name]) for name, kind in _MORE.items() if name in state}
        return cls(Alarm.restore({name: value for name, value in state.items() if name not in _MORE}), **more)


_MORE: dict[str, Any] = {"severity": Alarm, "severity_high": Alarm, "rising": Alarm, "rise": Rise}


def _ended(tag: str, alarm: Alarm) -> list[Change]:
    """Clear an alarm that is watched no more."""
    was = alarm.active
    alarm.reset()
    return [Change(tag, "cleared", "it is watched no more")] if was else []
