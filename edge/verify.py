"""What a `.tflite` needs, and whether what runs it agrees with TFLite Micro byte for byte; refuses what that refuses.

The output of TFLite Micro is the measure. LiteRT, which serves networks on a gateway, rounds otherwise: `run_litert` is
there to say by how many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.oracle import Arena, ends_of, item_shape, measure_arena, run_tflm
from edge.tflite.graph import Graph, Tensor
from edge.tflite.reading import read_tflite
from features.errors import ArtifactError, ParameterError
from models.serving import interpreter_class

__all__ = [
    "Comparison",
    "Difference",
    "End",
    "Runner",
    "Verification",
    "compare",
    "run_litert",
    "vectors_for",
    "verify",
]

# From inputs (items, ...) to outputs (items, ...), both of the types of the network's ends.
Runner = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class End:
    """Input or output of a network.

    Attributes
    ----------
    shape : tuple of int
        Of one item.
    dtype : str
    scale : float or None
        Of one step; None for floats.
    zero_point : int or None
        The integer that stands for 0.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class Difference:
    """The first element in which two outputs differ: of which vector, where in it, and what each says."""

    vector: int
    place: int
    tflm: float
    other: float


@dataclass(frozen=True)
class Comparison:
    """How another runner's outputs compare with TFLite Micro's.

    Attributes
    ----------
    vectors, equal : int
        How many were compared, and how many of them are equal in every byte.
    largest : float
        Of the differences of an element; in steps for integers.
    first : Difference or None
        None where all are equal.
    """

    vectors: int
    equal: int
    largest: float
    first: Difference | None


@dataclass(frozen=True)
class Verification:
    """What a `.tflite` is, what TFLite Micro needs for it, and who agrees.

    Attributes
    ----------
    operators : tuple of str
        In their order.
    parameters : int
        Weights, biases and other constants that are numbers.
    model_bytes : int
        Of the file.
    input, output : End
    arena : Arena
        On x86-64.
    comparisons : mapping of str to Comparison
        By name of the runner.
    """

    operators: tuple[str, ...]
    parameters: int
    model_bytes: int
    input: End
    output: End
    arena: Arena
    comparisons: Mapping[str, Comparison]


def verify(model: bytes, vectors: NDArray[Any], *, runners: Mapping[str, Runner]) -> Verification:
    """Run a network in TFLite Micro and in other runners, and describe it.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.
    vectors : ndarray, shape (items, ...)
        As `vectors_for` gives them; at least one.
    runners : mapping of str to callable
        Who else runs it; may be empty.

    Returns
    -------
    Verification

    Raises
    ------
    ArtifactError
        If TFLite Micro refuses the network, or it has more than one input or output.
    ParameterError
        If there is no vector, or they are of another type or shape than the input.
    """
    if not len(vectors):
        raise ParameterError("a network was to be verified on no vector; at least one is wanted")
    graph = read_tflite(model)
    into, out = ends_of(graph)
    wanted = run_tflm(model, vectors)
    return Verification(
        operators=tuple(operator.name for operator in graph.operators),
        parameters=_parameters(graph),
        model_bytes=len(model),
        input=_end(into),
        output=_end(out),
        arena=measure_arena(model),
        comparisons={name: compare(wanted, run(vectors)) for name, run in runners.items()},
    )


def vectors_for(model: bytes, *, n_random: int, seed: int, real: NDArray[np.floating] | None = None) -> NDArray[Any]:
    """Make inputs to verify with: random ones over the whole range, then real ones.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.
    n_random : int
        How many random inputs: uniform over all integers, or standard normal for a float input.
    seed : int
        Of the random ones.
    real : ndarray, shape (items, ...), optional
        Inputs as numbers; quantised by the scale of the input, beyond its range they saturate.

    Returns
    -------
    ndarray, shape (n_random + items, ...)
        Of the type of the network's input.

    Raises
    ------
    ArtifactError
        If the network has more than one input or output, or an input that is neither float32 nor int8.
    ParameterError
        If real inputs are of another shape.
    """
    into, _ = ends_of(read_tflite(model))
    shape = item_shape(into)
    given = np.zeros((0, *shape)) if real is None else np.asarray(real)
    if given.shape[1:] != shape:
        raise ParameterError(f"inputs of shape {given.shape[1:]} were given; {shape} is wanted")
    rng = np.random.default_rng(seed)
    if into.dtype == np.float32:
        return np.concatenate([rng.standard_normal((n_random, *shape), dtype=np.float32), given.astype(np.float32)])
    if into.dtype != np.int8:
        raise ArtifactError(f"a network of {into.dtype} inputs was given; int8 or float32 is wanted")
    drawn = rng.integers(-128, 128, (n_random, *shape), dtype=np.int8)
    return np.concatenate([drawn, into.quantised.integers(given)])


def compare(wanted: NDArray[Any], given: NDArray[Any]) -> Comparison:
    """Compare outputs with those of TFLite Micro, bit for bit.

    Parameters
    ----------
    wanted, given : ndarray, shape (items, ...)
        Of TFLite Micro, and of another runner.

    Returns
    -------
    Comparison

    Raises
    ------
    ArtifactError
        If the other's are of another type or shape.

    Examples
    --------
    >>> compare(np.array([[1, 2], [3, 4]], dtype=np.int8), np.array([[1, 2], [3, 2]], dtype=np.int8))
    Comparison(vectors=2, equal=1, largest=2.0, first=Difference(vector=1, place=1, tflm=4.0, other=2.0))
    """
    if wanted.shape != given.shape or wanted.dtype != given.dtype:
        raise ArtifactError(
            f"outputs of {given.dtype} {given.shape} were compared with TFLite Micro's of {wanted.dtype} {wanted.shape}"
        )
    ours, others = wanted.reshape(len(wanted), -1), given.reshape(len(given), -1)
    # By their bits: a float that is no number equals itself, and 0 is not -0.
    differ = ours.view(f"u{ours.itemsize}") != others.view(f"u{others.itemsize}")
    first = None
    if differ.any():
        vector, place = (int(i) for i in np.argwhere(differ)[0])
        first = Difference(vector, place, float(ours[vector, place]), float(others[vector, place]))
    largest = float(np.abs(ours.astype(np.float64) - others).max(initial=0.0))
    return Comparison(len(ours), int(np.count_nonzero(~differ.any(axis=1))), largest, first)


def run_litert(model: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
    """Run a network in LiteRT, one item at a time.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.
    inputs : ndarray, shape (items, ...)
        Of the type and shape of the network's input.

    Returns
    -------
    ndarray, shape (items, ...)

    Raises
    ------
    ArtifactError
        If the interpreter is not installed or refuses the network.
    """
    into, out = ends_of(read_tflite(model))
    try:
        interpreter = interpreter_class()(model_content=model, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ArtifactError(f"LiteRT refuses the model ({error}); convert it again") from error
    results = np.empty((len(inputs), *item_shape(out)), dtype=out.dtype)
    for item, result in zip(inputs, results, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], item.reshape(into.shape))
        interpreter.invoke()
        result[...] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).reshape(result.shape)
    return results


def _parameters(graph: Graph) -> int:
    """Shapes and axes are constants too, of integers without a scale."""
    constants = [tensor for tensor in graph.tensors if tensor.data is not None]
    return sum(c.size for c in constants if c.quantisation is not None or c.dtype == np.float32)


def _end(tensor: Tensor) -> End:
    quantisation = tensor.quantisation
    if quantisation is None:
        return End(item_shape(tensor), str(tensor.dtype), None, None)
    return End(item_shape(tensor), str(tensor.dtype), quantisation.scale, quantisation.zero_point)
