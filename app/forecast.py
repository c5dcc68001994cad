"""When each point's indicators are expected to reach their limits, computed from its stored windows and kept.

Velocity is followed to the zone in which a machine may be damaged (C/D of its ISO group), and the anomaly score to its
threshold, as the model that serves has said it. Nothing is forecast across a repair or a new baseline, without growth,
or without a limit: then the reason is kept instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.schema import forecasts as table
from app.schema import labels, node_reports, nodes, points, windows
from app.settings import Settings
from app.store import PointRow, features_from_blob, point_rows, reading, writing
from features.contract import WATCHED
from features.errors import ParameterError
from features.iso20816 import limits_named
from models.degradation import Growth, growth_of, passage_of

__all__ = ["SCORE", "VELOCITY", "Forecast", "Levels", "forecast_point", "forecasts", "levels_of", "renew"]

VELOCITY, SCORE = "velocity RMS", "score over threshold"
# What is looked back on at most, the parts it is cut into, and the windows read of each: a part counts by its median.
_LONGEST_NS = 90 * 86_400_000_000_000
_PARTS, _OF_PART = 60, 5
# The first part of what is looked back on is healthy: it follows a repair, a new baseline or the time before.
_HEALTHY_SHARE, _FEWEST_HEALTHY = 5, 6
_DAY_S = 86_400.0
_VELOCITY_AT = WATCHED.index("velocity_rms")
_NO_END = 1 << 62
# Time in nanoseconds, velocity, score over threshold; NaN where unknown.
_Read = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a point needs somebody, as far as its trend tells.

    Attributes
    ----------
    point_id : str
    at_ns : int
        When it was computed.
    reason : str
        In words; without a due time, why there is none.
    indicator, unit : str or None
        What grows.
    value, bound : float or None
        Where it is and the limit that it is followed to, in `unit`.
    growth_per_day : float or None
        Factor that it grows by in a day.
    onset_ns : int or None
        When it began to grow.
    earliest_ns, likely_ns : int or None
        By when the limit is reached with a probability of 5 % and of one half; None where nothing is due.
    latest_ns : int or None
        The same with 95 %; None also where it may well never be.
    """

    point_id: str
    at_ns: int
    reason: str
    indicator: str | None = None
    value: float | None = None
    bound: float | None = None
    unit: str | None = None
    growth_per_day: float | None = None
    onset_ns: int | None = None
    earliest_ns: int | None = None
    likely_ns: int | None = None
    latest_ns: int | None = None

    @property
    def due(self) -> bool:
        """Whether a time is given."""
        return self.likely_ns is not None


