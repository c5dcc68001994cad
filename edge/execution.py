"""A `.tflite` compiled, run and held against TFLite Micro, with what it costs; refuses what compiler and tools do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.compiler.compilation import compile_model
from edge.compiler.host import run_on_host
from edge.compiler.library import Library
from edge.compiler.packed import packed_library
from edge.compiler.packing import pack_model
from edge.emulator.running import M4Run, run_on_m4
from edge.oracle import ends_of, item_shape, run_tflm
from edge.tflite.reading import read_tflite
from edge.verify import Comparison, compare
from features.errors import ParameterError

__all__ = ["Execution", "execute"]


@dataclass(frozen=True, eq=False)
class Execution:
    """What a compiled model gave, whether it is right, and what it took.

    Attributes
    ----------
    library : Library
        As compiled.
    outputs : ndarray, shape (items, ...)
        Of the type and shape of the network's output.
    comparison : Comparison or None
        With TFLite Micro; None where that was not asked for.
    cost : M4Run or None
        On the emulated Cortex-M4; None on this machine, which says nothing of a node's cost.
    """

    library: Library
    outputs: NDArray[Any]
    comparison: Comparison | None
    cost: M4Run | None


def execute(
    model: bytes,
    vectors: NDArray[Any],
    *,
    name: str,
    folder: Path,
    on_host: bool = False,
    against_tflm: bool = True,
    packed: bool = False,
) -> Execution:
    """Compile or pack a network and run it on an emulated Cortex-M4 or on this machine.

    Parameters
    ----------
    model : bytes
        A `.tflite` of one input and one output.
    vectors : ndarray, shape (items, ...)
        Of the type and shape of the network's input, as `edge.verify.vectors_for` gives them; at least one.
    name : str
        Part of the C names: lower-case letters, digits and underscores.
    folder : Path
        There already; takes the library and what is built.
    on_host : bool
        On this machine, where nothing is counted.
    against_tflm : bool
        Whether the TFLite Micro interpreter runs the same vectors.
    packed : bool
        Whether it is run as data, by the loader of packed models and all kernels that a firmware has.

    Returns
    -------
    Execution

    Raises
    ------
    ArtifactError
        If the file is damaged, holds what is not computed, or its library faults.
    ParameterError
        If there is no vector, or they are of another type or shape than the input.
    ToolchainError
        If a tool is missing or fails.
    """
    if packed:
        library = packed_library(pack_model(model), name=name, folder=folder / "library")
    else:
        library = compile_model(model, name=name, folder=folder / "library")
    into, out = ends_of(read_tflite(model))
    if vectors.dtype != into.dtype or vectors.shape[1:] != item_shape(into) or not len(vectors):
        raise ParameterError(
            f"vectors of {vectors.dtype}, shape {vectors.shape}, were given; {into.dtype} of shape "
            f"{('n', *item_shape(into))}, n at least 1, is wanted"
        )
    given = np.ascontiguousarray(vectors).reshape(len(vectors), -1).view(np.int8)
    cost = None if on_host else run_on_m4(library, given)
    found = run_on_host(library, given, folder / "host") if cost is None else cost.outputs
    outputs = np.ascontiguousarray(found).view(out.dtype).reshape(len(vectors), *item_shape(out))
    comparison = compare(run_tflm(model, vectors), outputs) if against_tflm else None
    return Execution(library, outputs, comparison, cost)
