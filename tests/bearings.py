"""Bearings whose vibration grows over the second half of their lives: as histories, snapshots and FEMTO packs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.femto import RunToFailure
from models.life.bearing_history import INDICATORS, BearingHistory

__all__ = ["LIVES_S", "NAMES", "grown_history", "grown_run", "six_histories", "write_pack", "write_six_packs"]

NAMES = ("Bearing1_1", "Bearing1_2", "Bearing2_1", "Bearing2_2", "Bearing3_1", "Bearing3_2")
LIVES_S = (6000.0, 8000.0, 4000.0, 9000.0, 5000.0, 7000.0)


def _growth(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return 4.0 * np.maximum(share - 0.5, 0.0)


def grown_history(name: str, life_s: float, *, seed: int, period_s: float = 20.0) -> BearingHistory:
    """A history to the end of its life; its kurtosis does not move."""
    rng = np.random.default_rng(seed)
    age_s = np.arange(period_s, life_s + 1e-6, period_s)
    levels = np.log(0.5) + _growth(age_s / life_s)[:, None] * np.linspace(0.7, 1.0, len(INDICATORS) - 1)
    indicators = np.column_stack([levels, np.full(len(age_s), np.log(3.0))])
    return BearingHistory(name, age_s, indicators + 0.05 * rng.standard_normal(indicators.shape), life_s)


def six_histories() -> list[BearingHistory]:
    """One for each learning bearing, lives from 4,000 to 9,000 s."""
    return [
        grown_history(name, life_s, seed=seed) for seed, (name, life_s) in enumerate(zip(NAMES, LIVES_S, strict=True))
    ]


def grown_run(name: str, *, total: int, until: int, rul_s: float | None = None, seed: int = 0) -> RunToFailure:
    """The first snapshots of a life, 100 s apart; `rul_s` in the place of what is left at each."""
    numbers = np.arange(1, until + 1)
    noise = np.random.default_rng(seed).standard_normal((until, 2, 2560)).astype(np.float32)
    accel_g = (0.5 * np.exp(_growth(numbers / total)))[:, None, None].astype(np.float32) * noise
    left_s = 100.0 * (total - numbers) if rul_s is None else np.full(until, rul_s)
    return RunToFailure(name, accel_g, numbers, 100.0 * numbers, left_s, 25_600.0, 30.0, 4000.0)


def write_six_packs(folder: Path) -> None:
    """Write a pack of each learning bearing, snapshots 100 s apart over lives of ``LIVES_S``."""
    folder.mkdir(parents=True)
    for seed, (name, life_s) in enumerate(zip(NAMES, LIVES_S, strict=True)):
        write_pack(folder / f"{name}.npz", total=int(life_s / 100), seed=seed, snapshot_period_s=np.array(100.0))


def write_pack(
    path: Path, *, total: int, every: int = 1, until: int | None = None, seed: int = 0, **changes: Any
) -> NDArray[np.int16]:
    """Write a pack of growing noise; give its samples.

    Parameters
    ----------
    total : int
        Snapshots of the life.
    every : int
        Which share of them is kept.
    until : int, optional
        The last one kept, for a pack that ends before its life.
    changes : optional
        Arrays in the place of the right ones; None leaves one out.
    """
    rng = np.random.default_rng(seed)
    numbers = np.arange(1, (total if until is None else until) + 1, every, dtype=np.int32)
    level = 500.0 * np.exp(_growth(numbers / total))
    accel = (level[:, None, None] * rng.standard_normal((len(numbers), 2560, 2))).clip(-32_000, 32_000)
    arrays: dict[str, Any] = {
        "acc_milli_g": accel.astype(np.int16),
        "scale": np.array(1e-3),
        "snapshot": numbers,
        "snapshots_total": np.array(total),
        "snapshot_period_s": np.array(10.0),
        "fs": np.array(25_600.0),
        "rpm": np.array(1800),
        "load_n": np.array(4000),
    }
    arrays = {key: value for key, value in (arrays | changes).items() if value is not None}
    np.savez(path, **arrays)
    return accel.astype(np.int16)
