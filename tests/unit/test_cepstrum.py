"""Cepstra against the series of an echo, and prewhitening against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from features.cepstrum import cepstral_prewhitened, power_cepstrum, real_cepstrum
from features.errors import ParameterError


@pytest.mark.parametrize("n", [1000, 1001])
def test_an_echo_follows_its_series(n: int) -> None:
    x = np.zeros((2, n))
    x[:, 0] = [1.0, 50.0]
    x[:, 40] = 0.4 * x[:, 0]
    quefrency, c = real_cepstrum(x, 1000.0)
    k = np.arange(1, 6)
    np.testing.assert_allclose(quefrency[40 * k], 0.04 * k)
    for row in c:
        np.testing.assert_allclose(row[40 * k], (-1.0) ** (k + 1) * 0.4**k / (2 * k), atol=1e-9)
    # A gain shows at quefrency 0 alone, as its logarithm.
    np.testing.assert_allclose(c[:, 0], np.log([1.0, 50.0]), atol=1e-9)
    np.testing.assert_allclose(power_cepstrum(x, 1000.0)[1], 2.0 * c)


def test_an_echo_shows_in_noise(rng: np.random.Generator) -> None:
    noise = rng.standard_normal(8192)
    quefrency, c = real_cepstrum(noise + 0.6 * np.roll(noise, 700), 10_000.0)
    assert quefrency[1:][c[1:].argmax()] == pytest.approx(0.07)
    # The cepstrum of the noise itself scatters by about 1 / sqrt(n) around the echo's half.
    assert c[700] == pytest.approx(0.3, abs=0.05)


def test_a_family_of_lines_peaks_at_its_period(rng: np.random.Generator) -> None:
    x = np.zeros(8000)
    x[::160] = 1.0
    x = np.convolve(x, np.exp(-np.arange(60) / 10.0))[:8000] + 1e-3 * rng.standard_normal(8000)
    quefrency, c = real_cepstrum(x, 8000.0)
    assert quefrency[100 + c[100:300].argmax()] == pytest.approx(0.02)


def test_cepstrum_agrees_with_the_slow_sum(rng: np.random.Generator) -> None:
    x = rng.standard_normal(64)
    angle = 2 * np.pi * np.outer(np.arange(64), np.arange(64)) / 64
    logs = np.log(np.hypot(np.cos(angle) @ x, np.sin(angle) @ x))
    np.testing.assert_allclose(real_cepstrum(x, 1.0)[1], (np.cos(angle) @ logs / 64)[:33], atol=1e-12)


def test_silence_has_a_cepstrum_of_zero_and_stays_silent() -> None:
    assert not real_cepstrum(np.zeros((2, 64)), 1.0)[1].any()
    assert not cepstral_prewhitened(np.zeros((2, 64))).any()


@pytest.mark.parametrize("n", [512, 511])
def test_prewhitening_leaves_phases_and_no_cepstrum(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal((3, n)) * 40.0
    y = cepstral_prewhitened(x)
    np.testing.assert_allclose(np.angle(np.fft.rfft(y)), np.angle(np.fft.rfft(x)), atol=1e-9)
    np.testing.assert_allclose(real_cepstrum(y, 1.0)[1], 0.0, atol=1e-12)
    np.testing.assert_allclose((y**2).mean(axis=-1), 1.0 / n)


def test_prewhitening_lifts_impacts_out_of_a_tone(rng: np.random.Generator) -> None:
    x = 10.0 * np.sin(2 * np.pi * np.arange(4096) / 16) + 0.1 * rng.standard_normal(4096)
    x[1000] += 3.0
    y = cepstral_prewhitened(x)
    assert np.abs(x).argmax() != 1000
    assert np.abs(y).argmax() == 1000


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ParameterError, match="3 samples"):
        real_cepstrum(np.ones(3), 1.0)
    with pytest.raises(ParameterError, match="3 samples"):
        cepstral_prewhitened(np.ones(3))
    with pytest.raises(ParameterError, match=r"rate of 0\.0 Hz"):
        power_cepstrum(np.ones(8), 0.0)
