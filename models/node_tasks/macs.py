"""Multiply-accumulates of a network, from the shapes of its layers; refuses layers that it cannot count."""

from __future__ import annotations

import math
from typing import Any

from features.errors import ParameterError

__all__ = ["multiply_accumulates"]

# They cost a node time, but multiply by no weight that stays one of its own: batch normalisation folds.
_FREE = {
    "Activation",
    "BatchNormalization",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "InputLayer",
    "MaxPooling2D",
    "ReLU",
    "Reshape",
}


def multiply_accumulates(model: Any) -> int:
    """Count the multiply-accumulates of one inference.

    Parameters
    ----------
    model : keras.Model
        Of dense and convolutional layers; padding counts as multiplied.

    Returns
    -------
    int

    Raises
    ------
    ParameterError
        If a layer is of another kind.
    """
    return sum(_of_layer(layer) for layer in model.layers)


def _of_layer(layer: Any) -> int:
    kind = type(layer).__name__
    if kind in {"Dense", "Conv2D"}:
        places = math.prod(layer.output.shape[1:-1])
        return int(places * math.prod(layer.kernel.shape))
    if kind in _FREE:
        return 0
    raise ParameterError(f"layer {layer.name} is a {kind}; its multiply-accumulates are not known here")
