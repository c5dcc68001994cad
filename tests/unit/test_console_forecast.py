"""The view that says when a machine's indicators reach their limits."""

from __future__ import annotations

import time

import numpy as np
import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest
from trending import DAY_NS, NOW_NS, POINT_ID, growing, store_trend

from app.console.forecast import forecast_words
from app.console.launch import ENTRY
from app.forecast import Forecast
from app.settings import Settings
from app.store import open_store


@pytest.fixture
def engine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Engine:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(time, "time_ns", lambda: NOW_NS)
    st.cache_resource.clear()
    return open_store(settings.database, migrate=True)


def _page() -> AppTest:
    page = AppTest.from_file(str(ENTRY), default_timeout=60)
    page.query_params["point"] = POINT_ID
    page.query_params["view"] = "Forecast"
    page.run()
    page.run()
    assert not page.exception
    return page


def test_what_is_due_is_said_with_its_interval(engine: Engine) -> None:
    store_trend(engine, growing(600, begin=200, to=3.0), np.full(600, 0.3), days=30.0)
    page = _page()
    assert [metric.label for metric in page.metric] == ["Earliest (5 %)", "Likely (50 %)", "Latest"]
    assert any("reaches zone D of its ISO group in about" in text.value for text in page.markdown)


def test_where_nothing_grows_it_says_so(engine: Engine) -> None:
    store_trend(engine, np.full(600, 1.0), np.full(600, 0.3), days=30.0)
    page = _page()
    assert not page.metric
    assert any("No time can be given: nothing grows." in text.value for text in page.markdown)


def test_times_are_said_in_a_unit_that_fits() -> None:
    day = DAY_NS
    found = Forecast("a/b/c", 0, "velocity RMS reaches zone D", earliest_ns=3 * 3600 * 10**9, likely_ns=5 * day)
    assert forecast_words(found, now_ns=0) == (
        "Velocity RMS reaches zone D in about 5 days (nine in ten: 3 h to open)."
    )
