"""Files in, an int8 `.tflite` and its figures out; refuses files that do not fit the network."""

from __future__ import annotations

import dataclasses
import functools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.aware import tune_aware
from edge.convert import to_tflite_int8
from edge.quantise import ALLOWED_LOSS, Quantised, quantise
from features.errors import ArtifactError, ParameterError

__all__ = ["Examples", "Tuning", "quantise_files", "read_examples", "read_network", "write_model"]

# Told the work done and the whole.
Progress = Callable[[int, int], None]

_RANGED = 256
# Errors have no points; as much as pruning may cost in `docs/EDGE.md`.
_ALLOWED_ERROR = 0.02
# Of the bar: what converting takes beside one epoch, roughly.
_CONVERTING = 1


@dataclass(frozen=True)
class Tuning:
    """How a network is fine-tuned."""

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs (items, ...) as the network takes them, and what they stand for, where that is known."""

    inputs: NDArray[np.float32]
    targets: NDArray[Any] | None


def quantise_files(
    network: Path,
    inputs: Path,
    validation: Path | None,
    *,
    dense_per_channel: bool,
    tuning: Tuning | None,
    progress: Progress,
) -> tuple[bytes, dict[str, Any]]:
    """Quantise a kept network.

    Parameters
    ----------
    network : Path
        A `.keras` file or the folder of a trained system that is one network.
    inputs : Path
        Examples learned from; ranges are taken from up to 256 of them.
    validation : Path or None
        Examples with targets, that figures are of.
    dense_per_channel : bool
        As in `edge.convert.to_tflite_int8`.
    tuning : Tuning or None
        Where the integers lose too much; needs targets of both.
    progress : callable
        Told the work done and the whole.

    Returns
    -------
    tuple of bytes and dict
        The `.tflite`, and ``bytes``, ``tuned``, ``metric`` and rows of ``forms``.

    Raises
    ------
    ArtifactError
        If the network cannot be read, or TFLite Micro refuses it.
    ParameterError
        If examples cannot be read, do not fit, or lack the targets that are needed.
    """
    examples = read_examples(inputs)
    judged = None if validation is None else read_examples(validation)
    if judged is not None and judged.targets is None:
        raise ParameterError(f"{validation} holds no array named targets; figures need it")
    if tuning is not None and (judged is None or examples.targets is None):
        raise ParameterError("fine-tuning needs targets in the inputs, and a validation to say where it is needed")
    keras_model = read_network(network)
    for given in (examples, judged) if judged is not None else (examples,):
        _refuse_unfitting(keras_model, given)
    representative = examples.inputs[:: -(-len(examples.inputs) // _RANGED)]
    whole = _CONVERTING + (0 if tuning is None else tuning.epochs)
    progress(0, whole)
    if judged is None:
        model = to_tflite_int8(keras_model, representative, dense_per_channel=dense_per_channel)
        progress(whole, whole)
        return model, {"bytes": len(model), "tuned": False}
    tune = None
    if tuning is not None:
        tune = _tuner(keras_model, examples, tuning, representative, dense_per_channel, progress)
    made, metric = _scored(keras_model, representative, judged, tune, dense_per_channel)
    progress(whole, whole)
    forms = [dataclasses.asdict(form) for form in made.forms]
    return made.model, {"bytes": len(made.model), "tuned": made.tuned, "metric": metric, "forms": forms}


def read_network(path: Path) -> Any:
    """Read the Keras model of a file, or the one of a trained system's folder.

    Raises
    ------
    ArtifactError
        If there is none that can be read, or a system is not one network.
    """
    if path.is_dir():
        from models.systems.folder import load_system
        from models.systems.state import networks_of

        networks = networks_of(load_system(path).learned)
        if len(networks) != 1:
            raise ArtifactError(f"{path} holds {len(networks)} networks; a system that is one network is wanted")
        return networks[0]
    import keras

    try:
        return keras.models.load_model(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"{path} is no Keras model that can be read ({said}); save it as .keras") from error


def read_examples(path: Path) -> Examples:
    """Read inputs (`.npy`), or arrays named ``inputs`` and ``targets`` (`.npz`).

    Raises
    ------
    ParameterError
        If the file cannot be read, or holds something else.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                found = {name: np.asarray(loaded[name]) for name in loaded.files}
        else:
            found = {"inputs": np.asarray(loaded)}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ParameterError(f"{path} cannot be read ({error}); .npy, or .npz with inputs, is wanted") from error
    inputs = found.get("inputs")
    if inputs is None or not inputs.ndim or not len(inputs) or not np.isfinite(inputs).all():
        raise ParameterError(f"{path} holds no finite array of inputs; give at least one, named inputs in an .npz")
    targets = found.get("targets")
    if targets is not None and len(targets) != len(inputs):
        raise ParameterError(f"{path} holds {len(inputs)} inputs and {len(targets)} targets; as many are wanted")
    return Examples(inputs.astype(np.float32), targets)


