"""What the lowerings of operators ask of their tensors; refuses by name the forms that no kernel computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.compiler.step import Table
from edge.tflite.graph import Graph, Operator, Tensor
from features.errors import ArtifactError

__all__ = ["check_count", "check_int8", "check_room", "check_shape", "one_to_one", "operands_of", "reading", "refusal"]

_COUNT_LIMIT = 1 << 16


def refusal(operator: Operator, reason: str) -> ArtifactError:
    """The error that names an operator and why it is not computed."""
    return ArtifactError(f"{operator.name} (operator {operator.index}) {reason}")


def check_int8(operator: Operator, *tensors: Tensor) -> None:
    """See to it that tensors are int8, each with one scale and a zero point within int8."""
    for tensor in tensors:
        if tensor.dtype != np.int8:
            raise refusal(operator, f"of {tensor.dtype} is not computed; int8 is wanted")
        if len(tensor.quantised.scales) != 1 or not -128 <= tensor.quantised.zero_point <= 127:
            raise refusal(operator, "with a scale for each channel of what it computes is not computed; one is wanted")


def check_shape(operator: Operator, tensor: Tensor, wanted: tuple[int, ...]) -> None:
    """See to it that a result has the shape that the operands make."""
    if tensor.shape != wanted:
        raise refusal(operator, f"has a result of shape {tensor.shape} where {wanted} is computed; convert it again")


def check_count(operator: Operator, *counts: int) -> None:
    """See to it that counts fit the 16 bits that kernels keep them in, and that none is 0."""
    if not all(0 < count < _COUNT_LIMIT for count in counts):
        raise refusal(operator, f"over {max(counts)} elements along a dimension is not computed; 1 to 65,535 are")


def check_room(operator: Operator, largest: int, shift: int) -> None:
    """See to it that an integer of at most `largest` stays within 32 bits when a multiplier shifts it left."""
    if largest << max(shift, 0) >= 1 << 31:
        raise refusal(operator, "has an output scale too small for its inputs' to be computed in 32 bits")


def operands_of(graph: Graph, operator: Operator, number: int) -> tuple[Tensor, ...]:
    """The inputs of an operator that has exactly so many, none left out."""
    found = tuple(tensor for tensor in graph.operands(operator) if tensor is not None)
    if len(found) != number or len(operator.inputs) != number:
        raise refusal(operator, f"of {len(operator.inputs)} inputs is not computed; {number} are wanted")
    return found


def one_to_one(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor]:
    """The operands of a function of one tensor: a computed input, and an output of its size."""
    (given,) = operands_of(graph, operator, 1)
    result = graph.results(operator)[0]
    if given.data is not None:
        raise refusal(operator, "of a constant is not computed; convert the model with constants folded")
    if given.size != result.size or not given.size:
        raise refusal(operator, f"from shape {given.shape} to {result.shape} is not computed; sizes must agree")
    return given, result


def reading(tensors: Sequence[Tensor]) -> tuple[tuple[int, ...], dict[str, Table], tuple[str, ...]]:
    """How a call reads int8 tensors: those that are computed, those that are constants, and what stands in the call."""
    inputs: list[int] = []
    constants: dict[str, Table] = {}
    places: list[str] = []
    for i, tensor in enumerate(tensors):
        if tensor.data is None:
            places.append(f"{{in{len(inputs)}}}")
            inputs.append(tensor.index)
        else:
            places.append(f"{{operand{i}}}")
            constants[f"operand{i}"] = Table("int8_t", np.asarray(tensor.data, dtype=np.int8).ravel())
    return tuple(inputs), constants, tuple(places)
