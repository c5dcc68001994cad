"""The step of the converter that made a signal: the largest number all its samples are whole multiples of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["step_of"]

_LARGEST = np.iinfo(np.int16).max
# Of a step: how far a sample may lie from a whole multiple while the step is still refined.
_OFF = 1e-3


def step_of(samples: NDArray[np.float64]) -> float | None:
    """Find the step of samples that come from a converter of at most 16 bits.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Finite, in double precision.

    Returns
    -------
    float or None
        In the samples' unit, 1.0 where all are zero; None where no step gives codes of 16 bits.

    Notes
    -----
    Euclid's algorithm on the distinct magnitudes and their distances, with a tolerance: the rest of a division by the
    candidate becomes the next candidate until none is left. The step is then the least-squares slope of samples over
    codes.

    Examples
    --------
    >>> round(step_of(0.25 * np.array([6.0, -10.0, 15.0])), 12)
    0.25
    """
    levels = np.unique(np.abs(samples))
    gaps = np.diff(levels, prepend=0.0)
    largest = float(levels[-1])
    # Distances below what the last digit of a double holds are no distances.
    gaps = gaps[gaps > 1e-12 * max(largest, 1.0)]
    if not gaps.size:
        return 1.0
    step = float(gaps.min())
    while step * _LARGEST * (1.0 + _OFF) >= largest:
        rest = np.abs(gaps - np.rint(gaps / step) * step)
        left = rest[rest > _OFF * step]
        if not left.size:
            return _refined(levels, step)
        step = float(left.min())
    return None


def _refined(levels: NDArray[np.float64], step: float) -> float | None:
    """Least-squares step, if every level lies on a multiple of it that fits 16 bits."""
    for _ in range(3):
        codes = np.rint(levels / step)
        step = float(levels @ codes / (codes @ codes))
    on_step = np.abs(levels - codes * step).max() <= 1e-6 * step
    return step if on_step and codes.max() <= _LARGEST else None
