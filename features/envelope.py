"""Squared-envelope spectra and the height of bearing lines in them; refuses bands that are empty."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from features.errors import ParameterError
from features.samples import check_finite

__all__ = [
    "LOWEST_BAND_SHARE",
    "SLIP",
    "band_envelope",
    "band_envelope_spectra",
    "envelope_spectrum",
    "phase_only",
    "relative_envelope",
    "squared_envelope",
    "whitened",
]

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


def phase_only(spectrum: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """Set every bin of a transform to modulus 1, so that tones and resonances weigh no more than the noise between.

    Parameters
    ----------
    spectrum : ndarray of complex, shape (..., bins)

    Returns
    -------
    ndarray of complex, shape (..., bins)
        The phases alone; bins that are rounding of the loudest one are 0, silence stays silent.

    Notes
    -----
    Cepstrum prewhitening: to set the real cepstrum to zero is to divide by the modulus. Borghesani et al., Mech. Syst.
    Signal Process. 36 (2013) 370-384; Smith and Randall (2015) found it to serve most records of a varied set.

    Examples
    --------
    >>> phase_only(np.array([4.0j, 0.0, -2.0])).tolist()
    [1j, 0j, (-1+0j)]
    """
    modulus = np.abs(spectrum)
    dust = np.finfo(modulus.dtype).eps * modulus.max(axis=-1, keepdims=True)
    heard = modulus > dust
    return np.where(heard, spectrum / np.where(heard, modulus, 1.0), 0.0)


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

    Raises
    ------
    ParameterError
        If the band is empty.

    Notes
    -----
    The analytic signal of a band is the inverse transform of its positive bins alone (Hilbert); its modulus does not
    change when the band is shifted in frequency.
    """
    _refuse_empty(n, low, high)
    return _squared(spectrum[..., low:high], np.asarray(2.0 / n, dtype=spectrum.real.dtype))


def relative_envelope(
    spectrum: NDArray[np.complexfloating], power: Floats, n: int, *, low: int, high: int
) -> tuple[Floats, Floats]:
    """Mean of the squared envelope of a band, and the squared envelope over it.

    Parameters
    ----------
    spectrum : ndarray of complex, shape (..., n // 2 + 1)
        Unwindowed ``rfft`` of n real samples.
    power : ndarray, shape (..., n // 2 + 1)
        Its `features.spectral.bin_power`.
    n, low, high : int
        As `squared_envelope` takes them.

    Returns
    -------
    mean : ndarray, shape (...)
        Unit squared: twice the power of the band (Parseval), four times that of a bin at Nyquist.
    relative : ndarray, shape (..., m)
        Of mean 1, and of no unit; 1 throughout for silence.

    Raises
    ------
    ParameterError
        If the band is empty.

    Examples
    --------
    >>> from features.spectral import bin_power
    >>> x = 3.0 * np.sin(2 * np.pi * 10 * np.arange(64) / 64.0)
    >>> spectrum = np.fft.rfft(x)
    >>> mean, relative = relative_envelope(spectrum, bin_power(spectrum, 64), 64, low=1, high=33)
    >>> round(float(mean), 9), bool(np.allclose(relative, 1.0))
    (9.0, True)
    """
    _refuse_empty(n, low, high)
    mean = 2.0 * power[..., low:high].sum(axis=-1)
    if n % 2 == 0 and high == n // 2 + 1:
        mean += 2.0 * power[..., -1]
    sounds = mean > np.finfo(power.dtype).tiny
    # Scaled before the transform, so that neither the envelope nor its square leaves the range of single precision.
    factor = np.where(sounds, (2.0 / n) / np.sqrt(np.where(sounds, mean, 1.0)), 0.0).astype(power.dtype)
    relative = _squared(spectrum[..., low:high], factor[..., None])
    if not sounds.all():
        relative += ~sounds[..., None]
    return np.where(sounds, mean, 0.0), relative


def _refuse_empty(n: int, low: int, high: int) -> None:
    if not 1 <= low < high <= n // 2 + 1:
        raise ParameterError(
            f"an envelope band from bin {low} to {high} of {n // 2 + 1} bins; 1 <= low < high is wanted"
        )


