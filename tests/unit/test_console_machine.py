"""The views of the machine page, what its cursors read, and what it gives to take away."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from making import POINT, arrival, block
from pages import opened
from streamlit.testing.v1 import AppTest

from app.access.roles import User
from app.codec import encode_about
from app.console import history, machinetrend, why
from app.console.comparison import differences, healthy_start
from app.console.cursors import harmonics, marks_at, sidebands
from app.console.export import Table, csv_bytes, parquet_bytes, past_table
from app.console.history import excerpt_near, kept_spans, nearest_kept, past
from app.console.lines import density, envelope_band, orders, spectrum
from app.console.machine import VIEWS
from app.console.machinetrend import events_of
from app.console.queries import fleet
from app.console.report import largest_velocity, machine_report
from app.console.units import Units
from app.console.why import drivers
from app.console.words import clock
from app.intake import Arrival
from app.labels.records import give
from app.learner import healthy_start as healthy_of_learner
from app.pipeline import Pipeline
from app.schema import blocks, points, windows
from app.settings import Settings
from app.store import features_from_blob, writing
from app.wire import About
from features.bearing import bearing_named
from features.contract import WATCHED
from features.errors import ParameterError
from features.spectral import amplitude_spectrum

_RATE_HZ = 12_800.0
_BLOCK_NS = 160_000_000


@pytest.fixture
def filled(console: sa.Engine, settings: Settings) -> sa.Engine:
    """A point with twelve blocks of a sine of 1 g at 400 Hz and noise, and a note."""
    now_ns = time.time_ns() - 12 * _BLOCK_NS
    turning = 2.0 * np.pi * 400.0 * np.arange(12 * 2048) / _RATE_HZ
    x = np.sin(turning) + 0.01 * np.random.default_rng(1).standard_normal(turning.size)
    codes = np.rint(1000.0 * x).astype(np.int16).reshape(12, 1, 2048)
    sent = [block(i, start_ns=now_ns + i * _BLOCK_NS, samples=codes[i], shaft_hz=25.0) for i in range(12)]
    about = About(POINT, "Pump", bearing_named("6205-2RS"), 25.0, "group-2-rigid")
    messages = [Arrival(POINT.topic("about"), encode_about(about), now_ns)]
    pipeline = Pipeline(console, settings)
    pipeline.process(pipeline.prepare([*messages, *(arrival(one, now_ns=now_ns) for one in sent)]), now_ns=now_ns)
    with writing(console) as connection:
        connection.execute(points.update().values(state="watching", score=1.0, threshold=2.0))
        connection.execute(windows.update().values(score=1.0, threshold=2.0))
        give(connection, User("ada", "operator"), str(POINT), "note", now_ns=now_ns + 10**9, why="greased")
    return console


def _page(view: str, **query: str) -> AppTest:
    return opened("machine", point=str(POINT), view=view, **query)


def _captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def test_each_view_is_drawn(filled: sa.Engine) -> None:
    assert filled is not None
    page = _page("Trend")
    for view in (view for view in VIEWS if view != "Now"):
        page.session_state["view"] = view
        page.run()
        assert not page.exception, view
        assert page.title[0].value == "Pump"
        assert any("Healthy" in text.value and "score / threshold 0.50" in text.value for text in page.markdown)
        sampled = view in ("Spectrum", "Envelope", "Orders", "Waveform", "Compare")
        assert ("1.92 s at 12800 Hz · radial · 1500 rpm" in _captions(page)) == sampled, view


def test_the_cursor_reads_the_sine_in_the_units_of_the_address(filled: sa.Engine) -> None:
    assert filled is not None
    page = _page("Spectrum", units="m/s2,mm/s,um,RMS")
    page.session_state["spectrum base"] = 400.0
    page.session_state["spectrum cursor"] = "harmonics"
    page.run()
    assert not page.exception
    read = page.dataframe[0].value.iloc[0]
    assert read["Line"] == "1x"
    assert read["Amplitude (m/s2, RMS)"] == pytest.approx(9.80665 / np.sqrt(2.0), rel=0.01)


def test_names_are_no_markdown(filled: sa.Engine) -> None:
    with writing(filled) as connection:
        connection.execute(points.update().values(channels='["*radial*"]', name="Pump [1]"))
    page = _page("Waveform")
    assert page.title[0].value == r"Pump \[1\]"
    assert r" Hz · \*radial\* · " in _captions(page)


def test_another_date_shows_the_samples_of_then(filled: sa.Engine) -> None:
    later = time.time_ns()
    with writing(filled) as connection:
        connection.execute(blocks.update().where(blocks.c.sequence > 5).values(waveform=None))
    assert "0.96 s at" in _captions(_page("Waveform"))
    ends = kept_spans(filled, str(POINT), most=3)
    assert len(ends) == 3
    assert nearest_kept(filled, str(POINT), later) == ends[-1]
    assert nearest_kept(filled, str(POINT), ends[0] - 1) == ends[0]
    row = fleet(filled)[0][0]
    found = excerpt_near(filled, row, at_ns=ends[-1], span_s=0.32)
    assert found is not None
    assert (found.x.shape, found.shaft_hz, found.end_ns) == ((1, 4096), 25.0, ends[-1])


def test_the_healthy_start_has_no_samples_of_before_it(filled: sa.Engine, settings: Settings) -> None:
    """After a repair, the samples beside were those of the broken machine."""
    with writing(filled) as connection:
        stored = connection.execute(sa.select(windows).order_by(windows.c.id)).all()
        connection.execute(points.update().values(baseline_after=stored[5].id))
        # What came late is stored later, and is no later for it.
        for row, other in ((stored[6], stored[7]), (stored[7], stored[6])):
            times = {"start_ns": other.start_ns, "end_ns": other.end_ns}
            connection.execute(windows.update().where(windows.c.id == row.id).values(**times))
    row = fleet(filled)[0][0]
    features, lasted = healthy_start(filled, settings, row)
    assert lasted == (stored[6].start_ns, stored[-1].end_ns)
    np.testing.assert_array_equal(features, healthy_of_learner(filled, row, n=100))
    found = excerpt_near(filled, row, at_ns=lasted[1], span_s=2.0, within_ns=lasted)
    assert found is not None
    assert lasted[0] <= found.start_ns < found.end_ns <= lasted[1]
    assert found.span_s == pytest.approx((lasted[1] - lasted[0]) / 1e9, abs=0.2)
    assert f"Beside samples of {clock(found.start_ns)[:19]}" in _captions(_page("Compare"))
    with writing(filled) as connection:
        inside = blocks.c.end_ns > lasted[0]
        connection.execute(blocks.update().where(inside).values(waveform=None))
    assert excerpt_near(filled, row, at_ns=lasted[1], span_s=2.0, within_ns=lasted) is None
    assert "No samples of the healthy start are kept." in _captions(_page("Compare"))


def test_without_samples_each_view_says_so(filled: sa.Engine) -> None:
    with writing(filled) as connection:
        connection.execute(blocks.update().values(waveform=None))
    assert "No samples of this point are kept." in _captions(_page("Spectrum"))
    assert "Samples of fewer than two times" in _page("Waterfall").info[0].value


@pytest.mark.parametrize(("min_apart", "shown"), [(0, "1 hour"), (30, "6 hours"), (120, "1 day"), (720, "everything")])
def test_of_a_point_that_is_measured_seldom_more_is_shown(min_apart: int, shown: str, filled: sa.Engine) -> None:
    """An hour of a point with hourly windows was a single dot."""
    with writing(filled) as connection:
        ids = connection.execute(sa.select(windows.c.id).order_by(windows.c.start_ns.desc())).scalars().all()
        for i, key in enumerate(ids):
            moved = windows.c.start_ns - i * min_apart * 60_000_000_000
            connection.execute(windows.update().where(windows.c.id == key).values(start_ns=moved))
    assert len(ids) == 11
    (span,) = [one for one in _page("Now").segmented_control if one.label == "Trend over"]
    assert span.value == shown


def test_what_sensors_and_jobs_say_is_no_markdown(filled: sa.Engine) -> None:
    with writing(filled) as connection:
        said = {"name": "*Pump*", "iso_group": "*ours*", "failure": "*all* windows [were] refused"}
        connection.execute(points.update().values(state="failed", **said))
    page = _page("Now")
    assert page.title[0].value == r"\*Pump\*"
    assert page.error[0].value == r"No baseline could be learned: \*all\* windows \[were\] refused"
    with writing(filled) as connection:
        connection.execute(points.update().values(state="watching"))
    unread = _page("Now")
    said = r"Nothing is judged: \*all\* windows \[were\] refused"
    assert unread.error[0].value == said
    assert r"no limits named '\*ours\*'" in _captions(page)


def test_the_past_is_what_is_stored_thinned_evenly(filled: sa.Engine) -> None:
    whole = past(filled, str(POINT), most=100)
    thin = past(filled, str(POINT), most=4)
    assert (whole.thinned, thin.thinned) == ("", "one window of 3")
    np.testing.assert_array_equal(thin.start_ns, whole.start_ns[::-1][::3][::-1])
    with filled.connect() as connection:
        blob = connection.execute(sa.select(windows.c.features).order_by(windows.c.start_ns)).scalars().first()
    assert blob is not None
    np.testing.assert_array_equal(whole.features[0].ravel(), features_from_blob(blob))
    rms = whole.features[:, 0, WATCHED.index("rms")]
    np.testing.assert_allclose(rms, np.sqrt(0.5), rtol=0.01)
    with writing(filled) as connection:
        connection.execute(windows.update().values(contract="another"))
    assert np.isnan(past(filled, str(POINT), most=100).features).all()


def test_a_past_of_more_windows_than_are_looked_through_is_given_whole(
    filled: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast point's month ended after its latest hours, and the page said that it was all there."""
    whole = past(filled, str(POINT), most=100)
    monkeypatch.setattr(history, "_MOST_LOOKED", 10)
    thin = past(filled, str(POINT), most=6)
    np.testing.assert_array_equal(thin.start_ns, whole.start_ns[::2])
    np.testing.assert_array_equal(thin.features, whole.features[::2])
    assert thin.thinned == "one window each 0.32 s"
    part = past(filled, str(POINT), since_ns=int(whole.start_ns[0]), until_ns=int(whole.start_ns[-1]) + 1, most=100)
    np.testing.assert_array_equal(part.start_ns, whole.start_ns)
    # Through a pause, no window is given twice.
    with writing(filled) as connection:
        late = windows.c.start_ns == int(whole.start_ns[-1])
        connection.execute(windows.update().where(late).values(start_ns=windows.c.start_ns + 3600 * 10**9))
    assert past(filled, str(POINT), most=6).start_ns.tolist() == [
        whole.start_ns[0],
        whole.start_ns[-2],
        whole.start_ns[-1] + 3600 * 10**9,
    ]
    monkeypatch.setattr(machinetrend, "_MOST", 6)
    assert "One window each 12 min is shown." in _captions(_page("Trend"))


