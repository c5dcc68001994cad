"""One-sided spectra: amplitude lines, bin power, density, band RMS, shape; refuses bands beyond Nyquist."""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.errors import ParameterError
from features.samples import check_finite
from features.statistics import ratio
from features.sums import dot
from features.sums import mean as mean_of

__all__ = [
    "amplitude_spectrum",
    "band_rms",
    "bin_power",
    "centroid_spread_hz",
    "flatness_entropy",
    "hann",
    "hann_power",
    "octave_edges",
    "roll_off_hz",
    "welch_psd",
]

Floats = NDArray[np.floating]

# Bins this far below the mean power (-100 dB) count as this: there, float32 transforms hold their own rounding.
_SHAPE_FLOOR = 1e-10
# Bins summed at once on the way to a roll-off.
_BLOCK = 32


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
    power = _mean_squares(spectrum, n)
    if n % 2 == 0:
        power[..., -1] *= 0.5
    return power


def hann_power(spectrum: NDArray[np.complexfloating], n: int, *, stop: int | None = None) -> Floats:
    """Mean-square of each bin as a Hann window gives it, the mean of the samples removed first.

    Parameters
    ----------
    spectrum : ndarray of complex, shape (..., n // 2 + 1)
        Unwindowed ``rfft`` of n samples, n at least 4: the window is applied here, on the bins.
    n : int
        Samples that were transformed.
    stop : int or None
        Bin before which to end, at least 3; None for all.

    Returns
    -------
    ndarray, shape (..., n // 2 + 1), or (..., stop) if that is less
        In unit squared, corrected for the noise bandwidth of the window (1.5 bins), so that the bins sum to the mean
        square of stationary samples; a tone spreads over three bins or four.

    Notes
    -----
    To be given wherever `bin_power` is, where leakage would drown what is looked for: side lobes fall by 18 dB an
    octave instead of 6. In time the window is 0.5 - 0.5 cos, a product; over bins each loses half of the mean of its
    neighbours (Harris, Proc. IEEE 66 (1978) 51-83), so that one transform serves both.

    Examples
    --------
    >>> x = 3.0 + np.sin(2 * np.pi * 50 * np.arange(1000) / 1000.0)
    >>> hann_power(np.fft.rfft(x), 1000)[48:53].round(4).tolist()
    [0.0, 0.0833, 0.3333, 0.0833, 0.0]
    """
    bins = spectrum.shape[-1] if stop is None else min(stop, spectrum.shape[-1])
    source = spectrum[..., : bins + 1] * 0.25
    source[..., 0] = 0.0
    if bins == spectrum.shape[-1]:
        # The bin after the last is the mirror image of the one before it, or for odd n of itself.
        beyond = np.conj(source[..., -2 if n % 2 == 0 else -1])
        source = np.concatenate([source, beyond[..., None]], axis=-1)
    windowed = 2.0 * source[..., :-1]
    windowed -= source[..., 1:]
    windowed[..., 1:] -= source[..., :-2]
    windowed[..., 0] -= np.conj(source[..., 1])
    power = bin_power(windowed, n) if bins == spectrum.shape[-1] else _mean_squares(windowed, n)
    # The mean of the squared window is 3 / 8.
    power *= 8.0 / 3.0
    return power


