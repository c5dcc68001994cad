"""SOFTMAX of int8 over the last dimension, to steps of 1/256 from -128."""

from __future__ import annotations

from edge.compiler.fixed import quantised_multiplier
from edge.compiler.operands import check_count, check_int8, one_to_one, refusal
from edge.compiler.step import Call, Record, Step
from edge.tflite.graph import Graph, Operator

__all__ = ["lower_softmax"]

# Differences to the maximum are computed in Q5.26. Shares of a sum of 512 or more would be shifted by 32 bits.
_INTEGER_BITS, _MOST_DEPTH = 5, 511


def lower_softmax(graph: Graph, operator: Operator) -> Step:
    """SOFTMAX with any beta."""
    given, result = one_to_one(graph, operator)
    check_int8(operator, given, result)
    if result.quantised.scale != 1 / 256 or result.quantised.zero_point != -128:
        raise refusal(operator, "writes steps of 1/256 from -128; the file says otherwise, convert it again")
    depth = given.shape[-1] if given.shape else 1
    rows = given.size // depth
    check_count(operator, rows, depth)
    if depth > _MOST_DEPTH:
        raise refusal(operator, f"over {depth} classes is not computed; {_MOST_DEPTH} are the most")
    multiplier, shift, least = _scaling(operator, given.quantised.scale)
    fields = {"multiplier": multiplier, "shift": shift, "least": least, "rows": rows, "depth": depth}
    call = Call("rw_softmax", ("{op}", "{in0}", "{scratch}", "{out}"))
    constants = {"op": Record("struct rw_softmax", fields)}
    return Step((operator.name,), (given.index,), result.index, (call,), ("rw_softmax.c",), constants, 4 * depth)


def _scaling(operator: Operator, scale: float) -> tuple[int, int, int]:
    real = min(float(operator.options["beta"]) * scale * (1 << (31 - _INTEGER_BITS)), (1 << 31) - 1.0)
    if real <= 1.0:
        raise refusal(operator, f"of steps of {scale:g} is not computed; they are too fine")
    multiplier, shift = quantised_multiplier(real)
    least = -((((1 << _INTEGER_BITS) - 1) << (31 - _INTEGER_BITS)) >> shift)
    # Where no difference but 0 counts there is nothing to shift, and 1 << 31 is no int32.
    return multiplier, shift if least else 0, least
