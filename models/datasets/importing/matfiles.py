"""CWRU's MATLAB files: which record one holds, and its channels; refuses ambiguous, damaged and non-finite ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from features.errors import RecordingError
from models.datasets.importing.records import Published, published

__all__ = ["Signals", "record_number", "signals"]

_KEY = re.compile(r"^X(\d+)_?(DE|FE|BA)_time$")
_NORMAL = re.compile(r"^normal_(\d)$", flags=re.IGNORECASE)
_CHANNELS = ("DE", "FE", "BA")


@dataclass(frozen=True, eq=False)
class Signals:
    """What a file holds of one record.

    Attributes
    ----------
    channels : mapping of str to ndarray of float64, shape (n,)
        Of ``DE``, ``FE`` and ``BA`` those that are there, in g; ``DE`` always is.
    rpm : int or None
        Shaft speed where the file states it.
    """

    channels: Mapping[str, NDArray[np.float64]]
    rpm: int | None


def record_number(path: Path) -> int:
    """Tell which of CWRU's records a file holds.

    Its variables say so; where they are of two records (99.mat holds 98 and 99 too), its name decides, which is the
    record number or, of a healthy record, `Normal_` and the load.

    Raises
    ------
    RecordingError
        If it is damaged, holds no published record, could be either of two, or is named another number.
    """
    keys = {int(match[1]) for name in _names(path) if (match := _KEY.match(name))}
    if not keys:
        raise RecordingError(f"{path} holds no X<number>_DE_time, _FE_time or _BA_time; it is no CWRU record")
    numbers = published().numbers
    held = sorted({numbers[key] for key in keys if key in numbers})
    if not held:
        raise RecordingError(f"{path} holds record {min(keys)}, which CWRU's tables do not have; take it out")
    named = _number_in_name(path.stem, set(numbers.values()))
    if named in held:
        return named
    if named is not None:
        raise RecordingError(f"{path} is named record {named} but holds {', '.join(map(str, held))}; rename it")
    if len(held) > 1:
        raise RecordingError(
            f"{path} holds records {', '.join(map(str, held))} and its name says neither; rename it to the one wanted"
        )
    return held[0]


def signals(path: Path, record: Published) -> Signals:
    """Read the channels of one record.

    Raises
    ------
    RecordingError
        If the drive end is missing, channels differ in length, or a sample is not finite.
    """
    prefix = re.compile(rf"^X0*({record.number}|{record.key})(?:_?(DE|FE|BA)_time|RPM)$")
    entries = {match[2] or "RPM": value for name, value in _load(path).items() if (match := prefix.match(name))}
    channels = {name: np.asarray(entries[name], dtype=np.float64).ravel() for name in _CHANNELS if name in entries}
    if "DE" not in channels:
        raise RecordingError(f"{path} has no drive end (X{record.key:03d}_DE_time); fetch the file again")
    lengths = {name: channel.size for name, channel in channels.items()}
    if len(set(lengths.values())) != 1 or not channels["DE"].size:
        raise RecordingError(f"{path} has channels of different length {lengths}; fetch the file again")
    for name, channel in channels.items():
        if not np.isfinite(channel).all():
            raise RecordingError(f"{path} has NaN or infinite samples in {name}; fetch the file again")
    return Signals(channels, _rpm(entries["RPM"], path) if "RPM" in entries else None)


def _rpm(value: Any, path: Path) -> int:
    stated = np.asarray(value, dtype=np.float64).ravel()
    if stated.size != 1 or not 0.0 < stated[0] < 1e5:
        raise RecordingError(f"{path} states a speed of {stated.tolist()} rpm; one positive number is wanted")
    return round(float(stated[0]))


def _number_in_name(stem: str, numbers: set[int]) -> int | None:
    """Published number in a name: ``105``, ``IR007_0_105``; 7 and 0 are none, since CWRU's numbers begin at 97."""
    if match := _NORMAL.match(stem):
        healthy = [r.number for r in published().records.values() if r.fault == "normal" and r.load_hp == int(match[1])]
        return healthy[0] if healthy else None
    named = [int(digits) for digits in re.findall(r"\d+", stem) if int(digits) in numbers]
    return named[-1] if named else None


def _names(path: Path) -> list[str]:
    try:
        return [name for name, _, _ in scipy.io.whosmat(path)]
    except Exception as error:
        raise _damaged(path, error) from error


def _load(path: Path) -> dict[str, Any]:
    try:
        return dict(scipy.io.loadmat(path))
    except Exception as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> RecordingError:
    # Damaged files make the parser raise what it does not document: zlib.error, TypeError, MatReadError ...
    return RecordingError(f"{path} cannot be read as .mat ({' '.join(str(error).split())}); fetch the file again")
