"""A machine now beside itself at another time: two spectra, and features in robust deviations of the healthy start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
import streamlit as st
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.commissioning import healthy_windows
from app.console.excerpts import Chosen, chosen_excerpt, excerpt_of
from app.console.export import Table, download
from app.console.linecharts import overlay_chart
from app.console.lines import QUANTITIES, spectrum
from app.console.plot import plot
from app.console.units import Units
from app.console.why import feature_words
from app.console.words import clock, zone_name
from app.schema import windows
from app.settings import Settings
from app.store import PointRow, features_from_blob, reading
from features.contract import WATCHED
from features.errors import ParameterError

__all__ = ["Difference", "compare_view", "differences", "healthy_start"]

_WINDOWS = 50
_MOST_HEALTHY = 500
# Makes the median absolute deviation of a normal distribution its standard deviation (Huber, Robust Statistics, 1981).
_MAD_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Difference:
    """A feature now and then: medians, and their difference in robust deviations of then."""

    feature: str
    unit: str
    now: float
    then: float
    sigmas: float


def differences(
    now: NDArray[np.floating], then: NDArray[np.floating], *, names: tuple[str, ...], units: tuple[str, ...]
) -> list[Difference]:
    """Features that differ between two sets of windows, the most different first.

    Parameters
    ----------
    now, then : ndarray, shape (windows, features)
    names, units : tuple of str
        Of the features.

    Raises
    ------
    ParameterError
        If a set is empty.

    Examples
    --------
    >>> then = np.array([[-1.0], [0.0], [1.0]])
    >>> round(differences(then + 2.9652, then, names=("mean",), units=("g",))[0].sigmas, 3)
    2.0
    """
    if not len(now) or not len(then):
        raise ParameterError(f"{len(now)} windows and {len(then)} before were to be compared; one or more are wanted")
    centre, after = np.median(then, axis=0), np.median(now, axis=0)
    spread = _MAD_SIGMA * np.median(np.abs(then - centre), axis=0)
    apart = after - centre
    # A feature that never varied, as with a single window, says how large the step is and not how unusual.
    sigmas = np.where(spread > 0.0, apart / np.where(spread > 0.0, spread, 1.0), np.where(apart == 0.0, 0.0, np.nan))
    order = np.argsort(-np.nan_to_num(np.abs(sigmas), nan=0.0))
    return [Difference(names[i], units[i], float(after[i]), float(centre[i]), float(sigmas[i])) for i in order]


def healthy_start(
    engine: Engine, settings: Settings, row: PointRow
) -> tuple[NDArray[np.float32], tuple[int, int] | None]:
    """Features of the healthy start of shape (windows, channels * features), and from when to when it lasted."""
    rows = healthy_windows(engine, row, n=min(settings.baseline_windows, _MOST_HEALTHY))
    lasted = (rows[0].start_ns, max(one.end_ns for one in rows)) if rows else None
    return _table([one.features for one in rows]), lasted


def _until(engine: Engine, point_id: str, at_ns: int | None) -> NDArray[np.float32]:
    """Features of the last windows up to a time."""
    one = windows.c
    own = (one.point_id == point_id) & (one.contract == WATCHED.hash)
    if at_ns is not None:
        own &= one.start_ns <= at_ns
    query = sa.select(one.features).where(own).order_by(one.start_ns.desc()).limit(_WINDOWS)
    with reading(engine) as connection:
        return _table(list(connection.execute(query).scalars()))


def _table(blobs: list[bytes]) -> NDArray[np.float32]:
    found = [features_from_blob(blob) for blob in blobs]
    # Sensors may have got another channel since.
    same = [one for one in found if one.size == found[0].size]
    return np.stack(same) if same else np.empty((0, 0), dtype=np.float32)


def compare_view(engine: Engine, settings: Settings, row: PointRow, units: Units) -> None:
    """Draw what is looked at beside the healthy start, or beside any other date."""
    chosen = chosen_excerpt(engine, row)
    if chosen is None:
        return
    before, healthy = healthy_start(engine, settings, row)
    ways = ("the healthy start", "another date")
    with_what = st.segmented_control("Beside", ways, default=ways[0], key="beside what") or ways[0]
    then_ns = None if healthy is None else healthy[1]
    if with_what == ways[1]:
        usual = datetime.now(ZoneInfo(zone_name())).replace(tzinfo=None, microsecond=0) - timedelta(days=7)
        given = st.datetime_input(f"Date ({zone_name()})", usual, key="then", step=60)
        then_ns = None if given is None else round(given.replace(tzinfo=ZoneInfo(zone_name())).timestamp() * 1e9)
        before, healthy = _until(engine, row.id, then_ns), None
    if then_ns is None:
        st.caption("No healthy start is known yet.")
        return
    _spectra(engine, row, chosen, then_ns, healthy, units)
    end_ns = chosen.start_ns + round(chosen.x.size * 1e9 / chosen.rate_hz)
    _features(row, _until(engine, row.id, end_ns), before, units, chosen.start_ns)


def _spectra(
    engine: Engine, row: PointRow, chosen: Chosen, then_ns: int, within_ns: tuple[int, int] | None, units: Units
) -> None:
    """Both spectra; beside a stretch of time only samples of that one, never of what was before it."""
    channel = row.channels.index(chosen.channel) if chosen.channel in row.channels else 0
    other = excerpt_of(
        engine,
        row,
        at_ns=then_ns,
        span_s=chosen.x.size / chosen.rate_hz,
        channel=channel,
        before="Beside samples of",
        within_ns=within_ns,
        of="this point" if within_ns is None else "the healthy start",
    )
    if other is None:
        return
    quantity = QUANTITIES[1] if chosen.unit == "mm/s" else QUANTITIES[0]
    both = [spectrum(one.x, one.rate_hz, unit=one.unit, quantity=quantity, units=units) for one in (chosen, other)]
    names = (clock(chosen.start_ns)[:19], clock(other.start_ns)[:19])
    logarithmic = st.toggle("Logarithmic amplitude", value=True, key="compare logarithmic")
    key = f"overlay {row.id} {both[0].unit}"
    plot(overlay_chart(both[0], both[1], names=names, logarithmic=logarithmic, key=key), key="overlay")


def _features(row: PointRow, now: NDArray[np.float32], then: NDArray[np.float32], units: Units, at_ns: int) -> None:
    if not len(now) or not len(then) or now.shape[1] != then.shape[1]:
        st.caption("No features of both times can be compared.")
        return
    n = len(WATCHED.features)
    channels = now.shape[1] // n
    many = channels > 1
    names = [row.channels[i] if i < len(row.channels) else str(i) for i in range(channels)]
    words = tuple(f"{name}: {one.name}" if many else one.name for name in names for one in WATCHED.features)
    theirs = tuple((row.unit or "1") if one.unit == "x" else one.unit for _ in names for one in WATCHED.features)
    found = differences(now, then, names=words, units=theirs)
    st.markdown("##### Features, the most different first")
    shown = [
        {
            "Feature": feature_words(one.feature),
            "Now": units.text(one.now, one.unit),
            "Then": units.text(one.then, one.unit),
            "Robust deviations": None if np.isnan(one.sigmas) else round(one.sigmas, 1),
        }
        for one in found
    ]
    st.dataframe(shown, hide_index=True, key="differences", height=400)
    st.caption(
        f"Medians of {len(now)} windows now and {len(then)} then; deviations by the median absolute one of then."
    )
    columns = {
        "feature": np.array([f"{one.feature} ({one.unit})" for one in found]),
        "now": np.array([one.now for one in found]),
        "then": np.array([one.then for one in found]),
        "robust deviations": np.array([one.sigmas for one in found]),
    }
    download(Table(columns, {"features": WATCHED.hash}), row, "comparison", at_ns)
