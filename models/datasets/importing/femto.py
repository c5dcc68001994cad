"""Import of the PRONOSTIA snapshots as FEMTO-ST distributes them; refuses lives with gaps or without their end."""

from __future__ import annotations

import functools
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError
from models.datasets.importing.plan import Advance, Made, Pack, Plan
from models.datasets.importing.tables import integer_codes, read_table

__all__ = ["plan"]

_FOLDER = re.compile(r"^Bearing\d_\d$")
_SNAPSHOT = re.compile(r"^acc_(\d+)\.csv$")
_ROWS, _RATE_HZ, _PERIOD_S, _PER_G = 2560, 25_600.0, 10.0, 1000
_DAY_US = 86_400_000_000
_WHOLE_TEST, _CUT_SHORT = "Full_Test_Set", "Test_set"


def plan(source: Path) -> Plan:
    """List the packs of the bearings that a folder holds, wherever below it their folders lie.

    Missing snapshots are named in the plan, and so are missing bearings of the learning set. A bearing of the test set
    is optional; its whole life goes before the one that was cut short for the challenge.

    Raises
    ------
    RecordingError
        If a bearing is unknown or there twice, or a file of snapshots has no number or an impossible one.
    """
    table = tomllib.loads((Path(__file__).parents[1] / "femto_bearings.toml").read_text(encoding="utf-8"))
    totals: dict[str, int] = table["snapshots"]
    folders = _folders(source, totals)
    packs: list[Pack] = []
    missing = [f"Learning_set/{name}" for name in table["learning"] if name not in folders]
    for name, folder in sorted(folders.items()):
        files = _snapshots(folder, totals[name])
        cut_short = folder.parent.name == _CUT_SHORT
        last = max(files) if cut_short else totals[name]
        missing += [f"{name}/acc_{i:05d}.csv" for i in range(1, last + 1) if i not in files]
        every = int(table["every"].get(name, 1))
        kept = {i: path for i, path in sorted(files.items()) if (i - 1) % every == 0}
        if 1 not in kept:
            raise RecordingError(f"{folder} has no acc_00001.csv; the clock of a test begins there")
        make = functools.partial(_make, kept, totals[name], table["condition"][name[7]])
        packs.append(Pack(f"{name}.npz", len(kept), make))
    return Plan(tuple(packs), tuple(missing))


def _folders(source: Path, totals: dict[str, int]) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for folder in sorted(path for path in (source, *source.rglob("*")) if path.is_dir() and _FOLDER.match(path.name)):
        if folder.name not in totals:
            raise RecordingError(f"{folder} is no known bearing; one of {', '.join(totals)} is wanted")
        before = folders.get(folder.name)
        if before is not None and {before.parent.name, folder.parent.name} != {_WHOLE_TEST, _CUT_SHORT}:
            raise RecordingError(f"{before} and {folder} are of the same bearing; keep one of them")
        if before is None or folder.parent.name == _WHOLE_TEST:
            folders[folder.name] = folder
    return folders


def _snapshots(folder: Path, total: int) -> dict[int, Path]:
    files = {}
    for path in sorted(folder.glob("acc*")):
        match = _SNAPSHOT.match(path.name)
        if match is None or not 1 <= int(match[1]) <= total:
            raise RecordingError(f"{path} is no snapshot; acc_00001.csv to acc_{total:05d}.csv are wanted")
        files[int(match[1])] = path
    if not files:
        raise RecordingError(f"{folder} holds no snapshot; acc_00001.csv to acc_{total:05d}.csv are wanted")
    return files


def _make(files: dict[int, Path], total: int, condition: dict[str, int], advance: Advance) -> Made:
    codes = np.empty((len(files), _ROWS, 2), dtype=np.int32)
    clock_us = np.empty(len(files), dtype=np.int64)
    for i, path in enumerate(files.values()):
        table = read_table(path, columns=6, rows=_ROWS)
        codes[i] = integer_codes(table[:, 4:], per_unit=_PER_G, path=path)
        clock_us[i] = _clock_us(table[0], path)
        advance()
    narrow = np.abs(codes).max() <= np.iinfo(np.int16).max
    arrays: dict[str, NDArray[Any]] = {
        "acc_milli_g": codes.astype(np.int16) if narrow else codes,
        "scale": np.array(1.0 / _PER_G),
        "snapshot": np.array(list(files), dtype=np.int32),
        # The publisher's clock, from the first snapshot on; no test lasts a day, so midnight is passed at most once.
        "clock_s": (clock_us - clock_us[0]) % _DAY_US / 1e6,
        "snapshots_total": np.array(total, dtype=np.int64),
        "snapshot_period_s": np.array(_PERIOD_S),
        "fs": np.array(_RATE_HZ),
        "channels": np.array(["horizontal", "vertical"]),
        "rpm": np.array(condition["rpm"], dtype=np.int64),
        "load_n": np.array(condition["load_n"], dtype=np.int64),
    }
    return Made(arrays, {})


def _clock_us(row: NDArray[np.float64], path: Path) -> int:
    hour, minute, second, microsecond = row[:4]
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= microsecond < 1e6):
        raise RecordingError(f"{path} begins at {row[:4].tolist()}; hour, minute, second, microsecond are wanted")
    return int(((hour * 60 + minute) * 60 + second) * 1_000_000 + microsecond)
