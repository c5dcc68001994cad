"""Laws that every registered feature obeys."""

from __future__ import annotations

import numpy as np
import pytest

import features.contract
from features.contract import FULL, NODE, REGISTRY, Feature, Signals, extract
from features.errors import ParameterError

each_feature = pytest.mark.parametrize("feature", REGISTRY, ids=lambda feature: feature.name)


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(2048) / 12_800
    return 0.3 * np.sin(2 * np.pi * 130 * t) + 0.1 * rng.standard_normal((4, 2048)) ** 3 + 0.02


@each_feature
def test_a_gain_scales_levels_and_leaves_shapes(feature: Feature, x: np.ndarray) -> None:
    before = feature.compute(Signals(x, 12_800.0))
    after = feature.compute(Signals(10.0 * x, 12_800.0))
    np.testing.assert_allclose(after, before * 10.0**feature.growth, rtol=1e-9)


@each_feature
def test_a_batch_is_its_windows(feature: Feature, x: np.ndarray) -> None:
    batch = feature.compute(Signals(x.reshape(2, 2, -1), 12_800.0))
    assert batch.shape == (2, 2)
    single = [feature.compute(Signals(row, 12_800.0)) for row in x]
    np.testing.assert_allclose(batch.ravel(), single, rtol=1e-9)


@each_feature
@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
def test_a_constant_window_is_finite(feature: Feature, value: float) -> None:
    assert np.isfinite(feature.compute(Signals(np.full((1, 1024), value), 12_800.0))).all()


# A packet filter bank is not symmetric in time; everything else is.
@pytest.mark.parametrize("feature", [f for f in REGISTRY if not f.name.startswith("packet")], ids=lambda f: f.name)
def test_mirroring_time_changes_nothing(feature: Feature, x: np.ndarray) -> None:
    after = feature.compute(Signals(x[..., ::-1].copy(), 12_800.0))
    np.testing.assert_allclose(after, feature.compute(Signals(x, 12_800.0)), rtol=1e-9)


def test_extraction_is_the_features_in_order(x: np.ndarray) -> None:
    table = extract(x, 12_800.0, profile=FULL)
    assert table.dtype == np.float32
    for i, feature in enumerate(FULL.features):
        np.testing.assert_allclose(table[:, i], feature.compute(Signals(x, 12_800.0)), rtol=1e-5)


def test_large_batches_equal_small_ones(rng: np.random.Generator) -> None:
    x = rng.standard_normal((100, 512)).astype(np.float32)
    whole = extract(x, 1000.0, profile=FULL)
    parts = np.concatenate([extract(part, 1000.0, profile=FULL) for part in np.array_split(x, 7)])
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-6)


def test_names_are_unique_and_the_node_profile_is_a_part() -> None:
    assert len(set(FULL.names)) == len(FULL.names)
    assert set(NODE.names) < set(FULL.names)


def test_the_hash_follows_definitions_and_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = features.contract.Profile("full", (*REGISTRY[:-1], Feature("new", "1", "d", "s", REGISTRY[-1].compute)))
    assert renamed.hash != FULL.hash
    before = features.contract.Profile("full", REGISTRY).hash
    monkeypatch.setitem(features.contract.CONSTANTS, "wavelet", "db8")
    assert features.contract.Profile("full", REGISTRY).hash != before == FULL.hash


def test_unknown_names_and_rates_are_refused() -> None:
    with pytest.raises(ParameterError, match="has no feature 'nonsense'"):
        FULL.index("nonsense")
    with pytest.raises(ParameterError, match="rate of 0"):
        extract(np.zeros((1, 1024)), 0.0, profile=FULL)


def test_one_transform_serves_all_spectral_features(monkeypatch: pytest.MonkeyPatch, x: np.ndarray) -> None:
    calls = []
    real = features.contract.scipy.fft.rfft
    monkeypatch.setattr(features.contract.scipy.fft, "rfft", lambda *a, **k: calls.append(1) or real(*a, **k))
    extract(x, 12_800.0, profile=FULL)
    assert len(calls) == 1
