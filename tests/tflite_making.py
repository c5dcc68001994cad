"""Small `.tflite` files, written without TensorFlow, so that tests can draw shapes, scales and options freely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "RELU",
    "RELU6",
    "SAME",
    "VALID",
    "Made",
    "Node",
    "Value",
    "constant",
    "one_operator",
    "value",
    "write_tflite",
]

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
RELU, RELU6 = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.RELU6

_TYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9}
# Where the options' name does not follow from the operator's.
_OPTIONS = {"MAX_POOL_2D": "Pool2D", "AVERAGE_POOL_2D": "Pool2D", "MEAN": "Reducer"}
_NO_OPTIONS = ("LOGISTIC", "RELU", "RELU6", "TANH")


@dataclass(frozen=True)
class Value:
    """A tensor: `data` makes it a constant; `scales` of several channels lie along `axis`."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    data: NDArray[Any] | None = None


@dataclass(frozen=True)
class Node:
    """An operator between tensors given by their places in the list; -1 leaves an input out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int | float | bool] = field(default_factory=dict)


def value(shape: Sequence[int], scale: float = 0.0, zero_point: int = 0, dtype: DTypeLike = np.int8) -> Value:
    """A tensor that is computed or given; without a scale where that is 0."""
    scales, zeros = ((scale,), (zero_point,)) if scale else ((), ())
    return Value(tuple(shape), np.dtype(dtype).name, scales, zeros)


def constant(
    data: ArrayLike,
    scales: float | Sequence[float] = (),
    *,
    zero_point: int = 0,
    axis: int = 0,
    dtype: DTypeLike = np.int8,
) -> Value:
    """A tensor that stands in the file, with a scale for all of it or one a channel."""
    array = np.asarray(data, dtype=dtype)
    scales = (float(scales),) if isinstance(scales, float | int) else tuple(float(s) for s in scales)
    return Value(array.shape, array.dtype.name, scales, (zero_point,) * len(scales), axis, array)


def write_tflite(
    values: Sequence[Value], nodes: Sequence[Node], *, inputs: Sequence[int], outputs: Sequence[int]
) -> bytes:
    """The flatbuffer of a graph whose operators run in the order given."""
    names = sorted({node.name for node in nodes})
    model = schema.ModelT()
    model.version, model.description = 3, "made for a test"
    model.operatorCodes = [_code(name) for name in names]
    # Buffer 0 stands for no data.
    model.buffers = [schema.BufferT(), *(_buffer(item) for item in values)]
    subgraph = schema.SubGraphT()
    subgraph.name = "main"
    subgraph.tensors = [_tensor(i, item) for i, item in enumerate(values)]
    subgraph.operators = [_operator(node, names.index(node.name)) for node in nodes]
    subgraph.inputs, subgraph.outputs = list(inputs), list(outputs)
    model.subgraphs = [subgraph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@dataclass(frozen=True)
class Made:
    """A network and the inputs it is to be run with.

    Attributes
    ----------
    label : str
        What was drawn, for the report of a failure.
    model : bytes
        The `.tflite`.
    inputs : ndarray, shape (items, ...)
        Of the type of its input.
    """

    label: str
    model: bytes
    inputs: NDArray[Any]


def one_operator(
    name: str, given: Value, output: Value, *, constants: Sequence[Value] = (), **options: int | float | bool
) -> bytes:
    """A graph of one operator with one input, constants after it, and one output."""
    values = [given, *constants, output]
    node = Node(name, tuple(range(len(values) - 1)), (len(values) - 1,), options)
    return write_tflite(values, [node], inputs=[0], outputs=[len(values) - 1])


def _code(name: str) -> Any:
    code = schema.OperatorCodeT()
    number = getattr(schema.BuiltinOperator, name)
    # Readers older than the wide field look at this one, which ends at 127.
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
    return code


def _buffer(item: Value) -> Any:
    buffer = schema.BufferT()
    if item.data is not None:
        buffer.data = np.frombuffer(np.ascontiguousarray(item.data).tobytes(), dtype=np.uint8)
    return buffer


def _tensor(index: int, item: Value) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.type = f"t{index}", _TYPES[item.dtype]
    tensor.shape = np.asarray(item.shape, dtype=np.int32)
    tensor.buffer = index + 1
    if item.scales:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.asarray(item.scales, dtype=np.float32)
        tensor.quantization.zeroPoint = np.asarray(item.zero_points, dtype=np.int64)
        tensor.quantization.quantizedDimension = item.axis
    return tensor


def _operator(node: Node, code: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = list(node.inputs), list(node.outputs)
    if node.name not in _NO_OPTIONS:
        kind = _OPTIONS.get(node.name, node.name.title().replace("_", "")) + "Options"
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = getattr(schema, kind + "T")()
        for key, number in node.options.items():
            if not hasattr(operator.builtinOptions, key):
                raise AttributeError(f"{kind} has no {key}")
            setattr(operator.builtinOptions, key, number)
    return operator
