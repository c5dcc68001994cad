"""DEPTHWISE_CONV_2D of int8, with a scale for all weights or one for each channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.compiler.fixed import activation_range, quantised_multiplier
from edge.compiler.operands import check_int8, check_room, refusal
from edge.compiler.step import Call, Record, Step, Table
from edge.compiler.windows import windows_of
from edge.tflite.graph import Graph, Operator, Tensor

__all__ = ["lower_depthwise"]


def lower_depthwise(graph: Graph, operator: Operator) -> Step:
    """DEPTHWISE_CONV_2D; each input channel has a whole number of outputs."""
    given, weights, bias = _operands(graph, operator)
    result = graph.results(operator)[0]
    check_int8(operator, given, result)
    _, height, width, outputs = weights.shape
    windows = windows_of(operator, given, result, height=height, width=width, channels=outputs)
    if outputs % given.shape[3]:
        raise refusal(operator, f"of {outputs} outputs over {given.shape[3]} channels is not computed")
    multipliers, shifts = _multipliers(operator, given, weights, result)
    lowest, highest = activation_range(operator, result)
    constants: dict[str, Table | Record] = {
        "weights": Table("int8_t", np.asarray(weights.data, dtype=np.int8).ravel()),
        "bias": Table("int32_t", bias),
        "multipliers": Table("int32_t", multipliers),
        "shifts": Table("int8_t", shifts),
    }
    fields: dict[str, int | str] = {
        **{role: f"{{{role}}}" for role in constants},
        **windows,
        "per_channel": outputs // given.shape[3],
        "kernel_height": height,
        "kernel_width": width,
        "dilation_height": int(operator.options.get("dilationHFactor", 1)),
        "dilation_width": int(operator.options.get("dilationWFactor", 1)),
        "in_zero": given.quantised.zero_point,
        "out_zero": result.quantised.zero_point,
        "lowest": lowest,
        "highest": highest,
    }
    constants["op"] = Record("struct rw_depthwise", fields)
    call = Call("rw_depthwise", ("{op}", "{in0}", "{out}"))
    return Step((operator.name,), (given.index,), result.index, (call,), ("rw_depthwise.c",), constants)


def _operands(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor, NDArray[np.int32]]:
    given, weights, *rest = graph.operands(operator)
    if given is None or weights is None or given.data is not None or weights.data is None or weights.dtype != np.int8:
        raise refusal(operator, "without constant int8 weights is not computed")
    if len(weights.shape) != 4 or weights.shape[0] != 1 or np.any(weights.quantised.zero_points):
        raise refusal(
            operator, f"of weights of shape {weights.shape} is not computed; symmetric ones of (1, h, w, c) are"
        )
    bias = rest[0] if rest else None
    if bias is None:
        return given, weights, np.zeros(weights.shape[3], dtype=np.int32)
    if bias.data is None or bias.dtype != np.int32 or bias.size != weights.shape[3]:
        raise refusal(operator, "with a bias that is no constant int32 for each channel is not computed")
    return given, weights, np.asarray(bias.data, dtype=np.int32).ravel()


def _multipliers(
    operator: Operator, given: Tensor, weights: Tensor, result: Tensor
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    outputs = weights.shape[3]
    scales = weights.quantised.scales
    if len(scales) not in (1, outputs):
        raise refusal(operator, f"of {len(scales)} scales for {outputs} channels is not computed")
    pairs = [
        quantised_multiplier(given.quantised.scale * float(scale) / result.quantised.scale)
        for scale in np.broadcast_to(scales, outputs)
    ]
    # Sums of that many products of 9 and 8 bits, and a bias that the converter keeps within them.
    for _, shift in pairs:
        check_room(operator, 255 * 128 * weights.shape[1] * weights.shape[2], shift)
    return np.array([m for m, _ in pairs], dtype=np.int32), np.array([s for _, s in pairs], dtype=np.int8)
