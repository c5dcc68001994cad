"""The store: points, blocks, windows, alarms, quarantine and counters in one SQL database; refuses unknown forms."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, event

from app.schema import blocks, champions, counters, points, quarantine
from app.secrecy import shown_url
from features.bearing import Bearing
from features.errors import RacewayError

__all__ = [
    "PointRow",
    "Quarantined",
    "StaleError",
    "StoreError",
    "bundle_of",
    "change_state",
    "count",
    "features_from_blob",
    "insert_rows",
    "open_store",
    "point_row",
    "point_rows",
    "quarantine_payloads",
    "reading",
    "revisions",
    "save_point",
    "set_champion",
    "stored_near",
    "writing",
]

# Of the lock by which the writers of a PostgreSQL take turns.
_WRITERS = int.from_bytes(b"raceway", "big")
_MIGRATIONS = resources.files("app") / "migrations"
# Where the migrations end, as a test holds it: alembic takes long to import, and a store is opened often.
_FORM = "0015"


class StoreError(RacewayError):
    """The database cannot be opened or brought to today's form."""


class StaleError(RacewayError):
    """A point was changed by another process since it was read."""


@dataclass(frozen=True)
class PointRow:
    """What the store knows of a measuring point.

    `state` is ``learning`` (collecting healthy windows), ``training`` (enough of them; a baseline is being learned),
    ``watching`` or ``failed``; `failure` says why it failed, learns anew, or is not judged. `revision` counts changes
    of state, so that a process notices another's change; `baseline_after` is the id of the last window that is not
    part of the healthy start.
    """

    id: str
    name: str
    state: str = "learning"
    revision: int = 0
    bearing: Bearing | None = None
    nominal_shaft_hz: float | None = None
    rate_hz: float | None = None
    unit: str | None = None
    channels: tuple[str, ...] = ()
    baseline_have: int = 0
    baseline_after: int = 0
    contract: str | None = None
    bundle: str | None = None
    failure: str | None = None
    windower: bytes | None = None
    alarm: Mapping[str, Any] | None = None
    seen_ns: int | None = None
    score: float | None = None
    threshold: float | None = None
    window_start_ns: int | None = None
    iso_group: str | None = None

    @property
    def unjudged(self) -> str | None:
        """Why the baseline that the point is to be watched by cannot be read, so that nothing is judged."""
        return self.failure if self.state == "watching" else None

    def changed(self, **values: Any) -> PointRow:
        """Give a copy with other values."""
        return replace(self, **values)


@dataclass(frozen=True)
class Quarantined:
    """A message that was set aside, with the reason."""

    arrived_ns: int
    topic: str
    reason: str
    detail: str
    payload: bytes


