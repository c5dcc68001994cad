"""Thinning of the store: recent waveforms and reports stay, those around alarms always, older reports one an hour.

Waveforms of a stretch of time that somebody labelled stay, too: they are what a network can learn from.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from app.labels.records import VERDICTS
from app.schema import alarms, blocks, labels, node_events, node_reports, points

__all__ = ["thin_reports", "thin_waveforms", "trim_events"]

# Waveforms and reports stay that lie within this time before an alarm is raised and after it is cleared.
_AROUND_ALARM_NS = 60 * 1_000_000_000
_HOUR_NS = 3_600_000_000_000


def thin_waveforms(connection: Connection, *, now_ns: int, keep_h: float) -> int:
    """Drop waveforms that arrived more than `keep_h` hours ago and lie around no alarm and in no labelled stretch.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    now_ns : int
    keep_h : float
        Hours.

    Returns
    -------
    int
        Waveforms dropped; their blocks' rows stay, so that redeliveries are still known.
    """
    limit_ns = now_ns - round(keep_h * 3600e9)
    around = sa.exists().where(
        alarms.c.point_id == blocks.c.point_id,
        blocks.c.end_ns > alarms.c.raised_ns - _AROUND_ALARM_NS,
        blocks.c.start_ns < sa.func.coalesce(alarms.c.cleared_ns, now_ns) + _AROUND_ALARM_NS,
    )
    labelled = sa.exists().where(
        labels.c.point_id == blocks.c.point_id,
        labels.c.kind.in_(VERDICTS),
        blocks.c.end_ns > labels.c.first_ns,
        blocks.c.start_ns < labels.c.last_ns,
    )
    old = (blocks.c.arrived_ns < limit_ns) & blocks.c.waveform.is_not(None) & ~around & ~labelled
    return connection.execute(blocks.update().where(old).values(waveform=None)).rowcount


def thin_reports(connection: Connection, *, now_ns: int, keep_h: float) -> int:
    """Drop reports of more than `keep_h` hours ago but the first of each hour, and those in an alarm or around one.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    now_ns : int
    keep_h : float
        Hours.

    Returns
    -------
    int
        Reports dropped. One that a gateway delivers again after that time would be stored again.
    """
    limit_ns = now_ns - round(keep_h * 3600e9)
    # Point by point: so the index leads to the old ones, however many recent ones there are.
    keys = connection.execute(sa.select(points.c.id)).scalars().all()
    return sum(_thin_reports_of(connection, key, limit_ns=limit_ns, now_ns=now_ns) for key in keys)


def _thin_reports_of(connection: Connection, point_id: str, *, limit_ns: int, now_ns: int) -> int:
    one = node_reports.c
    old = (one.point_id == point_id) & (one.at_ns < limit_ns)
    first = sa.select(sa.func.min(one.id)).where(old).group_by(one.at_ns // _HOUR_NS)
    around = sa.exists().where(
        alarms.c.point_id == point_id,
        one.at_ns > alarms.c.raised_ns - _AROUND_ALARM_NS,
        one.at_ns < sa.func.coalesce(alarms.c.cleared_ns, now_ns) + _AROUND_ALARM_NS,
    )
    gone = old & ~one.alarm & one.id.not_in(first) & ~around
    return connection.execute(node_reports.delete().where(gone)).rowcount


def trim_events(connection: Connection, *, now_ns: int, keep_h: float) -> int:
    """Drop what nodes said beside reports more than `keep_h` hours ago; how many."""
    limit_ns = now_ns - round(keep_h * 3600e9)
    old = node_events.c.point_id.in_(sa.select(points.c.id)) & (node_events.c.at_ns < limit_ns)
    return connection.execute(node_events.delete().where(old)).rowcount
