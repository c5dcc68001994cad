"""A learner behind scales of its training windows; refuses nothing, leaves what does not vary at zero."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Standardised"]

# Below this share of its size a deviation is the rounding of float32.
_ROUNDING = 1e-5


class Standardised:
    """Measurements less their mean over their deviation, then a learner; both come from the training windows.

    Parameters
    ----------
    learner : object
        With ``fit(x, labels)`` and ``predict(x)``.
    together : bool
        Whether all measurements share one mean and one deviation, as samples of a signal do; otherwise each has its
        own.

    Examples
    --------
    >>> class Shown:
    ...     def fit(self, x, labels):
    ...         print(x.tolist())
    ...         return self
    >>> _ = Standardised(Shown()).fit(np.array([[1.0, 5.0], [3.0, 5.0]]), np.array(["a", "b"]))
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    def __init__(self, learner: Any, *, together: bool = False) -> None:
        self.learner = learner
        self.together = together
        self._mean: NDArray[np.float64] = np.zeros(1)
        self._deviation: NDArray[np.float64] = np.ones(1)

    def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> Standardised:
        """Learn scales and then the learner from measurements, shape (windows, ...); returns itself."""
        axis = None if self.together else 0
        self._mean = np.asarray(x.mean(axis=axis, dtype=np.float64))
        deviation = np.asarray(x.std(axis=axis, dtype=np.float64))
        self._deviation = np.where(deviation > _ROUNDING * np.abs(self._mean), deviation, np.inf)
        self.learner = self.learner.fit(self._scaled(x), labels)
        return self

    def inputs(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """What the network of the learner sees of measurements (windows, ...); of learners that are one network."""
        return np.asarray(self.learner.inputs(self._scaled(x)))

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        """Name the class of each row of measurements."""
        return np.asarray(self.learner.predict(self._scaled(x)))

    def _scaled(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray((x - self._mean) / self._deviation, dtype=np.float32)
