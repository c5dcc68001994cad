"""Rows of a layer whose output is the same whatever goes in: they are kept as constants and their weights dropped.

Pruning whole blocks leaves such rows, with scales that a converter made of nothing; others are clamped at every input.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.compiler.convolution import Layer
from edge.compiler.fixed import requantise

__all__ = ["sum_range", "with_constant_rows"]

# A quarter, exactly: four times what is wanted comes out as it.
_QUARTER = (1 << 30, -1)


def sum_range(layer: Layer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the least and the largest sum that each row can reach, bias included; shape (outputs,)."""
    rows = layer.weights.reshape(len(layer.weights), -1).astype(np.int64)
    above, below = np.clip(rows, 0, None).sum(axis=1), np.clip(rows, None, 0).sum(axis=1)
    most, least = 127 - layer.in_zero, -128 - layer.in_zero
    return above * least + below * most + layer.bias, above * most + below * least + layer.bias


def with_constant_rows(layer: Layer) -> Layer:
    """Return the same function, with rows that are constant written as a bias without weights.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    Layer
        Bit-equal for every input.

    Notes
    -----
    Scaling and clamping keep the order, so a row whose least and largest sum give one output gives no other.
    """
    lowest_sum, largest_sum = sum_range(layer)
    output = _outputs(layer, lowest_sum)
    # Beyond int32 the kernels wrap around, and order is lost.
    within = np.maximum(np.abs(lowest_sum), np.abs(largest_sum)) < (1 << 30) >> np.maximum(layer.shifts, 0)
    constant = (output == _outputs(layer, largest_sum)) & within
    if not constant.any():
        return layer
    weights = np.where(constant.reshape(-1, 1, 1, 1), 0, layer.weights).astype(np.int8)
    if not layer.per_row:
        # The scale is that of the other rows too; any sum of the row's own gives its output.
        return replace(layer, weights=weights, bias=np.where(constant, lowest_sum, layer.bias))
    return replace(
        layer,
        weights=weights,
        bias=np.where(constant, 4 * (output - layer.out_zero), layer.bias),
        multipliers=np.where(constant, _QUARTER[0], layer.multipliers),
        shifts=np.where(constant, _QUARTER[1], layer.shifts),
    )


def _outputs(layer: Layer, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    scaled = requantise(sums, layer.multipliers, layer.shifts) + layer.out_zero
    return np.clip(scaled, layer.lowest, layer.highest)
