"""One machine now: verdict and why, severity zone, score with threshold, spectra, and what all that rests on."""

from __future__ import annotations

import time

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.alarms.register import HEALTH
from app.console.addresses import address
from app.console.charts import (
    envelope_chart,
    probability_chart,
    scalogram_chart,
    spectrum_chart,
    trend_chart,
    wave_chart,
)
from app.console.guard import part
from app.console.history import past
from app.console.plot import plot
from app.console.queries import (
    AlarmRow,
    Trend,
    VerdictRow,
    alarm_history,
    fleet,
    latest_verdict,
    report_trend,
    speaking_nodes,
    trend,
)
from app.console.units import Units
from app.console.why import drivers, feature_words
from app.console.words import KINDS, ZONES, ago, clock, kind_text, plain, state_of
from app.fleet.nodes import Node
from app.palette import ZONE_COLOURS
from app.settings import Settings
from app.severity import BroadBand, broad_band, lower_edge_hz, shaking_of, span_wanted_s, zone_of
from app.store import PointRow
from app.watch import kind_of
from app.waveforms import latest_burst, latest_stretch, waveform
from features.contract import WATCHED
from features.errors import ParameterError
from features.iso20816 import Severity, limits_named
from features.velocity import HIGH_HZ

__all__ = ["now_view"]

_SPANS = {"15 minutes": 900, "1 hour": 3600, "6 hours": 21_600, "1 day": 86_400, "everything": None}
_MOST_WINDOWS = 20_000
_SOME, _LEAST_S = 20, 3600
_ALARMS = 20
_ZONE_HELP = "Of the overall vibration. A young bearing fault hardly moves it; the anomaly score shows that one first."


def now_view(engine: Engine, settings: Settings, point_id: str, units: Units) -> None:
    """Draw how a measuring point is; what changes renews itself."""
    usual = _usual_span(engine, point_id)
    span = st.segmented_control("Trend over", list(_SPANS), default=usual, key=f"span {point_id}") or usual

    @part(every_s=2.0)
    def content() -> None:
        rows, active = fleet(engine)
        current = next(found for found in rows if found.id == point_id)
        node = speaking_nodes(engine).get(point_id)
        if node is not None:
            _of_node(engine, settings, current, active.get(point_id), node, _SPANS[span], units)
            return
        verdict = latest_verdict(engine, point_id)
        # Each part has a place of its own: what comes and goes in one must not move, and so redraw, the charts below.
        with st.container():
            _verdict(settings, current, active.get(point_id), verdict, units)
        with st.container():
            _drivers(engine, settings, current, verdict, units)
        with st.container():
            _severity(engine, settings, current, verdict, units)
        with st.container():
            _trend(engine, current, _SPANS[span])
        with st.container():
            _signals(engine, current, verdict, units)

    content()
    _alarms(engine, point_id)


def _usual_span(engine: Engine, point_id: str) -> str:
    """An hour, or as much as it takes to show some windows of a point that is measured a few times a day."""
    of = report_trend if point_id in speaking_nodes(engine) else trend
    first_ns = of(engine, point_id, most=_SOME).start_ns[:1]
    age_s = (time.time_ns() - int(first_ns[0])) / 1e9 if first_ns.size else 0.0
    return next(name for name, s in _SPANS.items() if s is None or s >= max(age_s, _LEAST_S))


def _drivers(engine: Engine, settings: Settings, row: PointRow, verdict: VerdictRow | None, units: Units) -> None:
    """Say which features the score comes from, with what they are in health."""
    if verdict is None or verdict.score is None:
        return
    found = drivers(engine, settings, row, start_ns=verdict.start_ns)
    if not found:
        return
    many = len(row.channels) > 1
    lines = [
        f"- **{feature_words(one.feature)}**{f' of {plain(one.channel)}' if many else ''}: "
        f"{units.text(one.value, one.unit)}, in health about {units.text(one.healthy, one.unit)}; "
        f"{one.share:.0%} of the score"
        for one in found
    ]
    st.markdown("**What the score comes from**\n" + "\n".join(lines))


def _verdict(
    settings: Settings, row: PointRow, alarm: AlarmRow | None, verdict: VerdictRow | None, units: Units
) -> None:
    symbol, word, colour = state_of(row, alarm, wanted=settings.baseline_windows)
    ratio = row.score / row.threshold if row.score is not None and row.threshold else None
    st.subheader(f"{symbol} :{colour}[{word}]")
    with st.container():
        _state(settings, row, alarm)
    columns = st.columns(4)
    columns[0].metric("Score / threshold", "unknown" if ratio is None else f"{ratio:.2f}")
    columns[1].metric("RMS", "unknown" if verdict is None else units.text(verdict.rms, row.unit or ""))
    speed = (verdict.shaft_hz if verdict else None) or row.nominal_shaft_hz
    columns[2].metric("Shaft speed", "unknown" if speed is None else f"{60.0 * speed:.0f} rpm")
    columns[3].metric("Last seen", ago(row.seen_ns, now_ns=time.time_ns()))
    if verdict is not None:
        _cited(verdict, alarm)


