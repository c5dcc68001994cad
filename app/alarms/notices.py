"""Telling people of new alarms: the journal is what is told from, so that a crash loses none; what chatters is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.alarms.flood import SPAN_NS, alarm_rate
from app.alarms.posting import DeliveryError
from app.alarms.progress import Progress, keep_progress, progress_of
from app.alarms.register import Priority
from app.logs import log
from app.schema import alarm_journal, alarm_tags, points
from app.store import count, reading, writing

__all__ = ["Channel", "DeliveryError", "Notice", "tell"]

_FIRST_PAUSE_NS, _LONGEST_PAUSE_NS = 30_000_000_000, 3_600_000_000_000
_GIVEN_UP_NS = 24 * 3_600_000_000_000
# One message holds at most so many alarms.
_MOST = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """A new alarm that people are to be told of.

    Attributes
    ----------
    number : int
        Of its step in the journal; grows.
    point_id, name, tag, priority : str
    at_ns : int
    why : str
    """

    number: int
    point_id: str
    name: str
    tag: str
    priority: Priority
    at_ns: int
    why: str


class Channel(Protocol):
    """A way to tell people."""

    @property
    def name(self) -> str:
        """What it is remembered by."""

    def send(self, notices: Sequence[Notice], *, key: str) -> int:
        """Tell, and give the number of those who were refused while others were told; raises `DeliveryError`.

        The same key comes again where it is not known whether it had arrived.
        """


def tell(engine: Engine, channel: Channel, *, now_ns: int, quiet_ns: int) -> int:
    """Tell people of the alarms that are new since a channel told last.

    Parameters
    ----------
    engine : Engine
    channel : Channel
        One that is new begins with what happens from now on.
    now_ns : int
    quiet_ns : int
        An alarm that is raised again within this time of its last raise is not told again.

    Returns
    -------
    int
        How many were told.

    Notes
    -----
    In a flood, which is more than ten new alarms in ten minutes, people are told of all together once in ten minutes,
    and at once where an urgent one is among them: a hundred messages are read by nobody.

    What was told is written down after the channel has taken it: a crash in between tells once more, with the same key
    if nothing was added, and the same number of each alarm always, so that a receiver can leave it out. A channel that
    fails is asked again after half a minute, doubling up to an hour. Once it has failed for a day, what lies a day
    back is given up, counted and logged. Alarms bear their sensors' times, which may lag: an alarm's age alone gives
    nothing up.
    """
    with writing(engine) as connection:
        state = progress_of(connection, channel.name)
    waits = now_ns < state.next_ns
    if waits and state.attempts:
        return 0
    with reading(engine) as connection:
        seen, notices = _news(connection, state.told, quiet_ns=quiet_ns)
        flood = alarm_rate(connection, now_ns=now_ns, spans=1).flood if notices else False
    if waits and all(notice.priority != "urgent" for notice in notices):
        return 0
    if not notices:
        keep_progress(engine, channel.name, told=seen, attempts=0, next_ns=0, failure=None)
        return 0
    batch = notices[:_MOST]
    try:
        refused = channel.send(batch, key=f"{batch[0].number}-{batch[-1].number}")
    except DeliveryError as error:
        _failed(engine, channel.name, state, batch, now_ns=now_ns, error=error)
        return 0
    if refused:
        _refused(engine, channel.name, refused)
    more = len(notices) > len(batch)
    next_ns = now_ns + SPAN_NS if flood and not more else 0
    keep_progress(engine, channel.name, told=batch[-1].number, attempts=0, next_ns=next_ns, failure=None)
    return len(batch)


def _news(connection: Connection, told: int, *, quiet_ns: int) -> tuple[int, list[Notice]]:
    """Last step of the journal, and alarms that have become new since a step."""
    entry, earlier = alarm_journal, alarm_journal.alias()
    became_new = (entry.c.after == "unacknowledged") & (entry.c.before != "unacknowledged")
    told_lately = sa.exists().where(
        earlier.c.point_id == entry.c.point_id,
        earlier.c.tag == entry.c.tag,
        earlier.c.id < entry.c.id,
        earlier.c.at_ns > entry.c.at_ns - quiet_ns,
        # A clock that was ahead and is right again must not silence what comes until that time.
        earlier.c.at_ns <= entry.c.at_ns,
        earlier.c.after == "unacknowledged",
        earlier.c.before != "unacknowledged",
    )
    same_tag = (alarm_tags.c.point_id == entry.c.point_id) & (alarm_tags.c.tag == entry.c.tag)
    query = (
        sa.select(
            entry.c.id, entry.c.point_id, points.c.name, entry.c.tag, alarm_tags.c.priority, entry.c.at_ns, entry.c.why
        )
        .join(points, points.c.id == entry.c.point_id)
        .join(alarm_tags, same_tag)
        .where(entry.c.id > told, became_new, ~told_lately)
        .order_by(entry.c.id)
    )
    last = connection.execute(sa.select(sa.func.max(entry.c.id))).scalar() or told
    return max(last, told), [Notice(*row) for row in connection.execute(query)]


def _failed(
    engine: Engine,
    name: str,
    state: Progress,
    batch: Sequence[Notice],
    *,
    now_ns: int,
    error: DeliveryError,
) -> None:
    failing_ns = sum(_pause_ns(attempt) for attempt in range(state.attempts))
    # Behind one that is younger others wait with it: what was told is one step of the journal.
    old = list(takewhile(lambda notice: min(failing_ns, now_ns - notice.at_ns) >= _GIVEN_UP_NS, batch))
    pause_ns = _pause_ns(state.attempts)
    told = old[-1].number if old else state.told
    keep_progress(engine, name, told=told, attempts=state.attempts + 1, next_ns=now_ns + pause_ns, failure=str(error))
    log("error", "people not told of alarms", channel=name, error=str(error), retry_s=pause_ns // 10**9)
    if old:
        with writing(engine) as connection:
            count(connection, {("", "notices given up"): len(old)})
        log("error", "notices given up after a day", channel=name, alarms=len(old))


def _refused(engine: Engine, name: str, refused: int) -> None:
    """The others have it already: they would be told again and again for the sake of one who is never taken."""
    with writing(engine) as connection:
        count(connection, {("", "recipients refused"): refused})
    log("warning", "some recipients refused", channel=name, recipients=refused)


def _pause_ns(attempt: int) -> int:
    return min(_FIRST_PAUSE_NS << min(attempt, 16), _LONGEST_PAUSE_NS)
