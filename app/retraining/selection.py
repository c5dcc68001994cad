"""Which windows of a point a challenger learns from and which it is judged on; refuses a point that is not ready.

In time order a point has its healthy start, which its first model learned from; behind it the frozen windows, which no
challenger ever learns from; then those to learn from; at the end the recent ones, which judge. No two of these share a
sample. Whatever lies in or near an alarm is in none of them: a fault must not be learned as health. Windows that merely
passed the threshold stay in: without them each retraining would have a lower threshold than the one before it.

What people said holds over what was alarmed: an alarm or a stretch that was rejected is none, its windows are healthy
ones, of which the later half judges; the kind of one that was confirmed or renamed is theirs; a stretch that was
confirmed is a fault. Where these overlap, what was said last holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.labels.records import verdicts
from app.schema import alarms, windows
from app.store import PointRow, features_from_blob
from features.contract import WATCHED
from features.errors import RacewayError

__all__ = [
    "Amounts",
    "NotReadyError",
    "Places",
    "Selection",
    "ends_of",
    "features_of",
    "healthy_since",
    "places_of",
    "refuse_while_alarmed",
    "select",
]

Ids = NDArray[np.int64]

# Windows that follow each other are chosen together: the folds of a baseline are cut from such stretches.
_STRETCH = 8
# The latest windows that half of what is learned comes from, so that a condition that is new is learned well enough.
_LATEST = 2_000
_FEWEST_NEW = 64
_CHUNK, _READ = 500, 20_000
_UNKNOWN = "unknown"
_FOR_EVER = np.iinfo(np.int64).max
# Begin and end of an alarm, and the kind it was given.
_Span = tuple[int, int | None, str]


@dataclass(frozen=True)
class _Said:
    """Stretches of a point by what was alarmed and said: with a fault, and those that were rejected."""

    faults: tuple[_Span, ...]
    rejected: tuple[_Span, ...]


class NotReadyError(RacewayError):
    """A point has not what a challenger needs; it is looked at again the next time."""


@dataclass(frozen=True)
class Amounts:
    """How many windows are wanted.

    Attributes
    ----------
    learned : int
        For a challenger, the healthy start among them.
    judged : int
        Of the frozen, of the recent and, of each kind, of those in alarms.
    margin_s : float
        Around an alarm, in which nothing counts as healthy.
    """

    learned: int
    judged: int
    margin_s: float


@dataclass(frozen=True, eq=False)
class Places:
    """Windows by their ids and times, in time order."""

    ids: Ids
    start_ns: Ids
    end_ns: Ids

    def __len__(self) -> int:
        return self.ids.size

    def where(self, mask: NDArray[Any]) -> Places:
        """Those of a mask or of indices."""
        return Places(self.ids[mask], self.start_ns[mask], self.end_ns[mask])

    def between(self, after_ns: int, before_ns: int) -> Places:
        """Those that lie wholly between two times."""
        return self.where((self.start_ns >= after_ns) & (self.end_ns <= before_ns))


@dataclass(frozen=True, eq=False)
class Selection:
    """Windows of a point, by what they are for.

    Attributes
    ----------
    champion : ndarray of int64
        What the champion learned from.
    start : Places
        The healthy start, which every model of the point learns from.
    frozen, recent, learned : Places
    alarmed : mapping of str to ndarray of int64
        In alarms, by the kind they were given.
    rejected : ndarray of int64
        Healthy ones of what was rejected, which judge and are not learned from.
    """

    champion: Ids
    start: Places
    frozen: Places
    recent: Places
    learned: Places
    alarmed: Mapping[str, Ids]
    rejected: Ids


def select(
    connection: Connection, row: PointRow, *, provenance: Mapping[str, Any], kept: Ids, carriers: Ids, amounts: Amounts
) -> Selection:
    """Choose the windows of a point.

    Parameters
    ----------
    connection : Connection
    row : PointRow
        Of a point that is watched.
    provenance : mapping
        Of its champion's bundle.
    kept : ndarray of int64
        Frozen windows, where some were frozen before; else empty.
    carriers : ndarray of int64
        Windows that faults were laid over; nobody learns from them either.
    amounts : Amounts

    Returns
    -------
    Selection

    Raises
    ------
    NotReadyError
        If an alarm stands, or there are too few healthy windows.
    """
    everything = places_of(connection, row)
    said = _said(connection, row.id)
    start, later = _divided(everything, said.faults, provenance, amounts)
    rejected = _judging(later, said.rejected, amounts.judged)
    frozen = later.where(np.arange(amounts.judged)) if not kept.size else everything.where(_among(everything, kept))
    recent = later.where(np.arange(len(later) - amounts.judged, len(later)))
    between = later.between(int(frozen.end_ns.max()), int(recent.start_ns.min()))
    free = _apart(between, everything.where(_among(everything, np.concatenate([carriers, rejected]))))
    learned = _learned(start, free, amounts.learned)
    champion = np.array(provenance.get("window_ids", start.ids), dtype=np.int64)
    alarmed = _in_alarms(everything, said.faults, amounts.judged)
    return Selection(champion, start, frozen, recent, learned, alarmed, rejected)


def refuse_while_alarmed(connection: Connection, point_id: str) -> None:
    """Refuse a point at which an alarm stands that nobody rejected.

    Raises
    ------
    NotReadyError
    """
    _refuse_standing(_said(connection, point_id).faults)


def _refuse_standing(spans: Sequence[_Span]) -> None:
    if any(cleared_ns is None for _, cleared_ns, _ in spans):
        raise NotReadyError("an alarm stands; what is healthy cannot be told while it does")


def healthy_since(connection: Connection, row: PointRow, *, provenance: Mapping[str, Any], amounts: Amounts) -> Places:
    """Healthy windows of a point after its healthy start; refuses as `select` does."""
    everything = places_of(connection, row)
    return _divided(everything, _said(connection, row.id).faults, provenance, amounts)[1]


def _divided(
    everything: Places, spans: Sequence[_Span], provenance: Mapping[str, Any], amounts: Amounts
) -> tuple[Places, Places]:
    """The healthy start, and the healthy windows after it."""
    _refuse_standing(spans)
    if "healthy_start" in provenance:
        start = everything.where(_among(everything, np.array(provenance["healthy_start"], dtype=np.int64)))
    else:
        # A point's first model learned from the windows that were stored first, whatever their times.
        start = everything.where(np.sort(np.argsort(everything.ids)[: int(provenance["windows"])]))
    if not len(start):
        raise NotReadyError("the windows that its model learned from are no longer stored")
    healthy = _outside(everything, spans, margin_ns=round(amounts.margin_s * 1e9))
    later = healthy.between(int(start.end_ns.max()), _FOR_EVER)
    wanted = 2 * amounts.judged + _FEWEST_NEW
    if len(later) < wanted:
        raise NotReadyError(f"{len(later)} healthy windows were stored since its healthy start; {wanted} are wanted")
    return start, later


def places_of(connection: Connection, row: PointRow) -> Places:
    """Windows of a point since it began to learn, of today's features, in time order.

    Once the point is watched, those that no model judged are left out: while a bundle could not be read, nothing would
    have told of a fault.
    """
    own = (windows.c.point_id == row.id) & (windows.c.id > row.baseline_after) & (windows.c.contract == WATCHED.hash)
    watched = connection.execute(sa.select(sa.func.min(windows.c.id)).where(own, windows.c.score.is_not(None))).scalar()
    if watched is not None:
        own &= windows.c.score.is_not(None) | (windows.c.id < watched)
    columns = (windows.c.id, windows.c.start_ns, windows.c.end_ns)
    query = sa.select(*columns).where(own).order_by(windows.c.start_ns, windows.c.id)
    # Of a month of a point that never pauses, the rows would be gigabytes, and these are hundreds of megabytes.
    rows = connection.execute(query.execution_options(yield_per=_READ)).partitions()
    parts = [np.array([tuple(found) for found in part], dtype=np.int64) for part in rows]
    ids, start_ns, end_ns = np.concatenate([np.empty((0, 3), np.int64), *parts]).T
    return Places(ids, start_ns, end_ns)


def features_of(connection: Connection, ids: Ids) -> NDArray[np.float32]:
    """Features of windows in the order of their ids' array, shape (windows, features)."""
    return np.stack([features_from_blob(one) for one in _of_windows(connection, ids, windows.c.features)])


