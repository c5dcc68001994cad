"""Thinning of the store: recent waveforms and reports stay, those around alarms always, older reports one an hour.

Around an alarm of a zone or a rise, which may stand or chatter for years, waveforms stay where it was raised after an
hour without a raise. Those of a stretch of time that somebody labelled stay, too: a network can learn from them.
Thinning goes by portions, each of one transaction, and does not look again at what it left.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

import sqlalchemy as sa
from sqlalchemy import Connection

from app.alarms.register import RISING, SEVERITY, SEVERITY_HIGH
from app.labels.records import VERDICTS
from app.schema import alarm_journal, alarms, blocks, labels, node_events, node_reports, points

__all__ = ["Place", "Portion", "thin_reports", "thin_waveforms", "trim_events"]

# Alarms without a verdict: `alarms` has none of them, the journal of steps has.
_WITHOUT_VERDICT = (SEVERITY, SEVERITY_HIGH, RISING)
# Waveforms and reports stay that lie within this time before an alarm is raised and after it is cleared.
_AROUND_ALARM_NS = 60 * 1_000_000_000
_HOUR_NS = 3_600_000_000_000
# SQLite takes so many parameters and no more; as many rows are changed while a batch is stored.
_PORTION = 500


@dataclass(frozen=True)
class Place:
    """The row that was looked at last: when it arrived, and its number."""

    arrived_ns: int = 0
    id: int = 0


@dataclass(frozen=True)
class Portion:
    """What became of a portion.

    Attributes
    ----------
    dropped : int
    after : Place
        Where the next one begins.
    more : bool
        Whether the next one is to be looked at now.
    """

    dropped: int
    after: Place
    more: bool


def thin_waveforms(
    connection: Connection, *, now_ns: int, keep_h: float, after: Place = Place(), most: int = _PORTION
) -> Portion:
    """Drop waveforms that arrived more than `keep_h` hours ago and lie around no alarm and in no labelled stretch.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    now_ns : int
    keep_h : float
        Hours.
    after : Place
        Where the portion before ended: what it left stays for ever.
    most : int
        Waveforms looked at.

    Returns
    -------
    Portion
        Of waveforms; their blocks' rows stay, so that redeliveries are still known.
    """
    one, limit_ns = blocks.c, now_ns - round(keep_h * 3600e9)
    if after.arrived_ns > limit_ns:
        # The clock was set back: what arrives now lies before the place.
        after = Place()
    old = one.waveform.is_not(None) & (one.arrived_ns < limit_ns)
    old &= (one.arrived_ns >= after.arrived_ns) & ((one.arrived_ns > after.arrived_ns) | (one.id > after.id))
    query = sa.select(one.arrived_ns, one.id).where(old).order_by(one.arrived_ns, one.id).limit(most)
    looked = [Place(*row) for row in connection.execute(query)]
    if not looked:
        return Portion(0, after, more=False)
    around = sa.exists().where(
        alarms.c.point_id == one.point_id,
        one.end_ns > alarms.c.raised_ns - _AROUND_ALARM_NS,
        one.start_ns < sa.func.coalesce(alarms.c.cleared_ns, now_ns) + _AROUND_ALARM_NS,
    )
    labelled = sa.exists().where(
        labels.c.point_id == one.point_id,
        labels.c.kind.in_(VERDICTS),
        one.end_ns > labels.c.first_ns,
        one.start_ns < labels.c.last_ns,
    )
    gone = one.id.in_([place.id for place in looked]) & ~around & ~labelled & ~_at_a_raise()
    dropped = connection.execute(blocks.update().where(gone).values(waveform=None)).rowcount
    return Portion(dropped, looked[-1], more=len(looked) == most)


def _at_a_raise() -> sa.Exists:
    """Whether a block lies around the raise of an alarm without a verdict; the journal's index leads there.

    Of raises within an hour of one before none counts: at the edge of a zone an alarm chatters for as long as it may.
    """
    step, before = alarm_journal.c, alarm_journal.alias().c
    chatters = sa.exists().where(
        before.point_id == step.point_id,
        before.tag == step.tag,
        before.at_ns.between(step.at_ns - _HOUR_NS, step.at_ns - 1),
        before.action == "raise",
    )
    return sa.exists().where(
        step.point_id == blocks.c.point_id,
        step.tag.in_(_WITHOUT_VERDICT),
        step.at_ns.between(blocks.c.start_ns - _AROUND_ALARM_NS, blocks.c.end_ns + _AROUND_ALARM_NS),
        step.action == "raise",
        ~chatters,
    )


def thin_reports(
    connection: Connection, *, now_ns: int, keep_h: float, after: Place = Place(), most: int = _PORTION
) -> Portion:
    """Drop reports of more than `keep_h` hours ago but the first of each hour, and those in an alarm or around one.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    now_ns : int
    keep_h : float
        Hours, since they were made and since they arrived.
    after : Place
        Where the portion before ended: what it left stays for ever.
    most : int
        Reports looked at.

    Returns
    -------
    Portion
        Of reports. One that a gateway delivers again after that time would be stored again.
    """
    limit_ns = now_ns - round(keep_h * 3600e9)
    one = node_reports.c
    query = sa.select(one.arrived_ns, one.id, one.at_ns).where(one.id > after.id).order_by(one.id).limit(most)
    # In the order they came, so that one which comes late is looked at, too. One that came before the clock was set
    # back is passed, or all would wait for it.
    rows = connection.execute(query).all()
    passed = list(takewhile(lambda row: max(row.arrived_ns, row.at_ns) < limit_ns or row.arrived_ns > now_ns, rows))
    if not passed:
        return Portion(0, after, more=False)
    old = [row.id for row in passed if row.arrived_ns <= now_ns]
    dropped = _dropped_reports(connection, old, now_ns=now_ns)
    # SQLite gives the number of a last row that is gone to the next that comes.
    last = connection.execute(sa.select(sa.func.max(one.id)).where(one.id <= passed[-1].id)).scalar_one()
    return Portion(dropped, Place(id=last), more=len(passed) == most)


def _dropped_reports(connection: Connection, ids: list[int], *, now_ns: int) -> int:
    one, other = node_reports.c, node_reports.alias().c
    hour_ns = one.at_ns // _HOUR_NS * _HOUR_NS
    follows = sa.exists().where(
        other.point_id == one.point_id, other.at_ns >= hour_ns, other.at_ns < hour_ns + _HOUR_NS, other.id < one.id
    )
    around = sa.exists().where(
        alarms.c.point_id == one.point_id,
        one.at_ns > alarms.c.raised_ns - _AROUND_ALARM_NS,
        one.at_ns < sa.func.coalesce(alarms.c.cleared_ns, now_ns) + _AROUND_ALARM_NS,
    )
    gone = one.id.in_(ids) & ~one.alarm & follows & ~around
    return connection.execute(node_reports.delete().where(gone)).rowcount


def trim_events(connection: Connection, *, now_ns: int, keep_h: float) -> int:
    """Drop what nodes said beside reports more than `keep_h` hours ago; how many."""
    limit_ns = now_ns - round(keep_h * 3600e9)
    old = node_events.c.point_id.in_(sa.select(points.c.id)) & (node_events.c.at_ns < limit_ns)
    return connection.execute(node_events.delete().where(old)).rowcount
