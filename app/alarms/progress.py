"""How far in the journal of alarms a channel has told, and when it is asked again; new ones begin with what follows."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.schema import alarm_journal, notice_channels
from app.store import writing

__all__ = ["Progress", "keep_progress", "progress_of"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far in the journal a channel is, how often it has failed since, and when it is asked again."""

    told: int
    attempts: int
    next_ns: int


def progress_of(connection: Connection, name: str) -> Progress:
    """Read how far a channel is, in a writing transaction: one that is new is written down."""
    columns = (notice_channels.c.told, notice_channels.c.attempts, notice_channels.c.next_ns)
    query = sa.select(*columns).where(notice_channels.c.channel == name)
    row = connection.execute(query).first()
    if row is None:
        last = connection.execute(sa.select(sa.func.max(alarm_journal.c.id))).scalar() or 0
        connection.execute(notice_channels.insert().values(channel=name, told=last, attempts=0, next_ns=0))
        return Progress(last, 0, 0)
    return Progress(*row)


def keep_progress(engine: Engine, name: str, **values: int | str | None) -> None:
    """Write down how far a channel is from now on."""
    with writing(engine) as connection:
        connection.execute(notice_channels.update().where(notice_channels.c.channel == name).values(**values))