def ends_of(connection: Connection, ids: Ids) -> Ids:
    """When windows ended, in the order of their ids' array; ns."""
    return np.array(_of_windows(connection, ids, windows.c.end_ns), dtype=np.int64)


def _of_windows(connection: Connection, ids: Ids, column: sa.Column[Any]) -> list[Any]:
    found: dict[int, Any] = {}
    for first in range(0, ids.size, _CHUNK):
        chunk = ids[first : first + _CHUNK].tolist()
        query = sa.select(windows.c.id, column).where(windows.c.id.in_(chunk))
        found |= {row[0]: row[1] for row in connection.execute(query)}
    return [found[one] for one in ids.tolist()]


def _said(connection: Connection, point_id: str) -> _Said:
    """Alarms of a point and stretches that were judged; of what several cover, what was said last holds."""
    columns = (alarms.c.id, alarms.c.window_start_ns, alarms.c.raised_ns, alarms.c.cleared_ns, alarms.c.kind)
    query = sa.select(*columns).where(alarms.c.point_id == point_id).order_by(alarms.c.raised_ns)
    of_alarm: dict[int | None, _Span] = {
        row.id: (min(row.window_start_ns, row.raised_ns), row.cleared_ns, row.kind or _UNKNOWN)
        for row in connection.execute(query)
    }
    labels = verdicts(connection, point_id=point_id)
    judged = {label.alarm_id for label in labels}
    # What nobody judged was said first of all.
    faults = [span for alarm_id, span in of_alarm.items() if alarm_id not in judged]
    rejected: list[_Span] = []
    for label in labels:
        begin_ns, end_ns, kind = of_alarm.get(label.alarm_id, (label.first_ns, label.last_ns, _UNKNOWN))
        faults = [rest for fault in faults for rest in _without(fault, begin_ns, end_ns)]
        if label.kind == "reject":
            rejected.append((begin_ns, end_ns, kind))
        else:
            faults.append((begin_ns, end_ns, label.fault or kind))
    return _Said(tuple(sorted(faults, key=lambda span: span[0])), tuple(rejected))


