"""The view of a machine over time: any indicator with alarms, what people said and models, and one time to look at."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import sqlalchemy as sa
import streamlit as st
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.console.charts import new_figure
from app.console.cursors import marks_at
from app.console.excerpts import look_at
from app.console.export import download, past_table
from app.console.history import Past, excerpt_near, kept_spans, past, reported
from app.console.lines import envelope
from app.console.plot import new_click, plot
from app.console.queries import alarm_history, speaking_nodes
from app.console.units import Units
from app.console.why import feature_words
from app.console.words import SAID, clock, local_times, zone_name
from app.labels.records import labels_of
from app.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, ZONE_COLOURS
from app.schema import promotions
from app.settings import Settings
from app.store import PointRow, reading
from features.contract import WATCHED
from features.errors import ParameterError
from features.iso20816 import limits_named

__all__ = ["Event", "events_of", "trend_view"]

SPANS_D = {"1 day": 1, "7 days": 7, "30 days": 30, "90 days": 90, "everything": None}
_MOST = 2200
_ALARMS, _EVENTS = 50, 100
# Up to as many points are drawn as such: a browser draws each by itself, and more would run into one band.
_DOTS = 100
_KEPT = 40
_SPAN_S = 2.0
_SCORE, _SPEED, _LOAD = "anomaly score", "shaft speed", "load"
_USUAL = ("velocity_rms", "rms", "crest_factor", "kurtosis", "envelope_rms", "envelope_line")


@dataclass(frozen=True)
class Event:
    """Something that happened to a machine or its models, in words."""

    at_ns: int
    words: str
    colour: str


@dataclass(frozen=True, eq=False)
class _Curve:
    """Values at times, in a unit of the store, with the limits that are drawn across."""

    name: str
    time_ns: NDArray[np.int64]
    value: NDArray[np.floating]
    unit: str
    threshold: NDArray[np.float64] | None = None


def events_of(engine: Engine, point_id: str, *, since_ns: int = 0) -> list[Event]:
    """What people said of a point, and models that came to serve it, oldest first; the latest hundred of each."""
    one = promotions.c
    query = sa.select(one.at_ns, one.bundle, one.undone_ns).where(one.point_id == point_id, one.at_ns >= since_ns)
    with reading(engine) as connection:
        said = labels_of(connection, point_id=point_id, first_ns=since_ns, most=_EVENTS)
        served = connection.execute(query.order_by(one.at_ns.desc()).limit(_EVENTS)).all()
    found = [
        Event(
            label.at_ns,
            f"{SAID[label.kind]} by {label.who}" + (f": {label.why}" if label.why else ""),
            GREEN if label.kind == "repair" else PURPLE,
        )
        for label in said
    ]
    for row in served:
        found.append(Event(row.at_ns, f"baseline {row.bundle} began to serve", GREY))
        if row.undone_ns is not None:
            found.append(Event(row.undone_ns, f"baseline {row.bundle} was taken back", GREY))
    return sorted(found, key=lambda event: event.at_ns)


def trend_view(engine: Engine, settings: Settings, row: PointRow, units: Units) -> None:
    """Draw one indicator over time, and let a click or the time field choose what the other views look at."""
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    span = left.selectbox("Over", list(SPANS_D), index=2, key="days")
    days = SPANS_D[span]
    since_ns = 0 if days is None else time.time_ns() - days * 86_400_000_000_000
    name = middle.selectbox("Indicator", _names(row), key="indicator", format_func=feature_words)
    beside = right.selectbox("Beside it", ["nothing", _SPEED, _LOAD], key="beside")
    # Where a node judges, the server has no score: what the node reported is its verdict.
    by_node = name in (_SCORE, _SPEED) and row.id in speaking_nodes(engine)
    found = (reported if by_node else past)(engine, row.id, since_ns=since_ns, most=_MOST)
    channel = 0
    if len(row.channels) > 1 and name not in (_SCORE, _SPEED, _LOAD):
        channel = row.channels.index(st.selectbox("Channel", row.channels, key="trend channel"))
    curve = _curve(engine, row, found, name, channel, since_ns)
    if not np.isfinite(curve.value).any():
        st.caption(f"No {feature_words(name)} is known in this time.")
        return
    clicked = new_click("trend over time")
    if clicked is not None and clicked.custom:
        # Milliseconds: a browser's numbers do not hold nanoseconds.
        at_ns = round(clicked.custom * 1e6)
        look_at(row.id, at_ns)
        st.success(f"All other views now look at {clock(at_ns)}.")
    figure = _chart(engine, settings, row, curve, units, since_ns, key=f"{row.id} {span} {name} {channel}")
    if beside != "nothing":
        _beside(figure, found, beside)
    plot(figure, key="trend over time", clicks=True)
    st.caption("A click on the curve has all other views look at that time; there it can be typed as well.")
    if found.thinned:
        st.caption(f"{found.thinned.capitalize()} is shown.")
    _events(engine, row, since_ns)
    download(past_table(found, row), row, "trend", int(found.start_ns[-1]) if found.start_ns.size else 0)


def _names(row: PointRow) -> list[str]:
    names = [_SCORE, *_USUAL]
    names += [f"{fault} in kept samples" for fault in ("BPFO", "BPFI", "BSF", "FTF")] if row.bearing else []
    return [*names, _SPEED, _LOAD, *(one for one in WATCHED.names if one not in _USUAL)]


def _curve(engine: Engine, row: PointRow, found: Past, name: str, channel: int, since_ns: int) -> _Curve:
    if name == _SCORE:
        return _Curve(name, found.start_ns, found.score, "1", found.threshold)
    if name == _SPEED:
        return _Curve(name, found.start_ns, found.shaft_hz, "Hz")
    if name == _LOAD:
        return _Curve(name, found.start_ns, found.load, "%")
    if name.endswith(" in kept samples"):
        return _fault_curve(engine, row, name, channel, since_ns)
    feature = WATCHED.features[WATCHED.index(name)]
    unit = (row.unit or "1") if feature.unit == "x" else feature.unit
    channel = min(channel, found.features.shape[1] - 1)
    return _Curve(name, found.start_ns, found.features[:, channel, WATCHED.index(name)], unit)


def _fault_curve(engine: Engine, row: PointRow, name: str, channel: int, since_ns: int) -> _Curve:
    """Modulation depth at a fault frequency of samples that are still kept."""
    times, values = [], []
    for end_ns in kept_spans(engine, row.id, since_ns=since_ns, most=_KEPT):
        found = excerpt_near(engine, row, at_ns=end_ns, span_s=_SPAN_S)
        if found is None or not found.shaft_hz or row.bearing is None or found.x.shape[-1] < 256:
            continue
        lines = envelope(found.x[min(channel, len(found.x) - 1)], found.rate_hz)
        order = dict(row.bearing.orders.items())[name.split()[0]]
        marks = marks_at(lines.x, lines.y, [(name, order * found.shaft_hz)])
        if marks:
            times.append(found.start_ns)
            values.append(marks[0].amplitude)
    return _Curve(f"depth at {name}", np.array(times, dtype=np.int64), np.array(values, dtype=float), "1")


def _chart(
    engine: Engine, settings: Settings, row: PointRow, curve: _Curve, units: Units, since_ns: int, *, key: str
) -> go.Figure:
    unit = units.shown(curve.unit)
    words = feature_words(curve.name) + (f" ({unit})" if unit else "")
    figure = new_figure(key=f"{key} {unit}", height=380, x=f"time ({zone_name()})", y=words)
    known = np.isfinite(curve.value)
    times = local_times(curve.time_ns[known])
    shown = units.values(curve.value[known], curve.unit)
    stamps = curve.time_ns[known] / 1e6
    style = {"color": BLUE, "width": 1.5}
    name = feature_words(curve.name)
    mode = "lines+markers" if len(times) <= _DOTS else "lines"
    figure.add_scatter(x=times, y=shown, customdata=stamps, mode=mode, line=style, marker={"size": 4}, name=name)
    if curve.threshold is not None:
        limit = curve.threshold[known]
        figure.add_scatter(x=times, y=limit, mode="lines", line={"color": RED, "dash": "dash"}, name="threshold")
        figure.update_yaxes(type="log")
    if curve.name == "velocity_rms":
        _zones(figure, settings, row, units, float(shown.max()))
    _mark_events(figure, engine, row, since_ns, int(curve.time_ns[known][0]), int(curve.time_ns[known][-1]))
    return figure


def _zones(figure: go.Figure, settings: Settings, row: PointRow, units: Units, top: float) -> None:
    """The zones of the machine's group behind the curve."""
    if row.iso_group is None:
        return
    try:
        limits = limits_named(row.iso_group, settings.zone_limits())
    except ParameterError:
        return
    edges = [0.0, *(limit * units.factor("mm/s") for limit in limits.velocity_mm_s)]
    edges.append(max(1.1 * top, 1.3 * edges[-1]))
    for letter, low, high in zip("ABCD", edges[:-1], edges[1:], strict=True):
        figure.add_hrect(
            y0=low,
            y1=high,
            fillcolor=ZONE_COLOURS[letter],
            opacity=0.08,
            line_width=0,
            annotation_text=f"zone {letter}",
            annotation_position="top right",
        )


