"""A random forest of remaining life on all inputs that our network may choose from; refuses too few bearings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.life.bearing_baselines import LifeEstimator
from models.life.bearing_conformal import Predict, with_intervals
from models.life.bearing_history import INPUTS, BearingHistory, causal_inputs
from models.life.bearing_network import training_rows

__all__ = ["learn_forest"]

_TREES, _LEAF, _FEATURES = 100, 5, 1 / 3
_STRETCH = 2.5


def learn_forest(bearings: Sequence[BearingHistory], *, seed: int) -> LifeEstimator:
    """Learn the logarithm of the remaining life, with intervals calibrated by bearing as ours.

    Parameters
    ----------
    bearings : sequence of BearingHistory
        More than ``bearing_baselines.FEWEST_BEARINGS``, all to the end of their lives.
    seed : int

    Returns
    -------
    callable
        From a history and rows of it to estimates; the estimate is the geometric mean over the trees.

    Raises
    ------
    ParameterError
        If there are fewer bearings.

    Notes
    -----
    Its settings are fixed before anything was measured. It learns on the rows and the stretched lives of our network.
    """

    def learn(some: Sequence[BearingHistory]) -> Predict:
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(_TREES, min_samples_leaf=_LEAF, max_features=_FEATURES, random_state=seed)
        forest.fit(*training_rows(some, inputs=INPUTS, stretch=_STRETCH))

        def predict(history: BearingHistory, rows: NDArray[np.intp]) -> NDArray[np.float64]:
            return np.tile(forest.predict(causal_inputs(history)[rows])[:, None], 3)

        return predict

    return with_intervals(learn, bearings)
