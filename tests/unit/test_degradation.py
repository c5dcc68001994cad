"""Growth to a limit: the closed form beside drawn paths, intervals that hold, and no word where nothing grows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.errors import ParameterError
from models.degradation import FEWEST, Growth, first_passage, growth_of, passage_of


def _path(rng: np.random.Generator, *, rate: float, wander: float, n: int, healthy: int = 20) -> NDArray[np.float64]:
    quiet = 0.003 * rng.standard_normal(healthy)
    grown = np.cumsum(rate + math.sqrt(wander) * rng.standard_normal(n))
    return np.exp(np.concatenate([quiet, grown]))


@pytest.mark.parametrize("rate_error", [0.0, 0.004])
def test_the_closed_form_is_what_drawn_paths_do(rng: np.random.Generator, rate_error: float) -> None:
    """Paths in steps of a hundredth of a second reach the way a little late: by half a step's wandering."""
    way, rate, wander, step = 1.0, 0.02, 0.002, 0.05
    drifts = rate + rate_error * rng.standard_normal(3000)
    places, reached = np.zeros(3000), np.full(3000, np.inf)
    for i in range(round(150 / step)):
        before = places
        places = before + drifts * step + math.sqrt(wander * step) * rng.standard_normal(3000)
        # Between two places a bridge may have touched the way (Brownian bridge).
        bridge = np.exp(-2.0 * np.maximum(way - before, 0.0) * np.maximum(way - places, 0.0) / (wander * step))
        reached = np.where(np.isinf(reached) & (rng.random(3000) < bridge), i * step, reached)
    for time_s in (20.0, 40.0, 60.0, 100.0, 150.0):
        expected = float(first_passage(time_s, way=way, rate=rate, rate_error=rate_error, wander=wander))
        assert np.mean(reached <= time_s) == pytest.approx(expected, abs=0.03)


def test_with_a_known_drift_it_is_the_inverse_gaussian() -> None:
    from scipy import stats

    way, rate, wander = 2.0, 0.05, 0.01
    mean, shape = way / rate, way**2 / wander
    t = np.array([10.0, 30.0, 40.0, 60.0, 200.0])
    expected = stats.invgauss.cdf(t, mean / shape, scale=shape)
    np.testing.assert_allclose(first_passage(t, way=way, rate=rate, rate_error=0.0, wander=wander), expected, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-6, 1e-2), st.floats(0.0, 0.5), st.floats(1e-3, 10.0), st.floats(0.01, 5.0))
def test_probabilities_rise_from_none_and_quantiles_are_in_order(
    rate: float, share: float, noise: float, way: float
) -> None:
    wander = noise * rate
    t = np.geomspace(1e-3, 1e4, 200) * way / rate
    found = first_passage(t, way=way, rate=rate, rate_error=share * rate, wander=wander)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-6).all()
    due = passage_of(Growth(0, rate, share * rate, wander, 0.0), limit=math.exp(way))
    assert 0.0 < due.early_s <= due.likely_s <= due.late_s
    at_median = first_passage(due.likely_s, way=way, rate=rate, rate_error=share * rate, wander=wander)
    assert float(at_median) == pytest.approx(0.5, abs=1e-3)


def test_intervals_hold_nine_in_ten_truths_on_paths_of_the_model(rng: np.random.Generator) -> None:
    """150 machines, each judged when 40 levels have grown, against when its own path goes on to the limit."""
    inside = judged = 0
    for _ in range(150):
        rate = 0.02 * math.exp(0.3 * rng.standard_normal())
        values = _path(rng, rate=rate, wander=0.001, n=2000)
        limit = 10.0
        reached = int(np.argmax(values >= limit))
        now = 60
        if not now < reached:
            continue
        growth = growth_of(values[:now], np.arange(now), healthy=20)
        if growth is not None:
            due = passage_of(growth, limit=limit)
            judged += 1
            inside += due.early_s <= reached - (now - 1) <= due.late_s
    assert judged > 100
    assert 0.82 <= inside / judged <= 0.97


def test_nothing_is_said_where_nothing_grows(rng: np.random.Generator) -> None:
    times = np.arange(100.0)
    said = 0
    for _ in range(200):
        said += growth_of(np.exp(0.05 * rng.standard_normal(100)), times, healthy=30) is not None
    assert said == 0
    stepped = np.where(times < 50, 1.0, 2.0) * np.exp(0.01 * rng.standard_normal(100))
    assert growth_of(stepped[:52], times[:52], healthy=30) is None
    falling = np.exp(0.005 * rng.standard_normal(100) - 0.01 * np.maximum(times - 40, 0.0))
    assert growth_of(falling, times, healthy=30) is None


def test_a_repair_ends_what_grew(rng: np.random.Generator) -> None:
    """Levels that came back down are healthy: growth is counted from the last time that they were."""
    grown = _path(rng, rate=0.05, wander=1e-4, n=30)
    assert growth_of(grown, np.arange(50.0), healthy=20) is not None
    mended = np.concatenate([grown, np.exp(0.003 * rng.standard_normal(10))])
    assert growth_of(mended, np.arange(60.0), healthy=20) is None


def test_too_few_levels_say_nothing() -> None:
    values = [1.0, 1.0, 1.0, 1.0, *(1.0 + 0.2 * i for i in range(1, FEWEST))]
    assert growth_of(values, range(len(values)), healthy=4) is not None
    assert growth_of(values[:-1], range(len(values) - 1), healthy=4) is None
    assert growth_of(values[:5], range(5), healthy=4) is None


def test_what_is_at_the_limit_is_due_now() -> None:
    assert passage_of(Growth(0, 0.1, 0.01, 0.1, math.log(5.0)), limit=5.0).late_s == 0.0


def test_what_may_shrink_may_never_be_due() -> None:
    due = passage_of(Growth(0, 0.01, 0.0065, 1e-4, 0.0), limit=3.0)
    assert math.isfinite(due.likely_s)
    assert math.isinf(due.late_s)


@pytest.mark.parametrize(
    ("values", "times", "healthy", "match"),
    [
        ([1.0, -1.0, 2.0], [0, 1, 2], 3, "not positive"),
        ([1.0, math.nan, 2.0], [0, 1, 2], 3, "not positive"),
        ([1.0, 1.0, 2.0], [0, 1, 1], 3, "times do not rise"),
        ([1.0, 1.0], [0, 1, 1], 3, r"shape \(2,\) were given with times of shape \(3,\)"),
        ([1.0, 1.0, 2.0], [0, 1, 2], 2, "2 healthy rows"),
    ],
)
def test_what_is_no_series_is_refused(values: list[float], times: list[float], healthy: int, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        growth_of(values, times, healthy=healthy)
    with pytest.raises(ParameterError, match=r"a limit of 0\.0 is none"):
        passage_of(Growth(0, 1.0, 0.1, 0.1, 0.0), limit=0.0)
