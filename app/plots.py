"""The picture of a verdict on a recording, spectrum and envelope with their lines; refuses without matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.diagnose import stretch_of
from app.palette import BLUE, FAULT_COLOURS, GREY
from app.verdict import Verdict
from features.bearing import FaultOrders
from features.envelope import SLIP, envelope_spectrum
from features.errors import ParameterError
from features.faultlines import HARMONICS
from features.spectral import amplitude_spectrum
from models.envelope_rule import N_BANDS, envelope_verdict
from models.recordings import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["headline", "plot_verdict"]

Floats = NDArray[np.floating]

_SHAFT_HARMONICS = 5
_LOWEST_HZ = 2.0
# Columns that a trace is thinned to, each keeping its extremes: about one for each pixel.
_COLUMNS = 1600
# Shown of the envelope where no line is expected.
_UNMARKED_HZ = 500.0
_WORDS = {
    "outer": "outer-race fault",
    "inner": "inner-race fault",
    "ball": "rolling-element fault",
    "unknown": "bearing condition unknown",
}


def headline(verdict: Verdict) -> str:
    """The verdict in a line: bearing, then the severity zone where there is one."""
    words = _WORDS.get(verdict.kind, verdict.kind)
    if verdict.severity is None:
        return words
    return f"{words}; ISO 20816 zone {verdict.severity.zone} ({verdict.severity.name})"


def plot_verdict(recording: Recording, verdict: Verdict, path: Path) -> None:
    """Draw the amplitude spectrum and the envelope spectrum that a verdict rests on, with the lines it looked for.

    Parameters
    ----------
    recording : Recording
        That was judged.
    verdict : Verdict
        From `app.diagnose.diagnose`.
    path : Path
        PNG to write.

    Raises
    ------
    ParameterError
        If matplotlib is not installed, the name does not end in .png, or the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise ParameterError(f"a plot was asked as {path.name!r}; a name ending in .png is wanted")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ParameterError(
            "a plot wants matplotlib, which is not installed; pip install 'raceway[console]'"
        ) from None
    figure = Figure(figsize=(12.0, 8.0), dpi=110, layout="constrained")
    # The canvas draws in memory, whatever the display or matplotlib's own settings.
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1)
    x = stretch_of(recording)
    _spectrum(upper, x, verdict)
    _envelope(lower, x, verdict)
    figure.suptitle(f"{verdict.recording}, {verdict.channel}: {headline(verdict)}", fontsize=14, fontweight="bold")
    try:
        figure.savefig(path)
    except OSError as error:
        raise ParameterError(f"the plot cannot be written to {path}: {error.strerror}") from error


def _spectrum(axes: Axes, x: Floats, verdict: Verdict) -> None:
    frequencies, amplitude = amplitude_spectrum(x, verdict.rate_hz)
    shown = frequencies >= _LOWEST_HZ
    frequencies, amplitude = frequencies[shown], amplitude[shown]
    axes.set(xscale="log", xlabel="frequency (Hz)", ylabel=f"amplitude ({verdict.unit}, peak)")
    axes.plot(*_thinned(np.log(frequencies), amplitude, np.exp), color=BLUE, linewidth=0.6)
    axes.set_xlim(_LOWEST_HZ, 0.5 * verdict.rate_hz)
    top = float(amplitude.max())
    if top > 0.0:
        axes.set_yscale("log")
        # Four decades hold what is seen; a numeric zero must not stretch the axis.
        axes.set_ylim(max(1e-4 * top, 0.3 * float(np.quantile(amplitude, 0.02))), 3.0 * top)
    axes.grid(visible=True, which="both", color=GREY, alpha=0.15)
    axes.set_title(_speed_words(verdict), fontsize=10, loc="left")
    if verdict.speed is not None:
        for k in range(1, _SHAFT_HARMONICS + 1):
            mark = k * verdict.speed.shaft_hz
            if mark < 0.5 * verdict.rate_hz:
                axes.axvline(mark, color=GREY, linestyle=":", linewidth=1.0)
                axes.annotate(f"{k}x", (mark, 0.97), xycoords=("data", "axes fraction"), ha="center", va="top")


def _speed_words(verdict: Verdict) -> str:
    if verdict.speed is None:
        words = "amplitude spectrum; speed not known"
    else:
        source = {"given": "as given", "file": "as the file states", "spectrum": "ESTIMATED from this spectrum"}
        words = f"amplitude spectrum; shaft {verdict.speed.shaft_hz:.2f} Hz, {source[verdict.speed.source]}"
    if verdict.velocity is not None:
        low, high = verdict.velocity.low_hz, verdict.velocity.high_hz
        words += f"; velocity {verdict.velocity.velocity_mm_s:.2f} mm/s RMS, {low:g} to {high:g} Hz"
    return words


