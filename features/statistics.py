"""Time-domain statistics of vibration windows, from one pass of central moments; refuses nothing, defines silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments", "clearance_factor", "moments", "ratio", "zero_crossing_rate"]

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Moments:
    """What the statistics of a batch of windows share.

    Attributes
    ----------
    mean, std, rms, peak, peak_to_peak, mean_abs : ndarray, shape (...)
        In the unit of the samples; `std` is the population deviation, `peak` the largest absolute value.
    skewness, kurtosis : ndarray, shape (...)
        Fisher-Pearson skewness and Pearson kurtosis (3 for a Gaussian); 0 and 3 for a constant window.
    """

    mean: Floats
    std: Floats
    rms: Floats
    peak: Floats
    peak_to_peak: Floats
    mean_abs: Floats
    skewness: Floats
    kurtosis: Floats

    @property
    def crest_factor(self) -> Floats:
        """Peak over RMS; 0 for silence."""
        return ratio(self.peak, self.rms)

    @property
    def shape_factor(self) -> Floats:
        """RMS over mean absolute value; 0 for silence."""
        return ratio(self.rms, self.mean_abs)

    @property
    def impulse_factor(self) -> Floats:
        """Peak over mean absolute value; 0 for silence."""
        return ratio(self.peak, self.mean_abs)


def ratio(numerator: Floats, denominator: Floats, *, silence: float = 0.0) -> Floats:
    """Divide, giving `silence` where the denominator is zero."""
    safe = np.where(denominator > 0.0, denominator, 1.0)
    return np.where(denominator > 0.0, numerator / safe, silence)


def moments(x: Floats) -> Moments:
    """Compute the shared moments of windows.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples, time last.

    Returns
    -------
    Moments
        Each of shape (...), float64.

    Notes
    -----
    Two-pass central moments: the sum of squares of raw values loses the variance under a large offset.

    Examples
    --------
    >>> square = np.tile([1.0, -1.0], 8)
    >>> m = moments(square)
    >>> float(m.rms), float(m.kurtosis), float(m.crest_factor)
    (1.0, 1.0, 1.0)
    """
    n = x.shape[-1]
    mean = x.mean(axis=-1, dtype=np.float64)
    centred = x - mean[..., None].astype(x.dtype)
    squared = centred * centred
    m2 = squared.mean(axis=-1, dtype=np.float64)
    m3 = np.einsum("...i,...i->...", squared, centred).astype(np.float64) / n
    m4 = np.einsum("...i,...i->...", squared, squared).astype(np.float64) / n
    low = x.min(axis=-1).astype(np.float64)
    high = x.max(axis=-1).astype(np.float64)
    # A window whose deviation drowns in the rounding of its mean is constant: its shape is undefined, not random.
    floor = (np.finfo(x.dtype).eps * np.maximum(np.abs(low), np.abs(high))) ** 2
    varies = m2 > floor
    safe = np.where(varies, m2, 1.0)
    return Moments(
        mean=mean,
        std=np.sqrt(m2),
        rms=np.sqrt(m2 + mean * mean),
        peak=np.maximum(np.abs(low), np.abs(high)),
        peak_to_peak=high - low,
        mean_abs=np.abs(x).mean(axis=-1, dtype=np.float64),
        skewness=np.where(varies, m3 / safe**1.5, 0.0),
        kurtosis=np.where(varies, m4 / safe**2, 3.0),
    )


def clearance_factor(x: Floats, peak: Floats) -> Floats:
    """Peak over the squared mean of the square roots of the absolute values; 0 for silence.

    Parameters
    ----------
    x : ndarray, shape (..., n)
    peak : ndarray, shape (...)
        Largest absolute value of each window.
    """
    root = np.sqrt(np.abs(x)).mean(axis=-1, dtype=np.float64)
    return ratio(peak, root * root)


def zero_crossing_rate(x: Floats) -> Floats:
    """Share of neighbouring sample pairs whose signs differ (zero counts as positive).

    Parameters
    ----------
    x : ndarray, shape (..., n)

    Returns
    -------
    ndarray, shape (...), from 0 to 1
    """
    negative = np.signbit(x)
    return np.asarray(np.count_nonzero(negative[..., 1:] != negative[..., :-1], axis=-1) / (x.shape[-1] - 1.0))
