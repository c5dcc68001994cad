"""Features of the windows of a recording as a table; refuses recordings shorter than a window."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from features.bearing import bearing_named
from features.contract import FULL
from features.errors import ParameterError
from features.extraction import extract
from features.window import cut
from models.recordings import read_recording

__all__ = ["feature_table"]


def feature_table(
    path: Path,
    *,
    rate_hz: float | None,
    unit: str | None,
    channel: str | None,
    rpm: float | None,
    bearing: str | None,
    n: int,
    overlap: float,
) -> str:
    """Compute the features of a recording, window by window.

    Parameters
    ----------
    path : Path
        A recording that `models.recordings` reads.
    rate_hz, unit, rpm : optional
        What the file does not state: rate in Hz, unit, shaft speed in r/min; without a speed there are no orders.
    channel : str, optional
        Channel to take; the first without it.
    bearing : str, optional
        Bearing of the library; without it there are no fault lines.
    n : int
        Samples of a window.
    overlap : float
        Share of a window that the next one repeats.

    Returns
    -------
    str
        CSV: a row for each window with its start in seconds, then the features of the full profile that the known
        speed and bearing admit.

    Raises
    ------
    ParameterError
        If the recording is shorter than a window, or the window is not admissible.
    """
    recording = read_recording(path, rate_hz=rate_hz, unit=unit, channels=[channel] if channel else None, rpm=rpm)
    samples = recording.samples[0]
    if samples.size < n:
        raise ParameterError(f"{path.name} has {samples.size} samples; a window of {n} does not fit, give --window")
    orders = bearing_named(bearing).orders if bearing else None
    known = [name for name, given in (("speed", recording.shaft_hz), ("bearing", orders)) if given]
    profile = FULL.knowing(*known)
    hop = max(1, round(n * (1.0 - overlap)))
    table = extract(
        cut(samples, n=n, hop=hop),
        recording.rate_hz,
        profile=profile,
        unit=recording.unit,
        shaft_hz=recording.shaft_hz,
        bearing=orders,
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["start_s", *profile.names])
    for i, row in enumerate(table.tolist()):
        writer.writerow([f"{i * hop / recording.rate_hz:.6f}", *(f"{value:.7g}" for value in row)])
    return out.getvalue()
