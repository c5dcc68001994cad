"""The views of one stretch of samples: spectrum with cursors, envelope spectrum of a band, orders, waveform."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Engine

from app.console.charts import scalogram_chart, wave_chart
from app.console.cursors import Mark, harmonics, sidebands
from app.console.excerpts import Chosen, chosen_excerpt
from app.console.export import download, lines_table, wave_table
from app.console.linecharts import lines_chart
from app.console.lines import QUANTITIES, Lines, density, envelope, envelope_band, orders, spectrum
from app.console.plot import new_click, plot
from app.console.units import Units
from app.store import PointRow
from features.errors import ParameterError

__all__ = ["envelope_view", "orders_view", "spectrum_view", "waveform_view"]

_MOST_HARMONICS, _MOST_SIDEBANDS = 20, 10
_FAULTS = ("BPFO", "BPFI", "BSF", "FTF")


def spectrum_view(engine: Engine, row: PointRow, units: Units) -> None:
    """Draw the spectrum with its cursors."""
    chosen = chosen_excerpt(engine, row)
    if chosen is None:
        return
    have = QUANTITIES[QUANTITIES.index("velocity" if chosen.unit == "mm/s" else "acceleration") :]
    left, right = st.columns(2, vertical_alignment="bottom")
    choices = [*have, "density (PSD)"]
    quantity = left.segmented_control("Of", choices, default=choices[0], key="quantity") or choices[0]
    with right:
        logarithmic = st.toggle("Logarithmic amplitude", key="logarithmic")
    if quantity == "density (PSD)":
        lines = density(chosen.x, chosen.rate_hz, unit=chosen.unit, units=units)
    else:
        wanted = next(one for one in QUANTITIES if one == quantity)
        lines = spectrum(chosen.x, chosen.rate_hz, unit=chosen.unit, quantity=wanted, units=units)
    _with_cursors(row, chosen, lines, key="spectrum", logarithmic=logarithmic, per_order=chosen.shaft_hz)


def orders_view(engine: Engine, row: PointRow, units: Units) -> None:
    """Draw the spectrum over multiples of the shaft speed."""
    chosen = chosen_excerpt(engine, row)
    if chosen is None:
        return
    if not chosen.shaft_hz:
        st.info("The speed is not known: sensors send it as `rpm`, or it is entered with the machine under Assets.")
        return
    try:
        lines = orders(chosen.x, chosen.rate_hz, shaft_hz=chosen.shaft_hz, unit=chosen.unit, units=units)
    except ParameterError as error:
        st.info(f"No orders: {error}.")
        return
    _with_cursors(row, chosen, lines, key="orders", logarithmic=False, per_order=1.0)


def envelope_view(engine: Engine, row: PointRow) -> None:
    """Draw the envelope spectrum of a band with the bearing's fault frequencies and cursors."""
    chosen = chosen_excerpt(engine, row)
    if chosen is None:
        return
    nyquist = 0.5 * chosen.rate_hz
    left, right = st.columns(2, vertical_alignment="bottom")
    ways = ("upper band, whitened", "most impulsive band (kurtogram)", "own band")
    way = left.selectbox("Band", ways, key="band way") or ways[0]
    band = None
    if way == ways[2]:
        with right:
            band = st.slider("From, to (Hz)", 0.0, nyquist, (0.1 * nyquist, nyquist), key="band", step=nyquist / 100.0)
    try:
        if way == ways[1]:
            band = envelope_band(chosen.x, chosen.rate_hz)
            right.caption(f"{band[0]:.0f} to {band[1]:.0f} Hz: the band of the largest kurtosis.")
        lines = envelope(chosen.x, chosen.rate_hz, band_hz=band)
    except ParameterError as error:
        st.info(f"No envelope: {error}.")
        return
    if row.bearing is None:
        st.caption("No bearing is known here, so no fault frequencies are marked: enter one under Assets.")
    _with_cursors(row, chosen, lines, key="envelope", logarithmic=False, per_order=chosen.shaft_hz, faults=True)


def waveform_view(engine: Engine, row: PointRow, units: Units) -> None:
    """Draw the waveform and, when asked, its scalogram."""
    chosen = chosen_excerpt(engine, row)
    if chosen is None:
        return
    unit = units.shown(chosen.unit)
    x = units.values(chosen.x, chosen.unit).astype("float32")
    st.caption("Drag over the chart to look closer; two clicks show all again.")
    plot(wave_chart(x, chosen.rate_hz, unit=unit, key=f"waveform {row.id} {unit}"), key="waveform")
    download(wave_table(chosen.x, chosen.rate_hz, chosen.start_ns, chosen.unit), row, "waveform", chosen.start_ns)
    if st.toggle("Scalogram", key="scalogram of choice", help="Amplitude over time and frequency."):
        plot(scalogram_chart(x, chosen.rate_hz, unit=unit, key=f"time-frequency {row.id}"), key="time-frequency")


