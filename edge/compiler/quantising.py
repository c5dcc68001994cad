"""QUANTIZE of float32 or int8 to int8, and DEQUANTIZE to float32; one scale a tensor."""

from __future__ import annotations

import numpy as np

from edge.compiler.lookup import lower_requantise
from edge.compiler.operands import check_int8, one_to_one, refusal
from edge.compiler.step import Call, Record, Step
from edge.tflite.graph import Graph, Operator, Tensor

__all__ = ["lower_dequantize", "lower_quantize"]

_FLOAT = np.dtype(np.float32)


def lower_quantize(graph: Graph, operator: Operator) -> Step:
    """QUANTIZE of float32, or of int8 to another scale."""
    given, result = one_to_one(graph, operator)
    if given.dtype == np.int8:
        return lower_requantise(graph, operator)
    if given.dtype != _FLOAT:
        raise refusal(operator, f"of {given.dtype} is not computed; float32 or int8 is wanted")
    check_int8(operator, result)
    return _step(operator, given, result, "rw_quantise", result)


def lower_dequantize(graph: Graph, operator: Operator) -> Step:
    """DEQUANTIZE of int8 to float32."""
    given, result = one_to_one(graph, operator)
    check_int8(operator, given)
    if result.dtype != _FLOAT:
        raise refusal(operator, f"to {result.dtype} is not computed; float32 is wanted")
    return _step(operator, given, result, "rw_dequantise", given)


def _step(operator: Operator, given: Tensor, result: Tensor, kernel: str, quantised: Tensor) -> Step:
    # A hexadecimal literal is the very float of the file.
    scale = f"{quantised.quantised.scale.hex()}f"
    fields: dict[str, int | str] = {"scale": scale, "n": given.size, "zero": quantised.quantised.zero_point}
    call = Call(kernel, ("{op}", "{in0}", "{out}"))
    constants = {"op": Record("struct rw_quantise", fields)}
    return Step((operator.name,), (given.index,), result.index, (call,), ("rw_quantise.c",), constants)