def _squared(band: NDArray[np.complexfloating], factor: Floats) -> Floats:
    """Squared modulus of the unscaled inverse transform of bins times a factor."""
    width = band.shape[-1]
    # Powers of two with few other factors are the fastest of all fast lengths.
    length = 16 * scipy.fft.next_fast_len(-(-width // 8), real=True)
    padded = np.zeros((*band.shape[:-1], length), dtype=band.dtype)
    np.multiply(band, factor, out=padded[..., :width])
    analytic = scipy.fft.ifft(padded, axis=-1, norm="forward", overwrite_x=True)
    parts: Floats = analytic.view(analytic.real.dtype)
    parts *= parts
    return np.asarray(parts[..., ::2] + parts[..., 1::2])


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
    check_finite(x)
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


def band_envelope(x: Floats, rate_hz: float, *, low_hz: float, high_hz: float) -> Floats:
    """Envelope of windows in a chosen band: band-pass with straight edges, then the modulus of the analytic signal.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz.
    low_hz, high_hz : float
        Edges of the band in Hz, 0 <= low < high <= Nyquist; DC is never part of it.

    Returns
    -------
    ndarray, shape (..., n)
        In the unit of the samples, at the rate of the samples: a tone of 1 g in the band reads 1 g throughout.

    Raises
    ------
    ParameterError
        If the band has no bin or ends above Nyquist.

    Examples
    --------
    >>> t = np.arange(1000) / 1000.0
    >>> x = 2.0 * np.sin(2 * np.pi * 100 * t) + 5.0 * np.sin(2 * np.pi * 300 * t)
    >>> bool(np.allclose(band_envelope(x, 1000.0, low_hz=50.0, high_hz=150.0), 2.0))
    True
    """
    check_finite(x)
    n = x.shape[-1]
    low, high = _band_bins(n, rate_hz, low_hz, high_hz)
    spectrum = scipy.fft.rfft(x, axis=-1)[..., low:high] * (2.0 / n)
    if n % 2 == 0 and high == n // 2 + 1:
        spectrum[..., -1] *= 0.5
    envelope: Floats = np.abs(scipy.fft.ifft(spectrum, n=n, axis=-1)) * n
    return envelope


def band_envelope_spectra(
    x: Floats, rate_hz: float, *, edges_hz: tuple[float, ...], whiten: bool
) -> tuple[NDArray[np.float64], Floats]:
    """Spectra of the squared envelopes of neighbouring bands.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz.
    edges_hz : tuple of float
        Ascending edges of the bands in Hz, at least two, from 0 to Nyquist.
    whiten : bool
        Whether the phases of the signal alone are kept (`phase_only`).

    Returns
    -------
    frequencies : ndarray, shape (bins,)
        Hz, spaced by rate / n, up to the width of the narrowest band.
    lines : ndarray, shape (..., bands, bins)
        Peak amplitude of each line over the mean of the band's squared envelope; DC is 0. Silence is 0.

    Raises
    ------
    ParameterError
        If a band has no bin or ends above Nyquist.

    Examples
    --------
    >>> t = np.arange(8192) / 8192.0
    >>> x = (1 + 0.5 * np.sin(2 * np.pi * 40 * t)) * np.sin(2 * np.pi * 2000 * t) + np.sin(2 * np.pi * 3000 * t)
    >>> f, a = band_envelope_spectra(x, 8192.0, edges_hz=(1000.0, 2500.0, 4000.0), whiten=False)
    >>> float(f[a[0].argmax()]), bool(a[1].max() < 1e-9)
    (40.0, True)
    """
    check_finite(x)
    n = x.shape[-1]
    bands = [_band_bins(n, rate_hz, a, b) for a, b in itertools.pairwise(edges_hz)]
    if not bands:
        raise ParameterError(f"envelope bands between {len(edges_hz)} edges; at least two edges are wanted")
    spectrum: NDArray[np.complexfloating] = scipy.fft.rfft(x, axis=-1)
    if whiten:
        spectrum = phase_only(spectrum)
    bins = min(high - low for low, high in bands)
    lines = [_relative_lines(squared_envelope(spectrum, n, low=a, high=b))[..., :bins] for a, b in bands]
    return np.arange(bins) * (rate_hz / n), np.stack(lines, axis=-2)


def _band_bins(n: int, rate_hz: float, low_hz: float, high_hz: float) -> tuple[int, int]:
    """First bin of a band and the one after its last; the bin of the upper edge belongs to the next band."""
    low, high = max(1, int(np.ceil(low_hz * n / rate_hz))), int(np.ceil(high_hz * n / rate_hz))
    if high_hz >= 0.5 * rate_hz:
        high = n // 2 + 1
    if not (low_hz >= 0.0 and low < high and high_hz <= 0.5 * rate_hz):
        raise ParameterError(
            f"an envelope band from {low_hz:g} to {high_hz:g} Hz of {n} samples at {rate_hz:g} Hz; "
            "0 <= low < high <= Nyquist with at least one bin between is wanted"
        )
    return low, high


def _relative_lines(envelope: Floats) -> Floats:
    """Peak amplitudes of the lines of a squared envelope over its mean, DC taken out."""
    mean = envelope.mean(axis=-1, keepdims=True)
    relative = np.where(mean > 0.0, envelope / np.where(mean > 0.0, mean, 1.0), 1.0) - 1.0
    lines: Floats = np.abs(scipy.fft.rfft(relative, axis=-1)) * (2.0 / envelope.shape[-1])
    lines[..., 0] = 0.0
    return lines
