"""Spectral kurtosis and the fast kurtogram: where in frequency a signal is impulsive; refuses bands of too few bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from features.envelope import squared_envelope
from features.errors import ParameterError
from features.samples import check_finite
from features.statistics import ratio

__all__ = ["LEAST_BINS", "Kurtogram", "Level", "kurtogram", "kurtogram_grid", "spectral_kurtosis"]

Floats = NDArray[np.floating]

# Fewer independent envelope samples than this say nothing of a fourth moment: noise deviates by about 2 / sqrt(bins).
LEAST_BINS = 32
# Windows overlap by three quarters, as Antoni (2006) wants of a Hann window.
_HOPS = 4
# Half the main lobe of a Hann window: nearer to DC and Nyquist the mirror image makes coefficients non-circular.
_LOBE = 2


@dataclass(frozen=True, slots=True)
class Level:
    """One row of the kurtogram's grid.

    Attributes
    ----------
    level : float
        log2 of the number of bands: 0, 1, 1.585, 2, 2.585, 3 and so on.
    bands : int
        Equal bands from DC to Nyquist: 1, 2, 3, 4, 6, 8, 12 and so on.
    """

    level: float
    bands: int


@dataclass(frozen=True, eq=False)
class Kurtogram:
    """Kurtosis of the complex envelope in each band of the grid, row after row and each by ascending frequency.

    Attributes
    ----------
    level, centre_hz, width_hz : ndarray, shape (bands,)
        Of each band.
    kurtosis : ndarray, shape (..., bands)
        Without unit: 0 for circular Gaussian noise, -1 for one stationary tone, large for impacts.
    """

    level: NDArray[np.float64]
    centre_hz: NDArray[np.float64]
    width_hz: NDArray[np.float64]
    kurtosis: Floats

    @property
    def best(self) -> NDArray[np.intp]:
        """Index of the band of the highest kurtosis, shape (...); the whole spectrum for silence."""
        return np.asarray(self.kurtosis.argmax(axis=-1))

    @property
    def best_band_hz(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper edge of the band of the highest kurtosis in Hz, each of shape (...)."""
        centre, half = self.centre_hz[self.best], 0.5 * self.width_hz[self.best]
        return centre - half, centre + half


