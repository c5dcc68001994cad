"""Networks of several scales tell tones apart, repeat under a seed, and see images that hold the energy of windows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from one_pass import one_pass

from features.bearing import bearing_named
from features.errors import ParameterError
from models.bearing.multiscale import N_IMAGE, build_ding, build_wang, multiscale, packet_levels, raw_samples
from models.bearing.windows import BearingWindows, FaultClassifier

_RATE_HZ = 12_000.0
_TONES_HZ = {"normal": 350.0, "inner": 1550.0, "outer": 3050.0, "ball": 4550.0}


def _windows(rng: np.random.Generator, *, each: int, n: int) -> tuple[BearingWindows, NDArray[np.str_]]:
    labels = np.repeat(list(_TONES_HZ), each)
    tones = np.repeat(list(_TONES_HZ.values()), each)[:, None]
    phases = rng.uniform(0.0, 6.3, (labels.size, 1))
    x = np.sin(2.0 * np.pi * tones * np.arange(n) / _RATE_HZ + phases) + 0.5 * rng.standard_normal((labels.size, n))
    orders = bearing_named("6205-2RS").orders
    return BearingWindows(x.astype(np.float32), _RATE_HZ, np.full(labels.size, 30.0), orders), labels


@pytest.mark.parametrize("system", multiscale(), ids=lambda system: system.name)
def test_each_system_beats_chance_on_unseen_windows(rng: np.random.Generator, system: FaultClassifier) -> None:
    train, labels = _windows(rng, each=40, n=system.n_samples)
    test, truth = _windows(rng, each=10, n=system.n_samples)
    named = system.fit(train, labels, seed=1).predict(test)
    assert named.shape == truth.shape
    assert np.mean(named == truth) > 0.6


@pytest.mark.parametrize("system", multiscale(), ids=lambda system: system.name)
def test_each_system_repeats_under_a_seed(rng: np.random.Generator, system: FaultClassifier) -> None:
    """In one pass of two batches: all that is drawn is drawn in it."""
    windows, labels = _windows(rng, each=9, n=system.n_samples)
    x = system.front(windows)
    with one_pass():
        first, again, other = (system.learner(seed).fit(x, labels).probabilities(x) for seed in (1, 1, 2))
    # Sums of the parallel branches may round differently from run to run.
    np.testing.assert_allclose(again, first, atol=1e-4)
    assert np.abs(other - first).max() > 0.01


def test_wang_sees_the_samples_as_they_are(rng: np.random.Generator) -> None:
    windows, _ = _windows(rng, each=1, n=2048)
    assert raw_samples(windows) is windows.samples


def test_scales_are_parallel_convolutions_of_their_lengths() -> None:
    import keras

    model = build_wang(keras, (2048,), 4)
    taps = [layer.kernel_size[0] for layer in model.layers if isinstance(layer, keras.layers.Conv1D)]
    assert sorted(taps) == [5, 5, 5, 5, 16, 32, 64, 128]
    assert model.output_shape == (None, 4)


def test_the_multiscale_layer_sees_the_last_convolution_and_the_one_before() -> None:
    import keras

    model = build_ding(keras, (32, 32), 4)
    (joined,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate))
    # 32 by 32 less 4, halved, less 2, halved: 6 by 6 with 20 kernels; less 2: 4 by 4 with 40.
    assert [tuple(given.shape) for given in joined.input] == [(None, 6 * 6 * 20), (None, 4 * 4 * 40)]


def test_images_hold_the_energy_of_their_windows(rng: np.random.Generator) -> None:
    windows, _ = _windows(rng, each=2, n=N_IMAGE)
    image = packet_levels(windows)
    assert image.shape == (8, 32, 32)
    energy = (windows.samples.astype(float) ** 2).sum(axis=-1)
    assert (10.0 ** image.astype(float)).sum(axis=(1, 2)) == pytest.approx(energy, rel=1e-4)


def test_a_tone_is_brightest_in_the_row_of_its_frequency(rng: np.random.Generator) -> None:
    windows, labels = _windows(rng, each=1, n=N_IMAGE)
    energies = (10.0 ** packet_levels(windows)).sum(axis=2)
    for rows, label in zip(energies, labels, strict=True):
        assert rows.argmax() == int(_TONES_HZ[label] / (_RATE_HZ / 2.0) * 32)


def test_silence_is_finite() -> None:
    orders = bearing_named("6205-2RS").orders
    assert (packet_levels(BearingWindows(np.zeros((1, 1024), np.float32), _RATE_HZ, np.ones(1), orders)) == -20.0).all()


def test_windows_that_divide_unevenly_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ParameterError, match="1500 samples has no packet image of level 10"):
        packet_levels(_windows(rng, each=1, n=1500)[0])
