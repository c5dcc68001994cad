"""The console's pages, queries and charts on a store that was filled through ingest."""

from __future__ import annotations

import time

import numpy as np
import pytest
import sqlalchemy as sa
import streamlit as st
from making import POINT, arrival, block
from streamlit.testing.v1 import AppTest

from app.codec import encode_about
from app.console.charts import envelope_chart, spark_line, trend_chart
from app.console.decimate import decimated
from app.console.launch import ENTRY
from app.console.queries import Trend, alarm_history, fleet, trend, waveform
from app.console.words import ago, kind_text
from app.intake import Arrival
from app.pipeline import Pipeline
from app.schema import alarms, blocks, points
from app.settings import Settings
from app.store import open_store, writing
from app.wire import About
from features.bearing import bearing_named
from features.errors import ParameterError


@pytest.fixture
def engine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    return open_store(settings.database, migrate=True)


@pytest.fixture
def filled(engine: sa.Engine, settings: Settings) -> sa.Engine:
    """One point with twelve blocks, an active alarm of an outer race, and two messages set aside."""
    now_ns = time.time_ns()
    about = Arrival(POINT.topic("about"), encode_about(About(POINT, "Pump", bearing_named("6205-2RS"), 29.5)), now_ns)
    sent = [block(i, start_ns=now_ns + i * 160_000_000) for i in range(12)]
    bad = [Arrival(POINT.topic("waveform"), b"junk", now_ns), Arrival("raceway/v1/short", b"", now_ns)]
    messages = [about, *(arrival(one, now_ns=now_ns) for one in sent), *bad]
    pipeline = Pipeline(engine, settings)
    pipeline.process(pipeline.prepare(messages), now_ns=now_ns)
    with writing(engine) as connection:
        connection.execute(points.update().values(state="watching", score=3.0, threshold=2.0))
        row = {"point_id": str(POINT), "raised_ns": now_ns, "window_start_ns": now_ns, "ratio": 1.5, "kind": "outer"}
        probabilities = '{"normal": 0.1, "inner": 0.1, "outer": 0.7, "ball": 0.1}'
        connection.execute(alarms.insert().values(**row, probabilities=probabilities))
    return engine


def _page(**query: str) -> AppTest:
    page = AppTest.from_file(str(ENTRY), default_timeout=60)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def test_an_empty_store_says_what_to_do(engine: sa.Engine) -> None:
    assert engine is not None
    assert "raceway simulate" in _page().info[0].value


def test_the_fleet_shows_each_machine(filled: sa.Engine) -> None:
    assert filled is not None
    page = _page()
    assert [metric.value for metric in page.metric] == ["1", "1", "0", "0"]
    row = page.dataframe[0].value.iloc[0]
    assert row["State"].endswith("Alarm")
    assert row["Diagnosis"] == "outer race"
    assert row["Score / threshold"] == pytest.approx(1.5)


def test_the_machine_page_names_the_fault_and_cites_its_window(filled: sa.Engine) -> None:
    assert filled is not None
    page = _page(point=str(POINT))
    assert page.title[0].value == "Pump"
    assert page.error[0].value.startswith("Diagnosis: outer race fault of the bearing.")
    assert any(caption.value.startswith("Cites window of 20") for caption in page.caption)
    assert any("bearing 6205-2RS" in text.value for text in page.markdown)


def test_an_unknown_point_is_said(filled: sa.Engine) -> None:
    assert filled is not None
    assert "No measuring point 'x/y/z'" in _page(point="x/y/z").error[0].value


def test_what_was_set_aside_is_shown_with_its_reason(filled: sa.Engine) -> None:
    assert filled is not None
    page = _page(page="data-quality")
    assert any("Set aside: 2 messages" in text.value for text in page.markdown)
    assert set(page.dataframe[0].value["Reason"]) == {"malformed", "topic"}
    counts = page.dataframe[2].value.iloc[0]
    assert (counts["blocks"], counts["windows"]) == (12, 11)


def test_a_waveform_is_the_samples_that_were_sent(filled: sa.Engine) -> None:
    found = trend(filled, str(POINT), most=3)
    start_ns = int(found.start_ns[-1])
    x = waveform(filled, str(POINT), start_ns=start_ns, end_ns=start_ns + 320_000_000)
    np.testing.assert_allclose(x, np.concatenate([block(i).physical()[0] for i in (10, 11)]), rtol=1e-6)
    with writing(filled) as connection:
        connection.execute(blocks.update().values(waveform=None))
    assert waveform(filled, str(POINT), start_ns=start_ns, end_ns=start_ns + 320_000_000) is None


def test_trends_are_bounded_and_in_order(filled: sa.Engine) -> None:
    found = trend(filled, str(POINT), most=4)
    assert found.start_ns.size == 4
    assert (np.diff(found.start_ns) > 0).all()
    assert np.isnan(found.score).all()
    assert spark_line(found) == []


def test_the_alarm_shades_the_trend(filled: sa.Engine) -> None:
    raised_ns = alarm_history(filled, str(POINT), most=1)[0].raised_ns
    times = raised_ns + np.arange(-50, 50, dtype=np.int64) * 10**9
    made = Trend(times, np.ones(100), np.full(100, 2.0), np.ones(100))
    figure = trend_chart(made, list(fleet(filled)[1].values()), key="k")
    assert len(figure.layout.shapes) == 1
    assert [trace.name for trace in figure.data] == ["score", "threshold"]


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