def _of_node(
    engine: Engine,
    settings: Settings,
    row: PointRow,
    alarm: AlarmRow | None,
    node: Node,
    span_s: int | None,
    units: Units,
) -> None:
    """The page of a point whose node judges: its verdict, the trend of its reports, and its latest burst."""
    symbol, word, colour = state_of(row, alarm, wanted=settings.baseline_windows, node=node)
    with st.container():
        st.subheader(f"{symbol} :{colour}[{word}]")
        if alarm is not None:
            sure = f" ({node.probability:.0%} sure)" if node.probability is not None else ""
            st.error(f"The node's diagnosis: {kind_text(alarm.kind)}{sure}. Raised {clock(alarm.raised_ns)}.")
        elif node.state == "fault":
            st.warning("The node cannot judge now; its log says why.")
        elif node.state == "commissioning":
            st.info("The node is learning what is healthy here; it judges once it has done so.")
    with st.container():
        columns = st.columns(4)
        columns[0].metric("Score / threshold", "unknown" if node.ratio is None else f"{node.ratio:.2f}")
        columns[1].metric("Node", plain(node.name))
        columns[2].metric("Model of the node", str(node.model) if node.model else "of the factory")
        columns[3].metric("Last seen", ago(row.seen_ns, now_ns=time.time_ns()))
        page = address("nodes", node=row.id)
        st.caption(f"Judged by the node at the machine. [Its state, updates and log]({page})")
    with st.container():
        since_ns = 0 if span_s is None else time.time_ns() - span_s * 1_000_000_000
        found = report_trend(engine, row.id, since_ns=since_ns, most=_MOST_WINDOWS)
        _scores(engine, row.id, found, f"trend {row.id} {span_s}", "No report with a score in this time.")
    with st.container():
        _burst(engine, row, units)


def _burst(engine: Engine, row: PointRow, units: Units) -> None:
    found = latest_burst(engine, row.id)
    if found is None or row.unit is None:
        st.caption("No samples yet: a node sends some when it raises its alarm, or when it is asked to.")
        return
    x, rate_hz, shaft_hz, start_ns = found
    st.caption(f"Latest samples that the node sent: {x.size / rate_hz:.3g} s of {clock(start_ns)}.")
    if x.size >= 256:
        _spectra(row, x, rate_hz, shaft_hz or row.nominal_shaft_hz, units)


def _state(settings: Settings, row: PointRow, alarm: AlarmRow | None) -> None:
    """Say what the state means: the diagnosis, how far learning is, or what went wrong."""
    if alarm is not None:
        st.error(f"Diagnosis: {kind_text(alarm.kind)}. Raised {clock(alarm.raised_ns)}.")
    elif row.state == "learning":
        have, wanted = min(row.baseline_have, settings.baseline_windows), settings.baseline_windows
        st.progress(have / wanted, text=f"Learning what is healthy here: {have} of {wanted} windows")
        if row.failure:
            st.warning(f"It learns anew: {plain(row.failure)}")
    elif row.state == "training":
        st.info("The healthy start is complete; its baseline is being trained.")
    elif row.unjudged:
        st.error(f"Nothing is judged: {plain(row.unjudged)}")
    elif row.state == "failed":
        st.error(f"No baseline could be learned: {plain(row.failure or '')}")


def _cited(verdict: VerdictRow, alarm: AlarmRow | None) -> None:
    """Class probabilities, and the window, bundle and contract that the verdict cites."""
    probabilities = verdict.probabilities or (alarm.probabilities if alarm else None)
    if probabilities:
        kind = kind_of(verdict.probabilities) or (alarm.kind if alarm else None)
        st.markdown(f"**Latest verdict:** {kind_text(kind)}")
        plot(probability_chart(probabilities, names=KINDS, key="probabilities"), key="probabilities")
    made_by = [f"window of {clock(verdict.start_ns)}, {(verdict.end_ns - verdict.start_ns) / 1e6:.0f} ms"]
    made_by += [f"baseline {verdict.bundle}"] if verdict.bundle else []
    made_by += [f"network {verdict.diagnosis_bundle}"] if verdict.diagnosis_bundle else []
    made_by.append(f"features {verdict.contract}")
    st.caption("Cites " + " · ".join(made_by))


