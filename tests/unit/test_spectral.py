"""Spectra against Parseval, closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import scipy.stats

from features.errors import ParameterError
from features.spectral import (
    amplitude_spectrum,
    band_rms,
    bin_power,
    centroid_spread_hz,
    flatness_entropy,
    hann,
    hann_power,
    octave_edges,
    roll_off_hz,
    welch_psd,
)


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


@pytest.mark.parametrize(("n_segment", "overlap"), [(256, 0.5), (255, 0.75), (1000, 0.0)])
def test_density_is_that_of_scipy(rng: np.random.Generator, n_segment: int, overlap: float) -> None:
    x = rng.standard_normal((2, 3, 1000)) + 4.0
    f, ours = welch_psd(x, 500.0, n_segment=n_segment, overlap=overlap)
    wanted_f, wanted = scipy.signal.welch(x, 500.0, nperseg=n_segment, noverlap=int(overlap * n_segment))
    np.testing.assert_allclose(f, wanted_f)
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)


def test_density_integrates_to_the_weighted_mean_square_of_its_segments(rng: np.random.Generator) -> None:
    x = rng.standard_normal(4096)
    f, density = welch_psd(x, 12_800.0, n_segment=512)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    slow = []
    for start in range(0, 4096 - 511, 256):
        segment = x[start : start + 512] - x[start : start + 512].mean()
        slow.append(np.sum((segment * window) ** 2) / np.sum(window**2))
    assert density.sum() * f[1] == pytest.approx(np.mean(slow), rel=1e-9)
    assert density.sum() * f[1] == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"rate_hz": 0.0, "n_segment": 64}, "rate of 0.0 Hz"),
        ({"rate_hz": 1.0, "n_segment": 101}, "101 samples of 100"),
        ({"rate_hz": 1.0, "n_segment": 1}, "1 samples of 100"),
        ({"rate_hz": 1.0, "n_segment": 64, "overlap": 1.0}, "overlap by 1.0"),
    ],
)
def test_impossible_segments_are_refused(given: dict[str, float], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        welch_psd(np.ones(100), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [4, 5, 1023, 1024])
def test_the_window_on_the_bins_is_the_window_on_the_samples(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal((2, n)) + 7.0
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    slow = bin_power(scipy.fft.rfft((x - x.mean(axis=-1, keepdims=True)) * window), n) / np.mean(window**2)
    spectrum = scipy.fft.rfft(x)
    before = spectrum.copy()
    np.testing.assert_allclose(hann_power(spectrum, n), slow, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(spectrum, before)


def test_windowed_power_of_floats_agrees_with_that_of_doubles(rng: np.random.Generator) -> None:
    x = rng.standard_normal(2048).astype(np.float32)
    ours = hann_power(scipy.fft.rfft(x), 2048)
    assert ours.dtype == np.float32
    twin = bin_power(scipy.fft.rfft((x - x.mean()) * hann(2048).astype(float)), 2048) / 0.375
    np.testing.assert_allclose(ours, twin, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.85, 0.95])
def test_roll_off_is_the_first_bin_that_reaches_the_share(rng: np.random.Generator, share: float) -> None:
    power = rng.exponential(size=(5, 101))
    for row, ours in zip(power, roll_off_hz(power, 2000.0, share=share), strict=True):
        summed, k = 0.0, 0
        while summed < share * row[1:].sum():
            k += 1
            summed += row[k]
        assert ours == pytest.approx(k * 10.0)


def test_a_tone_rolls_off_at_itself_and_silence_at_zero() -> None:
    power = np.zeros((2, 65), dtype=np.float32)
    power[0, 40] = 2.0
    assert roll_off_hz(power, 6400.0, share=0.95).tolist() == [2000.0, 0.0]
    with pytest.raises(ParameterError, match=r"share of 1\.0"):
        roll_off_hz(power, 6400.0, share=1.0)


def test_flatness_and_entropy_agree_with_their_definitions(rng: np.random.Generator) -> None:
    power = rng.exponential(size=(4, 300)) + 1e-3
    flatness, entropy = flatness_entropy(power)
    for row, f, h in zip(power[:, 1:], flatness, entropy, strict=True):
        shares = row / row.sum()
        assert f == pytest.approx(scipy.stats.gmean(row) / row.mean(), rel=1e-12)
        assert h == pytest.approx(scipy.stats.entropy(shares) / np.log(299), rel=1e-12)


def test_flatness_and_entropy_of_gaussian_noise_are_those_of_its_exponential_bins(rng: np.random.Generator) -> None:
    power = bin_power(scipy.fft.rfft(rng.standard_normal((64, 4096)).astype(np.float32)), 4096)
    flatness, entropy = flatness_entropy(power)
    assert flatness.mean() == pytest.approx(np.exp(-np.euler_gamma), rel=0.01)
    assert entropy.mean() == pytest.approx(1.0 - (1.0 - np.euler_gamma) / np.log(2048), rel=0.002)


def test_flatness_and_entropy_do_not_follow_a_gain_nor_dc(rng: np.random.Generator) -> None:
    power = rng.exponential(size=1025).astype(np.float32)
    louder = (power * np.float32(1e12)).copy()
    louder[0] = 1e20
    np.testing.assert_allclose(flatness_entropy(louder), flatness_entropy(power), rtol=1e-5)


def test_shapes_of_tone_flat_and_silence() -> None:
    power = np.zeros((3, 1025), dtype=np.float32)
    power[0, 100], power[1, :] = 1.0, 0.25
    flatness, entropy = flatness_entropy(power)
    # All but one of 1024 bins stand at the floor of -100 dB.
    np.testing.assert_allclose(flatness, [(1e-10) ** (1023 / 1024) * 1024 ** (1 / 1024), 1.0, 0.0], rtol=1e-4, atol=0)
    np.testing.assert_allclose(entropy, [0.0, 1.0, 0.0], atol=1e-6)
    with pytest.raises(ParameterError, match="a spectrum of 2 bins"):
        flatness_entropy(np.ones(2))
