"""Multiplications in which neither weight nor activation is 0, counted over real inputs; refuses to count over none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.pruning.blocks import Block, kept_blocks
from edge.pruning.masks import prunable
from edge.pruning.nodes import chain_of
from features.errors import ParameterError

__all__ = ["Activity", "activity", "computation_saved", "inputs_of_layers"]

_ROWS = 256
_GROUP = 4


@dataclass(frozen=True)
class Activity:
    """Multiplications of one layer for one input of the network, on average.

    Attributes
    ----------
    layer : str
    macs : float
        Of all weights, those that meet the border's padding left out.
    by_weight : float
        Where the weight is not 0.
    by_both : float
        Where neither weight nor activation is 0.
    by_block : float
        Of the kept blocks of weights, zeros in them and padding included: what a kernel computes that skips blocks.
    by_group : float
        Of these blocks, those whose four activations are not all 0: what a kernel computes that asks once a group.
        Equal to ``by_block`` where groups cross taps.
    active : float
        Share of the layer's input values that are not 0.
    """

    layer: str
    macs: float
    by_weight: float
    by_both: float
    by_block: float
    by_group: float
    active: float


def activity(model: Any, inputs: NDArray[np.floating], *, block: Block | None = None) -> list[Activity]:
    """Count the multiplications of each layer over inputs.

    Parameters
    ----------
    model : keras.Model
        With zeros where it was pruned; activations are as it computes them.
    inputs : ndarray, shape (items, ...)
        Of the network.
    block : Block, optional
        In which weights are kept, for the count by groups; single weights in groups of four inputs where not given.

    Returns
    -------
    list of Activity
        In the order of the layers.

    Raises
    ------
    ParameterError
        If there are no inputs.
    """
    if not len(inputs):
        raise ParameterError("activity was asked for without inputs; at least one is wanted")
    layers = prunable(model)
    sums = np.zeros((len(layers), 6))
    for chunk in inputs_of_layers(model, inputs):
        for i, (layer, values) in enumerate(zip(layers, chunk, strict=True)):
            sums[i] += _counts(layer, values != 0.0, block or Block(1, _GROUP))
    return [Activity(layer.name, *map(float, row / len(inputs))) for layer, row in zip(layers, sums, strict=True)]


def computation_saved(counted: list[Activity]) -> float:
    """Share of all multiplications in which weight or activation is 0."""
    return 1.0 - sum(one.by_both for one in counted) / sum(one.macs for one in counted)


def inputs_of_layers(model: Any, inputs: NDArray[np.floating]) -> Iterator[list[NDArray[np.float32]]]:
    """Give what reaches the layers with weights, in chunks of the inputs of the network."""
    weighted = {id(layer) for layer in prunable(model)}
    for start in range(0, len(inputs), _ROWS):
        values: Any = inputs[start : start + _ROWS].astype(np.float32)
        seen = []
        for layer in chain_of(model):
            if id(layer) in weighted:
                seen.append(np.asarray(values))
            values = layer(values)
        yield seen


def _counts(layer: Any, active: NDArray[np.bool_], block: Block) -> NDArray[np.float64]:
    """Sums over some inputs: all, by weight, both, block and group, and the share of active values of each input."""
    kernel = np.asarray(layer.kernel)
    ones, here = np.ones(active.shape, np.float32), active.astype(np.float32)
    macs = _applied(layer, ones, np.ones(kernel.shape, np.float32))
    by_weight = _applied(layer, ones, (kernel != 0).astype(np.float32))
    by_both = _applied(layer, here, (kernel != 0).astype(np.float32))
    share = float(active.reshape(len(active), -1).mean(axis=1).sum())
    by_block, by_group = (_by_group(layer, met, kernel, block) for met in (np.ones_like(active), active))
    return np.array([macs, by_weight, by_both, by_block, by_group, share])


def _by_group(layer: Any, active: NDArray[np.bool_], kernel: NDArray[np.float32], block: Block) -> float:
    """Weights in kept blocks that meet a group of activations with one that is not 0."""
    kept = kept_blocks(kernel, block)
    in_block = block.outputs * block.inputs
    channels = kernel.shape[-2]
    if channels % _GROUP:
        places = math.prod(layer.output.shape[1:-1])
        return float(kept.sum() * in_block * places * len(active))
    groups = active.reshape(*active.shape[:-1], channels // _GROUP, _GROUP).any(axis=-1)
    taps = np.moveaxis(kept.reshape(len(kept), *kernel.shape[:-2], channels // _GROUP), 0, -1)
    return in_block * _applied(layer, np.asarray(groups, dtype=np.float32), taps.astype(np.float32))


def _applied(layer: Any, values: NDArray[np.float32], kernel: NDArray[np.float32]) -> float:
    """Sum of what the layer, without bias and activation, makes of values by another kernel."""
    import keras

    if isinstance(layer, keras.layers.Dense):
        return float(np.asarray(values.reshape(-1, len(kernel)).sum(axis=0, dtype=np.float64) @ kernel.sum(axis=1)))
    given = {"strides": layer.strides, "padding": layer.padding, "dilation_rate": layer.dilation_rate}
    # The kernel summed over its outputs: one output tells the sum of all.
    summed = kernel.sum(axis=-1, keepdims=True)
    return float(np.asarray(keras.ops.conv(values, summed, **given)).sum(dtype=np.float64))
