"""All measuring points at a glance: a few bounded queries over all of them, however many windows are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.alarms.conditions import Alarming
from app.alarms.register import NO_DATA, NODE_FAULT, Tag, tags
from app.alarms.silence import is_silent
from app.assets.register import alarming
from app.attention import Facts, Level, Rise
from app.console.queries import AlarmRow, open_alarms
from app.console.words import ago, node_state, state_of
from app.fleet.nodes import Node, nodes_of
from app.forecast import Forecast, forecasts
from app.schema import asset_machines, node_reports, points, windows
from app.settings import Settings
from app.severity import shaking_of
from app.store import PointRow, features_from_blob, point_rows, reading
from features.contract import WATCHED
from features.errors import ParameterError
from features.iso20816 import Limits, limits_named, severity

__all__ = ["Glance", "Place", "glances", "worst_by_machine"]

# Windows of each point that its small line is drawn through, and how far it goes back.
_LINE, _LINE_NS = 40, 30 * 86_400_000_000_000
# Windows at each end of the line that a rise is taken between.
_END = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a measuring point is: the area is empty where nobody entered one."""

    site: str
    area: str
    machine: str

    @property
    def shown(self) -> str:
        """Site and area for people."""
        return f"{self.site} · {self.area}" if self.area else f"{self.site} · no area entered"


@dataclass(frozen=True, eq=False, slots=True)
class Glance:
    """A measuring point at a glance.

    Attributes
    ----------
    row : PointRow
    place : Place
    facts : Facts
    level : Level
    rank : tuple
        As `Facts.rank` gives it.
    node : Node or None
    line : list of float
        Score over threshold at times that lie evenly over the last 30 days, or over all that is stored.
    """

    row: PointRow
    place: Place
    facts: Facts
    level: Level
    rank: tuple[tuple[int, float], ...]
    node: Node | None
    line: list[float]

    @property
    def machine(self) -> str:
        """Identity of the machine: site and asset."""
        return self.row.id.rpartition("/")[0]


def glances(engine: Engine, settings: Settings, *, now_ns: int) -> list[Glance]:
    """Look at all measuring points, the one that asks for attention most first.

    Parameters
    ----------
    engine : Engine
    settings : Settings
        With the table of zones and the silence that counts.
    now_ns : int
    """
    with reading(engine) as connection:
        rows, nodes = point_rows(connection), {node.point_id: node for node in nodes_of(connection)}
        active = open_alarms(connection)
        standing = _standing(connection)
        places = _places(connection)
        lines = _lines(connection, windows, "start_ns")
        if nodes:
            lines |= {key: line for key, line in _lines(connection, node_reports, "at_ns").items() if key in nodes}
        zones = _zones(connection, rows, settings)
        due = {one.point_id: one for one in forecasts(connection) if one.due}
        own = alarming(connection)
    found = []
    for row in rows:
        line = lines.get(row.id, ())
        node, alarm = nodes.get(row.id), active.get(row.id)
        silent = _silent(row, own.get(row.id), node, stale_s=settings.stale_after_s, now_ns=now_ns)
        facts = _facts(settings, row, node, alarm, standing.get(row.id, ()), line, zones.get(row.id), silent)
        facts = replace(facts, **_due(due.get(row.id)))
        level, rank = facts.level(now_ns=now_ns), facts.rank(now_ns=now_ns)
        found.append(Glance(row, _place(places, row.id), facts, level, rank, node, [round(r, 3) for _, r in line]))
    return sorted(found, key=lambda one: (tuple((-level, -weight) for level, weight in one.rank), one.row.id))


def worst_by_machine(found: list[Glance]) -> list[Glance]:
    """Give the first point of each machine, in the order in which they come."""
    first: dict[str, Glance] = {}
    for one in found:
        first.setdefault(one.machine, one)
    return list(first.values())


def _facts(
    settings: Settings,
    row: PointRow,
    node: Node | None,
    alarm: AlarmRow | None,
    standing: tuple[Tag, ...],
    line: tuple[tuple[int, float], ...],
    zone: str | None,
    silent: str,
) -> Facts:
    known = {tag.tag for tag in standing if tag.alarm.active}
    state, offline = row.state, ""
    ratio = row.score / row.threshold if row.score is not None and row.threshold else None
    if node is not None:
        symbol, word, _ = node_state(node)
        state = "learning" if node.state == "commissioning" or node.number is None else "watching"
        offline = f"node {node.name}: {word.lower()}" if symbol == "✕" and NODE_FAULT not in known else ""
        ratio = node.ratio
    unjudged = node is None and row.unjudged
    _, words, _ = state_of(row, None, wanted=settings.baseline_windows, node=node)
    return Facts(
        state=state,
        state_words=f"no baseline could be learned: {row.failure}" if state == "failed" else words.lower(),
        alarms=standing,
        kind=None if alarm is None else alarm.kind,
        ratio=ratio,
        rise=_rise(line),
        zone=zone,
        unjudged_words=f"nothing is judged: {row.unjudged}" if unjudged else "",
        silent_words="" if NO_DATA in known else silent,
        offline_words=offline,
    )


def _due(found: Forecast | None) -> dict[str, Any]:
    if found is None or found.likely_ns is None:
        return {}
    earliest_ns = found.likely_ns if found.earliest_ns is None else found.earliest_ns
    return {"due_ns": (earliest_ns, found.likely_ns, found.latest_ns), "due_words": found.reason}


