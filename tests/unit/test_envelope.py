"""Envelope spectra against SciPy's Hilbert transform and known modulations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.signal

from features.envelope import (
    band_envelope,
    band_envelope_spectra,
    envelope_spectrum,
    phase_only,
    squared_envelope,
    whitened,
)
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


def test_an_empty_band_is_refused() -> None:
    with pytest.raises(ParameterError, match="bin 9 to 9 of 17 bins"):
        squared_envelope(np.ones(17, dtype=complex), 32, low=9, high=9)


def test_phase_only_keeps_the_phases(rng: np.random.Generator) -> None:
    spectrum = scipy.fft.rfft(rng.standard_normal((3, 256)))
    white = phase_only(spectrum)
    np.testing.assert_allclose(np.abs(white), 1.0)
    np.testing.assert_allclose(np.angle(white), np.angle(spectrum))


def test_phase_only_sets_the_cepstrum_to_zero(rng: np.random.Generator) -> None:
    x = scipy.signal.lfilter([1.0], [1.0, -1.6, 0.9], rng.standard_normal(512))
    white = scipy.fft.irfft(phase_only(scipy.fft.rfft(x)), n=512)
    cepstrum = scipy.fft.irfft(np.log(np.abs(scipy.fft.rfft(white))), n=512)
    assert np.abs(cepstrum).max() < 1e-9


def test_phase_only_leaves_silence_and_rounding_silent() -> None:
    np.testing.assert_array_equal(phase_only(np.zeros(5, dtype=complex)), np.zeros(5))
    np.testing.assert_array_equal(phase_only(np.array([1.0, 1e-17j])), [1.0, 0.0])


@pytest.mark.parametrize("n", [1000, 1001])
def test_band_envelope_agrees_with_scipy_hilbert(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal((2, n))
    spectrum = scipy.fft.rfft(x)
    hz = np.arange(spectrum.shape[-1]) * 1000.0 / n
    kept = np.where((hz >= 100.0) & (hz < 250.0), spectrum, 0.0)
    reference = np.abs(scipy.signal.hilbert(scipy.fft.irfft(kept, n=n)))
    np.testing.assert_allclose(band_envelope(x, 1000.0, low_hz=100.0, high_hz=250.0), reference, atol=1e-10)


@pytest.mark.parametrize("n", [1000, 1001])
def test_band_envelope_of_the_whole_spectrum_is_scipys_hilbert(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal(n)
    reference = np.abs(scipy.signal.hilbert(x - x.mean()))
    np.testing.assert_allclose(band_envelope(x, 1000.0, low_hz=0.0, high_hz=500.0), reference, atol=1e-10)


def test_bands_next_to_each_other_share_no_bin() -> None:
    # The envelope of a band is blind to what lies in its neighbour, at the shared edge too.
    t = np.arange(1000) / 1000.0
    edge = np.sin(2 * np.pi * 200.0 * t)
    assert band_envelope(edge, 1000.0, low_hz=100.0, high_hz=200.0).max() < 1e-9
    np.testing.assert_allclose(band_envelope(edge, 1000.0, low_hz=200.0, high_hz=300.0), 1.0)


def test_band_spectra_agree_with_the_spectrum_of_the_band_envelope(rng: np.random.Generator) -> None:
    n, rate_hz, edges = 4000, 4000.0, (200.0, 800.0, 1500.0)
    x = rng.standard_normal(n)
    f, lines = band_envelope_spectra(x, rate_hz, edges_hz=edges, whiten=False)
    assert (f.size, f[1], lines.shape) == (600, 1.0, (2, 600))
    for low, high, ours in zip(edges[:-1], edges[1:], lines, strict=True):
        squared = band_envelope(x, rate_hz, low_hz=low, high_hz=high) ** 2
        reference = np.abs(scipy.fft.rfft(squared / squared.mean() - 1.0))[:600] * 2.0 / n
        np.testing.assert_allclose(ours, reference, atol=1e-10)


def test_band_spectra_show_a_modulation_in_its_own_band_alone(rng: np.random.Generator) -> None:
    rate_hz, n = 12_000.0, 60_000
    t = np.arange(n) / rate_hz
    carrier = scipy.signal.sosfilt(
        scipy.signal.butter(6, [3000.0, 4000.0], "bandpass", fs=rate_hz, output="sos"), rng.standard_normal(n)
    )
    x = (1 + 0.8 * np.cos(2 * np.pi * 90.0 * t)) * carrier + 0.05 * rng.standard_normal(n)
    f, lines = band_envelope_spectra(x, rate_hz, edges_hz=(600.0, 2400.0, 4200.0, 6000.0), whiten=True)
    at = round(90.0 / f[1])
    assert lines[1].argmax() == at
    assert lines[1, at] > 4.0 * max(lines[0, at], lines[2, at])


def test_band_spectra_of_silence_are_zero() -> None:
    _, lines = band_envelope_spectra(np.zeros((3, 1024)), 1000.0, edges_hz=(50.0, 200.0, 500.0), whiten=True)
    np.testing.assert_array_equal(lines, np.zeros((3, 2, lines.shape[-1])))


@pytest.mark.parametrize("edges", [(200.0, 200.0), (300.0, 200.0), (-1.0, 200.0), (100.0, 501.0)])
def test_an_impossible_band_is_refused(edges: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="0 <= low < high <= Nyquist"):
        band_envelope(np.ones(100), 1000.0, low_hz=edges[0], high_hz=edges[1])
    with pytest.raises(ParameterError, match="0 <= low < high <= Nyquist"):
        band_envelope_spectra(np.ones(100), 1000.0, edges_hz=edges, whiten=False)


def test_a_single_edge_makes_no_band() -> None:
    with pytest.raises(ParameterError, match="between 1 edges; at least two"):
        band_envelope_spectra(np.ones(100), 1000.0, edges_hz=(100.0,), whiten=False)