def _envelope(axes: Axes, x: Floats, verdict: Verdict) -> None:
    orders = verdict.bearing.orders if verdict.bearing is not None else None
    shaft_hz = verdict.speed.shaft_hz if verdict.speed is not None else None
    frequencies, lines, words = _envelope_lines(x, verdict, orders, shaft_hz)
    highest = _UNMARKED_HZ
    if orders is not None and shaft_hz is not None:
        highest = (HARMONICS * orders.bpfi + 1.5) * shaft_hz
    inside = (frequencies > 0.0) & (frequencies <= highest)
    if not inside.any():
        axes.set_axis_off()
        return
    axes.plot(*_thinned(frequencies[inside], lines[inside], None), color=BLUE, linewidth=0.7)
    axes.set(xlabel="frequency (Hz)", ylabel="modulation depth")
    axes.set_xlim(0.0, min(highest, float(frequencies[-1])))
    # Room above the lines for the names of the families; drift below the cage does not set the scale.
    counted = inside & (frequencies >= _drift_hz(shaft_hz))
    axes.set_ylim(0.0, 1.3 * float(lines[counted if counted.any() else inside].max()) or 1.0)
    axes.set_title(words, fontsize=10, loc="left")
    if orders is not None and shaft_hz is not None:
        _mark_families(axes, verdict, orders, shaft_hz, min(highest, float(frequencies[-1])))


def _drift_hz(shaft_hz: float | None) -> float:
    """Below it the envelope holds slow drift and no line that is looked for: the cage turns at a third of the shaft."""
    return 5.0 if shaft_hz is None else 0.3 * shaft_hz


def _envelope_lines(
    x: Floats, verdict: Verdict, orders: FaultOrders | None, shaft_hz: float | None
) -> tuple[NDArray[np.float64], Floats, str]:
    """The spectra that the rule read, their root mean square over its bands; else the envelope of all above a tenth."""
    if verdict.envelope is None or orders is None or shaft_hz is None:
        frequencies, lines = envelope_spectrum(x, verdict.rate_hz)
        return frequencies, lines, "envelope spectrum (whitened); no fault was judged by it"
    found = envelope_verdict(x, verdict.rate_hz, shaft_hz=shaft_hz, orders=orders)
    lines = np.sqrt(np.mean(found.spectra**2, axis=0))
    return found.frequencies, lines, f"envelope spectrum (prewhitened, RMS of the rule's {N_BANDS} bands)"


def _mark_families(axes: Axes, verdict: Verdict, orders: FaultOrders, shaft_hz: float, highest: float) -> None:
    evidence = {f.name: f.evidence_db for f in verdict.envelope.families} if verdict.envelope is not None else {}
    families = (("BPFO", "BPFO", orders.bpfo), ("BPFI", "BPFI", orders.bpfi), ("2xBSF", "BSF", orders.defect))
    for row, (name, colour, order) in enumerate((*families, ("FTF", "FTF", orders.ftf))):
        for k in range(1, HARMONICS + 1):
            mark = k * order * shaft_hz
            if mark > highest:
                break
            legend = f"{name} {order * shaft_hz:.1f} Hz"
            if name in evidence:
                legend += f", {evidence[name]:+.1f} dB"
            axes.axvspan(
                (1.0 - SLIP) * mark,
                (1.0 + SLIP) * mark,
                color=FAULT_COLOURS[colour],
                alpha=0.3,
                linewidth=0.0,
                label=legend if k == 1 else None,
            )
            axes.annotate(
                name if k == 1 else f"{k}",
                (mark, 0.98 - 0.05 * row),
                xycoords=("data", "axes fraction"),
                color=FAULT_COLOURS[colour],
                fontsize=9,
                ha="center",
                va="top",
            )
    for mark in ((orders.bpfi - 1.0) * shaft_hz, (orders.bpfi + 1.0) * shaft_hz):
        axes.axvline(mark, color=FAULT_COLOURS["BPFI"], linestyle=":", linewidth=1.2)
    axes.axvline(shaft_hz, color=GREY, linestyle=":", linewidth=1.0)
    axes.annotate("1x", (shaft_hz, 0.98), xycoords=("data", "axes fraction"), fontsize=9, ha="center", va="top")
    title = f"expected lines \u00b1{100 * SLIP:g} % with evidence over chance; dotted: shaft, and its sidebands of BPFI"
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, fontsize=9, title=title, frameon=False)


def _thinned(x: NDArray[np.float64], y: Floats, unscaled: np.ufunc | None) -> tuple[NDArray[np.float64], Floats]:
    """Lowest and highest point of each of evenly wide columns, in order; all points where they are few."""
    column = np.floor((x - x[0]) / max(float(x[-1] - x[0]), 1e-300) * _COLUMNS).astype(np.intp)
    order = np.lexsort((y, column))
    first = np.flatnonzero(np.diff(column[order], prepend=-1))
    last = np.append(first[1:], order.size) - 1
    kept = np.unique(np.concatenate([order[first], order[last]]))
    return (x[kept] if unscaled is None else unscaled(x[kept])), y[kept]
