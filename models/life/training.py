"""Gradient descent shared by the networks of remaining life: one seed, one schedule, one graph call for all steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["descend", "seeded", "squared_error"]

_BATCH = 256


def seeded(seed: int) -> Any:
    """Seed Python, NumPy and TensorFlow for one learning and give Keras."""
    import keras

    keras.utils.set_random_seed(seed)
    return keras


def squared_error(estimated: Any, wanted: Any) -> Any:
    """Mean squared error of the first output."""
    import tensorflow as tf

    return tf.reduce_mean(tf.square(estimated[:, 0] - wanted))


def descend(
    model: Any,
    inputs: NDArray[np.float32],
    wanted: NDArray[np.float32],
    *,
    loss: Callable[[Any, Any], Any],
    steps: int,
    rate: float,
    seed: int,
) -> None:
    """Minimise a loss by Adam in batches of 256 rows, its rate falling to 0 along half a cosine.

    Parameters
    ----------
    model : keras.Model
        Learns in place.
    inputs : ndarray, shape (rows, ...)
    wanted : ndarray, shape (rows,)
    loss : callable
        From outputs and wanted values of a batch to a scalar.
    steps : int
        Batches to learn from; the rows are dealt anew whenever all were seen, and those that fill no batch wait.
    rate : float
        Of the first step.
    seed : int
        Of the order of the rows.
    """
    import keras
    import tensorflow as tf

    order = _dealt(len(inputs), steps=steps, seed=seed)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    optimizer.build(model.trainable_variables)

    # Each return to Python would cost more than a step of networks as small as these.
    def take(data: Any, truth: Any, rows: Any) -> None:
        for i in tf.range(tf.shape(rows)[0]):
            with tf.GradientTape() as tape:
                value = loss(model(tf.gather(data, rows[i]), training=True), tf.gather(truth, rows[i]))
            optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)

    given = tf.constant(inputs), tf.constant(wanted), tf.constant(order)
    tf.function(take).get_concrete_function(*given)(*given)


def _dealt(rows: int, *, steps: int, seed: int) -> NDArray[np.intp]:
    """Indices of the rows of each batch, shape (steps, batch)."""
    rng, batch = np.random.default_rng(seed), min(_BATCH, rows)
    per_pass = rows // batch
    passes = [rng.permutation(rows)[: per_pass * batch] for _ in range(-(-steps // per_pass))]
    return np.concatenate(passes).reshape(-1, batch)[:steps]
