"""Thinning of stored waveforms: recent ones and those around alarms stay, features and verdicts always do."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from app.schema import alarms, blocks

__all__ = ["thin_waveforms"]

# Waveforms stay that lie within this time before an alarm is raised and after it is cleared.
_AROUND_ALARM_NS = 60 * 1_000_000_000


def thin_waveforms(connection: Connection, *, now_ns: int, keep_h: float) -> int:
    """Drop waveforms that arrived more than `keep_h` hours ago and lie around no alarm.

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
    old = (blocks.c.arrived_ns < limit_ns) & blocks.c.waveform.is_not(None) & ~around
    return connection.execute(blocks.update().where(old).values(waveform=None)).rowcount