def test_what_was_said_is_told_beside_the_past(filled: sa.Engine) -> None:
    assert [event.words for event in events_of(filled, str(POINT))] == ["note by ada: greased"]


def test_cursors_read_sines_as_they_are() -> None:
    t = np.arange(8192) / 4096.0
    tones = {50.0: 1.0, 100.0: 0.5, 300.0: 2.0, 293.0: 0.2, 307.0: 0.3}
    x = sum(height * np.sin(2.0 * np.pi * f * t) for f, height in tones.items())
    frequencies, lines = amplitude_spectrum(np.asarray(x), 4096.0)
    read = harmonics(frequencies, lines, base=50.0, n=3)
    assert [(mark.found, round(mark.amplitude, 3)) for mark in read[:2]] == [(50.0, 1.0), (100.0, 0.5)]
    assert read[2].amplitude == pytest.approx(0.0, abs=1e-3)
    around = sidebands(frequencies, lines, carrier=300.0, spacing=7.0, n=1)
    assert [(mark.name, round(mark.amplitude, 3)) for mark in around] == [("-1", 0.2), ("carrier", 2.0), ("+1", 0.3)]
    # A base typed a little beside the line still finds it, and what lies outside is left out.
    assert harmonics(frequencies, lines, base=50.2, n=1)[0].found == 50.0
    assert marks_at(frequencies, lines, [("below", 0.0), ("above", 1e6)]) == []
    with pytest.raises(ParameterError, match="harmonic cursor at 0"):
        harmonics(frequencies, lines, base=0.0, n=1)
    with pytest.raises(ParameterError, match="sideband cursor at -1"):
        sidebands(frequencies, lines, carrier=5.0, spacing=-1.0, n=1)


