"""Denoising against thresholds on PyWavelets' own transform, and perfect reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
import scipy.signal
import scipy.stats

from features.errors import ParameterError
from features.wavelet import denoised


@pytest.mark.parametrize("wavelet", ["db4", "db8"])
@pytest.mark.parametrize("per_level", [False, True])
def test_no_threshold_gives_the_samples_back(rng: np.random.Generator, wavelet: str, per_level: bool) -> None:
    x = rng.standard_normal((2, 1024))
    np.testing.assert_allclose(denoised(x, wavelet=wavelet, level=5, scale=0.0, per_level=per_level), x, atol=1e-10)


@pytest.mark.parametrize("per_level", [False, True])
def test_denoising_agrees_with_thresholds_on_pywavelets_own_transform(
    rng: np.random.Generator, per_level: bool
) -> None:
    x = rng.standard_normal((2, 1024)) + 3.0 * np.sin(np.arange(1024) / 20.0)
    for row, ours in zip(x, denoised(x, wavelet="db8", level=4, per_level=per_level), strict=True):
        approximation, *details = pywt.wavedec(row, "db8", mode="periodization", level=4)
        sigma = [np.median(np.abs(d if per_level else details[-1])) / scipy.stats.norm.ppf(0.75) for d in details]
        shrunk = [pywt.threshold(d, s * np.sqrt(2 * np.log(1024)), "soft") for d, s in zip(details, sigma, strict=True)]
        wanted = pywt.waverec([approximation, *shrunk], "db8", mode="periodization")
        np.testing.assert_allclose(ours, wanted, atol=1e-10)


def test_noise_goes_and_the_signal_stays(rng: np.random.Generator) -> None:
    clean = np.sin(2 * np.pi * 50 * np.arange(8192) / 8192)
    noise = 0.3 * rng.standard_normal(8192)
    cleaned = denoised((clean + noise).astype(np.float32), wavelet="db8", level=5)
    assert cleaned.dtype == np.float32
    assert np.std(cleaned - clean) < 0.3 * np.std(noise)
    # Noise alone is shrunk to its coarse approximation, 1/32 of its energy, and little besides.
    rest = denoised(noise, wavelet="db8", level=5)
    assert (rest**2).mean() == pytest.approx((noise**2).mean() / 32, rel=0.3)


def test_coloured_noise_is_estimated_level_by_level(rng: np.random.Generator) -> None:
    clean = np.sin(2 * np.pi * 20 * np.arange(8192) / 8192)
    red = scipy.signal.lfilter([0.1], [1.0, -0.9], rng.standard_normal(8192))
    once = denoised(clean + red, wavelet="db8", level=5)
    each = denoised(clean + red, wavelet="db8", level=5, per_level=True)
    assert np.std(each - clean) < np.std(once - clean)


def test_impossible_denoising_is_refused() -> None:
    with pytest.raises(ParameterError, match="scaled by -1"):
        denoised(np.ones(64), wavelet="db4", level=2, scale=-1.0)
    with pytest.raises(ParameterError, match=r"100 samples has no wavelet transform of level 3; .* multiple of 8"):
        denoised(np.ones(100), wavelet="db4", level=3)
    with pytest.raises(ParameterError, match="of level 0"):
        denoised(np.ones(64), wavelet="db4", level=0)
