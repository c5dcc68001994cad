"""The published systems tell what differs in spectrum, repeat under a seed, and select what varies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from features.bearing import bearing_named
from models.bearing.classical import (
    SELECTED,
    NetworkOnSelected,
    baseline_features,
    classical,
    select_by_loadings,
    spectrum_levels,
)
from models.bearing.windows import BearingWindows, FaultClassifier

_N, _RATE_HZ = 1024, 12_000.0
_TONES_HZ = {"normal": 350.0, "inner": 1550.0, "outer": 3050.0, "ball": 4550.0}


def _windows(rng: np.random.Generator, *, each: int) -> tuple[BearingWindows, NDArray[np.str_]]:
    labels = np.repeat(list(_TONES_HZ), each)
    tones = np.repeat(list(_TONES_HZ.values()), each)[:, None]
    phases = rng.uniform(0.0, 6.3, (labels.size, 1))
    x = np.sin(2.0 * np.pi * tones * np.arange(_N) / _RATE_HZ + phases) + 0.5 * rng.standard_normal((labels.size, _N))
    orders = bearing_named("6205-2RS").orders
    return BearingWindows(x.astype(np.float32), _RATE_HZ, np.full(labels.size, 30.0), orders), labels


@pytest.mark.parametrize("system", classical(), ids=lambda system: system.name)
def test_each_system_beats_chance_on_windows_it_has_not_seen(rng: np.random.Generator, system: FaultClassifier) -> None:
    train, labels = _windows(rng, each=25)
    test, truth = _windows(rng, each=10)
    named = system.fit(train, labels, seed=1).predict(test)
    assert named.shape == truth.shape
    assert np.mean(named == truth) > 0.6


@pytest.mark.parametrize("system", classical(), ids=lambda system: system.name)
def test_each_system_repeats_under_a_seed(rng: np.random.Generator, system: FaultClassifier) -> None:
    train, labels = _windows(rng, each=10)
    noise, _ = _windows(rng, each=5)
    first = system.fit(train, labels, seed=3).predict(noise)
    assert (system.fit(train, labels, seed=3).predict(noise) == first).all()


def test_band_levels_show_a_tone_in_its_band(rng: np.random.Generator) -> None:
    windows, labels = _windows(rng, each=1)
    levels = spectrum_levels(windows)
    assert levels.shape == (4, 64)
    for row, label in zip(levels, labels, strict=True):
        assert row.argmax() == int(_TONES_HZ[label] / (_RATE_HZ / 2.0) * 64)


def test_band_levels_of_silence_are_finite() -> None:
    silent = BearingWindows(np.zeros((1, 256), np.float32), 12_000.0, np.ones(1), bearing_named("6205-2RS").orders)
    assert (spectrum_levels(silent) == -20.0).all()


def test_correlated_features_are_selected_before_lone_ones(rng: np.random.Generator) -> None:
    shared = rng.standard_normal((500, 1))
    x = np.concatenate([rng.standard_normal((500, 4)), shared + 0.1 * rng.standard_normal((500, 4))], axis=1)
    assert set(select_by_loadings(x / x.std(axis=0), n=4)) == {4, 5, 6, 7}


def test_the_selection_is_made_on_training_windows(rng: np.random.Generator) -> None:
    train, labels = _windows(rng, each=10)
    model = NetworkOnSelected(seed=0).fit(baseline_features(train), labels)
    kept = model.kept.copy()
    assert kept.size == SELECTED
    model.predict(baseline_features(_windows(rng, each=2)[0]))
    assert (model.kept == kept).all()
