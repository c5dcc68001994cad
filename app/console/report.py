"""The report of one machine as PDF: its state, its past, its spectra, alarms and what people said, in A4."""

from __future__ import annotations

import io
import textwrap
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.console.decimate import decimated
from app.console.export import download, file_name, past_table
from app.console.history import Excerpt, Past, excerpt_near, past, reported
from app.console.lines import QUANTITIES, Lines, envelope, spectrum
from app.console.machinetrend import events_of
from app.console.queries import AlarmRow, alarm_history, fleet, latest_verdict, speaking_nodes
from app.console.units import Units
from app.console.why import drivers, feature_words
from app.console.words import KINDS, kind_text, state_of, zone_name
from app.palette import BLUE, FAULT_COLOURS, GREY, RED
from app.settings import Settings
from app.store import PointRow
from features.contract import WATCHED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["largest_velocity", "machine_report", "report_view"]

_A4_INCH = (8.27, 11.69)
_DAYS = 90
_MOST, _POINTS = 2200, 2000
_ROWS = 25
_SPAN_S = 2.0


def report_view(engine: Engine, settings: Settings, row: PointRow, units: Units) -> None:
    """Draw what saves a report and the past with all features; both are made when they are asked for."""
    now_ns = time.time_ns()
    st.markdown("##### Report of the machine")
    st.caption(f"State, {_DAYS} days of score and velocity, spectra, alarms and what was said, on A4, in your units.")
    # The thread that makes it knows no reader: zone and units are asked for here.
    zone = zone_name()
    st.download_button(
        "Report as PDF",
        lambda: machine_report(engine, settings, row, units, now_ns=now_ns, zone=zone),
        file_name=file_name(row, "report", now_ns, "pdf"),
        mime="application/pdf",
        key="save report",
        on_click="ignore",
        icon=":material/picture_as_pdf:",
    )
    st.markdown("##### All features over time")
    st.caption(f"{_MOST} windows at most, thinned evenly over {_DAYS} days; units of the store.")
    found = past(engine, row.id, since_ns=now_ns - _DAYS * 86_400_000_000_000, most=_MOST)
    download(past_table(found, row), row, "features", now_ns)
    st.caption(
        "Each chart saves itself as PNG: the camera at its upper right. Spectra and waveforms save in their views."
    )


