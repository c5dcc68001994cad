"""How the alarms of each point stand, retained at the broker, with the steps that led there; one away is waited for.

The journal is what is told from, in its order, and what was told is written down once the broker has acknowledged it: a
crash in between tells the same steps again under the same numbers. Nothing that comes back is taken for a command.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.alarms.progress import Progress, keep_progress, progress_of
from app.codec import encode_json
from app.logs import log
from app.mqtt import BrokerError
from app.schema import alarm_journal, alarm_tags
from app.store import reading, writing
from app.wire import VERSION, PointId

__all__ = ["CHANNEL", "Broadcast", "Line"]

CHANNEL = "broker"
_FIRST_PAUSE_NS, _LONGEST_PAUSE_NS = 1_000_000_000, 60_000_000_000
# Steps that are told at once, points that are asked for at once, and messages on their way until they are waited for.
_STEPS, _POINTS, _ON_THE_WAY = 500, 200, 100
_PATIENCE_S = 10.0


class Line(Protocol):
    """A connection to a broker; `app.publisher.Publisher` is one."""

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; what has not arrived never will."""

    @property
    def connections(self) -> int:
        """How often the broker has taken us in, 0 until it answers; grows where the line is lost and comes back."""

    def raw(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish with QoS 1; raises `BrokerError`."""

    def flush(self, *, timeout_s: float) -> None:
        """Wait until all is acknowledged; raises `BrokerError`."""


class Broadcast:
    """Tells a broker how alarms stand; running state of one connection.

    Parameters
    ----------
    engine : Engine
    connect : callable
        Opens a line; raises `BrokerError`.
    """

    def __init__(self, engine: Engine, connect: Callable[[], Line]) -> None:
        self._engine = engine
        self._connect = connect
        self._line: Line | None = None
        # Up to which connection of the line all points were told; 0: none.
        self._greeted = 0

    def tell(self, *, now_ns: int) -> int:
        """Publish what has changed since the broker was told last; how many steps that were.

        Parameters
        ----------
        now_ns : int

        Notes
        -----
        Over a new connection, also one that the line made by itself, all points that ever had an alarm are told as they
        stand, since the broker may be another, or have lost what it retained. A broker that fails is asked again after
        a second, doubling up to a minute, for ever.
        """
        with writing(self._engine) as connection:
            progress = progress_of(connection, CHANNEL)
        if now_ns < progress.next_ns:
            return 0
        with reading(self._engine) as connection:
            steps = _steps(connection, progress.told)
            by_point: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for step in steps:
                by_point[step.pop("point_id")].append(step)
            greeted = self._line is not None and self._greeted == self._line.connections
            wanted = set(by_point) if greeted else set(by_point) | _all_points(connection)
            stand = _stand(connection, sorted(wanted))
        if not wanted:
            return 0
        messages = [_message(key, stand[key], by_point.get(key, []), now_ns=now_ns) for key in sorted(wanted)]
        try:
            self._publish(messages)
        except BrokerError as error:
            self._failed(progress, error, now_ns=now_ns)
            return 0
        if steps or progress.attempts:
            told = max([progress.told, *(step["number"] for step in steps)])
            keep_progress(self._engine, CHANNEL, told=told, attempts=0, next_ns=0, failure=None)
        return len(steps)

    def close(self) -> None:
        """Close the connection, where there is one."""
        line, self._line, self._greeted = self._line, None, 0
        if line is not None:
            line.__exit__(None, None, None)

    def _publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if self._line is None:
            self._line = self._connect().__enter__()
        # The first connection is asked for already. A later one that comes while we publish is told all once more.
        over = max(1, self._line.connections)
        for first in range(0, len(messages), _ON_THE_WAY):
            for topic, payload in messages[first : first + _ON_THE_WAY]:
                self._line.raw(topic, payload, retain=True)
            self._line.flush(timeout_s=_PATIENCE_S)
        self._greeted = over

    def _failed(self, progress: Progress, error: BrokerError, *, now_ns: int) -> None:
        # A line that is kept would deliver later what is told again over the next one, and out of order.
        self.close()
        pause_ns = min(_FIRST_PAUSE_NS << min(progress.attempts, 16), _LONGEST_PAUSE_NS)
        attempts = progress.attempts + 1
        keep_progress(self._engine, CHANNEL, attempts=attempts, next_ns=now_ns + pause_ns, failure=str(error))
        log("warning", "broker not told of alarms", error=str(error), retry_s=pause_ns // 10**9)


def _steps(connection: Connection, told: int) -> list[dict[str, Any]]:
    query = sa.select(alarm_journal).where(alarm_journal.c.id > told).order_by(alarm_journal.c.id).limit(_STEPS)
    return [{"number": row.id, **_but(row, "id")} for row in connection.execute(query)]


def _but(row: sa.Row[Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in names}


def _all_points(connection: Connection) -> set[str]:
    return set(connection.execute(sa.select(alarm_tags.c.point_id).distinct()).scalars())


def _stand(connection: Connection, point_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """How the alarms of points stand, with who took the latest step of each, by tag."""
    stand: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for first in range(0, len(point_ids), _POINTS):
        some = point_ids[first : first + _POINTS]
        latest = _latest(connection, some)
        query = sa.select(alarm_tags).where(alarm_tags.c.point_id.in_(some)).order_by(alarm_tags.c.tag)
        for row in connection.execute(query):
            who, why = latest.get((row.point_id, row.tag), ("", ""))
            stand[row.point_id].append(_but(row, "point_id") | {"who": who, "why": why})
    return stand


def _latest(connection: Connection, point_ids: Collection[str]) -> dict[tuple[str, str], tuple[str, str]]:
    entry = alarm_journal.c
    last = sa.select(sa.func.max(entry.id)).where(entry.point_id.in_(point_ids)).group_by(entry.point_id, entry.tag)
    query = sa.select(entry.point_id, entry.tag, entry.who, entry.why).where(entry.id.in_(last))
    return {(row.point_id, row.tag): (row.who, row.why) for row in connection.execute(query)}


def _message(
    point_id: str, stand: Sequence[dict[str, Any]], steps: Sequence[dict[str, Any]], *, now_ns: int
) -> tuple[str, bytes]:
    said = {"v": VERSION, "published_ns": now_ns, "alarms": stand, "steps": steps}
    return PointId.parse(point_id).topic("alarms"), encode_json(said)
