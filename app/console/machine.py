"""The page of one machine: its state, and one view at a time, so that only what is looked at is computed."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st
from sqlalchemy import Engine

from app.access.roles import User
from app.console.comparison import compare_view
from app.console.feedback import feedback_section
from app.console.forecast import forecast_section
from app.console.guard import part
from app.console.links import go
from app.console.machinenow import now_view
from app.console.machinetrend import trend_view
from app.console.queries import fleet, speaking_nodes
from app.console.report import report_view
from app.console.spectra import envelope_view, orders_view, spectrum_view, waveform_view
from app.console.units import Units, units_choice
from app.console.waterfall import waterfall_view
from app.console.words import ago, kind_text, plain, state_of
from app.settings import Settings
from app.store import PointRow

__all__ = ["VIEWS", "machine_page"]

VIEWS = (
    "Now",
    "Trend",
    "Forecast",
    "Spectrum",
    "Envelope",
    "Orders",
    "Waterfall",
    "Waveform",
    "Compare",
    "Feedback",
    "Report",
)


def machine_page(engine: Engine, settings: Settings, user: User) -> None:
    """Draw the page of the measuring point in the address, or a choice of them."""
    rows, _ = fleet(engine)
    point_id = st.query_params.get("point")
    if point_id is None:
        _choice(rows)
        return
    row = next((found for found in rows if found.id == point_id), None)
    if row is None:
        st.error(f"No measuring point {plain(repr(point_id))} is known.")
        return
    st.title(plain(row.name))
    with st.sidebar:
        units = units_choice()
    view = _view()
    if view == "Now":
        now_view(engine, settings, point_id, units)
        return
    _head(engine, settings, point_id)
    if view == "Feedback":
        # Not a fragment: what is said here changes the head too.
        feedback_section(engine, settings, row, user, now_ns=time.time_ns())
    else:
        part()(_draw)(view, engine, settings, row, units)


def _view() -> str:
    """Draw the choice of the view, which stands in the address too."""
    asked = st.query_params.get("view", VIEWS[0])
    st.session_state.setdefault("view", asked if asked in VIEWS else VIEWS[0])
    view = st.segmented_control("View", VIEWS, key="view", label_visibility="collapsed") or VIEWS[0]
    if view != asked:
        st.query_params["view"] = view
    return view


def _draw(view: str, engine: Engine, settings: Settings, row: PointRow, units: Units) -> None:
    if view == "Trend":
        trend_view(engine, settings, row, units)
    elif view == "Forecast":
        forecast_section(engine, settings, row, units, now_ns=time.time_ns())
    elif view == "Spectrum":
        spectrum_view(engine, row, units)
    elif view == "Envelope":
        envelope_view(engine, row)
    elif view == "Orders":
        orders_view(engine, row, units)
    elif view == "Waterfall":
        waterfall_view(engine, row, units)
    elif view == "Waveform":
        waveform_view(engine, row, units)
    elif view == "Compare":
        compare_view(engine, settings, row, units)
    else:
        report_view(engine, settings, row, units)


@part(every_s=5.0)
def _head(engine: Engine, settings: Settings, point_id: str) -> None:
    """Say on one line how the machine is; what is looked at below stays as it is."""
    rows, active = fleet(engine)
    row = next(found for found in rows if found.id == point_id)
    alarm = active.get(point_id)
    node = speaking_nodes(engine).get(point_id)
    symbol, word, colour = state_of(row, alarm, wanted=settings.baseline_windows, node=node)
    words = [f"{symbol} :{colour}[{word}]"]
    words += [kind_text(alarm.kind)] if alarm is not None else []
    ratio = node.ratio if node is not None else row.score / row.threshold if row.score and row.threshold else None
    words += [f"score / threshold {ratio:.2f}"] if ratio is not None else []
    words.append(f"seen {ago(row.seen_ns, now_ns=time.time_ns())}")
    st.markdown(" · ".join(words))


def _choice(rows: Sequence[PointRow]) -> None:
    st.title("Machine")
    names = {row.id: f"{row.name} ({row.id})" for row in rows}
    chosen = st.selectbox("Which machine", list(names), index=None, format_func=lambda point: names[point])
    if chosen is not None:
        go("machine", point=chosen)