def welch_psd(
    x: Floats, rate_hz: float, *, n_segment: int, overlap: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
    """One-sided power spectral density by Welch's mean over Hann-windowed segments.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz, positive.
    n_segment : int
        Samples of a segment, 2 to n; the lines stand rate_hz / n_segment apart.
    overlap : float
        Share of a segment that the next one repeats, 0 to below 1.

    Returns
    -------
    frequencies : ndarray, shape (n_segment // 2 + 1,)
        Hz.
    density : ndarray, shape (..., n_segment // 2 + 1)
        Unit squared per Hz. The sum times the line spacing is the mean square of the samples as the window weighs
        them, less the mean of each segment; samples after the last whole segment are left out.

    Raises
    ------
    ParameterError
        If the rate, the segment or the overlap is not admissible.

    Notes
    -----
    Welch, "The use of fast Fourier transform for the estimation of power spectra", IEEE Trans. Audio Electroacoust. 15
    (1967) 70-73, as `scipy.signal.welch` computes it.

    Examples
    --------
    >>> t = np.arange(8192) / 1024.0
    >>> f, density = welch_psd(np.sin(2 * np.pi * 128 * t), rate_hz=1024.0, n_segment=1024)
    >>> float(f[density.argmax()]), round(float(density.sum() * f[1]), 6)
    (128.0, 0.5)
    """
    check_finite(x)
    n = x.shape[-1]
    if not rate_hz > 0.0:
        raise ParameterError(f"a density was asked at a rate of {rate_hz} Hz; a positive one is wanted")
    if not 2 <= n_segment <= n:
        raise ParameterError(f"a segment of {n_segment} samples of {n}; 2 to {n} are wanted")
    if not 0.0 <= overlap < 1.0:
        raise ParameterError(f"segments overlap by {overlap}; a share from 0 to below 1 is wanted")
    # With it comes all of SciPy's statistics, half of what ingest would load; it asks for no density.
    from scipy.signal import welch

    frequencies, density = welch(
        x,
        fs=rate_hz,
        window="hann",
        nperseg=n_segment,
        noverlap=min(int(overlap * n_segment), n_segment - 1),
        detrend="constant",
        scaling="density",
        axis=-1,
    )
    return np.asarray(frequencies, dtype=np.float64), np.asarray(density)


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

    Raises
    ------
    ParameterError
        If there are fewer than 2 samples, or one is not finite.

    Examples
    --------
    >>> t = np.arange(1000) / 1000.0
    >>> f, a = amplitude_spectrum(np.sin(2 * np.pi * 50 * t), rate_hz=1000.0)
    >>> float(f[a.argmax()]), round(float(a.max()), 6)
    (50.0, 1.0)
    """
    check_finite(x)
    n = x.shape[-1]
    if n < 2:
        raise ParameterError(f"a spectrum of {n} samples was asked; at least 2 are wanted")
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
    # One product for all three sums; in shares of Nyquist, so that none outgrows single precision.
    sums = (weights @ _powers_of_share(weights.shape[-1], power.dtype.name)).astype(np.float64)
    first = ratio(sums[..., 1], sums[..., 0])
    second = ratio(sums[..., 2], sums[..., 0])
    nyquist = 0.5 * rate_hz
    return nyquist * first, nyquist * np.sqrt(np.maximum(second - first * first, 0.0))


def roll_off_hz(power: Floats, rate_hz: float, *, share: float) -> Floats:
    """Frequency of the first bin up to which a share of the power lies, DC left out; 0 for silence.

    Parameters
    ----------
    power : ndarray, shape (..., bins)
        From `bin_power`.
    rate_hz : float
        Sampling rate in Hz.
    share : float
        Above 0, below 1; 0.85 and 0.95 are usual.

    Returns
    -------
    ndarray, shape (...)
        Hz, bin by bin without interpolation: a tone on a bin reads its own frequency at every share.

    Raises
    ------
    ParameterError
        If the share is not between 0 and 1.

    Notes
    -----
    Tzanetakis and Cook, IEEE Trans. Speech Audio Process. 10 (2002) 293-302, there on magnitudes; here on power.

    Examples
    --------
    >>> roll_off_hz(np.array([9.0, 1.0, 1.0, 1.0, 1.0]), 800.0, share=0.85).item()
    400.0
    """
    if not 0.0 < share < 1.0:
        raise ParameterError(f"a roll-off was asked for a share of {share}; above 0 and below 1 is wanted")
    bins = power.shape[-1] - 1
    rows = power.reshape(-1, bins + 1)
    # Sums over blocks find the block, sums within it the bin: a running sum over all bins costs four times as much.
    blocks = -(-bins // _BLOCK)
    tiles = np.zeros((len(rows), blocks, _BLOCK), dtype=power.dtype)
    tiles.reshape(len(rows), -1)[:, :bins] = rows[:, 1:]
    reached = np.zeros((len(rows), blocks + 1))
    np.cumsum(tiles.sum(axis=-1), axis=-1, out=reached[:, 1:])
    wanted = share * reached[:, -1:]
    block = np.minimum(np.count_nonzero(reached[:, 1:] < wanted, axis=-1), blocks - 1)
    row = np.arange(len(rows))
    within = reached[row, block][:, None] + np.cumsum(tiles[row, block], axis=-1, dtype=np.float64)
    place = np.count_nonzero(within < wanted, axis=-1)
    line = np.minimum(block * _BLOCK + np.minimum(place, _BLOCK - 1) + 1, bins) * (0.5 * rate_hz / bins)
    return np.where(reached[:, -1] > 0.0, line, 0.0).reshape(power.shape[:-1])


def flatness_entropy(power: Floats) -> tuple[Floats, Floats]:
    """Spectral flatness and normalised spectral entropy, DC left out, from one logarithm; both 0 for silence.

    Parameters
    ----------
    power : ndarray, shape (..., bins)
        From `bin_power`; at least three bins.

    Returns
    -------
    flatness : ndarray, shape (...)
        Wiener entropy: geometric over arithmetic mean of the bins, 0 (tone) to 1 (all bins equal). Bins below -100 dB
        of the mean count as -100 dB, so that an empty one does not decide alone.
    entropy : ndarray, shape (...)
        Shannon entropy of each bin's share of the power over the logarithm of the number of bins, 0 to 1.

    Raises
    ------
    ParameterError
        If fewer than two bins stand above DC.

    Notes
    -----
    With q the bins over their mean and N their number, the flatness is exp(mean(ln q)) and the entropy
    1 - mean(q ln q) / ln N. Gaussian noise reads exp(-0.5772) = 0.561, not 1: its bins scatter.
    Gray and Markel, IEEE Trans. Acoust. Speech Signal Process. 22 (1974) 207-217; Shannon 1948.

    Examples
    --------
    >>> flatness, entropy = flatness_entropy(np.array([[5.0, 2.0, 2.0, 2.0], [0.0, 0.0, 8.0, 0.0]]))
    >>> flatness.round(6).tolist(), entropy.round(6).tolist()
    ([1.0, 0.0], [1.0, 0.0])
    """
    bins = power[..., 1:]
    count = bins.shape[-1]
    if count < 2:
        raise ParameterError(f"the shape of a spectrum of {power.shape[-1]} bins was asked; at least 3 are wanted")
    # Sums of a spectrum of positive powers lose nothing in its own precision, and take half the time.
    mean = mean_of(bins)
    sounds = mean > np.finfo(power.dtype).tiny
    relative = bins * np.where(sounds, 1.0 / np.where(sounds, mean, 1.0), 0.0).astype(power.dtype)[..., None]
    np.maximum(relative, _SHAPE_FLOOR, out=relative)
    logs = np.log(relative)
    flatness = np.exp(mean_of(logs).astype(np.float64))
    excess = dot(relative, logs).astype(np.float64) / (count * np.log(count))
    return np.where(sounds, np.minimum(flatness, 1.0), 0.0), np.where(sounds, np.clip(1.0 - excess, 0.0, 1.0), 0.0)


def _mean_squares(spectrum: NDArray[np.complexfloating], n: int) -> Floats:
    """Mean square of each bin of n samples as if it stood for its mirror image too, but for DC."""
    power = spectrum.real**2
    power += spectrum.imag**2
    power *= 2.0 / (float(n) * float(n))
    power[..., 0] *= 0.5
    return power


@functools.lru_cache(maxsize=32)
def _powers_of_share(bins: int, dtype: str) -> Floats:
    """Zeroth to second power of each bin's frequency over Nyquist, DC left out; shape (bins, 3), read-only."""
    share = np.arange(1, bins + 1) / bins
    powers = np.stack([np.ones(bins), share, share**2], axis=-1).astype(dtype)
    powers.flags.writeable = False
    return powers
