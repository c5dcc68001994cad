"""One machine: trend with threshold, spectra with fault frequencies, and the verdict with what it rests on."""

from __future__ import annotations

import time

import streamlit as st
from sqlalchemy import Engine

from app.console.charts import envelope_chart, probability_chart, spectrum_chart, trend_chart, wave_chart
from app.console.plot import plot
from app.console.queries import AlarmRow, VerdictRow, alarm_history, fleet, latest_verdict, trend, waveform
from app.console.words import KINDS, ago, clock, kind_text, state_of
from app.settings import Settings
from app.store import PointRow
from app.watch import kind_of

__all__ = ["machine_page"]

_SPANS = {"15 minutes": 900, "1 hour": 3600, "6 hours": 21_600, "1 day": 86_400, "everything": None}
_MOST_WINDOWS = 20_000
_ALARMS = 20


def machine_page(engine: Engine, settings: Settings, point_id: str) -> None:
    """Draw the page of one measuring point; its content renews itself."""
    rows, _ = fleet(engine)
    row = next((found for found in rows if found.id == point_id), None)
    if row is None:
        st.error(f"No measuring point {point_id!r} is known.")
        return
    st.title(row.name)
    span = st.segmented_control("Trend over", list(_SPANS), default="1 hour", key="span") or "1 hour"

    @st.fragment(run_every=2.0)
    def content() -> None:
        rows, active = fleet(engine)
        current = next(found for found in rows if found.id == point_id)
        # Each part has a place of its own: what comes and goes in one must not move, and so redraw, the charts below.
        with st.container():
            _verdict(engine, settings, current, active.get(point_id))
        with st.container():
            _trend(engine, current, _SPANS[span])
        with st.container():
            _signals(engine, current)

    content()
    _alarms(engine, point_id)


def _verdict(engine: Engine, settings: Settings, row: PointRow, alarm: AlarmRow | None) -> None:
    symbol, word, colour = state_of(row, alarm, wanted=settings.baseline_windows)
    ratio = row.score / row.threshold if row.score is not None and row.threshold else None
    st.subheader(f"{symbol} :{colour}[{word}]")
    with st.container():
        _state(settings, row, alarm)
    columns = st.columns(4)
    columns[0].metric("Score / threshold", "unknown" if ratio is None else f"{ratio:.2f}")
    verdict = latest_verdict(engine, row.id)
    columns[1].metric("RMS", "unknown" if verdict is None else f"{verdict.rms:.3g} {row.unit}")
    speed = (verdict.shaft_hz if verdict else None) or row.nominal_shaft_hz
    columns[2].metric("Shaft speed", "unknown" if speed is None else f"{60.0 * speed:.0f} rpm")
    columns[3].metric("Last seen", ago(row.seen_ns, now_ns=time.time_ns()))
    if verdict is not None:
        _cited(verdict, alarm)


def _state(settings: Settings, row: PointRow, alarm: AlarmRow | None) -> None:
    """Say what the state means: the diagnosis, how far learning is, or what went wrong."""
    if alarm is not None:
        st.error(f"Diagnosis: {kind_text(alarm.kind)}. Raised {clock(alarm.raised_ns)}.")
    elif row.state == "learning":
        have, wanted = min(row.baseline_have, settings.baseline_windows), settings.baseline_windows
        st.progress(have / wanted, text=f"Learning what is healthy here: {have} of {wanted} windows")
        if row.failure:
            st.warning(f"It learns anew: {row.failure}")
    elif row.state == "training":
        st.info("The healthy start is complete; its baseline is being trained.")
    elif row.state == "failed":
        st.error(f"No baseline could be learned: {row.failure}")


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


def _trend(engine: Engine, row: PointRow, span_s: int | None) -> None:
    since_ns = 0 if span_s is None else time.time_ns() - span_s * 1_000_000_000
    found = trend(engine, row.id, since_ns=since_ns, most=_MOST_WINDOWS)
    st.markdown("##### Anomaly score")
    if not (found.score == found.score).any():
        st.caption("Scores appear once the baseline is learned.")
        return
    history = alarm_history(engine, row.id, most=_ALARMS)
    plot(trend_chart(found, history, key=f"trend {row.id} {span_s}"), key="trend")


def _signals(engine: Engine, row: PointRow) -> None:
    verdict = latest_verdict(engine, row.id)
    if verdict is None or row.unit is None:
        return
    x = waveform(engine, row.id, start_ns=verdict.start_ns, end_ns=verdict.end_ns)
    if x is None or x.size < 256:
        st.caption("The waveform of the latest window is no longer kept.")
        return
    shaft_hz = verdict.shaft_hz or row.nominal_shaft_hz
    rate_hz, key = verdict.rate_hz, row.id
    st.markdown(f"##### Envelope spectrum{'' if row.bearing is None else f' · bearing {row.bearing.name}'}")
    chart = envelope_chart(x, rate_hz, shaft_hz=shaft_hz, bearing=row.bearing, key=f"envelope {key}")
    plot(chart, key="envelope")
    if row.bearing is None:
        st.caption("No bearing is known here: publish it on the point's `about` topic to see its fault frequencies.")
    left, right = st.columns(2)
    with left:
        st.markdown("##### Spectrum")
        plot(spectrum_chart(x, rate_hz, unit=row.unit, shaft_hz=shaft_hz, key=f"spectrum {key}"), key="spectrum")
    with right:
        st.markdown("##### Waveform")
        plot(wave_chart(x, rate_hz, unit=row.unit, key=f"wave {key}"), key="wave")


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
                "Score / threshold when raised": round(alarm.ratio, 2),
            }
            for alarm in history
        ],
        hide_index=True,
    )
