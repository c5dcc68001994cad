"""Import of the C-MAPSS tables as NASA distributes them; refuses broken histories and lives that do not match them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError
from models.datasets.cmapss import NAMES
from models.datasets.importing.plan import Advance, Made, Pack, Plan, one_each
from models.datasets.importing.tables import integer_codes, read_table

__all__ = ["COLUMNS", "plan"]

# The 21 sensors by their symbols in table 2 of Saxena et al. 2008, in the order of the publisher's files, as public
# lists of them agree; unit, cycle and settings (altitude, Mach number, throttle) are named here.
COLUMNS = (
    *("unit", "cycle", "setting_1", "setting_2", "setting_3", "T2", "T24", "T30", "T50", "P2", "P15", "P30", "Nf"),
    *("Nc", "epr", "Ps30", "phi", "NRf", "NRc", "BPR", "farB", "htBleed", "Nf_dmd", "PCNfR_dmd", "W31", "W32"),
)
# The tables are printed with at most four decimals.
_PER_UNIT = 10_000
_PARTS = ("train", "test", "RUL")


def plan(source: Path) -> Plan:
    """List the packs of the subsets that a folder holds, wherever below it the tables lie.

    Raises
    ------
    RecordingError
        If a subset has one or two of its three tables, or a table twice.
    """
    wanted = {f"{part}_{name}.txt" for part in _PARTS for name in NAMES}
    files = one_each((path.name, path) for path in sorted(source.rglob("*.txt")) if path.name in wanted)
    packs, missing = [], []
    for name in NAMES:
        tables = [f"{part}_{name}.txt" for part in _PARTS]
        lacking = [table for table in tables if table not in files]
        if not lacking:
            packs.append(Pack(f"{name}.npz", len(tables), _reading(*(files[table] for table in tables))))
        elif len(lacking) < len(tables):
            raise RecordingError(f"{source} has tables of {name}, but not {', '.join(lacking)}; fetch all three")
        missing += lacking
    return Plan(tuple(packs), tuple(missing))


def _reading(train: Path, test: Path, rul: Path) -> Callable[[Advance], Made]:
    return functools.partial(_make, train, test, rul)


def _make(train: Path, test: Path, rul: Path, advance: Advance) -> Made:
    arrays: dict[str, NDArray[Any]] = {}
    for key, path in (("train", train), ("test", test)):
        arrays[key] = _histories(path)
        advance()
    lives = integer_codes(read_table(rul, columns=1), per_unit=1, path=rul).ravel().astype(np.int32)
    advance()
    units = int(arrays["test"][-1, 0]) // _PER_UNIT
    if len(lives) != units:
        raise RecordingError(f"{rul} has {len(lives)} remaining lives for the {units} units of {test.name}")
    if lives.min() < 0:
        raise RecordingError(f"{rul} has a remaining life of {lives.min()} cycles; 0 or more are wanted")
    return Made({**arrays, "rul": lives, "scale": np.array(1.0 / _PER_UNIT), "columns": np.array(COLUMNS)}, {})


def _histories(path: Path) -> NDArray[np.int32]:
    """Codes of a table whose units are numbered from 1 and whose cycles go up by one from 1."""
    table = read_table(path, columns=len(COLUMNS))
    unit, cycle = table[:, 0], table[:, 1]
    begins = np.diff(unit, prepend=0.0)
    wanted_cycle = np.where(begins == 1.0, 1.0, np.concatenate(([0.0], cycle[:-1])) + 1.0)
    bad = ~np.isin(begins, (0.0, 1.0)) | (cycle != wanted_cycle)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise RecordingError(
            f"{path}, row {row + 1} is cycle {cycle[row]:g} of unit {unit[row]:g}; units from 1 on, each with all "
            "cycles from 1 on, are wanted"
        )
    return integer_codes(table, per_unit=_PER_UNIT, path=path).astype(np.int32)
