"""Cycles of a network on the target by a table, and the cheapest encoding of each layer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.cycles import CycleTable
from edge.pruning.accounting import Shapes
from edge.pruning.blocks import block_of, kept_blocks
from edge.pruning.masks import prunable

__all__ = ["cheapest_shapes", "layer_cycles", "model_cycles", "positions"]


def positions(layer: Any) -> int:
    """Count the places at which a layer applies its kernel to one input of the network."""
    return math.prod(layer.output.shape[1:-1])


def layer_cycles(table: CycleTable, kernel: NDArray[np.generic], *, shape: str, places: int, inputs: int) -> float:
    """Cycles of one layer.

    Parameters
    ----------
    table : CycleTable
    kernel : ndarray
        As Keras keeps it, with zeros where it was pruned.
    shape : str
        Of its blocks, or ``dense``.
    places : int
        At which the kernel is applied.
    inputs : int
        Values that come in.

    Returns
    -------
    float
    """
    outputs = int(kernel.shape[-1])
    around = table.per_layer + table.per_input * inputs + table.per_output * outputs * places
    if shape == "dense":
        return around + table.dense_per_mac * kernel.size * places
    cost, block = table.groups[shape], block_of(shape)
    tiles = -(-outputs // block.outputs)
    return around + (cost.per_group * int(kept_blocks(kernel, block).sum()) + cost.per_tile * tiles) * places


def cheapest_shapes(model: Any, table: CycleTable, *, among: Iterable[str] | None = None) -> dict[str, str]:
    """Choose for each layer the encoding that costs the fewest cycles, as the compiler does.

    Parameters
    ----------
    model : keras.Model
    table : CycleTable
    among : iterable of str, optional
        Shapes to choose from beside ``dense``; all of the table where it is not given.

    Returns
    -------
    dict of str
        By layer name.
    """
    shapes = ["dense", *(table.groups if among is None else among)]
    return {layer.name: min(shapes, key=lambda shape: _cycles(layer, shape, table)) for layer in prunable(model)}


def model_cycles(model: Any, table: CycleTable, shapes: Shapes) -> float:
    """Sum the cycles of the layers with weights; pooling and what comes after the last of them are not in the table."""
    return sum(_cycles(layer, shapes.get(layer.name, "dense"), table) for layer in prunable(model))


def _cycles(layer: Any, shape: str, table: CycleTable) -> float:
    inputs = math.prod(layer.input.shape[1:])
    return layer_cycles(table, np.asarray(layer.kernel), shape=shape, places=positions(layer), inputs=inputs)
