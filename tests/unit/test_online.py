"""Online statistics against NumPy, SciPy and plain formulas at every step, and across a snapshot."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ParameterError
from features.online import Ewma, LinearTrend, RunningMoments, SlidingRms
from features.statistics import moments

_START_NS = 1_795_000_000_123_456_789
_HOUR_NS = 3_600_000_000_000
_FIELDS = ("mean", "std", "rms", "peak", "peak_to_peak", "mean_abs", "skewness", "kurtosis")

_values = st.lists(st.floats(-1e3, 1e3).map(lambda v: round(v, 3)), min_size=1, max_size=60)


def _assert_moments(running: RunningMoments, x: np.ndarray, rtol: float = 1e-9) -> None:
    ours, batch = running.moments(), moments(x)
    for name in _FIELDS:
        np.testing.assert_allclose(getattr(ours, name), getattr(batch, name), rtol=rtol, atol=1e-9, err_msg=name)


def test_moments_equal_the_batch_at_every_step(rng: np.random.Generator) -> None:
    x = rng.gamma(2.0, size=300) + 5.0
    running = RunningMoments()
    for i, value in enumerate(x):
        running.update(value)
        _assert_moments(running, x[: i + 1])
    assert (running.low, running.high, running.n) == (x.min(), x.max(), 300)


def test_moments_agree_with_scipy_stats(rng: np.random.Generator) -> None:
    x = rng.exponential(size=5000)
    running = RunningMoments()
    for block in np.array_split(x, 7):
        running.update(block)
    assert float(running.moments().skewness) == pytest.approx(float(scipy.stats.skew(x)), rel=1e-9)
    assert float(running.moments().kurtosis) == pytest.approx(float(scipy.stats.kurtosis(x, fisher=False)), rel=1e-9)


@given(_values, st.integers(1, 17))
def test_moments_do_not_depend_on_the_blocks(values: list[float], size: int) -> None:
    x = np.array(values)
    running = RunningMoments()
    for first in range(0, len(x), size):
        running.update(x[first : first + size])
    ours, batch = running.moments(), moments(x)
    spread = float(batch.std) + 1e-9
    assert float(ours.mean) == pytest.approx(float(batch.mean), abs=1e-9)
    assert float(ours.std) == pytest.approx(float(batch.std), abs=1e-9)
    assert float(ours.peak_to_peak) == float(batch.peak_to_peak)
    # Third and fourth moments before division by the deviation, which may be tiny.
    assert float(ours.kurtosis) * spread**4 == pytest.approx(float(batch.kurtosis) * spread**4, rel=1e-6, abs=1e-6)
    assert float(ours.skewness) * spread**3 == pytest.approx(float(batch.skewness) * spread**3, rel=1e-6, abs=1e-6)


def test_moments_survive_a_large_offset(rng: np.random.Generator) -> None:
    x = rng.standard_normal(2000)
    running = RunningMoments()
    for block in np.array_split(x + 1e8, 400):
        running.update(block)
    # The sum of squares would have lost all digits: 1e16 leaves steps of 2 to a double.
    assert float(running.moments().std) == pytest.approx(x.std(), rel=1e-6)
    assert float(running.moments().kurtosis) == pytest.approx(float(moments(x).kurtosis), rel=1e-5)


def test_moments_of_two_runs_merge(rng: np.random.Generator) -> None:
    x = rng.standard_normal(50)
    left, right = RunningMoments(), RunningMoments()
    left.update(x[:20])
    right.update(x[20:])
    left.merge(right)
    left.merge(RunningMoments())
    _assert_moments(left, x)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_moments_of_a_constant_have_the_defined_shape(value: float) -> None:
    running = RunningMoments()
    for _ in range(5):
        running.update(np.full(7, value))
    m = running.moments()
    assert (float(m.skewness), float(m.kurtosis)) == (0.0, 3.0)
    assert float(m.rms) == pytest.approx(abs(value))


def test_moments_of_nothing_are_refused() -> None:
    running = RunningMoments()
    running.update([])
    with pytest.raises(ParameterError, match="moments were asked of no values"):
        running.moments()
    running.update(1.0)
    running.reset()
    assert running.n == 0


@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_sliding_rms_equals_the_batch_at_every_step(rng: np.random.Generator, length: int) -> None:
    x = rng.standard_normal(200)
    sliding = SlidingRms(length)
    for i, value in enumerate(x):
        expected = np.sqrt(np.mean(x[max(0, i + 1 - length) : i + 1] ** 2))
        assert sliding.update(value) == pytest.approx(expected, rel=1e-12)


@given(_values, st.integers(1, 9), st.integers(1, 13))
def test_sliding_rms_does_not_depend_on_the_blocks(values: list[float], length: int, size: int) -> None:
    sliding = SlidingRms(length)
    for first in range(0, len(values), size):
        after = sliding.update(values[first : first + size])
        seen = np.array(values[: first + size])[-length:]
        assert after == pytest.approx(np.sqrt(np.mean(seen**2)), rel=1e-12)


def test_a_shock_leaves_no_error_behind_in_the_sliding_rms() -> None:
    sliding = SlidingRms(4)
    sliding.update([1e9, 1e-3, 1e-3, 1e-3])
    assert sliding.update(1e-3) == pytest.approx(1e-3, rel=1e-12)


def test_sliding_rms_of_nothing_is_zero() -> None:
    assert SlidingRms(3).rms == 0.0
    with pytest.raises(ParameterError, match="over 0 values"):
        SlidingRms(0)


def test_ewma_equals_the_weighted_mean_at_every_step(rng: np.random.Generator) -> None:
    x = rng.standard_normal(200) + 4.0
    times = _START_NS + np.cumsum(rng.integers(0, 20_000_000_000, size=200))
    ewma = Ewma(30.0)
    for i, (value, time_ns) in enumerate(zip(x, times, strict=True)):
        weight = np.exp(-((time_ns - times[: i + 1]) / 1e9) / 30.0)
        assert ewma.update(value, time_ns=time_ns) == pytest.approx((weight @ x[: i + 1]) / weight.sum(), rel=1e-12)


def test_ewma_at_even_steps_is_the_bias_corrected_recursion(rng: np.random.Generator) -> None:
    alpha, raw, ewma = 1.0 - math.exp(-1.0 / 8.0), 0.0, Ewma(8.0)
    for i, value in enumerate(rng.standard_normal(50)):
        raw += alpha * (value - raw)
        ours = ewma.update(value, time_ns=_START_NS + i * 1_000_000_000)
        assert ours == pytest.approx(raw / (1.0 - (1.0 - alpha) ** (i + 1)), abs=1e-12)


def test_ewma_refuses_time_that_runs_back_and_no_constant() -> None:
    ewma = Ewma(1.0)
    assert ewma.mean is None
    ewma.update(1.0, time_ns=10)
    with pytest.raises(ParameterError, match="in order of time"):
        ewma.update(1.0, time_ns=9)
    with pytest.raises(ParameterError, match="whole nanoseconds"):
        ewma.update(1.0, time_ns=1.5e18)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="a time constant of 0"):
        Ewma(0.0)


def test_trend_equals_linregress_at_every_step(rng: np.random.Generator) -> None:
    times = _START_NS + np.sort(rng.integers(0, 90 * 24 * _HOUR_NS, size=120))
    hours = (times - times[0]) / _HOUR_NS
    y = 2.0 + 0.003 * hours + rng.standard_normal(120)
    trend = LinearTrend(confidence=0.9)
    for i, (value, time_ns) in enumerate(zip(y, times, strict=True)):
        line = trend.update(value, time_ns=int(time_ns))
        if i < 2:
            assert line is None
            continue
        assert line is not None
        expected = scipy.stats.linregress(hours[: i + 1], y[: i + 1])
        half = scipy.stats.t.ppf(0.95, i - 1) * expected.stderr
        assert line.slope_per_h == pytest.approx(expected.slope, rel=1e-9)
        assert line.stderr_per_h == pytest.approx(expected.stderr, rel=1e-9)
        assert line.low_per_h == pytest.approx(expected.slope - half, rel=1e-9)
        assert line.high_per_h == pytest.approx(expected.slope + half, rel=1e-9)
        assert line.level == pytest.approx(expected.intercept + expected.slope * hours[i], rel=1e-9)
    assert line is not None
    assert line.rises


def test_trend_covers_the_true_slope_as_often_as_it_says(rng: np.random.Generator) -> None:
    covered = 0
    for _ in range(400):
        trend = LinearTrend(confidence=0.8)
        for hour in range(12):
            line = trend.update(0.5 * hour + rng.standard_normal(), time_ns=_START_NS + hour * _HOUR_NS)
        assert line is not None
        covered += line.low_per_h <= 0.5 <= line.high_per_h
    # 400 draws of 0.8: three standard deviations are 0.06.
    assert covered / 400 == pytest.approx(0.8, abs=0.06)


def test_trend_keeps_its_digits_beside_a_large_level(rng: np.random.Generator) -> None:
    noise = 1e-6 * rng.standard_normal(60)
    plain, lifted = LinearTrend(confidence=0.95), LinearTrend(confidence=0.95)
    for i, value in enumerate(noise):
        one = plain.update(value, time_ns=_START_NS + i)
        other = lifted.update(value + 1000.0, time_ns=_START_NS + i)
    assert one is not None
    assert other is not None
    assert other.slope_per_h == pytest.approx(one.slope_per_h, rel=1e-4)
    assert other.stderr_per_h == pytest.approx(one.stderr_per_h, rel=1e-4)


def test_values_at_one_time_have_no_trend_but_count_for_its_error() -> None:
    times, y = [0, 0, 0, _HOUR_NS, 2 * _HOUR_NS, 2 * _HOUR_NS], [1.0, 2.0, 4.0, 3.0, 5.0, 4.5]
    trend = LinearTrend(confidence=0.95)
    lines = [trend.update(value, time_ns=_START_NS + time) for value, time in zip(y, times, strict=True)]
    assert lines[:3] == [None, None, None]
    assert lines[-1] is not None
    assert lines[-1].stderr_per_h == pytest.approx(scipy.stats.linregress(np.array(times) / _HOUR_NS, y).stderr)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_no_numbers_are_refused_and_leave_no_trace(bad: float) -> None:
    running, sliding, ewma, trend = RunningMoments(), SlidingRms(3), Ewma(1.0), LinearTrend(confidence=0.5)
    before = [state.snapshot() for state in (running, sliding, ewma, trend)]
    for refused in (
        lambda: running.update([1.0, bad]),
        lambda: sliding.update([1.0, bad]),
        lambda: ewma.update(bad, time_ns=0),
        lambda: trend.update(bad, time_ns=0),
    ):
        with pytest.raises(ParameterError, match="is wanted"):
            refused()
    assert [state.snapshot() for state in (running, sliding, ewma, trend)] == before


def test_a_snapshot_through_json_changes_nothing(rng: np.random.Generator) -> None:
    x = rng.standard_normal(90)
    times = _START_NS + np.cumsum(rng.integers(1, _HOUR_NS, size=90))

    def run(*, interrupted: bool) -> list[object]:
        states = [RunningMoments(), SlidingRms(8), Ewma(600.0), LinearTrend(confidence=0.95)]
        for i, (value, time_ns) in enumerate(zip(x, times, strict=True)):
            if interrupted and i % 7 == 0:
                states = [type(s).restore(json.loads(json.dumps(s.snapshot(), allow_nan=False))) for s in states]
            running, sliding, ewma, trend = states
            running.update(value)
            last = [sliding.update(value), ewma.update(value, time_ns=time_ns), trend.update(value, time_ns=time_ns)]
        return [*last, *(state.snapshot() for state in states)]

    assert run(interrupted=True) == run(interrupted=False)


def test_reset_is_a_fresh_start(rng: np.random.Generator) -> None:
    for state in (RunningMoments(), SlidingRms(4), Ewma(2.0), LinearTrend(confidence=0.9)):
        fresh = state.snapshot()
        for i, value in enumerate(rng.standard_normal(9)):
            state.update(value, **({"time_ns": i} if isinstance(state, Ewma | LinearTrend) else {}))
        assert state.snapshot() != fresh
        state.reset()
        assert state.snapshot() == fresh


def test_broken_snapshots_are_refused() -> None:
    with pytest.raises(ParameterError, match="snapshot without 'sums'"):
        RunningMoments.restore({"n": 1})
    with pytest.raises(ParameterError, match="2 finite numbers"):
        Ewma.restore({"time_constant_s": 1.0, "sums": [math.nan, 1.0], "last_ns": 0})
    with pytest.raises(ParameterError, match="4 finite numbers"):
        SlidingRms.restore({"length": 3, "n": 1, "head": [1.0], "tail": [0.0]})
    with pytest.raises(ParameterError, match="a snapshot counts -1"):
        LinearTrend.restore({"confidence": 0.9, "n": -1, "times_ns": [0, 0], "sums": [0.0] * 5})
    with pytest.raises(ParameterError, match="a confidence of 1"):
        LinearTrend(confidence=1.0)
