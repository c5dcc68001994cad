"""A random forest of remaining life on all inputs that our network may choose from; refuses too few bearings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.life.bearing_conformal import CalibratedBearing, with_intervals
from models.life.bearing_history import INPUTS, BearingHistory, causal_inputs
from models.life.bearing_network import training_rows

__all__ = ["Forest", "learn_forest"]

_TREES, _LEAF, _FEATURES = 100, 5, 1 / 3
_STRETCH = 2.5


@dataclass(frozen=True, eq=False)
class Forest:
    """A learned forest.

    Attributes
    ----------
    trees : object
        With ``predict``, from all ``INPUTS`` to logarithms of remaining seconds.
    """

    trees: Any

    def inputs(self, histories: Sequence[BearingHistory]) -> NDArray[np.float64]:
        """What it sees of the last rows, shape (histories, inputs)."""
        return np.stack([causal_inputs(history)[-1] for history in histories])

    def __call__(self, history: BearingHistory, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Logarithms of remaining seconds at these rows, shape (rows, 3): the estimate, without an interval."""
        return np.tile(self.trees.predict(causal_inputs(history)[rows])[:, None], 3)


def learn_forest(bearings: Sequence[BearingHistory], *, seed: int) -> CalibratedBearing:
    """Learn the logarithm of the remaining life, with intervals calibrated by bearing as ours.

    Parameters
    ----------
    bearings : sequence of BearingHistory
        More than ``bearing_baselines.FEWEST_BEARINGS``, all to the end of their lives.
    seed : int

    Returns
    -------
    CalibratedBearing
        From a history and rows of it to estimates; the estimate is the geometric mean over the trees.

    Raises
    ------
    ParameterError
        If there are fewer bearings.

    Notes
    -----
    Its settings are fixed before anything was measured. It learns on the rows and the stretched lives of our network.
    """

    def learn(some: Sequence[BearingHistory]) -> Forest:
        from sklearn.ensemble import RandomForestRegressor

        trees = RandomForestRegressor(_TREES, min_samples_leaf=_LEAF, max_features=_FEATURES, random_state=seed)
        trees.fit(*training_rows(some, inputs=INPUTS, stretch=_STRETCH))
        return Forest(trees)

    return with_intervals(learn, bearings)
