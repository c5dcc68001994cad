"""Windows of one bearing with their speeds, and what every system that names faults from them offers; pure arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bearing import FaultOrders
from features.errors import ParameterError

__all__ = ["BearingWindows", "FaultClassifier", "with_noise"]


@dataclass(frozen=True, eq=False)
class BearingWindows:
    """Windows cut from records of one kind of bearing.

    Attributes
    ----------
    samples : ndarray of float32, shape (windows, n)
        In g.
    rate_hz : float
    shaft_hz : ndarray, shape (windows,)
        Stated shaft speed of each.
    orders : FaultOrders
        Of the bearing.

    Raises
    ------
    ParameterError
        If there is not one speed for each window.
    """

    samples: NDArray[np.float32]
    rate_hz: float
    shaft_hz: NDArray[np.float64]
    orders: FaultOrders

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.shaft_hz.shape != self.samples.shape[:1]:
            raise ParameterError(
                f"windows of shape {self.samples.shape} with speeds of shape {self.shaft_hz.shape}; "
                "(windows, n) and (windows,) are wanted"
            )


@dataclass(eq=False)
class FaultClassifier:
    """A system that names the class of bearing windows: measurements that learn nothing, then something that learns.

    Attributes
    ----------
    name, n_samples : str, int
        What rows of results call it, and the length of the windows it wants.
    front : callable
        From windows to measurements, shape (windows, features); learns nothing.
    learner : callable
        From a seed to what has ``fit(x, labels)`` and ``predict(x)``.
    source : str
        The paper it follows, or an empty text.
    published : str
        The figure of that paper, what it was measured on and where it was read, or "not confirmed" with what is
        missing; empty only where there is no paper.
    """

    name: str
    n_samples: int
    front: Callable[[BearingWindows], NDArray[np.floating]]
    learner: Callable[[int], Any]
    source: str = ""
    published: str = ""
    _learned: Any = None

    def fit(self, windows: BearingWindows, labels: NDArray[np.str_], *, seed: int) -> FaultClassifier:
        """Learn from windows and the class of each, shape (n,); returns itself."""
        return self.fit_measured(self.front(windows), labels, seed=seed)

    def predict(self, windows: BearingWindows) -> NDArray[np.str_]:
        """Name the class of each window, shape (n,); learns nothing."""
        return self.predict_measured(self.front(windows))

    def fit_measured(self, x: NDArray[np.floating], labels: NDArray[np.str_], *, seed: int) -> FaultClassifier:
        """Learn from what `front` measured, so that many folds share one measurement; returns itself.

        Raises
        ------
        ParameterError
            If there is not one label for each window.
        """
        if len(x) != len(labels):
            raise ParameterError(f"{len(x)} windows were given with {len(labels)} labels; one for each is wanted")
        self._learned = self.learner(seed).fit(x, labels)
        return self

    def predict_measured(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        """Name the class of each window from what `front` measured.

        Raises
        ------
        ParameterError
            If nothing was learned yet.
        """
        if self._learned is None:
            raise ParameterError(f"{self.name} was asked before it had learned; call fit first")
        return np.asarray(self._learned.predict(x))


def with_noise(x: NDArray[np.float32], *, snr_db: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add white Gaussian noise to each window.

    Parameters
    ----------
    x : ndarray, shape (..., n)
    snr_db : float
        Mean square of a window less its mean over that of its noise, in dB.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape (..., n)
        In the unit of the samples; silence stays silent.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.sin(np.arange(100_000, dtype=np.float32))
    >>> noise = with_noise(x, snr_db=-4.0, rng=rng) - x
    >>> round(float(10 * np.log10(x.var() / noise.var())), 1)
    -4.0
    """
    level = x.std(axis=-1, keepdims=True) * 10.0 ** (-0.05 * snr_db)
    return np.asarray(x + level * rng.standard_normal(x.shape), dtype=np.float32)
