"""CONV_2D and FULLY_CONNECTED as the numbers that a kernel needs; refuses what no kernel computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.compiler.fixed import activation_range, quantised_multiplier
from edge.tflite.graph import Graph, Operator, Tensor
from features.errors import ArtifactError

__all__ = ["Layer", "convolution", "fully_connected"]

_SAME = 0


@dataclass(frozen=True)
class Layer:
    """A convolution as numbers; a dense layer is one of kernel 1 over rows of inputs.

    Attributes
    ----------
    weights : ndarray of int8, shape (outputs, kernel height, kernel width, channels)
    bias, multipliers, shifts : ndarray of int64, shape (outputs,)
        Multipliers and shifts as `quantised_multiplier` has them.
    per_row : bool
        Whether each output has a scale of its own.
    in_shape, out_shape : tuple of int
        Height, width, channels.
    stride, dilation, pad : tuple of int
        Of height and width; padding at the top and at the left.
    in_zero, out_zero, lowest, highest : int
        Zero points, and the range that is left by the activation.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int64]
    multipliers: NDArray[np.int64]
    shifts: NDArray[np.int64]
    per_row: bool
    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]
    in_zero: int
    out_zero: int
    lowest: int
    highest: int


def convolution(graph: Graph, operator: Operator) -> Layer:
    """Read a CONV_2D.

    Raises
    ------
    ArtifactError
        If it is grouped, not int8, or of a batch.
    """
    entry, weights, output = _operands(graph, operator)
    _, in_height, in_width, in_channels = _of_four(operator, entry)
    _, out_height, out_width, outputs = _of_four(operator, output)
    _, kernel_height, kernel_width, channels = weights.shape
    if channels != in_channels:
        raise ArtifactError(f"{operator.name} of {in_channels} channels in groups of {channels} is not computed")
    stride = int(operator.options["strideH"]), int(operator.options["strideW"])
    dilation = int(operator.options["dilationHFactor"]), int(operator.options["dilationWFactor"])
    pad = 0, 0
    if operator.options["padding"] == _SAME:
        pad = (
            _padding(in_height, out_height, stride[0], kernel_height, dilation[0]),
            _padding(in_width, out_width, stride[1], kernel_width, dilation[1]),
        )
    in_shape, out_shape = (in_height, in_width, in_channels), (out_height, out_width, outputs)
    return _layer(graph, operator, weights.shape, in_shape, out_shape, stride=stride, dilation=dilation, pad=pad)


def fully_connected(graph: Graph, operator: Operator) -> Layer:
    """Read a FULLY_CONNECTED; several rows of inputs are a convolution of width 1.

    Raises
    ------
    ArtifactError
        If it is not int8, or its inputs do not fit its weights.
    """
    entry, weights, output = _operands(graph, operator)
    outputs, inputs = weights.shape
    rows = entry.size // inputs
    if (rows * inputs, rows * outputs) != (entry.size, output.size):
        raise ArtifactError(
            f"{operator.name} of {inputs} inputs and {outputs} outputs was given {entry.size} numbers for "
            f"{output.size}; the file is damaged"
        )
    return _layer(graph, operator, (outputs, 1, 1, inputs), (1, rows, inputs), (1, rows, outputs))


def _operands(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor, Tensor]:
    entry, weights = graph.operands(operator)[:2]
    output = graph.results(operator)[0]
    if entry is None or weights is None or weights.data is None:
        raise ArtifactError(f"{operator.name} with weights that are computed is not computed; they are to be constant")
    for tensor in (entry, weights, output):
        if tensor.dtype != np.int8:
            raise ArtifactError(f"{operator.name} of {tensor.dtype} is not computed; quantise the network to int8")
    if np.any(weights.quantised.zero_points):
        raise ArtifactError(f"{operator.name} has weights with a zero point; symmetric ones are wanted")
    return entry, weights, output


def _of_four(operator: Operator, tensor: Tensor) -> tuple[int, ...]:
    if len(tensor.shape) != 4 or tensor.shape[0] != 1:
        raise ArtifactError(f"{operator.name} of shape {tensor.shape} is not computed; one item of NHWC is wanted")
    return tensor.shape


def _padding(size: int, out_size: int, stride: int, kernel: int, dilation: int) -> int:
    return max((out_size - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) // 2


def _layer(
    graph: Graph,
    operator: Operator,
    shape: tuple[int, ...],
    in_shape: tuple[int, int, int],
    out_shape: tuple[int, int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    pad: tuple[int, int] = (0, 0),
) -> Layer:
    entry, weights, output = _operands(graph, operator)
    assert weights.data is not None
    lowest, highest = activation_range(operator, output)
    multipliers, shifts = _multipliers(operator, entry, weights, output)
    return Layer(
        weights.data.reshape(shape).astype(np.int8),
        _bias(graph, operator, shape[0]),
        multipliers,
        shifts,
        len(weights.quantised.scales) > 1,
        in_shape,
        out_shape,
        stride,
        dilation,
        pad,
        entry.quantised.zero_point,
        output.quantised.zero_point,
        lowest,
        highest,
    )


def _bias(graph: Graph, operator: Operator, outputs: int) -> NDArray[np.int64]:
    operands = graph.operands(operator)
    bias = operands[2] if len(operands) > 2 else None
    if bias is None:
        return np.zeros(outputs, dtype=np.int64)
    if bias.data is None or bias.dtype != np.int32 or bias.size != outputs:
        raise ArtifactError(
            f"{operator.name} has a bias of {bias.dtype}; constants of int32, one an output, are wanted"
        )
    return bias.data.reshape(-1).astype(np.int64)


def _multipliers(
    operator: Operator, entry: Tensor, weights: Tensor, output: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    scales, outputs = weights.quantised.scales, weights.shape[0]
    if len(scales) not in (1, outputs):
        raise ArtifactError(f"{operator.name} has {len(scales)} scales for {outputs} outputs; the file is damaged")
    of_in, of_out = entry.quantised.scale, output.quantised.scale
    ratios = [of_in * float(scale) / of_out for scale in scales]
    pairs = np.array([quantised_multiplier(ratio) for ratio in ratios], dtype=np.int64)
    return np.broadcast_to(pairs[:, 0], outputs), np.broadcast_to(pairs[:, 1], outputs)
