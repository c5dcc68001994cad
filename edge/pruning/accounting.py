"""Bytes in flash of a pruned network as it is compiled, layer by layer; refuses shapes that no kernel knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.pruning.blocks import Block, block_of, kept_blocks
from edge.pruning.masks import prunable

__all__ = ["LayerBytes", "Shapes", "layer_bytes", "model_bytes"]

# By layer name: the name of a block shape, or ``dense``. Layers that it lacks are dense.
Shapes = Mapping[str, str]

_INDEX, _TILE, _BIAS, _CHANNEL = 1, 2, 4, 5


@dataclass(frozen=True)
class LayerBytes:
    """Bytes of one layer.

    Attributes
    ----------
    name, shape : str
        Of the layer, and the shape of its blocks or ``dense``.
    weights, indices, biases, scales : int
        int8 weights of kept blocks, their places, int32 biases, and multiplier with shift of each channel.
    """

    name: str
    shape: str
    weights: int
    indices: int
    biases: int
    scales: int

    @property
    def total(self) -> int:
        """All bytes of the layer."""
        return self.weights + self.indices + self.biases + self.scales


def layer_bytes(model: Any, shapes: Shapes) -> list[LayerBytes]:
    """Count the bytes of the layers that hold weights.

    Parameters
    ----------
    model : keras.Model
        With zeros where it was pruned.
    shapes : mapping of str
        By layer name.

    Returns
    -------
    list of LayerBytes
        A kept block of R outputs x 4 inputs takes 4 R bytes and one of index; each tile of R outputs two; each output
        four of bias; each channel of a convolution five of multiplier and shift, as dense layers share one. Batch
        normalisation is folded into the layer before it, which has a bias for it.

    Raises
    ------
    ParameterError
        If a shape is not known.
    """
    import keras

    counted = [_bytes(layer, shapes.get(layer.name, "dense")) for layer in prunable(model)]
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            outputs = layer.output.shape[-1]
            size = int(np.prod(layer.kernel.shape))
            counted.append(LayerBytes(layer.name, "dense", size, 0, _BIAS * outputs, _CHANNEL * outputs))
    return counted


def model_bytes(model: Any, shapes: Shapes) -> int:
    """Sum the bytes of all layers of a model; see `layer_bytes`."""
    return sum(layer.total for layer in layer_bytes(model, shapes))


def _bytes(layer: Any, shape: str) -> LayerBytes:
    import keras

    kernel = np.asarray(layer.kernel)
    outputs = kernel.shape[-1]
    scales = 0 if isinstance(layer, keras.layers.Dense) else _CHANNEL * outputs
    if shape == "dense":
        return LayerBytes(layer.name, shape, kernel.size, 0, _BIAS * outputs, scales)
    block: Block = block_of(shape)
    groups = int(kept_blocks(kernel, block).sum())
    indices = _INDEX * groups + _TILE * -(-outputs // block.outputs)
    return LayerBytes(layer.name, shape, groups * block.outputs * block.inputs, indices, _BIAS * outputs, scales)
