"""Drift: each measure beside a second source, what chance does, and what is seen."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from features.errors import ParameterError
from models.drift import (
    Drift,
    effective_size,
    feature_drift,
    kolmogorov_smirnov,
    population_stability,
    score_shift,
    stability_by_chance,
)


def _shares(values: np.ndarray, edges: list[float]) -> list[float]:
    """Shares of bins, value by value."""
    counts = [0.5] * (len(edges) + 1)
    for value in values.tolist():
        counts[sum(value >= edge for edge in edges)] += 1
    return [count / sum(counts) for count in counts]


def test_the_stability_index_is_both_relative_entropies(rng: np.random.Generator) -> None:
    reference, recent = rng.standard_normal(300), 0.4 + 1.3 * rng.standard_normal(170)
    edges = np.quantile(reference, np.arange(1, 10) / 10).tolist()
    p, q = _shares(reference, edges), _shares(recent, edges)
    expected = scipy.stats.entropy(p, q) + scipy.stats.entropy(q, p)
    assert population_stability(reference, recent) == pytest.approx(expected, rel=1e-12)


def test_the_stability_index_of_constants_is_finite() -> None:
    assert population_stability(np.ones(50), np.ones(50)) == pytest.approx(0.0)
    assert 1.0 < population_stability(np.ones(50), np.zeros(50)) < 20.0


def test_chance_passes_its_level_as_often_as_it_says(rng: np.random.Generator) -> None:
    found = [population_stability(rng.standard_normal(400), rng.standard_normal(300)) for _ in range(600)]
    share = np.mean(np.array(found) > stability_by_chance(400, 300, probability=0.05))
    assert 0.03 < share < 0.075


def test_the_kolmogorov_smirnov_statistic_is_the_largest_gap(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal(80), rng.standard_normal(60) + 0.5
    places = np.concatenate([a, b])
    gaps = [abs(np.mean(a <= x) - np.mean(b <= x)) for x in places]
    assert kolmogorov_smirnov(a, b) == pytest.approx(max(gaps))


def test_the_chance_of_a_gap_is_scipys_where_windows_are_independent(rng: np.random.Generator) -> None:
    # Alternating values have no positive correlation of neighbours: each counts for itself.
    a = np.array([x for pair in zip(np.sort(rng.random(40)), -np.sort(rng.random(40)), strict=True) for x in pair])
    b = a + 0.35
    (found,) = feature_drift(a[:, None], b[:, None], names=["x"])
    assert found.p_value == pytest.approx(float(scipy.stats.ks_2samp(a, b, method="asymp").pvalue), rel=1e-9)


def test_neighbours_that_are_alike_count_less() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(20_000)
    x = np.zeros(noise.size)
    for i in range(1, x.size):
        x[i] = 0.8 * x[i - 1] + noise[i]
    # The variance of the mean of such a process is (1 + r) / (1 - r) times that of independent values.
    assert effective_size(x) == pytest.approx(x.size * 0.2 / 1.8, rel=0.1)


def test_what_moved_is_named_first_and_what_did_not_is_left(rng: np.random.Generator) -> None:
    reference, recent = rng.standard_normal((200, 12)), rng.standard_normal((200, 12))
    recent[:, 7] += 1.5
    names = [f"f{i}" for i in range(12)]
    found = feature_drift(reference, recent, names=names)
    assert [one.name for one in found if one.drifted] == ["f7"]
    assert found[0].name == "f7"
    scores = np.abs(rng.standard_normal(200))
    assert not Drift(found, score_shift(scores, np.abs(rng.standard_normal(200)), threshold=3.0)).drifted
    assert Drift(found, score_shift(scores, scores + 1.0, threshold=3.0)).drifted


def test_slow_wandering_is_no_drift(rng: np.random.Generator) -> None:
    """Speeds and loads that wander alike in both, seen in another phase."""
    time = np.arange(240)
    wander = np.stack([np.sin(2 * np.pi * time / 60 + phase) for phase in (0.0, 1.0, 2.5)], axis=1)
    noisy = wander + 0.1 * rng.standard_normal(wander.shape)
    found = feature_drift(noisy[:120], noisy[120:], names=["a", "b", "c"])
    assert not any(one.drifted for one in found)


def test_the_score_shift_is_the_share_of_pairs(rng: np.random.Generator) -> None:
    a, b = rng.random(50), rng.random(40) * 1.5
    pairs = np.mean(b[:, None] > a[None, :])
    found = score_shift(a, b, threshold=1.0)
    assert found.superiority == pytest.approx(float(pairs))
    assert found.ratio == pytest.approx(float(np.median(b) / np.median(a)))
    assert found.passing == pytest.approx(float(np.mean(b > 1.0)))


def test_too_few_windows_are_refused(rng: np.random.Generator) -> None:
    few, many = rng.random((10, 2)), rng.random((50, 2))
    with pytest.raises(ParameterError, match="30 windows or more"):
        feature_drift(many, few, names=["a", "b"])
    with pytest.raises(ParameterError, match="30 windows or more"):
        feature_drift(many, many, names=["a"])
    with pytest.raises(ParameterError, match="30 or more"):
        score_shift(few[:, 0], many[:, 0], threshold=1.0)