def _with_cursors(
    row: PointRow,
    chosen: Chosen,
    lines: Lines,
    *,
    key: str,
    logarithmic: bool,
    per_order: float | None,
    faults: bool = False,
) -> None:
    """Draw lines with marks of the machine and the cursor of the reader, and what the cursor reads."""
    marked = _machine_marks(row, key, per_order, faults=faults)
    cursor = _cursor(lines, key, per_order or 0.0)
    # Beyond the third harmonic of the highest fault, an envelope has little to say.
    shown = 4.5 * row.bearing.orders.bpfi * per_order if faults and row.bearing is not None and per_order else None
    name = f"{key} {row.id} {lines.unit}"
    figure = lines_chart(lines, marked, cursor, logarithmic=logarithmic, key=name, shown=shown)
    plot(figure, key=f"{key} chart", clicks=True)
    if lines.note:
        st.caption(lines.note)
    if cursor:
        st.dataframe(_read(lines, cursor), hide_index=True, key=f"{key} read")
    download(lines_table(lines), row, key, chosen.start_ns)


def _machine_marks(row: PointRow, key: str, per_order: float | None, *, faults: bool) -> dict[str, float]:
    """Frequencies, or orders, of the machine that the reader wants marked."""
    if not per_order:
        return {}
    names = ["1x", "2x", "3x", *(_FAULTS if row.bearing is not None else ()), "gear mesh"]
    usual = ["1x", *(_FAULTS if row.bearing is not None and faults else ())]
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    wanted = left.multiselect("Mark", names, default=usual, key=f"{key} marks")
    places = {f"{k}x": float(k) for k in (1, 2, 3)}
    if row.bearing is not None:
        places |= dict(row.bearing.orders.items())
    if "gear mesh" in wanted:
        places["gear mesh"] = float(right.number_input("Teeth on this shaft", 1, 1000, 20, key=f"{key} teeth"))
    return {name: places[name] * per_order for name in wanted}


def _cursor(lines: Lines, key: str, base: float) -> list[Mark]:
    """Draw the choice of a cursor and give what it reads."""
    kinds = ("none", "harmonics", "sidebands")
    clicked = new_click(f"{key} chart")
    cursor, places = f"{key} cursor", {name: f"{key} {name}" for name in ("base", "spacing")}
    top = float(lines.x[-1])
    for place in places.values():
        st.session_state[place] = min(top, float(st.session_state.get(place, base or 0.1 * top)))
    if clicked is not None and isinstance(clicked.x, int | float) and 0.0 < clicked.x <= top:
        st.session_state[places["base"]] = float(clicked.x)
        if st.session_state.get(cursor) in (None, "none"):
            st.session_state[cursor] = "harmonics"
    st.session_state.setdefault(cursor, "none")
    what, first, second, third = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    kind = what.segmented_control("Cursor (a click on the chart sets it)", kinds, key=cursor)
    if kind == "harmonics":
        at = first.number_input("Base", 0.0, top, key=places["base"], format="%.3f")
        n = third.number_input("Harmonics", 1, _MOST_HARMONICS, 5, key=f"{key} n harmonics")
        return harmonics(lines.x, lines.y, base=at, n=n) if at > 0.0 else []
    if kind == "sidebands":
        at = first.number_input("Carrier", 0.0, top, key=places["base"], format="%.3f")
        apart = second.number_input("Spacing", 0.0, top, key=places["spacing"], format="%.3f")
        n = third.number_input("Each side", 1, _MOST_SIDEBANDS, 3, key=f"{key} n sidebands")
        return sidebands(lines.x, lines.y, carrier=at, spacing=apart, n=n) if at > 0.0 and apart > 0.0 else []
    return []


def _read(lines: Lines, cursor: list[Mark]) -> list[dict[str, object]]:
    axis, amplitude = lines.axis.capitalize(), f"Amplitude ({lines.unit})" if lines.unit else "Amplitude"
    return [
        {
            "Line": mark.name,
            f"{axis} wanted": round(mark.expected, 3),
            f"{axis} found": round(mark.found, 3),
            amplitude: float(f"{mark.amplitude:.4g}"),
        }
        for mark in cursor
    ]
