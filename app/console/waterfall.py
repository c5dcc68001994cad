"""The view of spectra over time, from the samples that are still kept."""

from __future__ import annotations

import time

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.console.export import Table, download
from app.console.history import Excerpt, excerpt_near, kept_spans
from app.console.linecharts import waterfall_chart
from app.console.lines import QUANTITIES, envelope, spectrum
from app.console.machinetrend import SPANS_D
from app.console.plot import plot
from app.console.units import Units
from app.console.words import clock
from app.store import PointRow

__all__ = ["thinned_lines", "waterfall_view"]

_COLUMNS = 400
_SPAN_S = 1.0


def thinned_lines(x: NDArray[np.float64], y: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The highest line between each two edges, 0 where there is none.

    Examples
    --------
    >>> thinned_lines(np.arange(6.0), np.array([0, 1, 5, 2, 0, 3.0]), np.array([0.0, 3.0, 6.0])).tolist()
    [5.0, 3.0]
    """
    place = np.searchsorted(edges, x, side="right") - 1
    inside = (place >= 0) & (place < edges.size - 1)
    highest = np.zeros(edges.size - 1)
    np.maximum.at(highest, place[inside], y[inside])
    return highest


def waterfall_view(engine: Engine, row: PointRow, units: Units) -> None:
    """Draw spectra over time as a map."""
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    days = SPANS_D[left.selectbox("Over", list(SPANS_D), index=3, key="waterfall days")]
    most = middle.number_input("Spectra", 5, 60, 30, key="waterfall spectra")
    kind = right.selectbox("Of", ("spectrum", "envelope"), key="waterfall of")
    since_ns = 0 if days is None else time.time_ns() - days * 86_400_000_000_000
    ends = kept_spans(engine, row.id, since_ns=since_ns, most=int(most))
    found = [excerpt_near(engine, row, at_ns=end_ns, span_s=_SPAN_S) for end_ns in ends]
    kept = [one for one in found if one is not None and one.x.shape[-1] >= 256]
    if len(kept) < 2 or row.unit is None:
        st.info("Samples of fewer than two times are kept here: a waterfall wants more.")
        return
    top = min(one.rate_hz for one in kept) * (0.5 if kind == "spectrum" else 0.125)
    highest = st.slider("Up to (Hz)", 10.0, top, top, key=f"waterfall top {kind}")
    # No finer than the coarsest of them, or columns between two lines would read nothing.
    step = max(one.rate_hz / one.x.shape[-1] for one in kept)
    edges = np.linspace(0.0, highest, max(2, min(_COLUMNS, int(highest / step))) + 1)
    rows = np.stack([_row(one, row.unit, kind, units, edges) for one in kept])
    unit = units.lines_unit(row.unit) if kind == "spectrum" else "modulation depth"
    names = [clock(one.start_ns)[:16] for one in kept]
    centres = 0.5 * (edges[:-1] + edges[1:])
    key = f"waterfall {row.id} {kind} {unit}"
    plot(waterfall_chart(centres, rows, names, axis="frequency (Hz)", unit=unit, key=key), key="waterfall")
    st.caption(f"{len(kept)} of the times whose samples are kept, evenly over them; the latest on top.")
    columns = {f"frequency (Hz) / {unit}": centres} | {clock(o.start_ns): r for o, r in zip(kept, rows, strict=True)}
    download(Table(columns), row, "waterfall", kept[-1].start_ns)


def _row(one: Excerpt, unit: str, kind: str, units: Units, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    if kind == "envelope":
        lines = envelope(one.x[0], one.rate_hz)
    else:
        quantity = QUANTITIES[1] if unit == "mm/s" else QUANTITIES[0]
        lines = spectrum(one.x[0], one.rate_hz, unit=unit, quantity=quantity, units=units)
    return thinned_lines(lines.x, lines.y, edges)
