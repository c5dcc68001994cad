"""A network learned in very small batches, all steps in one call; refuses what `NetworkClassifier` refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bearing.network import NetworkClassifier, balanced_weights

__all__ = ["SmallBatchClassifier", "compiled_pass", "settle"]


class SmallBatchClassifier(NetworkClassifier):
    """A network that learns as `NetworkClassifier` does, with its batch normalisation settled at the end.

    Parameters
    ----------
    seed : int
        Of the weights, of dropout and of the order of windows.
    build : callable
        From Keras, the shape of one window's measurements and the number of classes to a `keras.Sequential` that ends
        in a softmax.
    training : Training
        Windows that fill no batch wait for the next pass.
    """

    def _descend(self, x: NDArray[np.float32], index: NDArray[np.intp]) -> None:
        """Minimise the cross-entropy by Adam, its rate falling to 0 along half a cosine; settle the network."""
        import keras
        import tensorflow as tf

        order = self._dealt(len(x))
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(self.training.rate, len(order)))
        given = (tf.constant(value) for value in (x, index, balanced_weights(index), order))
        compiled_pass(self.model, optimizer)(*given)
        settle(self.model, x)

    def _dealt(self, windows: int) -> NDArray[np.intp]:
        """Indices of the windows of each batch, shape (steps, batch)."""
        rng, batch = np.random.default_rng(self.seed), min(self.training.batch, windows)
        kept = windows // batch * batch
        passes = [rng.permutation(windows)[:kept] for _ in range(self.training.epochs)]
        return np.concatenate(passes).reshape(-1, batch)


def compiled_pass(model: Any, optimizer: Any) -> Any:
    """Give the descent over any number of batches as one graph.

    Parameters
    ----------
    model : keras.Model
        Ends in a softmax; changed in place by each call.
    optimizer : keras.optimizers.Optimizer

    Returns
    -------
    callable
        From windows, the class and the weight of each, and the indices of the windows of each batch (steps, batch), as
        tensors, to the mean cross-entropy of the batches before their steps.

    Notes
    -----
    Each return to Python would cost more than a step of batches as small as these.
    """
    import keras
    import tensorflow as tf

    loss = keras.losses.SparseCategoricalCrossentropy()
    optimizer.build(model.trainable_variables)

    def take(data: Any, truth: Any, weights: Any, order: Any) -> Any:
        total, steps = tf.constant(0.0), tf.shape(order)[0]
        for i in tf.range(steps):
            rows = order[i]
            with tf.GradientTape() as tape:
                named = model(tf.gather(data, rows), training=True)
                value = loss(tf.gather(truth, rows), named, sample_weight=tf.gather(weights, rows))
            optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
            total += value
        return total / tf.cast(steps, tf.float32)

    return tf.function(take)


def settle(model: Any, x: NDArray[np.float32]) -> None:
    """Give each batch normalisation the mean and variance of what reaches it outside training.

    Parameters
    ----------
    model : keras.Sequential
        Changed in place.
    x : ndarray, shape (windows, ...)
        What it learned from.

    Notes
    -----
    Dropout changes the variance of what comes after it, so the averages that training keeps fit no network that is
    whole. Layers are settled in their order, each by what the settled ones before it let through.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            axes = tuple(range(x.ndim - 1))
            layer.moving_mean.assign(x.mean(axis=axes))
            layer.moving_variance.assign(x.var(axis=axes))
        x = np.asarray(layer(x, training=False))
