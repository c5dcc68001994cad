"""What the store keeps of a point's past: features over time, and the samples nearest to any time; always bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.schema import blocks, node_reports, windows
from app.store import PointRow, features_from_blob, reading
from app.waveforms import latest_stretch
from features.contract import WATCHED

__all__ = ["Excerpt", "Past", "excerpt_near", "kept_spans", "nearest_kept", "past", "reported"]

# Windows of a stretch of time that are thinned by their number; of more, those nearest to even steps in time are given.
_MOST_LOOKED = 200_000


@dataclass(frozen=True, eq=False)
class Past:
    """Windows of a point over time, or the reports of its node, thinned evenly.

    Attributes
    ----------
    start_ns : ndarray of int64, shape (windows,)
        Ascending.
    score, threshold, rms, shaft_hz, load : ndarray of float64, shape (windows,)
        NaN where unknown.
    features : ndarray of float32, shape (windows, channels, features)
        Of the contract's watched profile; NaN where a window was stored under another one; no channel in reports.
    thinned : str
        Which of the windows or reports are here, in words; empty where all are.
    """

    start_ns: NDArray[np.int64]
    score: NDArray[np.float64]
    threshold: NDArray[np.float64]
    rms: NDArray[np.float64]
    shaft_hz: NDArray[np.float64]
    load: NDArray[np.float64]
    features: NDArray[np.float32]
    thinned: str


@dataclass(frozen=True, eq=False)
class Excerpt:
    """Samples without a gap; `x` is float32 of shape (channels, n), in the unit of the point."""

    x: NDArray[np.float32]
    rate_hz: float
    end_ns: int
    shaft_hz: float | None

    @property
    def start_ns(self) -> int:
        """Time of the first sample."""
        return self.end_ns - round(self.span_s * 1e9)

    @property
    def span_s(self) -> float:
        """Seconds that the samples last."""
        return float(self.x.shape[-1] / self.rate_hz)


def past(engine: Engine, point_id: str, *, since_ns: int = 0, until_ns: int | None = None, most: int) -> Past:
    """Windows over the whole of a stretch of time, thinned where there are more than are wanted.

    Parameters
    ----------
    engine : Engine
    point_id : str
    since_ns, until_ns : int
        First start, and start before which to end; None for no end.
    most : int
        Most windows given.

    Notes
    -----
    Each so many-th is given; of more windows than can be looked through, the last ones up to even steps in time, each
    found by the index of times: what that costs does not grow with what is stored.
    """
    one = windows.c
    own = (one.point_id == point_id) & (one.start_ns >= since_ns)
    if until_ns is not None:
        own &= one.start_ns < until_ns
    columns = (one.start_ns, one.score, one.threshold, one.rms, one.shaft_hz, one.load, one.contract, one.features)
    rows, thinned = _thinned(engine, own, "window", one.id, columns, most=most)
    score, threshold, rms, shaft_hz, load = _numbers([row[1:6] for row in rows], 5)
    features = _features([(row.contract, row.features) for row in rows])
    return Past(_times(rows), score, threshold, rms, shaft_hz, load, features, thinned)


def reported(engine: Engine, point_id: str, *, since_ns: int = 0, most: int) -> Past:
    """What a node reported of a stretch of time, as `past` gives windows: score, threshold and speed, of no channel.

    Parameters
    ----------
    engine : Engine
    point_id : str
    since_ns : int
        First time.
    most : int
        Most reports given.
    """
    one = node_reports.c
    own = (one.point_id == point_id) & (one.at_ns >= since_ns)
    columns = (one.at_ns, one.score, one.threshold, one.shaft_hz)
    rows, thinned = _thinned(engine, own, "report", one.id, columns, most=most)
    score, threshold, shaft_hz = _numbers([row[1:4] for row in rows], 3)
    unknown = np.full(score.size, np.nan)
    features = np.empty((score.size, 0, len(WATCHED.features)), dtype=np.float32)
    return Past(_times(rows), score, threshold, unknown, shaft_hz, unknown, features, thinned)


def _thinned(
    engine: Engine,
    own: sa.ColumnElement[bool],
    what: str,
    key: sa.Column[int],
    columns: tuple[sa.Column[Any], ...],
    *,
    most: int,
) -> tuple[list[sa.Row[Any]], str]:
    """Rows, oldest first, thinned evenly to so many, and in words which these are; times come first."""
    time = columns[0]
    with reading(engine) as connection:
        wanted, thinned = _chosen(connection, own, key, time, most=most)
        # SQLite takes so many parameters and no more.
        rows = [
            row
            for first in range(0, len(wanted), 500)
            for row in connection.execute(sa.select(*columns).where(key.in_(wanted[first : first + 500])))
        ]
    return sorted(rows, key=lambda row: row[0]), f"one {what} {thinned}" if thinned else ""


def _chosen(
    connection: Connection, own: sa.ColumnElement[bool], key: sa.Column[int], time: sa.Column[int], *, most: int
) -> tuple[Sequence[int], str]:
    """Keys of the rows that are given of those that there are, and which these are in words."""
    looked = sa.select(key).where(own).limit(_MOST_LOOKED + 1).subquery()
    n = connection.execute(sa.select(sa.func.count()).select_from(looked)).scalar_one()
    if n > _MOST_LOOKED:
        return _by_time(connection, own, key, time, most=most)
    found = connection.execute(sa.select(key).where(own).order_by(time.desc())).scalars().all()
    step = max(1, -(-len(found) // most))
    return found[::step], f"of {step}" if step > 1 else ""


def _by_time(
    connection: Connection, own: sa.ColumnElement[bool], key: sa.Column[int], time: sa.Column[int], *, most: int
) -> tuple[Sequence[int], str]:
    """As `_chosen`, of the last rows up to even steps in time from the first one to the last."""
    first, last = (sa.select(of(time)).where(own).scalar_subquery() for of in (sa.func.min, sa.func.max))
    first_ns, last_ns = connection.execute(sa.select(first, last)).one()
    step_ns = (last_ns - first_ns) // max(1, most - 1)
    steps = sa.select(sa.literal(0, sa.BigInteger).label("step")).cte("steps", recursive=True)
    steps = steps.union_all(sa.select(steps.c.step + 1).where(steps.c.step < most - 1))
    at = sa.literal(last_ns, sa.BigInteger) - sa.literal(step_ns, sa.BigInteger) * steps.c.step
    nearest = sa.select(key).where(own, time <= at).order_by(time.desc()).limit(1)
    found = connection.execute(sa.select(nearest.correlate(steps).scalar_subquery()).select_from(steps)).scalars()
    # Through a pause, several steps find the same one.
    return sorted(set(found)), f"each {_span_words(step_ns)}"


def _span_words(span_ns: int) -> str:
    for size_ns, unit in ((3_600_000_000_000, "h"), (60_000_000_000, "min")):
        if span_ns >= size_ns:
            return f"{span_ns / size_ns:.3g} {unit}"
    return f"{span_ns / 1e9:.3g} s"


def _numbers(rows: Sequence[Sequence[float | None]], n: int) -> NDArray[np.float64]:
    """Columns of numbers, shape (n, rows); NaN where one is unknown."""
    return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float).reshape(-1, n).T


def _times(rows: Sequence[sa.Row[Any]]) -> NDArray[np.int64]:
    return np.array([row[0] for row in rows], dtype=np.int64)


def _features(rows: Sequence[tuple[str, bytes]]) -> NDArray[np.float32]:
    """Features of windows given by contract and blob, shape (windows, channels, features)."""
    n = len(WATCHED.features)
    found = [features_from_blob(blob) if contract == WATCHED.hash else None for contract, blob in rows]
    channels = max((one.size // n for one in found if one is not None), default=1)
    table = np.full((len(rows), channels, n), np.nan, dtype=np.float32)
    for i, one in enumerate(found):
        if one is not None:
            table[i, : one.size // n] = one.reshape(-1, n)
    return table


def nearest_kept(engine: Engine, point_id: str, at_ns: int | None = None) -> int | None:
    """End of the block nearest to a time of those whose samples are kept; of two as near, of the earlier one.

    Parameters
    ----------
    engine : Engine
    point_id : str
    at_ns : int or None
        None for the latest there is.
    """
    one, own = blocks.c, _kept(point_id)
    until = own if at_ns is None else own & (one.end_ns <= at_ns)
    latest = sa.select(one.end_ns).where(until).order_by(one.end_ns.desc()).limit(1)
    with reading(engine) as connection:
        before: int | None = connection.execute(latest).scalar()
        if at_ns is None:
            return before
        following = sa.select(one.end_ns, one.start_ns).where(own, one.end_ns > at_ns).order_by(one.end_ns).limit(1)
        after = connection.execute(following).first()
    if after is None or (before is not None and at_ns - before <= max(0, after.start_ns - at_ns)):
        return before
    return int(after.end_ns)


def _kept(point_id: str) -> sa.ColumnElement[bool]:
    """Blocks of a point whose samples are kept, for which there is an index of their own."""
    return (blocks.c.point_id == point_id) & blocks.c.waveform.is_not(None)


def kept_spans(engine: Engine, point_id: str, *, since_ns: int = 0, most: int) -> list[int]:
    """Ends of blocks whose samples are kept, evenly over the time that they cover, oldest first.

    Parameters
    ----------
    engine : Engine
    point_id : str
    since_ns : int
        Time after which they end.
    most : int
        Most ends given.
    """
    end_ns, own = blocks.c.end_ns, _kept(point_id) & (blocks.c.end_ns > since_ns)
    with reading(engine) as connection:
        ends = connection.execute(sa.select(end_ns).where(own).order_by(end_ns).limit(most + 1)).scalars().all()
        if len(ends) <= most:
            return list(ends)
        latest = connection.execute(sa.select(end_ns).where(own).order_by(end_ns.desc()).limit(1)).scalar_one()
        first_ns, step_ns = ends[0], latest - ends[0]
        # Where pauses swallow steps, shorter ones find more; of a step of none there are enough, as was seen.
        ends = []
        while len(ends) < most:
            step_ns //= 4
            ends = sorted({*connection.execute(_strides(point_id, first_ns, step_ns)).scalars(), latest})
    return [ends[round(i)] for i in np.linspace(0, len(ends) - 1, most)]


def _strides(point_id: str, first_ns: int, step_ns: int) -> sa.Select[Any]:
    """From the first end of a block, the next one that is more than a step later, and so on: one look-up for each."""
    end_ns = blocks.c.end_ns
    found = sa.select(sa.cast(first_ns, sa.BigInteger).label("end_ns")).cte("found", recursive=True)
    # No other bound beside: SQLite would begin at that, and pass every block in between anew for each stride.
    later = sa.select(end_ns).where(_kept(point_id), end_ns > found.c.end_ns + step_ns).order_by(end_ns).limit(1)
    following = sa.select(later.scalar_subquery().correlate(found)).where(found.c.end_ns.is_not(None))
    strides = found.union_all(following)
    return sa.select(strides.c.end_ns).where(strides.c.end_ns.is_not(None)).order_by(strides.c.end_ns)


def excerpt_near(
    engine: Engine,
    row: PointRow,
    *,
    at_ns: int | None = None,
    span_s: float,
    within_ns: tuple[int, int] | None = None,
) -> Excerpt | None:
    """The samples of all channels nearest to a time, as many without a gap as are kept, up to a span.

    Parameters
    ----------
    engine : Engine
    row : PointRow
    at_ns : int or None
        None for the latest there are.
    span_s : float
        Most seconds wanted.
    within_ns : tuple of int or None
        The stretch of time that all of the samples are to lie in; None for any.

    Returns
    -------
    Excerpt or None
        None where no such samples of the point are kept.
    """
    end_ns = nearest_kept(engine, row.id, at_ns)
    if end_ns is not None and within_ns is not None:
        first_ns, last_ns = within_ns
        if not first_ns < end_ns <= last_ns:
            return None
        span_s = min(span_s, (end_ns - first_ns) / 1e9)
    found = None if end_ns is None else latest_stretch(engine, row.id, end_ns=end_ns, span_s=span_s)
    if end_ns is None or found is None:
        return None
    query = sa.select(blocks.c.shaft_hz).where(blocks.c.point_id == row.id, blocks.c.end_ns == end_ns).limit(1)
    with reading(engine) as connection:
        shaft_hz = connection.execute(query).scalar()
    return Excerpt(found.x, found.rate_hz, end_ns, shaft_hz or row.nominal_shaft_hz)
