"""How every alarm of the plant stands, in the store, with the journal of its steps; refuses what its lifecycle does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.roles import User, demand
from app.alarms.lifecycle import SYSTEM, Action, AlarmState, Entry, LifecycleError, due, stepped
from app.schema import alarm_journal, alarm_tags

__all__ = [
    "FIRST_PRIORITY",
    "HEALTH",
    "NODE",
    "NODE_FAULT",
    "NO_DATA",
    "PRIORITIES",
    "RISING",
    "SEVERITY",
    "SEVERITY_HIGH",
    "WATCHED_TAGS",
    "JournalRow",
    "Priority",
    "Tag",
    "act",
    "active_at",
    "end_shelves",
    "end_watched",
    "follow",
    "journal",
    "set_priority",
    "shelves_over",
    "standing",
    "tags",
    "take",
]

Priority = Literal["low", "medium", "high", "urgent"]
PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high", "urgent")
# The alarm of a point's score over its threshold.
HEALTH = "health"
# The alarm that a node has raised itself.
NODE = "node alarm"
# The alarm of a node that cannot judge, such as one whose sensor is not connected.
NODE_FAULT = "node fault"
# The alarm of a point from which nothing has come for long.
NO_DATA = "no data"
# The alarms of a machine that shakes as in zone C of ISO 20816, and in zone D.
SEVERITY, SEVERITY_HIGH = "severity", "severity high"
# The alarm of a score or a velocity that rises faster than is admitted.
RISING = "rising"
# What the server itself judges; a point that learns anew or is judged by a node starts without them.
WATCHED_TAGS = (HEALTH, SEVERITY, SEVERITY_HIGH, RISING)
# Every alarm that there is, and how urgent it is until somebody says otherwise.
FIRST_PRIORITY: Mapping[str, Priority] = {
    HEALTH: "high",
    SEVERITY: "medium",
    SEVERITY_HIGH: "urgent",
    RISING: "medium",
    NO_DATA: "medium",
    NODE: "high",
    NODE_FAULT: "medium",
}
# Of what a store has from another version.
_DEFAULT: Priority = "high"


@dataclass(frozen=True, slots=True)
class Tag:
    """An alarm of a point: which one, how urgent it is, and how it stands."""

    point_id: str
    tag: str
    priority: Priority
    alarm: AlarmState


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A step of an alarm as the journal has it."""

    point_id: str
    tag: str
    entry: Entry


def act(
    connection: Connection,
    user: User,
    point_id: str,
    tag: str,
    action: Action,
    *,
    now_ns: int,
    why: str = "",
    until_ns: int | None = None,
) -> AlarmState:
    """Take a step of an alarm as a person, if their role may work on alarms.

    Raises
    ------
    ForbiddenError
        If it may not.
    LifecycleError
        If there is no such alarm, or the step is not admissible; nothing is written in any case.
    """
    demand(user, "work alarms")
    if tag not in FIRST_PRIORITY and _stored(connection, point_id, tag) is None:
        raise LifecycleError(f"there is no alarm {tag!r}; one of {', '.join(FIRST_PRIORITY)} is wanted")
    return take(connection, point_id, tag, action, now_ns=now_ns, who=user.name, why=why, until_ns=until_ns)


def take(
    connection: Connection,
    point_id: str,
    tag: str,
    action: Action,
    *,
    now_ns: int,
    who: str,
    why: str = "",
    until_ns: int | None = None,
    priority: Priority | None = None,
) -> AlarmState:
    """Take a step of an alarm and write it into the journal, in the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    point_id, tag : str
        Which alarm; one that has never been raised is normal.
    action, now_ns, who, why, until_ns
        As `app.alarms.lifecycle.stepped` has them.
    priority : str, optional
        Of an alarm of which no step was taken before, where it is not that of `FIRST_PRIORITY`.

    Returns
    -------
    AlarmState
        As it stands now.

    Raises
    ------
    LifecycleError
        If the step is not admissible; nothing is written.
    """
    stored = _stored(connection, point_id, tag)
    alarm, entry = stepped(
        AlarmState() if stored is None else stored.alarm, action, now_ns=now_ns, who=who, why=why, until_ns=until_ns
    )
    if stored is None:
        row = {"point_id": point_id, "tag": tag, "priority": priority or FIRST_PRIORITY.get(tag, _DEFAULT)}
        connection.execute(alarm_tags.insert().values(**row, **asdict(alarm)))
    else:
        connection.execute(alarm_tags.update().where(_own(point_id, tag)).values(**asdict(alarm)))
    _note(connection, point_id, tag, entry)
    return alarm


def follow(
    connection: Connection,
    point_id: str,
    tag: str,
    *,
    active: bool,
    now_ns: int,
    why: str = "",
    priority: Priority | None = None,
) -> bool:
    """Let an alarm follow its condition; whether that was a step. The priority is as `take` has it."""
    stored = _stored(connection, point_id, tag)
    if (False if stored is None else stored.alarm.active) == active:
        return False
    action: Action = "raise" if active else "clear"
    take(connection, point_id, tag, action, now_ns=now_ns, who=SYSTEM, why=why, priority=priority)
    return True


