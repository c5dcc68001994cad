"""The dense autoencoder that learns what is healthy at one measuring point; refuses too short a healthy start."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bundle import Manifest, write_bundle
from models.scaler import Scaler
from models.serving import reconstruction_error
from models.tail import FALSE_ALARM_RATE, LARGEST_RATE, Tail

__all__ = ["FEWEST_WINDOWS", "Baseline", "learn_autoencoder", "learn_baseline", "write_baseline"]

FEWEST_WINDOWS = 32
_HIDDEN, _CODE = 24, 6
_EPOCHS, _BATCH, _RATE = 300, 32, 3e-3
_FOLDS = 4
_STRETCH = 8


@dataclass(frozen=True, eq=False)
class Baseline:
    """A learned baseline.

    Attributes
    ----------
    network : bytes
        The `.tflite` autoencoder over scaled features.
    scaler : Scaler
    false_alarm_rate : float
        Share of healthy windows that the threshold is to let pass it.
    held_out : ndarray of float64
        Errors of the windows that were not trained on, in time order.
    tail : Tail
        Of these errors.
    model : keras.Model
    """

    network: bytes
    scaler: Scaler
    false_alarm_rate: float
    held_out: NDArray[np.float64]
    tail: Tail
    model: Any

    @property
    def threshold(self) -> float:
        """Score above which a window is abnormal, in healthy standard deviations."""
        return self.tail.level(self.false_alarm_rate)

    def scores(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score features by the Keras model, shape (windows,), in healthy standard deviations."""
        scaled = self.scaler.apply(features)
        return reconstruction_error(scaled, np.asarray(self.model(scaled)))


def learn_baseline(
    features: NDArray[np.floating],
    *,
    convert: Callable[[Any], bytes],
    seed: int,
    false_alarm_rate: float = FALSE_ALARM_RATE,
    epochs: int = _EPOCHS,
) -> Baseline:
    """Learn an autoencoder and its threshold from a healthy start.

    Parameters
    ----------
    features : ndarray, shape (windows, features)
        In time order, from `features.extraction.extract`.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int
    false_alarm_rate : float
        Share of healthy windows that may pass the threshold, above 0 and at most 0.2.
    epochs : int
        Passes over the training windows.

    Returns
    -------
    Baseline

    Raises
    ------
    ParameterError
        If there are fewer than ``FEWEST_WINDOWS`` windows, a value is not finite, the windows are all alike, or the
        rate is no such share.

    Notes
    -----
    The windows are cut into short stretches of time, dealt in turn to four folds, so that each sees every speed and
    load of the healthy start. Each fold is scored by a network and scaler learned on the other three; the threshold is
    the level that the tail of these errors passes at the stated rate (`models.tail`). The final network learns from all
    windows.
    """
    if not 0.0 < false_alarm_rate <= LARGEST_RATE:
        raise ParameterError(
            f"a false-alarm rate of {false_alarm_rate:g} was given; above 0, at most {LARGEST_RATE:g} is wanted"
        )
    if features.ndim != 2 or len(features) < FEWEST_WINDOWS:
        raise ParameterError(f"a baseline was given {len(features)} windows; at least {FEWEST_WINDOWS} are wanted")
    network = _network(features.shape[1])
    held_out = np.empty(len(features))
    fold_of = np.arange(len(features)) // _STRETCH % _FOLDS
    for fold in range(_FOLDS):
        part = fold_of == fold
        scaler = Scaler.learn(features[~part])
        scaled = scaler.apply(features)
        network.learn(scaled, np.flatnonzero(~part), seed=seed + 1 + fold, epochs=epochs)
        held_out[part] = network.errors(scaled[part])
    tail = Tail.learn(held_out)
    scaler = Scaler.learn(features)
    network.learn(scaler.apply(features), np.arange(len(features)), seed=seed, epochs=epochs)
    model = network.copy()
    return Baseline(convert(model), scaler, false_alarm_rate, held_out, tail, model)


def learn_autoencoder(scaled: NDArray[np.float32], *, seed: int, epochs: int = _EPOCHS) -> Any:
    """Learn one autoencoder from scaled windows of several machines.

    Parameters
    ----------
    scaled : ndarray of float32, shape (windows, features)
        Those of each machine by a scaler of its own.
    seed, epochs : int

    Returns
    -------
    keras.Model

    Raises
    ------
    ParameterError
        If there are fewer than ``FEWEST_WINDOWS`` windows.
    """
    if scaled.ndim != 2 or len(scaled) < FEWEST_WINDOWS:
        raise ParameterError(f"a network was given {len(scaled)} windows; at least {FEWEST_WINDOWS} are wanted")
    network = _network(scaled.shape[1])
    network.learn(scaled, np.arange(len(scaled)), seed=seed, epochs=epochs)
    return network.copy()


