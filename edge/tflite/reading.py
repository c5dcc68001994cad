"""Reading of a `.tflite` file into a graph; refuses files that are damaged or hold more than one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.tflite.graph import Graph, Operator, Quantisation, Tensor
from features.errors import ArtifactError

__all__ = ["read_tflite"]

_IDENTIFIER = b"TFL3"
# TensorType of the schema; others are read by no operator that a node runs.
_DTYPES: dict[int, np.dtype[np.generic]] = {
    0: np.dtype(np.float32),
    2: np.dtype(np.int32),
    3: np.dtype(np.uint8),
    4: np.dtype(np.int64),
    6: np.dtype(np.bool_),
    7: np.dtype(np.int16),
    9: np.dtype(np.int8),
}
# What a damaged offset or length makes of the flatbuffer reader, which does not verify.
_DAMAGE = (AttributeError, IndexError, KeyError, MemoryError, OverflowError, TypeError, UnicodeDecodeError, ValueError)


def read_tflite(model: bytes) -> Graph:
    """Read a `.tflite` flatbuffer.

    Parameters
    ----------
    model : bytes
        The file; of one subgraph.

    Returns
    -------
    Graph
        With constants copied out of the file.

    Raises
    ------
    ArtifactError
        If the file is not a `.tflite`, is cut short or damaged, or holds several subgraphs.

    Notes
    -----
    Source: schema.fbs of TensorFlow Lite, version 3.

    Examples
    --------
    >>> read_tflite(b"nothing of the kind")
    Traceback (most recent call last):
    features.errors.ArtifactError: a file of 19 bytes without the mark of a .tflite was given; convert the model again
    """
    if model[4:8] != _IDENTIFIER:
        raise ArtifactError(
            f"a file of {len(model)} bytes without the mark of a .tflite was given; convert the model again"
        )
    import struct

    from ai_edge_litert import schema_py_generated as schema

    try:
        return _graph(schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)), _names(schema.BuiltinOperator))
    except (*_DAMAGE, struct.error) as error:
        raise ArtifactError(f"the .tflite is damaged ({error}); convert the model again") from error


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _graph(model: Any, names: dict[int, str]) -> Graph:
    if len(model.subgraphs) != 1:
        raise ArtifactError(f"a .tflite of {len(model.subgraphs)} subgraphs was given; one of a single graph is wanted")
    subgraph = model.subgraphs[0]
    tensors = tuple(_tensor(i, tensor, model.buffers) for i, tensor in enumerate(subgraph.tensors))
    operators = tuple(_operator(i, op, model.operatorCodes, names) for i, op in enumerate(subgraph.operators))
    graph = Graph(tensors, operators, _numbers(subgraph.inputs), _numbers(subgraph.outputs))
    _check_numbers(graph)
    return graph


def _tensor(index: int, tensor: Any, buffers: list[Any]) -> Tensor:
    shape = _numbers(tensor.shape)
    if tensor.type not in _DTYPES:
        raise ArtifactError(f"tensor {index} is of type {tensor.type}, which no node computes; convert to int8")
    if tensor.buffer >= len(buffers) or min(shape, default=1) < 0:
        raise ArtifactError(f"the .tflite is damaged (tensor {index} lies outside it); convert the model again")
    if tensor.sparsity is not None:
        raise ArtifactError(f"tensor {index} is stored sparse; give the dense .tflite, its zeros are found")
    dtype, name = _DTYPES[tensor.type], _text(tensor.name)
    data = _constant(index, buffers[tensor.buffer].data, shape, dtype)
    return Tensor(index, name, shape, dtype, _quantisation(index, tensor.quantization), data)


def _constant(index: int, raw: Any, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> NDArray[np.generic] | None:
    if raw is None or not len(raw):
        return None
    data = np.asarray(raw, dtype=np.uint8)
    if data.size != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
        raise ArtifactError(f"the .tflite is damaged (tensor {index} has {data.size} bytes); convert the model again")
    return np.frombuffer(data.tobytes(), dtype=dtype.newbyteorder("<")).astype(dtype).reshape(shape)


def _quantisation(index: int, stored: Any) -> Quantisation | None:
    if stored is None or stored.scale is None or not len(stored.scale):
        return None
    scales = np.asarray(stored.scale, dtype=np.float32)
    zeros = np.zeros(len(scales), dtype=np.int64)
    if stored.zeroPoint is not None and len(stored.zeroPoint):
        zeros = np.asarray(stored.zeroPoint, dtype=np.int64)
    if len(zeros) != len(scales) or not np.all(np.isfinite(scales) & (scales > 0)):
        raise ArtifactError(f"the .tflite is damaged (scales of tensor {index}); convert the model again")
    return Quantisation(scales, zeros, int(stored.quantizedDimension))


def _operator(index: int, stored: Any, codes: list[Any], names: dict[int, str]) -> Operator:
    code = codes[stored.opcodeIndex]
    # Codes up to 127 stand in a byte of their own, for readers older than the wide field.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _text(code.customCode) if code.customCode else names.get(number, f"operator {number}")
    scalars = vars(stored.builtinOptions) if stored.builtinOptions is not None else {}
    options = {key: value for key, value in scalars.items() if isinstance(value, int | float | bool)}
    return Operator(index, name, _numbers(stored.inputs), _numbers(stored.outputs), options)


def _check_numbers(graph: Graph) -> None:
    """A number outside the list of tensors would be read as one from its end."""
    used = [*graph.inputs, *graph.outputs, *(i for op in graph.operators for i in op.outputs)]
    optional = [i for op in graph.operators for i in op.inputs]
    if not all(0 <= i < len(graph.tensors) for i in used) or not all(-1 <= i < len(graph.tensors) for i in optional):
        raise ArtifactError("the .tflite is damaged (an operator names a tensor that is not there); convert it again")
    if not graph.inputs or not graph.outputs or not graph.operators:
        raise ArtifactError("the .tflite computes nothing; convert the model again")


def _numbers(stored: Any) -> tuple[int, ...]:
    return () if stored is None else tuple(int(i) for i in stored)


def _text(stored: Any) -> str:
    return stored.decode() if isinstance(stored, bytes) else str(stored or "")
