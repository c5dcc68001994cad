"""The charts of the console; colours that stay apart for colour-blind eyes, zoom that survives a refresh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.console.decimate import decimated
from app.console.queries import AlarmRow, Trend
from app.console.units import Units
from app.console.words import local_times, zone_name
from app.palette import BLUE, FAULT_COLOURS, GREY, RED
from features.bearing import Bearing
from features.envelope import envelope_spectrum
from features.scalogram import scalogram
from features.spectral import amplitude_spectrum

__all__ = [
    "TEMPLATE",
    "envelope_chart",
    "new_figure",
    "probability_chart",
    "scalogram_chart",
    "spectrum_chart",
    "trend_chart",
    "wave_chart",
]

_POINTS = 1200
_HARMONICS = 3
# Windows this many times further apart than nine in ten are: a pause, which no line crosses.
_PAUSE = 5.0
# Size of a scalogram, whatever the window: it is drawn anew every two seconds.
_IMAGE_ROWS, _IMAGE_COLUMNS, _IMAGE_SAMPLES = 72, 200, 16_384
_MORLET_W0 = 6.0
# Faint lines that show on white and on black; the browser adds the colour of letters. Given here, since Plotly's own
# templates are large and are copied into every figure.
_AXIS = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.4)", "automargin": True}
TEMPLATE = {"layout": {"xaxis": _AXIS, "yaxis": _AXIS}}


def new_figure(*, key: str, height: int, x: str, y: str) -> go.Figure:
    """An empty chart in the manner of the console; under the same key it keeps its zoom."""
    # Given as one: an update looks each of these up in the layout by its path, at nine times the cost.
    layout = {
        "height": height,
        "margin": {"l": 10, "r": 10, "t": 24, "b": 10},
        "xaxis": {"title": {"text": x}},
        "yaxis": {"title": {"text": y}},
        # The same revision keeps the reader's zoom when the data are renewed.
        "uirevision": key,
        "legend": {"orientation": "h", "y": 1.12, "x": 0.0},
        "hovermode": "x unified",
        "template": TEMPLATE,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": BLUE},
        "font": {"family": "Source Sans, Source Sans Pro, sans-serif"},
    }
    return go.Figure(layout=layout)


def trend_chart(trend: Trend, alarms: Sequence[AlarmRow], *, key: str) -> go.Figure:
    """Score of each window with the threshold; alarms shaded."""
    figure = new_figure(key=key, height=300, x=f"time ({zone_name()})", y="anomaly score")
    known = np.isfinite(trend.score)
    times, runs = local_times(trend.start_ns[known]), _runs(trend.start_ns[known])
    kept, _ = decimated(np.arange(times.size), trend.score[known], most=_POINTS)
    x, y = _broken(times[kept], trend.score[known][kept], runs[kept])
    # A window alone between two pauses has no line: it is a dot.
    line = {"color": BLUE, "width": 1.5}
    figure.add_scatter(x=x, y=y, name="score", mode="lines+markers", line=line, marker={"size": _dots(y)})
    kept = _corners(trend.threshold[known], runs)
    x, y = _broken(times[kept], trend.threshold[known][kept], runs[kept])
    figure.add_scatter(x=x, y=y, name="threshold", mode="lines", line={"color": RED, "dash": "dash", "width": 1.5})
    if times.size:
        for alarm in alarms:
            end_ns = alarm.cleared_ns if alarm.cleared_ns is not None else int(trend.start_ns[-1])
            if end_ns >= trend.start_ns[known][0]:
                span = local_times(np.array([max(alarm.raised_ns, int(trend.start_ns[known][0])), end_ns]))
                figure.add_vrect(x0=str(span[0]), x1=str(span[1]), fillcolor=RED, opacity=0.12, line_width=0)
    # A healthy score is a fraction of a failing one: on a logarithmic axis both can be read.
    figure.update_yaxes(type="log")
    return figure


def _runs(start_ns: NDArray[np.int64]) -> NDArray[np.intp]:
    """Number of the run that each window belongs to; a pause begins the next.

    Nine in ten, so that a sensor of bursts has one run, with its usual pauses in it, and not a run for each burst.
    """
    if start_ns.size < 3:
        return np.zeros(start_ns.size, dtype=np.intp)
    apart = np.diff(start_ns)
    usual = np.sort(apart)[int(0.9 * (apart.size - 1))]
    return np.concatenate([[0], np.cumsum(apart > _PAUSE * usual)])


def _broken(
    x: NDArray[np.datetime64], y: NDArray[np.float64], runs: NDArray[np.intp]
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Points with a hole between one run and the next."""
    after = np.flatnonzero(np.diff(runs)) + 1
    return np.insert(x, after, x[after]), np.insert(y, after, np.nan)


def _dots(y: NDArray[np.float64]) -> NDArray[np.int8]:
    """Marker sizes: 4 for a point between two holes, else none."""
    holes = np.concatenate([[True], np.isnan(y), [True]])
    return np.where(holes[:-2] & holes[2:], 4, 0).astype(np.int8)


def _corners(y: NDArray[np.float64], runs: NDArray[np.intp]) -> NDArray[np.intp]:
    """Indices where a trace of steps begins, ends and changes."""
    changes = (np.diff(y) != 0.0) | (np.diff(runs) != 0)
    return np.flatnonzero(np.concatenate([[True], changes]) | np.concatenate([changes, [True]]))[: y.size]


