"""Blocks, arrivals and healthy points that tests of `app` start from."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.codec import encode_block
from app.intake import Arrival
from app.wire import Block, PointId

RATE_HZ = 12_800.0
POINT = PointId("site", "pump", "drive-end")
NOW_NS = 1_795_000_000_000_000_000


def block(sequence: int = 0, *, n: int = 2048, start_ns: int | None = None, **changes: Any) -> Block:
    """A block of noise that follows the one before it, unless told otherwise."""
    rng = np.random.default_rng(changes.pop("seed", sequence))
    rate_hz = changes.get("rate_hz", RATE_HZ)
    values: dict[str, Any] = {
        "point": POINT,
        "sequence": sequence,
        "start_ns": NOW_NS + round(sequence * n * 1e9 / rate_hz) if start_ns is None else start_ns,
        "rate_hz": RATE_HZ,
        "unit": "g",
        "channels": ("radial",),
        "samples": rng.integers(-1000, 1000, (1, n)).astype(np.int16),
        "scale": 1e-3,
    }
    return Block(**(values | changes))


def arrival(made: Block, *, now_ns: int = NOW_NS) -> Arrival:
    """The message of a block."""
    return Arrival(made.point.topic("waveform"), encode_block(made), now_ns)


def arrivals(first: int, count: int, **changes: Any) -> list[Arrival]:
    """Messages of blocks that follow each other."""
    return [arrival(block(sequence, **changes)) for sequence in range(first, first + count)]
