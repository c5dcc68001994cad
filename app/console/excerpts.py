"""The choice of which samples a page looks at: the latest or those of any date, how long, and of which channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.console.history import excerpt_near
from app.console.words import clock, plain, zone_name
from app.store import PointRow

__all__ = ["Chosen", "chosen_excerpt", "excerpt_of", "look_at", "time_choice"]

# Samples of all channels that are read at most.
_MOST_SAMPLES = 1 << 20
_LEAST = 256
_SPANS_S = {"0.5 s": 0.5, "1 s": 1.0, "2 s": 2.0, "5 s": 5.0, "10 s": 10.0}


@dataclass(frozen=True, eq=False)
class Chosen:
    """Samples of one channel, shape (n,), with the unit of the point and the speed that is known of them."""

    x: NDArray[np.float32]
    rate_hz: float
    unit: str
    channel: str
    start_ns: int
    shaft_hz: float | None

    @property
    def words(self) -> str:
        """What is looked at, in words of Markdown."""
        speed = f"{60.0 * self.shaft_hz:.0f} rpm" if self.shaft_hz else "speed not known"
        span_s = self.x.size / self.rate_hz
        return f"{clock(self.start_ns)} · {span_s:.3g} s at {self.rate_hz:g} Hz · {plain(self.channel)} · {speed}"


def look_at(point_id: str, at_ns: int | None) -> None:
    """Have all views of a point look at a time; to be called where the choice is not drawn."""
    st.session_state[f"at {point_id}"] = at_ns
    for widget in (f"latest {point_id}", f"when {point_id}"):
        st.session_state.pop(widget, None)


def time_choice(row: PointRow) -> int | None:
    """Draw the choice of a time, which all views of a point share; None for the latest samples."""
    kept, latest, when = f"at {row.id}", f"latest {row.id}", f"when {row.id}"
    at_ns: int | None = st.session_state.get(kept)
    # Streamlit forgets what a widget was set to once it is not drawn: the choice is kept beside it.
    st.session_state.setdefault(latest, at_ns is None)
    st.session_state.setdefault(when, _local(at_ns or row.seen_ns or 0))
    if st.toggle("Latest samples", key=latest, help="Off: the samples nearest to the time that you give."):
        at_ns = None
    else:
        given = st.datetime_input(f"Samples nearest to ({zone_name()})", key=when, step=60)
        # To the end of the second that is shown.
        at_ns = None if given is None else _instant(given) + 999_999_999
    st.session_state[kept] = at_ns
    return at_ns


def chosen_excerpt(engine: Engine, row: PointRow, *, spans: bool = True) -> Chosen | None:
    """Draw the choice of samples and give them, or say that none are kept."""
    when, length, channel = st.columns(3, vertical_alignment="bottom")
    with when:
        at_ns = time_choice(row)
    span = "1 s"
    if spans:
        span = length.selectbox("Length", list(_SPANS_S), index=2, key="length", help="Longer: finer lines.")
    names = list(row.channels) or ["channel"]
    name = channel.selectbox("Channel", names, key="channel") if len(names) > 1 else names[0]
    return excerpt_of(engine, row, at_ns=at_ns, span_s=_SPANS_S[span], channel=names.index(name))


def excerpt_of(
    engine: Engine,
    row: PointRow,
    *,
    at_ns: int | None,
    span_s: float,
    channel: int = 0,
    before: str = "Samples of",
    within_ns: tuple[int, int] | None = None,
    of: str = "this point",
) -> Chosen | None:
    """The samples nearest to a time, within a stretch of it where one is given, after saying which; None after saying
    that none are kept of what they are to be of.
    """
    if row.rate_hz:
        span_s = min(span_s, _MOST_SAMPLES / (row.rate_hz * max(1, len(row.channels))))
    found = excerpt_near(engine, row, at_ns=at_ns, span_s=span_s, within_ns=within_ns)
    if found is None or found.x.shape[-1] < _LEAST or row.unit is None:
        st.caption(f"No samples of {of} are kept.")
        return None
    channel = min(channel, len(found.x) - 1)
    name = row.channels[channel] if channel < len(row.channels) else f"channel {channel}"
    chosen = Chosen(found.x[channel], found.rate_hz, row.unit, name, found.start_ns, found.shaft_hz)
    st.caption(f"{before} {chosen.words}")
    return chosen


def _local(time_ns: int) -> datetime:
    moment = datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(ZoneInfo(zone_name()))
    return moment.replace(tzinfo=None, microsecond=0)


def _instant(local: datetime) -> int:
    return round(local.replace(tzinfo=ZoneInfo(zone_name())).timestamp()) * 1_000_000_000
