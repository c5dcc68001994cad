"""From a graph to steps: each operator's kernel, aliases for what only changes a shape, pooling fused where it fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edge.compiler.constant_rows import with_constant_rows
from edge.compiler.convolution import Layer, convolution, fully_connected
from edge.compiler.firmware import Firmware
from edge.compiler.layer import Pooling, can_pool, lower_layer
from edge.compiler.operators import LOWERINGS
from edge.compiler.step import Step
from edge.tflite.graph import Graph, Operator
from features.errors import ArtifactError

__all__ = ["COMPUTED", "Lowered", "lower"]

_LAYERS: Mapping[str, Callable[[Graph, Operator], Layer]] = {
    "CONV_2D": convolution,
    "FULLY_CONNECTED": fully_connected,
}
_ALIASES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
# How a converter writes the shape that a RESHAPE asks for where the batch was left open; the file has the shape itself.
_SHAPES = ("PACK", "SHAPE", "STRIDED_SLICE")
COMPUTED = tuple(sorted((*_LAYERS, *LOWERINGS, *_ALIASES)))
# What reading a tensor or an option raises that the file does not have.
_DAMAGE = (IndexError, KeyError, ValueError)


@dataclass(frozen=True)
class Lowered:
    """Steps in their order, and the tensors that are others in another shape."""

    steps: tuple[Step, ...]
    aliases: dict[int, int]


def lower(graph: Graph, *, firmware: Firmware | None = None) -> Lowered:
    """Find a kernel for each operator.

    Parameters
    ----------
    graph : Graph
        Of one input and one output.
    firmware : Firmware or None
        Whose forms of the product are to be used; any where it is not given.

    Raises
    ------
    ArtifactError
        If the graph is not of one input and one output, or an operator or a form of it is not computed.
    """
    _check(graph)
    steps: list[Step] = []
    aliases: dict[int, int] = {}
    fused: set[int] = set()
    for operator in graph.operators:
        if operator.index in fused or _is_shape(graph, operator):
            continue
        try:
            if operator.name in _ALIASES:
                aliases[operator.outputs[0]] = _same_numbers(graph, operator)
            elif operator.name in _LAYERS:
                steps.append(_layer_step(graph, operator, fused, firmware))
            else:
                steps.append(LOWERINGS[operator.name](graph, operator))
        except _DAMAGE as error:
            raise ArtifactError(
                f"{operator.name} (operator {operator.index}) lacks a tensor or an option; the file is damaged"
            ) from error
    return Lowered(tuple(steps), aliases)


def _check(graph: Graph) -> None:
    names = {operator.name for operator in graph.operators if not _is_shape(graph, operator)}
    unknown = sorted(names - {*COMPUTED})
    if unknown:
        raise ArtifactError(
            f"{', '.join(unknown)} cannot be compiled; the compiler knows {', '.join(COMPUTED)}: "
            "change the network, or export it for TFLite Micro"
        )
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ArtifactError(
            f"a network of {len(graph.inputs)} inputs and {len(graph.outputs)} outputs was given; one of each is wanted"
        )
    _check_order(graph)


def _same_numbers(graph: Graph, operator: Operator) -> int:
    """What an operator reads that changes a shape only."""
    given, result = graph.tensors[operator.inputs[0]], graph.results(operator)[0]
    if given.data is not None or (given.size, given.dtype) != (result.size, result.dtype):
        raise ArtifactError(
            f"{operator.name} (operator {operator.index}) from {given.dtype} of shape {given.shape} to {result.dtype} "
            f"of {result.shape} is not computed; what it reads is to be computed, and of the size that it writes"
        )
    return operator.inputs[0]


def _check_order(graph: Graph) -> None:
    """See to it that whatever is read is a constant or was written before, by one operator."""
    written = {graph.inputs[0]}
    for operator in graph.operators:
        read = {i for i in operator.inputs if i >= 0 and graph.tensors[i].data is None}
        if not _is_shape(graph, operator) and (not read <= written or written & {*operator.outputs}):
            raise ArtifactError(
                f"{operator.name} (operator {operator.index}) reads what nothing has written, or writes what another "
                "has; the file is damaged"
            )
        written |= {*operator.outputs}
    if graph.outputs[0] not in written:
        raise ArtifactError("nothing writes the output; the file is damaged")


def _is_shape(graph: Graph, operator: Operator) -> bool:
    return operator.name in _SHAPES and all(tensor.dtype == np.int32 for tensor in graph.results(operator))


def _layer_step(graph: Graph, operator: Operator, fused: set[int], firmware: Firmware | None) -> Step:
    layer = with_constant_rows(_LAYERS[operator.name](graph, operator))
    after = _pooling_after(graph, operator, layer, firmware)
    if after is None:
        return lower_layer(layer, (operator.name,), (operator.inputs[0], operator.outputs[0]), firmware=firmware)
    pooling, pool = after
    fused.add(pool.index)
    tensors = (operator.inputs[0], pool.outputs[0])
    return lower_layer(layer, (operator.name, pool.name), tensors, pooling, firmware=firmware)


def _pooling_after(
    graph: Graph, operator: Operator, layer: Layer, firmware: Firmware | None
) -> tuple[Pooling, Operator] | None:
    """The maximum of sums, requantised, is the maximum of what is requantised: scaling and clamping keep the order."""
    written = operator.outputs[0]
    readers = [op for op in graph.operators if written in op.inputs]
    if (
        written in graph.outputs
        or len(readers) != 1
        or readers[0].name != "MAX_POOL_2D"
        or not can_pool(layer, firmware)
    ):
        return None
    pool = readers[0]
    size = int(pool.options["filterHeight"]), int(pool.options["filterWidth"])
    stride = int(pool.options["strideH"]), int(pool.options["strideW"])
    out_shape = graph.results(pool)[0].shape[1:]
    covered = all((o - 1) * s + k <= i for o, s, k, i in zip(out_shape, stride, size, layer.out_shape, strict=False))
    apart = all(s >= k for s, k in zip(stride, size, strict=True))
    if not covered or not apart or pool.options["fusedActivationFunction"] or not _same_scale(graph, pool):
        return None
    return Pooling(size, stride, (out_shape[0], out_shape[1], out_shape[2])), pool


def _same_scale(graph: Graph, pool: Operator) -> bool:
    before, after = graph.tensors[pool.inputs[0]].quantised, graph.results(pool)[0].quantised
    return bool(np.all(before.scales == after.scales) and np.all(before.zero_points == after.zero_points))
