"""What a run of a compiled model is told as, and the files it takes and gives; refuses arrays that do not fit."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.budget import Limits
from edge.emulator.running import M4Run
from edge.execution import Execution
from edge.oracle import ends_of, item_shape
from edge.tflite.reading import read_tflite
from edge.verify import vectors_for
from features.errors import ArtifactError, ParameterError

__all__ = ["execution_figures", "execution_table", "read_model", "read_vectors", "write_outputs"]

_INPUTS = "inputs"


def read_model(path: Path) -> bytes:
    """Bytes of a `.tflite`.

    Raises
    ------
    ArtifactError
        If there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"the model {path} cannot be read: {error.strerror}") from error


def read_vectors(path: Path, model: bytes) -> NDArray[Any]:
    """Read inputs of a network from a file.

    Parameters
    ----------
    path : Path
        `.npy`, or `.npz` with one array or one named ``inputs``; of the input's own type, or of floats that the scale
        of the input quantises. One row an item, flat or in the input's shape.
    model : bytes
        The `.tflite`.

    Returns
    -------
    ndarray, shape (items, ...)
        Of the type and shape of the network's input.

    Raises
    ------
    ParameterError
        If the file cannot be read, or its array is of another type or shape, or not finite.
    """
    array = _array(path)
    into, _ = ends_of(read_tflite(model))
    shape = item_shape(into)
    if not array.ndim or not len(array) or array[0].size != int(np.prod(shape)):
        raise ParameterError(f"{path} holds an array of shape {array.shape}; one of shape {('n', *shape)} is wanted")
    items = array.reshape(len(array), *shape)
    if items.dtype == into.dtype and items.dtype != np.float32:
        return items
    if not np.issubdtype(items.dtype, np.floating):
        raise ParameterError(f"{path} holds {items.dtype}; {into.dtype} or floats are wanted")
    if not np.isfinite(items).all():
        raise ParameterError(f"{path} holds values that are not finite")
    return vectors_for(model, n_random=0, seed=0, real=items)


def write_outputs(outputs: NDArray[Any], path: Path) -> None:
    """Write outputs as `.npy`, whole or not at all.

    Raises
    ------
    ParameterError
        If the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as file:
            np.save(file, outputs, allow_pickle=False)
        draft.replace(path)
    except OSError as error:
        raise ParameterError(f"the outputs cannot be written to {path}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def execution_figures(done: Execution, limits: Limits) -> dict[str, Any]:
    """Figures of a run under the names that `docs/results/edge.json` has for them."""
    compared = done.comparison
    figures: dict[str, Any] = {
        "model": done.library.name,
        "target": "this machine" if done.cost is None else "emulated Cortex-M4",
        "vectors": len(done.outputs),
        "bit_equal_vectors": None if compared is None else compared.equal,
        "largest_difference": None if compared is None else compared.largest,
        "arena_bytes": done.library.arena_bytes,
        "model_bytes": done.library.model_bytes,
    }
    if done.cost is None:
        return figures | {"operators": [[name] for name in done.library.operators]}
    names = (
        "instructions",
        "cycles",
        "instructions_smallest",
        "flash_bytes",
        "model_bytes",
        "ram_bytes",
        "stack_bytes",
    )
    counted = {name: getattr(done.cost, name) for name in names}
    operators = [list(operator) for operator in done.cost.operators]
    return figures | counted | {"limits": dict(vars(limits)), "operators": operators}


def execution_table(done: Execution, limits: Limits) -> str:
    """Lines that say of a run what each operator takes, what the whole takes and may take, and whether it is right."""
    where = "this machine" if done.cost is None else "an emulated Cortex-M4"
    head = f"{done.library.name} on {where}, {len(done.outputs):,} inferences"
    if done.cost is None:
        lines = [*(f"{i:02d} {name}" for i, name in enumerate(done.library.operators)), ""]
        lines += [f"model  {done.library.model_bytes:>12,} bytes", f"arena  {done.library.arena_bytes:>12,} bytes"]
    else:
        lines = [*_operators(done.cost), "", *_sizes(done.cost, limits)]
    return "\n".join([head, "", *lines, *_equal(done)])


def _operators(cost: M4Run) -> list[str]:
    rows = [(f"{i:02d} {name}", instructions, cycles) for i, (name, instructions, cycles) in enumerate(cost.operators)]
    counted, modelled = sum(row[1] for row in rows), sum(row[2] for row in rows)
    rows += [
        ("between operators", cost.instructions - counted, cost.cycles - modelled),
        ("inference", cost.instructions, cost.cycles),
    ]
    width = max(len(name) for name, _, _ in rows)
    return [
        f"{'operator':{width}}  {'instructions':>12}  {'cycles':>12}    share",
        *(f"{name:{width}}  {a:>12,}  {b:>12,}  {b / cost.cycles:>7.1%}" for name, a, b in rows),
    ]


def _sizes(cost: M4Run, limits: Limits) -> list[str]:
    parts = f"model {cost.model_bytes:,}, beyond {cost.flash_bytes - cost.model_bytes:,}"
    lines = [
        f"cycles {cost.cycles:>12,} of {limits.cycles:,}, modelled without wait states",
        f"flash  {cost.flash_bytes:>12,} of {limits.flash_bytes:,} bytes: {parts}",
        f"RAM    {cost.ram_bytes:>12,} of {limits.ram_bytes:,} bytes",
        f"stack  {cost.stack_bytes:>12,} of {limits.stack_bytes:,} bytes",
    ]
    if cost.instructions_smallest < cost.instructions:
        lines.append(f"the cheapest of the inferences executes {cost.instructions_smallest:,} instructions")
    return lines


def _equal(done: Execution) -> list[str]:
    compared = done.comparison
    if compared is None:
        return ["not compared with TFLite Micro"]
    lines = [f"{compared.equal:,} of {compared.vectors:,} vectors equal TFLite Micro byte for byte"]
    if compared.first is not None:
        first = compared.first
        lines.append(
            f"vector {first.vector} differs first, at {first.place}: {first.other:g}, where TFLite Micro says "
            f"{first.tflm:g}; the largest difference is {compared.largest:g}"
        )
    return lines


def _array(path: Path) -> NDArray[Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            return np.asarray(loaded)
        with loaded:
            names = loaded.files
            name = _INPUTS if _INPUTS in names or len(names) != 1 else names[0]
            return np.asarray(loaded[name])
    except KeyError:
        raise ParameterError(f"{path} holds {', '.join(names)}; one array, or one named {_INPUTS}, is wanted") from None
    except OSError as error:
        raise ParameterError(f"the inputs {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ParameterError(f"the inputs {path} are neither .npy nor .npz, or damaged: {error}") from error
