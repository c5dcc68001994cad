"""The view that says when a machine's indicators reach their limits."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pages import opened
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest
from trending import DAY_NS, NOW_NS, POINT_ID, growing, store_trend

from app.console.forecast import forecast_words
from app.forecast import Forecast


@pytest.fixture
def engine(console: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(time, "time_ns", lambda: NOW_NS)
    return console


def _page() -> AppTest:
    return opened("machine", point=POINT_ID, view="Forecast")


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
