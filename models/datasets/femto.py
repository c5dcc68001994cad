"""The FEMTO PRONOSTIA bearings: snapshots of vibration from the first hour to the end of life."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.packs import one_of, open_pack

__all__ = ["NAMES", "RunToFailure", "run_to_failure"]

NAMES = ("Bearing1_1", "Bearing1_2", "Bearing2_1", "Bearing2_2", "Bearing3_1", "Bearing3_2")


@dataclass(frozen=True, eq=False)
class RunToFailure:
    """One bearing's life.

    Attributes
    ----------
    name : str
    accel_g : ndarray of float32, shape (snapshots, 2, 2560)
        Horizontal and vertical acceleration in g; the snapshots are no continuous signal.
    rul_s : ndarray of float64, shape (snapshots,)
        Time to the end of the test in seconds.
    rate_hz, shaft_hz, load_n : float
    """

    name: str
    accel_g: NDArray[np.float32]
    rul_s: NDArray[np.float64]
    rate_hz: float
    shaft_hz: float
    load_n: float


def run_to_failure(folder: Path, name: str) -> RunToFailure:
    """Read one of ``NAMES``.

    Raises
    ------
    RecordingError
        If the bearing is unknown, or its pack missing or damaged.
    """
    one_of(name, NAMES, what="FEMTO bearing")
    keys = ("acc_milli_g", "scale", "snapshot", "snapshots_total", "snapshot_period_s", "fs", "rpm", "load_n")
    pack = open_pack(folder / f"{name}.npz", keys=keys, data_set="femto")
    accel = (pack["acc_milli_g"] * float(pack["scale"])).astype(np.float32)
    remaining = int(pack["snapshots_total"]) - pack["snapshot"].astype(np.float64)
    return RunToFailure(
        name=name,
        accel_g=np.ascontiguousarray(accel.transpose(0, 2, 1)),
        rul_s=remaining * float(pack["snapshot_period_s"]),
        rate_hz=float(pack["fs"]),
        shaft_hz=float(pack["rpm"]) / 60.0,
        load_n=float(pack["load_n"]),
    )