def _severity(engine: Engine, settings: Settings, row: PointRow, verdict: VerdictRow | None, units: Units) -> None:
    """Velocity in the band of ISO 20816 and the zone of the machine's group, or why there is none."""
    if verdict is None or row.unit is None:
        return
    st.markdown("##### Vibration severity")
    shaft_hz = verdict.shaft_hz or row.nominal_shaft_hz
    span_s = span_wanted_s(shaft_hz, rate_hz=verdict.rate_hz, n_channels=max(1, len(row.channels)))
    stretch = latest_stretch(engine, row.id, end_ns=verdict.end_ns, span_s=span_s)
    if stretch is None:
        _severity_of_window(engine, settings, row, verdict, units, shaft_hz=shaft_hz)
        return
    try:
        measured = broad_band(stretch.x, stretch.rate_hz, unit=row.unit, shaft_hz=shaft_hz)
    except ParameterError as error:
        st.caption(f"No velocity can be given: {error}.")
        return
    rests_on = f"From the latest {stretch.span_s:.3g} s without a pause, {_channel(row, measured)}."
    if not shaft_hz:
        rests_on += " The speed is not known; 600 rpm or more is assumed."
    _zone(settings, row, measured, rests_on, units)


def _severity_of_window(
    engine: Engine, settings: Settings, row: PointRow, verdict: VerdictRow, units: Units, *, shaft_hz: float | None
) -> None:
    """The zone by what was stored of the latest window, as alarms judge it; where they do not, there is none."""
    features = past(engine, row.id, since_ns=verdict.start_ns, until_ns=verdict.start_ns + 1, most=1).features
    if not features.size or not np.isfinite(features[..., WATCHED.index("velocity_rms")]).all():
        st.caption("The waveform of the latest window is no longer kept.")
        return
    span_s = (verdict.end_ns - verdict.start_ns) / 1e9
    length = f"{1e3 * span_s:.0f} ms"
    shakes = shaking_of(features[0], span_s=span_s, rate_hz=verdict.rate_hz, shaft_hz=shaft_hz)
    if shakes is None:
        st.caption(
            f"No velocity can be given: the samples of the latest window are no longer kept, and with its {length} at "
            f"{verdict.rate_hz:g} Hz it is too short for one, or its rate too low; alarms do not judge it either."
        )
        return
    low_hz = lower_edge_hz(shaft_hz)
    column = WATCHED.index("velocity_rms_slow" if low_hz < lower_edge_hz(None) else "velocity_rms")
    channel = int(features[0, :, column].argmax())
    measured = BroadBand(shakes.velocity_mm_s, shakes.displacement_um, low_hz, HIGH_HZ, channel)
    rests_on = f"From the latest window of {length} alone, {_channel(row, measured)}: its samples are no longer kept."
    _zone(settings, row, measured, rests_on, units)


def _channel(row: PointRow, measured: BroadBand) -> str:
    name = plain(row.channels[measured.channel]) if measured.channel < len(row.channels) else str(measured.channel)
    return f"channel {name}" if len(row.channels) < 2 else f"channel {name}, the largest of {len(row.channels)}"


def _zone(settings: Settings, row: PointRow, measured: BroadBand, rests_on: str, units: Units) -> None:
    judged, words = _judged(settings, row, measured, units)
    band = f"RMS, {measured.low_hz:g} to {measured.high_hz:g} Hz"
    slow = measured.displacement_um is not None
    *metrics, text = st.columns([1, 1, 1, 1] if slow else [1, 1, 2])
    metrics[0].metric("Zone", "unknown" if judged is None else judged.zone, help=_ZONE_HELP)
    metrics[1].metric(f"Velocity {band}", units.fixed(measured.velocity_mm_s, "mm/s"))
    if measured.displacement_um is not None:
        metrics[2].metric(f"Displacement {band}", units.fixed(measured.displacement_um, "um"))
    with text:
        if judged is not None:
            # Letter and words say what the colour says.
            square = f'<span style="color:{ZONE_COLOURS[judged.zone]}">\u25a0</span>'
            st.markdown(f"{square} Zone {judged.zone}: {ZONES[judged.zone]}", unsafe_allow_html=True)
        st.caption(f"{words} {rests_on}")