def test_spectra_of_a_sine_agree_with_closed_forms() -> None:
    """1 g peak at 160 Hz is g / (2 pi f) of velocity, and that over 2 pi f of displacement."""
    x = np.sin(2.0 * np.pi * 160.0 * np.arange(8192) / 8192.0)
    turning = 2.0 * np.pi * 160.0
    velocity = spectrum(x, 8192.0, unit="g", quantity="velocity", units=Units(velocity="in/s"))
    assert velocity.y.max() == pytest.approx(9806.65 / turning / 25.4, rel=1e-6)
    moved = spectrum(x, 8192.0, unit="m/s2", quantity="displacement", units=Units(amplitude="peak to peak"))
    assert moved.y.max() == pytest.approx(2.0 * 1e6 / turning**2, rel=1e-6)
    assert moved.unit == "um, peak to peak"
    turned = orders(x, 8192.0, shaft_hz=32.0, unit="g", units=Units())
    assert turned.x[turned.y.argmax()] == pytest.approx(5.0)
    assert turned.y.max() == pytest.approx(1.0, rel=2e-3)
    noise = density(x, 8192.0, unit="g", units=Units())
    assert noise.y.sum() * noise.x[1] == pytest.approx(0.5, rel=1e-3)
    with pytest.raises(ParameterError, match="acceleration of samples in mm/s"):
        spectrum(x, 8192.0, unit="mm/s", quantity="acceleration", units=Units())


