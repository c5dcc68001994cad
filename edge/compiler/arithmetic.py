"""ADD and MUL of two int8 tensors of any scales, either repeated along dimensions where it has one element."""

from __future__ import annotations

import numpy as np

from edge.compiler.fixed import activation_range, quantised_multiplier
from edge.compiler.operands import (
    check_count,
    check_int8,
    check_room,
    check_shape,
    operands_of,
    reading,
    refusal,
)
from edge.compiler.step import Call, Record, Step, Table
from edge.tflite.graph import Graph, Operator, Tensor

__all__ = ["lower_add", "lower_mul"]

_DIMENSIONS = 4
# Bits that both inputs of ADD gain before they are brought to one scale.
_FRACTION = 20


def lower_add(graph: Graph, operator: Operator) -> Step:
    """ADD."""
    a, b, result = _operands(graph, operator)
    twice_larger = 2.0 * max(a.quantised.scale, b.quantised.scale)
    ratio = twice_larger / ((1 << _FRACTION) * result.quantised.scale)
    if ratio >= 1.0:
        raise refusal(operator, "has an output scale too small for its inputs' to be computed in 32 bits")
    fields = {}
    for name, real in (
        ("a", a.quantised.scale / twice_larger),
        ("b", b.quantised.scale / twice_larger),
        ("out", ratio),
    ):
        fields[f"{name}_multiplier"], fields[f"{name}_shift"] = quantised_multiplier(real)
    return _step(operator, a, b, result, "add", fields)


def lower_mul(graph: Graph, operator: Operator) -> Step:
    """MUL."""
    a, b, result = _operands(graph, operator)
    multiplier, shift = quantised_multiplier(a.quantised.scale * b.quantised.scale / result.quantised.scale)
    check_room(operator, 255 * 255, shift)
    return _step(operator, a, b, result, "multiply", {"multiplier": multiplier, "shift": shift})


def _operands(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor, Tensor]:
    a, b = operands_of(graph, operator, 2)
    result = graph.results(operator)[0]
    check_int8(operator, a, b, result)
    if a.data is not None and b.data is not None:
        raise refusal(operator, "of two constants is not computed; convert the model with constants folded")
    return a, b, result


def _step(operator: Operator, a: Tensor, b: Tensor, result: Tensor, kernel: str, scaling: dict[str, int]) -> Step:
    inputs, tables, places = reading((a, b))
    lowest, highest = activation_range(operator, result)
    fields: dict[str, int | str] = {
        **scaling,
        "a_zero": a.quantised.zero_point,
        "b_zero": b.quantised.zero_point,
        "out_zero": result.quantised.zero_point,
        "lowest": lowest,
        "highest": highest,
    }
    constants: dict[str, Table | Record] = {**tables}
    for role, numbers in _extent(operator, a, b, result).items():
        constants[role] = Table("uint16_t", np.array(numbers, dtype=np.uint16))
        fields[f"extent.{role}"] = f"{{{role}}}"
    constants["op"] = Record(f"struct rw_{kernel}", fields)
    call = Call(f"rw_{kernel}", ("{op}", *places, "{out}"))
    sources = (f"rw_{kernel}.c", "rw_broadcast.c")
    return Step((operator.name,), inputs, result.index, (call,), sources, constants)


def _extent(operator: Operator, a: Tensor, b: Tensor, result: Tensor) -> dict[str, list[int]]:
    """Dimensions from the outermost to the innermost, those that both walk alike joined into one."""
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise refusal(operator, f"of shapes {a.shape} and {b.shape} is not computed; they do not match") from None
    check_shape(operator, result, shape)
    check_count(operator, int(np.prod(shape, dtype=np.int64)))
    joined: list[list[int]] = []
    for n, step_a, step_b in zip(shape, _steps(a, shape), _steps(b, shape), strict=True):
        if n == 1:
            continue
        # The outer dimension goes on where the inner one ends.
        if joined and joined[-1][1] == n * step_a and joined[-1][2] == n * step_b:
            joined[-1] = [joined[-1][0] * n, step_a, step_b]
        else:
            joined.append([n, step_a, step_b])
    if len(joined) > _DIMENSIONS:
        raise refusal(operator, f"of shapes {a.shape} and {b.shape} is not computed; too many dimensions are repeated")
    filled = [[1, 0, 0]] * (_DIMENSIONS - len(joined)) + joined
    return {role: [row[i] for row in filled] for i, role in enumerate(("counts", "a_steps", "b_steps"))}


def _steps(tensor: Tensor, shape: tuple[int, ...]) -> list[int]:
    """Elements from one to the next along each dimension of the result; 0 where the tensor has one only."""
    steps, step = [], 1
    for n in reversed((1,) * (len(shape) - len(tensor.shape)) + tensor.shape):
        steps.append(step if n > 1 else 0)
        step *= n
    return steps[::-1]
