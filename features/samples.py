"""What counts as a measurement; refuses NaN and infinity."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["all_finite", "check_finite"]


def all_finite(x: NDArray[np.floating]) -> bool:
    """Say whether no sample is NaN or infinite, in one pass where that is so."""
    # One sum is finite only if all samples are; it may overflow where they are, hence the second look.
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(x.sum())) or bool(np.isfinite(x).all())


def check_finite(x: NDArray[np.floating], what: str = "samples") -> None:
    """Refuse what is no measurement.

    Raises
    ------
    ParameterError
        If a value is NaN or infinite.

    Examples
    --------
    >>> check_finite(np.array([1.0, np.nan]))
    Traceback (most recent call last):
    features.errors.ParameterError: 1 of 2 samples are NaN or infinite; finite ones are wanted: quarantine or cut them
    """
    if not all_finite(x):
        bad = int(x.size - np.count_nonzero(np.isfinite(x)))
        raise ParameterError(
            f"{bad} of {x.size} {what} are NaN or infinite; finite ones are wanted: quarantine or cut them"
        )