@dataclass(frozen=True, eq=False)
class Levels:
    """Medians of an indicator over equal parts of the time that is looked back on.

    Attributes
    ----------
    indicator, unit : str
    bound : float or None
        None where no limit is known.
    at_ns : ndarray of int64, shape (parts,)
        Rising.
    value : ndarray, shape (parts,)
    """

    indicator: str
    unit: str
    bound: float | None
    at_ns: NDArray[np.int64]
    value: NDArray[np.float64]

    @property
    def healthy(self) -> int:
        """Parts at the beginning that count as healthy."""
        return max(len(self.value) // _HEALTHY_SHARE, _FEWEST_HEALTHY)

    def growth(self) -> Growth | None:
        """How it has grown since its onset, times in seconds."""
        return growth_of(self.value, (self.at_ns - self.at_ns[0]) / 1e9, healthy=self.healthy)


def levels_of(connection: Connection, settings: Settings, row: PointRow, *, now_ns: int) -> list[Levels]:
    """Read what is followed of a point: bounded, however many windows are stored.

    Parameters
    ----------
    connection : Connection
    settings : Settings
    row : PointRow
    now_ns : int

    Returns
    -------
    list of Levels
        Without those that have no value yet.
    """
    since_ns = max(now_ns - _LONGEST_NS, _begun_ns(connection, row))
    edges = np.linspace(since_ns, now_ns, _PARTS + 1).astype(np.int64).tolist()
    parts = list(pairwise(edges))
    if connection.execute(sa.select(nodes.c.point_id).where(nodes.c.point_id == row.id)).first() is not None:
        found = _medians(connection, [_report_query(row.id, i, *part) for i, part in enumerate(parts)], _of_report)
    else:
        found = _medians(connection, [_window_query(row, i, *part) for i, part in enumerate(parts)], _of_window)
    # Those of one part come from its beginning, so its level is of then.
    at_ns = np.array([round(part[0]) for part in found], dtype=np.int64)
    bounds = {VELOCITY: _zone_d(settings, row), SCORE: 1.0}
    return [
        levels
        for i, (indicator, unit) in enumerate(((VELOCITY, "mm/s"), (SCORE, "")), start=1)
        if (levels := _levels(indicator, unit, bounds[indicator], at_ns, [part[i] for part in found])) is not None
    ]


def _levels(
    indicator: str, unit: str, bound: float | None, at_ns: NDArray[np.int64], medians: Sequence[float]
) -> Levels | None:
    value = np.array(medians, dtype=np.float64)
    known = np.isfinite(value) & (value > 0.0)
    return Levels(indicator, unit, bound, at_ns[known], value[known]) if known.any() else None


def _window_query(row: PointRow, part: int, first_ns: int, end_ns: int) -> sa.Select[Any]:
    one = windows.c
    own = (
        (one.point_id == row.id) & (one.start_ns >= first_ns) & (one.start_ns < end_ns) & (one.id > row.baseline_after)
    )
    columns = (sa.literal(part).label("part"), one.start_ns.label("at_ns"), one.contract, one.features)
    score = _score_of(one, one.bundle == row.bundle if row.bundle else one.bundle.is_(None))
    return sa.select(*columns, score, one.threshold).where(own).order_by(one.start_ns).limit(_OF_PART)


def _report_query(point_id: str, part: int, first_ns: int, end_ns: int) -> sa.Select[Any]:
    one = node_reports.c
    own = (one.point_id == point_id) & (one.at_ns >= first_ns) & (one.at_ns < end_ns)
    latest = sa.select(one.model).where(one.point_id == point_id).order_by(one.at_ns.desc()).limit(1)
    columns = (sa.literal(part).label("part"), one.at_ns, one.threshold)
    score = _score_of(one, one.model == latest.scalar_subquery().correlate(None))
    return sa.select(*columns, score).where(own).order_by(one.at_ns).limit(_OF_PART)


def _score_of(one: Any, serves: sa.ColumnElement[bool]) -> sa.ColumnElement[float]:
    """Only what the model that serves has said is followed: another one's scores stand at another level."""
    return sa.case((serves, one.score), else_=None).label("score")


def _of_window(row: sa.Row[Any]) -> _Read:
    known = row.contract == WATCHED.hash
    velocity = float(features_from_blob(row.features)[_VELOCITY_AT]) if known else math.nan
    return row.at_ns, velocity, _ratio(row)


def _of_report(row: sa.Row[Any]) -> _Read:
    return row.at_ns, math.nan, _ratio(row)


def _ratio(row: sa.Row[Any]) -> float:
    return row.score / row.threshold if row.score is not None and row.threshold else math.nan


def _medians(
    connection: Connection, queries: Sequence[sa.Select[Any]], read: Callable[[sa.Row[Any]], _Read]
) -> list[_Read]:
    """Medians of each part that has rows, in order; all parts are one statement, each with its own limit."""
    whole = sa.union_all(*(sa.select(query.subquery()) for query in queries))
    by_part: dict[int, list[_Read]] = {}
    for row in connection.execute(whole):
        by_part.setdefault(row.part, []).append(read(row))
    columns = [np.array(by_part[part], dtype=np.float64).T for part in sorted(by_part)]
    return [(_median(at_ns), _median(velocity), _median(ratio)) for at_ns, velocity, ratio in columns]


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan


def _begun_ns(connection: Connection, row: PointRow) -> int:
    """When the machine was last made as new: its repair, or the first window since the point began to learn."""
    repaired = sa.select(sa.func.max(labels.c.last_ns)).where(labels.c.point_id == row.id, labels.c.kind == "repair")
    first = (
        sa.select(windows.c.start_ns)
        .where(windows.c.point_id == row.id, windows.c.id > row.baseline_after)
        .order_by(windows.c.id)
        .limit(1)
    )
    return max(connection.execute(repaired).scalar() or 0, connection.execute(first).scalar() or 0)


def _zone_d(settings: Settings, row: PointRow) -> float | None:
    """Velocity in mm/s from which the machine may be damaged."""
    if row.iso_group is None:
        return None
    try:
        return float(limits_named(row.iso_group, settings.zone_limits()).velocity_mm_s[2])
    except ParameterError:
        return None


def forecast_point(point_id: str, followed: Iterable[Levels], *, now_ns: int) -> Forecast:
    """Say when the first of a point's indicators reaches its limit, or why nothing can be said.

    Parameters
    ----------
    point_id : str
    followed : iterable of Levels
    now_ns : int

    Returns
    -------
    Forecast
    """
    due: list[Forecast] = []
    reasons: list[Forecast] = []
    for levels in followed:
        found = _followed(point_id, levels, now_ns=now_ns)
        (due if found.due else reasons).append(found)
    if due:
        return min(due, key=lambda one: (one.likely_ns or 0, one.earliest_ns or 0))
    if reasons:
        # What grows without a known limit says more than what does not grow.
        return max(reasons, key=lambda one: one.growth_per_day or 0.0)
    return Forecast(point_id, now_ns, "no window was judged yet")


def _followed(point_id: str, levels: Levels, *, now_ns: int) -> Forecast:
    growth = levels.growth()
    now, last_ns = float(levels.value[-1]), int(levels.at_ns[-1])
    about: dict[str, Any] = {"indicator": levels.indicator, "unit": levels.unit, "value": now, "bound": levels.bound}
    if growth is None:
        few = len(levels.value) < 2 * levels.healthy
        return Forecast(point_id, now_ns, "too little was measured yet" if few else "nothing grows", **about)
    about |= {
        "growth_per_day": math.exp(min(growth.rate * _DAY_S, 700.0)),
        "onset_ns": int(levels.at_ns[growth.onset]),
    }
    if levels.bound is None:
        words = f"{levels.indicator} grows, but no limit is known: enter the machine's ISO group"
        return Forecast(point_id, now_ns, words, **about)
    if now >= levels.bound and levels.indicator == SCORE:
        return Forecast(point_id, now_ns, "the score is above its threshold already", **about)
    passage = passage_of(growth, limit=levels.bound)
    then: dict[str, Any] = {
        f"{name}_ns": _at(last_ns, seconds, now_ns=now_ns)
        for name, seconds in (
            ("earliest", passage.early_s),
            ("likely", passage.likely_s),
            ("latest", passage.late_s),
        )
    }
    words = "reaches zone D of its ISO group" if levels.indicator == VELOCITY else "reaches its alarm threshold"
    if then["likely_ns"] is None:
        return Forecast(point_id, now_ns, f"{levels.indicator} grows too slowly to say when", **about)
    return Forecast(point_id, now_ns, f"{levels.indicator} {words}", **about, **then)


def _at(last_ns: int, seconds: float, *, now_ns: int) -> int | None:
    """So many seconds after the last level, now if that has passed; None for what lies beyond all calendars."""
    return None if last_ns + seconds * 1e9 > _NO_END else max(last_ns + round(seconds * 1e9), now_ns)


def renew(engine: Engine, settings: Settings, *, now_ns: int) -> list[Forecast]:
    """Compute the forecasts of all points and keep them; the store is written to at the end alone."""
    with reading(engine) as connection:
        made = [
            forecast_point(row.id, levels_of(connection, settings, row, now_ns=now_ns), now_ns=now_ns)
            for row in point_rows(connection)
        ]
    with writing(engine) as connection:
        connection.execute(table.delete())
        if made:
            connection.execute(table.insert(), [asdict(found) for found in made])
    return made


def forecasts(connection: Connection) -> list[Forecast]:
    """Read the forecasts that were kept, what is due first on top."""
    known = sa.select(table).join(points, points.c.id == table.c.point_id)
    found = [Forecast(**row._mapping) for row in connection.execute(known)]
    return sorted(found, key=lambda one: (one.likely_ns is None, one.likely_ns or 0, one.point_id))
