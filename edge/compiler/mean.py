"""MEAN of int8 over any dimensions that leave at most two runs of averaged ones, to any scale."""

from __future__ import annotations

import numpy as np

from edge.compiler.fixed import quantised_multiplier
from edge.compiler.operands import check_count, check_int8, check_room, check_shape, operands_of, refusal
from edge.compiler.step import Call, Record, Step
from edge.tflite.graph import Graph, Operator, Tensor

__all__ = ["lower_mean"]

# As many sums of int8 fit into 31 bits.
_MOST_ELEMENTS = 1 << 23


def lower_mean(graph: Graph, operator: Operator) -> Step:
    """MEAN, with or without the averaged dimensions in its result."""
    given, axes_tensor = operands_of(graph, operator, 2)
    result = graph.results(operator)[0]
    check_int8(operator, given, result)
    axes = _axes(operator, given, axes_tensor)
    kept = [1 if i in axes else n for i, n in enumerate(given.shape)]
    if not operator.options.get("keepDims", False):
        kept = [n for i, n in enumerate(given.shape) if i not in axes]
    check_shape(operator, result, tuple(kept))
    runs = _runs(operator, given.shape, axes)
    elements = runs["rows"] * runs["columns"]
    if elements > _MOST_ELEMENTS:
        raise refusal(operator, f"over {elements} elements is not computed; {_MOST_ELEMENTS} fit")
    multiplier, shift = _multiplier(given.quantised.scale / result.quantised.scale, elements)
    check_room(operator, 255 * elements, shift)
    fields = {
        **runs,
        "multiplier": multiplier,
        "shift": shift,
        "offset": given.quantised.zero_point * elements,
        "out_zero": result.quantised.zero_point,
    }
    call = Call("rw_mean", ("{op}", "{in0}", "{out}"))
    constants = {"op": Record("struct rw_mean", fields)}
    return Step((operator.name,), (given.index,), result.index, (call,), ("rw_mean.c",), constants)


def _axes(operator: Operator, given: Tensor, axes: Tensor) -> frozenset[int]:
    if axes.data is None or given.data is not None or axes.dtype != np.int32:
        raise refusal(operator, "over dimensions that are not known beforehand is not computed")
    rank = len(given.shape)
    numbers = [int(axis) for axis in axes.data.ravel()]
    if not all(-rank <= axis < rank for axis in numbers):
        raise refusal(operator, f"over dimensions {numbers} of {rank} is not computed")
    return frozenset(axis % rank for axis in numbers)


def _runs(operator: Operator, shape: tuple[int, ...], axes: frozenset[int]) -> dict[str, int]:
    """Adjacent dimensions of one kind as one: kept, averaged, kept, averaged, kept."""
    names = ("outer", "rows", "middle", "columns", "inner")
    sizes, place = [1] * len(names), 0
    for i, n in enumerate(shape):
        if n != 1 and (i in axes) != (place % 2 == 1):
            place += 1
        if place >= len(names):
            raise refusal(operator, f"over dimensions {sorted(axes)} of shape {shape} is not computed")
        sizes[place] *= n
    check_count(operator, *sizes)
    # One run of averaged dimensions is summed fastest as columns.
    if sizes[3] == sizes[4] == 1:
        sizes = [sizes[0], 1, 1, sizes[1], sizes[2]]
    return dict(zip(names, sizes, strict=True))


def _multiplier(ratio: float, elements: int) -> tuple[int, int]:
    """The multiplier of the scales divided by the number of elements, keeping what bits there are."""
    multiplier, shift = quantised_multiplier(ratio)
    more = min(elements.bit_length() - 1, 32, 31 + shift)
    return (multiplier << more) // elements, shift - more
