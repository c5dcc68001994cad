"""Time-domain statistics of vibration windows, from one pass of central moments; refuses nothing, defines silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.sums import dot
from features.sums import mean as mean_of

__all__ = ["GAUSSIAN_SHAPES", "Moments", "WindowMoments", "moments", "ratio", "zero_crossing_rate"]

Floats = NDArray[np.floating]

_ORDER = np.arange(3.0, 7.0)
# Third to sixth standardised moment of a Gaussian, which stand for a constant window.
GAUSSIAN_SHAPES = np.array([0.0, 3.0, 0.0, 15.0])


@dataclass(frozen=True, eq=False)
class Moments:
    """What the statistics of a batch of windows share.

    Attributes
    ----------
    mean, std, rms, minimum, maximum, mean_abs, root_amplitude : ndarray, shape (...)
        In the unit of the samples; `std` is the population deviation, `root_amplitude` the squared mean of the square
        roots of the absolute values.
    skewness, kurtosis, hyperskewness, hyperflatness : ndarray, shape (...)
        Third to sixth central moment over that power of `std`: kurtosis is Pearson's (3 for a Gaussian, not 0), and
        hyperflatness 15 for a Gaussian. A constant window reads as a Gaussian: 0, 3, 0 and 15.
    """

    mean: Floats
    std: Floats
    rms: Floats
    minimum: Floats
    maximum: Floats
    mean_abs: Floats
    root_amplitude: Floats
    skewness: Floats
    kurtosis: Floats
    hyperskewness: Floats
    hyperflatness: Floats

    @property
    def peak(self) -> Floats:
        """Largest absolute value."""
        return np.maximum(self.maximum, -self.minimum)

    @property
    def peak_to_peak(self) -> Floats:
        """Largest minus smallest value."""
        return self.maximum - self.minimum

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

    @property
    def clearance_factor(self) -> Floats:
        """Peak over root amplitude; 0 for silence."""
        return ratio(self.peak, self.root_amplitude)


@dataclass(frozen=True, eq=False)
class WindowMoments(Moments):
    """Moments of windows that are at hand.

    Attributes
    ----------
    deviation : ndarray, shape (..., n)
        Samples less their mean, in their own precision and up to its rounding; exactly 0 in a constant window.
    """

    deviation: Floats


def ratio(numerator: Floats, denominator: Floats, *, silence: float = 0.0) -> Floats:
    """Divide, giving `silence` where the denominator is zero."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), silence)
    np.divide(numerator, denominator, out=out, where=denominator > 0.0)
    return out


def moments(x: Floats) -> WindowMoments:
    """Compute the shared moments of windows.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples, time last.

    Returns
    -------
    WindowMoments
        Each of shape (...), float64, but the deviation.

    Notes
    -----
    Two passes: the sum of squares of raw values loses the variance under a large offset. The deviation is divided by
    its largest value before powers are taken, so that none overflows or vanishes; what the mean lost by rounding is
    corrected to first order.

    Examples
    --------
    >>> square = np.tile([1.0, -1.0], 8)
    >>> m = moments(square)
    >>> float(m.rms), float(m.kurtosis), float(m.crest_factor)
    (1.0, 1.0, 1.0)
    """
    low, high = x.min(axis=-1), x.max(axis=-1)
    rough = mean_of(x)
    deviation = x - rough[..., None]
    span = np.maximum(high - rough, rough - low)
    # A window whose extremes differ by rounding alone is constant: its shape is undefined, not random.
    varies = high - low > np.finfo(x.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    if not varies.all():
        deviation *= varies[..., None]
        span = np.where(varies, span, 1.0)
    scale = span.astype(np.float64)
    rest, variance, shapes = _standardised(deviation * (1.0 / scale).astype(x.dtype)[..., None])
    if not varies.all():
        shapes = np.where(varies, shapes, GAUSSIAN_SHAPES.reshape(-1, *(1,) * varies.ndim))
    mean, std = rough + rest * scale, np.sqrt(variance) * scale
    absolute = np.abs(x)
    return WindowMoments(
        mean=mean,
        std=std,
        rms=np.sqrt(std * std + mean * mean),
        minimum=low.astype(np.float64),
        maximum=high.astype(np.float64),
        mean_abs=mean_of(absolute).astype(np.float64),
        root_amplitude=mean_of(np.sqrt(absolute, out=absolute)).astype(np.float64) ** 2,
        skewness=shapes[0],
        kurtosis=shapes[1],
        hyperskewness=shapes[2],
        hyperflatness=shapes[3],
        deviation=deviation,
    )


def zero_crossing_rate(x: Floats) -> Floats:
    """Share of neighbouring sample pairs whose signs differ (zero counts as positive); 0 for a single sample.

    Parameters
    ----------
    x : ndarray, shape (..., n)

    Returns
    -------
    ndarray, shape (...), from 0 to 1
    """
    negative = x < 0.0
    crossings = np.count_nonzero(negative[..., 1:] != negative[..., :-1], axis=-1)
    return np.asarray(crossings / max(x.shape[-1] - 1.0, 1.0))


def _standardised(u: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean of values around zero, their variance, and the third to sixth standardised moment, shape (4, ...)."""
    n = u.shape[-1]
    squared = u * u
    cubed = squared * u
    rest = mean_of(u).astype(np.float64)
    pairs = ((u, u), (squared, u), (squared, squared), (cubed, squared), (cubed, cubed))
    raw = np.stack([dot(a, b) for a, b in pairs]).astype(np.float64) / n
    variance = raw[0] - rest * rest
    order = _ORDER.reshape(-1, *(1,) * rest.ndim)
    central = raw[1:] - order * rest * raw[:-1]
    # Only a constant window, whose values are all 0 here, has no variance.
    return rest, variance, central / np.where(variance > 0.0, variance, 1.0) ** (0.5 * order)
