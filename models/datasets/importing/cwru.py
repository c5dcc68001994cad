"""Import of the CWRU records as the Bearing Data Center distributes them; refuses records it cannot tell for certain.

The fault records are kept as they are, as whole multiples of the converter's step. The healthy baseline was sampled at
48 kHz; it is decimated to the faults' 12 kHz, and refused where its shaft does not turn at 48 kHz.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from features.errors import RecordingError
from models.datasets.importing.matfiles import Signals, record_number, signals
from models.datasets.importing.plan import Advance, Made, Pack, Plan, one_each
from models.datasets.importing.records import Published, published, records
from models.datasets.importing.steps import step_of

__all__ = ["plan"]

_COLUMNS = (
    *("file", "record", "fs_hz", "faulty_bearing", "fault", "diameter_in", "outer_position_oclock", "load_hp"),
    *("rpm_nominal", "rpm_in_file", "channels", "samples", "duration_s"),
)
_FAULT_HZ, _NORMAL_HZ = 12_000, 48_000
_DECIMATION = _NORMAL_HZ // _FAULT_HZ
# The one healthy record that the packs keep as published too.
_KEPT_AT_48K = 97
# The shaft line of all four is within 0.3 % of the nominal speed; a copy decimated already misses it by 4 % and more.
_SHAFT_LOW_HZ, _SHAFT_HIGH_HZ, _SHAFT_OFF = 20.0, 45.0, 0.02


def plan(source: Path) -> Plan:
    """List the packs of the records that a folder holds, wherever below it the `.mat` files lie.

    Records at 48 kHz with faults and records of fan-end faults are published too, but are no part of the packs: they
    are counted and left out.

    Raises
    ------
    RecordingError
        If a file is damaged, is no record of CWRU's tables, could be two of them, or is there twice.
    """
    table = records()
    files = one_each((record_number(path), path) for path in sorted(source.rglob("*.mat")))
    present = [record for record in table if record.number in files]
    packs = [_fault(files[r.number], r) for r in present if r.fault != "normal"]
    normals = [r for r in present if r.fault == "normal"]
    packs += [_normal_48k(files[r.number], r) for r in normals if r.number == _KEPT_AT_48K]
    packs += [_normal_12k(files[r.number], r) for r in normals]
    missing = tuple(f"{record.number}.mat" for record in table if record.number not in files)
    return Plan(tuple(packs), missing, left_out=len(set(files) & published().others), columns=_COLUMNS)


def _fault(path: Path, record: Published) -> Pack:
    return Pack(name := f"drive12k_{record.name}_L{record.load_hp}.npz", 1, functools.partial(_raw, path, record, name))


def _normal_48k(path: Path, record: Published) -> Pack:
    return Pack(name := f"normal48k_normal_L{record.load_hp}.npz", 1, functools.partial(_raw, path, record, name))


def _normal_12k(path: Path, record: Published) -> Pack:
    name = f"normal12k_L{record.load_hp}.npz"
    return Pack(name, 1, functools.partial(_decimated, path, record, name))


def _raw(path: Path, record: Published, name: str, advance: Advance) -> Made:
    """Channels as published, in whole steps of the converter."""
    read = _read(path, record)
    scale = np.array([_step(samples, channel, path) for channel, samples in read.channels.items()])
    signal = np.rint(np.stack(list(read.channels.values()), axis=1) / scale).astype(np.int16)
    advance()
    rate_hz = _NORMAL_HZ if record.fault == "normal" else _FAULT_HZ
    rpm = "" if read.rpm is None else str(read.rpm)
    return _made(record, name, signal, scale, tuple(read.channels), rate_hz, rpm)


def _step(samples: NDArray[np.float64], channel: str, path: Path) -> float:
    step = step_of(samples)
    if step is None:
        raise RecordingError(
            f"{path} has samples in {channel} that are no whole multiples of a converter's step, as all of CWRU's are; "
            "it was changed or damaged, fetch the file again"
        )
    return step


def _decimated(path: Path, record: Published, name: str, advance: Advance) -> Made:
    """Drive end of a healthy record at the faults' rate, with the nominal speed as the packs have it."""
    drive_end = _read(path, record).channels["DE"]
    signal = scipy.signal.decimate(drive_end, _DECIMATION, ftype="fir").astype(np.float32)[:, None]
    advance()
    return _made(record, name, signal, np.ones(1), ("DE",), _FAULT_HZ, "")


def _read(path: Path, record: Published) -> Signals:
    read = signals(path, record)
    if record.fault == "normal":
        _refuse_other_rates(read.channels["DE"], record, path)
    return read


def _refuse_other_rates(drive_end: NDArray[np.float64], record: Published, path: Path) -> None:
    n = scipy.fft.next_fast_len(8 * drive_end.size, real=True)
    power = np.abs(np.fft.rfft((drive_end - drive_end.mean()) * np.hanning(drive_end.size), n)) ** 2
    hz = np.fft.rfftfreq(n, 1.0 / _NORMAL_HZ)
    inside = (hz >= _SHAFT_LOW_HZ) & (hz <= _SHAFT_HIGH_HZ)
    shaft_hz = record.rpm_nominal / 60.0
    if not inside.any() or abs(hz[inside][power[inside].argmax()] / shaft_hz - 1.0) > _SHAFT_OFF:
        raise RecordingError(
            f"{path} has no shaft line at {shaft_hz:.1f} Hz when it is read at 48 kHz; the healthy baseline as CWRU "
            "publishes it is wanted, no copy at another rate"
        )


def _made(
    record: Published,
    name: str,
    signal: NDArray[Any],
    scale: NDArray[np.float64],
    channels: tuple[str, ...],
    rate_hz: int,
    rpm: str,
) -> Made:
    arrays = {
        "signal": signal,
        "scale": scale,
        "fs": np.array(float(rate_hz)),
        "channels": np.array(channels),
        "rpm": np.array(int(rpm or record.rpm_nominal), dtype=np.int64),
    }
    values = (
        name,
        record.number,
        rate_hz,
        "none" if record.fault == "normal" else "drive end",
        record.fault,
        "" if record.diameter_in is None else f"{record.diameter_in:.3f}",
        "" if record.position_oclock is None else record.position_oclock,
        record.load_hp,
        record.rpm_nominal,
        rpm,
        " ".join(channels),
        len(signal),
        round(len(signal) / rate_hz, 3),
    )
    return Made(arrays, {column: str(value) for column, value in zip(_COLUMNS, values, strict=True)})
