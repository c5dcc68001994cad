"""The console's pages, queries and charts on a store that was filled through ingest."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from making import POINT, arrival, block
from pages import opened
from streamlit.testing.v1 import AppTest

import app.console.machinenow
from app.codec import encode_about
from app.console.charts import envelope_chart, scalogram_chart, trend_chart
from app.console.decimate import decimated
from app.console.queries import Trend, alarm_history, fleet, trend
from app.console.words import ZONES, ago, kind_text
from app.intake import Arrival
from app.palette import ZONE_COLOURS
from app.pipeline import Pipeline
from app.schema import alarms, blocks, points, windows
from app.settings import Settings
from app.severity import broad_band
from app.store import writing
from app.waveforms import latest_stretch, waveform
from app.wire import About
from features.bearing import bearing_named
from features.errors import ParameterError
from features.iso20816 import ZONES as LETTERS


@pytest.fixture
def filled(console: sa.Engine, settings: Settings) -> sa.Engine:
    """One point with twelve blocks, an active alarm of an outer race, and two messages set aside."""
    now_ns = time.time_ns()
    about = Arrival(POINT.topic("about"), encode_about(About(POINT, "Pump", bearing_named("6205-2RS"), 29.5)), now_ns)
    sent = [block(i, start_ns=now_ns + i * 160_000_000) for i in range(12)]
    bad = [Arrival(POINT.topic("waveform"), b"junk", now_ns), Arrival("raceway/v1/short", b"", now_ns)]
    messages = [about, *(arrival(one, now_ns=now_ns) for one in sent), *bad]
    pipeline = Pipeline(console, settings)
    pipeline.process(pipeline.prepare(messages), now_ns=now_ns)
    with writing(console) as connection:
        connection.execute(points.update().values(state="watching", score=3.0, threshold=2.0))
        row = {"point_id": str(POINT), "raised_ns": now_ns, "window_start_ns": now_ns, "ratio": 1.5, "kind": "outer"}
        probabilities = '{"normal": 0.1, "inner": 0.1, "outer": 0.7, "ball": 0.1}'
        connection.execute(alarms.insert().values(**row, probabilities=probabilities))
    return console


def test_an_empty_store_says_what_to_do(console: sa.Engine) -> None:
    assert console is not None
    assert "raceway simulate" in opened().info[0].value


def test_the_fleet_shows_each_machine(filled: sa.Engine) -> None:
    assert filled is not None
    page = opened()
    assert _metrics(page)["Machines"] == "1"
    row = page.dataframe[0].value.iloc[0]
    assert row["State"].endswith("Plan work")
    assert row["Diagnosis"] == "outer race"
    assert row["Score / threshold"] == pytest.approx(1.5)


def test_the_machine_page_names_the_fault_and_cites_its_window(filled: sa.Engine) -> None:
    assert filled is not None
    page = opened("machine", point=str(POINT))
    assert page.title[0].value == "Pump"
    assert page.error[0].value.startswith("Diagnosis: outer race fault of the bearing.")
    assert any(caption.value.startswith("Cites window of 20") for caption in page.caption)
    assert any("bearing 6205-2RS" in text.value for text in page.markdown)


def _described(console: sa.Engine, **values: Any) -> AppTest:
    """The machine page after the point's row was changed."""
    with writing(console) as connection:
        connection.execute(points.update().values(**values))
    return opened("machine", point=str(POINT))


def _metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def _said(page: AppTest, text: str) -> bool:
    return any(text in caption.value for caption in page.caption)


def test_the_severity_zone_rests_on_all_that_is_stored_without_a_pause(filled: sa.Engine) -> None:
    page = _described(filled, iso_group="group-2-rigid")
    x = np.concatenate([block(i).physical() for i in range(12)], axis=-1)
    velocity = broad_band(x, 12_800.0, unit="g", shaft_hz=29.5).velocity_mm_s
    shown = _metrics(page)
    assert shown["Velocity RMS, 10 to 1000 Hz"] == f"{velocity:.2f} mm/s"
    assert shown["Zone"] == LETTERS[sum(velocity > limit for limit in (1.4, 2.8, 4.5))]
    words = f"</span> Zone {shown['Zone']}: {ZONES[shown['Zone']]}"
    assert any(ZONE_COLOURS[shown["Zone"]] in text.value and words in text.value for text in page.markdown)
    assert _said(page, "group-2-rigid, RMS velocity: A to 1.4, B to 2.8, C to 4.5 mm/s, D above.")
    assert _said(page, "(ISO 20816-3:2022 (formerly ISO 10816-3:2009), group 2, rigid)")
    assert _said(page, "From the latest 1.92 s without a pause, channel radial.")


