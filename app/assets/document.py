"""The asset model as YAML, there and back exactly; refuses what it does not know, each fault with its line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import yaml

from app.alarms.conditions import CONDITIONS, Conditions, Option
from app.assets.model import Machine, Point
from features.bearing import BEARINGS, Bearing, bearing_named
from features.errors import ParameterError, RacewayError
from features.iso20816 import Limits, limits_named

__all__ = ["AssetError", "read_assets", "write_assets"]

_T = TypeVar("_T")
_BEARING = ("name", "balls", "ball_mm", "pitch_mm", "contact_deg")


class AssetError(RacewayError):
    """An asset model that cannot be taken; `faults` has one sentence each, with its line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_assets(
    text: str, *, zones: Mapping[str, Limits] | None = None, bearings: Mapping[str, Bearing] | None = None
) -> list[Machine]:
    """Read machines from YAML.

    Parameters
    ----------
    text : str
    zones : mapping of str to Limits, optional
        Machine groups that are known; the built-in ones where left out.
    bearings : mapping of str to Bearing, optional
        Bearings by their designations; the built-in ones where left out.

    Raises
    ------
    AssetError
        With all that is wrong, each with its line.

    Examples
    --------
    >>> text = "sites: {plant: {areas: {hall 2: {machines: {pump-1: {points: {drive-end: {bearing: 6205-2RS}}}}}}}}"
    >>> read_assets(text)[0].points["drive-end"].bearing.balls
    9
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise AssetError([f"line {line}: this is no YAML ({error.problem})"]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise AssetError([f"line 1: this is no YAML ({type(error).__name__})"]) from error
    reader = _Reader(zones, BEARINGS if bearings is None else bearings)
    machines = reader.machines(root)
    if reader.faults:
        raise AssetError([f"line {line}: {sentence}" for line, sentence in sorted(reader.faults)])
    return sorted(machines, key=lambda machine: machine.id)


@dataclass
class _Reader:
    """Walks the tree to a fixed depth, so that no document, however it refers to itself, leads it astray."""

    zones: Mapping[str, Limits] | None
    bearings: Mapping[str, Bearing]
    faults: list[tuple[int, str]] = field(default_factory=list)

    def machines(self, root: Any) -> list[Machine]:
        found: dict[str, Machine] = {}
        if root is None:
            self._fault(None, "the document is empty; `sites` is wanted")
        top = self._entries(root, "the document", known=("sites",))
        for site, areas in self._entries(top.get("sites"), "sites").items():
            inner = self._entries(areas, f"site {site!r}", known=("areas",))
            for area, node in self._entries(inner.get("areas"), f"areas of {site!r}").items():
                body = self._entries(node, f"area {area!r}", known=("machines",))
                for asset, machine in self._entries(body.get("machines"), f"machines of {area!r}").items():
                    made = self._machine(site, area, asset, machine)
                    if made is not None and made.id in found:
                        self._fault(machine, f"machine {made.id!r} stands in area {found[made.id].area!r} too")
                    elif made is not None:
                        found[made.id] = made
        return list(found.values())

    def _machine(self, site: str, area: str, asset: str, node: Any) -> Machine | None:
        what = f"machine {asset!r}"
        given = self._entries(node, what, known=("name", "speed_rpm", "iso_group", "points"))
        nodes = self._entries(given.get("points"), f"points of {asset!r}")
        points = {key: self._point(key, inner) for key, inner in nodes.items()}
        group = self._text(given, "iso_group", what)
        if group is not None:
            self._made(given["iso_group"], lambda: limits_named(group, self.zones))
        name, speed = self._text(given, "name", what), self._number(given, "speed_rpm", what)
        return self._made(
            node, lambda: Machine(site, area, asset, name, speed, group, {k: p or Point() for k, p in points.items()})
        )

    def _point(self, key: str, node: Any) -> Point | None:
        what = f"point {key!r}"
        given = self._entries(node, what, known=("name", "bearing", "speed_rpm", "mounting", "alarming"))
        name, speed = self._text(given, "name", what), self._number(given, "speed_rpm", what)
        mounting = self._text(given, "mounting", what)
        bearing = self._bearing(given.get("bearing"), what)
        alarming = self._alarming(given.get("alarming"), f"alarming of {what}")
        return self._made(node, lambda: Point(name, bearing, speed, mounting, alarming))

    def _alarming(self, node: Any, what: str) -> dict[str, Option]:
        given = self._entries(node, what, known=tuple(CONDITIONS))
        options: dict[str, Option] = {}
        for key in given:
            value = self._text(given, key, what) if CONDITIONS[key] is str else self._number(given, key, what)
            made = None if value is None else self._made(given[key], partial(Conditions().changed, {key: value}))
            if made is not None:
                options[key] = getattr(made, key)
        return options

    def _bearing(self, node: Any, what: str) -> Bearing | None:
        if node is None:
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._made(node, lambda: bearing_named(node.value, self.bearings))
        given = self._entries(node, f"the bearing of {what}", known=_BEARING)
        name = self._text(given, "name", what)
        numbers = {key: self._number(given, key, what) for key in _BEARING[1:]}
        missing = [key for key in _BEARING[:4] if key not in given]
        balls = numbers["balls"]
        if missing:
            self._fault(node, f"the bearing of {what} lacks {missing[0]!r}")
        if missing or name is None or balls is None or numbers["ball_mm"] is None or numbers["pitch_mm"] is None:
            return None
        if balls != int(balls):
            self._fault(given["balls"], f"the bearing of {what} has {balls:g} balls; a whole number is wanted")
            return None
        ball_mm, pitch_mm, contact_deg = numbers["ball_mm"], numbers["pitch_mm"], numbers["contact_deg"] or 0.0
        return self._made(node, lambda: Bearing(name, int(balls), ball_mm, pitch_mm, contact_deg))

    # -- what every level is read by ----------------------------------------------------------------------------------

    def _fault(self, node: Any, sentence: str) -> None:
        self.faults.append((1 if node is None else node.start_mark.line + 1, sentence))

    def _made(self, node: Any, make: Callable[[], _T]) -> _T | None:
        try:
            return make()
        except ParameterError as error:
            self._fault(node, str(error))
            return None

    def _entries(self, node: Any, what: str, *, known: tuple[str, ...] | None = None) -> dict[str, Any]:
        """Entries of a mapping that is known or may be left empty."""
        if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, f"{what} is no mapping of names to entries")
            return {}
        entries: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fault(key, f"{what} has a name that is no text")
            elif key.value in entries:
                self._fault(key, f"{what} has {key.value!r} twice")
            elif known is not None and key.value not in known:
                self._fault(key, f"{what} has an unknown key {key.value!r}; known are {', '.join(known)}")
            else:
                entries[key.value] = value
        return entries

    def _text(self, given: dict[str, Any], key: str, what: str) -> str | None:
        node = given.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self._fault(node, f"{key} of {what} is no text")
            return None
        return str(node.value)

    def _number(self, given: dict[str, Any], key: str, what: str) -> float | None:
        text = self._text(given, key, what)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        self._fault(given[key], f"{key} of {what} is {text[:80]!r}; a number is wanted")
        return None


def write_assets(machines: Iterable[Machine], *, bearings: Mapping[str, Bearing] | None = None) -> str:
    """Write machines as YAML, in the order of their names; `read_assets` gives the same machines.

    Parameters
    ----------
    machines : iterable of Machine
    bearings : mapping of str to Bearing, optional
        Which are written by their designation alone; the built-in ones where left out.
    """
    library = BEARINGS if bearings is None else bearings
    sites: dict[str, Any] = {}
    for machine in sorted(machines, key=lambda machine: (machine.site, machine.area, machine.asset)):
        areas = sites.setdefault(machine.site, {"areas": {}})["areas"]
        own = areas.setdefault(machine.area, {"machines": {}})["machines"]
        points = {key: _point_entry(point, library) for key, point in sorted(machine.points.items())}
        values = {"name": machine.name, "speed_rpm": machine.speed_rpm, "iso_group": machine.iso_group}
        own[machine.asset] = _given(values) | {"points": points}
    text: str = yaml.safe_dump({"sites": sites}, sort_keys=False, allow_unicode=True, width=110)
    return text


def _point_entry(point: Point, library: Mapping[str, Bearing]) -> dict[str, Any]:
    bearing: Any = None
    if point.bearing is not None:
        known = library.get(point.bearing.name) == point.bearing
        bearing = point.bearing.name if known else {key: getattr(point.bearing, key) for key in _BEARING}
    return _given(
        {"name": point.name, "bearing": bearing, "speed_rpm": point.speed_rpm, "mounting": point.mounting}
        | {"alarming": dict(sorted(point.alarming.items())) or None},
    )


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