def end_watched(connection: Connection, point_id: str, *, now_ns: int, why: str) -> bool:
    """Clear what the server has raised at a point that it watches no more; whether its `health` was among it."""
    ended = [follow(connection, point_id, tag, active=False, now_ns=now_ns, why=why) for tag in WATCHED_TAGS]
    return ended[0]


def shelves_over(connection: Connection, *, now_ns: int) -> bool:
    """Say whether the time of any shelf has come."""
    return connection.execute(sa.select(alarm_tags.c.tag).where(_ripe(now_ns)).limit(1)).first() is not None


def end_shelves(connection: Connection, *, now_ns: int) -> list[Tag]:
    """End the shelves whose time has come; the alarms that came back."""
    back = []
    for stored in _read(connection, sa.select(alarm_tags).where(_ripe(now_ns)).with_for_update()):
        ended = due(stored.alarm, now_ns=now_ns)
        if ended is not None:
            alarm, entry = ended
            connection.execute(alarm_tags.update().where(_own(stored.point_id, stored.tag)).values(**asdict(alarm)))
            _note(connection, stored.point_id, stored.tag, entry)
            back.append(Tag(stored.point_id, stored.tag, stored.priority, alarm))
    return back


def set_priority(
    connection: Connection, user: User, point_id: str, tag: str, priority: Priority, *, now_ns: int
) -> None:
    """Say how urgent an alarm is; the journal has it as a comment.

    Raises
    ------
    ForbiddenError
        If the user's role may not say what the plant is.
    LifecycleError
        If there is no such priority, or the alarm was never raised and has none yet.
    """
    demand(user, "work alarms")
    if priority not in PRIORITIES:
        raise LifecycleError(f"priority {priority!r} is none; one of {', '.join(PRIORITIES)} is wanted")
    demand(user, "edit assets")
    if _stored(connection, point_id, tag) is None:
        raise LifecycleError(f"an alarm {tag!r} of {point_id} was never raised; it has no priority yet")
    act(connection, user, point_id, tag, "comment", now_ns=now_ns, why=f"priority is {priority} from now on")
    connection.execute(alarm_tags.update().where(_own(point_id, tag)).values(priority=priority))


def tags(connection: Connection, *, waiting: bool = False) -> list[Tag]:
    """List alarms by urgency, then by age.

    Parameters
    ----------
    connection : Connection
    waiting : bool
        Only those that somebody is to acknowledge.
    """
    found = _read(connection, sa.select(alarm_tags))
    kept = [one for one in found if one.alarm.wants_attention or not waiting]
    return sorted(kept, key=lambda one: (-PRIORITIES.index(one.priority), one.alarm.since_ns, one.point_id, one.tag))


def active_at(connection: Connection, tag: str) -> set[str]:
    """Points at which the condition of an alarm holds, a hidden one too."""
    own = (alarm_tags.c.tag == tag) & alarm_tags.c.active
    return set(connection.execute(sa.select(alarm_tags.c.point_id).where(own)).scalars())


def standing(connection: Connection, point_ids: Collection[str]) -> set[tuple[str, str]]:
    """Give point and tag of the alarms of some points whose condition holds, hidden ones too."""
    own = alarm_tags.c.point_id.in_(point_ids) & alarm_tags.c.active
    query = sa.select(alarm_tags.c.point_id, alarm_tags.c.tag).where(own)
    return {(row.point_id, row.tag) for row in connection.execute(query)}


def journal(
    connection: Connection, *, point_id: str | None = None, first_ns: int = 0, most: int = 1000
) -> list[JournalRow]:
    """List the latest steps, newest first: of one point or of all, from a time on."""
    query = sa.select(alarm_journal).where(alarm_journal.c.at_ns >= first_ns)
    if point_id is not None:
        query = query.where(alarm_journal.c.point_id == point_id)
    ordered = query.order_by(alarm_journal.c.at_ns.desc(), alarm_journal.c.id.desc()).limit(most)
    return [_journal_row(row) for row in connection.execute(ordered)]


def _ripe(now_ns: int) -> sa.ColumnElement[bool]:
    return alarm_tags.c.until_ns.is_not(None) & (alarm_tags.c.until_ns <= now_ns)


def _own(point_id: str, tag: str) -> sa.ColumnElement[bool]:
    return (alarm_tags.c.point_id == point_id) & (alarm_tags.c.tag == tag)


def _stored(connection: Connection, point_id: str, tag: str) -> Tag | None:
    # Locked until the transaction ends, so that two processes cannot take a step from the same state.
    found = _read(connection, sa.select(alarm_tags).where(_own(point_id, tag)).with_for_update())
    return found[0] if found else None


def _read(connection: Connection, query: sa.Select[Any]) -> Sequence[Tag]:
    return [
        Tag(row.point_id, row.tag, row.priority, AlarmState(row.state, row.active, row.since_ns, row.until_ns))
        for row in connection.execute(query)
    ]


def _note(connection: Connection, point_id: str, tag: str, entry: Entry) -> None:
    connection.execute(alarm_journal.insert().values(point_id=point_id, tag=tag, **asdict(entry)))


def _journal_row(row: sa.Row[Any]) -> JournalRow:
    entry = Entry(row.at_ns, row.action, row.who, row.why, row.before, row.after, row.until_ns)
    return JournalRow(row.point_id, row.tag, entry)
