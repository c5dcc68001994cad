"""A network learned in very small batches, all steps in one call; refuses what `NetworkClassifier` refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bearing.network import NetworkClassifier, balanced_weights

__all__ = ["SmallBatchClassifier", "settle"]


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
        model, loss = self.model, keras.losses.SparseCategoricalCrossentropy()
        optimizer.build(model.trainable_variables)

        # Each return to Python would cost more than a step of batches as small as these.
        def take(data: Any, truth: Any, weights: Any, order: Any) -> None:
            for i in tf.range(tf.shape(order)[0]):
                rows = order[i]
                with tf.GradientTape() as tape:
                    named = model(tf.gather(data, rows), training=True)
                    value = loss(tf.gather(truth, rows), named, sample_weight=tf.gather(weights, rows))
                optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)

        given = tuple(tf.constant(value) for value in (x, index, balanced_weights(index), order))
        tf.function(take).get_concrete_function(*given)(*given)
        settle(model, x)

    def _dealt(self, windows: int) -> NDArray[np.intp]:
        """Indices of the windows of each batch, shape (steps, batch)."""
        rng, batch = np.random.default_rng(self.seed), min(self.training.batch, windows)
        kept = windows // batch * batch
        passes = [rng.permutation(windows)[:kept] for _ in range(self.training.epochs)]
        return np.concatenate(passes).reshape(-1, batch)


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
