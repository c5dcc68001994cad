"""How far estimates of remaining life are from the truth, early and late; refuses lists of different lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import ParameterError
from models.life.protocol import CAP

__all__ = ["Estimates", "judge", "nasa_score", "rmse"]

_EARLY_CYCLES, _LATE_CYCLES = 13.0, 10.0


@dataclass(frozen=True, eq=False)
class Estimates:
    """Remaining cycles of some units, from 0 to ``CAP``.

    Attributes
    ----------
    left : ndarray, shape (units,)
        Point estimates.
    low, high : ndarray, shape (units,), or None
        Ends of the calibrated 90 % interval; None for a system that gives no calibrated interval.
    """

    left: NDArray[np.floating]
    low: NDArray[np.floating] | None = None
    high: NDArray[np.floating] | None = None


def rmse(estimated: ArrayLike, true: ArrayLike) -> float:
    """Root mean squared error, in cycles.

    Raises
    ------
    ParameterError
        If the lengths differ or nothing is given.

    Examples
    --------
    >>> rmse([3.0, 4.0], [0.0, 8.0])
    3.5355339059327378
    """
    return float(np.sqrt(np.mean(np.square(_late_by(estimated, true)))))


def nasa_score(estimated: ArrayLike, true: ArrayLike) -> float:
    """Sum of penalties in which a late estimate costs more than an early one; 0 is perfect.

    With :math:`d` = estimated - true, a unit adds :math:`e^{-d/13} - 1` where d < 0, else :math:`e^{d/10} - 1`.

    Raises
    ------
    ParameterError
        If the lengths differ or nothing is given.

    Notes
    -----
    Source: A. Saxena, K. Goebel, D. Simon, N. Eklund, "Damage propagation modeling for aircraft engine run-to-failure
    simulation", PHM 2008.

    Examples
    --------
    >>> round(nasa_score([10.0, 0.0], [0.0, 13.0]), 6) == round(2 * (np.e - 1), 6)
    True
    """
    late_by = _late_by(estimated, true)
    return float(np.expm1(np.where(late_by < 0, -late_by / _EARLY_CYCLES, late_by / _LATE_CYCLES)).sum())


def judge(estimates: Estimates, true: ArrayLike) -> dict[str, float | None]:
    """All figures of a system on some units.

    Parameters
    ----------
    estimates : Estimates
    true : array_like, shape (units,)
        Remaining cycles, without a cap.

    Returns
    -------
    dict
        ``rmse`` against the truth capped at ``CAP``, ``rmse_uncapped`` and ``score`` against the truth as it is;
        ``coverage90``, the share of capped truths inside their interval, and ``width90``, its mean width in cycles,
        None without intervals.

    Raises
    ------
    ParameterError
        If the lengths differ or nothing is given.
    """
    capped = np.minimum(np.asarray(true, dtype=float), CAP)
    figures: dict[str, float | None] = {
        "rmse": rmse(estimates.left, capped),
        "rmse_uncapped": rmse(estimates.left, true),
        "score": nasa_score(estimates.left, true),
        "coverage90": None,
        "width90": None,
    }
    if estimates.low is not None and estimates.high is not None:
        inside = (_late_by(estimates.low, capped) <= 0) & (_late_by(estimates.high, capped) >= 0)
        figures |= {"coverage90": float(inside.mean()), "width90": float(np.mean(estimates.high - estimates.low))}
    return figures


def _late_by(estimated: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    estimated, true = np.asarray(estimated, dtype=float), np.asarray(true, dtype=float)
    if estimated.shape != true.shape or estimated.ndim != 1 or not estimated.size:
        raise ParameterError(
            f"estimates of shape {estimated.shape} were given with truths of shape {true.shape}; "
            "as many of both are wanted, in one dimension, at least one"
        )
    return np.asarray(estimated - true)
