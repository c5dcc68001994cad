"""Spectral kurtosis and kurtogram against slow twins, and against signals whose kurtosis is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.signal

from features.errors import ParameterError
from features.kurtogram import kurtogram, kurtogram_grid, spectral_kurtosis

RATE_HZ = 12_000.0


def ringing(rng: np.random.Generator, *, hz: float, n: int = 48_000, noise: float = 0.1) -> np.ndarray:
    """Impacts at 30 Hz that ring at one resonance, in noise."""
    strikes = np.zeros(n)
    strikes[:: int(RATE_HZ / 30)] = 1.0
    omega, radius = 2 * np.pi * hz / RATE_HZ, 0.95
    ring = scipy.signal.lfilter([np.sin(omega)], [1.0, -2 * radius * np.cos(omega), radius**2], strikes)
    return ring + noise * rng.standard_normal(n)


def test_spectral_kurtosis_agrees_with_its_definition(rng: np.random.Generator) -> None:
    x, n, hop = rng.standard_normal(600) ** 3, 64, 16
    window = scipy.signal.get_window("hann", n)
    rows = np.array([np.fft.fft(x[i : i + n] * window) for i in range(0, x.size - n + 1, hop)])
    f, k = spectral_kurtosis(x, RATE_HZ, n_window=n)
    assert (f[0], f[-1], f.size) == (2 * RATE_HZ / n, (n // 2 - 2) * RATE_HZ / n, n // 2 - 3)
    for frequency, ours in zip(f, k, strict=True):
        line = np.abs(rows[:, round(frequency * n / RATE_HZ)])
        assert ours == pytest.approx(np.mean(line**4) / np.mean(line**2) ** 2 - 2.0, rel=1e-6)


def test_spectral_kurtosis_of_noise_is_zero_at_every_line(rng: np.random.Generator) -> None:
    _, k = spectral_kurtosis(rng.standard_normal(200_000), RATE_HZ, n_window=128)
    # At least 1562 independent windows: deviation 2 / sqrt(1562) = 0.05.
    assert np.abs(k).max() < 0.25
    assert abs(k.mean()) < 0.02


def test_spectral_kurtosis_of_a_tone_is_minus_one() -> None:
    t = np.arange(24_000) / RATE_HZ
    f, k = spectral_kurtosis(np.sin(2 * np.pi * 3000.0 * t), RATE_HZ, n_window=128)
    assert k[f == 3000.0][0] == pytest.approx(-1.0, abs=1e-6)


def test_spectral_kurtosis_peaks_at_the_resonance_that_impacts_excite(rng: np.random.Generator) -> None:
    f, k = spectral_kurtosis(ringing(rng, hz=3700.0), RATE_HZ, n_window=128)
    assert f[k.argmax()] == pytest.approx(3700.0, abs=200.0)
    assert k.max() > 3.0
    assert np.abs(k[f < 1500.0]).max() < 1.0


@pytest.mark.parametrize("rms", [1e-3, 1.0, 1e3])
def test_kurtosis_does_not_depend_on_the_level(rng: np.random.Generator, rms: float) -> None:
    x = ringing(rng, hz=3700.0, n=12_000)
    for ours, reference in (
        (spectral_kurtosis(rms * x, RATE_HZ, n_window=64)[1], spectral_kurtosis(x, RATE_HZ, n_window=64)[1]),
        (kurtogram(rms * x, RATE_HZ, levels=3).kurtosis, kurtogram(x, RATE_HZ, levels=3).kurtosis),
    ):
        np.testing.assert_allclose(ours, reference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_silence_and_constants_have_no_kurtosis(value: float) -> None:
    x = np.full((2, 8192), value)
    np.testing.assert_array_equal(spectral_kurtosis(x, RATE_HZ, n_window=64)[1], np.zeros((2, 29)))
    found = kurtogram(x, RATE_HZ, levels=3)
    np.testing.assert_array_equal(found.kurtosis, np.zeros((2, 24)))
    np.testing.assert_array_equal(found.best_band_hz[1], [6000.0, 6000.0])


# --- kurtogram ---


def test_the_grid_is_the_one_third_binary_tree() -> None:
    rows = kurtogram_grid(4)
    assert [row.bands for row in rows] == [1, 2, 3, 4, 6, 8, 12, 16]
    # Antoni (2007) writes the rows between as 1.6, 2.6, 3.6.
    assert [round(row.level, 1) for row in rows] == [0.0, 1.0, 1.6, 2.0, 2.6, 3.0, 3.6, 4.0]
    assert [row.bands for row in kurtogram_grid(0)] == [1]


def test_every_row_covers_the_spectrum_without_gap(rng: np.random.Generator) -> None:
    found = kurtogram(rng.standard_normal(4096), RATE_HZ, levels=4)
    for row in kurtogram_grid(4):
        own = found.level == row.level
        low = (found.centre_hz - 0.5 * found.width_hz)[own]
        high = (found.centre_hz + 0.5 * found.width_hz)[own]
        assert (low[0], high[-1]) == (0.0, pytest.approx(RATE_HZ / 2))
        np.testing.assert_allclose(low[1:], high[:-1])


@pytest.mark.parametrize("n", [6000, 6001])
def test_kurtogram_agrees_with_scipy_hilbert_of_each_band(rng: np.random.Generator, n: int) -> None:
    x = ringing(rng, hz=3700.0, n=n)
    found = kurtogram(x, RATE_HZ, levels=3)
    spectrum = scipy.fft.rfft(x)
    bins = np.arange(spectrum.size)
    for centre, width, ours in zip(found.centre_hz, found.width_hz, found.kurtosis, strict=True):
        low, high = (np.rint(edge * (n // 2) * 2 / RATE_HZ) for edge in (centre - width / 2, centre + width / 2))
        # The highest bin is real in an even transform, which Hilbert treats apart: those bands are left to the others.
        if high >= n // 2 or low < 1:
            continue
        kept = np.where((bins >= low) & (bins < high), spectrum, 0.0)
        power = np.abs(scipy.signal.hilbert(scipy.fft.irfft(kept, n=n))) ** 2
        assert ours == pytest.approx(np.mean(power**2) / np.mean(power) ** 2 - 2.0, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("hz", [1900.0, 3700.0, 4800.0])
def test_the_best_band_holds_the_resonance_that_impacts_excite(rng: np.random.Generator, hz: float) -> None:
    found = kurtogram(ringing(rng, hz=hz), RATE_HZ, levels=5)
    low, high = found.best_band_hz
    assert low < hz < high
    assert high - low <= RATE_HZ / 6
    assert found.kurtosis[found.best] > 3.0


def test_kurtogram_of_noise_is_zero(rng: np.random.Generator) -> None:
    found = kurtogram(rng.standard_normal(120_000), RATE_HZ, levels=4)
    # The narrowest bands have 3750 bins: deviation 2 / sqrt(3750) = 0.03 at most.
    assert np.abs(found.kurtosis).max() < 0.15


def test_a_tone_reads_minus_one_in_its_band_and_nothing_elsewhere() -> None:
    found = kurtogram(np.tile(np.sin(2 * np.pi * np.arange(6) / 6), 2000), RATE_HZ, levels=2)
    holds = np.abs(found.centre_hz - 2000.0) < 0.5 * found.width_hz
    np.testing.assert_allclose(found.kurtosis[holds], -1.0, atol=1e-9)
    # The tone lies on the edge between two thirds: the upper one has it.
    np.testing.assert_array_equal(found.kurtosis[found.centre_hz + 0.5 * found.width_hz < 1999.0], 0.0)


def test_a_batch_is_its_rows(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4096)).astype(np.float32)
    found = kurtogram(x, RATE_HZ, levels=3)
    _, k = spectral_kurtosis(x, RATE_HZ, n_window=64)
    assert found.kurtosis.shape == (2, 3, 24)
    assert found.best.shape == (2, 3)
    row = kurtogram(x[1, 2], RATE_HZ, levels=3)
    np.testing.assert_allclose(found.kurtosis[1, 2], row.kurtosis, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(k[1, 2], spectral_kurtosis(x[1, 2], RATE_HZ, n_window=64)[1], rtol=1e-4, atol=1e-5)


def test_a_short_signal_is_refused() -> None:
    with pytest.raises(ParameterError, match="depth 6 of 2048 samples has bands of 16 bins; at least 32"):
        kurtogram(np.ones(2048), RATE_HZ, levels=6)
    with pytest.raises(ParameterError, match="depth -1; 0 or more"):
        kurtogram(np.ones(2048), RATE_HZ, levels=-1)
    with pytest.raises(ParameterError, match="100 samples in windows of 64"):
        spectral_kurtosis(np.ones(100), RATE_HZ, n_window=64)
    with pytest.raises(ParameterError, match="in windows of 4; at least 8"):
        spectral_kurtosis(np.ones(100), RATE_HZ, n_window=4)
