"""The figures of Raceway's own health, each with its name, meaning and labels, from bounded reads of the store.

Names follow Prometheus' conventions: the unit at the end, ``_total`` for what only grows. A label is a state, a reason
or a point; what grows without bound (windows, alarms of the past, people) is no label.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.access.audit import trail
from app.alarms.register import PRIORITIES
from app.schema import (
    alarm_tags,
    blocks,
    counters,
    nodes,
    notice_channels,
    points,
    retraining_runs,
    retraining_tasks,
    rollouts,
    work_orders,
)
from app.settings import Settings
from app.store import reading

__all__ = ["MEASURES", "Measure", "Sample", "folder_samples", "samples"]

# Labels and value.
Sample = tuple[Mapping[str, str], float]
_REFUSED = "refused "
_STATES = ("learning", "training", "watching", "unjudged", "failed")
_OUTCOMES = ("promoted", "refused", "failed")


@dataclass(frozen=True)
class Measure:
    """A figure.

    Attributes
    ----------
    name : str
        Without ``_total``, which a counter gets when it is exposed.
    kind : str
    meaning : str
    labels : tuple of str
    read : callable
        From the store at a time to samples.
    """

    name: str
    kind: Literal["gauge", "counter"]
    meaning: str
    labels: tuple[str, ...]
    read: Callable[[Connection, int], Iterator[Sample]]


def _counted(name: str) -> Callable[[Connection, int], Iterator[Sample]]:
    def read(connection: Connection, now_ns: int) -> Iterator[Sample]:
        del now_ns
        query = sa.select(counters.c.point_id, counters.c.value).where(
            counters.c.point_id != "", counters.c.name == name
        )
        for row in connection.execute(query):
            yield {"point": row.point_id}, float(row.value)

    return read


def _refused(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    query = sa.select(counters.c.name, counters.c.value).where(
        counters.c.point_id == "", counters.c.name.startswith(_REFUSED)
    )
    for row in connection.execute(query):
        yield {"reason": row.name.removeprefix(_REFUSED)}, float(row.value)


def _of_all(counter: str) -> Callable[[Connection, int], Iterator[Sample]]:
    """A counter that is of no point."""

    def rows(connection: Connection, now_ns: int) -> Iterator[Sample]:
        del now_ns
        own = (counters.c.point_id == "") & (counters.c.name == counter)
        yield {}, float(connection.execute(sa.select(counters.c.value).where(own)).scalar() or 0)

    return rows


def _counts(
    connection: Connection,
    column: sa.Column[str] | sa.Label[str],
    *,
    always: Iterable[str] = (),
    where: sa.ColumnElement[bool] | None = None,
) -> Iterator[Sample]:
    """Rows for each value of a column; those that rules watch are there with none, too."""
    counted = column.is_not(None) if where is None else where & column.is_not(None)
    query = sa.select(column, sa.func.count()).where(counted).group_by(column)
    found = dict.fromkeys(always, 0) | {row[0]: row[1] for row in connection.execute(query)}
    yield from (({column.name: value}, float(count)) for value, count in found.items())


def _by_state(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    # Of those to be watched, the ones whose baseline cannot be read.
    unjudged = (points.c.state == "watching") & points.c.failure.is_not(None)
    state = sa.case((unjudged, "unjudged"), else_=points.c.state).label("state")
    yield from _counts(connection, state, always=_STATES)


def _silence(connection: Connection, now_ns: int) -> Iterator[Sample]:
    for row in connection.execute(sa.select(points.c.id, points.c.seen_ns).where(points.c.seen_ns.is_not(None))):
        yield {"point": row.id}, max(0.0, (now_ns - row.seen_ns) / 1e9)


def _score(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    known = points.c.score.is_not(None) & (points.c.threshold > 0.0)
    for row in connection.execute(sa.select(points.c.id, points.c.score, points.c.threshold).where(known)):
        yield {"point": row.id}, row.score / row.threshold


def _lag(connection: Connection, now_ns: int) -> Iterator[Sample]:
    """Of the block that was stored last: by number, so that no index over times is wanted."""
    del now_ns
    latest = sa.select(blocks.c.arrived_ns, blocks.c.end_ns).order_by(blocks.c.id.desc()).limit(1)
    row = connection.execute(latest).first()
    if row is not None:
        yield {}, (row.arrived_ns - row.end_ns) / 1e9


def _alarms(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    query = sa.select(alarm_tags.c.state, alarm_tags.c.priority, sa.func.count()).group_by(
        alarm_tags.c.state, alarm_tags.c.priority
    )
    # A series that comes and goes breaks rules that watch it, so those that people wait for are always there.
    found = dict.fromkeys((("unacknowledged", priority) for priority in PRIORITIES), 0)
    found |= {(state, priority): count for state, priority, count in connection.execute(query)}
    yield from (
        ({"state": state, "priority": priority}, float(count)) for (state, priority), count in sorted(found.items())
    )


def _untold(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    for row in connection.execute(sa.select(notice_channels.c.channel, notice_channels.c.attempts)):
        yield {"channel": row.channel}, float(row.attempts)


def _orders(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    yield from _counts(connection, work_orders.c.state, always=("waiting", "sent"))


def _nodes(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    query = sa.select(nodes.c.online, sa.func.count()).group_by(nodes.c.online)
    found = {bool(online): count for online, count in connection.execute(query)}
    for online in (True, False):
        yield {"state": "online" if online else "offline"}, float(found.get(online, 0))


def _rollouts(connection: Connection, now_ns: int) -> Iterator[Sample]:
    del now_ns
    yield from _counts(connection, rollouts.c.phase)


def _retrained(connection: Connection, now_ns: int) -> Iterator[Sample]:
    ended = connection.execute(sa.select(sa.func.max(retraining_runs.c.ended_ns))).scalar()
    if ended is not None:
        yield {}, (now_ns - ended) / 1e9


def _backed_up(connection: Connection, now_ns: int) -> Iterator[Sample]:
    latest = next(iter(trail(connection, target="backup", most=1)), None)
    if latest is not None:
        yield {}, (now_ns - latest.at_ns) / 1e9


def _outcomes(connection: Connection, now_ns: int) -> Iterator[Sample]:
    """Of one run: what was refused may be let serve later, so the sum over all of them would be no counter."""
    del now_ns
    ended = sa.select(retraining_runs.c.id).where(retraining_runs.c.ended_ns.is_not(None))
    latest = connection.execute(ended.order_by(retraining_runs.c.id.desc()).limit(1)).scalar()
    if latest is not None:
        own = retraining_tasks.c.run_id == latest
        yield from _counts(connection, retraining_tasks.c.outcome, always=_OUTCOMES, where=own)


MEASURES: tuple[Measure, ...] = (
    Measure("raceway_points", "gauge", "Measuring points, by what they do.", ("state",), _by_state),
    Measure("raceway_blocks", "counter", "Blocks of samples stored.", ("point",), _counted("blocks")),
    Measure("raceway_windows", "counter", "Windows judged.", ("point",), _counted("windows")),
    Measure("raceway_duplicates", "counter", "Blocks delivered again.", ("point",), _counted("duplicates")),
    Measure("raceway_gaps", "counter", "Gaps in the samples.", ("point",), _counted("gaps")),
    Measure("raceway_late", "counter", "Blocks that came too late for a window.", ("point",), _counted("late")),
    Measure("raceway_quarantined", "counter", "Messages set aside, by reason.", ("reason",), _refused),
    Measure("raceway_silence_seconds", "gauge", "Time since a point was last heard.", ("point",), _silence),
    Measure("raceway_score_ratio", "gauge", "Anomaly score over its threshold, latest window.", ("point",), _score),
    Measure("raceway_ingest_lag_seconds", "gauge", "Arrival after end of the block stored last.", (), _lag),
    Measure("raceway_alarms", "gauge", "Alarms by state and priority.", ("state", "priority"), _alarms),
    Measure("raceway_notice_failures", "gauge", "Failures in a row of a channel to people.", ("channel",), _untold),
    Measure(
        "raceway_notices_given_up", "counter", "Notices that reached nobody for a day.", (), _of_all("notices given up")
    ),
    Measure(
        "raceway_recipients_refused",
        "counter",
        "Recipients that a mail server refused while it took others.",
        (),
        _of_all("recipients refused"),
    ),
    Measure("raceway_work_orders", "gauge", "Work orders by state.", ("state",), _orders),
    Measure("raceway_nodes", "gauge", "Nodes that can be reached and that cannot.", ("state",), _nodes),
    Measure("raceway_rollouts", "gauge", "Roll-outs by phase.", ("phase",), _rollouts),
    Measure("raceway_retraining_age_seconds", "gauge", "Time since a retraining ended.", (), _retrained),
    Measure("raceway_backup_age_seconds", "gauge", "Time since `raceway backup` kept the store.", (), _backed_up),
    Measure(
        "raceway_retraining_tasks", "gauge", "Models of the latest retraining, by outcome.", ("outcome",), _outcomes
    ),
)


def samples(engine: Engine, *, now_ns: int) -> Iterator[tuple[Measure, list[Sample]]]:
    """Read all figures of the store in one transaction, so that they belong together."""
    with reading(engine) as connection:
        for measure in MEASURES:
            yield measure, list(measure.read(connection, now_ns))


def folder_samples(settings: Settings) -> Iterator[tuple[str, str, float]]:
    """Name, meaning and value of what the data folder takes and has left, where there is one."""
    if settings.data_dir.is_dir():
        free = shutil.disk_usage(settings.data_dir).free
        yield "raceway_disk_free_bytes", "Space left where the data folder is.", float(free)
    database = settings.data_dir / "raceway.db"
    if not settings.database_url and database.is_file():
        yield "raceway_database_bytes", "Size of the SQLite database.", float(database.stat().st_size)
