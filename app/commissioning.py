"""A point begins to learn what is healthy anew, after a repair or a change of its rate; refuses one that is not stored.

Only the columns that change are written, over whatever ingest has written of the others meanwhile; the revision tells
ingest to take the point up anew. What a point learns from is read here too, for all who look at it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.access.audit import note
from app.access.roles import User, demand
from app.alarms.register import NO_DATA, NODE, NODE_FAULT, standing, take
from app.schema import alarms, points, windows
from app.store import PointRow, StaleError, point_row, reading, writing
from features.contract import WATCHED
from features.errors import ParameterError

__all__ = ["begin_anew", "healthy_windows", "known_point", "outdated", "relearn"]

# Whom ingest acts as.
_INGEST = User("ingest", "engineer")

# What belongs to the baseline that ends; the windower too, so that no window has samples of before and after.
_FRESH: dict[str, Any] = {
    "state": "learning",
    "bundle": None,
    "baseline_have": 0,
    "failure": None,
    "score": None,
    "threshold": None,
    "windower": None,
    "alarm": None,
}
# Alarms that do not rest on what the server has learned or watched: the node's own, and silence.
_OF_OTHERS = (NODE, NODE_FAULT, NO_DATA)
_SHAPE: dict[str, Any] = {"rate_hz": None, "unit": None, "channels": "[]"}


def known_point(connection: Connection, point_id: str) -> None:
    """Refuse a point that is not stored, and keep others from changing one that is until the transaction ends.

    Raises
    ------
    ParameterError
    """
    own = sa.select(points.c.id).where(points.c.id == point_id).with_for_update()
    if connection.execute(own).first() is None:
        raise ParameterError(f"no point {point_id!r} is stored; `raceway points list` shows them")


def begin_anew(
    connection: Connection, point_id: str, *, now_ns: int, who: str, why: str, keep_shape: bool = True
) -> None:
    """Let a point learn anew from the windows that come from now on, in the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    point_id : str
    now_ns : int
    who, why : str
        For the journals of the alarms that the server has raised, which end. Those that a node raised are the node's to
        end, which has a baseline of its own; silence ends when something comes.
    keep_shape : bool
        Whether rate, unit and channels stay, as they do where the sensor is the same; else the next block says them.

    Raises
    ------
    ParameterError
        If there is no such point.
    """
    known_point(connection, point_id)
    # The point is locked by now: what ingest has still to write of it gets higher ids.
    last = connection.execute(sa.select(sa.func.max(windows.c.id))).scalar() or 0
    values = _FRESH | ({} if keep_shape else _SHAPE) | {"baseline_after": last}
    own = points.update().where(points.c.id == point_id)
    connection.execute(own.values(**values, revision=points.c.revision + 1))
    _end_alarms(connection, point_id, now_ns=now_ns, who=who, why=why)


def _end_alarms(connection: Connection, point_id: str, *, now_ns: int, who: str, why: str) -> None:
    ours = (alarms.c.point_id == point_id) & alarms.c.tag.not_in(_OF_OTHERS)
    # A sensor's clock may be ahead of ours; no alarm ends before it began.
    ended = sa.case((alarms.c.raised_ns > now_ns, alarms.c.raised_ns), else_=now_ns)
    connection.execute(alarms.update().where(ours, alarms.c.cleared_ns.is_(None)).values(cleared_ns=ended))
    for _, tag in sorted(standing(connection, [point_id])):
        if tag not in _OF_OTHERS:
            take(connection, point_id, tag, "clear", now_ns=now_ns, who=who, why=why)


def relearn(engine: Engine, user: User, point_id: str, *, now_ns: int, why: str = "") -> None:
    """Let a point learn anew; its alarms are cleared, its rate, unit and channels may be others from now on.

    Raises
    ------
    ForbiddenError
        If the user may not change models.
    ParameterError
        If there is no such point.
    """
    demand(user, "change models")
    said = f"the point learns anew: {why}" if why else "the point learns anew"
    with writing(engine) as connection:
        begin_anew(connection, point_id, now_ns=now_ns, who=user.name, why=said, keep_shape=False)
        note(connection, user, "learn anew", target=point_id, why=why, now_ns=now_ns)


def outdated(engine: Engine, row: PointRow, *, now_ns: int, why: str) -> PointRow:
    """Let a point learn anew whose baseline is of other features than today's; what is healthy is known no more.

    Parameters
    ----------
    engine : Engine
    row : PointRow
        As it was read.
    now_ns : int
    why : str
        For journals and audit, and kept at the point until it has learned.

    Returns
    -------
    PointRow
        As it is stored now.

    Raises
    ------
    StaleError
        If another process changed the point since: it may have a baseline of today's features by now.
    """
    said = f"the point learns anew: {why}"
    with writing(engine) as connection:
        known_point(connection, row.id)
        if point_row(connection, row.id).revision != row.revision:
            raise StaleError(f"point {row.id} was changed by another process; read it again")
        begin_anew(connection, row.id, now_ns=now_ns, who=_INGEST.name, why=said)
        connection.execute(points.update().where(points.c.id == row.id).values(failure=why))
        note(connection, _INGEST, "learn anew", target=row.id, why=why, now_ns=now_ns)
        return point_row(connection, row.id)


def healthy_windows(engine: Engine, row: PointRow, *, n: int) -> list[sa.Row[Any]]:
    """Read `features`, `start_ns` and `end_ns` of what was stored first since a point began to learn, in time order."""
    one = windows.c
    own = (one.point_id == row.id) & (one.id > row.baseline_after) & (one.contract == WATCHED.hash)
    query = sa.select(one.features, one.start_ns, one.end_ns).where(own).order_by(one.id).limit(n)
    with reading(engine) as connection:
        return sorted(connection.execute(query), key=lambda found: found.start_ns)
