"""What people and the system did, from all journals, in one order of time; nothing is read without bound."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.schema import alarm_journal, audit, rollout_log

__all__ = ["Happening", "timeline"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was done: when, by whom, of what kind (`deed`, `alarm`, `roll-out`), to what, and why."""

    at_ns: int
    who: str
    role: str
    kind: str
    action: str
    target: str
    why: str


def timeline(
    connection: Connection, *, since_ns: int = 0, who: str = "", what: str = "", most: int = 500
) -> list[Happening]:
    """List what was done, the latest first.

    Parameters
    ----------
    connection : Connection
    since_ns : int
        From when on.
    who : str
        By this user only; empty: by all.
    what : str
        Only where step, target or reason holds this text, whatever its case; empty: all.
    most : int
        Of each journal, and in all.
    """
    found = [
        *_of(connection, _deeds(), since_ns, who, what, most),
        *_of(connection, _alarms(), since_ns, who, what, most),
        *_of(connection, _rollouts(), since_ns, who, what, most),
    ]
    return sorted(found, key=lambda one: -one.at_ns)[:most]


def _deeds() -> sa.Subquery:
    a = audit.c
    return sa.select(
        a.id, a.at_ns, a.who, a.role, sa.literal("deed").label("kind"), a.action, a.target, a.why
    ).subquery()


def _alarms() -> sa.Subquery:
    j = alarm_journal.c
    target = (j.point_id + " " + j.tag).label("target")
    fixed = sa.literal("").label("role"), sa.literal("alarm").label("kind")
    return sa.select(j.id, j.at_ns, j.who, *fixed, j.action, target, j.why).subquery()


def _rollouts() -> sa.Subquery:
    r = rollout_log.c
    target = (sa.cast(r.rollout_id, sa.String) + sa.func.coalesce(" " + r.point_id, "")).label("target")
    fixed = sa.literal("").label("role"), sa.literal("roll-out").label("kind")
    return sa.select(r.id, r.at_ns, r.who, *fixed, r.action, target, r.why).subquery()


def _of(connection: Connection, journal: sa.Subquery, since_ns: int, who: str, what: str, most: int) -> list[Happening]:
    query = sa.select(journal).where(journal.c.at_ns >= since_ns)
    if who:
        query = query.where(journal.c.who == who)
    if what:
        texts = (journal.c.action, journal.c.target, journal.c.why)
        query = query.where(sa.or_(*(text.icontains(what, autoescape=True) for text in texts)))
    # Rows are written in the order of time, so the latest by number are the latest by time.
    rows = connection.execute(query.order_by(journal.c.id.desc()).limit(most))
    return [Happening(*row[1:]) for row in rows]
