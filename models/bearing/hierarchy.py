"""A network for the type of a bearing fault, then one per type for its severity; refuses windows that make no image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bearing.descent import compiled_pass
from models.bearing.network import NetworkClassifier, Training, balanced_weights
from models.bearing.standardised import Standardised
from models.bearing.windows import BearingWindows, FaultClassifier

__all__ = ["AdaptiveNetwork", "TypeThenSeverity", "adapted", "folded", "guo"]

_SOURCE = "Guo, Chen, Shen, Measurement 93, 2016"
_FIGURE = "not confirmed: the paper was not at hand; CWRU, read in a public extract of a review"
_SIDE = 32
# Passes and rate by the training loss, which levels off after some eight of them.
_TRAINING = Training(epochs=10, batch=32, rate=2e-3)
_LEARNED = 0.005
# Not the paper's rule, which is not known here: the usual one of a driver who brakes hard and speeds up gently.
_FASTER, _SLOWER = 1.05, 0.7


def folded(windows: BearingWindows) -> NDArray[np.float32]:
    """Fold windows into square images, row after row.

    Parameters
    ----------
    windows : BearingWindows
        Of a square number of samples.

    Returns
    -------
    ndarray of float32, shape (windows, side, side, 1)
        In g.

    Raises
    ------
    ParameterError
        If the number of samples is no square.
    """
    count, n = windows.samples.shape
    side = math.isqrt(n)
    if side * side != n:
        raise ParameterError(f"windows of {n} samples were given; a square number makes an image")
    return windows.samples.reshape(count, side, side, 1)


def adapted(rate: float, *, before: float, now: float) -> float:
    """Adapt a learning rate to what a pass over the windows did to the loss.

    Parameters
    ----------
    rate : float
    before, now : float
        Training loss of the last pass but one and of the last.

    Returns
    -------
    float
        5 % more where the loss fell, 30 % less where it did not.

    Examples
    --------
    >>> adapted(1.0, before=2.0, now=1.5), adapted(1.0, before=2.0, now=2.5)
    (1.05, 0.7)
    """
    return rate * (_FASTER if now < before else _SLOWER)


class AdaptiveNetwork(NetworkClassifier):
    """A network learned by Adam at a rate that follows the training loss, until that is below 0.005 or passes run out.

    Windows that fill no batch wait for the next pass.

    Attributes
    ----------
    rates : list of float
        Of each pass.
    losses : list of float
        Training loss of each pass, the mean over its batches.
    """

    rates: list[float]
    losses: list[float]

    def _descend(self, x: NDArray[np.float32], index: NDArray[np.intp]) -> None:
        """Minimise the cross-entropy pass by pass, each in one call, and set the rate of the next by the loss."""
        import keras
        import tensorflow as tf

        descent = keras.optimizers.Adam(self.training.rate)
        take = compiled_pass(self.model, descent)
        given = tuple(tf.constant(value) for value in (x, index, balanced_weights(index)))
        rng, batch = np.random.default_rng(self.seed), min(self.training.batch, len(x))
        self.rates, self.losses = [], []
        rate = self.training.rate
        for _ in range(self.training.epochs):
            descent.learning_rate.assign(rate)
            order = rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch)
            self.rates.append(rate)
            self.losses.append(float(take(*given, tf.constant(order))))
            if self.losses[-1] < _LEARNED:
                return
            if len(self.losses) > 1:
                rate = adapted(rate, before=self.losses[-2], now=self.losses[-1])


class TypeThenSeverity:
    """One network names the type of fault, another of that type its severity.

    The type is the first word of a label and the severity what follows: ``ball 0.007`` is a ``ball`` of ``0.007``. A
    type of one severity, or of none, needs no second network.

    Parameters
    ----------
    seed : int

    Attributes
    ----------
    types : object or None
        Names types; None where there is one alone.
    severities : dict of str to object
        By type, for types of several severities.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.types: Any = None
        self.severities: dict[str, Any] = {}
        self._alone: dict[str, str] = {}

    def fit(self, x: NDArray[np.floating], labels: NDArray[np.str_]) -> TypeThenSeverity:
        """Learn types from all images and severities from those of their type; returns itself."""
        kinds = _types_of(labels)
        self.types = self._learner().fit(x, kinds)
        self.severities, self._alone = {}, {}
        for kind in np.unique(kinds):
            of_kind = kinds == kind
            found = np.unique(labels[of_kind])
            if found.size == 1:
                self._alone[str(kind)] = str(found[0])
            else:
                self.severities[str(kind)] = self._learner().fit(x[of_kind], labels[of_kind])
        return self

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.str_]:
        """Name the label of each image; a severity network sees only what was named as its type.

        Raises
        ------
        ParameterError
            If nothing was learned yet.
        """
        if self.types is None:
            raise ParameterError("types of faults were asked for before any was learned; call fit first")
        kinds = self.types.predict(x)
        named = np.array([self._alone.get(kind, kind) for kind in kinds], dtype=object)
        for kind, network in self.severities.items():
            if (of_kind := kinds == kind).any():
                named[of_kind] = network.predict(x[of_kind])
        return named.astype(np.str_)

    def inputs(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """What the networks see of images (windows, side, side, 1)."""
        return x.astype(np.float32)

    def _learner(self) -> Any:
        return AdaptiveNetwork(self.seed, build=_lenet, training=_TRAINING)


def guo() -> FaultClassifier:
    """Give the hierarchy of Guo 2016 on windows of 1,024 samples, not yet learned.

    Returns
    -------
    FaultClassifier

    Notes
    -----
    Guo, Chen and Shen, Measurement 93 (2016) 490-502: the raw signal folded into an image of 32 x 32; one convolutional
    network of the LeNet family names the type of fault, then one of that type its size; the learning rate adapts while
    they learn. A review speaks of one network for the type and three for sizes, each of three convolutional layers with
    maximum pooling. Not taken from the paper: the sizes of layers, which are those of LeNet-5 (LeCun and others, Proc.
    IEEE 86, 1998) with rectified units, the rule by which the rate adapts (`adapted`), Adam on cross-entropy in batches
    of 32 windows for at most 10 passes, one scale for all samples. The size is named as a class, not estimated as a
    number.
    """
    return FaultClassifier("Guo 2016", _SIDE * _SIDE, folded, _network, source=_SOURCE, published=_FIGURE)


def _network(seed: int) -> Standardised:
    return Standardised(TypeThenSeverity(seed), together=True)


def _types_of(labels: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array([str(label).split(maxsplit=1)[0] for label in labels], dtype=np.str_)


def _lenet(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(shape),
            # Rectified after the maximum: the same numbers as before it, of a quarter of the values.
            layers.Conv2D(6, 5),
            layers.MaxPooling2D(),
            layers.ReLU(),
            layers.Conv2D(16, 5),
            layers.MaxPooling2D(),
            layers.ReLU(),
            layers.Conv2D(120, 5, activation="relu"),
            layers.Flatten(),
            layers.Dense(84, activation="relu"),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )
