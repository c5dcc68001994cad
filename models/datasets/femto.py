"""The FEMTO PRONOSTIA bearings: snapshots of vibration from the first to the end of life or before it; refuses gaps in
what a pack must say."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError
from models.datasets.packs import one_of, open_pack

__all__ = ["CHALLENGE_CUTS", "NAMES", "RunToFailure", "read_bearing", "run_to_failure"]

NAMES = ("Bearing1_1", "Bearing1_2", "Bearing2_1", "Bearing2_2", "Bearing3_1", "Bearing3_2")
# Last snapshot that the 2012 challenge gave of each of its test bearings.
CHALLENGE_CUTS: dict[str, int] = tomllib.loads(
    Path(__file__).with_name("femto_bearings.toml").read_text(encoding="utf-8")
)["challenge"]

_KEYS = ("acc_milli_g", "scale", "snapshot", "snapshots_total", "snapshot_period_s", "fs", "rpm", "load_n")
_SCALARS = ("scale", "snapshot_period_s", "fs", "rpm", "load_n")


@dataclass(frozen=True, eq=False)
class RunToFailure:
    """One bearing's life, or its beginning.

    Attributes
    ----------
    name : str
    accel_g : ndarray of float32, shape (snapshots, 2, samples)
        Horizontal and vertical acceleration in g, 2,560 samples each; the snapshots are no continuous signal.
    snapshots : ndarray of int, shape (snapshots,)
        Their numbers in the test, from 1 on.
    age_s, rul_s : ndarray of float64, shape (snapshots,)
        Time since the beginning and to the end of the test in seconds; they add up to the life. The last ``rul_s`` is
        0 where the pack runs to the end.
    rate_hz, shaft_hz, load_n : float
    """

    name: str
    accel_g: NDArray[np.float32]
    snapshots: NDArray[np.integer]
    age_s: NDArray[np.float64]
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
    return read_bearing(folder / f"{name}.npz")


def read_bearing(path: Path) -> RunToFailure:
    """Read any bearing's file in the form of the packs, also one that ends before the end of life.

    Parameters
    ----------
    path : Path
        Its name without the ending is the bearing's.

    Returns
    -------
    RunToFailure

    Raises
    ------
    RecordingError
        If the file is missing, damaged or lacks an array, or what it holds contradicts itself: samples of another
        shape, snapshots out of order or beyond the test, a scale, rate, speed or load that is none.
    """
    pack = open_pack(path, keys=_KEYS, data_set="femto")
    if wrong := _contradiction(pack):
        raise RecordingError(f"{path.name} is no bearing's life: {wrong}; import it again (raceway data import femto)")
    numbers, period_s = pack["snapshot"].astype(np.float64), float(pack["snapshot_period_s"])
    accel = (pack["acc_milli_g"] * float(pack["scale"])).astype(np.float32)
    return RunToFailure(
        name=path.stem,
        accel_g=np.ascontiguousarray(accel.transpose(0, 2, 1)),
        snapshots=pack["snapshot"],
        age_s=numbers * period_s,
        rul_s=(int(pack["snapshots_total"]) - numbers) * period_s,
        rate_hz=float(pack["fs"]),
        shaft_hz=float(pack["rpm"]) / 60.0,
        load_n=float(pack["load_n"]),
    )


def _contradiction(pack: dict[str, NDArray[Any]]) -> str | None:
    """What is wrong with a pack, in words, or None."""
    accel, numbers, total = pack["acc_milli_g"], pack["snapshot"], pack["snapshots_total"]
    if accel.ndim != 3 or accel.shape[2] != 2 or not accel.size or not np.issubdtype(accel.dtype, np.integer):
        return f"acc_milli_g is {accel.dtype} of shape {accel.shape}, integers of (snapshots, samples, 2) are wanted"
    if numbers.shape != accel.shape[:1] or not np.issubdtype(numbers.dtype, np.integer):
        return f"snapshot is {numbers.dtype} of shape {numbers.shape} for {len(accel)} snapshots"
    if total.shape != () or not np.issubdtype(total.dtype, np.integer):
        return f"snapshots_total is {total.dtype} of shape {total.shape}, one integer is wanted"
    if numbers[0] < 1 or numbers[-1] > total or not (np.diff(numbers) > 0).all():
        return f"its snapshots are not rising numbers from 1 to {total}"
    for key in _SCALARS:
        value = pack[key]
        if value.shape != () or not np.issubdtype(value.dtype, np.number) or not 0.0 < float(value) < np.inf:
            return f"{key} is {value}, a positive number is wanted"
    return None
