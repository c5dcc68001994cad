"""A point whose stored windows say that its velocity or its score grows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.schema import windows
from app.store import PointRow, save_point, writing
from features.contract import WATCHED

__all__ = ["DAY_NS", "NOW_NS", "POINT_ID", "growing", "store_trend"]

DAY_NS = 86_400_000_000_000
NOW_NS = 1_800_000_000_000_000_000
POINT_ID = "plant/pump/de"


def store_trend(
    engine: Engine,
    velocity: NDArray[np.float64],
    ratio: NDArray[np.float64],
    *,
    days: float,
    group: str | None = "group-2-rigid",
    point: str = POINT_ID,
    promoted_at: int = 0,
) -> None:
    """Windows at equal steps up to now; those before one of them were judged by another model than serves."""
    rng = np.random.default_rng(5)
    times = (NOW_NS - days * DAY_NS * np.linspace(1.0, 0.0, len(velocity))).astype(np.int64)
    rows = []
    for i, (at_ns, level, score) in enumerate(zip(times.tolist(), velocity, ratio, strict=True)):
        features = np.zeros(len(WATCHED.features), dtype="<f4")
        features[WATCHED.index("velocity_rms")] = level * math.exp(0.01 * rng.standard_normal())
        rows.append(
            {
                "point_id": point, "start_ns": at_ns, "end_ns": at_ns + 10**8, "rate_hz": 1e4, "rms": 1.0,
                "contract": WATCHED.hash, "features": features.tobytes(),
                "bundle": "now" if i >= promoted_at else "then",
                "score": 2.0 * score * math.exp(0.02 * rng.standard_normal()), "threshold": 2.0,
            }
        )  # fmt: skip
    with writing(engine) as connection:
        save_point(connection, PointRow(point, point, state="watching", iso_group=group, bundle="now"), new=True)
        connection.execute(windows.insert(), rows)


def growing(n: int, *, begin: int, to: float) -> NDArray[np.float64]:
    grown = np.maximum(np.arange(n) - begin, 0) / (n - 1 - begin)
    return np.asarray(np.exp(math.log(to) * grown))
