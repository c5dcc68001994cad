"""A Keras network that learns the classes of measured windows; refuses to name what it has not learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["NetworkClassifier", "Training", "balanced_weights"]

Build = Callable[[Any, tuple[int, ...], int], Any]


@dataclass(frozen=True)
class Training:
    """How a network descends.

    Attributes
    ----------
    epochs : int
        Passes over the training windows.
    batch : int
        Windows in a step.
    rate : float
        Of Adam's first step; it falls to 0 along half a cosine.
    """

    epochs: int
    batch: int
    rate: float


def balanced_weights(index: NDArray[np.intp]) -> NDArray[np.float32]:
    """Weigh windows so that each class that occurs weighs the same, and a window 1 on average.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1]))
    array([0.6666667, 0.6666667, 0.6666667, 2.       ], dtype=float32)
    """
    counts = np.bincount(index)
    weights = index.size / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return weights[index].astype(np.float32)


class NetworkClassifier:
    """A network with a softmax at its end, learned by cross-entropy with classes balanced.

    Parameters
    ----------
    seed : int
        Of the weights, of dropout and of the order of windows.
    build : callable
        From Keras, the shape of one window's measurements and the number of classes to a model that ends in a softmax.
    training : Training
    """

    def __init__(self, seed: int, *, build: Build, training: Training) -> None:
        self.seed = seed
        self.build = build
        self.training = training
        self.classes: NDArray[np.str_] = np.empty(0, dtype=np.str_)
        self.model: Any = None

    def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> NetworkClassifier:
        """Learn from measurements, shape (windows, ...), and the class of each; returns itself.

        Raises
        ------
        ParameterError
            If fewer than two classes occur.
        """
        import keras

        self.classes, index = np.unique(labels, return_inverse=True)
        if self.classes.size < 2:
            raise ParameterError(f"windows of {self.classes.tolist()} alone were given; two classes are wanted")
        keras.utils.set_random_seed(self.seed)
        self.model = self.build(keras, x.shape[1:], self.classes.size)
        self._descend(self.inputs(x), index)
        return self

    def inputs(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """What the network sees of measurements (windows, ...)."""
        return x.astype(np.float32)

    def probabilities(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probability of each class, in the order of ``classes``, shape (windows, classes).

        Raises
        ------
        ParameterError
            If nothing was learned yet.
        """
        if self.model is None:
            raise ParameterError("a network was asked before it had learned; call fit first")
        return np.asarray(self.model.predict(self.inputs(x), batch_size=512, verbose=0))

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        """Name the likeliest class of each row of measurements."""
        return np.asarray(self.classes[self.probabilities(x).argmax(axis=-1)])

    def _descend(self, x: NDArray[np.float32], index: NDArray[np.intp]) -> None:
        """Minimise the cross-entropy by Adam, its rate falling to 0 along half a cosine."""
        import keras

        steps = self.training.epochs * -(-len(x) // self.training.batch)
        schedule = keras.optimizers.schedules.CosineDecay(self.training.rate, steps)
        self.model.compile(optimizer=keras.optimizers.Adam(schedule), loss=keras.losses.SparseCategoricalCrossentropy())
        self.model.fit(
            x,
            index,
            sample_weight=balanced_weights(index),
            epochs=self.training.epochs,
            batch_size=self.training.batch,
            verbose=0,
        )
