"""The dense autoencoder that learns what is healthy at one measuring point; refuses too short a healthy start."""

from __future__ import annotations

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

__all__ = ["FEWEST_WINDOWS", "Baseline", "learn_baseline", "write_baseline"]

FEWEST_WINDOWS = 32
_HIDDEN, _CODE = 24, 6
_EPOCHS, _BATCH = 300, 32
# The threshold stands this far above the largest error that windows held out of the training showed.
_MARGIN = 2.0
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
    threshold : float
        Score above which a window is abnormal, in healthy standard deviations.
    held_out : ndarray of float64
        Errors of the windows that were not trained on, in time order.
    model : keras.Model
    """

    network: bytes
    scaler: Scaler
    threshold: float
    held_out: NDArray[np.float64]
    model: Any


def learn_baseline(
    features: NDArray[np.floating], *, convert: Callable[[Any], bytes], seed: int, epochs: int = _EPOCHS
) -> Baseline:
    """Learn an autoencoder and its threshold from a healthy start.

    Parameters
    ----------
    features : ndarray, shape (windows, features)
        In time order, from `features.contract.extract`.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int
    epochs : int
        Passes over the training windows.

    Returns
    -------
    Baseline

    Raises
    ------
    ParameterError
        If there are fewer than ``FEWEST_WINDOWS`` windows, or a value is not finite.

    Notes
    -----
    The windows are cut into short stretches of time, dealt in turn to four folds, so that each sees every speed and
    load of the healthy start. Each fold is scored by a network and scaler learned on the other three; the threshold is
    twice the largest such error. The final network learns from all windows.
    """
    if features.ndim != 2 or len(features) < FEWEST_WINDOWS:
        raise ParameterError(f"a baseline was given {len(features)} windows; at least {FEWEST_WINDOWS} are wanted")
    network = _Network(features.shape[1], steps=epochs * math.ceil(len(features) / _BATCH))
    held_out = np.empty(len(features))
    fold_of = np.arange(len(features)) // _STRETCH % _FOLDS
    for fold in range(_FOLDS):
        part = fold_of == fold
        scaler = Scaler.learn(features[~part])
        network.learn(scaler.apply(features[~part]), seed=seed + 1 + fold)
        held_out[part] = network.errors(scaler.apply(features[part]))
    scaler = Scaler.learn(features)
    network.learn(scaler.apply(features), seed=seed)
    threshold = _MARGIN * float(held_out.max())
    return Baseline(convert(network.model), scaler, threshold, held_out, network.model)


class _Network:
    """One compiled autoencoder, learned anew for each fold: compiling costs more than learning."""

    def __init__(self, k: int, *, steps: int) -> None:
        import keras

        self._steps = steps
        self.model = keras.Sequential(
            [
                keras.layers.Input((k,)),
                keras.layers.Dense(_HIDDEN, activation="relu"),
                keras.layers.Dense(_CODE),
                keras.layers.Dense(_HIDDEN, activation="relu"),
                keras.layers.Dense(k),
            ]
        )
        # All steps in one graph call: the steps are microseconds, and each return to Python would be milliseconds.
        self.model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", steps_per_execution=steps)

    def learn(self, scaled: NDArray[np.float32], *, seed: int) -> None:
        import tensorflow as tf

        self._reset(seed)
        rows = np.random.default_rng(seed)
        passes = math.ceil(self._steps * _BATCH / len(scaled))
        order = np.concatenate([rows.permutation(len(scaled)) for _ in range(passes)])
        batches = tf.data.Dataset.from_tensor_slices(scaled[order]).batch(_BATCH, drop_remainder=True)
        batches = batches.map(lambda batch: (batch, batch)).repeat()
        self.model.fit(batches, epochs=1, steps_per_epoch=self._steps, shuffle=False, verbose=0)

    def errors(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        return reconstruction_error(scaled, np.asarray(self.model(scaled)))

    def _reset(self, seed: int) -> None:
        import keras

        keras.utils.set_random_seed(seed)
        for layer in self.model.layers:
            layer.kernel.assign(keras.initializers.GlorotUniform(seed=seed)(layer.kernel.shape))
            layer.bias.assign(np.zeros(layer.bias.shape))
        for variable in self.model.optimizer.variables:
            if variable is not self.model.optimizer._learning_rate:
                variable.assign(np.zeros(variable.shape))


def write_baseline(
    bundles: Path, baseline: Baseline, *, bundle_id: str, contract: str, seed: int, provenance: dict[str, Any]
) -> Path:
    """Write a baseline as a bundle and return its folder."""
    held_out = baseline.held_out
    manifest = Manifest(
        id=bundle_id,
        role="baseline",
        contract=contract,
        seed=seed,
        thresholds={"score": baseline.threshold},
        metrics={"held_out_max": float(held_out.max()), "held_out_median": float(np.median(held_out))},
        provenance=provenance,
        split={"held_out": f"stretches of {_STRETCH} windows dealt to {_FOLDS} folds"},
    )
    scaler = baseline.scaler
    arrays = {"mean": scaler.mean, "scale": scaler.scale, "logarithmic": scaler.logarithmic}
    return write_bundle(bundles, manifest, network=baseline.network, arrays=arrays, save_keras=baseline.model.save)
