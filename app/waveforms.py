"""Samples of stored blocks, joined where they follow each other; refuses to bridge a pause or what was thinned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
import zstandard
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.schema import blocks
from app.store import reading

__all__ = ["Stretch", "latest_burst", "latest_stretch", "waveform"]

# Blocks that a stretch is joined from at most, however short they are.
_MOST_BLOCKS = 2000


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples of all channels without a gap; `x` is float32 of shape (channels, n), in the unit of the point."""

    x: NDArray[np.float32]
    rate_hz: float

    @property
    def span_s(self) -> float:
        """Seconds that the samples last."""
        return float(self.x.shape[-1] / self.rate_hz)


def latest_burst(engine: Engine, point_id: str) -> tuple[NDArray[np.float32], float, float | None, int] | None:
    """Samples of the first channel, rate, shaft speed and start of the latest block of a point that is still kept."""
    own = (blocks.c.point_id == point_id) & blocks.c.waveform.is_not(None)
    query = sa.select(blocks).where(own).order_by(blocks.c.end_ns.desc()).limit(1)
    with reading(engine) as connection:
        row = connection.execute(query).first()
    return None if row is None else (_samples(row)[0], row.rate_hz, row.shaft_hz, row.start_ns)


def waveform(engine: Engine, point_id: str, *, start_ns: int, end_ns: int) -> NDArray[np.float32] | None:
    """Samples of the first channel between two times, from the blocks that hold them.

    Returns
    -------
    ndarray of float32, shape (n,), or None
        None where a waveform has been thinned.
    """
    query = (
        sa.select(blocks)
        .where(blocks.c.point_id == point_id, blocks.c.end_ns > start_ns, blocks.c.start_ns < end_ns)
        .order_by(blocks.c.start_ns)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    if not rows or any(row.waveform is None for row in rows):
        return None
    parts = [_samples(row)[0] for row in rows]
    first = max(0, round((start_ns - rows[0].start_ns) * rows[0].rate_hz / 1e9))
    n = round((end_ns - start_ns) * rows[0].rate_hz / 1e9)
    return np.concatenate(parts)[first : first + n].astype(np.float32)


def latest_stretch(engine: Engine, point_id: str, *, end_ns: int, span_s: float) -> Stretch | None:
    """The samples that led up to a time without a gap, as many as are stored, up to a span.

    Parameters
    ----------
    engine : Engine
    point_id : str
    end_ns : int
        End of the latest window.
    span_s : float
        Most seconds wanted.

    Returns
    -------
    Stretch or None
        None where the latest waveform has been thinned.
    """
    since_ns = end_ns - round(span_s * 1e9)
    own = (blocks.c.point_id == point_id) & (blocks.c.end_ns > since_ns) & (blocks.c.start_ns < end_ns)
    query = sa.select(blocks).where(own).order_by(blocks.c.start_ns.desc()).limit(_MOST_BLOCKS)
    with reading(engine) as connection:
        rows = _unbroken(connection.execute(query).all())
    if not rows:
        return None
    rate_hz = rows[-1].rate_hz
    x = np.concatenate([_samples(row) for row in rows], axis=-1)
    after = x.shape[-1] - max(0, round((rows[-1].end_ns - end_ns) * rate_hz / 1e9))
    return Stretch(x[:, max(0, after - round(span_s * rate_hz)) : after], rate_hz)


def _unbroken(newest_first: Sequence[sa.Row[Any]]) -> list[sa.Row[Any]]:
    """The run of blocks that ends with the newest, oldest first; they follow each other as the windower asks it."""
    rows: list[sa.Row[Any]] = []
    for row in newest_first:
        if row.waveform is None:
            break
        if rows:
            after = rows[-1]
            near = abs(after.start_ns - row.end_ns) <= (after.end_ns - after.start_ns) // 2
            same = (row.rate_hz, row.n_channels) == (after.rate_hz, after.n_channels)
            if not (near and same and row.sequence + 1 == after.sequence):
                break
        rows.append(row)
    return rows[::-1]


def _samples(row: sa.Row[Any]) -> NDArray[np.float32]:
    """Samples of a block in its unit, shape (channels, n)."""
    data = zstandard.ZstdDecompressor().decompress(row.waveform)
    codes = np.frombuffer(data, dtype=f"<{row.sample_type}").reshape(-1, row.n_channels)
    samples: NDArray[np.float32] = np.multiply(codes.T, np.float32(row.scale), dtype=np.float32)
    return samples
