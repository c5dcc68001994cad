"""CONCATENATION of int8 tensors of one scale along any dimension."""

from __future__ import annotations

import numpy as np

from edge.compiler.operands import check_int8, check_shape, operands_of, reading, refusal
from edge.compiler.step import Call, Step
from edge.tflite.graph import Graph, Operator, Tensor

__all__ = ["lower_concatenation"]


def lower_concatenation(graph: Graph, operator: Operator) -> Step:
    """CONCATENATION; bytes are copied, so all scales must be one."""
    tensors = operands_of(graph, operator, len(operator.inputs))
    result = graph.results(operator)[0]
    check_int8(operator, *tensors, result)
    if operator.options.get("fusedActivationFunction", 0):
        raise refusal(operator, "with an activation is not computed")
    ours = result.quantised
    if any((t.quantised.scale, t.quantised.zero_point) != (ours.scale, ours.zero_point) for t in tensors):
        raise refusal(operator, "of tensors with different scales is not computed; convert the model again")
    axis = _axis(operator, tensors, result)
    rows = int(np.prod(result.shape[:axis], dtype=np.int64))
    inputs, constants, places = reading(tensors)
    calls, begin = [], 0
    for tensor, place in zip(tensors, places, strict=True):
        size = tensor.size // rows
        calls.append(Call("rw_concatenate", (place, rows, size, f"{{out}} + {begin}", result.size // rows)))
        begin += size
    return Step((operator.name,), inputs, result.index, tuple(calls), ("rw_concatenate.c",), constants)


def _axis(operator: Operator, tensors: tuple[Tensor, ...], result: Tensor) -> int:
    rank = len(result.shape)
    axis = int(operator.options.get("axis", 0))
    if not -rank <= axis < rank or any(len(tensor.shape) != rank for tensor in tensors) or not result.size:
        raise refusal(operator, f"along dimension {axis} of {rank} is not computed")
    axis %= rank
    for tensor in tensors:
        check_shape(operator, result, (*tensor.shape[:axis], result.shape[axis], *tensor.shape[axis + 1 :]))
    total = sum(tensor.shape[axis] for tensor in tensors)
    check_shape(operator, result, (*result.shape[:axis], total, *result.shape[axis + 1 :]))
    return axis