def _without(span: _Span, begin_ns: int, end_ns: int | None) -> list[_Span]:
    """What is left of a fault before and after a stretch of which something else was said later."""
    first_ns, last_ns, kind = span
    before_ns = begin_ns if last_ns is None else min(begin_ns, last_ns)
    rest: list[_Span] = [(first_ns, before_ns, kind)] if first_ns < begin_ns else []
    if end_ns is not None and (last_ns is None or end_ns < last_ns):
        rest.append((max(first_ns, end_ns), last_ns, kind))
    return rest


def _judging(healthy: Places, rejected: Sequence[_Span], most: int) -> Ids:
    """The later half of the windows of each stretch that was rejected: the earlier half may be learned from."""
    found = [healthy.between(begin_ns, _FOR_EVER if end_ns is None else end_ns) for begin_ns, end_ns, _ in rejected]
    parts = [inside.ids[len(inside) // 2 :] for inside in found if len(inside)]
    return _evenly(np.concatenate(parts), most) if parts else np.empty(0, np.int64)


def _outside(places: Places, spans: Sequence[_Span], *, margin_ns: int) -> Places:
    healthy = np.ones(len(places), dtype=np.bool_)
    for begin_ns, end_ns, _ in spans:
        if end_ns is not None:
            healthy &= (places.end_ns < begin_ns - margin_ns) | (places.start_ns > end_ns + margin_ns)
    return places.where(healthy)


def _in_alarms(places: Places, spans: Sequence[_Span], most: int) -> dict[str, Ids]:
    by_kind: dict[str, list[Ids]] = {}
    for begin_ns, end_ns, kind in spans:
        if end_ns is not None and len(inside := places.between(begin_ns, end_ns)):
            by_kind.setdefault(kind, []).append(inside.ids)
    return {kind: _evenly(np.concatenate(parts), most) for kind, parts in by_kind.items()}


def _evenly(ids: Ids, most: int) -> Ids:
    return ids[np.unique(np.linspace(0, ids.size - 1, min(most, ids.size)).astype(np.intp))]


def _among(places: Places, ids: Ids) -> NDArray[np.bool_]:
    return np.isin(places.ids, ids)


def _apart(places: Places, others: Places) -> Places:
    """Those that share no sample with any of the others."""
    free = np.ones(len(places), dtype=np.bool_)
    for start_ns, end_ns in zip(others.start_ns.tolist(), others.end_ns.tolist(), strict=True):
        free &= (places.end_ns <= start_ns) | (places.start_ns >= end_ns)
    return places.where(free)


def _learned(start: Places, free: Places, wanted: int) -> Places:
    """The healthy start, and stretches of what came after: half over all of it, half over the latest."""
    more = max(wanted - len(start), _FEWEST_NEW)
    earlier = max(len(free) - _LATEST, 0)
    over_all = _stretches(len(free), more // 2 if earlier else more)
    over_latest = earlier + _stretches(len(free) - earlier, more - more // 2)
    chosen = free.where(np.unique(np.concatenate([over_all, over_latest])) if earlier else over_all)
    if len(chosen) < _FEWEST_NEW // 2:
        raise NotReadyError(f"{len(chosen)} windows to learn from were stored since its healthy start; more are wanted")
    both = Places(*(np.concatenate(pair) for pair in zip(_parts(start), _parts(chosen), strict=True)))
    return both.where(np.argsort(both.start_ns, kind="stable"))


def _parts(places: Places) -> tuple[Ids, Ids, Ids]:
    return places.ids, places.start_ns, places.end_ns


def _stretches(n: int, wanted: int) -> NDArray[np.intp]:
    """Indices below n of stretches that are spread evenly; all where not more than wanted are there."""
    if n <= wanted:
        return np.arange(n)
    begins = np.linspace(0, n - _STRETCH, max(wanted // _STRETCH, 1)).astype(np.intp)
    return np.unique((begins[:, None] + np.arange(_STRETCH)).ravel())
