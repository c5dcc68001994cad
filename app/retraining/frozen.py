"""The frozen windows of a point: healthy ones and ones with faults laid over, made once, that no model learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.retraining.selection import Amounts, NotReadyError, features_of, healthy_since
from app.schema import blocks, frozen_windows
from app.store import PointRow, features_from_blob, reading
from app.waveforms import latest_stretch
from features.contract import WATCHED
from features.extraction import extract
from models.injection import KINDS, LEVELS, with_fault

__all__ = ["HEALTHY", "FrozenWindows", "freeze", "read_frozen", "write_frozen"]

HEALTHY = "healthy"
# Healthy windows that every fault is laid over at every level.
_CARRIERS, _FEWEST_CARRIERS = 16, 8
_MOST_BLOCKS = 20_000
_SEED = 20261126


@dataclass(frozen=True, eq=False)
class FrozenWindows:
    """Frozen windows of a point.

    Attributes
    ----------
    ids : ndarray of int64
        Of the healthy ones, in time order.
    healthy : ndarray of float32, shape (windows, features)
    carriers : ndarray of int64
        Windows that faults were laid over.
    faults : mapping of str to ndarray of float32, shape (windows, features)
        By kind; all levels of all carriers.
    """

    ids: NDArray[np.int64]
    healthy: NDArray[np.float32]
    carriers: NDArray[np.int64]
    faults: Mapping[str, NDArray[np.float32]]


def read_frozen(connection: Connection, row: PointRow) -> FrozenWindows | None:
    """Read what was frozen of a point since it began to learn, or None."""
    own = (frozen_windows.c.point_id == row.id) & (frozen_windows.c.after == row.baseline_after)
    own &= frozen_windows.c.contract == WATCHED.hash
    rows = connection.execute(sa.select(frozen_windows).where(own).order_by(frozen_windows.c.id)).all()
    if not rows:
        return None
    healthy = [found for found in rows if found.kind == HEALTHY]
    faulty: dict[str, list[NDArray[np.float32]]] = {}
    for found in rows:
        if found.kind != HEALTHY:
            faulty.setdefault(found.kind, []).append(features_from_blob(found.features))
    return FrozenWindows(
        ids=np.array([found.window_id for found in healthy], dtype=np.int64),
        healthy=np.stack([features_from_blob(found.features) for found in healthy]),
        carriers=np.unique(np.array([found.window_id for found in rows if found.kind != HEALTHY], dtype=np.int64)),
        faults={kind: np.stack(parts) for kind, parts in faulty.items()},
    )


def write_frozen(connection: Connection, row: PointRow, frozen: FrozenWindows) -> None:
    """Keep what was frozen, in the caller's transaction."""
    same = {"point_id": row.id, "after": row.baseline_after, "contract": WATCHED.hash}
    rows: list[dict[str, Any]] = [
        same | {"kind": HEALTHY, "level": None, "window_id": one, "features": features.astype("<f4").tobytes()}
        for one, features in zip(frozen.ids.tolist(), frozen.healthy, strict=True)
    ]
    for kind, features in frozen.faults.items():
        laid = [(level, one) for level in LEVELS for one in frozen.carriers.tolist()]
        rows += [
            same | {"kind": kind, "level": level, "window_id": one, "features": vector.astype("<f4").tobytes()}
            for (level, one), vector in zip(laid, features, strict=True)
        ]
    connection.execute(frozen_windows.insert(), rows)


def freeze(engine: Engine, row: PointRow, *, provenance: Mapping[str, Any], amounts: Amounts) -> FrozenWindows:
    """Choose a point's frozen windows; writes nothing.

    Parameters
    ----------
    engine : Engine
    row : PointRow
    provenance : mapping
        Of its champion's bundle.
    amounts : Amounts

    Returns
    -------
    FrozenWindows
        The healthy windows that follow the healthy start, and faults laid over windows of which the waveform is stored.

    Raises
    ------
    NotReadyError
        If there are too few healthy windows, or too few of them have a waveform.
    """
    with reading(engine) as connection:
        later = healthy_since(connection, row, provenance=provenance, amounts=amounts)
        ids = later.ids[: amounts.judged]
        healthy = features_of(connection, ids)
        kept = sa.select(blocks.c.start_ns, blocks.c.end_ns).where(
            blocks.c.point_id == row.id, blocks.c.waveform.is_not(None), blocks.c.end_ns > int(later.start_ns[0])
        )
        stored = connection.execute(kept.order_by(blocks.c.start_ns).limit(_MOST_BLOCKS)).all()
    begins, ends = np.array([tuple(block) for block in stored], dtype=np.int64).reshape(-1, 2).T
    block = np.searchsorted(begins, later.start_ns, side="right") - 1
    has = (block >= 0) & (ends[block] > later.start_ns) if begins.size else np.zeros(len(later), dtype=np.bool_)
    # The recent windows judge, and those before them are learned from: the oldest carry the faults.
    candidates = later.where(has)
    candidates = candidates.where(np.arange(min(len(candidates), amounts.judged)))
    carriers, samples = _with_waveforms(engine, row, candidates.ids, candidates.start_ns, candidates.end_ns)
    if len(carriers) < _FEWEST_CARRIERS:
        raise NotReadyError(
            f"{len(carriers)} healthy windows have a waveform to lay faults over; {_FEWEST_CARRIERS} are wanted"
        )
    return FrozenWindows(ids, healthy, carriers, _faulty(row, samples))


def _with_waveforms(
    engine: Engine, row: PointRow, ids: NDArray[np.int64], start_ns: NDArray[np.int64], end_ns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Ids and samples of windows spread evenly over those given, shape (windows, channels, n)."""
    assert row.rate_hz is not None
    found: dict[int, NDArray[np.float32]] = {}
    for i in np.unique(np.linspace(0, ids.size - 1, min(2 * _CARRIERS, ids.size)).astype(np.intp)).tolist():
        n = round((int(end_ns[i]) - int(start_ns[i])) * row.rate_hz / 1e9)
        stretch = latest_stretch(engine, row.id, end_ns=int(end_ns[i]), span_s=n / row.rate_hz)
        if stretch is not None and stretch.x.shape[-1] == n:
            found[int(ids[i])] = stretch.x
    chosen = list(found)[:: max(len(found) // _CARRIERS, 1)][:_CARRIERS]
    samples = np.stack([found[one] for one in chosen]) if chosen else np.empty((0, 1, 0), np.float32)
    return np.array(chosen, dtype=np.int64), samples


def _faulty(row: PointRow, samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Features of every fault at every level over every carrier."""
    assert row.rate_hz is not None
    assert row.unit is not None
    rng = np.random.default_rng(_SEED)
    by_kind = {}
    for kind in KINDS:
        laid = [
            with_fault(
                samples,
                rng,
                kind=kind,
                level=level,
                rate_hz=row.rate_hz,
                shaft_hz=row.nominal_shaft_hz,
                bearing=row.bearing,
            )
            for level in LEVELS
        ]
        features = extract(np.concatenate(laid), row.rate_hz, profile=WATCHED, unit=row.unit)
        by_kind[kind] = features.reshape(len(laid) * len(samples), -1)
    return by_kind
