"""The SpectraQuest gearbox records; their sampling rate is unknown, so they are samples without a time axis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.packs import one_of, open_pack

__all__ = ["LOADS", "STATES", "GearboxRecord", "gearbox_record"]

STATES = ("healthy", "broken_tooth")
LOADS = tuple(range(0, 100, 10))


@dataclass(frozen=True, eq=False)
class GearboxRecord:
    """One record.

    Attributes
    ----------
    state : str
    load_percent : int
    samples : ndarray of float32, shape (4, n)
        Sensors a1 to a4; the publisher states neither unit nor sampling rate.
    """

    state: str
    load_percent: int
    samples: NDArray[np.float32]


def gearbox_record(folder: Path, *, state: str, load_percent: int) -> GearboxRecord:
    """Read the record of one of ``STATES`` at one of ``LOADS``.

    Raises
    ------
    RecordingError
        If there is no such record, or it is damaged.
    """
    one_of(state, STATES, what="gearbox state")
    one_of(str(load_percent), tuple(map(str, LOADS)), what="gearbox load in percent")
    pack = open_pack(folder / f"{state}_load{load_percent:02d}.npz", keys=("signal", "scale"), data_set="gearbox")
    samples = (pack["signal"] * pack["scale"]).astype(np.float32)
    return GearboxRecord(state, load_percent, np.ascontiguousarray(samples.T))
