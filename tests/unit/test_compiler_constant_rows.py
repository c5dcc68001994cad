"""Rows that are constant lose their weights and keep every output."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.compiler.constant_rows import sum_range, with_constant_rows
from edge.compiler.convolution import Layer
from edge.compiler.fixed import requantise

_ALL_INPUTS = np.arange(-128, 128)


def _layer(
    weights: list[int],
    bias: list[int],
    *,
    multipliers: list[int] | int = 1 << 30,
    shifts: list[int] | int = -7,
    lowest: int = -128,
    out_zero: int = -20,
) -> Layer:
    """Of one input, so that all its inputs can be tried."""
    rows = len(weights)
    return Layer(
        weights=np.array(weights, dtype=np.int8).reshape(rows, 1, 1, 1),
        bias=np.array(bias, dtype=np.int64),
        multipliers=np.broadcast_to(np.array(multipliers, dtype=np.int64), rows),
        shifts=np.broadcast_to(np.array(shifts, dtype=np.int64), rows),
        per_row=isinstance(multipliers, list),
        in_shape=(1, 1, 1),
        out_shape=(1, 1, rows),
        stride=(1, 1),
        dilation=(1, 1),
        pad=(0, 0),
        in_zero=5,
        out_zero=out_zero,
        lowest=lowest,
        highest=127,
    )


def _outputs(layer: Layer) -> NDArray[np.int64]:
    """Every output for every input, in the plain kernel's arithmetic."""
    weights = layer.weights.reshape(-1, 1).astype(np.int64)
    sums = weights * (_ALL_INPUTS - layer.in_zero) + layer.bias[:, None]
    scaled = requantise(sums, layer.multipliers[:, None], layer.shifts[:, None]) + layer.out_zero
    return np.clip(scaled, layer.lowest, layer.highest)


@pytest.mark.parametrize("per_row", [False, True])
def test_every_output_is_kept(per_row: bool, rng: np.random.Generator) -> None:
    """Rows of zeros, rows below what an activation leaves, rows beyond int8, and others."""
    weights = [0, 3, 3, 127, 1, 0, -128]
    bias = [700, -90_000, 90_000, 0, 0, -1_000_000, 40_000]
    scales = {"multipliers": rng.integers(1 << 30, 1 << 31, 7).tolist(), "shifts": [-7, -6, -8, -7, -20, 3, -7]}
    layer = _layer(weights, bias, lowest=-20, **(scales if per_row else {}))
    changed = with_constant_rows(layer)
    assert np.array_equal(_outputs(changed), _outputs(layer))
    constant = np.ptp(_outputs(layer), axis=1) == 0
    assert constant.tolist() == [True, True, True, False, True, True, False]
    assert (changed.weights.reshape(-1) == 0).tolist() == constant.tolist()


def test_scales_that_a_converter_made_of_nothing_are_replaced() -> None:
    """A row of zeros has any scale; those of constant rows become a quarter, which the fast kernel takes."""
    layer = _layer([0, 50], [900, 0], multipliers=[1 << 30, 1 << 30], shifts=[9, -7])
    changed = with_constant_rows(layer)
    assert changed.shifts.tolist() == [-1, -7]
    assert np.array_equal(_outputs(changed), _outputs(layer))


def test_a_layer_without_such_rows_stays() -> None:
    layer = _layer([90, -90], [0, 10])
    assert with_constant_rows(layer) is layer


def test_a_row_whose_sums_leave_int32_when_shifted_stays() -> None:
    """The kernels wrap around there, so that its ends say nothing of what lies between."""
    layer = _layer([127], [5_000_000], multipliers=[1 << 30], shifts=[9])
    assert with_constant_rows(layer) is layer


def test_the_range_of_sums_is_reached(rng: np.random.Generator) -> None:
    weights, bias = rng.integers(-128, 128, 6).tolist(), rng.integers(-900, 900, 6).tolist()
    lowest, largest = sum_range(_layer(weights, bias))
    sums = np.array(weights)[:, None] * (_ALL_INPUTS - 5) + np.array(bias)[:, None]
    assert lowest.tolist() == sums.min(axis=1).tolist()
    assert largest.tolist() == sums.max(axis=1).tolist()