def _judged(settings: Settings, row: PointRow, measured: BroadBand, units: Units) -> tuple[Severity | None, str]:
    """The zone and the limits it rests on, or None and why there is none."""
    if row.iso_group is None:
        return None, (
            "No machine group is known here: publish `iso_group`, such as `group-2-rigid`, on its `about` topic."
        )
    try:
        limits = limits_named(row.iso_group, settings.zone_limits())
    except ParameterError as error:
        return None, f"No zone can be given: {plain(str(error))}."
    judged = zone_of(measured, limits)
    words = f"{_boundaries(judged, units)} {limits.description} ({limits.citation})."
    if measured.slow and limits.displacement_um is not None and measured.displacement_um is None:
        words += " Displacement, which counts too below 600 rpm, wants 4 s without a pause."
    return judged, words


def _boundaries(judged: Severity, units: Units) -> str:
    a, b, c = (limit * units.factor(judged.unit) for limit in judged.limits)
    unit = units.shown(judged.unit)
    return f"{judged.name}, RMS {judged.quantity}: A to {a:.3g}, B to {b:.3g}, C to {c:.3g} {unit}, D above."


def _trend(engine: Engine, row: PointRow, span_s: int | None) -> None:
    since_ns = 0 if span_s is None else time.time_ns() - span_s * 1_000_000_000
    found = trend(engine, row.id, since_ns=since_ns, most=_MOST_WINDOWS)
    key = f"trend {row.id} {span_s}"
    none = "Scores appear once the baseline is learned."
    if row.score is not None:
        none = "No window was scored in this time; a longer one has more, and so has the view Trend."
    _scores(engine, row.id, found, key, none)


def _scores(engine: Engine, point_id: str, found: Trend, key: str, none: str) -> None:
    st.markdown("##### Anomaly score")
    if not (found.score == found.score).any():
        st.caption(none)
        return
    history = alarm_history(engine, point_id, most=_ALARMS)
    plot(trend_chart(found, history, key=key), key="trend")


def _signals(engine: Engine, row: PointRow, verdict: VerdictRow | None, units: Units) -> None:
    if verdict is None or row.unit is None:
        return
    x = waveform(engine, row.id, start_ns=verdict.start_ns, end_ns=verdict.end_ns)
    if x is None or x.size < 256:
        st.caption("The waveform of the latest window is no longer kept. The view Spectrum has the latest that is.")
        return
    _spectra(row, x, verdict.rate_hz, verdict.shaft_hz or row.nominal_shaft_hz, units)


def _spectra(row: PointRow, x: NDArray[np.float32], rate_hz: float, shaft_hz: float | None, units: Units) -> None:
    unit = units.shown(row.unit or "")
    # Another unit is another chart: its zoom would not fit.
    key = f"{row.id} {units.as_text()}"
    shown = units.values(x, row.unit or "").astype(np.float32)
    st.markdown(f"##### Envelope spectrum{'' if row.bearing is None else f' · bearing {plain(row.bearing.name)}'}")
    chart = envelope_chart(x, rate_hz, shaft_hz=shaft_hz, bearing=row.bearing, key=f"envelope {key}")
    plot(chart, key="envelope")
    if row.bearing is None:
        st.caption("No bearing is known here: publish it on the point's `about` topic to see its fault frequencies.")
    left, right = st.columns(2)
    with left:
        st.markdown("##### Spectrum")
        chart = spectrum_chart(x, rate_hz, unit=row.unit or "", units=units, shaft_hz=shaft_hz, key=f"spectrum {key}")
        plot(chart, key="spectrum")
    with right:
        st.markdown("##### Waveform")
        plot(wave_chart(shown, rate_hz, unit=unit, key=f"wave {key}"), key="wave")
    if st.toggle("Scalogram", key="scalogram", help="Amplitude over time and frequency: impacts stand upright in it."):
        plot(scalogram_chart(shown, rate_hz, unit=unit, key=f"scalogram {key}"), key="scalogram chart")
        st.caption("Complex Morlet wavelet, w0 = 6. Outside the dotted lines the edges of the window show.")


def _alarms(engine: Engine, point_id: str) -> None:
    history = alarm_history(engine, point_id, most=_ALARMS)
    st.markdown("##### Alarms")
    if not history:
        st.caption("None so far.")
        return
    st.dataframe(
        [
            {
                "Raised": clock(alarm.raised_ns),
                "Cleared": "active" if alarm.cleared_ns is None else clock(alarm.cleared_ns),
                "Diagnosis": KINDS.get(alarm.kind or "", "unknown"),
                "Judged by": "server" if alarm.tag == HEALTH else "node",
                "Score / threshold when raised": round(alarm.ratio, 2),
            }
            for alarm in history
        ],
        hide_index=True,
    )
