"""What a `.tflite` says: tensors, operators and the order they run in, free of the file's own encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError

__all__ = ["Graph", "Operator", "Quantisation", "Tensor"]


@dataclass(frozen=True)
class Quantisation:
    """How integers stand for numbers: `number = scale * (integer - zero_point)`.

    Attributes
    ----------
    scales : ndarray of float32, shape (channels,)
        One for a whole tensor, or one a channel.
    zero_points : ndarray of int64, shape (channels,)
        In steps of the integer.
    axis : int
        Which dimension the channels lie along, where there are several.
    """

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int = 0

    @property
    def scale(self) -> float:
        """Of a tensor that has one scale; exactly the float32 of the file."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """Of a tensor that has one zero point."""
        return int(self.zero_points[0])

    def integers(self, numbers: NDArray[np.floating]) -> NDArray[np.int8]:
        """Quantise numbers to int8: rounded, halves to even, and held within its range; of one scale."""
        steps = np.rint(np.asarray(numbers, dtype=np.float32) / self.scale) + self.zero_point
        return np.asarray(np.clip(steps, -128, 127).astype(np.int8))

    def numbers(self, integers: NDArray[np.integer]) -> NDArray[np.float64]:
        """What integers stand for; of one scale."""
        return np.asarray((integers.astype(np.float64) - self.zero_point) * self.scale)


@dataclass(frozen=True)
class Tensor:
    """An array of the graph: a constant where `data` is there, else what an operator or the caller writes.

    Attributes
    ----------
    index : int
        Its number in the file.
    name : str
        As the converter named it.
    shape : tuple of int
        The batch, of one, comes first for what is computed.
    dtype : numpy.dtype
        Of its elements.
    quantisation : Quantisation or None
        None for floats, and for integers that are no measurements (shapes, axes).
    data : ndarray or None
        The constant, of `shape`.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    quantisation: Quantisation | None = None
    data: NDArray[np.generic] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def n_bytes(self) -> int:
        """Bytes it takes in memory."""
        return self.size * self.dtype.itemsize

    @property
    def quantised(self) -> Quantisation:
        """Its quantisation.

        Raises
        ------
        ArtifactError
            If it has none.
        """
        if self.quantisation is None:
            raise ArtifactError(f"tensor {self.index} ({self.name}) has no scale; an all-integer network is wanted")
        return self.quantisation


@dataclass(frozen=True)
class Operator:
    """One step of the graph.

    Attributes
    ----------
    index : int
        Its place in the order of execution.
    name : str
        As TensorFlow Lite names it, for example `CONV_2D`; custom operators have their own name.
    inputs, outputs : tuple of int
        Numbers of tensors; -1 stands for an input that is left out.
    options : mapping of str to int, float or bool
        What the file says beside the tensors, in its own names (`strideW`, `fusedActivationFunction`).
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Tensors, operators in their order, and the numbers of the tensors that go in and come out."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def operands(self, operator: Operator) -> tuple[Tensor | None, ...]:
        """The input tensors of an operator, None where one is left out."""
        return tuple(self.tensors[i] if i >= 0 else None for i in operator.inputs)

    def results(self, operator: Operator) -> tuple[Tensor, ...]:
        """The output tensors of an operator."""
        return tuple(self.tensors[i] for i in operator.outputs)

    @property
    def operator_names(self) -> tuple[str, ...]:
        """Each kind of operator once, in the order of the alphabet."""
        return tuple(sorted({operator.name for operator in self.operators}))
