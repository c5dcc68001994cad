"""A compiled model: a folder of C11 and what a caller must know of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Library"]


@dataclass(frozen=True)
class Library:
    """A folder of C sources that runs one network.

    Attributes
    ----------
    folder : Path
        Every `.c` file in it is to be compiled.
    name : str
        Functions are `rw_<name>_input`, `rw_<name>_run` and `rw_<name>_output`, in `rw_<name>.h`.
    input_bytes, output_bytes : int
        Of the network's one input and one output.
    arena_bytes : int
        Memory that the caller hands over; input, output and scratch lie in it.
    model_bytes : int
        Weights, indices, biases, multipliers and tables in flash.
    operators : tuple of str
        What each function `rw_<name>_op_<NN>` computes, in TensorFlow Lite's names.
    """

    folder: Path
    name: str
    input_bytes: int
    output_bytes: int
    arena_bytes: int
    model_bytes: int
    operators: tuple[str, ...]