def open_store(url: str, *, migrate: bool = False) -> Engine:
    """Open the database, and bring it to today's form if asked.

    Raises
    ------
    StoreError
        If it cannot be reached, was made by a newer Raceway, or is of an older form and is not to be migrated.
    """
    try:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": 60} if url.startswith("sqlite") else {})
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        elif engine.dialect.name == "postgresql":
            event.listen(engine, "begin", _begin_postgresql)
        form = _form(engine)
        if form != _FORM:
            _refuse_form(form, url, migrate=migrate)
            _migrate(engine)
    except (sa.exc.SQLAlchemyError, OSError, ImportError, ValueError) as error:
        cause = str(getattr(error, "orig", None) or error).replace(url, shown_url(url))
        raise StoreError(f"database {shown_url(url)} cannot be used ({cause}); `raceway doctor` tells more") from error
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    del record
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # An acknowledged block must survive a power cut: FULL syncs the log with every commit.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer half-way fails at once when another writes; so writers say so first.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    # As SQLite has it: writers take turns, so that rows get their numbers in the order of their commits and no change
    # is laid over another; a reader sees one state.
    writes = connection.get_execution_options().get("writes", False)
    turn = f"SELECT pg_advisory_xact_lock({_WRITERS})"
    connection.exec_driver_sql(turn if writes else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _form(engine: Engine) -> str | None:
    """The migration that made the store what it is; None where there is no store yet."""
    with reading(engine) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _refuse_form(form: str | None, url: str, *, migrate: bool) -> None:
    """Refuse what no migration leads from, and everything where none is wanted."""
    if form is not None and not any(step.name.startswith(f"v{form}_") for step in (_MIGRATIONS / "versions").iterdir()):
        raise StoreError(
            f"database {shown_url(url)} was made by a newer Raceway (its form is {form!r}, this one's {_FORM}); "
            "use that one, or restore a backup of before it"
        )
    if not migrate:
        state = "holds no store yet" if form is None else f"is of an older form ({form}; this Raceway's is {_FORM})"
        raise StoreError(f"database {shown_url(url)} {state}; `raceway up` or any other service brings it there")


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end, undone by an error."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view for reading."""
    with engine.connect() as connection, connection.begin():
        yield connection


def point_rows(connection: Connection) -> list[PointRow]:
    """Read all points, by identity."""
    return [_point(row) for row in connection.execute(sa.select(points).order_by(points.c.id))]


def point_row(connection: Connection, point_id: str) -> PointRow:
    """Read one point, which is there."""
    return _point(connection.execute(sa.select(points).where(points.c.id == point_id)).one())


def _point(row: sa.Row[Any]) -> PointRow:
    values = dict(row._mapping)
    bearing = values["bearing"]
    values["bearing"] = None if bearing is None else Bearing(**json.loads(bearing))
    values["channels"] = tuple(json.loads(values["channels"] or "[]"))
    values["alarm"] = json.loads(values["alarm"]) if values["alarm"] else None
    return PointRow(**values)


def insert_rows(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows of the same columns by the driver's own executemany.

    SQLAlchemy writes the statement, but would bind each value anew: for a block's rows that costs as much as SQLite
    takes to write them. Columns are of types that the driver takes as they are (numbers, text, bytes).
    """
    if not rows:
        return
    text, order = _insert_text(table, connection.dialect, tuple(rows[0]))
    if order is None:
        connection.exec_driver_sql(text, list(rows))
    else:
        connection.exec_driver_sql(text, [tuple(row[name] for name in order) for row in rows])


@functools.lru_cache(maxsize=16)
def _insert_text(table: sa.Table, dialect: sa.Dialect, names: tuple[str, ...]) -> tuple[str, tuple[str, ...] | None]:
    """Statement for the driver, and the order of its values where they go by place."""
    # Without `inline`, PostgreSQL would send the number of each row back.
    compiled = table.insert().inline().compile(dialect=dialect, column_keys=list(names))
    return str(compiled), tuple(compiled.positiontup or ()) if compiled.positional else None


def save_point(connection: Connection, row: PointRow, *, new: bool = False) -> None:
    """Insert a point, or overwrite what is stored of it if nobody changed its state since it was read.

    Raises
    ------
    StaleError
        If another process changed the point's state; read it again and repeat.
    """
    values = dict(vars(row))
    bearing = row.bearing
    if bearing is not None:
        names = ("name", "balls", "ball_mm", "pitch_mm", "contact_deg")
        values["bearing"] = json.dumps({name: getattr(bearing, name) for name in names})
    values["channels"] = json.dumps(list(row.channels))
    values["alarm"] = None if row.alarm is None else json.dumps(dict(row.alarm))
    if new:
        connection.execute(points.insert(), values)
    else:
        same = (points.c.id == row.id) & (points.c.revision == row.revision)
        if connection.execute(points.update().where(same), values).rowcount != 1:
            raise StaleError(f"point {row.id} was changed by another process; read it again")


def change_state(connection: Connection, row: PointRow, **values: Any) -> PointRow:
    """Change a point's state so that other processes notice: its revision goes up by one."""
    changed = row.changed(**values)
    save_point(connection, changed)
    connection.execute(points.update().where(points.c.id == row.id).values(revision=row.revision + 1))
    return changed.changed(revision=row.revision + 1)


def revisions(connection: Connection) -> dict[str, int]:
    """Give the revision of every point."""
    return {row.id: row.revision for row in connection.execute(sa.select(points.c.id, points.c.revision))}


def quarantine_payloads(connection: Connection, messages: Iterable[Quarantined], *, keep_bytes: int) -> None:
    """Set messages aside with their reason; of one longer than `keep_bytes` the head, the size and the digest."""
    rows = [
        {
            "arrived_ns": message.arrived_ns,
            "topic": message.topic[:1000],
            "reason": message.reason,
            "detail": message.detail[:1000],
            "size": len(message.payload),
            "sha256": hashlib.sha256(message.payload).hexdigest(),
            "payload": message.payload[:keep_bytes],
            "complete": len(message.payload) <= keep_bytes,
        }
        for message in messages
    ]
    if rows:
        connection.execute(quarantine.insert(), rows)


def count(connection: Connection, changes: Mapping[tuple[str, str], int]) -> None:
    """Add to counters, by point (empty for none) and name."""
    for (point_id, name), change in changes.items():
        own = (counters.c.point_id == point_id) & (counters.c.name == name)
        done = connection.execute(counters.update().where(own).values(value=counters.c.value + change))
        if done.rowcount == 0:
            connection.execute(counters.insert().values(point_id=point_id, name=name, value=change))


def stored_near(
    connection: Connection, point_id: str, *, first_ns: int, last_ns: int, sequences: Sequence[int]
) -> list[sa.Row[Any]]:
    """Blocks of a point that overlap a stretch of time or bear one of the sequence numbers."""
    columns = (blocks.c.sequence, blocks.c.start_ns, blocks.c.end_ns, blocks.c.digest)
    overlapping = sa.select(*columns).where(
        blocks.c.point_id == point_id, blocks.c.end_ns > first_ns, blocks.c.start_ns < last_ns
    )
    low, high = min(sequences), max(sequences)
    # Streams count up by one, so their numbers are a short range; a list costs more to compile than to run.
    near = blocks.c.sequence.between(low, high) if high - low < 10_000 else blocks.c.sequence.in_(sequences)
    numbered = sa.select(*columns).where(blocks.c.point_id == point_id, near)
    return list(connection.execute(overlapping.union(numbered)))


def bundle_of(connection: Connection, role: str) -> str | None:
    """Id of the bundle that serves a role, or None."""
    return connection.execute(sa.select(champions.c.bundle).where(champions.c.role == role)).scalar()


def set_champion(connection: Connection, role: str, bundle: str, *, now_ns: int) -> None:
    """Let a bundle serve a role."""
    connection.execute(champions.delete().where(champions.c.role == role))
    connection.execute(champions.insert().values(role=role, bundle=bundle, since_ns=now_ns))


def features_from_blob(blob: bytes) -> NDArray[np.float32]:
    """Read the feature vector of a stored window."""
    return np.frombuffer(blob, dtype="<f4")
