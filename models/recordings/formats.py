"""The file formats that recordings come in, each read into channels and what the file says of them."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.io.wavfile
from numpy.typing import NDArray

from features.errors import RecordingError

__all__ = ["READERS", "Content", "read_csv", "read_mat", "read_npz", "read_wav"]

# Case Western Reserve University ships accelerations in g; record 97 and the other normals at 48 kHz, most at 12 kHz,
# and the files do not say which: the rate must be given.
_MAT_KEY = re.compile(r"^X(\d+)_?(DE|FE|BA)_time$")
_RATE_KEYS = ("fs", "fs_hz", "rate_hz")
# What an `.npz` says about its signal; whatever else is in it must be the signal.
_ABOUT = {*_RATE_KEYS, "scale", "channels", "rpm", "shaft_hz", "unit", "load_percent"}
_TIME_NAMES = {"t", "time", "time_s", "timestamp", "seconds"}


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds: channels in order, and what it states itself (None where it does not)."""

    channels: Mapping[str, NDArray[Any]]
    rate_hz: float | None = None
    unit: str | None = None
    shaft_hz: float | None = None


def read_mat(path: Path) -> Content:
    """Read a `.mat` file of the CWRU bearing data centre (``X097_DE_time``, ``X097RPM`` ...)."""
    entries = scipy.io.loadmat(path)
    records: dict[str, dict[str, NDArray[Any]]] = {}
    for key, value in entries.items():
        if match := _MAT_KEY.match(key):
            records.setdefault(match[1], {})[match[2]] = np.asarray(value).ravel()
    if not records:
        raise RecordingError(f"{path.name} holds no X<number>_DE_time, _FE_time or _BA_time; it is no CWRU record")
    number = next(iter(records)) if len(records) == 1 else _number_in_name(path, tuple(records))
    rpm = entries.get(f"X{number}RPM")
    shaft_hz = None if rpm is None else float(np.asarray(rpm).ravel()[0]) / 60.0
    return Content(records[number], unit="g", shaft_hz=shaft_hz)


def _number_in_name(path: Path, numbers: tuple[str, ...]) -> str:
    """Record meant by the file's name: some files hold the neighbouring record too (99.mat holds 98 and 99)."""
    in_name = {int(digits) for digits in re.findall(r"\d+", path.stem)}
    named = [number for number in numbers if int(number) in in_name]
    if len(named) != 1:
        raise RecordingError(f"{path.name} holds records {', '.join(numbers)}; rename it to the number wanted")
    return named[0]


def read_wav(path: Path) -> Content:
    """Read a PCM or float WAV file; full scale of integers becomes 1.0."""
    with warnings.catch_warnings():
        # Chunks of metadata that SciPy does not know are no fault of the recording.
        warnings.simplefilter("ignore", scipy.io.wavfile.WavFileWarning)
        warnings.filterwarnings("error", message="Reached EOF", category=scipy.io.wavfile.WavFileWarning)
        rate, data = scipy.io.wavfile.read(path)
    frames = np.asarray(data)
    if frames.dtype.kind == "u":
        values = (frames.astype(np.float64) - 128.0) / 128.0
    elif frames.dtype.kind == "i":
        values = frames / -float(np.iinfo(frames.dtype).min)
    else:
        values = frames.astype(np.float64)
    columns = values.reshape(len(values), -1)
    return Content({f"ch{i + 1}": columns[:, i] for i in range(columns.shape[1])}, rate_hz=float(rate))