def machine_report(
    engine: Engine, settings: Settings, row: PointRow, units: Units, *, now_ns: int, zone: str = "UTC"
) -> bytes:
    """Make the report of a measuring point.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    row : PointRow
    units : Units
    now_ns : int
    zone : str
        Name of the zone that times are told in.

    Returns
    -------
    bytes
        PDF of two pages or three.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    into = io.BytesIO()
    with PdfPages(into, metadata={"Title": f"Raceway: {row.name}"}) as pages:
        pages.savefig(_first_page(engine, settings, row, units, now_ns, ZoneInfo(zone)))
        found = excerpt_near(engine, row, span_s=_SPAN_S)
        if found is not None and found.x.shape[-1] >= 256 and row.unit is not None:
            pages.savefig(_spectra_page(row, found, row.unit, units, ZoneInfo(zone)))
        pages.savefig(_events_page(engine, row, ZoneInfo(zone)))
    return into.getvalue()


def _first_page(engine: Engine, settings: Settings, row: PointRow, units: Units, now_ns: int, zone: ZoneInfo) -> Figure:
    figure = _page(row, f"made {_moment(now_ns, zone)}")
    words = "\n".join(textwrap.fill(line, 100) for line in _head(engine, settings, row, units, zone))
    _say(figure, 0.90, words, va="top", fontsize=9, linespacing=1.5)
    since_ns = now_ns - _DAYS * 86_400_000_000_000
    found = past(engine, row.id, since_ns=since_ns, most=_MOST)
    by_node = row.id in speaking_nodes(engine)
    judged = reported(engine, row.id, since_ns=since_ns, most=_MOST) if by_node else found
    alarms = alarm_history(engine, row.id, most=_ROWS)
    upper, lower = figure.add_axes((0.1, 0.36, 0.84, 0.22)), figure.add_axes((0.1, 0.07, 0.84, 0.22))
    _over_time(upper, judged, judged.score, "anomaly score", alarms, zone)
    if upper.lines:
        upper.plot(_times(judged, zone), judged.threshold, color=RED, linestyle="--", linewidth=0.8)  # type: ignore[arg-type]
        upper.set_yscale("log")
    _over_time(
        lower,
        found,
        units.values(largest_velocity(found), "mm/s"),
        f"velocity RMS ({units.shown('mm/s')})",
        alarms,
        zone,
    )
    return figure


def largest_velocity(found: Past) -> NDArray[np.float32]:
    """RMS velocity of the channel that shakes most, shape (windows,), mm/s; NaN where none is known."""
    return np.asarray(np.fmax.reduce(found.features[:, :, WATCHED.index("velocity_rms")], axis=1))


def _head(engine: Engine, settings: Settings, row: PointRow, units: Units, zone: ZoneInfo) -> list[str]:
    """State of a point in lines of words."""
    _, active = fleet(engine)
    alarm = active.get(row.id)
    node = speaking_nodes(engine).get(row.id)
    _, state, _ = state_of(row, alarm, wanted=settings.baseline_windows, node=node)
    lines = [f"State: {state}" + (f", {kind_text(alarm.kind)}" if alarm is not None else "")]
    server = row.score / row.threshold if row.score is not None and row.threshold else None
    ratio = server if node is None else node.ratio
    if ratio is not None:
        lines.append(f"Score over threshold: {ratio:.2f}")
    if node is not None:
        lines.append(f"Judged by the node {node.name} at the machine, model {node.model or 'of the factory'}")
    if row.bearing is not None:
        lines.append(f"Bearing: {row.bearing.name}")
    if row.iso_group is not None:
        lines.append(f"ISO 20816 group: {row.iso_group}")
    verdict = latest_verdict(engine, row.id)
    if verdict is None:
        return lines if node is not None else [*lines, "No window was judged here."]
    speed = verdict.shaft_hz or row.nominal_shaft_hz
    lines.append(f"Latest window: {_moment(verdict.start_ns, zone)}, RMS {units.text(verdict.rms, row.unit or '')}")
    lines.append(f"Speed: {60.0 * speed:.0f} rpm" if speed else "Speed: not known")
    if node is not None:
        return lines
    for one in drivers(engine, settings, row, start_ns=verdict.start_ns):
        value, healthy = units.text(one.value, one.unit), units.text(one.healthy, one.unit)
        lines.append(f"{one.share:.0%} of the score: {feature_words(one.feature)} {value}, in health about {healthy}")
    lines.append(f"Rests on baseline {verdict.bundle or 'none'}, features {verdict.contract}")
    return lines


def _over_time(
    axes: Axes, found: Past, value: NDArray[np.floating], name: str, alarms: Sequence[AlarmRow], zone: ZoneInfo
) -> None:
    axes.set_ylabel(name, fontsize=8)
    axes.tick_params(labelsize=7)
    if not np.isfinite(value).any():
        axes.text(0.5, 0.5, "not known", ha="center", transform=axes.transAxes, color=GREY)
        return
    times = _times(found, zone)
    axes.plot(times, value, color=BLUE, linewidth=0.8, marker=".", markersize=2)  # type: ignore[arg-type]
    for alarm in alarms:
        end_ns = alarm.cleared_ns if alarm.cleared_ns is not None else int(found.start_ns[-1])
        if end_ns > int(found.start_ns[0]):
            first = _time(max(alarm.raised_ns, int(found.start_ns[0])), zone)
            axes.axvspan(first, _time(end_ns, zone), color=RED, alpha=0.15)  # type: ignore[arg-type]
    axes.set_title(f"{name}; alarms shaded; times of {zone.key}", fontsize=8, loc="left")


def _spectra_page(row: PointRow, found: Excerpt, unit: str, units: Units, zone: ZoneInfo) -> Figure:
    figure = _page(row, f"samples of {_moment(found.start_ns, zone)}, {found.span_s:.3g} s at {found.rate_hz:g} Hz")
    quantity = QUANTITIES[1] if unit == "mm/s" else QUANTITIES[0]
    plain = spectrum(found.x[0], found.rate_hz, unit=unit, quantity=quantity, units=units)
    depth = envelope(found.x[0], found.rate_hz)
    top, middle, bottom = (figure.add_axes((0.1, y, 0.84, 0.22)) for y in (0.67, 0.37, 0.07))
    _lines(top, plain, f"spectrum ({plain.unit})")
    _lines(middle, depth, "envelope spectrum (modulation depth)")
    if row.bearing is not None and found.shaft_hz:
        for name, order in row.bearing.orders.items():
            at = order * found.shaft_hz
            middle.axvline(at, color=FAULT_COLOURS[name], linestyle=":", label=f"{name} {at:.1f} Hz")
        middle.set_xlim(0.0, min(float(depth.x[-1]), 4.5 * row.bearing.orders.bpfi * found.shaft_hz))
        middle.legend(fontsize=7, loc="upper right")
    x, y = decimated(np.arange(found.x.shape[-1]) / found.rate_hz, units.values(found.x[0], unit), most=_POINTS)
    bottom.plot(x, y, color=BLUE, linewidth=0.5)
    bottom.set_title(f"waveform ({units.shown(unit)}) over time (s)", fontsize=8, loc="left")
    bottom.tick_params(labelsize=7)
    return figure


def _lines(axes: Axes, lines: Lines, title: str) -> None:
    x, y = decimated(lines.x, lines.y, most=_POINTS)
    axes.plot(x, y, color=BLUE, linewidth=0.6)
    axes.set_title(f"{title} over {lines.axis}", fontsize=8, loc="left")
    axes.tick_params(labelsize=7)
    axes.set_ylim(bottom=0.0)


def _events_page(engine: Engine, row: PointRow, zone: ZoneInfo) -> Figure:
    figure = _page(row, f"alarms and what was said, the latest {_ROWS} of each")
    alarms = [
        f"{_moment(one.raised_ns, zone)}  to  {_moment(one.cleared_ns, zone) if one.cleared_ns else 'now'}   "
        f"{KINDS.get(one.kind or '', 'kind unknown')}, score / threshold {one.ratio:.2f}"
        for one in alarm_history(engine, row.id, most=_ROWS)
    ]
    said = [f"{_moment(one.at_ns, zone)}  {one.words}" for one in events_of(engine, row.id)[::-1][:_ROWS]]
    for y, title, lines in ((0.90, "Alarms", alarms), (0.47, "Said and done", said)):
        _say(figure, y, title, fontsize=11, weight="bold", va="top")
        text = "\n".join(textwrap.shorten(line, 110) for line in lines) or "None."
        _say(figure, y - 0.025, text, fontsize=8, va="top", linespacing=1.5)
    return figure


def _page(row: PointRow, below: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_A4_INCH)
    _say(figure, 0.95, row.name, fontsize=16, weight="bold")
    _say(figure, 0.93, f"{row.id} · {below}", fontsize=8, color=GREY)
    return figure


def _say(figure: Figure, y: float, words: str, **style: Any) -> None:
    """Write words as they are: what stands between dollars in a note or a name is no formula."""
    figure.text(0.08, y, words, parse_math=False, **style)


def _times(found: Past, zone: ZoneInfo) -> list[datetime]:
    return [_time(int(one), zone) for one in found.start_ns]


def _time(time_ns: int, zone: ZoneInfo) -> datetime:
    """Time of day in a zone, without the zone: matplotlib would shift it back."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(zone).replace(tzinfo=None)


def _moment(time_ns: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
