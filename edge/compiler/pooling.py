"""MAX_POOL_2D and AVERAGE_POOL_2D of int8, whose input and output have one scale."""

from __future__ import annotations

from edge.compiler.fixed import activation_range
from edge.compiler.operands import check_int8, operands_of, refusal
from edge.compiler.step import Call, Record, Step
from edge.compiler.windows import windows_of
from edge.tflite.graph import Graph, Operator

__all__ = ["lower_average_pool", "lower_max_pool"]

# What TensorFlow Lite takes for the same scale.
_SCALE_TOLERANCE = 1e-6


def lower_max_pool(graph: Graph, operator: Operator) -> Step:
    """MAX_POOL_2D."""
    return _lower(graph, operator, "rw_max_pool")


def lower_average_pool(graph: Graph, operator: Operator) -> Step:
    """AVERAGE_POOL_2D; what is padded does not count."""
    return _lower(graph, operator, "rw_average_pool")


def _lower(graph: Graph, operator: Operator, kernel: str) -> Step:
    (given,) = operands_of(graph, operator, 1)
    result = graph.results(operator)[0]
    check_int8(operator, given, result)
    if given.data is not None:
        raise refusal(operator, "of a constant is not computed; convert the model with constants folded")
    before, after = given.quantised, result.quantised
    if abs(before.scale - after.scale) > _SCALE_TOLERANCE or before.zero_point != after.zero_point:
        raise refusal(operator, "with another scale for its output than for its input is not computed")
    height, width = int(operator.options["filterHeight"]), int(operator.options["filterWidth"])
    windows = windows_of(operator, given, result, height=height, width=width, channels=given.shape[-1])
    lowest, highest = activation_range(operator, result)
    fields = {
        **windows,
        "window_height": height,
        "window_width": width,
        "lowest": lowest,
        "highest": highest,
    }
    constants = {"op": Record("struct rw_pool", fields)}
    call = Call(kernel, ("{op}", "{in0}", "{out}"))
    return Step((operator.name,), (given.index,), result.index, (call,), ("rw_pool.c",), constants)