def scalogram_chart(x: NDArray[np.float32], rate_hz: float, *, unit: str, key: str) -> go.Figure:
    """Amplitude over time and frequency of the end of a window; the dotted lines part off what its edges falsify."""
    x = x[-_IMAGE_SAMPLES:]
    # A third of the window remains between the edges at the lowest frequency.
    lowest = 1.5 * np.sqrt(2.0) * _MORLET_W0 * rate_hz / (np.pi * x.size)
    frequencies = np.geomspace(lowest, 0.45 * rate_hz, _IMAGE_ROWS)
    image = scalogram(x - x.mean(), rate_hz, frequencies_hz=frequencies, columns=_IMAGE_COLUMNS, w0=_MORLET_W0)
    figure = new_figure(key=key, height=340, x="time in the window (s)", y="frequency (Hz)")
    figure.add_heatmap(
        x=image.times_s,
        y=frequencies,
        z=image.amplitude.astype(np.float32),
        colorscale="Viridis",
        zmin=0.0,
        colorbar={"title": {"text": f"{unit}, peak", "side": "right"}},
        hovertemplate="%{x:.4f} s, %{y:.0f} Hz: %{z:.3g} " + unit + "<extra></extra>",
    )
    span_s = x.size / rate_hz
    for edge_s in (image.edge_s, span_s - image.edge_s):
        line = {"color": "white", "dash": "dot", "width": 1.5}
        figure.add_scatter(x=edge_s, y=frequencies, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    ticks = [lead * 10**decade for decade in range(-1, 7) for lead in (1, 2, 5)]
    limits = [float(np.log10(edge)) for edge in frequencies[[0, -1]]]
    figure.update_yaxes(type="log", range=limits, tickvals=ticks, ticktext=[f"{tick:,.10g}" for tick in ticks])
    figure.update_xaxes(range=[0.0, span_s])
    figure.update_layout(hovermode="closest")
    return figure


def wave_chart(x: NDArray[np.float32], rate_hz: float, *, unit: str, key: str) -> go.Figure:
    """Waveform of one window."""
    figure = new_figure(
        key=key,
        height=260,
        x="time in the window (s)",
        y=f"{'velocity' if unit in ('mm/s', 'in/s') else 'acceleration'} ({unit})",
    )
    times, values = decimated(np.arange(x.size) / rate_hz, x, most=_POINTS)
    figure.add_scatter(x=times, y=values, mode="lines", line={"color": BLUE, "width": 1}, name="waveform")
    return figure


def spectrum_chart(
    x: NDArray[np.float32], rate_hz: float, *, unit: str, units: Units, shaft_hz: float | None, key: str
) -> go.Figure:
    """One-sided amplitude spectrum (Hann) of samples in a unit, in those of the reader, with the shaft speed marked."""
    figure = new_figure(key=key, height=300, x="frequency (Hz)", y=f"amplitude ({units.lines_unit(unit)})")
    frequencies, peaks = amplitude_spectrum(x, rate_hz)
    amplitudes = units.lines(peaks, unit)
    shown, heights = decimated(frequencies, amplitudes, most=_POINTS)
    figure.add_scatter(x=shown, y=heights, mode="lines", line={"color": BLUE, "width": 1}, name="spectrum")
    if shaft_hz:
        figure.add_vline(x=shaft_hz, line={"color": GREY, "dash": "dot", "width": 1}, annotation_text="1x")
    return figure


def envelope_chart(
    x: NDArray[np.float32], rate_hz: float, *, shaft_hz: float | None, bearing: Bearing | None, key: str
) -> go.Figure:
    """Squared-envelope spectrum (whitened) with the bearing's fault frequencies and two harmonics of each."""
    figure = new_figure(key=key, height=320, x="frequency (Hz)", y="modulation depth")
    frequencies, lines = envelope_spectrum(x, rate_hz)
    orders = bearing.orders if bearing is not None else None
    highest = 4.5 * orders.bpfi * shaft_hz if orders is not None and shaft_hz else 500.0
    inside = (frequencies > 0.0) & (frequencies <= highest)
    shown, heights = decimated(frequencies[inside], lines[inside], most=_POINTS)
    figure.add_scatter(x=shown, y=heights, mode="lines", line={"color": BLUE, "width": 1}, name="envelope spectrum")
    if orders is None or not shaft_hz:
        return figure
    top = float(heights.max()) if heights.size else 1.0
    for name, order in orders.items():
        marks = [k * order * shaft_hz for k in range(1, _HARMONICS + 1) if k * order * shaft_hz <= highest]
        figure.add_scatter(
            x=[v for mark in marks for v in (mark, mark, None)],
            y=[v for _ in marks for v in (0.0, top, None)],
            mode="lines",
            line={"color": FAULT_COLOURS[name], "dash": "dot", "width": 1.5},
            name=f"{name} {order * shaft_hz:.1f} Hz",
        )
    return figure


def probability_chart(probabilities: dict[str, float], *, names: dict[str, str], key: str) -> go.Figure:
    """Bars of class probabilities, the largest first."""
    figure = new_figure(key=key, height=200, x="probability", y="")
    ordered = sorted(probabilities.items(), key=lambda item: item[1])
    best = ordered[-1][0]
    figure.add_bar(
        x=[p for _, p in ordered],
        y=[names.get(kind, kind) for kind, _ in ordered],
        orientation="h",
        marker_color=[RED if kind == best else GREY for kind, _ in ordered],
        text=[f"{p:.0%}" for _, p in ordered],
        hoverinfo="skip",
    )
    figure.update_xaxes(range=[0.0, 1.08], tickformat=".0%")
    figure.update_layout(hovermode=False)
    return figure
