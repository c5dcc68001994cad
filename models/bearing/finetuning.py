"""A network that starts from layers learned without labels and is then learned with them; refuses a single class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bearing.network import Training, balanced_weights
from models.bearing.pretraining import Adam, Floats, Layer, batches, encode, first_weights

__all__ = ["PretrainedClassifier", "classification_loss", "fine_tune", "softmax"]


def softmax(x: Floats) -> Floats:
    """Turn scores (..., classes) into probabilities.

    Examples
    --------
    >>> softmax(np.log([1.0, 3.0])).round(12).tolist()
    [0.25, 0.75]
    """
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def classification_loss(
    layers: Sequence[Layer], x: Floats, index: NDArray[np.intp], weights: Floats
) -> tuple[float, list[Floats]]:
    """Evaluate the cross-entropy of a network and its gradients.

    Parameters
    ----------
    layers : sequence of Layer
        All logistic but the last one, whose scores go through a softmax.
    x : ndarray, shape (windows, inputs)
    index : ndarray of int, shape (windows,)
        Class of each window.
    weights : ndarray, shape (windows,)

    Returns
    -------
    tuple of float and list of ndarray
        Weighted sum of the negative logarithms over the number of windows, and its gradient for weights and bias of
        each layer in turn.
    """
    inputs = [x]
    for layer in layers[:-1]:
        inputs.append(layer(inputs[-1]))
    p = softmax(inputs[-1] @ layers[-1].weights + layers[-1].bias)
    rows = np.arange(index.size)
    loss = -float((weights * np.log(np.maximum(p[rows, index], 1e-30))).sum()) / index.size
    p[rows, index] -= 1.0
    dz = p * (weights / index.size)[:, None]
    gradients: list[Floats] = []
    for i in range(len(layers) - 1, -1, -1):
        gradients = [inputs[i].T @ dz, dz.sum(axis=0), *gradients]
        dz = (dz @ layers[i].weights.T) * inputs[i] * (1.0 - inputs[i])
    return loss, gradients


def fine_tune(
    layers: Sequence[Layer],
    x: Floats,
    index: NDArray[np.intp],
    *,
    n_classes: int,
    training: Training,
    rng: np.random.Generator,
) -> tuple[Layer, ...]:
    """Put a softmax layer on learned layers and learn all of it with labels.

    Parameters
    ----------
    layers : sequence of Layer
        Left as they are.
    x : ndarray, shape (windows, inputs)
    index : ndarray of int, shape (windows,)
        Class of each window.
    n_classes : int
    training : Training
        Classes are balanced, as in `models.bearing.network.NetworkClassifier`; the rate falls along half a cosine.
    rng : numpy.random.Generator
        Of the first weights of the softmax and the order of windows.

    Returns
    -------
    tuple of Layer
        One more than was given, in float32.
    """
    x = x.astype(np.float32)
    width = layers[-1].bias.size if layers else x.shape[1]
    tuned = [Layer(*(p.astype(np.float32) for p in (layer.weights, layer.bias))) for layer in layers]
    tuned.append(Layer(*first_weights(width, n_classes, rng)))
    adam = Adam([p for layer in tuned for p in (layer.weights, layer.bias)])
    weights = balanced_weights(index)
    steps, step = training.epochs * -(-len(x) // training.batch), 0
    for _ in range(training.epochs):
        for rows in batches(len(x), training.batch, rng):
            _, gradients = classification_loss(tuned, x[rows], index[rows], weights[rows])
            adam.descend(gradients, rate=0.5 * training.rate * float(1.0 + np.cos(np.pi * step / steps)))
            step += 1
    return tuple(tuned)


class PretrainedClassifier:
    """Layers learned without labels, a softmax on top, then all of it learned with labels.

    In NumPy: these networks are so small that a step of Keras is mostly its own bookkeeping.

    Parameters
    ----------
    seed : int
    pretrain : callable
        From inputs between 0 and 1, shape (windows, features), and a generator to the layers that the network starts
        from.
    training : Training
        Of the fine-tuning.

    Notes
    -----
    Features are scaled to 0 to 1 over the windows learned from; what lies outside later is clipped.
    """

    def __init__(
        self,
        seed: int,
        *,
        pretrain: Callable[[Floats, np.random.Generator], tuple[Layer, ...]],
        training: Training,
    ) -> None:
        self.seed = seed
        self.pretrain = pretrain
        self.training = training
        self.classes: NDArray[np.str_] = np.empty(0, dtype=np.str_)
        self.layers: tuple[Layer, ...] = ()
        self._scaler: Any = None

    def fit(self, x: Floats, labels: NDArray[np.str_]) -> PretrainedClassifier:
        """Learn from features (windows, features) and the class of each; returns itself.

        Raises
        ------
        ParameterError
            If fewer than two classes occur.
        """
        from sklearn.preprocessing import MinMaxScaler

        self.classes, index = np.unique(labels, return_inverse=True)
        if self.classes.size < 2:
            raise ParameterError(f"windows of {self.classes.tolist()} alone were given; two classes are wanted")
        rng = np.random.default_rng(self.seed)
        self._scaler = MinMaxScaler(clip=True).fit(x)
        scaled = self._scaler.transform(x).astype(np.float32)
        self.layers = fine_tune(
            self.pretrain(scaled, rng), scaled, index, n_classes=self.classes.size, training=self.training, rng=rng
        )
        return self

    def probabilities(self, x: Floats) -> Floats:
        """Probability of each class, in the order of ``classes``, shape (windows, classes).

        Raises
        ------
        ParameterError
            If nothing was learned yet.
        """
        if self._scaler is None:
            raise ParameterError("a network was asked before it had learned; call fit first")
        coded = encode(self._scaler.transform(x).astype(np.float32), self.layers[:-1])
        return softmax(coded @ self.layers[-1].weights + self.layers[-1].bias)

    def predict(self, x: Floats) -> NDArray[np.str_]:
        """Name the likeliest class of each row of features."""
        return np.asarray(self.classes[self.probabilities(x).argmax(axis=-1)])