def _mark_events(figure: go.Figure, engine: Engine, row: PointRow, since_ns: int, first_ns: int, last_ns: int) -> None:
    for alarm in alarm_history(engine, row.id, most=_ALARMS):
        end_ns = alarm.cleared_ns if alarm.cleared_ns is not None else last_ns
        if end_ns >= first_ns:
            span = local_times(np.array([max(alarm.raised_ns, first_ns), end_ns]))
            figure.add_vrect(x0=str(span[0]), x1=str(span[1]), fillcolor=RED, opacity=0.12, line_width=0)
    happened = [event for event in events_of(engine, row.id, since_ns=since_ns) if event.at_ns >= first_ns]
    if not happened:
        return
    times = local_times(np.array([event.at_ns for event in happened]))
    for at, event in zip(times, happened, strict=True):
        figure.add_vline(x=str(at), line={"color": event.colour, "dash": "dot", "width": 1})
    figure.add_scatter(
        x=times,
        y=[1.0] * len(happened),
        yaxis="y3",
        mode="markers",
        text=[event.words for event in happened],
        hovertemplate="%{text}<extra></extra>",
        marker={"color": [event.colour for event in happened], "symbol": "triangle-down", "size": 10},
        name="said, repaired, new model",
    )
    figure.update_layout(yaxis3={"overlaying": "y", "range": [0.0, 1.0], "visible": False})


def _beside(figure: go.Figure, found: Past, what: str) -> None:
    value, unit = (found.shaft_hz * 60.0, "rpm") if what == _SPEED else (found.load, "%")
    known = np.isfinite(value)
    line = {"color": ORANGE, "dash": "dot", "width": 1}
    x = local_times(found.start_ns[known])
    figure.add_scatter(x=x, y=value[known], mode="lines", line=line, yaxis="y2", name=f"{what} ({unit})")
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right", "title": f"{what} ({unit})", "showgrid": False})


def _events(engine: Engine, row: PointRow, since_ns: int) -> None:
    happened = events_of(engine, row.id, since_ns=since_ns)[::-1][:20]
    if happened:
        with st.expander(f"What was said and done: the latest {len(happened)}"):
            rows = [{"When": clock(event.at_ns), "What": event.words} for event in happened]
            st.dataframe(rows, hide_index=True, key="events")