def _silent(row: PointRow, given: Alarming | None, node: Node | None, *, stale_s: float, now_ns: int) -> str:
    """Since when a point is silent, by the rule of its `no data` alarm; empty where it is not."""
    if row.seen_ns is None:
        return "nothing has ever come"
    period_ms = None if node is None else node.period_ms
    silent = is_silent(row.seen_ns, given, stale_s=stale_s, period_ms=period_ms, now_ns=now_ns)
    return f"last heard of {ago(row.seen_ns, now_ns=now_ns)}" if silent else ""


def _rise(line: tuple[tuple[int, float], ...]) -> Rise | None:
    if len(line) < 3 * _END:
        return None
    ratios = np.array([ratio for _, ratio in line])
    return Rise(float(np.median(ratios[:_END])), float(np.median(ratios[-_END:])), line[-1][0] - line[0][0])


def _standing(connection: Connection) -> dict[str, tuple[Tag, ...]]:
    """Alarms of each point that are to be worked on."""
    found: dict[str, list[Tag]] = {}
    for tag in tags(connection):
        if not tag.alarm.hidden and (tag.alarm.active or tag.alarm.wants_attention):
            found.setdefault(tag.point_id, []).append(tag)
    return {key: tuple(own) for key, own in found.items()}


def _places(connection: Connection) -> dict[str, Place]:
    columns = (asset_machines.c.site, asset_machines.c.asset, asset_machines.c.area, asset_machines.c.name)
    rows = connection.execute(sa.select(*columns))
    return {f"{row.site}/{row.asset}": Place(row.site, row.area, row.name or row.asset) for row in rows}


def _place(places: Mapping[str, Place], point_id: str) -> Place:
    machine = point_id.rpartition("/")[0]
    site, _, asset = machine.partition("/")
    return places.get(machine) or Place(site, "", asset)


def _lines(connection: Connection, table: sa.Table, time: str) -> dict[str, tuple[tuple[int, float], ...]]:
    """Times and score over threshold of a few windows of each point, oldest first; the last one is its latest.

    Each is found by the index of times: what it costs does not grow with what is stored.
    """
    column = table.c[time]
    first, last = (
        sa.select(of(column)).where(table.c.point_id == points.c.id).scalar_subquery()
        for of in (sa.func.min, sa.func.max)
    )
    spans = sa.select(points.c.id, first.label("first"), last.label("last")).cte("spans")
    steps = sa.select(sa.literal(0).label("step")).cte("steps", recursive=True)
    steps = steps.union_all(sa.select(steps.c.step + 1).where(steps.c.step < _LINE - 1))
    begin = sa.case((spans.c.first < spans.c.last - _LINE_NS, spans.c.last - _LINE_NS), else_=spans.c.first)
    at = begin + (spans.c.last - begin) * steps.c.step // (_LINE - 1)
    nearest = (
        sa.select(table.c.id)
        .where(table.c.point_id == spans.c.id, column <= at)
        .order_by(column.desc())
        .limit(1)
        .correlate(spans, steps)
        .scalar_subquery()
    )
    chosen = sa.select(nearest).select_from(spans.join(steps, sa.true()))
    query = sa.select(table.c.point_id, column.label("at"), table.c.score, table.c.threshold)
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in connection.execute(query.where(table.c.id.in_(chosen))):
        if row.score is not None and row.threshold:
            lines.setdefault(row.point_id, []).append((row.at, row.score / row.threshold))
    return {key: tuple(sorted(line)) for key, line in lines.items()}


def _zones(connection: Connection, rows: list[PointRow], settings: Settings) -> dict[str, str]:
    """Zone of the latest window of each point whose group is known."""
    grouped = {row.id: row for row in rows if row.iso_group is not None}
    if not grouped:
        return {}
    try:
        table = settings.zone_limits()
    except ParameterError:
        # The machine's page says what is wrong with the table.
        return {}
    own = windows.c.point_id == points.c.id
    latest = sa.select(windows.c.id).where(own).order_by(windows.c.start_ns.desc()).limit(1)
    chosen = sa.select(latest.correlate(points).scalar_subquery()).where(points.c.iso_group.is_not(None))
    names = ("point_id", "start_ns", "end_ns", "rate_hz", "shaft_hz", "features", "contract")
    query = sa.select(*(windows.c[name] for name in names)).where(windows.c.id.in_(chosen))
    found = {row.point_id: _zone(row, grouped[row.point_id], table) for row in connection.execute(query)}
    return {key: zone for key, zone in found.items() if zone is not None}


def _zone(window: sa.Row[Any], row: PointRow, table: Mapping[str, Limits]) -> str | None:
    features: NDArray[np.float32] = features_from_blob(window.features)
    if window.contract != WATCHED.hash or not features.size or features.size % len(WATCHED.features):
        return None
    shaken = shaking_of(
        features,
        span_s=(window.end_ns - window.start_ns) / 1e9,
        rate_hz=window.rate_hz,
        shaft_hz=window.shaft_hz or row.nominal_shaft_hz,
    )
    try:
        limits = limits_named(row.iso_group or "", table)
    except ParameterError:
        return None
    if shaken is None:
        return None
    beside = shaken.displacement_um if limits.displacement_um is not None else None
    return severity(limits, velocity_mm_s=shaken.velocity_mm_s, displacement_um=beside).zone
