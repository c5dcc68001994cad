"""The asset model in the store: what was entered holds over what a point says of itself, which is kept beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.alarms.conditions import Option, alarming_of, alarming_text
from app.assets.model import Machine, Point
from app.schema import asset_machines, asset_points, points
from app.store import PointRow, point_rows, save_point
from app.wire import About, PointId
from features.bearing import Bearing

__all__ = ["Difference", "alarming", "differences", "enter", "entered", "note_said", "said_of", "told"]

_SAID = ("name", "bearing", "nominal_shaft_hz", "iso_group")
_GEOMETRY = ("name", "balls", "ball_mm", "pitch_mm", "contact_deg")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a point says of itself something else than was entered, which holds."""

    point_id: str
    what: str
    entered: str
    said: str


def entered(connection: Connection) -> list[Machine]:
    """Read all machines that were entered, by identity."""
    by_machine: dict[str, dict[str, Point]] = {}
    for row in connection.execute(sa.select(asset_points)):
        machine, _, key = row.point_id.rpartition("/")
        point = _point(row)
        by_machine.setdefault(machine, {})[key] = point
    return [
        Machine(
            row.site,
            row.area,
            row.asset,
            row.name,
            row.speed_rpm,
            row.iso_group,
            dict(sorted(by_machine.get(f"{row.site}/{row.asset}", {}).items())),
        )
        for row in connection.execute(sa.select(asset_machines).order_by(asset_machines.c.site, asset_machines.c.asset))
    ]


def enter(connection: Connection, machines: Iterable[Machine]) -> None:
    """Let these machines be all that was entered, in the caller's transaction.

    A point that has never sent anything is stored from now on. One that is no longer among them is again what it says
    of itself; what was measured at it stays.
    """
    rows = {row.id: row for row in point_rows(connection)}
    kept, alarmed = _all_said(connection), alarming(connection)
    connection.execute(asset_points.delete())
    connection.execute(asset_machines.delete())
    wanted: set[str] = set()
    for machine in machines:
        values = {name: getattr(machine, name) for name in ("site", "asset", "area", "name", "speed_rpm", "iso_group")}
        connection.execute(asset_machines.insert().values(**values))
        for key, point in machine.points.items():
            _enter_point(connection, machine, key, point, rows, kept, alarmed)
            wanted.add(f"{machine.id}/{key}")
    for point_id in kept.keys() - wanted:
        _settle(connection, rows[point_id], _facts_of_text(kept[point_id]), anew=bool(alarmed.get(point_id)))


def _enter_point(
    connection: Connection,
    machine: Machine,
    key: str,
    point: Point,
    rows: Mapping[str, PointRow],
    kept: Mapping[str, str],
    alarmed: Mapping[str, Mapping[str, Option]],
) -> None:
    point_id = f"{machine.id}/{key}"
    row = rows.get(point_id)
    if row is None:
        row = PointRow(point_id, f"{machine.asset} {key}")
        save_point(connection, row, new=True)
    # What holds of a point for which nothing was entered is what it said.
    said = kept.get(point_id) or _text_of_facts({name: getattr(row, name) for name in _SAID})
    connection.execute(
        asset_points.insert().values(
            point_id=point_id,
            name=point.name,
            bearing=_text_of_bearing(point.bearing),
            speed_rpm=point.speed_rpm,
            mounting=point.mounting,
            said=said,
            alarming=alarming_text(point.alarming),
        )
    )
    anew = alarming_text(point.alarming) != alarming_text(alarmed.get(point_id))
    _settle(connection, row, _facts_of_text(said) | _entered_facts(machine, key), anew=anew)


def _settle(connection: Connection, row: PointRow, facts: Mapping[str, Any], *, anew: bool) -> None:
    """Let facts hold of a point, so that a running ingest notices; `anew` where its alarms have other conditions."""
    if not anew and all(getattr(row, name) == value for name, value in facts.items()):
        return
    values = dict(facts)
    if "bearing" in facts:
        values["bearing"] = _text_of_bearing(facts["bearing"])
    # These columns alone: what ingest writes of the point meanwhile is none of ours.
    own = points.c.id == row.id
    connection.execute(points.update().where(own).values(**values, revision=points.c.revision + 1))


