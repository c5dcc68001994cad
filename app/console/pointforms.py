"""Form of a measuring point: name, bearing, speed, mounting, what alarms there, with what is wrong beside each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.alarms.conditions import CONDITIONS, Conditions, Option
from app.assets.editing import put_in
from app.assets.model import MOUNTINGS, Machine, Point
from app.console.assetforms import Known, take, text_field, turn_of
from features.bearing import Bearing
from features.errors import ParameterError

__all__ = ["point_form"]

_NEW, _NONE, _OWN = "a new point", "unknown", "own geometry"
_GO_TO = "point go to"
_OPTIONS = {
    "raise_after": "Windows in a row that raise",
    "clear_after": "Windows in a row that clear",
    "dead_band": "Dead-band, share of the limit",
    "on_delay_s": "On delay, s",
    "off_delay_s": "Off delay, s",
    "severity": "Alarm from ISO zone",
    "severity_on_delay_s": "On delay of zones, s",
    "rise_of": "What may not rise",
    "rise_limit": "Largest rise a day; 0: any",
    "rise_span_s": "Span of the rise, s",
    "stale_after_s": "Silence that is told, s; 0: none",
}
_CHOICES: dict[str, tuple[str, ...]] = {"severity": ("C", "D", "none"), "rise_of": ("score", "velocity")}


def point_form(known: Known, machine: Machine) -> None:
    """Draw the fields of a point of a machine that was entered, or of a new one."""
    st.markdown("##### Measuring point")
    wanted = st.session_state.pop(_GO_TO, None)
    if wanted in machine.points:
        st.session_state[f"point of {machine.id}"] = wanted
    chosen = st.selectbox("Point", [*machine.points, _NEW], key=f"point of {machine.id}")
    new = chosen == _NEW
    key: str | None = chosen
    bad_key = False
    if new:
        key, bad_key = text_field(
            st.container(),
            "Point, as in topics",
            "",
            key=f"new point {turn_of(machine)}",
            check=lambda text: Machine("s", "a", "a", points={text: Point()}),
            wanted=True,
        )
    turn = turn_of(machine, chosen)
    point, faulty = _fields(known, Point() if new else machine.points[chosen], turn)
    if key in machine.points and new:
        st.error(f"{key} is there already")
    kept = replace(machine, points=machine.points | {key: point}) if key else machine
    keep, out = st.columns(2)
    unfit = faulty or bad_key or kept == machine or (new and key in machine.points)
    if keep.button("Keep point", key="keep point", disabled=unfit, type="primary", width="stretch"):
        st.session_state[_GO_TO] = key
        take(known.engine, lambda c: put_in(c, known.user, kept, seen=machine, now_ns=known.now_ns))
    if not new:
        without = replace(machine, points={name: one for name, one in machine.points.items() if name != chosen})
        sure = out.checkbox("Take this point out", key=f"point sure {turn}")
        if out.button("Take point out", disabled=not sure, width="stretch"):
            take(known.engine, lambda c: put_in(c, known.user, without, seen=machine, now_ns=known.now_ns))


def _fields(known: Known, point: Point, turn: str) -> tuple[Point, bool]:
    """The point as the fields say it, and whether one of them cannot be taken."""
    left, right = st.columns(2)
    name, bad_name = text_field(
        left,
        "Name for people",
        point.name,
        key=f"point name {turn}",
        check=Point,
        wanted=False,
    )
    speed = right.number_input(
        "Speed of this shaft, rpm",
        min_value=1e-3,
        value=point.speed_rpm,
        step=1.0,
        key=f"point speed {turn}",
        placeholder="that of the machine",
    )
    mountings = (None, *MOUNTINGS)
    mounting = right.selectbox(
        "Mounting",
        mountings,
        index=mountings.index(point.mounting),
        format_func=lambda one: one or _NONE,
        key=f"mounting {turn}",
    )
    bearing, bad_bearing = _bearing(left, known.settings.bearings(), point.bearing, turn)
    options, wrong = _alarming(known.settings.conditions(), point.alarming, turn)
    return Point(name, bearing, speed, mounting, options), bad_name or bad_bearing or wrong


def _bearing(
    column: DeltaGenerator, library: Mapping[str, Bearing], current: Bearing | None, turn: str
) -> tuple[Bearing | None, bool]:
    stored = _NONE if current is None else current.name if library.get(current.name) == current else _OWN
    names = [_NONE, _OWN, *sorted(library)]
    name = column.selectbox("Bearing", names, index=names.index(stored), key=f"bearing {turn}")
    if name == _NONE:
        return None, False
    bearing = _geometry(column, current if stored == _OWN else None, turn) if name == _OWN else library[name]
    if bearing is None:
        return current, True
    orders = ", ".join(f"{what} {order:.3f}" for what, order in bearing.orders.items())
    column.caption(f"Orders of the shaft: {orders}")
    return bearing, False


def _geometry(column: DeltaGenerator, current: Bearing | None, turn: str) -> Bearing | None:
    """A bearing of the user's own; None where its fields make none."""
    name = column.text_input("Designation", current.name if current else "", key=f"designation {turn}").strip()
    given: dict[str, Any] = {}
    for field, label, start in (
        ("balls", "Rolling elements", 3),
        ("ball_mm", "Their diameter, mm", 0.0),
        ("pitch_mm", "Pitch diameter, mm", 0.0),
        ("contact_deg", "Contact angle, degrees", 0.0),
    ):
        value = getattr(current, field) if current else (0.0 if field == "contact_deg" else None)
        step = 1 if field == "balls" else 0.1
        given[field] = column.number_input(label, min_value=start, value=value, step=step, key=f"{field} {turn}")
    missing = [field for field, value in given.items() if value is None]
    if not name or missing:
        column.caption("▲ designation, elements and diameters are wanted")
        return None
    try:
        return Bearing(name, **given)
    except ParameterError as error:
        column.error(str(error))
        return None


def _alarming(plant: Conditions, own: Mapping[str, Option], turn: str) -> tuple[dict[str, Option], bool]:
    """Alarm options of the point's own; those that are left empty are the plant's."""
    options: dict[str, Option] = {}
    wrong = False
    with st.expander("What alarms here", expanded=bool(own)):
        st.caption("What is left empty is as for the whole plant, which the field says.")
        columns = st.columns(2)
        for i, (name, kind) in enumerate(CONDITIONS.items()):
            value = _option(columns[i % 2], name, kind, getattr(plant, name), own.get(name), turn)
            if value is None:
                continue
            try:
                plant.changed({name: value})
            except ParameterError as error:
                columns[i % 2].error(str(error))
                wrong = True
            else:
                options[name] = value
    return options, wrong


def _option(
    column: DeltaGenerator, name: str, kind: type, plant: Option, own: Option | None, turn: str
) -> Option | None:
    key = f"{name} {turn}"
    if kind is str:
        choices = (None, *_CHOICES[name])
        chosen: str | None = column.selectbox(
            _OPTIONS[name],
            choices,
            index=choices.index(None if own is None else str(own)),
            format_func=lambda one: one or f"as the plant: {plant}",
            key=key,
        )
        return chosen
    shown = f"{float(plant):.6g}, as the plant"
    if kind is int:
        whole: int | None = column.number_input(
            _OPTIONS[name], value=None if own is None else int(own), step=1, placeholder=shown, key=key
        )
        return whole
    number: float | None = column.number_input(
        _OPTIONS[name],
        value=None if own is None else float(own),
        step=0.05 if name == "dead_band" else 1.0,
        placeholder=shown,
        key=key,
    )
    return number
