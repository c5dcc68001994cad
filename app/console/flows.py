"""How the data of each point flow in: rates, delay and pauses of its latest blocks; reads a bounded number of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from app.schema import blocks, nodes, points

__all__ = ["MOST_PER_HOUR", "Flow", "PointBrief", "blocks_per_hour", "flow_of", "point_briefs"]

# Latest blocks of a point that its rates are taken from.
_LATEST = 60
_HOUR_NS = 3_600_000_000_000
# Blocks of an hour that are counted: one in 18 ms, where a sensor of 12.8 kHz sends one in 160 ms.
MOST_PER_HOUR = 200_000


@dataclass(frozen=True, slots=True)
class PointBrief:
    """A point: when it was last heard of, what it says of its sampling, how often its node reports where it has one."""

    id: str
    name: str
    seen_ns: int | None
    rate_hz: float | None
    period_ms: int | None


class _Arrived(NamedTuple):
    """A block without its samples."""

    sequence: int
    start_ns: int
    end_ns: int
    arrived_ns: int
    n_samples: int
    n_channels: int
    sample_type: str


@dataclass(frozen=True, slots=True)
class Flow:
    """How the latest blocks of a point came.

    Attributes
    ----------
    blocks_per_h, bytes_per_h : float
        Over the time that they span; bytes of samples, before they are packed.
    rate_hz : float or None
        Samples per second by the clock, from blocks that follow each other; None where none do, as of bursts.
    lag_s, worst_lag_s : float
        Median and largest time from a block's end to its arrival; below zero where a sensor's clock is ahead.
    """

    blocks_per_h: float
    bytes_per_h: float
    rate_hz: float | None
    lag_s: float
    worst_lag_s: float


def point_briefs(connection: Connection) -> list[PointBrief]:
    """List all points, by identity; without their windowers' states, which are long."""
    one = points.c
    columns = (one.id, one.name, one.seen_ns, one.rate_hz, nodes.c.period_ms)
    query = sa.select(*columns).select_from(points.outerjoin(nodes, nodes.c.point_id == one.id)).order_by(one.id)
    return [PointBrief(*row) for row in connection.execute(query)]


def flow_of(connection: Connection, point_id: str) -> Flow | None:
    """Read how the latest blocks of a point came; None where there are not two."""
    one = blocks.c
    columns = (one.sequence, one.start_ns, one.end_ns, one.arrived_ns, one.n_samples, one.n_channels, one.sample_type)
    own = sa.select(*columns).where(one.point_id == point_id).order_by(one.end_ns.desc()).limit(_LATEST)
    rows = [_Arrived(*row) for row in connection.execute(own)][::-1]
    return None if len(rows) < 2 else _flow(rows)


def _flow(rows: Sequence[_Arrived]) -> Flow:
    span_h = max((rows[-1].end_ns - rows[0].start_ns) / _HOUR_NS, 1e-9)
    # The number behind the letter of a sample type is its bytes.
    sizes = [row.n_samples * row.n_channels * int(row.sample_type[1:]) for row in rows]
    lags = [(row.arrived_ns - row.end_ns) / 1e9 for row in rows]
    return Flow(len(rows) / span_h, sum(sizes) / span_h, _rate(rows), float(np.median(lags)), max(lags))


def _rate(rows: Sequence[_Arrived]) -> float | None:
    """Median of samples over the time to the next block, where that follows without a pause."""
    rates = [
        before.n_samples * 1e9 / (after.start_ns - before.start_ns)
        for before, after in itertools.pairwise(rows)
        if after.sequence == before.sequence + 1
        and 0 < after.start_ns - before.start_ns < 1.5 * (before.end_ns - before.start_ns)
    ]
    return float(np.median(rates)) if rates else None


def blocks_per_hour(connection: Connection, point_id: str, *, now_ns: int, hours: int) -> list[int]:
    """Count the blocks of a point in each of the latest hours, oldest first, each up to `MOST_PER_HOUR`.

    The index alone is read.
    """
    first_ns = (now_ns // _HOUR_NS - hours + 1) * _HOUR_NS
    return [_in_hour(connection, point_id, first_ns + i * _HOUR_NS) for i in range(hours)]


def _in_hour(connection: Connection, point_id: str, since_ns: int) -> int:
    one = blocks.c
    own = (one.point_id == point_id) & (one.end_ns >= since_ns) & (one.end_ns < since_ns + _HOUR_NS)
    found = sa.select(one.end_ns).where(own).limit(MOST_PER_HOUR).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()
