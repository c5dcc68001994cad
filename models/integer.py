"""Running of all-integer `.tflite` networks, as a node computes; refuses networks that are not int8 at both ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError
from models.serving import interpreter_class

__all__ = ["Quantise", "run_int8"]

# From a Keras model and representative inputs to an int8 `.tflite`.
Quantise = Callable[[Any, NDArray[np.floating]], bytes]


def run_int8(network: bytes, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Run an all-integer network on scaled inputs, one at a time.

    Parameters
    ----------
    network : bytes
        An int8 `.tflite` of one input and one output.
    inputs : ndarray, shape (items, ...)
        Quantised here by the scale and zero point of the network; beyond its range they saturate.

    Returns
    -------
    ndarray, shape (items, ...)
        What its integers stand for.

    Raises
    ------
    ArtifactError
        If input or output of the network is not int8.
    """
    interpreter = interpreter_class()(model_content=network, num_threads=1)
    interpreter.allocate_tensors()
    entry, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if entry["dtype"] is not np.int8 or out["dtype"] is not np.int8:
        kinds = f"{np.dtype(entry['dtype'])} in and {np.dtype(out['dtype'])} out"
        raise ArtifactError(f"a network of {kinds} was given; int8 is wanted at both ends")
    scale, zero = entry["quantization"]
    quantised = np.clip(np.rint(inputs / scale) + zero, -128, 127).astype(np.int8)
    results = []
    for item in quantised:
        interpreter.set_tensor(entry["index"], item[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(out["index"])[0].astype(np.float64))
    scale, zero = out["quantization"]
    return np.asarray((np.stack(results) - zero) * scale, dtype=np.float64)
