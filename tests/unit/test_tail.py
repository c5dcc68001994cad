"""The tail of healthy scores against SciPy's distribution, at rates beyond those seen, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from features.errors import ParameterError
from models.tail import FEWEST_SCORES, Tail, pareto_by_moments


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_moments_recover_the_distribution_drawn_from(shape: float) -> None:
    grid = (np.arange(20_000) + 0.5) / 20_000
    found = pareto_by_moments(scipy.stats.genpareto.ppf(grid, shape, scale=2.0))
    assert found == pytest.approx((shape, 2.0), abs=0.02)


@pytest.mark.parametrize("shape", [0.0, 0.25])
def test_level_and_rate_are_those_of_scipy_and_undo_each_other(shape: float) -> None:
    tail = Tail(start=1.5, share=0.2, shape=shape, scale=0.4)
    for rate in (0.2, 1e-2, 1e-6):
        level = tail.level(rate)
        assert level == pytest.approx(1.5 + scipy.stats.genpareto.isf(rate / 0.2, shape, scale=0.4))
        assert tail.rate(level) == pytest.approx(rate)


def test_the_stated_rate_is_kept_beyond_the_scores_seen(rng: np.random.Generator) -> None:
    passed = []
    for _ in range(200):
        level = Tail.learn(rng.gamma(9.0, 0.1, 120)).level(1e-3)
        passed.append(scipy.stats.gamma.sf(level, 9.0, scale=0.1))
    assert 1e-4 < float(np.mean(passed)) < 3e-3


def test_a_bounded_tail_is_taken_as_an_exponential_one(rng: np.random.Generator) -> None:
    tail = Tail.learn(rng.uniform(0.0, 1.0, 1000))
    assert tail.shape == 0.0
    assert tail.scale == pytest.approx(0.1, rel=0.2)
    assert tail.level(1e-6) > 1.0


@pytest.mark.parametrize(
    ("scores", "match"),
    [
        (np.linspace(0.0, 1.0, FEWEST_SCORES - 1), "29 scores were given; 30 finite ones"),
        (np.append(np.linspace(0.0, 1.0, 40), np.nan), "30 finite ones or more"),
        (np.ones(50), "scores must vary"),
    ],
)
def test_scores_that_say_nothing_are_refused(scores: np.ndarray, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        Tail.learn(scores)


def test_rates_and_levels_outside_the_tail_are_refused() -> None:
    tail = Tail(start=1.0, share=0.2, shape=0.0, scale=1.0)
    for rate in (0.0, 0.3):
        with pytest.raises(ParameterError, match=r"above 0, up to 0\.2 is wanted"):
            tail.level(rate)
    with pytest.raises(ParameterError, match="1 or more is wanted"):
        tail.rate(0.5)


@pytest.mark.parametrize("excesses", [np.zeros(2), np.full(5, 0.3)])
def test_excesses_that_do_not_vary_are_refused(excesses: np.ndarray) -> None:
    with pytest.raises(ParameterError, match=f"{excesses.size} excesses were given.*not all alike"):
        pareto_by_moments(excesses)


def test_a_tail_of_excesses_that_are_alike_is_exponential() -> None:
    """Medians over time repeat each other; the excesses of one value divided zero by zero."""
    tail = Tail.learn(np.repeat([1.0, 1.5], [32, 8]))
    assert (tail.start, tail.share, tail.shape, tail.scale) == (1.0, 0.2, 0.0, 0.5)
