"""Remaining life of bearings: figures against closed forms, systems beat chance, and no bearing judges itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bearings import grown_history, six_histories

from edge.convert import to_tflite_int8
from features.errors import ParameterError
from models.life.bearing_baselines import learn_mean_life, learn_trend, onset
from models.life.bearing_conformal import MOMENTS, left_out, widening, with_intervals
from models.life.bearing_figures import LifeEstimates, challenge_scores, judge_bearing
from models.life.bearing_history import INDICATORS, BearingHistory, moments
from models.life.bearing_network import LEVELS, BearingNetwork, Networks, Recipe, pinball, training_rows
from models.life.bearing_ours import Setting, choose_setting
from models.life.bearing_protocol import BASELINES, SYSTEMS, femto_life, learn_system

_RECIPE = Recipe(("age", "jump", "level"), 0.5, 1.6)
_SETTING = Setting(_RECIPE, 3)


@pytest.fixture(scope="module")
def bearings() -> list[BearingHistory]:
    return six_histories()


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(steps=150)


def test_the_challenge_score_is_that_of_its_formula() -> None:
    true = np.full(5, 200.0)
    estimated = np.array([200.0, 100.0, 160.0, 210.0, 220.0])
    error = 100.0 * (true - estimated) / true
    slow = [np.exp(-np.log(0.5) * e / 5.0) if e <= 0 else np.exp(np.log(0.5) * e / 20.0) for e in error]
    np.testing.assert_allclose(challenge_scores(estimated, true), slow)
    assert challenge_scores(estimated, true).tolist()[2:4] == pytest.approx([0.5, 0.5])


def test_figures_of_a_bearing_are_means_over_its_moments() -> None:
    estimates = LifeEstimates(np.array([90.0, 60.0]), np.array([50.0, 55.0]), np.array([110.0, 65.0]))
    figures = judge_bearing(estimates, [100.0, 50.0], late=[False, True])
    assert figures["mae_s"] == 10.0
    assert figures["rmse_s"] == 10.0
    assert figures["late_error_percent"] == pytest.approx(20.0)
    assert figures["score"] == pytest.approx((0.5**0.5 + 0.5**4) / 2)
    assert (figures["coverage90"], figures["width90_s"]) == (0.5, 35.0)


@pytest.mark.parametrize(("estimated", "true"), [([1.0], [0.0]), ([1.0], [1.0, 2.0]), ([], [])])
def test_truths_without_life_left_or_of_another_number_are_refused(estimated: list[float], true: list[float]) -> None:
    with pytest.raises(ParameterError, match="as many of both are wanted, at least one, with remaining life left"):
        challenge_scores(estimated, true)


def test_the_mean_life_less_the_age_never_falls_below_nothing(bearings: list[BearingHistory]) -> None:
    estimate = learn_mean_life(bearings[1:])
    long = grown_history("long", 20_000.0, seed=9)
    found = estimate(long, np.array([0, len(long.age_s) - 1]))
    lives = np.array([b.life_s for b in bearings[1:]])
    assert found.rul_s.tolist() == [lives.mean() - 20.0, 0.0]
    # 2.132 is Student's 95 % quantile of four degrees of freedom, from a printed table.
    half = 2.132 * lives.std(ddof=1) * np.sqrt(1.2)
    assert found.high_s[0] == pytest.approx(lives.mean() + half - 20.0, rel=1e-3)


def _exponential(life_s: float, *, rate: float, final: float) -> BearingHistory:
    """Level of `final` at the end, reached exponentially at this rate after a silent start of 1,000 s."""
    age_s = np.arange(10.0, life_s + 1.0, 10.0)
    level = np.maximum(final - rate * (life_s - age_s), 0.0) * (age_s > 1000.0)
    ripple = 1e-3 * (-1.0) ** np.arange(len(age_s))
    return BearingHistory("b", age_s, np.tile((level + ripple)[:, None], len(INDICATORS)), life_s)


def test_a_trend_of_exact_growth_is_run_on_to_the_level_where_others_failed() -> None:
    others = [_exponential(life_s, rate=1e-3, final=3.0) for life_s in (4000.0, 5000.0, 6000.0)]
    one = _exponential(5500.0, rate=1e-3, final=3.0)
    rows = np.array([400, 450, 500])
    found = learn_trend(others, seed=1)(one, rows)
    # The level of a minute lags by 25 s, here as where the others failed.
    np.testing.assert_allclose(found.rul_s, one.rul_s[rows], rtol=0.02)
    assert np.all((found.low_s <= found.rul_s) & (found.rul_s <= found.high_s))


def test_before_the_onset_the_trend_says_what_the_mean_life_says() -> None:
    others = [_exponential(life_s, rate=1e-3, final=3.0) for life_s in (4000.0, 5000.0, 6000.0)]
    one, rows = _exponential(5500.0, rate=1e-3, final=3.0), np.array([10, 100])
    np.testing.assert_array_equal(
        learn_trend(others, seed=1)(one, rows).rul_s, learn_mean_life(others)(one, rows).rul_s
    )


def test_four_high_levels_in_a_row_are_no_onset() -> None:
    age_s = 10.0 * np.arange(1, 101)
    level = 0.01 * (-1.0) ** np.arange(100)
    level[70:74] = 1.0
    assert onset(level, age_s) is None
    level[74] = 1.0
    assert onset(level, age_s) == 70


def test_too_few_bearings_are_refused(bearings: list[BearingHistory]) -> None:
    with pytest.raises(ParameterError, match="2 bearings were given to learn from; at least 3 are wanted"):
        learn_mean_life(bearings[:2])
    with pytest.raises(ParameterError, match="3 bearings were given; more than 3 are wanted to leave one of them out"):
        left_out(bearings[:3])


def test_intervals_are_widened_by_whole_bearings(rng: np.random.Generator) -> None:
    outside = [rng.standard_normal(18) for _ in range(5)]
    # The least widening by which each bearing has 90 % of 18 moments, 17 of them, inside.
    assert widening(outside) == max(np.sort(values)[16] for values in outside)


def test_conformal_intervals_hold_ninety_percent_of_each_bearing_left_out(bearings: list[BearingHistory]) -> None:
    learned: list[set[str]] = []

    def learn(some: Any) -> Any:
        learned.append({bearing.name for bearing in some})
        return lambda _, rows: np.tile(np.log(np.full(len(rows), 2000.0))[:, None], 3)

    estimate = with_intervals(learn, bearings)
    for one in bearings:
        rows = moments(one, MOMENTS)
        found = estimate(one, rows)
        assert np.mean((found.low_s <= one.rul_s[rows]) & (one.rul_s[rows] <= found.high_s)) >= 0.9
    assert learned[:-1] == [{b.name for b in bearings} - {one.name} for one in bearings]


def _error_of_the_mean(learning: list[BearingHistory], one: BearingHistory) -> float:
    known = np.concatenate([bearing.rul_s[moments(bearing, MOMENTS)] for bearing in learning])
    return float(np.abs(known.mean() - one.rul_s[moments(one, MOMENTS)]).mean())


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_beats_chance_with_intervals_that_hold_the_estimate(
    system: str, bearings: list[BearingHistory], networks: Networks
) -> None:
    learning, one = bearings[:4], bearings[5]
    rows = moments(one, MOMENTS)
    found = learn_system(system, learning, seed=1, setting=_SETTING, networks=networks)(one, rows)
    assert np.abs(found.rul_s - one.rul_s[rows]).mean() < 0.7 * _error_of_the_mean(learning, one)
    assert np.all((found.low_s >= 0.0) & (found.low_s <= found.rul_s) & (found.rul_s <= found.high_s))


def test_an_unknown_system_is_refused(bearings: list[BearingHistory], networks: Networks) -> None:
    with pytest.raises(ParameterError, match=f"a system 'oracle' was asked for; known are {', '.join(SYSTEMS)}"):
        learn_system("oracle", bearings, seed=1, setting=_SETTING, networks=networks)
    with pytest.raises(ParameterError, match="ours was to learn without a setting"):
        learn_system("ours", bearings, seed=1, setting=None, networks=networks)


def test_stretched_lives_keep_the_vibration_and_move_age_and_target_alike(bearings: list[BearingHistory]) -> None:
    rows, wanted = training_rows(bearings[:1], inputs=("age", "jump"), stretch=1.6)
    by_factor, targets = rows.reshape(5, -1, 2), wanted.reshape(5, -1)
    np.testing.assert_allclose(by_factor[4, :, 0] - by_factor[2, :, 0], np.log(1.6))
    np.testing.assert_array_equal(by_factor[4, :, 1], by_factor[0, :, 1])
    np.testing.assert_allclose((targets[4] - targets[0])[:-5], 2.0 * np.log(1.6))


def test_the_pinball_loss_is_least_at_the_quantiles(rng: np.random.Generator) -> None:
    truths = rng.standard_normal(2000)
    right = np.tile(np.quantile(truths, LEVELS), (2000, 1))
    assert pinball(right, truths) < min(pinball(right + 0.1, truths), pinball(right - 0.1, truths))


def test_a_network_repeats_under_a_seed_and_is_learned_once(bearings: list[BearingHistory]) -> None:
    one, rows = bearings[0], np.arange(0, 300, 50)
    kept = Networks(steps=20)
    first = kept.learn(bearings[1:], recipe=_RECIPE, seed=3)
    again = BearingNetwork.learn(bearings[1:], recipe=_RECIPE, seed=3, steps=20)
    np.testing.assert_array_equal(first(one, rows), again(one, rows))
    assert kept.learn(bearings[:0:-1], recipe=_RECIPE, seed=3) is first
    assert len(kept) == 1


def test_the_integer_network_fits_a_node(bearings: list[BearingHistory]) -> None:
    network = BearingNetwork.learn(bearings, recipe=_RECIPE, seed=3, steps=5)
    inputs = network.scaled(bearings[0], np.arange(len(bearings[0].age_s)))
    assert len(to_tflite_int8(network.model, inputs)) < 128 * 1024


class _Biased:
    """Networks that are wrong by the noise of their recipe, shorter the lower the level."""

    def __init__(self) -> None:
        self.learned: list[set[str]] = []

    def learn(self, bearings: Any, *, recipe: Recipe, seed: int) -> Any:
        del seed
        self.learned.append({bearing.name for bearing in bearings})
        by_level = recipe.noise + np.array([-2.0, 0.0, 0.3, 0.6, 2.0])
        return lambda history, rows: np.log(history.rul_s[rows])[:, None] + by_level


def test_a_setting_is_the_best_on_bearings_left_out(bearings: list[BearingHistory]) -> None:
    networks: Any = _Biased()
    right, wrong = Recipe(("age",), -0.35, 1.0), Recipe(("age",), 1.0, 1.0)
    found = choose_setting(bearings[:5], seed=1, networks=networks, grid=(wrong, right))
    # Of estimates too short by a factor of e to the 0.35 and 0.05 and too long by that of 0.25 the second scores most.
    assert found == Setting(right, 2)
    everything = {bearing.name for bearing in bearings[:5]}
    assert networks.learned == 2 * [everything - {bearing.name} for bearing in bearings[:5]]


def test_a_bearings_figures_come_from_systems_that_never_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.life import bearing_protocol

    seen: list[tuple[set[str], str]] = []

    def learn(system: str, bearings: Any, **_: Any) -> Any:
        def estimate(history: BearingHistory, rows: Any) -> LifeEstimates:
            seen.append(({b.name for b in bearings}, history.name))
            wrong = 1.1 if system == "ours" else {"forest": 1.05, "trend": 2.0, "mean life": 0.5}[system]
            rul_s = wrong * history.rul_s[rows]
            return LifeEstimates(rul_s, 0.0 * rul_s, 2.0 * rul_s)

        return estimate

    chosen_from: list[set[str]] = []

    def choose(bearings: Any, **_: Any) -> Setting:
        chosen_from.append({b.name for b in bearings})
        return _SETTING

    monkeypatch.setattr(bearing_protocol, "learn_system", learn)
    monkeypatch.setattr(bearing_protocol, "choose_setting", choose)
    told: list[tuple[int, int]] = []
    figures = femto_life(six_histories(), seeds=[1, 2], progress=lambda done, total: told.append((done, total)))
    assert all(name not in known and len(known) == 5 for known, name in seen)
    assert [len(known) for known in chosen_from] == [5] * 6
    assert told[-1] == (told[-1][1], told[-1][1]) == (42, 42)
    rows = {(row["system"], row["bearing"]): row for row in figures["life"]}
    assert len(rows) == len(figures["life"]) == 4 * 7
    mean = rows["ours", "mean"]
    assert mean["lost_to"] == ["forest (error)", "forest (score)"]
    assert mean["score"] == pytest.approx(0.25)
    assert mean["mae_s"] == pytest.approx(np.mean([rows["ours", f"Bearing{b}"]["mae_s"] for b in _LABELS]))
    assert (mean["seeds"], mean["mae_spread_s"], rows["trend", "mean"]["seeds"]) == (2, 0.0, 1)
    assert all(rows[system, "mean"]["lost_to"] is None for system in BASELINES)
    assert figures["life_settings"]["Bearing1_1"] == {
        "inputs": ("age", "jump", "level"),
        "noise": 0.5,
        "stretch": 1.6,
        "quantile": 0.5,
    }


_LABELS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2")


def test_a_protocol_without_seeds_is_refused(bearings: list[BearingHistory]) -> None:
    with pytest.raises(ParameterError, match="no seeds were given"):
        femto_life(bearings, seeds=[], progress=lambda *_: None)
