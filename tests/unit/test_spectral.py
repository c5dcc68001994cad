"""Spectra against Parseval, closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.signal

from features.errors import ParameterError
from features.spectral import amplitude_spectrum, band_rms, bin_power, centroid_spread_hz, octave_edges


@pytest.mark.parametrize("n", [1024, 1023])
def test_bin_power_sums_to_the_mean_square(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal((4, n))
    power = bin_power(scipy.fft.rfft(x, axis=-1), n)
    np.testing.assert_allclose(power.sum(axis=-1), (x**2).mean(axis=-1))


def test_bands_of_octaves_add_up_to_all_but_the_mean(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4096)) + 0.5
    power = bin_power(scipy.fft.rfft(x, axis=-1), 4096)
    bands = band_rms(power, octave_edges(power.shape[-1], 7))
    np.testing.assert_allclose((bands**2).sum(axis=-1), x.var(axis=-1))


def test_a_tone_falls_into_its_octave() -> None:
    x = np.sin(2 * np.pi * 1000 * np.arange(4096) / 12_800)
    power = bin_power(scipy.fft.rfft(x), 4096)
    bands = band_rms(power, octave_edges(power.shape[-1], 7))
    # Nyquist is 6400 Hz; 1000 Hz lies from 800 to 1600 Hz, the third octave from above.
    assert int(bands.argmax()) == 4
    assert bands[4] == pytest.approx(np.sqrt(0.5), rel=1e-2)


@pytest.mark.parametrize("hz", [100.0, 1234.5, 5000.0])
def test_a_sine_of_one_g_reads_one_g_near_its_bin(hz: float) -> None:
    rate_hz, n = 12_800.0, 12_800
    f, a = amplitude_spectrum(np.sin(2 * np.pi * np.round(hz) * np.arange(n) / rate_hz), rate_hz)
    assert f[a.argmax()] == pytest.approx(np.round(hz))
    assert a.max() == pytest.approx(1.0, rel=1e-3)


def test_amplitude_spectrum_agrees_with_scipy_welch(rng: np.random.Generator) -> None:
    x = rng.standard_normal(2048)
    _, scaled = scipy.signal.welch(x, 1000.0, window="hann", nperseg=2048, scaling="spectrum", detrend="constant")
    _, ours = amplitude_spectrum(x, 1000.0)
    np.testing.assert_allclose(ours[1:-1] ** 2 / 2.0, scaled[1:-1], rtol=1e-5)


def test_centroid_and_spread_of_two_tones(rng: np.random.Generator) -> None:
    del rng
    t = np.arange(8000) / 8000
    x = np.sin(2 * np.pi * 1000 * t) + np.sin(2 * np.pi * 3000 * t)
    centroid, spread = centroid_spread_hz(bin_power(scipy.fft.rfft(x), 8000), 8000.0)
    assert centroid == pytest.approx(2000.0)
    assert spread == pytest.approx(1000.0)


def test_bands_beyond_the_spectrum_are_refused() -> None:
    with pytest.raises(ParameterError, match="ends at bin 20 of a spectrum of 11"):
        band_rms(np.ones(11), np.array([1, 20]))
    with pytest.raises(ParameterError, match="cannot be cut into 7 octaves"):
        octave_edges(33, 7)
