"""The trail of what people did beside alarms and roll-outs, which have their own journals; rows are never changed."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.roles import User
from app.schema import audit

__all__ = ["Deed", "note", "note_refused", "trail"]


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did to something, and why."""

    at_ns: int
    who: str
    role: str
    action: str
    target: str
    why: str


def note(connection: Connection, user: User, action: str, *, target: str, why: str = "", now_ns: int) -> None:
    """Write a deed down, in the transaction that does it."""
    connection.execute(
        audit.insert().values(at_ns=now_ns, who=user.name, role=user.role, action=action, target=target, why=why)
    )


def note_refused(connection: Connection, name: str, *, target: str, why: str = "", now_ns: int) -> None:
    """Write down that somebody was refused who gave a name and came from an address; they have no role."""
    row = {"at_ns": now_ns, "who": name, "role": "", "action": "log-in refused", "target": target, "why": why}
    connection.execute(audit.insert().values(**row))


def trail(connection: Connection, *, target: str | None = None, most: int = 1000) -> list[Deed]:
    """List the latest deeds, newest first."""
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(most)
    if target is not None:
        query = query.where(audit.c.target == target)
    return [Deed(row.at_ns, row.who, row.role, row.action, row.target, row.why) for row in connection.execute(query)]
