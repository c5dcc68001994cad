"""How far estimates of a bearing's remaining life are from the truth, with the score of the 2012 challenge.

Refuses lists of different lengths and truths at or after the end of life.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import ParameterError

__all__ = ["LifeEstimates", "challenge_scores", "error_percent", "judge_bearing"]

_LATE_PERCENT, _EARLY_PERCENT = 5.0, 20.0


@dataclass(frozen=True, eq=False)
class LifeEstimates:
    """Remaining life at some moments, in seconds, at least 0.

    Attributes
    ----------
    rul_s : ndarray, shape (moments,)
        Point estimates.
    low_s, high_s : ndarray, shape (moments,)
        Ends of the 90 % interval.
    """

    rul_s: NDArray[np.floating]
    low_s: NDArray[np.floating]
    high_s: NDArray[np.floating]


def error_percent(estimated_s: ArrayLike, true_s: ArrayLike) -> NDArray[np.float64]:
    """The challenge's error E = 100 (true - estimated) / true, negative where the estimate is too long.

    Raises
    ------
    ParameterError
        If the shapes differ, nothing is given or a truth is not positive.

    Examples
    --------
    >>> error_percent([50.0, 120.0], [100.0, 100.0]).tolist()
    [50.0, -20.0]
    """
    estimated, true = np.asarray(estimated_s, dtype=float), np.asarray(true_s, dtype=float)
    if estimated.shape != true.shape or not true.size or not (true > 0.0).all():
        raise ParameterError(
            f"estimates of shape {estimated.shape} were given with truths of shape {true.shape}; as many of both are "
            "wanted, at least one, with remaining life left"
        )
    return np.asarray(100.0 * (true - estimated) / true)


def challenge_scores(estimated_s: ArrayLike, true_s: ArrayLike) -> NDArray[np.float64]:
    """Score of each estimate: 1 if it is right, halved by every 20 % that it is too short and every 5 % too long.

    Raises
    ------
    ParameterError
        As `error_percent`.

    Notes
    -----
    Source: IEEE PHM 2012 Prognostic Challenge, outline, experiments, scoring of results (FEMTO-ST Institute, 2012).

    Examples
    --------
    >>> challenge_scores([100.0, 80.0, 105.0], [100.0, 100.0, 100.0]).round(6).tolist()
    [1.0, 0.5, 0.5]
    """
    error = error_percent(estimated_s, true_s)
    return np.asarray(0.5 ** np.where(error <= 0.0, -error / _LATE_PERCENT, error / _EARLY_PERCENT))


def judge_bearing(estimates: LifeEstimates, true_s: ArrayLike, *, late: ArrayLike) -> dict[str, float]:
    """All figures of a system over the moments of one bearing's life.

    Parameters
    ----------
    estimates : LifeEstimates
    true_s : array_like, shape (moments,)
    late : array_like of bool, shape (moments,)
        Moments in the last half of the life.

    Returns
    -------
    dict
        ``mae_s``, ``rmse_s``; ``late_error_percent``, the median of the absolute error over the true remaining life in
        the last half; ``score``, the mean challenge score; ``coverage90``, the share of truths inside their interval;
        ``width90_s``, its mean width.

    Raises
    ------
    ParameterError
        As `error_percent`.
    """
    true = np.asarray(true_s, dtype=float)
    percent = np.abs(error_percent(estimates.rul_s, true))
    error_s = estimates.rul_s - true
    return {
        "mae_s": float(np.abs(error_s).mean()),
        "rmse_s": float(np.sqrt(np.square(error_s).mean())),
        "late_error_percent": float(np.median(percent[np.asarray(late, dtype=bool)])),
        "score": float(challenge_scores(estimates.rul_s, true).mean()),
        "coverage90": float(((estimates.low_s <= true) & (true <= estimates.high_s)).mean()),
        "width90_s": float((estimates.high_s - estimates.low_s).mean()),
    }
