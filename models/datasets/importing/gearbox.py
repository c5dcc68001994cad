"""Import of the gearbox records as OEDI distributes them; refuses names that do not say state and load."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError
from models.datasets.gearbox import LOADS, STATES
from models.datasets.importing.plan import Advance, Made, Pack, Plan, one_each
from models.datasets.importing.tables import read_table

__all__ = ["plan"]

_COLUMNS = ("file", "state", "load_percent", "shaft_hz_nominal", "samples", "channels")
# h: healthy, b: broken tooth; the 30 Hz are the shaft's, not a sampling rate.
_NAME = re.compile(r"^([hb])30hz(\d+)$", flags=re.IGNORECASE)
_STATES = dict(zip("hb", STATES, strict=True))
_CHANNELS = ("a1", "a2", "a3", "a4")
_SHAFT_HZ = 30


def plan(source: Path) -> Plan:
    """List the packs of the records that a folder holds, wherever below it they lie.

    Raises
    ------
    RecordingError
        If a text or CSV file has a name that says nothing, or a record is there twice.
    """
    found = (path for path in sorted(source.rglob("*")) if path.suffix.lower() in {".txt", ".csv"} and path.is_file())
    files = one_each((_named(path), path) for path in found)
    packs, missing = [], []
    for state in sorted(STATES):
        for load in LOADS:
            if (path := files.get((state, load))) is None:
                missing.append(f"{state[0]}30hz{load}.txt")
            else:
                packs.append(Pack(_file(state, load), 1, functools.partial(_make, path, state, load)))
    return Plan(tuple(packs), tuple(missing), columns=_COLUMNS)


def _named(path: Path) -> tuple[str, int]:
    match = _NAME.match(path.stem)
    if match is None or int(match[2]) not in LOADS:
        raise RecordingError(
            f"{path} does not say state and load; a name such as h30hz0 (healthy, 0 percent) or b30hz90 (broken tooth, "
            "90 percent) is wanted"
        )
    return _STATES[match[1].lower()], int(match[2])


def _file(state: str, load: int) -> str:
    return f"{state}_load{load:02d}.npz"


def _make(path: Path, state: str, load: int, advance: Advance) -> Made:
    signal = read_table(path, columns=len(_CHANNELS), header=True).astype(np.float32)
    advance()
    arrays: dict[str, NDArray[Any]] = {
        "signal": signal,
        "scale": np.ones(len(_CHANNELS)),
        "channels": np.array(_CHANNELS),
        "shaft_hz": np.array(float(_SHAFT_HZ)),
        "load_percent": np.array(load, dtype=np.int64),
    }
    values = (_file(state, load), state, load, _SHAFT_HZ, len(signal), len(_CHANNELS))
    return Made(arrays, {name: str(value) for name, value in zip(_COLUMNS, values, strict=True)})
