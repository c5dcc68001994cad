"""The C-MAPSS turbofan tables FD001 to FD004 with their true remaining lives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.packs import one_of, open_pack

__all__ = ["NAMES", "Turbofans", "turbofans"]

NAMES = ("FD001", "FD002", "FD003", "FD004")


@dataclass(frozen=True, eq=False)
class Turbofans:
    """One subset.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Names of the 26 columns: unit, cycle, three settings, 21 sensors.
    train, test : ndarray of float64, shape (rows, 26)
        One row for each flight cycle; training units run to failure.
    rul : ndarray of int, shape (test units,)
        Remaining cycles after the last row of each test unit.
    """

    name: str
    columns: tuple[str, ...]
    train: NDArray[np.float64]
    test: NDArray[np.float64]
    rul: NDArray[np.int32]

    def train_rul(self) -> NDArray[np.float64]:
        """Remaining cycles at each training row: last cycle of its unit minus its cycle."""
        unit, cycle = self.train[:, 0], self.train[:, 1]
        last = {u: cycle[unit == u].max() for u in np.unique(unit)}
        return np.array([last[u] for u in unit]) - cycle


def turbofans(folder: Path, name: str) -> Turbofans:
    """Read one of ``NAMES``.

    Raises
    ------
    RecordingError
        If the subset is unknown, or its pack missing or damaged.
    """
    one_of(name, NAMES, what="C-MAPSS subset")
    pack = open_pack(folder / f"{name}.npz", keys=("train", "test", "rul", "scale", "columns"), data_set="cmapss")
    scale = float(pack["scale"])
    columns = tuple(pack["columns"].tolist())
    return Turbofans(name, columns, pack["train"] * scale, pack["test"] * scale, pack["rul"])
