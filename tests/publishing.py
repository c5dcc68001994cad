"""Folders of tiny data sets as their publishers distribute them, from generated data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

__all__ = ["publish_cmapss", "publish_cwru", "publish_femto", "publish_gearbox", "write_mat", "write_snapshot"]

# The step of CWRU's drive-end channel, in g.
CWRU_STEP = 1.6243512974051892e-4
FAULTS = (105, 3001)
# Snapshots that are written of each bearing; the real ones have hundreds.
N_SNAPSHOTS = 3


def write_mat(path: Path, key: int, *, rpm: int | None = 1797, **channels: NDArray[np.float64]) -> None:
    """Write a record as MATLAB files of CWRU hold it: columns named after the record, and its speed."""
    entries = {f"X{key:03d}_{name}_time": values[:, None] for name, values in channels.items()}
    if rpm is not None:
        entries[f"X{key:03d}RPM"] = np.array([[rpm]])
    scipy.io.savemat(path, entries, do_compression=True)


def publish_cwru(folder: Path, rng: np.random.Generator) -> dict[int, dict[str, NDArray[np.float64]]]:
    """Write records 105 and 3001, the normals 97 and 98 at 48 kHz, and one that the packs do not have."""
    folder.mkdir(parents=True)
    written = {}
    for number, names in (
        (105, ("DE", "FE", "BA")),
        (109, ("DE",)),
        (3001, ("DE",)),
        (97, ("DE", "FE")),
        (98, ("DE",)),
    ):
        n = 48_000 if number in (97, 98) else 6_000
        channels = {name: CWRU_STEP * rng.integers(-9000, 9000, n) for name in names}
        if number in (97, 98):
            # The shaft's line, by which the import knows the sampling rate.
            hz = {97: 1796.0, 98: 1772.0}[number] / 60.0
            channels["DE"] = CWRU_STEP * np.rint(4000.0 * np.sin(2.0 * np.pi * hz / 48_000.0 * np.arange(n)) + 0.5)
        key = {3001: 56}.get(number, number)
        write_mat(folder / f"{number}.mat", key, rpm={3001: None, 97: 1796}.get(number, 1797), **channels)
        written[number] = channels
    return written


def publish_cmapss(folder: Path, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Write the three tables of FD001: units of 3, 4 and 2 cycles, and lives."""
    folder.mkdir(parents=True)
    written: dict[str, NDArray[np.float64]] = {}
    for part in ("train", "test"):
        unit = np.repeat([1, 2, 3], [3, 4, 2])
        cycle = np.concatenate([np.arange(1, n + 1) for n in (3, 4, 2)])
        values = rng.integers(-7, 90_000_000, (len(unit), 24)) / 10_000.0
        rows = np.column_stack([unit, cycle, values])
        np.savetxt(folder / f"{part}_FD001.txt", rows, fmt=["%d", "%d", *["%.4f"] * 24], newline="  \n")
        written[part] = rows
    written["rul"] = np.array([112.0, 98.0, 0.0])
    np.savetxt(folder / "RUL_FD001.txt", written["rul"], fmt="%d ")
    return written


def write_snapshot(
    path: Path, accel_g: NDArray[np.float64], *, clock: tuple[int, int, int, int] = (9, 39, 39, 65664), mark: str = ","
) -> None:
    """Write one snapshot: hour, minute, second, microsecond, horizontal, vertical."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.column_stack([np.tile(clock, (len(accel_g), 1)), accel_g])
    np.savetxt(path, rows, fmt=["%d"] * 4 + ["%.3f"] * 2, delimiter=mark)


def publish_femto(folder: Path, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Write three snapshots of Bearing2_1 (commas), of Bearing1_1 and of a test bearing (semicolons)."""
    written = {}
    for place, mark in (
        ("Learning_set/Bearing2_1", ","),
        ("Learning_set/Bearing1_1", ","),
        ("Test_set/Bearing1_4", ";"),
    ):
        accel = rng.integers(-30_000, 30_000, (N_SNAPSHOTS, 2560, 2)) / 1000.0
        for i, snapshot in enumerate(accel):
            # Past midnight: 23:59:50, 0:00:00, 0:00:10.
            clock = ((23, 59, 50, 7), (0, 0, 0, 7), (0, 0, 10, 500_007))[i]
            write_snapshot(folder / place / f"acc_{i + 1:05d}.csv", snapshot, clock=clock, mark=mark)
        written[place.split("/")[1]] = accel
    return written


def publish_gearbox(folder: Path, rng: np.random.Generator) -> dict[tuple[str, int], NDArray[np.float32]]:
    """Write all twenty records, of 40 rows; the healthy ones parted by tabs, the others as CSV with a header."""
    folder.mkdir(parents=True)
    written = {}
    for state in ("healthy", "broken_tooth"):
        for load in range(0, 100, 10):
            values = np.array([[float(f"{v:.6g}") for v in row] for row in rng.standard_normal((40, 4))])
            if state == "healthy":
                np.savetxt(folder / f"h30hz{load}.txt", values, fmt="%.6g", delimiter="\t")
            else:
                np.savetxt(
                    folder / f"b30hz{load}.csv", values, fmt="%.6g", delimiter=",", header="a1,a2,a3,a4", comments=""
                )
            written[state, load] = values.astype(np.float32)
    return written
