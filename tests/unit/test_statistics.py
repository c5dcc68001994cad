"""Statistics against SciPy and closed forms of a sine."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from features.statistics import moments, ratio, zero_crossing_rate


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.gamma(2.0, size=(3, 5, 1024)) - 1.0


def test_moments_agree_with_scipy(x: np.ndarray) -> None:
    m = moments(x)
    np.testing.assert_allclose(m.skewness, scipy.stats.skew(x, axis=-1))
    np.testing.assert_allclose(m.kurtosis, scipy.stats.kurtosis(x, axis=-1, fisher=False))
    np.testing.assert_allclose(m.std, x.std(axis=-1))
    np.testing.assert_allclose(m.rms, np.sqrt((x**2).mean(axis=-1)))
    np.testing.assert_allclose(m.peak_to_peak, np.ptp(x, axis=-1))


def test_higher_moments_are_their_definitions(x: np.ndarray) -> None:
    m = moments(x)
    standardised = (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True)
    np.testing.assert_allclose(m.hyperskewness, (standardised**5).mean(axis=-1))
    np.testing.assert_allclose(m.hyperflatness, (standardised**6).mean(axis=-1))
    np.testing.assert_allclose(m.deviation, x - x.mean(axis=-1, keepdims=True), atol=1e-12)


def test_higher_moments_of_a_gaussian(rng: np.random.Generator) -> None:
    m = moments(rng.standard_normal((1, 4_000_000)))
    assert m.kurtosis == pytest.approx(3.0, abs=0.02)
    assert m.hyperflatness == pytest.approx(15.0, abs=0.4)
    assert m.hyperskewness == pytest.approx(0.0, abs=0.1)


def test_factors_of_a_sine_are_the_textbook_ones() -> None:
    t = np.arange(100_000) / 100_000
    m = moments(np.sin(2 * np.pi * 5 * t))
    assert m.crest_factor == pytest.approx(np.sqrt(2), rel=1e-6)
    assert m.shape_factor == pytest.approx(np.pi / (2 * np.sqrt(2)), rel=1e-6)
    assert m.impulse_factor == pytest.approx(np.pi / 2, rel=1e-6)
    assert m.kurtosis == pytest.approx(1.5, rel=1e-6)


def test_clearance_factor_is_its_definition(x: np.ndarray) -> None:
    peak = np.abs(x).max(axis=-1)
    slow = [
        [p / np.mean([abs(v) ** 0.5 for v in row]) ** 2 for row, p in zip(a, b, strict=True)]
        for a, b in zip(x, peak, strict=True)
    ]
    np.testing.assert_allclose(moments(x).clearance_factor, slow)


def test_zero_crossings_of_a_sine_are_two_each_period() -> None:
    t = (np.arange(10_000) + 0.5) / 10_000
    assert zero_crossing_rate(np.sin(2 * np.pi * 50 * t)) * 9_999 == pytest.approx(99)


def test_an_offset_does_not_wash_the_variance_away() -> None:
    x = 1e4 + np.sin(np.linspace(0, 40 * np.pi, 4096, endpoint=False))
    assert moments(x).std == pytest.approx(np.sqrt(0.5), rel=1e-6)


@pytest.mark.parametrize("gain", [1e-12, 1e9])
def test_single_precision_neither_overflows_nor_vanishes(x: np.ndarray, gain: float) -> None:
    single, double = moments((gain * x).astype(np.float32)), moments(x)
    np.testing.assert_allclose(single.hyperflatness, double.hyperflatness, rtol=1e-4)
    np.testing.assert_allclose(single.std, gain * double.std, rtol=1e-5)


def test_single_precision_keeps_shapes_beside_an_offset(x: np.ndarray) -> None:
    offset = (x.astype(np.float32).astype(np.float64) + 1000.0).astype(np.float32)
    single, double = moments(offset), moments(offset.astype(np.float64))
    np.testing.assert_allclose(single.mean, double.mean, rtol=1e-7)
    np.testing.assert_allclose(single.skewness, double.skewness, rtol=1e-4)
    np.testing.assert_allclose(single.hyperskewness, double.hyperskewness, rtol=1e-4)


def test_silence_has_no_shape() -> None:
    m = moments(np.full((2, 256), 0.1, dtype=np.float32))
    np.testing.assert_array_equal(m.kurtosis, [3.0, 3.0])
    np.testing.assert_array_equal(m.skewness, [0.0, 0.0])
    np.testing.assert_array_equal(m.hyperflatness, [15.0, 15.0])
    np.testing.assert_array_equal(m.deviation, np.zeros((2, 256)))
    np.testing.assert_array_equal(m.std, [0.0, 0.0])
    assert ratio(np.ones(1), np.zeros(1))[0] == 0.0