def write_model(model: bytes, path: Path) -> None:
    """Write a `.tflite` as a whole or not at all.

    Raises
    ------
    ParameterError
        If the place cannot be written to.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(model)
        draft.replace(path)
    except OSError as error:
        raise ParameterError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _refuse_unfitting(model: Any, examples: Examples) -> None:
    wanted = tuple(model.input_shape[1:])
    given = examples.inputs.shape[1:]
    if len(given) != len(wanted) or any(n is not None and n != m for n, m in zip(wanted, given, strict=True)):
        raise ParameterError(f"inputs of shape {given} were given; the network takes {wanted}")


def _scored(
    model: Any,
    representative: NDArray[np.float32],
    judged: Examples,
    tune: Callable[[], Any] | None,
    dense_per_channel: bool,
) -> tuple[Quantised, str]:
    """The better int8 form and the name of the figure that says so."""
    metric, score = _score_of(judged)
    allowed = ALLOWED_LOSS
    if metric != "accuracy":
        outputs = np.asarray(model.predict(judged.inputs, verbose=0), dtype=np.float64)
        allowed = _ALLOWED_ERROR * score(outputs)
    made = quantise(
        model,
        representative,
        inputs=judged.inputs,
        score=score,
        larger_is_better=metric == "accuracy",
        allowed_loss=allowed,
        tune=tune,
        dense_per_channel=dense_per_channel,
    )
    return made, metric


def _score_of(examples: Examples) -> tuple[str, Callable[[NDArray[np.float64]], float]]:
    """Accuracy of classes (integers, one an item), else the root mean square error."""
    targets = examples.targets
    assert targets is not None
    if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer):
        return "accuracy", functools.partial(_accuracy, targets)
    return "rmse", functools.partial(_rmse, targets.astype(np.float64))


def _accuracy(targets: NDArray[Any], outputs: NDArray[np.float64]) -> float:
    return float(np.mean(outputs.reshape(len(outputs), -1).argmax(axis=1) == targets))


def _rmse(targets: NDArray[np.float64], outputs: NDArray[np.float64]) -> float:
    if targets.size != outputs.size:
        raise ParameterError(f"targets of shape {targets.shape} were given; {outputs.shape} is wanted")
    return float(np.sqrt(np.mean((outputs - targets.reshape(outputs.shape)) ** 2)))


def _tuner(
    model: Any,
    examples: Examples,
    tuning: Tuning,
    representative: NDArray[np.float32],
    dense_per_channel: bool,
    progress: Progress,
) -> Callable[[], Any]:
    targets = examples.targets
    assert targets is not None
    return lambda: tune_aware(
        model,
        examples.inputs,
        targets,
        representative=representative,
        epochs=tuning.epochs,
        batch_size=tuning.batch_size,
        learning_rate=tuning.learning_rate,
        seed=tuning.seed,
        dense_per_channel=dense_per_channel,
        progress=lambda done, total: progress(_CONVERTING + done, _CONVERTING + total),
    )
