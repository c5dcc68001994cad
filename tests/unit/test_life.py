"""Remaining life: who learns from what, figures against closed forms, and each system beats predicting the mean."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from one_pass import one_pass

from features.errors import ParameterError, RecordingError
from models.datasets.cmapss import Turbofans
from models.life.babu import learn_babu
from models.life.baselines import BASELINES, learn_baseline, statistics
from models.life.evaluation import SYSTEMS, evaluate_cmapss, measure
from models.life.metrics import Estimates, judge, nasa_score, rmse
from models.life.ours import LifeNetwork, calibrated, learn_ours, running_means
from models.life.protocol import (
    CAP,
    Normaliser,
    Unit,
    cut_short,
    held_out,
    run_to_failure,
    targets,
    truncated,
    windows,
)

_CONDITIONS = np.array([[0.0, 0.0, 100.0], [25.0, 0.62, 60.0]])


def _fleet(count: int, *, seed: int, conditions: int = 2) -> list[Unit]:
    """Units whose three moving sensors drift ever faster towards the failure; each condition has its own level."""
    rng = np.random.default_rng(seed)
    units = []
    for number in range(1, count + 1):
        life = int(rng.integers(130, 220))
        wear = np.exp(-np.arange(life)[::-1] / 40.0)
        condition = rng.integers(0, conditions, life)
        moving = 50.0 * condition[:, None] + wear[:, None] * [3.0, -2.0, 1.0] + 0.2 * rng.standard_normal((life, 3))
        constant = np.full((life, 1), 518.67)
        settings = _CONDITIONS[condition] + 0.003 * rng.standard_normal((life, 3)) * [1.0, 0.1, 0.0]
        units.append(Unit(number, settings, np.concatenate([constant, moving], axis=1)))
    return units


@pytest.fixture(scope="module")
def learning() -> list[Unit]:
    return _fleet(16, seed=1)


@pytest.fixture(scope="module")
def judged() -> list[Unit]:
    return truncated(_fleet(20, seed=2), cuts=2, shortest=20, seed=3)


def _table() -> Turbofans:
    rows = np.zeros((5, 26))
    rows[:, 0], rows[:, 1] = [1, 1, 1, 2, 2], [1, 2, 3, 1, 2]
    rows[:, 5:] = np.arange(5)[:, None]
    return Turbofans("FD001", tuple(f"c{i}" for i in range(26)), rows, rows, np.array([4, 200], dtype=np.int32))


def test_training_units_end_in_the_failure_and_test_units_before_it() -> None:
    assert [targets(unit).tolist() for unit in run_to_failure(_table())] == [[2, 1, 0], [1, 0]]
    assert [targets(unit).tolist() for unit in cut_short(_table())] == [[6, 5, 4], [CAP, CAP]]
    assert [unit.sensors[0, 0] for unit in cut_short(_table())] == [0.0, 3.0]


def test_as_many_remaining_lives_as_units_are_wanted() -> None:
    table = _table()
    fewer = Turbofans(table.name, table.columns, table.train, table.test, table.rul[:1])
    with pytest.raises(ParameterError, match="2 units were given with 1 remaining lives; one for each"):
        cut_short(fewer)


def test_a_unit_without_rows_is_refused() -> None:
    with pytest.raises(ParameterError, match="unit 7 was given 0 rows of settings and 0 of sensors"):
        Unit(7, np.empty((0, 3)), np.empty((0, 21)))


def test_no_unit_is_on_both_sides_and_each_is_held_out_once(learning: list[Unit]) -> None:
    folds = held_out(learning, folds=4, seed=5)
    for inside, outside in folds:
        assert not {u.number for u in inside} & {u.number for u in outside}
        assert len(inside) + len(outside) == len(learning)
    assert sorted(u.number for _, outside in folds for u in outside) == [u.number for u in learning]


@pytest.mark.parametrize("folds", [1, 17])
def test_more_folds_than_units_or_fewer_than_two_are_refused(learning: list[Unit], folds: int) -> None:
    with pytest.raises(ParameterError, match=f"16 units were to be dealt to {folds} folds; 2 to 16 are wanted"):
        held_out(learning, folds=folds, seed=0)


def test_cut_histories_are_starts_of_their_unit_that_remember_what_was_cut_off(learning: list[Unit]) -> None:
    cut = truncated(learning, cuts=3, shortest=20, seed=0)
    whole = {unit.number: unit for unit in learning}
    assert len({(u.number, len(u)) for u in cut}) == len(cut) == 3 * len(learning)
    for unit in cut:
        assert len(unit) >= 20
        assert len(unit) + unit.left == len(whole[unit.number])
        np.testing.assert_array_equal(unit.sensors, whole[unit.number].sensors[: len(unit)])


def test_normalisation_is_learned_on_training_units_only(learning: list[Unit], judged: list[Unit]) -> None:
    normaliser = Normaliser.learn(learning)
    shifted = [Unit(u.number, u.settings, u.sensors + 7.0, u.left) for u in judged]
    spread = normaliser.spread[normaliser.conditions(judged[0])]
    moved = normaliser.apply(shifted[0]) - normaliser.apply(judged[0])
    np.testing.assert_allclose(moved, 7.0 / spread, rtol=1e-4)


def test_each_condition_has_mean_zero_and_spread_one_and_constant_sensors_are_dropped(learning: list[Unit]) -> None:
    normaliser = Normaliser.learn(learning)
    assert normaliser.kept.tolist() == [1, 2, 3]
    condition = np.concatenate([normaliser.conditions(u) for u in learning])
    values = np.concatenate([normaliser.apply(u) for u in learning])
    assert normaliser.settings.tolist() == [[0.0, 100.0], [25.0, 60.0]]
    for c in (0, 1):
        np.testing.assert_allclose(values[condition == c].mean(axis=0), 0.0, atol=1e-4)
        np.testing.assert_allclose(values[condition == c].std(axis=0), 1.0, atol=1e-4)


def test_a_sensor_that_is_constant_in_one_condition_is_zero_there(learning: list[Unit]) -> None:
    still = []
    for unit in learning:
        sensors = unit.sensors.copy()
        sensors[unit.settings[:, 0] > 10, 1] = 3.0
        still.append(Unit(unit.number, unit.settings, sensors))
    normaliser = Normaliser.learn(still)
    values, condition = normaliser.apply(still[0]), normaliser.conditions(still[0])
    assert not values[condition == 1, 0].any()
    assert values[condition == 0, 0].any()


def test_no_units_or_no_moving_sensor_are_refused(learning: list[Unit]) -> None:
    with pytest.raises(ParameterError, match="a normaliser was given no units"):
        Normaliser.learn([])
    dead = [Unit(u.number, u.settings, u.sensors[:, :1]) for u in learning]
    with pytest.raises(ParameterError, match="none of 1 sensors varies"):
        Normaliser.learn(dead)


def test_a_window_of_no_rows_is_refused() -> None:
    with pytest.raises(ParameterError, match="windows of 0 rows were asked for"):
        windows(np.ones((3, 1)), 0)


def test_slopes_are_those_of_the_least_squares_line(rng: np.random.Generator) -> None:
    values = rng.standard_normal((40, 2))
    slopes = statistics(values, length=30)[-1, 4:]
    np.testing.assert_allclose(slopes, np.polyfit(np.arange(30), values[-30:], 1)[0])
    with pytest.raises(ParameterError, match="statistics over 1 rows"):
        statistics(values, length=1)


def test_running_means_are_means_of_what_the_history_has(rng: np.random.Generator) -> None:
    values = rng.uniform(-1, 1, (90, 1))
    got = running_means(values, spans=(5, 100))
    np.testing.assert_allclose(got[3, :2], values[:4].mean(), rtol=1e-5)
    change = values[60:90].mean() - values[30:60].mean()
    wanted = [values[85:].mean(), values.mean(), change, values[:20].mean(), 0.45]
    np.testing.assert_allclose(got[-1], wanted, rtol=1e-5)
    assert not got[:30, 2].any()


def test_estimates_do_not_see_later_rows(rng: np.random.Generator) -> None:
    values = rng.standard_normal((80, 2))
    np.testing.assert_array_equal(running_means(values)[:50], running_means(values[:50]))
    np.testing.assert_array_equal(statistics(values, length=30)[:50], statistics(values[:50], length=30))


def test_late_costs_more_than_early() -> None:
    assert rmse([1.0, 2.0], [4.0, -2.0]) == pytest.approx(math.sqrt(12.5))
    assert nasa_score([10.0], [0.0]) == pytest.approx(math.e - 1)
    assert nasa_score([0.0], [13.0]) == pytest.approx(math.e - 1)
    assert nasa_score([5.0], [5.0]) == 0.0


def test_the_cap_holds_for_error_and_coverage_but_not_for_the_uncapped_figures() -> None:
    estimates = Estimates(np.array([125.0, 20.0]), np.array([120.0, 21.0]), np.array([125.0, 25.0]))
    figures = judge(estimates, [138.0, 20.0])
    assert figures["rmse"] == 0.0
    assert figures["rmse_uncapped"] == pytest.approx(13.0 / math.sqrt(2.0))
    assert figures["score"] == pytest.approx(math.e - 1)
    assert (figures["coverage90"], figures["width90"]) == (0.5, 4.5)
    assert judge(Estimates(estimates.left), [138.0, 20.0])["coverage90"] is None


def test_estimates_and_truths_of_different_number_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"estimates of shape \(2,\) were given with truths of shape \(1,\)"):
        rmse([1.0, 2.0], [1.0])


def test_the_conformal_quantile_holds_ninety_percent(rng: np.random.Generator) -> None:
    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        truths = rng.normal(50.0, 10.0, n)
        return np.tile([50.0, 49.0, 51.0], (n, 1)), truths

    by = calibrated(*draw(2000))
    _, truths = draw(20000)
    assert np.mean(np.abs(truths - 50.0) <= 1.0 + by) == pytest.approx(0.9, abs=0.03)
    assert calibrated(*draw(8)) == math.inf


def _error_of_the_mean(learning: list[Unit], judged: list[Unit]) -> float:
    mean = float(np.concatenate([targets(u) for u in learning]).mean())
    return rmse(np.full(len(judged), mean), [min(u.left, CAP) for u in judged])


@pytest.mark.parametrize("name", BASELINES)
def test_each_baseline_beats_the_mean(name: str, learning: list[Unit], judged: list[Unit]) -> None:
    figures = judge(learn_baseline(name, learning, seed=0)(judged), [u.left for u in judged])
    assert figures["rmse"] < 0.7 * _error_of_the_mean(learning, judged)


def test_an_unknown_baseline_is_refused(learning: list[Unit]) -> None:
    with pytest.raises(ParameterError, match="a baseline 'oracle' was asked for; known are ridge, forest, boosting"):
        learn_baseline("oracle", learning, seed=0)


def test_babu_beats_the_mean(learning: list[Unit], judged: list[Unit]) -> None:
    figures = judge(learn_babu(learning, seed=0, steps=250)(judged), [u.left for u in judged])
    assert figures["rmse"] < 0.7 * _error_of_the_mean(learning, judged)


def test_ours_beats_the_mean_with_intervals_that_hold_their_estimate(learning: list[Unit], judged: list[Unit]) -> None:
    estimates = learn_ours(learning, seed=0, steps=250)(judged)
    figures = judge(estimates, [u.left for u in judged])
    assert figures["rmse"] < 0.7 * _error_of_the_mean(learning, judged)
    assert figures["coverage90"] >= 0.75
    assert estimates.low is not None
    assert estimates.high is not None
    assert np.all((estimates.low >= 0) & (estimates.low <= estimates.left))
    assert np.all((estimates.left <= estimates.high) & (estimates.high <= CAP))


def test_ours_repeats_under_a_seed_and_fits_a_node(learning: list[Unit], judged: list[Unit]) -> None:
    with one_pass():
        first, again, other = (LifeNetwork.learn(learning, seed=s, steps=3) for s in (3, 3, 4))
        np.testing.assert_array_equal(first(judged), again(judged))
        assert not np.array_equal(first(judged), other(judged))
    assert first.model.count_params() < 100_000


def test_too_few_units_for_an_interval_are_refused(learning: list[Unit]) -> None:
    with pytest.raises(ParameterError, match="7 units were given; at least 8 are wanted"):
        learn_ours(learning[:7], seed=0)


def test_a_measure_over_seeds_is_their_mean_and_spread(learning: list[Unit], judged: list[Unit]) -> None:
    told: list[int] = []
    alone = [measure("forest", learning, judged, seeds=[s], progress=told.append) for s in (1, 2)]
    both = measure("forest", learning, judged, seeds=[1, 2], progress=told.append)
    errors = [figures["rmse"] for figures in alone]
    assert both["rmse"] == pytest.approx(np.mean(errors))
    assert both["rmse_spread"] == pytest.approx(abs(errors[0] - errors[1]) / math.sqrt(2))
    assert (alone[0]["rmse_spread"], both["seeds"], told) == (None, 2, [1, 1, 1, 2])


def test_unknown_systems_subsets_and_no_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=f"systems oracle were asked for; known are {', '.join(SYSTEMS)}"):
        evaluate_cmapss(tmp_path, subsets=["FD001"], systems=["oracle"], seeds=1, seed=0)
    with pytest.raises(ParameterError, match="0 seeds were asked for"):
        evaluate_cmapss(tmp_path, subsets=["FD001"], systems=["ridge"], seeds=0, seed=0)
    with pytest.raises(RecordingError, match="FD009"):
        evaluate_cmapss(tmp_path, subsets=["FD009"], systems=["ridge"], seeds=1, seed=0)
