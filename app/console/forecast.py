"""When a machine's growing indicators reach their limits: in words, and drawn with the limit and the interval."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from sqlalchemy import Engine

from app.console.charts import new_figure
from app.console.plot import plot
from app.console.units import Units
from app.console.words import clock, local_times, zone_name
from app.forecast import VELOCITY, Forecast, Levels, forecast_point, levels_of
from app.palette import BLUE, GREY, ORANGE, RED
from app.settings import Settings
from app.store import PointRow, reading

__all__ = ["forecast_section", "forecast_words"]

_DAY_NS = 86_400_000_000_000


def forecast_words(found: Forecast, *, now_ns: int) -> str:
    """Say when the limit is reached and how sure that is, or why nothing is said."""
    if found.likely_ns is None:
        return f"No time can be given: {found.reason}."
    earliest, likely = (_span(at_ns, now_ns) for at_ns in (found.earliest_ns or found.likely_ns, found.likely_ns))
    latest = "open" if found.latest_ns is None else _span(found.latest_ns, now_ns)
    return f"{found.reason[0].upper()}{found.reason[1:]} in about {likely} (nine in ten: {earliest} to {latest})."


def _span(at_ns: int, now_ns: int) -> str:
    seconds = max(at_ns - now_ns, 0) / 1e9
    for size, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def forecast_section(engine: Engine, settings: Settings, row: PointRow, units: Units, *, now_ns: int) -> None:
    """Draw the forecast of a point, computed now."""
    with reading(engine) as connection:
        followed = levels_of(connection, settings, row, now_ns=now_ns)
    found = forecast_point(row.id, followed, now_ns=now_ns)
    st.markdown("##### Remaining time to the limit")
    st.markdown(forecast_words(found, now_ns=now_ns))
    if found.due:
        columns = st.columns(3)
        for column, (label, at_ns) in zip(
            columns,
            (("Earliest (5 %)", found.earliest_ns), ("Likely (50 %)", found.likely_ns), ("Latest", found.latest_ns)),
            strict=True,
        ):
            column.metric(label, "open" if at_ns is None else clock(at_ns)[:16])
    for levels in followed:
        plot(_chart(levels, found, row, units), key=f"forecast {levels.indicator}")
    st.caption(
        "Medians over equal parts since the last repair or new baseline, at most 90 days. Growth by a steady factor a "
        "day since its onset is followed to the limit; the shaded time holds nine in ten."
    )


def _chart(levels: Levels, found: Forecast, row: PointRow, units: Units) -> go.Figure:
    velocity = levels.indicator == VELOCITY
    factor = units.factor(levels.unit)
    unit = units.shown(levels.unit)
    name = f"{levels.indicator} ({unit})" if unit else levels.indicator
    figure = new_figure(key=f"forecast {row.id} {levels.indicator}", height=280, x=f"time ({zone_name()})", y=name)
    figure.add_scatter(
        x=local_times(levels.at_ns),
        y=factor * levels.value,
        mode="lines+markers",
        name="median",
        line={"color": BLUE, "width": 1.5},
    )
    ends = [int(levels.at_ns[0]), int(levels.at_ns[-1])]
    if found.due and found.indicator == levels.indicator:
        ends[1] = _run_on(figure, levels, found, factor)
    if levels.bound is not None:
        bound = factor * levels.bound
        figure.add_scatter(
            x=local_times(np.array(ends, dtype=np.int64)),
            y=[bound, bound],
            mode="lines",
            name="zone D" if velocity else "threshold",
            line={"color": RED, "dash": "dash", "width": 1.5},
        )
    return figure


def _run_on(figure: go.Figure, levels: Levels, found: Forecast, factor: float) -> int:
    """Draw growth up to the limit and the time that holds nine in ten; the end of what is drawn."""
    growth = levels.growth()
    last_ns, likely_ns = int(levels.at_ns[-1]), found.likely_ns or 0
    if growth is None:
        return last_ns
    at_ns = np.linspace(last_ns, max(likely_ns, last_ns + 1), 30).astype(np.int64)
    y = [factor * math.exp(min(growth.level + growth.rate * (at - last_ns) / 1e9, 50.0)) for at in at_ns.tolist()]
    figure.add_scatter(
        x=local_times(at_ns), y=y, mode="lines", name="growth", line={"color": ORANGE, "dash": "dot", "width": 2}
    )
    # A latest time far off would leave the past as a line on the left.
    farthest_ns = last_ns + 2 * max(last_ns - int(levels.at_ns[0]), likely_ns - last_ns)
    latest_ns = min(found.latest_ns or farthest_ns, farthest_ns)
    shaded = local_times(np.array([found.earliest_ns or likely_ns, latest_ns], dtype=np.int64))
    figure.add_vrect(x0=shaded[0], x1=shaded[1], fillcolor=GREY, opacity=0.15, line_width=0)
    if found.onset_ns is not None:
        figure.add_vline(x=local_times(np.array([found.onset_ns]))[0], line={"color": GREY, "dash": "dot"})
    return max(latest_ns, likely_ns)