def spectral_kurtosis(x: Floats, rate_hz: float, *, n_window: int) -> tuple[NDArray[np.float64], Floats]:
    """Kurtosis over time of each line of a short-time spectrum, ``<|X|^4> / <|X|^2>^2 - 2``.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz.
    n_window : int
        Samples of each Hann window, at least 8; windows overlap by three quarters. Shorter than the spacing of the
        impacts and longer than their ringing.

    Returns
    -------
    frequencies : ndarray, shape (n_window // 2 - 3,)
        Hz. The two lines next to DC and to Nyquist are left out: they mix with their mirror image and are not circular.
    kurtosis : ndarray, shape (..., n_window // 2 - 3)
        Without unit: 0 for stationary Gaussian noise, -1 for a stationary tone, 0 for silence.

    Raises
    ------
    ParameterError
        If a window has fewer than 8 samples or the signal fewer than two windows.

    Notes
    -----
    Antoni, "The spectral kurtosis: a useful tool for characterising non-stationary signals", Mech. Syst. Signal
    Process. 20 (2006) 282-307. With K independent windows the estimate of noise deviates by about 2 / sqrt(K).

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(8192) / 8192.0)
    >>> f, k = spectral_kurtosis(tone, 8192.0, n_window=128)
    >>> round(float(k[f == 1024.0][0]), 3)
    -1.0
    """
    check_finite(x)
    n = x.shape[-1]
    if n_window < 8 or n < 2 * n_window:
        raise ParameterError(
            f"a spectral kurtosis of {n} samples in windows of {n_window}; at least 8 and two windows are wanted"
        )
    frames = np.lib.stride_tricks.sliding_window_view(x, n_window, axis=-1)[..., :: n_window // _HOPS, :]
    # In double precision: the leakage of a rounded window would pass for signal.
    spectrum = scipy.fft.rfft(frames * scipy.signal.get_window("hann", n_window), axis=-1)
    inner = spectrum[..., _LOBE : n_window // 2 - _LOBE + 1]
    power = inner.real**2 + inner.imag**2
    frequencies = np.arange(_LOBE, n_window // 2 - _LOBE + 1, dtype=np.float64) * (rate_hz / n_window)
    return frequencies, _kurtosis(power, axis=-2, loudest=n_window * _mean_square(x)[..., None])


def kurtogram_grid(levels: int) -> tuple[Level, ...]:
    """List the rows of the 1/3-binary tree: 1, 2, 3, 4, 6, 8, 12, ... bands.

    Parameters
    ----------
    levels : int
        Deepest dyadic level, from 0; the last row has 2**levels bands.

    Raises
    ------
    ParameterError
        If the depth is negative.

    Examples
    --------
    >>> [row.bands for row in kurtogram_grid(3)]
    [1, 2, 3, 4, 6, 8]
    """
    if levels < 0:
        raise ParameterError(f"a kurtogram of depth {levels}; 0 or more is wanted")
    bands = [2**k for k in range(levels + 1)] + [3 * 2**k for k in range(levels - 1)]
    return tuple(Level(level=float(np.log2(m)), bands=m) for m in sorted(bands))


def kurtogram(x: Floats, rate_hz: float, *, levels: int) -> Kurtogram:
    """Kurtosis of the complex envelope over a grid of bands and bandwidths, ``<|c|^4> / <|c|^2>^2 - 2``.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz.
    levels : int
        Deepest dyadic level; the narrowest band is Nyquist / 2**levels and has at least ``LEAST_BINS`` bins.

    Returns
    -------
    Kurtogram
        Its `kurtosis` has the shape (..., bands). A band without power has 0.

    Raises
    ------
    ParameterError
        If the depth is negative or the narrowest band too narrow for the length.

    Notes
    -----
    Antoni, "Fast computation of the kurtogram for the detection of transient faults", Mech. Syst. Signal Process. 21
    (2007) 108-124: the same grid of levels, centres and widths. Here a band is cut out of the transform of the whole
    signal with straight edges instead of by a tree of short filters: neighbours do not overlap, and the envelope is
    sampled at twice the band's width, at which its fourth moment is exact. Noise of N bins reads -2 / N on average.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(8192)
    >>> k = kurtogram(x, 8192.0, levels=3)
    >>> k.centre_hz[k.level == 2].tolist(), bool(np.abs(k.kurtosis).max() < 0.5)
    ([512.0, 1536.0, 2560.0, 3584.0], True)
    """
    check_finite(x)
    n = x.shape[-1]
    grid = kurtogram_grid(levels)
    if n // 2 < LEAST_BINS * grid[-1].bands:
        raise ParameterError(
            f"a kurtogram of depth {levels} of {n} samples has bands of {n // 2 // grid[-1].bands} bins; "
            f"at least {LEAST_BINS} are wanted: give a longer signal or a lower depth"
        )
    spectrum: NDArray[np.complexfloating] = scipy.fft.rfft(x, axis=-1)
    loudest = _mean_square(x)
    kurtosis = []
    for row in grid:
        edges = np.rint(np.arange(row.bands + 1) * (n // 2) / row.bands).astype(int)
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            squared = squared_envelope(spectrum, n, low=max(low, 1), high=high + int(high == n // 2))
            kurtosis.append(_kurtosis(squared, axis=-1, loudest=loudest))
    width = np.concatenate([np.full(row.bands, 0.5 * rate_hz / row.bands) for row in grid])
    return Kurtogram(
        level=np.concatenate([np.full(row.bands, row.level) for row in grid]),
        centre_hz=np.concatenate([np.arange(row.bands) + 0.5 for row in grid]) * width,
        width_hz=width,
        kurtosis=np.stack(kurtosis, axis=-1),
    )


def _mean_square(x: Floats) -> Floats:
    return np.asarray(np.einsum("...i,...i->...", x, x) / x.shape[-1])


def _kurtosis(power: Floats, *, axis: int, loudest: Floats) -> Floats:
    """Kurtosis of circular values from their squared moduli; 0 where there is nothing but rounding of the signal."""
    second = power.mean(axis=axis)
    fourth = (power * power).mean(axis=axis)
    dust = second <= (32.0 * np.finfo(power.dtype).eps) ** 2 * loudest
    return np.where(dust, 0.0, ratio(fourth, second * second, silence=2.0) - 2.0)