def test_without_a_group_the_page_says_how_to_give_one(filled: sa.Engine) -> None:
    page = _described(filled, iso_group=None)
    assert _metrics(page)["Zone"] == "unknown"
    assert _metrics(page)["Velocity RMS, 10 to 1000 Hz"].endswith(" mm/s")
    assert _said(page, "publish `iso_group`, such as `group-2-rigid`")


def test_an_unknown_group_is_said_with_those_that_are_known(filled: sa.Engine) -> None:
    page = _described(filled, iso_group="our-pumps")
    assert _metrics(page)["Zone"] == "unknown"
    assert _said(page, "no limits named 'our-pumps'; known are class-I, ")


def test_a_table_of_ones_own_gives_the_zone_and_its_loss_is_said(
    filled: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Path("own.toml").absolute()
    table.write_text('[our-pumps]\nvelocity_mm_s = [100, 200, 300]\ncitation = "Works standard 7"\n')
    monkeypatch.setenv("RACEWAY_ISO_LIMITS", str(table))
    page = _described(filled, iso_group="our-pumps")
    assert _metrics(page)["Zone"] == "A"
    assert _said(page, "(Works standard 7)")
    table.unlink()
    page.run()
    assert not page.exception
    assert _metrics(page)["Zone"] == "unknown"
    assert _said(page, "No zone can be given: limits cannot be read from")


def test_what_a_slow_or_unknown_speed_changes_is_said(filled: sa.Engine) -> None:
    slow = _described(filled, iso_group="group-2-rigid", nominal_shaft_hz=5.0)
    assert _said(slow, "No velocity can be given: 1.9 s of samples without a pause; velocity from 2 Hz on wants 2 s")
    assert "Zone" not in _metrics(slow)
    unknown = _described(filled, nominal_shaft_hz=None)
    assert _said(unknown, "The speed is not known; 600 rpm or more is assumed.")


def test_a_displacement_that_decides_is_shown(console: sa.Engine, settings: Settings) -> None:
    """60 um RMS at 4 Hz, which is 1.5 mm/s, in six blocks of a second."""
    now_ns = time.time_ns()
    turning = 2.0 * np.pi * 4.0
    accel_g = 0.06 * np.sqrt(2.0) * turning**2 / 9806.65 * np.sin(turning * np.arange(6 * 12_800) / 12_800.0)
    codes = np.rint(accel_g / 1e-6).astype(np.int16).reshape(6, 1, -1)
    sent = [block(i, start_ns=now_ns + i * 10**9, samples=codes[i], scale=1e-6) for i in range(6)]
    about = Arrival(POINT.topic("about"), encode_about(About(POINT, "Mill", None, 4.0, "group-2-rigid")), now_ns)
    pipeline = Pipeline(console, settings)
    pipeline.process(pipeline.prepare([about, *(arrival(one, now_ns=now_ns) for one in sent)]), now_ns=now_ns)
    page = opened("machine", point=str(POINT))
    shown = _metrics(page)
    assert shown["Zone"] == "C"
    assert float(shown["Displacement RMS, 2 to 1000 Hz"].removesuffix(" um")) == pytest.approx(60.0, rel=0.01)
    assert float(shown["Velocity RMS, 2 to 1000 Hz"].removesuffix(" mm/s")) == pytest.approx(0.06 * turning, rel=0.01)
    assert _said(page, "group-2-rigid, RMS displacement: A to 22, B to 45, C to 71 um, D above.")


def test_a_rate_too_low_for_the_band_is_said(filled: sa.Engine) -> None:
    with writing(filled) as connection:
        connection.execute(blocks.update().values(rate_hz=1000.0))
        connection.execute(windows.update().values(rate_hz=1000.0))
    page = _described(filled, iso_group="class-I")
    assert _said(page, "No velocity can be given: a band from 10.0 to 1000.0 Hz at a rate of 1000.0 Hz")


def test_a_waveform_that_is_no_longer_kept_is_said(filled: sa.Engine) -> None:
    with writing(filled) as connection:
        connection.execute(blocks.update().values(waveform=None))
    page = opened("machine", point=str(POINT))
    assert _said(page, "The waveform of the latest window is no longer kept.")
    assert _said(page, "From the latest window of 320 ms alone, channel radial: its samples are no longer kept.")
    x = np.concatenate([block(i).physical()[0] for i in (10, 11)])
    velocity = broad_band(np.tile(x, 2)[None, :], 12_800.0, unit="g", shaft_hz=29.5).velocity_mm_s
    shown = _metrics(page)["Velocity RMS, 10 to 1000 Hz"]
    assert float(shown.removesuffix(" mm/s")) == pytest.approx(velocity, rel=0.3)


def test_a_window_that_alarms_do_not_judge_has_no_zone_on_the_page_either(filled: sa.Engine) -> None:
    """At 300 r/min the shaft turns 1.6 times in its 320 ms; its velocity was stored all the same."""
    with writing(filled) as connection:
        connection.execute(blocks.update().values(waveform=None))
    page = _described(filled, iso_group="group-2-rigid", nominal_shaft_hz=5.0)
    assert _said(
        page, "No velocity can be given: the samples of the latest window are no longer kept, and with its 320"
    )
    assert "Zone" not in _metrics(page)
    usual = _described(filled, nominal_shaft_hz=29.5)
    assert _metrics(usual)["Zone"] in LETTERS


def test_a_scalogram_is_made_only_where_it_is_shown(filled: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(x: np.ndarray, *args: Any, **kwargs: Any) -> Any:
        made.append(x.size)
        return scalogram_chart(x, *args, **kwargs)

    monkeypatch.setattr(app.console.machinenow, "scalogram_chart", counted)
    page = _described(filled, iso_group=None)
    assert made == []
    page.toggle[0].set_value(True).run()
    assert not page.exception
    assert made == [4096]


def test_an_unknown_point_is_said(filled: sa.Engine) -> None:
    assert filled is not None
    assert "No measuring point 'x/y/z'" in opened("machine", point="x/y/z").error[0].value


def test_a_waveform_is_the_samples_that_were_sent(filled: sa.Engine) -> None:
    found = trend(filled, str(POINT), most=3)
    start_ns = int(found.start_ns[-1])
    x = waveform(filled, str(POINT), start_ns=start_ns, end_ns=start_ns + 320_000_000)
    np.testing.assert_allclose(x, np.concatenate([block(i).physical()[0] for i in (10, 11)]), rtol=1e-6)
    with writing(filled) as connection:
        connection.execute(blocks.update().values(waveform=None))
    assert waveform(filled, str(POINT), start_ns=start_ns, end_ns=start_ns + 320_000_000) is None


def test_a_stretch_ends_where_it_is_asked_and_begins_at_the_gap_before(filled: sa.Engine) -> None:
    sent = [block(i).physical() for i in range(12)]
    end_ns = int(trend(filled, str(POINT), most=1).start_ns[-1]) + 320_000_000
    whole = latest_stretch(filled, str(POINT), end_ns=end_ns, span_s=5.0)
    assert whole is not None
    np.testing.assert_array_equal(whole.x, np.concatenate(sent, axis=-1))
    part = latest_stretch(filled, str(POINT), end_ns=end_ns - 100_000_000, span_s=0.3)
    assert part is not None
    assert part.span_s == pytest.approx(0.3)
    np.testing.assert_array_equal(part.x, np.concatenate(sent, axis=-1)[:, -1280 - 3840 : -1280])


@pytest.mark.parametrize(
    "broken",
    [
        {"sequence": 100},
        {"start_ns": 0, "end_ns": 160_000_000},
        {"rate_hz": 12_801.0},
        {"waveform": None},
    ],
    ids=str,
)
def test_a_stretch_joins_no_blocks_that_do_not_follow_each_other(filled: sa.Engine, broken: dict[str, Any]) -> None:
    end_ns = int(trend(filled, str(POINT), most=1).start_ns[-1]) + 320_000_000
    with writing(filled) as connection:
        connection.execute(blocks.update().where(blocks.c.sequence == 8).values(**broken))
    found = latest_stretch(filled, str(POINT), end_ns=end_ns, span_s=5.0)
    assert found is not None
    np.testing.assert_array_equal(found.x, np.concatenate([block(i).physical() for i in (9, 10, 11)], axis=-1))
    with writing(filled) as connection:
        connection.execute(blocks.update().where(blocks.c.sequence == 11).values(waveform=None))
    assert latest_stretch(filled, str(POINT), end_ns=end_ns, span_s=5.0) is None


def test_trends_are_bounded_and_in_order(filled: sa.Engine) -> None:
    found = trend(filled, str(POINT), most=4)
    assert found.start_ns.size == 4
    assert (np.diff(found.start_ns) > 0).all()
    assert np.isnan(found.score).all()


def test_the_alarm_shades_the_trend(filled: sa.Engine) -> None:
    raised_ns = alarm_history(filled, str(POINT), most=1)[0].raised_ns
    times = raised_ns + np.arange(-50, 50, dtype=np.int64) * 10**9
    made = Trend(times, np.ones(100), np.full(100, 2.0), np.ones(100))
    figure = trend_chart(made, list(fleet(filled)[1].values()), key="k")
    assert len(figure.layout.shapes) == 1
    assert [trace.name for trace in figure.data] == ["score", "threshold"]


def _trend(times_s: np.ndarray, threshold: np.ndarray | float = 2.0) -> Trend:
    ones = np.ones(times_s.size)
    return Trend(np.rint(times_s * 1e9).astype(np.int64), ones, ones * threshold, ones)


def test_no_line_crosses_a_pause() -> None:
    times_s = np.concatenate([np.arange(50) * 0.16, 60.0 + np.arange(50) * 0.16])
    score, threshold = trend_chart(_trend(times_s), [], key="k").data
    assert np.flatnonzero(np.isnan(score.y)).tolist() == [50]
    assert np.isnan(threshold.y).tolist() == [False, False, True, False, False]
    assert score.marker.size.max() == 0
    unbroken = trend_chart(_trend(times_s[:50]), [], key="k").data
    assert not any(np.isnan(trace.y).any() for trace in unbroken)


def test_the_usual_pauses_of_a_sensor_of_bursts_break_nothing() -> None:
    times_s = (np.arange(20)[:, None] + np.array([0.0, 0.16, 0.32])).ravel()
    assert not np.isnan(trend_chart(_trend(times_s), [], key="k").data[0].y).any()
    longer = np.concatenate([times_s, 40.0 + times_s])
    assert np.isnan(trend_chart(_trend(longer), [], key="k").data[0].y).sum() == 1


def test_pauses_still_show_in_a_trend_that_is_thinned() -> None:
    times_s = np.arange(20_000) * 0.16 + 600.0 * (np.arange(20_000) >= 12_345)
    score = trend_chart(_trend(times_s), [], key="k").data[0]
    (hole,) = np.flatnonzero(np.isnan(score.y))
    assert (score.x[hole + 1] - score.x[hole - 1]) / np.timedelta64(1, "s") >= 600.0
    assert score.y.size <= 1201


def test_a_window_alone_between_pauses_is_a_dot() -> None:
    times_s = np.concatenate([np.arange(30) * 0.16, [100.0], 200.0 + np.arange(30) * 0.16])
    score = trend_chart(_trend(times_s), [], key="k").data[0]
    assert np.flatnonzero(score.marker.size).tolist() == [31]
    assert np.isnan(score.y[[30, 32]]).all()


def test_a_threshold_that_was_learned_anew_keeps_its_step() -> None:
    times_s = np.arange(100) * 0.16
    made = trend_chart(_trend(times_s, np.where(np.arange(100) < 37, 2.0, 3.0)), [], key="k").data[1]
    assert made.y.tolist() == [2.0, 2.0, 3.0, 3.0]
    assert [(x - made.x[0]) / np.timedelta64(1, "ms") for x in made.x] == [0, 36 * 160, 37 * 160, 99 * 160]


@pytest.mark.parametrize("n", [256, 4096, 100_000])
def test_a_scalogram_is_bounded_and_peaks_at_the_tone(n: int) -> None:
    x = np.sin(2.0 * np.pi * 1600.0 * np.arange(n) / 12_800.0).astype(np.float32)
    figure = scalogram_chart(x + 3.0, 12_800.0, unit="g", key="k")
    image, *edges = figure.data
    assert image.z.shape[0] <= 72
    assert image.z.shape[1] <= 200
    middle = image.z[:, image.z.shape[1] // 2]
    assert image.y[middle.argmax()] == pytest.approx(1600.0, rel=0.06)
    assert middle.max() == pytest.approx(1.0, abs=0.05)
    assert len(edges) == 2
    assert len(figure.to_json()) < 150_000


def test_a_scalogram_of_silence_is_finite() -> None:
    image = scalogram_chart(np.zeros(4096, np.float32), 12_800.0, unit="g", key="k").data[0]
    assert (image.z == 0.0).all()


def test_fault_frequencies_are_marked_at_order_times_speed(rng: np.random.Generator) -> None:
    x = rng.standard_normal(4096).astype(np.float32)
    bearing = bearing_named("6205-2RS")
    figure = envelope_chart(x, 12_800.0, shaft_hz=30.0, bearing=bearing, key="k")
    marks = {trace.name.split()[0]: trace.x[0] for trace in figure.data[1:]}
    assert marks == {name: pytest.approx(order * 30.0) for name, order in bearing.orders.items()}


def test_decimation_keeps_every_peak(rng: np.random.Generator) -> None:
    y = rng.standard_normal(10_000)
    y[[123, 7777]] = 50.0, -50.0
    x, thin = decimated(np.arange(10_000), y, most=200)
    assert thin.size <= 200
    assert {int(x[thin.argmax()]), int(x[thin.argmin()])} == {123, 7777}
    assert (np.diff(x) >= 0).all()
    with pytest.raises(ParameterError, match="in 3 points"):
        decimated(x, thin, most=3)


def test_words_are_the_operators() -> None:
    assert ago(None, now_ns=0) == "never"
    assert ago(0, now_ns=90 * 10**9) == "1 min ago"
    assert "no bearing fault pattern" in kind_text("other")
    assert "kind unknown" in kind_text(None)
