"""Feature scaling learned on healthy windows: logarithms of levels, then zero mean and unit deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["LIMIT", "Scaler"]

# Scaled values are clipped here: far outside, "how far" says nothing more, and int8 models need a range.
LIMIT = 50.0
# Logarithms of a level vary less than this in health: seven in ten values lie within a factor of 1.6 of their mean.
_LEVEL_DEVIATION = 0.5
# Deviations below the mean at which a level stands that is not there; a logarithm would make it infinite.
_ABSENT = 10.0


@dataclass(frozen=True, eq=False)
class Scaler:
    """An affine map of (logarithms of) features.

    Attributes
    ----------
    mean, scale : ndarray of float32, shape (features,)
    logarithmic : ndarray of bool, shape (features,)
        Columns whose logarithm is scaled: positive in health, and by far.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    logarithmic: NDArray[np.bool_]

    @classmethod
    def learn(cls, features: NDArray[np.floating]) -> Scaler:
        """Learn from healthy windows.

        Parameters
        ----------
        features : ndarray, shape (windows, features)

        Raises
        ------
        ParameterError
            If there are fewer than two windows or a value is not finite.
        """
        if features.ndim != 2 or features.shape[0] < 2 or not np.isfinite(features).all():
            raise ParameterError(
                f"a scaler was given features of shape {features.shape}; two or more rows of finite values are wanted"
            )
        positive = np.asarray((features > 0.0).all(axis=0))
        # A column that hugs zero is positive by chance: its next value may be negative.
        logarithmic = positive & (_logged(features, positive).std(axis=0) < _LEVEL_DEVIATION)
        values = _logged(features, logarithmic)
        mean = values.mean(axis=0)
        # A column that hardly varies in health may vary as much in health tomorrow: its deviation has a floor.
        deviation = np.maximum(values.std(axis=0), np.where(logarithmic, 0.02, 1e-3 * np.abs(mean)))
        scale = np.where(deviation > 0.0, deviation, 1.0)
        return cls(mean.astype(np.float32), scale.astype(np.float32), logarithmic)

    def apply(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scale features of shape (..., features), clipped to +-`LIMIT` deviations."""
        scaled = (_logged(features, self.logarithmic) - self.mean) / self.scale
        scaled = np.where(self.logarithmic & (features <= 0.0), -_ABSENT, scaled)
        return np.clip(scaled, -LIMIT, LIMIT).astype(np.float32)


def _logged(features: NDArray[np.floating], logarithmic: NDArray[np.bool_]) -> NDArray[np.float64]:
    tiny = np.finfo(np.float32).tiny
    return np.where(logarithmic, np.log(np.maximum(features, tiny)), features)
