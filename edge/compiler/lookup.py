"""Functions of one int8 as tables of 256 values: LOGISTIC, TANH, RELU, RELU6 and QUANTIZE to another scale."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.compiler.fixed import quantised_multiplier, requantise
from edge.compiler.fixed_functions import logistic, rounding_shift, tanh
from edge.compiler.operands import check_int8, check_room, one_to_one, refusal
from edge.compiler.step import Call, Step, Table
from edge.tflite.graph import Graph, Operator, Tensor

__all__ = ["lower_logistic", "lower_relu", "lower_relu6", "lower_requantise", "lower_tanh"]

# Integer bits of what LOGISTIC and TANH are computed from, in 31 bits beside the sign.
_INTEGER_BITS = 4
_INPUTS = np.arange(-128, 128)


def lower_logistic(graph: Graph, operator: Operator) -> Step:
    """LOGISTIC, whose output has steps of 1/256 from -128."""
    given, result = _operands(graph, operator)
    if result.quantised.scale != 1 / 256 or result.quantised.zero_point != -128:
        raise refusal(operator, "writes steps of 1/256 from -128; the file says otherwise, convert it again")
    return _step(operator, given, result, _sigmoid(operator, given, lambda x: rounding_shift(logistic(x), 23) - 128))


def lower_tanh(graph: Graph, operator: Operator) -> Step:
    """TANH, whose output has steps of 1/128 about 0."""
    given, result = _operands(graph, operator)
    if result.quantised.scale != 1 / 128 or result.quantised.zero_point != 0:
        raise refusal(operator, "writes steps of 1/128 about 0; the file says otherwise, convert it again")
    return _step(operator, given, result, _sigmoid(operator, given, lambda x: rounding_shift(tanh(x), 24)))


def lower_relu(graph: Graph, operator: Operator) -> Step:
    """RELU as an operator of its own, to any scale."""
    given, result = _operands(graph, operator)
    values = np.maximum(_rescaled(operator, given, result), result.quantised.zero_point)
    return _step(operator, given, result, values)


def lower_relu6(graph: Graph, operator: Operator) -> Step:
    """RELU6 as an operator of its own; it keeps the scale."""
    given, result = _operands(graph, operator)
    scale, zero = given.quantised.scales[0], given.quantised.zero_point
    if scale != result.quantised.scales[0] or zero != result.quantised.zero_point:
        raise refusal(operator, "with another scale for its output than for its input is not computed")
    six = min(127, zero + math.floor(float(np.float32(6.0) / scale) + 0.5))
    return _step(operator, given, result, np.clip(_INPUTS, zero, six))


def lower_requantise(graph: Graph, operator: Operator) -> Step:
    """QUANTIZE of int8 to another scale."""
    given, result = _operands(graph, operator)
    return _step(operator, given, result, _rescaled(operator, given, result))


def _operands(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor]:
    given, result = one_to_one(graph, operator)
    check_int8(operator, given, result)
    return given, result


def _rescaled(operator: Operator, given: Tensor, result: Tensor) -> NDArray[np.int64]:
    multiplier, shift = quantised_multiplier(given.quantised.scale / result.quantised.scale)
    check_room(operator, 255, shift)
    scaled = requantise(_INPUTS - given.quantised.zero_point, np.int64(multiplier), np.int64(shift))
    return scaled + result.quantised.zero_point


def _sigmoid(operator: Operator, given: Tensor, function: Callable[[int], int]) -> NDArray[np.int64]:
    """A function of Q4.27 that ends where the format does."""
    fraction, shift = math.frexp(given.quantised.scale * (1 << (31 - _INTEGER_BITS)))
    if shift < 0:
        raise refusal(operator, f"of steps of {given.quantised.scale:g} is not computed; they are too fine")
    radius = (((1 << _INTEGER_BITS) - 1) << (31 - _INTEGER_BITS)) >> shift
    differences = _INPUTS - given.quantised.zero_point
    # Of steps so coarse that every input lies beyond the format, 0 does too, and counts as below.
    ends = np.where(differences <= 0, -128, 127)
    within = np.abs(differences) < radius
    # Exact: the scale has 24 bits.
    multiplier = np.int64(fraction * (1 << 31))
    scaled = requantise(np.where(within, differences, 0), multiplier, np.int64(shift))
    return np.where(within, [function(int(x)) for x in scaled], ends)


def _step(operator: Operator, given: Tensor, result: Tensor, values: NDArray[np.int64]) -> Step:
    """The values of `_INPUTS`, held within int8, in the order of the bytes: 0 first."""
    by_byte = np.roll(np.clip(values, -128, 127).astype(np.int8), 128)
    call = Call("rw_lookup", ("{table}", "{in0}", "{out}", given.size))
    constants = {"table": Table("int8_t", by_byte)}
    return Step((operator.name,), (given.index,), result.index, (call,), ("rw_lookup.c",), constants)