def read_csv(path: Path) -> Content:
    """Read columns of numbers, with a header or without; a column of evenly spaced times (s) gives the rate."""
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not lines:
        raise RecordingError(f"{path.name} is empty; a table of numbers is wanted")
    delimiter = next((mark for mark in ";\t" if mark in lines[0]), ",")
    cells = [cell.strip() for cell in next(csv.reader(lines[:1], delimiter=delimiter))]
    if delimiter != ",":
        # Where commas do not part the columns, they are decimal marks.
        lines = [line.replace(",", ".") for line in lines]
    headed = any(not _is_number(cell.replace(",", ".")) for cell in cells)
    if len(lines) < 2 + headed:
        raise RecordingError(f"{path.name} has {len(lines) - headed} rows of numbers; at least 2 are wanted")
    rows = np.loadtxt(lines[1 if headed else 0 :], delimiter=delimiter, ndmin=2, dtype=np.float64)
    names = cells if headed else [f"ch{i + 1}" for i in range(rows.shape[1])]
    if rows.shape[1] != len(names):
        raise RecordingError(f"{path.name} has {len(names)} column names above {rows.shape[1]} columns")
    if len(set(names)) != len(names):
        raise RecordingError(f"{path.name} names a column twice ({', '.join(names)}); rename one")
    columns = dict(zip(names, rows.T, strict=True))
    rate_hz = None
    for name in names:
        if name.lower() in _TIME_NAMES:
            rate_hz = _rate_of_times(columns.pop(name), path.name)
    return Content(columns, rate_hz=rate_hz)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _rate_of_times(times: NDArray[np.float64], name: str) -> float:
    steps = np.diff(times)
    mean = float(steps.mean()) if steps.size else 0.0
    if not mean > 0.0 or np.abs(steps - mean).max() > 0.5 * mean:
        raise RecordingError(f"{name} has times that are not evenly spaced; resample it or drop the column")
    return 1.0 / mean


def read_npz(path: Path) -> Content:
    """Read an `.npz`: ``signal`` with ``scale``, ``channels``, ``fs``, ``rpm`` where they are, or one other array."""
    with np.load(path, allow_pickle=False) as stored:
        entries = dict(stored)
    if "acc_milli_g" in entries:
        # Snapshots ten seconds apart are no continuous signal; joined, each seam would look like an impact.
        raise RecordingError(f"{path.name} holds separate snapshots; read them with models.datasets.femto")
    columns = np.atleast_2d(_signal(entries, path.name).T).astype(np.float64)
    if len(columns) > columns.shape[-1]:
        raise RecordingError(f"{path.name} has more channels than samples {columns.T.shape}; (n, channels) is wanted")
    if "scale" in entries:
        columns = columns * np.broadcast_to(entries["scale"], (len(columns),))[:, None]
    names = entries.get("channels", np.array([f"ch{i + 1}" for i in range(len(columns))])).ravel().tolist()
    if len(names) != len(columns):
        raise RecordingError(f"{path.name} names {len(names)} channels of {len(columns)}")
    rate = next((float(entries[name]) for name in _RATE_KEYS if name in entries), None)
    shaft_hz = float(entries["shaft_hz"]) if "shaft_hz" in entries else None
    if "rpm" in entries:
        shaft_hz = float(entries["rpm"]) / 60.0
    # Drive end, fan end and base are CWRU's accelerometers, in g; its packs do not repeat the unit.
    unit = "g" if set(names) <= {"DE", "FE", "BA"} else None
    if "unit" in entries:
        unit = str(entries["unit"])
    return Content(dict(zip(names, columns, strict=True)), rate, unit, shaft_hz)


def _signal(entries: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    signals = ["signal"] if "signal" in entries else [key for key in entries if key not in _ABOUT]
    if len(signals) != 1:
        raise RecordingError(f"{name} holds {', '.join(entries) or 'nothing'}; an array `signal` is wanted")
    signal = entries[signals[0]]
    if signal.dtype.kind not in "iuf" or signal.ndim not in (1, 2):
        raise RecordingError(f"{name} holds {signal.dtype} of shape {signal.shape}; reals (n, channels) are wanted")
    return signal


READERS: Mapping[str, Callable[[Path], Content]] = {
    ".mat": read_mat,
    ".wav": read_wav,
    ".csv": read_csv,
    ".npz": read_npz,
}
