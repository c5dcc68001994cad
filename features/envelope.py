"""Squared-envelope spectra and the height of bearing lines in them; refuses bands that are empty."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["LOWEST_BAND_SHARE", "SLIP", "envelope_spectrum", "line_contrast", "squared_envelope", "whitened"]

Floats = NDArray[np.floating]

# Demodulated band: everything above this share of Nyquist. Shaft harmonics and gear mesh live below it.
LOWEST_BAND_SHARE = 0.1
# Rolling elements slip: fault lines are searched within this share of their kinematic frequency (Randall 2011).
SLIP = 0.02


def whitened(spectrum: NDArray[np.complexfloating], *, width: int = 33) -> NDArray[np.complexfloating]:
    """Flatten a one-sided transform by its own smoothed magnitude, so that no resonance or tone dominates.

    Parameters
    ----------
    spectrum : ndarray of complex, shape (..., bins)
    width : int
        Bins of the moving average of the power, odd.

    Returns
    -------
    ndarray of complex, shape (..., bins)
        Of about unit power everywhere; silence stays silent.

    Notes
    -----
    A smoothed form of the prewhitening that Smith and Randall (2015) found to help on weak bearing faults.
    """
    power = spectrum.real**2 + spectrum.imag**2
    level = scipy.ndimage.uniform_filter1d(power, width, axis=-1, mode="nearest")
    top = power.max(axis=-1, keepdims=True)
    return np.where(level > 1e-12 * top, spectrum / np.sqrt(np.where(level > 0.0, level, 1.0)), 0.0)


def squared_envelope(spectrum: NDArray[np.complexfloating], n: int, *, low: int, high: int) -> Floats:
    """Squared envelope of the band between two bins.

    Parameters
    ----------
    spectrum : ndarray of complex, shape (..., n // 2 + 1)
        Unwindowed ``rfft`` of n real samples.
    n : int
        Samples that were transformed.
    low, high : int
        First bin of the band and the one after its last, 1 <= low < high <= n // 2 + 1.

    Returns
    -------
    ndarray, shape (..., m)
        Unit squared, m = the band's width in bins: the band is shifted to zero first, so that the envelope is sampled
        at rate * m / n, which holds all of its content.

    Notes
    -----
    The analytic signal of a band is the inverse transform of its positive bins alone (Hilbert); its modulus does not
    change when the band is shifted in frequency.
    """
    if not 1 <= low < high <= n // 2 + 1:
        raise ParameterError(
            f"an envelope band from bin {low} to {high} of {n // 2 + 1} bins; 1 <= low < high is wanted"
        )
    width = high - low
    length = scipy.fft.next_fast_len(2 * width)
    analytic: NDArray[np.complexfloating] = scipy.fft.ifft(spectrum[..., low:high], n=length, axis=-1)
    analytic *= 2.0 * length / n
    squared: Floats = analytic.real**2 + analytic.imag**2
    return squared


def envelope_spectrum(x: Floats, rate_hz: float, *, whiten: bool = True) -> tuple[NDArray[np.float64], Floats]:
    """Spectrum of the squared envelope of the upper band of windows.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz.
    whiten : bool
        Whether the band is flattened first; the lines then are relative, without unit.

    Returns
    -------
    frequencies : ndarray, shape (bins,)
        Hz, up to a quarter of Nyquist, spaced by rate / n.
    lines : ndarray, shape (..., bins)
        Peak amplitude of each line over the mean of the squared envelope (modulation depth, 0 to about 1).

    Notes
    -----
    Randall, Antoni and Chobsaard, "The relationship between spectral correlation and envelope analysis", Mech. Syst.
    Signal Process. 15 (2001) 945-962: faults show as lines of the squared envelope.

    Examples
    --------
    >>> t = np.arange(8192) / 8192.0
    >>> f, a = envelope_spectrum((1 + 0.5 * np.sin(2 * np.pi * 40 * t)) * np.sin(2 * np.pi * 2000 * t), 8192.0,
    ...                          whiten=False)
    >>> float(f[1:][a[1:].argmax()])
    40.0
    """
    n = x.shape[-1]
    spectrum: NDArray[np.complexfloating] = scipy.fft.rfft(x, axis=-1)
    if whiten:
        spectrum = whitened(spectrum)
    low = max(1, int(LOWEST_BAND_SHARE * (n // 2)))
    envelope = squared_envelope(spectrum, n, low=low, high=n // 2 + 1)
    mean = envelope.mean(axis=-1, keepdims=True)
    envelope = np.where(mean > 0.0, envelope / np.where(mean > 0.0, mean, 1.0), 1.0) - 1.0
    bins = n // 8 + 1
    lines = np.abs(scipy.fft.rfft(envelope, axis=-1)[..., :bins]) * (2.0 / envelope.shape[-1])
    return np.arange(bins) * (rate_hz / n), lines


def line_contrast(frequencies: NDArray[np.float64], lines: Floats, line_hz: float) -> Floats:
    """Height of a line within +-2 % of its kinematic frequency over the median of its neighbourhood.

    Parameters
    ----------
    frequencies : ndarray, shape (bins,)
        Hz, evenly spaced from 0.
    lines : ndarray, shape (..., bins)
    line_hz : float
        Kinematic frequency of the line in Hz.

    Returns
    -------
    ndarray, shape (...)
        Ratio, 1 for no line; 0 where the line lies outside the spectrum.
    """
    step = float(frequencies[1])
    reach = max(SLIP * line_hz, step)
    first, last = int(np.ceil((line_hz - reach) / step)), int(np.floor((line_hz + reach) / step))
    if first < 1 or last >= frequencies.size:
        return np.zeros(lines.shape[:-1])
    margin = max(8, 4 * (last - first + 1))
    around = lines[..., max(1, first - margin) : last + 1 + margin]
    floor = np.median(around, axis=-1)
    height = lines[..., first : last + 1].max(axis=-1)
    return np.where(floor > 0.0, height / np.where(floor > 0.0, floor, 1.0), 0.0)
