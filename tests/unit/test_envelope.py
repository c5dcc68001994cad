"""Envelope spectra against SciPy's Hilbert transform and known modulations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.signal

from features.envelope import envelope_spectrum, line_contrast, squared_envelope, whitened
from features.errors import ParameterError


def test_squared_envelope_agrees_with_scipy_hilbert(rng: np.random.Generator) -> None:
    n = 1024
    low, high = 100, 300
    spectrum = scipy.fft.rfft(rng.standard_normal(n))
    kept = np.zeros_like(spectrum)
    kept[low:high] = spectrum[low:high]
    reference = np.abs(scipy.signal.hilbert(scipy.fft.irfft(kept, n=n))) ** 2
    ours = squared_envelope(spectrum, n, low=low, high=high)
    # Ours is sampled at another rate over the same time: the spectra of both must agree where both have content.
    a, b = scipy.fft.rfft(reference) / n, scipy.fft.rfft(ours) / ours.size
    m = high - low
    np.testing.assert_allclose(np.abs(b[:m]), np.abs(a[:m]), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("whiten", [True, False])
def test_a_modulation_shows_at_its_frequency(rng: np.random.Generator, whiten: bool) -> None:
    rate_hz, n = 12_800.0, 8192
    t = np.arange(n) / rate_hz
    x = (1 + 0.8 * np.cos(2 * np.pi * 100 * t)) * rng.standard_normal(n)
    f, a = envelope_spectrum(x, rate_hz, whiten=whiten)
    assert f[1:][a[1:].argmax()] == pytest.approx(100.0, abs=f[1])


def test_silence_has_a_flat_zero_envelope_spectrum() -> None:
    _, a = envelope_spectrum(np.zeros((2, 1024), dtype=np.float32), 1000.0)
    np.testing.assert_array_equal(a, np.zeros_like(a))


def test_whitening_leaves_unit_power(rng: np.random.Generator) -> None:
    x = scipy.signal.lfilter([1.0], [1.0, -1.6, 0.9], rng.standard_normal(8192))
    power = np.abs(whitened(scipy.fft.rfft(x))) ** 2
    bands = power[: 32 * 128].reshape(32, 128).mean(axis=-1)
    assert bands.min() > 0.8
    assert bands.max() < 1.25


def test_line_contrast_finds_a_line_within_slip(rng: np.random.Generator) -> None:
    f = np.arange(1000) * 1.0
    a = rng.rayleigh(1.0, 1000)
    a[203] = 40.0
    assert line_contrast(f, a, 200.0) > 20.0
    assert line_contrast(f, a, 300.0) < 6.0
    assert line_contrast(f, a, 2000.0) == 0.0


def test_an_empty_band_is_refused() -> None:
    with pytest.raises(ParameterError, match="bin 9 to 9 of 17 bins"):
        squared_envelope(np.ones(17, dtype=complex), 32, low=9, high=9)
