"""One-sided spectra: amplitude lines, bin power, band RMS, spectral moments; refuses bands beyond Nyquist."""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.errors import ParameterError
from features.statistics import ratio

__all__ = ["amplitude_spectrum", "band_rms", "bin_power", "centroid_spread_hz", "hann", "octave_edges"]

Floats = NDArray[np.floating]


@functools.lru_cache(maxsize=32)
def hann(n: int) -> NDArray[np.float32]:
    """Periodic Hann window of n samples, read-only."""
    window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)).astype(np.float32)
    window.flags.writeable = False
    return window


def bin_power(spectrum: NDArray[np.complexfloating], n: int) -> Floats:
    """Mean-square of each bin of a one-sided transform, so that the bins sum to the mean square of the samples.

    Parameters
    ----------
    spectrum : ndarray of complex, shape (..., n // 2 + 1)
        Unwindowed ``rfft`` of n samples.
    n : int
        Samples that were transformed.

    Returns
    -------
    ndarray, shape (..., n // 2 + 1)
        In unit squared (Parseval: the sum over bins is the mean square).
    """
    power = spectrum.real**2 + spectrum.imag**2
    power *= 2.0 / (float(n) * float(n))
    power[..., 0] *= 0.5
    if n % 2 == 0:
        power[..., -1] *= 0.5
    return power


def amplitude_spectrum(x: Floats, rate_hz: float) -> tuple[NDArray[np.float64], Floats]:
    """One-sided peak-amplitude spectrum under a Hann window, corrected for its coherent gain.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz.

    Returns
    -------
    frequencies : ndarray, shape (n // 2 + 1,)
        Hz.
    amplitudes : ndarray, shape (..., n // 2 + 1)
        Peak amplitude in the unit of `x`: a sine of 1 g on a bin reads 1 g.

    Examples
    --------
    >>> t = np.arange(1000) / 1000.0
    >>> f, a = amplitude_spectrum(np.sin(2 * np.pi * 50 * t), rate_hz=1000.0)
    >>> float(f[a.argmax()]), round(float(a.max()), 6)
    (50.0, 1.0)
    """
    n = x.shape[-1]
    window = hann(n)
    spectrum = np.abs(scipy.fft.rfft((x - x.mean(axis=-1, keepdims=True)) * window, axis=-1))
    spectrum *= 2.0 / float(window.sum(dtype=np.float64))
    spectrum[..., 0] *= 0.5
    if n % 2 == 0:
        spectrum[..., -1] *= 0.5
    return np.arange(n // 2 + 1) * (rate_hz / n), spectrum


def octave_edges(n_bins: int, n_bands: int) -> NDArray[np.intp]:
    """Bin edges of bands that halve downward from Nyquist; the lowest band takes what is left above DC.

    Parameters
    ----------
    n_bins : int
        Bins of a one-sided spectrum, DC and Nyquist included.
    n_bands : int
        Bands wanted.

    Returns
    -------
    ndarray of int, shape (n_bands + 1,)
        Ascending from 1 (DC belongs to no band) to `n_bins`.

    Examples
    --------
    >>> octave_edges(2049, 4).tolist()
    [1, 256, 512, 1024, 2049]
    """
    if n_bins - 1 < 2 ** (n_bands - 1):
        raise ParameterError(f"{n_bins} bins cannot be cut into {n_bands} octaves; give a longer window or fewer bands")
    halves = [(n_bins - 1) // 2**k for k in range(n_bands - 1, 0, -1)]
    return np.array([1, *halves, n_bins], dtype=np.intp)


def band_rms(power: Floats, edges: NDArray[np.intp]) -> Floats:
    """RMS of the signal inside each band.

    Parameters
    ----------
    power : ndarray, shape (..., bins)
        From `bin_power`.
    edges : ndarray of int, shape (bands + 1,)
        Ascending bin edges; band i covers edges[i] up to, not including, edges[i + 1].

    Returns
    -------
    ndarray, shape (..., bands)
        In the unit of the samples.
    """
    if edges[-1] > power.shape[-1]:
        raise ParameterError(f"a band ends at bin {edges[-1]} of a spectrum of {power.shape[-1]} bins")
    sums = np.add.reduceat(power[..., : edges[-1]], edges[:-1], axis=-1)
    return np.sqrt(sums)


def centroid_spread_hz(power: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Power-weighted mean frequency and standard deviation around it, DC left out; 0 for silence.

    Parameters
    ----------
    power : ndarray, shape (..., bins)
        From `bin_power`.
    rate_hz : float
        Sampling rate in Hz.

    Returns
    -------
    centroid, spread : ndarray, shape (...)
        Hz.
    """
    weights = power[..., 1:]
    bins = power.shape[-1]
    frequency = np.arange(1, bins, dtype=power.dtype) * (0.5 * rate_hz / (bins - 1))
    total = weights.sum(axis=-1, dtype=np.float64)
    first = ratio((weights @ frequency).astype(np.float64), total)
    second = ratio((weights @ (frequency * frequency)).astype(np.float64), total)
    return first, np.sqrt(np.maximum(second - first * first, 0.0))
