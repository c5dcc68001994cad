"""Charts of spectra with cursors, of spectra over time, and of two spectra beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.console.charts import new_figure
from app.console.cursors import Mark
from app.console.decimate import decimated
from app.console.lines import Lines
from app.palette import BLUE, FAULT_COLOURS, GREY, ORANGE, RED

__all__ = ["lines_chart", "overlay_chart", "waterfall_chart"]

_POINTS = 4000
_TOLERANCE = 0.02
_REPEATS = 3


def lines_chart(
    lines: Lines,
    marked: Mapping[str, float],
    cursor: Sequence[Mark],
    *,
    logarithmic: bool,
    key: str,
    shown: float | None = None,
) -> go.Figure:
    """Lines with frequencies of the machine, each fault's with its harmonics and +-2 %, and what a cursor reads.

    Of the axis as much is shown at first as is said, else all.
    """
    figure = new_figure(key=key, height=420, x=lines.axis, y=f"amplitude ({lines.unit})" if lines.unit else "depth")
    x, y = decimated(lines.x, lines.y, most=_POINTS)
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": BLUE, "width": 1}, name="lines")
    top = float(np.max(lines.y)) if lines.y.size else 1.0
    for name, place in marked.items():
        _mark(figure, name, place, float(lines.x[-1]), top, " Hz" if "Hz" in lines.axis else "")
    if cursor:
        figure.add_scatter(
            x=[mark.found for mark in cursor],
            y=[mark.amplitude for mark in cursor],
            mode="markers+text",
            text=[mark.name for mark in cursor],
            textposition="top center",
            marker={"color": RED, "symbol": "triangle-down", "size": 9},
            name="cursor",
        )
    figure.update_yaxes(type="log" if logarithmic else "linear")
    if shown is not None:
        figure.update_xaxes(range=[0.0, min(shown, float(lines.x[-1]))])
    # So a click need not meet the line: the bin above or below it is taken.
    figure.update_layout(hovermode="x")
    return figure


def _mark(figure: go.Figure, name: str, place: float, last: float, top: float, unit: str) -> None:
    colour = FAULT_COLOURS.get(name, GREY)
    fault = name in FAULT_COLOURS
    places = [k * place for k in range(1, (_REPEATS if fault else 1) + 1) if k * place <= last]
    figure.add_scatter(
        x=[v for at in places for v in (at, at, None)],
        y=[v for _ in places for v in (top * 1e-4, top, None)],
        mode="lines",
        line={"color": colour, "dash": "dot", "width": 1.5},
        name=f"{name} {place:.4g}{unit}",
        hoverinfo="skip",
    )
    for at in places if fault else ():
        figure.add_vrect(
            x0=at * (1.0 - _TOLERANCE), x1=at * (1.0 + _TOLERANCE), fillcolor=colour, opacity=0.12, line_width=0
        )


def waterfall_chart(
    x: NDArray[np.float64], rows: NDArray[np.floating], names: Sequence[str], *, axis: str, unit: str, key: str
) -> go.Figure:
    """Spectra over time as a heat map, the latest on top; stretches of time stand evenly, however far apart.

    Parameters
    ----------
    x : ndarray, shape (bins,)
    rows : ndarray, shape (spectra, bins)
        Oldest first.
    names : sequence of str
        The time of each spectrum.
    """
    figure = new_figure(key=key, height=480, x=axis, y="")
    shown = np.log10(np.maximum(rows, max(float(rows.max()), 1e-12) * 1e-5)).astype(np.float32)
    figure.add_heatmap(
        x=x,
        y=list(range(len(rows))),
        z=np.round(shown, 2),
        colorscale="Viridis",
        customdata=None,
        colorbar={"title": {"text": f"log10 of {unit}", "side": "right"}},
        hovertemplate="%{x:.1f}: 10^%{z:.2f} " + unit + "<extra></extra>",
    )
    few = np.unique(np.linspace(0, len(rows) - 1, min(8, len(rows))).round().astype(int))
    figure.update_yaxes(tickvals=few.tolist(), ticktext=[names[i] for i in few])
    figure.update_layout(hovermode="closest")
    return figure


def overlay_chart(now: Lines, then: Lines, *, names: tuple[str, str], logarithmic: bool, key: str) -> go.Figure:
    """Two spectra over each other."""
    figure = new_figure(key=key, height=420, x=now.axis, y=f"amplitude ({now.unit})")
    for lines, name, colour, dash in ((then, names[1], ORANGE, "dot"), (now, names[0], BLUE, "solid")):
        x, y = decimated(lines.x, lines.y, most=_POINTS)
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": colour, "width": 1, "dash": dash}, name=name)
    figure.update_yaxes(type="log" if logarithmic else "linear")
    return figure
