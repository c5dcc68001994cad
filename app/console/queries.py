"""What the pages read from the store: small, bounded, read-only queries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.alarms.register import HEALTH
from app.fleet.nodes import Node, nodes_of
from app.schema import alarms, counters, node_reports, windows
from app.store import PointRow, point_rows, reading

__all__ = [
    "AlarmRow",
    "Trend",
    "VerdictRow",
    "alarm_history",
    "fleet",
    "latest_verdict",
    "open_alarms",
    "point_counters",
    "point_counts",
    "refusal_counts",
    "report_trend",
    "speaking_nodes",
    "trend",
]


@dataclass(frozen=True)
class AlarmRow:
    """An alarm of a point; `cleared_ns` is None while it is active, `tag` says whose verdict it is."""

    point_id: str
    raised_ns: int
    cleared_ns: int | None
    window_start_ns: int
    ratio: float
    kind: str | None
    probabilities: dict[str, float] | None
    tag: str = HEALTH


@dataclass(frozen=True, eq=False)
class Trend:
    """Scores over time.

    Attributes
    ----------
    start_ns : ndarray of int64, shape (windows,)
        Ascending.
    score, threshold, rms : ndarray of float64, shape (windows,)
        NaN where the point had no baseline yet.
    """

    start_ns: NDArray[np.int64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    rms: NDArray[np.float64]


@dataclass(frozen=True)
class VerdictRow:
    """The verdict on one window, with what made it."""

    start_ns: int
    end_ns: int
    rate_hz: float
    shaft_hz: float | None
    load: float | None
    rms: float
    score: float | None
    threshold: float | None
    bundle: str | None
    contract: str
    probabilities: dict[str, float] | None
    diagnosis_bundle: str | None


def fleet(engine: Engine) -> tuple[list[PointRow], dict[str, AlarmRow]]:
    """All points, and the active alarm of those that have one."""
    with reading(engine) as connection:
        return point_rows(connection), open_alarms(connection)


def open_alarms(connection: Connection) -> dict[str, AlarmRow]:
    """The active alarm of each point that has one."""
    active = sa.select(alarms).where(alarms.c.cleared_ns.is_(None)).order_by(alarms.c.raised_ns)
    return {row.point_id: _alarm(row) for row in connection.execute(active)}


def _alarm(row: sa.Row[Any]) -> AlarmRow:
    return AlarmRow(
        point_id=row.point_id,
        raised_ns=row.raised_ns,
        cleared_ns=row.cleared_ns,
        window_start_ns=row.window_start_ns,
        ratio=row.ratio,
        kind=row.kind,
        probabilities=_loaded(row.probabilities),
        tag=row.tag,
    )


def _loaded(text: str | None) -> dict[str, float] | None:
    return None if text is None else json.loads(text)


def alarm_history(engine: Engine, point_id: str, *, most: int) -> list[AlarmRow]:
    """The latest alarms of a point, newest first."""
    query = sa.select(alarms).where(alarms.c.point_id == point_id).order_by(alarms.c.raised_ns.desc()).limit(most)
    with reading(engine) as connection:
        return [_alarm(row) for row in connection.execute(query)]


def trend(engine: Engine, point_id: str, *, since_ns: int = 0, most: int) -> Trend:
    """The latest windows of a point, oldest first.

    Parameters
    ----------
    engine : Engine
    point_id : str
    since_ns : int
        Windows that start earlier are left out.
    most : int
        Most windows read; the latest ones.
    """
    columns = (windows.c.start_ns, windows.c.score, windows.c.threshold, windows.c.rms)
    own = (windows.c.point_id == point_id) & (windows.c.start_ns >= since_ns)
    query = sa.select(*columns).where(own).order_by(windows.c.start_ns.desc()).limit(most)
    with reading(engine) as connection:
        rows = connection.execute(query).all()[::-1]
    values = np.array([[np.nan if v is None else v for v in row[1:]] for row in rows], dtype=np.float64).reshape(-1, 3)
    return Trend(np.array([row[0] for row in rows], dtype=np.int64), values[:, 0], values[:, 1], values[:, 2])


def speaking_nodes(engine: Engine) -> dict[str, Node]:
    """All nodes by their point."""
    with reading(engine) as connection:
        return {node.point_id: node for node in nodes_of(connection)}


def report_trend(engine: Engine, point_id: str, *, since_ns: int = 0, most: int) -> Trend:
    """Scores of a node's latest reports, as `trend` gives those of windows; RMS is not known."""
    columns = (node_reports.c.at_ns, node_reports.c.score, node_reports.c.threshold)
    own = (node_reports.c.point_id == point_id) & (node_reports.c.at_ns >= since_ns)
    query = sa.select(*columns).where(own).order_by(node_reports.c.at_ns.desc()).limit(most)
    with reading(engine) as connection:
        rows = connection.execute(query).all()[::-1]
    values = np.array([[np.nan if v is None else v for v in row[1:]] for row in rows], dtype=np.float64).reshape(-1, 2)
    times = np.array([row[0] for row in rows], dtype=np.int64)
    return Trend(times, values[:, 0], values[:, 1], np.full(times.size, np.nan))


def latest_verdict(engine: Engine, point_id: str, *, start_ns: int | None = None) -> VerdictRow | None:
    """The verdict on the latest window of a point, or on the one that starts at a time."""
    own = windows.c.point_id == point_id
    if start_ns is not None:
        own &= windows.c.start_ns == start_ns
    query = sa.select(windows).where(own).order_by(windows.c.start_ns.desc()).limit(1)
    with reading(engine) as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    return VerdictRow(
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        rate_hz=row.rate_hz,
        shaft_hz=row.shaft_hz,
        load=row.load,
        rms=row.rms,
        score=row.score,
        threshold=row.threshold,
        bundle=row.bundle,
        contract=row.contract,
        probabilities=_loaded(row.probabilities),
        diagnosis_bundle=row.diagnosis_bundle,
    )


def point_counts(engine: Engine) -> dict[str, dict[str, int]]:
    """Counters of each point: blocks, windows, duplicates, late, gaps, steps, restarts."""
    counts: dict[str, dict[str, int]] = {}
    with reading(engine) as connection:
        for row in connection.execute(sa.select(counters).where(counters.c.point_id != "")):
            counts.setdefault(row.point_id, {})[row.name] = row.value
    return counts


def point_counters(connection: Connection, point_id: str) -> dict[str, int]:
    """Counters of one point, by name."""
    query = sa.select(counters.c.name, counters.c.value).where(counters.c.point_id == point_id)
    return {row.name: row.value for row in connection.execute(query)}


def refusal_counts(engine: Engine) -> dict[str, int]:
    """Messages set aside, by reason."""
    refused = "refused "
    query = sa.select(counters).where(counters.c.point_id == "", counters.c.name.startswith(refused))
    with reading(engine) as connection:
        return {row.name.removeprefix(refused): row.value for row in connection.execute(query)}
