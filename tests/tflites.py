"""Small `.tflite` files for tests: trained by nobody, converted as real ones are, and changed by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from edge.convert import to_tflite_int8

__all__ = ["convolutional", "dense", "inputs_of", "rewritten"]


def inputs_of(shape: tuple[int, ...], *, n: int = 64) -> Any:
    """Normally distributed float inputs."""
    return np.random.default_rng(7).standard_normal((n, *shape)).astype(np.float32)


@functools.cache
def convolutional() -> bytes:
    """CONV_2D of height 1, pooling, DEPTHWISE_CONV_2D, MEAN, FULLY_CONNECTED and SOFTMAX."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Input((1, 16, 3)),
            layers.Conv2D(8, (1, 3), padding="same", activation="relu"),
            layers.MaxPooling2D((1, 2)),
            layers.DepthwiseConv2D((1, 3)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax", bias_initializer="normal"),
        ]
    )
    return to_tflite_int8(network, inputs_of((1, 16, 3)))


@functools.cache
def dense() -> bytes:
    """One FULLY_CONNECTED of 40 inputs and 8 outputs."""
    import keras

    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.layers.Input((40,)), keras.layers.Dense(8, bias_initializer="normal")])
    return to_tflite_int8(network, inputs_of((40,)))


def rewritten(model: bytes, change: Callable[[Any], None]) -> bytes:
    """A `.tflite` after a change of what the schema calls its `ModelT`."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    change(tree)
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())
