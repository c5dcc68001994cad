"""Forecasts from stored windows: velocity to its zone, the score to its threshold, and reasons where there is none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from sqlalchemy import Engine
from trending import DAY_NS, NOW_NS, POINT_ID, growing, store_trend

import app.forecast as forecast
from app.access.roles import User
from app.cli import _raceway
from app.forecast import SCORE, VELOCITY, Forecast, forecast_point, forecasts, levels_of, renew
from app.labels.records import give
from app.settings import Settings, load_settings
from app.store import point_rows, reading, writing
from features.iso20816 import LIMITS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def engine(store: Engine) -> Engine:
    return store


def _one(engine: Engine, settings: Settings) -> Forecast:
    (found,) = renew(engine, settings, now_ns=NOW_NS)
    return found


def test_velocity_that_grows_is_due_when_it_reaches_zone_d(engine: Engine, settings: Settings) -> None:
    """From 1 to 2.5 mm/s in 45 days: 4.5 mm/s are reached 45 ln(4.5 / 2.5) / ln 2.5 = 28.9 days later."""
    n = 2160
    store_trend(engine, growing(n, begin=n // 2, to=2.5), np.full(n, 0.3), days=90.0)
    found = _one(engine, settings)
    limit = LIMITS["group-2-rigid"].velocity_mm_s[2]
    assert (found.indicator, found.unit, found.bound) == (VELOCITY, "mm/s", limit)
    assert found.value == pytest.approx(2.5, rel=0.06)
    expected = 45.0 * math.log(limit / 2.5) / math.log(2.5)
    assert found.likely_ns is not None
    assert (found.likely_ns - NOW_NS) / DAY_NS == pytest.approx(expected, rel=0.12)
    assert found.earliest_ns is not None
    assert found.latest_ns is not None
    assert NOW_NS <= found.earliest_ns < found.likely_ns < found.latest_ns
    assert found.growth_per_day == pytest.approx(math.exp(math.log(2.5) / 45.0), rel=0.01)
    assert found.onset_ns is not None
    assert abs((NOW_NS - found.onset_ns) / DAY_NS - 45.0) < 6.0


def test_without_a_zone_the_score_is_followed_to_its_threshold(engine: Engine, settings: Settings) -> None:
    n = 600
    store_trend(engine, np.full(n, 1.0), 0.2 * growing(n, begin=200, to=3.5), days=30.0, group=None)
    found = _one(engine, settings)
    assert (found.indicator, found.bound) == (SCORE, 1.0)
    assert found.due
    assert "reaches its alarm threshold" in found.reason


@pytest.mark.parametrize(
    ("velocity", "ratio", "group", "reason"),
    [
        (np.full(600, 1.0), np.full(600, 0.3), "group-2-rigid", "nothing grows"),
        (growing(600, begin=200, to=3.0), np.full(600, 0.3), None, "no limit is known"),
        (np.full(600, 1.0), 0.3 * growing(600, begin=200, to=9.0), None, "above its threshold already"),
        (np.full(6, 1.0), np.full(6, 0.3), "group-2-rigid", "too little was measured yet"),
    ],
)
def test_where_nothing_is_due_the_reason_is_kept(
    engine: Engine,
    settings: Settings,
    velocity: NDArray[np.float64],
    ratio: NDArray[np.float64],
    group: str | None,
    reason: str,
) -> None:
    store_trend(engine, velocity, ratio, days=30.0, group=group)
    found = _one(engine, settings)
    assert not found.due
    assert reason in found.reason


def test_nothing_is_forecast_across_a_repair(engine: Engine, settings: Settings) -> None:
    n = 1200
    store_trend(engine, growing(n, begin=n // 2, to=2.5), np.full(n, 0.3), days=90.0)
    assert _one(engine, settings).due
    with writing(engine) as connection:
        give(connection, User("kim", "operator"), POINT_ID, "repair", now_ns=NOW_NS, why="new bearing")
    assert _one(engine, settings).reason == "no window was judged yet"


def test_the_score_is_followed_as_the_model_that_serves_has_it(engine: Engine, settings: Settings) -> None:
    """A new baseline says twice as much of the same machine: that is no growth."""
    ratio = np.where(np.arange(1200) < 900, 0.3, 0.6)
    store_trend(engine, np.full(1200, 1.0), ratio, days=80.0, group=None, promoted_at=900)
    assert _one(engine, settings).reason == "nothing grows"
    with reading(engine) as connection:
        (row,) = point_rows(connection)
        velocity, score = levels_of(connection, settings, row, now_ns=NOW_NS)
    assert (len(velocity.value), len(score.value)) == (60, 15)


def test_a_stream_is_read_in_bounded_parts(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 windows in a minute give the same sixty parts; no more than five windows are read of each."""
    read: list[int] = []
    plain = forecast._of_window
    monkeypatch.setattr(forecast, "_of_window", lambda row: read.append(1) or plain(row))
    store_trend(engine, np.full(3000, 1.0), np.full(3000, 0.3), days=60.0 / 86_400.0)
    with reading(engine) as connection:
        (row,) = point_rows(connection)
        velocity, score = levels_of(connection, settings, row, now_ns=NOW_NS)
    assert len(velocity.value) == len(score.value) == 60
    assert len(read) <= 60 * 5
    np.testing.assert_allclose(velocity.value, 1.0, rtol=0.02)


def test_what_is_due_first_stands_on_top_and_is_computed_anew(engine: Engine, settings: Settings) -> None:
    store_trend(engine, np.full(600, 1.0), np.full(600, 0.3), days=30.0, point="plant/a/de")
    store_trend(engine, growing(600, begin=200, to=2.0), np.full(600, 0.3), days=30.0, point="plant/b/de")
    store_trend(engine, growing(600, begin=200, to=3.5), np.full(600, 0.3), days=30.0, point="plant/c/de")
    renew(engine, settings, now_ns=NOW_NS)
    renew(engine, settings, now_ns=NOW_NS)
    with reading(engine) as connection:
        assert [one.point_id for one in forecasts(connection)] == ["plant/c/de", "plant/b/de", "plant/a/de"]


def test_the_command_says_what_is_due(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: NOW_NS)
    store_trend(engine, growing(600, begin=200, to=3.0), np.full(600, 0.3), days=30.0)
    asked = ["--data-dir", str(settings.data_dir), "forecast"]
    said = CliRunner().invoke(_raceway, asked)
    assert said.exit_code == 0, said.output
    assert said.output.startswith(f"{POINT_ID}: velocity RMS reaches zone D of its ISO group about 20")
    (row,) = json.loads(CliRunner().invoke(_raceway, [*asked, "--json", "--due"]).output)
    assert row["point_id"] == POINT_ID
    assert row["bound"] == LIMITS["group-2-rigid"].velocity_mm_s[2]


def test_a_point_without_windows_says_so() -> None:
    assert forecast_point("plant/a/b", [], now_ns=1).reason == "no window was judged yet"