class _Network:
    """One autoencoder whose training is compiled once; learned anew for each fold and each point."""

    def __init__(self, k: int) -> None:
        import keras

        self._built = keras.Sequential(
            [
                keras.layers.Input((k,)),
                keras.layers.Dense(_HIDDEN, activation="relu"),
                keras.layers.Dense(_CODE),
                keras.layers.Dense(_HIDDEN, activation="relu"),
                keras.layers.Dense(k),
            ]
        )
        self._train = _compiled_training(self._built)

    def learn(self, scaled: NDArray[np.float32], rows: NDArray[np.intp], *, seed: int, epochs: int) -> None:
        """Learn from some rows, from new weights; each row is seen `epochs` times."""
        steps = epochs * math.ceil(len(rows) / _BATCH)
        shuffle = np.random.default_rng(seed)
        passes = math.ceil(steps * _BATCH / len(rows))
        order = np.concatenate([shuffle.permutation(rows) for _ in range(passes)])[: steps * _BATCH]
        self._train(self._fresh(seed), scaled, order.reshape(steps, _BATCH))

    def errors(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        return reconstruction_error(scaled, np.asarray(self._built(scaled)))

    def copy(self) -> Any:
        """Give what was learned last as a model of its own."""
        import keras

        model = keras.models.clone_model(self._built)
        model.set_weights(self._built.get_weights())
        return model

    def _fresh(self, seed: int) -> list[Any]:
        import keras

        glorot = keras.initializers.GlorotUniform
        kernels = [glorot(seed=seed + 1000 * i)(layer.kernel.shape) for i, layer in enumerate(self._built.layers)]
        return [value for kernel in kernels for value in (kernel, np.zeros(kernel.shape[1], dtype=np.float32))]


@functools.lru_cache(maxsize=8)
def _network(k: int) -> _Network:
    return _Network(k)


def _compiled_training(model: Any) -> Callable[[list[Any], NDArray[np.float32], NDArray[np.intp]], None]:
    """All steps of Adam in one graph call: a step is microseconds, and each return to Python would be milliseconds."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(_RATE)
    optimizer.build(model.trainable_variables)
    state = [variable for variable in optimizer.variables if variable is not optimizer._learning_rate]

    def steps(data: Any, order: Any) -> None:
        for i in tf.range(tf.shape(order)[0]):
            batch = tf.gather(data, order[i])
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(batch, training=True) - batch))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    signature = [tf.TensorSpec((None, model.input_shape[1])), tf.TensorSpec((None, None), tf.int64)]
    run = tf.function(steps, input_signature=signature)

    def train(weights: list[Any], data: NDArray[np.float32], order: NDArray[np.intp]) -> None:
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
        for variable in state:
            variable.assign(np.zeros(variable.shape))
        run(data, order.astype(np.int64))

    return train


def write_baseline(
    bundles: Path, baseline: Baseline, *, bundle_id: str, contract: str, seed: int, provenance: dict[str, Any]
) -> Path:
    """Write a baseline as a bundle and return its folder."""
    held_out, tail = baseline.held_out, baseline.tail
    manifest = Manifest(
        id=bundle_id,
        role="baseline",
        contract=contract,
        seed=seed,
        thresholds={"score": baseline.threshold},
        metrics={
            "held_out_max": float(held_out.max()),
            "held_out_median": float(np.median(held_out)),
            "false_alarm_rate": baseline.false_alarm_rate,
            "tail_start": tail.start,
            "tail_share": tail.share,
            "tail_shape": tail.shape,
            "tail_scale": tail.scale,
        },
        provenance=provenance,
        split={"held_out": f"stretches of {_STRETCH} windows dealt to {_FOLDS} folds"},
    )
    scaler = baseline.scaler
    arrays = {"mean": scaler.mean, "scale": scaler.scale, "logarithmic": scaler.logarithmic}
    return write_bundle(bundles, manifest, network=baseline.network, arrays=arrays, save_keras=baseline.model.save)