def test_the_band_of_impacts_is_found(rng: np.random.Generator) -> None:
    t = np.arange(16_384) / 12_800.0
    ringing = np.exp(-800.0 * (t % 0.02)) * np.sin(2.0 * np.pi * 3000.0 * (t % 0.02))
    low, high = envelope_band(3.0 * ringing + 0.1 * rng.standard_normal(t.size), 12_800.0)
    assert low < 3000.0 < high


def test_differences_are_in_robust_deviations_of_before(rng: np.random.Generator) -> None:
    then = rng.standard_normal((2001, 2)) * (1.0, 5.0)
    now = then[:50] * 0.0 + (3.0, 0.0)
    found = differences(now, then, names=("a", "b"), units=("g", "1"))
    assert [one.feature for one in found] == ["a", "b"]
    assert found[0].sigmas == pytest.approx(3.0, rel=0.1)
    assert np.isnan(differences(now, np.zeros((5, 2)), names=("a", "b"), units=("", ""))[0].sigmas)
    with pytest.raises(ParameterError, match="0 windows"):
        differences(now[:0], then, names=("a", "b"), units=("", ""))


def test_a_score_is_explained_by_the_baseline_that_made_it(
    filled: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one may serve by now: it rebuilds the same window otherwise."""
    n = len(WATCHED.features)

    def served(folder: Path) -> tuple[Any, np.ndarray]:
        shares = np.eye(n)[[WATCHED.index("rms" if folder.name == "former" else "kurtosis")]]
        return SimpleNamespace(evidence=lambda _: shares), np.zeros(n)

    monkeypatch.setattr(why, "_served", served)
    with writing(filled) as connection:
        connection.execute(points.update().values(bundle="promoted"))
        connection.execute(windows.update().values(bundle="former"))
    row, start_ns = fleet(filled)[0][0], int(past(filled, str(POINT), most=100).start_ns[-1])
    assert [one.feature for one in drivers(filled, settings, row, start_ns=start_ns, most=1)] == ["rms"]
    with writing(filled) as connection:
        connection.execute(windows.update().values(bundle=None))
    assert drivers(filled, settings, row, start_ns=start_ns) == []


def test_files_hold_what_is_shown(filled: sa.Engine) -> None:
    row = fleet(filled)[0][0]
    found = past(filled, str(POINT), most=100)
    table = past_table(found, row)
    read = pq.read_table(io.BytesIO(parquet_bytes(table)))
    np.testing.assert_array_equal(read["radial: rms (g)"].to_numpy(), found.features[:, 0, WATCHED.index("rms")])
    assert read.schema.metadata[b"features"] == WATCHED.hash.encode()
    text = csv_bytes(Table({"f (Hz)": np.array([1.0]), "a (g)": np.array([0.25])}, {"made": "here"})).decode()
    assert text.splitlines() == ["# made: here", "f (Hz),a (g)", "1.0,0.25"]


def test_the_report_is_a_pdf_of_three_pages(filled: sa.Engine, settings: Settings) -> None:
    made = machine_report(filled, settings, fleet(filled)[0][0], Units(), now_ns=time.time_ns(), zone="Europe/Berlin")
    assert made.startswith(b"%PDF")
    assert made.count(b"/Type /Page\n") + made.count(b"/Type /Page ") == 3


def test_dollars_in_notes_and_names_are_no_formula_in_the_report(filled: sa.Engine, settings: Settings) -> None:
    now_ns = time.time_ns()
    with writing(filled) as connection:
        give(connection, User("ada", "operator"), str(POINT), "note", now_ns=now_ns, why=r"seal \$ $\frac{1$ for 40 $")
        connection.execute(points.update().values(name=r"Pump $\x$ 7"))
    made = machine_report(filled, settings, fleet(filled)[0][0], Units(), now_ns=now_ns)
    assert made.startswith(b"%PDF")


def test_the_report_shows_the_velocity_of_the_channel_that_shakes_most(filled: sa.Engine) -> None:
    """A sine of 1 g at 400 Hz is g / (2 pi f sqrt 2) of RMS velocity; a channel that is unknown hides no other."""
    found = past(filled, str(POINT), most=100)
    both = replace(found, features=np.concatenate([found.features, np.full_like(found.features, np.nan)], axis=1))
    expected = 9806.65 / (2.0 * np.pi * 400.0 * np.sqrt(2.0))
    np.testing.assert_allclose(largest_velocity(both), expected, rtol=0.02)
