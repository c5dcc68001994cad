"""Inputs of a bearing's remaining life: from the past alone, over the bearing's own start, against slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from bearings import grown_history

from features.errors import ParameterError
from models.datasets.femto import RunToFailure
from models.life.bearing_history import (
    INDICATORS,
    INPUTS,
    BearingHistory,
    causal_inputs,
    history_of,
    moments,
    trailing_means,
)


@pytest.fixture(scope="module")
def history() -> BearingHistory:
    return grown_history("Bearing1_1", 6000.0, seed=1)


def test_inputs_do_not_see_later_snapshots(history: BearingHistory) -> None:
    whole = causal_inputs(history)
    for n in (1, 2, 40, 299):
        np.testing.assert_array_equal(causal_inputs(history.until(n)), whole[:n])


def test_inputs_do_not_see_how_long_the_bearing_will_last(history: BearingHistory) -> None:
    other = BearingHistory(history.name, history.age_s, history.indicators, 2.0 * history.life_s)
    np.testing.assert_array_equal(causal_inputs(other), causal_inputs(history))


def test_a_gain_of_the_sensors_changes_no_input(history: BearingHistory) -> None:
    gain = np.log(3.0) * np.array([name != "kurtosis" for name in INDICATORS])
    louder = BearingHistory(history.name, history.age_s, history.indicators + gain, history.life_s)
    np.testing.assert_allclose(causal_inputs(louder), causal_inputs(history), atol=1e-9)


def test_a_jump_is_the_last_minute_over_the_last_third(history: BearingHistory) -> None:
    values, age_s, at = history.indicators, history.age_s, 250
    smooth = [np.median(values[max(i - 2, 0) : i + 1], axis=0) if i > 1 else values[0] for i in range(at + 1)]
    columns = [INDICATORS.index(f"octave_rms_{i}") for i in (3, 4, 5)]
    broad = np.stack(smooth)[:, columns].mean(axis=1)
    since = age_s[at] - age_s[: at + 1]
    wanted = broad[since < 60.0].mean() - broad[since < age_s[at] / 3.0].mean()
    found = causal_inputs(history, ("age", "jump"))[at]
    np.testing.assert_allclose(found, [np.log(age_s[at] / 3600.0), wanted], rtol=1e-9)


def test_the_healthy_start_is_the_first_ten_minutes() -> None:
    age_s = 10.0 * np.arange(1, 201)
    level = np.where(age_s <= 600.0, 1.0, 1.5)
    indicators = np.column_stack([np.tile(level[:, None], len(INDICATORS) - 1), np.full(200, np.log(3.0))])
    level_input = causal_inputs(BearingHistory("b", age_s, indicators, 2000.0), ("rms", "level", "kurtosis"))
    np.testing.assert_allclose(level_input[59], 0.0, atol=1e-12)
    np.testing.assert_allclose(level_input[-1], [0.5, 0.5, 0.0], atol=1e-12)


def test_trailing_means_are_those_of_a_loop(rng: np.random.Generator) -> None:
    values, age_s = rng.standard_normal((50, 2)), np.cumsum(rng.uniform(5.0, 30.0, 50))
    slow = [values[(age_s > age - 45.0) & (age_s <= age)].mean(axis=0) for age in age_s]
    np.testing.assert_allclose(trailing_means(values, age_s, 45.0), slow, rtol=1e-12)


def test_indicators_are_levels_of_both_directions_in_logarithms() -> None:
    time_s = np.arange(2560) / 25_600.0
    sines = np.stack([3.0 * np.sin(2 * np.pi * 1000.0 * time_s), 4.0 * np.sin(2 * np.pi * 1000.0 * time_s)])
    run = RunToFailure(
        name="b",
        accel_g=np.tile(sines, (2, 1, 1)).astype(np.float32),
        snapshots=np.array([1, 2]),
        age_s=np.array([10.0, 20.0]),
        rul_s=np.array([30.0, 20.0]),
        rate_hz=25_600.0,
        shaft_hz=30.0,
        load_n=4000.0,
    )
    found = history_of(run)
    assert found.life_s == 40.0
    assert found.rul_s.tolist() == [30.0, 20.0]
    # RMS of the two sines together, half the sum of squares of 3 and 4 over root two; all of it from 800 to 1600 Hz.
    wanted = np.log(np.sqrt(25.0 / 4.0))
    np.testing.assert_allclose(found.indicators[:, INDICATORS.index("rms")], wanted, atol=1e-5)
    np.testing.assert_allclose(found.indicators[:, INDICATORS.index("octave_rms_4")], wanted, atol=1e-4)
    # A sine's kurtosis is 3/2.
    np.testing.assert_allclose(found.indicators[:, INDICATORS.index("kurtosis")], np.log(1.5), atol=1e-4)


def test_moments_are_the_last_snapshots_before_a_share(history: BearingHistory) -> None:
    rows = moments(history, np.array([0.0, 0.1, 0.5, 1.0]))
    assert history.age_s[rows].tolist() == [20.0, 600.0, 3000.0, 6000.0]


def test_what_is_no_history_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"indicators of shape \(2, 3\) with 2 ages; 9 for each age"):
        BearingHistory("b", np.array([10.0, 20.0]), np.zeros((2, 3)), 30.0)
    with pytest.raises(ParameterError, match="ages must rise from above 0 to at most the life of 15"):
        BearingHistory("b", np.array([10.0, 20.0]), np.zeros((2, len(INDICATORS))), 15.0)


def test_an_unknown_input_is_refused(history: BearingHistory) -> None:
    with pytest.raises(ParameterError, match=f"inputs smell were asked for; known are {', '.join(INPUTS)}"):
        causal_inputs(history, ("age", "smell"))
