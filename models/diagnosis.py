"""The 1-D CNN that names the kind of bearing fault from a fault map; learned on simulated machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from features.faultmap import CHANNELS, MAP_HASH, N_BINS, fault_map
from models.bundle import Manifest, write_bundle
from models.plant import KINDS, LabelledWindows, labelled_windows

__all__ = [
    "CLASSES",
    "Diagnosis",
    "balanced_accuracy",
    "learn_diagnosis",
    "maps_of",
    "simulated_maps",
    "write_diagnosis",
]

CLASSES = KINDS
_RATES_HZ = (10_000.0, 12_800.0, 20_000.0, 25_600.0)
_N_SAMPLES = 4096
_BATCH = 128


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """A learned network.

    Attributes
    ----------
    network : bytes
        The `.tflite` CNN from maps to class probabilities.
    model : keras.Model
    validation : dict of str to float
        Balanced accuracy and loss on machines that were not trained on.
    """

    network: bytes
    model: Any
    validation: dict[str, float]


def _silent(done: int) -> None:
    del done


def maps_of(drawn: LabelledWindows) -> NDArray[np.float32]:
    """Fault maps of labelled windows, shape (n, bins, channels), each for its own bearing and speed."""
    return np.stack(
        [
            fault_map(samples, drawn.rate_hz, shaft_hz=float(speed), orders=bearing.orders)
            for samples, speed, bearing in zip(drawn.samples, drawn.shaft_hz, drawn.bearings, strict=True)
        ]
    )


def simulated_maps(
    rng: np.random.Generator, *, n: int, progress: Callable[[int], None] = _silent
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Draw fault maps of simulated machines at several sampling rates, with their kinds.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Windows wanted.
    progress : callable
        Told the windows done so far.

    Returns
    -------
    maps : ndarray of float32, shape (n, bins, channels)
    kinds : ndarray of int, shape (n,)
    """
    maps, kinds = [], []
    chunk = 500
    for first in range(0, n, chunk):
        rate_hz = _RATES_HZ[first // chunk % len(_RATES_HZ)]
        drawn = labelled_windows(rng, n=min(chunk, n - first), n_samples=_N_SAMPLES, rate_hz=rate_hz)
        # The tachometer is never exact; half a percent keeps the network from relying on it.
        off = 1.0 + 0.005 * rng.standard_normal(drawn.shaft_hz.size)
        measured = LabelledWindows(**{**vars(drawn), "shaft_hz": drawn.shaft_hz * off})
        maps.append(maps_of(measured))
        kinds.append(drawn.kind)
        progress(min(first + chunk, n))
    return np.concatenate(maps), np.concatenate(kinds)


def balanced_accuracy(kinds: NDArray[np.intp], predicted: NDArray[np.intp]) -> float:
    """Mean over the kinds that occur of the share predicted right."""
    return float(np.mean([np.mean(predicted[kinds == k] == k) for k in np.unique(kinds)]))


def learn_diagnosis(
    maps: NDArray[np.float32],
    kinds: NDArray[np.intp],
    *,
    convert: Callable[[Any], bytes],
    seed: int,
    epochs: int,
    progress: Callable[[int], None] = _silent,
) -> Diagnosis:
    """Learn the network; the last fifth of the windows validates.

    Parameters
    ----------
    maps : ndarray of float32, shape (n, bins, channels)
        From `simulated_maps`; every window is of another machine, so any split is by machine.
    kinds : ndarray of int, shape (n,)
        Index into ``CLASSES``.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed, epochs : int
    progress : callable
        Told the epochs done so far.

    Raises
    ------
    ParameterError
        If the shapes disagree or a class is missing.
    """
    if maps.shape[1:] != (N_BINS, len(CHANNELS)) or kinds.shape != maps.shape[:1]:
        raise ParameterError(f"maps of shape {maps.shape} with kinds of shape {kinds.shape} do not belong together")
    if np.unique(kinds).size != len(CLASSES):
        raise ParameterError(f"kinds {np.unique(kinds).tolist()} are not all of {len(CLASSES)} classes")
    import keras

    keras.utils.set_random_seed(seed)
    model = _network(keras)
    split = len(maps) * 4 // 5

    def report(epoch: int, logs: object) -> None:
        del logs
        progress(epoch + 1)

    schedule = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-split // _BATCH))
    callback = keras.callbacks.LambdaCallback(on_epoch_end=report)
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss=keras.losses.SparseCategoricalCrossentropy())
    model.fit(maps[:split], kinds[:split], epochs=epochs, batch_size=_BATCH, verbose=0, callbacks=[callback])
    probabilities = np.asarray(model.predict(maps[split:], batch_size=1024, verbose=0))
    right = probabilities[np.arange(len(kinds) - split), kinds[split:]]
    validation = {
        "validation_balanced_accuracy": balanced_accuracy(kinds[split:], probabilities.argmax(axis=-1)),
        "validation_loss": float(-np.log(np.maximum(right, 1e-9)).mean()),
    }
    return Diagnosis(convert(model), model, validation)


def _network(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((N_BINS, len(CHANNELS))),
            layers.Conv1D(16, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            # Flattened, not pooled: where a line stands is what it means.
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(48, activation="relu"),
            layers.Dense(len(CLASSES), activation="softmax"),
        ]
    )


def write_diagnosis(
    bundles: Path,
    diagnosis: Diagnosis,
    *,
    bundle_id: str,
    seed: int,
    n: int,
    provenance: Mapping[str, Any] | None = None,
    held_out: Sequence[str] = (),
) -> Path:
    """Write a diagnosis network as a bundle.

    Parameters
    ----------
    bundles : Path
    diagnosis : Diagnosis
    bundle_id : str
    seed : int
    n : int
        Simulated windows that it learned from.
    provenance : mapping, optional
        What it learned from beside them.
    held_out : sequence of str
        Machines that it never learned from, though people labelled them.

    Returns
    -------
    Path
        Of its folder.
    """
    manifest = Manifest(
        id=bundle_id,
        role="diagnosis",
        contract=MAP_HASH,
        seed=seed,
        classes=CLASSES,
        metrics=diagnosis.validation,
        provenance={"source": "models.plant", "windows": n, "rates_hz": list(_RATES_HZ), **(provenance or {})},
        split={"validation": "last fifth; each window is of another machine"}
        | ({"held_out": list(held_out)} if held_out else {}),
    )
    return write_bundle(bundles, manifest, network=diagnosis.network, arrays={}, save_keras=diagnosis.model.save)
