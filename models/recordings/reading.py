"""Reading of a recording from a file; whatever is wrong with it is one clear sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.errors import RecordingError
from models.recordings.formats import READERS
from models.recordings.recording import Recording

__all__ = ["read_recording"]


def read_recording(
    path: Path,
    *,
    rate_hz: float | None = None,
    unit: str | None = None,
    channels: Sequence[str] | None = None,
    rpm: float | None = None,
) -> Recording:
    """Read a recording as its publisher ships it.

    Parameters
    ----------
    path : Path
        A `.mat` (CWRU), `.wav`, `.csv` or `.npz` file.
    rate_hz, unit, rpm : optional
        Sampling rate in Hz, unit and shaft speed in revolutions a minute, where the file does not state them; given
        ones win over the file's.
    channels : sequence of str, optional
        Channels to keep, in this order; all without it.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If the file is missing, damaged, of an unknown format, or lacks the rate or the unit.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise RecordingError(f"{path.name} is of no known format; {', '.join(READERS)} are read")
    if not path.is_file():
        raise RecordingError(f"no recording at {path}; check the path")
    try:
        content = reader(path)
    except RecordingError:
        raise
    except Exception as error:
        # Damaged files make the parsers raise what they do not document: zlib.error, UnboundLocalError, BadZipFile ...
        reason = " ".join(str(error).split())
        raise RecordingError(f"{path.name} cannot be read as {path.suffix} ({reason}); it may be damaged") from error
    if len({len(column) for column in content.channels.values()}) != 1:
        raise RecordingError(f"{path.name} has channels of different length, or none")
    rate = rate_hz if rate_hz is not None else content.rate_hz
    if rate is None:
        raise RecordingError(f"{path.name} does not state its sampling rate; give it (--rate)")
    used_unit = unit or content.unit
    if used_unit is None:
        raise RecordingError(f"{path.name} does not state its unit; give it (--unit)")
    recording = Recording(
        name=path.name,
        samples=np.stack([np.asarray(c, dtype=np.float32) for c in content.channels.values()]),
        rate_hz=rate,
        unit=used_unit,
        channels=tuple(content.channels),
        shaft_hz=rpm / 60.0 if rpm is not None else content.shaft_hz,
    )
    return recording if channels is None else recording.only(tuple(channels))
