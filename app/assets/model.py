"""The asset model: machines with their points as people enter them; refuses what Raceway cannot work with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.alarms.conditions import Conditions, Option
from app.wire import PointId
from features.bearing import Bearing
from features.errors import ParameterError, ProtocolError

__all__ = ["MOUNTINGS", "Machine", "Point", "changes", "deeds"]

# How a sensor is held, the stiffest first (ISO 5348).
MOUNTINGS = ("stud", "adhesive", "magnet", "probe")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Point:
    """A measuring point.

    Attributes
    ----------
    name : str or None
        For people; None: that of the machine with the point's own.
    bearing : Bearing or None
    speed_rpm : float or None
        Of the shaft in this bearing, in revolutions per minute; None: that of the machine.
    mounting : str or None
        One of `MOUNTINGS`.
    alarming : mapping of str to float, int or str
        Alarm options by their names in `app.alarms.conditions.Conditions`; those of the settings hold beside them.
    """

    name: str | None = None
    bearing: Bearing | None = None
    speed_rpm: float | None = None
    mounting: str | None = None
    alarming: Mapping[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_text("name", self.name)
        _check_speed(self.speed_rpm)
        if self.mounting is not None and self.mounting not in MOUNTINGS:
            raise ParameterError(f"mounting {self.mounting!r} is none; one of {', '.join(MOUNTINGS)} is wanted")
        # Laid over the built-in ones: of one alone nothing can contradict the plant's.
        Conditions().changed(self.alarming)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of a site with its points.

    Attributes
    ----------
    site, area, asset : str
        `site` and `asset` are those of the topics; the area is for people.
    name : str or None
    speed_rpm : float or None
        Nominal speed in revolutions per minute.
    iso_group : str or None
        Entry of the table of severity zones.
    points : dict of str to Point
        By the name of the topics.

    Raises
    ------
    ParameterError
        If a name, a speed or a mounting is not admissible.

    Examples
    --------
    >>> pump = Machine("plant", "hall 2", "pump-1", name="Feed pump", points={"drive-end": Point(speed_rpm=1480.0)})
    >>> pump.ids, pump.shown("drive-end"), pump.shaft_hz("drive-end")
    (['plant/pump-1/drive-end'], 'Feed pump drive-end', 24.666666666666668)
    """

    site: str
    area: str
    asset: str
    name: str | None = None
    speed_rpm: float | None = None
    iso_group: str | None = None
    points: dict[str, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            for point in self.points or ("any",):
                PointId(self.site, self.asset, point)
        except ProtocolError as error:
            raise ParameterError(str(error)) from error
        _check_text("area", self.area)
        _check_text("name", self.name)
        _check_speed(self.speed_rpm)

    @property
    def id(self) -> str:
        """Site and asset."""
        return f"{self.site}/{self.asset}"

    @property
    def ids(self) -> list[str]:
        """Identities of the points."""
        return [f"{self.id}/{point}" for point in sorted(self.points)]

    def shown(self, point: str) -> str | None:
        """Name of a point for people, or None where none was entered."""
        own = self.points[point].name
        return own if own is not None or self.name is None else f"{self.name} {point}"

    def shaft_hz(self, point: str) -> float | None:
        """Shaft speed at a point in Hz, or None where none was entered."""
        own = self.points[point].speed_rpm
        rpm = self.speed_rpm if own is None else own
        return None if rpm is None else rpm / 60.0


def changes(before: Iterable[Machine], after: Iterable[Machine]) -> list[str]:
    """Say what differs between two asset models, a line for each machine or point that does."""
    return [f"{key}: {words}" for key, words in deeds(before, after)]


def deeds(before: Iterable[Machine], after: Iterable[Machine]) -> list[tuple[str, str]]:
    """Give which machines and points differ between two asset models, and in what."""
    old, new = _facts(before), _facts(after)
    found = []
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            found.append((key, "new"))
        elif key not in new:
            found.append((key, "taken out"))
        else:
            differing = [name for name, value in new[key].items() if old[key][name] != value]
            if differing:
                parts = [f"{name} {_said(old[key][name])} -> {_said(new[key][name])}" for name in differing]
                found.append((key, ", ".join(parts)))
    return found


def _facts(machines: Iterable[Machine]) -> dict[str, dict[str, object]]:
    facts: dict[str, dict[str, object]] = {}
    for machine in machines:
        facts[machine.id] = {name: getattr(machine, name) for name in ("area", "name", "speed_rpm", "iso_group")}
        for key, point in machine.points.items():
            facts[f"{machine.id}/{key}"] = {
                name: getattr(point, name) for name in ("name", "bearing", "speed_rpm", "mounting", "alarming")
            }
    return facts


def _said(value: object) -> str:
    if isinstance(value, Bearing):
        return value.name
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in sorted(value.items())) or "nothing"
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _check_text(what: str, text: str | None) -> None:
    if text is not None and not (text.strip() == text and text.isprintable() and 1 <= len(text) <= _LONGEST):
        raise ParameterError(f"{what} {text[:80]!r} is none; 1 to {_LONGEST} printable letters are wanted")


def _check_speed(rpm: float | None) -> None:
    if rpm is not None and not (math.isfinite(rpm) and rpm > 0.0):
        raise ParameterError(f"a speed of {rpm} rpm is none; a positive one is wanted")
