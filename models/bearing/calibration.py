"""How far class probabilities can be trusted, and when not to answer; refuses probabilities that are none."""

from __future__ import annotations

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["expected_calibration_error", "temperature", "tempered", "unknown_threshold"]

Floats = NDArray[np.floating]

# Softer or sharper than this is no calibration: the held-out windows are all wrong or all right.
_RANGE = (0.05, 20.0)
_LEAST = 1e-7


def tempered(probabilities: Floats, temperature: float) -> NDArray[np.float64]:
    """Soften probabilities by a temperature: the softmax of their logarithms over it.

    Parameters
    ----------
    probabilities : ndarray, shape (windows, classes)
    temperature : float
        Positive; 1 changes nothing, more makes them alike.

    Returns
    -------
    ndarray, shape (windows, classes)

    Raises
    ------
    ParameterError
        If the temperature is not positive.

    Examples
    --------
    >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    if not temperature > 0.0:
        raise ParameterError(f"probabilities were to be softened by {temperature}; a positive temperature is wanted")
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _LEAST)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def temperature(probabilities: Floats, index: NDArray[np.intp]) -> float:
    """Find the temperature that makes the true classes of held-out windows likeliest.

    Parameters
    ----------
    probabilities : ndarray, shape (windows, classes)
        Of windows that were not learned from.
    index : ndarray of int, shape (windows,)
        True class of each.

    Returns
    -------
    float
        From 0.05 to 20.

    Raises
    ------
    ParameterError
        If the shapes disagree or there is no window.

    Notes
    -----
    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """
    _check(probabilities, index)
    rows = np.arange(index.size)

    def loss(log_temperature: float) -> float:
        right = tempered(probabilities, float(np.exp(log_temperature)))[rows, index]
        return float(-np.log(np.maximum(right, 1e-300)).mean())

    found = scipy.optimize.minimize_scalar(loss, bounds=tuple(np.log(_RANGE)), method="bounded")
    return float(np.exp(found.x))


def expected_calibration_error(probabilities: Floats, index: NDArray[np.intp], *, bins: int = 10) -> float:
    """Measure by how much the top probability misses the share that is right.

    Parameters
    ----------
    probabilities : ndarray, shape (windows, classes)
    index : ndarray of int, shape (windows,)
        True class of each; -1 where it is none of the classes.
    bins : int
        Equal bins of the top probability, at least 1.

    Returns
    -------
    float
        Mean over the bins, weighed by their windows, of the distance between mean top probability and share right.

    Raises
    ------
    ParameterError
        If the shapes disagree, or there is no window or no bin.

    Notes
    -----
    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1]] * 4)
    >>> round(expected_calibration_error(p, np.array([0, 0, 0, 1])), 3)
    0.15
    """
    _check(probabilities, index)
    if bins < 1:
        raise ParameterError(f"a calibration error over {bins} bins was asked for; at least 1 is wanted")
    top, right = probabilities.max(axis=-1), probabilities.argmax(axis=-1) == index
    into = np.minimum((top * bins).astype(np.intp), bins - 1)
    gaps = np.abs(np.bincount(into, top - right, minlength=bins))
    return float(gaps.sum() / index.size)


def unknown_threshold(probabilities: Floats, index: NDArray[np.intp], *, error_share: float) -> float:
    """Find the least top probability from which on held-out answers are wrong no oftener than stated.

    Parameters
    ----------
    probabilities : ndarray, shape (windows, classes)
        Of windows that were not learned from.
    index : ndarray of int, shape (windows,)
        True class of each.
    error_share : float
        Largest share of wrong answers among those given, 0 to 1, 1 excluded.

    Returns
    -------
    float
        Answers are given at or above it; infinity where no threshold keeps the share.

    Raises
    ------
    ParameterError
        If the shapes disagree, there is no window, or the share is none.

    Examples
    --------
    >>> p = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1]])
    >>> unknown_threshold(p, np.array([0, 1, 0]), error_share=0.05)
    0.9
    """
    _check(probabilities, index)
    if not 0.0 <= error_share < 1.0:
        raise ParameterError(f"a share of {error_share} wrong answers was allowed; 0 to below 1 is wanted")
    top, wrong = probabilities.max(axis=-1), probabilities.argmax(axis=-1) != index
    order = np.argsort(-top, kind="stable")
    shares = np.cumsum(wrong[order]) / np.arange(1, top.size + 1)
    # Windows of one probability are answered together, so only the last of them is a place to stop.
    last = np.append(top[order][1:] != top[order][:-1], True)
    kept = np.flatnonzero(last & (shares <= error_share))
    return float(top[order][kept[-1]]) if kept.size else float("inf")


def _check(probabilities: Floats, index: NDArray[np.intp]) -> None:
    if probabilities.ndim != 2 or index.shape != probabilities.shape[:1] or not index.size:
        raise ParameterError(
            f"probabilities of shape {probabilities.shape} with classes of shape {index.shape}; "
            "(windows, classes) and (windows,) with at least one window are wanted"
        )
