"""Cepstra, in which echoes and families of lines become one peak, and prewhitening by them; refuses too short input."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.errors import ParameterError
from features.samples import check_finite

__all__ = ["cepstral_prewhitened", "power_cepstrum", "real_cepstrum"]

Floats = NDArray[np.floating]

# Bins below this share of the strongest power (-120 dB) count as this: the logarithm of rounding is no measurement.
_FLOOR = 1e-12


def real_cepstrum(x: Floats, rate_hz: float) -> tuple[NDArray[np.float64], Floats]:
    """Inverse transform of the natural logarithm of the magnitude spectrum.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit, n at least 4; taken as one period.
    rate_hz : float
        Sampling rate in Hz, positive.

    Returns
    -------
    quefrencies : ndarray, shape (n // 2 + 1,)
        Seconds. A family of lines spaced by f Hz, or an echo after 1 / f s, peaks at 1 / f and its multiples.
    cepstrum : ndarray, shape (..., n // 2 + 1)
        Nepers; the second half of a real cepstrum mirrors the first. Quefrency 0 holds the mean log level, the only
        place where a gain shows. All 0 for silence. Bins below -120 dB of the strongest count as -120 dB.

    Raises
    ------
    ParameterError
        If there are fewer than 4 samples or the rate is not positive.

    Notes
    -----
    An echo of strength a < 1 after T adds (-1)**(k + 1) a**k / (2 k) at k T.
    Randall, "A history of cepstrum analysis and its application to mechanical problems", Mech. Syst. Signal Process.
    97 (2017) 3-19.

    Examples
    --------
    >>> x = np.zeros(1000)
    >>> x[0], x[40] = 1.0, 0.5
    >>> quefrency, c = real_cepstrum(x, rate_hz=1000.0)
    >>> float(quefrency[c.argmax()]), round(float(c.max()), 4)
    (0.04, 0.25)
    """
    check_finite(x)
    n = x.shape[-1]
    _check(n, rate_hz)
    power = np.abs(scipy.fft.rfft(x, axis=-1)) ** 2
    top = power.max(axis=-1, keepdims=True)
    sounds = top > 0.0
    logs = 0.5 * np.log(np.where(sounds, np.maximum(power, _FLOOR * top), 1.0))
    cepstrum = scipy.fft.irfft(logs, n=n, axis=-1)[..., : n // 2 + 1]
    return np.arange(n // 2 + 1) / rate_hz, np.asarray(cepstrum)


def power_cepstrum(x: Floats, rate_hz: float) -> tuple[NDArray[np.float64], Floats]:
    """Inverse transform of the natural logarithm of the power spectrum: twice the real cepstrum.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit, n at least 4.
    rate_hz : float
        Sampling rate in Hz, positive.

    Returns
    -------
    quefrencies : ndarray, shape (n // 2 + 1,)
        Seconds.
    cepstrum : ndarray, shape (..., n // 2 + 1)
        As Randall (2017) defines it; others square it once more.

    Raises
    ------
    ParameterError
        If there are fewer than 4 samples or the rate is not positive.

    Examples
    --------
    >>> _, c = power_cepstrum(np.array([1.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0] + [0.0] * 56), rate_hz=8.0)
    >>> round(float(c[3]), 4)
    0.5
    """
    quefrencies, cepstrum = real_cepstrum(x, rate_hz)
    return quefrencies, 2.0 * cepstrum


def cepstral_prewhitened(x: Floats) -> Floats:
    """Set the whole cepstrum to zero: keep every phase, give every bin the same magnitude.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit, n at least 4.

    Returns
    -------
    ndarray, shape (..., n)
        Without unit, of mean square 1 / n where no bin is empty; bins below -120 dB of the strongest are left out,
        silence stays silent.

    Raises
    ------
    ParameterError
        If there are fewer than 4 samples.

    Notes
    -----
    Borghesani, Pennacchi, Randall, Sawalhi and Ricci, "Application of cepstrum pre-whitening for the diagnosis of
    bearing faults under variable speed conditions", Mech. Syst. Signal Process. 36 (2013) 370-384. Discrete tones and
    resonances lose their weight; impacts, which are spread over all bins, keep theirs.

    Examples
    --------
    >>> x = np.zeros(64)
    >>> x[5] = 3.0
    >>> y = cepstral_prewhitened(x)
    >>> int(y.argmax()), round(float(y.max()), 6)
    (5, 1.0)
    """
    check_finite(x)
    n = x.shape[-1]
    _check(n, 1.0)
    spectrum: NDArray[np.complexfloating] = scipy.fft.rfft(x, axis=-1)
    magnitude = np.abs(spectrum)
    # The floor is on power, the square of this.
    heard = magnitude > np.sqrt(_FLOOR) * magnitude.max(axis=-1, keepdims=True)
    unit = np.where(heard, spectrum / np.where(heard, magnitude, 1.0), 0.0)
    return np.asarray(scipy.fft.irfft(unit, n=n, axis=-1))


def _check(n: int, rate_hz: float) -> None:
    if n < 4:
        raise ParameterError(f"a cepstrum of {n} samples was asked; at least 4 are wanted")
    if not rate_hz > 0.0:
        raise ParameterError(f"a cepstrum was asked at a rate of {rate_hz} Hz; a positive one is wanted")