def told(connection: Connection, about: About) -> dict[str, Any]:
    """Facts that hold of a point after it has said something of itself: what was entered, else what it says."""
    facts = _said_facts(about)
    machine = _machine_of(connection, about.point)
    return facts if machine is None else facts | _entered_facts(machine, about.point.point)


def note_said(connection: Connection, about: About) -> None:
    """Keep what a point says of itself, where something was entered for it."""
    own = asset_points.c.point_id == str(about.point)
    connection.execute(asset_points.update().where(own).values(said=_text_of_facts(_said_facts(about))))


def said_of(connection: Connection, point_id: str) -> dict[str, Any]:
    """What a point that was entered says of itself: name, bearing, nominal_shaft_hz, iso_group."""
    query = sa.select(asset_points.c.said).where(asset_points.c.point_id == point_id)
    return _facts_of_text(connection.execute(query).scalar_one())


def differences(connection: Connection) -> list[Difference]:
    """List where points say something else of themselves than was entered; names are people's own matter."""
    said = _all_said(connection)
    found = []
    for machine in entered(connection):
        for key in machine.points:
            theirs, ours = _facts_of_text(said[f"{machine.id}/{key}"]), _entered_facts(machine, key)
            for name, value in ours.items():
                if name != "name" and theirs[name] is not None and theirs[name] != value:
                    found.append(Difference(f"{machine.id}/{key}", *_shown(name, value, theirs[name])))
    return found


def alarming(connection: Connection) -> dict[str, dict[str, Option]]:
    """Alarm options by point, of those that have any of their own."""
    query = sa.select(asset_points.c.point_id, asset_points.c.alarming).where(asset_points.c.alarming.is_not(None))
    return {row.point_id: alarming_of(row.alarming) for row in connection.execute(query)}


def _point(row: sa.Row[Any]) -> Point:
    return Point(row.name, _bearing(row.bearing), row.speed_rpm, row.mounting, alarming_of(row.alarming))


def _all_said(connection: Connection) -> dict[str, str]:
    rows = connection.execute(sa.select(asset_points.c.point_id, asset_points.c.said))
    return {row.point_id: row.said for row in rows}


def _shown(name: str, ours: Any, theirs: Any) -> tuple[str, str, str]:
    if name == "bearing":
        return "bearing", ours.name, theirs.name if theirs.name != ours.name else "another geometry of that name"
    if name == "nominal_shaft_hz":
        return "speed", f"{60.0 * ours:.6g} rpm", f"{60.0 * theirs:.6g} rpm"
    return "ISO group", ours, theirs


def _machine_of(connection: Connection, point: PointId) -> Machine | None:
    """The machine as far as this point goes, or None where the point was not entered."""
    row = connection.execute(sa.select(asset_points).where(asset_points.c.point_id == str(point))).first()
    if row is None:
        return None
    own = (asset_machines.c.site == point.site) & (asset_machines.c.asset == point.asset)
    machine = connection.execute(sa.select(asset_machines).where(own)).one()
    inner = _point(row)
    common = (machine.site, machine.area, machine.asset, machine.name, machine.speed_rpm, machine.iso_group)
    return Machine(*common, {point.point: inner})


def _entered_facts(machine: Machine, key: str) -> dict[str, Any]:
    facts = {
        "name": machine.shown(key),
        "bearing": machine.points[key].bearing,
        "nominal_shaft_hz": machine.shaft_hz(key),
        "iso_group": machine.iso_group,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _said_facts(about: About) -> dict[str, Any]:
    return dict(zip(_SAID, (about.name, about.bearing, about.shaft_hz, about.iso_group), strict=True))


def _text_of_facts(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts) | {"bearing": _text_of_bearing(facts["bearing"])})


def _facts_of_text(text: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(text)
    return facts | {"bearing": _bearing(facts["bearing"])}


def _text_of_bearing(bearing: Bearing | None) -> str | None:
    return None if bearing is None else json.dumps({name: getattr(bearing, name) for name in _GEOMETRY})


def _bearing(text: str | None) -> Bearing | None:
    return None if text is None else Bearing(**json.loads(text))
