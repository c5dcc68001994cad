"""Scalograms against a slow sum over time, PyWavelets and closed forms of sines at the edges."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
import scipy.stats

from features.errors import ParameterError
from features.scalogram import scalogram

_RATE_HZ = 1000.0


@pytest.mark.parametrize("w0", [6.0, 12.0])
def test_amplitudes_agree_with_the_slow_sum(rng: np.random.Generator, w0: float) -> None:
    x = rng.standard_normal((2, 400))
    frequencies = [25.0, 55.0, 130.0]
    ours = scalogram(x, _RATE_HZ, frequencies_hz=frequencies, columns=400, w0=w0).amplitude
    t = np.arange(400) / _RATE_HZ
    for i, hz in enumerate(frequencies):
        deviation = w0 / (2 * np.pi * hz)
        for k in (0, 57, 200, 399):
            wavelet = np.exp(-0.5 * ((t - t[k]) / deviation) ** 2 - 2j * np.pi * hz * (t - t[k]))
            slow = np.abs(x @ wavelet) * 2.0 / (deviation * np.sqrt(2 * np.pi) * _RATE_HZ)
            np.testing.assert_allclose(ours[:, i, k], slow, rtol=2e-4, atol=2e-5)


def test_amplitudes_of_a_chirp_agree_with_pywavelets() -> None:
    t = np.arange(4000) / _RATE_HZ
    x = np.sin(2 * np.pi * (10.0 + 5.0 * t) * t)
    hz = np.array([16.0, 25.0, 40.0])
    # Its wavelet has a variance of B / 2 at unit scale, and unit energy where ours has unit amplitude.
    scales = 6.0 / (2 * np.pi) * _RATE_HZ / hz
    wavelet = pywt.ContinuousWavelet(f"cmor2.0-{6.0 / (2 * np.pi)}")
    reference, _ = pywt.cwt(x, scales, wavelet, precision=14)
    wanted = 2.0 * np.abs(reference) / np.sqrt(scales)[:, None]
    ours = scalogram(x, _RATE_HZ, frequencies_hz=hz, columns=4000).amplitude
    np.testing.assert_allclose(ours[:, 500:-500], wanted[:, 500:-500], atol=0.01)
    assert wanted.max() > 0.9


@pytest.mark.parametrize("hz", [37.3, 100.0, 250.0])
def test_a_sine_of_two_g_reads_two_g_at_its_frequency(hz: float) -> None:
    x = 2.0 * np.sin(2 * np.pi * hz * np.arange(2000) / _RATE_HZ)
    result = scalogram(x, _RATE_HZ, frequencies_hz=[hz / 2, hz, hz * 1.5], columns=100)
    assert result.amplitude[1, 50] == pytest.approx(2.0, rel=1e-4)
    assert result.amplitude[:, 50].argmax() == 1


def test_at_the_edge_of_the_cone_eight_percent_are_missing() -> None:
    x = np.cos(2 * np.pi * 100.0 * np.arange(2000) / _RATE_HZ)
    result = scalogram(x, _RATE_HZ, frequencies_hz=[100.0], columns=2000, w0=20.0)
    deviation = result.edge_s[0] / np.sqrt(2)
    assert deviation == pytest.approx(20.0 / (2 * np.pi * 100.0))
    for distance in (0.0, np.sqrt(2), 3.0):
        k = round(distance * deviation * _RATE_HZ)
        # Half a sample: the first stands for the time around it.
        wanted = scipy.stats.norm.cdf((k + 0.5) / _RATE_HZ / deviation)
        assert result.amplitude[0, k] == pytest.approx(wanted, abs=0.01)
        assert result.amplitude[0, -1 - k] == pytest.approx(wanted, abs=0.01)
    assert scipy.stats.norm.cdf(np.sqrt(2)) == pytest.approx(0.92, abs=0.002)


def test_columns_keep_the_largest_of_their_samples(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 1003)).astype(np.float32)
    fine = scalogram(x, _RATE_HZ, frequencies_hz=[50.0, 200.0], columns=5000)
    coarse = scalogram(x, _RATE_HZ, frequencies_hz=[50.0, 200.0], columns=100)
    assert fine.amplitude.shape == (3, 2, 1003)
    assert fine.amplitude.dtype == np.float32
    np.testing.assert_allclose(fine.times_s, np.arange(1003) / _RATE_HZ)
    # Eleven samples a column fill 91 and leave two for the last.
    assert coarse.amplitude.shape == (3, 2, 92)
    np.testing.assert_array_equal(coarse.amplitude[..., 0], fine.amplitude[..., :11].max(axis=-1))
    np.testing.assert_array_equal(coarse.amplitude[..., -1], fine.amplitude[..., 1001:].max(axis=-1))
    assert coarse.times_s[[0, -1]].tolist() == [0.005, 1.0015]


def test_an_impact_stands_at_its_time_and_the_end_does_not_wrap() -> None:
    x = np.zeros(1000)
    x[990] = 1.0
    amplitude = scalogram(x, _RATE_HZ, frequencies_hz=[100.0], columns=1000).amplitude[0]
    assert amplitude.argmax() == 990
    assert amplitude[:900].max() < 1e-6
    assert not scalogram(np.zeros(64), _RATE_HZ, frequencies_hz=[100.0], columns=8).amplitude.any()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"frequencies_hz": [100.0, 500.0]}, "asked at 500 Hz; above 0 and below Nyquist, 500 Hz"),
        ({"frequencies_hz": [float("nan")]}, "asked at nan Hz"),
        ({"frequencies_hz": []}, r"frequencies of shape \(0,\)"),
        ({"frequencies_hz": [20.0]}, r"100 samples .* at 20 Hz, where .* from 27\.01 Hz on"),
        ({"columns": 0}, "0 columns"),
        ({"w0": 4.0}, r"w0 = 4\.0 was asked; at least 5"),
        ({"rate_hz": 0.0}, r"rate of 0\.0 Hz"),
    ],
)
def test_what_cannot_be_transformed_is_refused(given: dict[str, object], match: str) -> None:
    arguments: dict[str, object] = {"rate_hz": _RATE_HZ, "frequencies_hz": [100.0], "columns": 10}
    with pytest.raises(ParameterError, match=match):
        scalogram(np.ones(100), **(arguments | given))  # type: ignore[arg-type]
