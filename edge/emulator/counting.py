"""Exact instruction counts of inferences and operators, by a plugin for QEMU; refuses counts that do not add up."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.emulator.building import Image, Symbol
from edge.emulator.cycles import Cost, block_cost, costs, parse_disassembly
from edge.emulator.toolchain import Toolchain, run_tool
from features.errors import ToolchainError

__all__ = ["Counts", "add_up", "count_inferences", "counting_arguments", "plugin_arguments", "read_records"]

_SOURCE = Path(__file__).parent / "plugin" / "count.c"
_FLAGS = ("-shared", "-fPIC", "-O2", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fvisibility=hidden")
_PLUGIN, _RECORDS = "count.so", "counts.bin"
_RECORD_WORDS = 8


@dataclass(frozen=True)
class Counts:
    """What inferences executed.

    Attributes
    ----------
    instructions, cycles : ndarray of int64, shape (inferences, 1 + operators)
        Column 0 is what the function that runs an inference executes itself, column i + 1 operator i with all it calls.
        Instructions are counted; cycles are those of the model in `edge.emulator.cycles`.
    """

    instructions: NDArray[np.int64]
    cycles: NDArray[np.int64]


def plugin_arguments(image: Image, folder: Path, *, toolchain: Toolchain) -> list[str]:
    """Compile the plugin and name the arguments with which QEMU counts.

    Parameters
    ----------
    image : Image
        The image that will run.
    folder : Path
        Takes the plugin, and later the counts; QEMU must work in it.
    toolchain : Toolchain
        From `find_toolchain`.

    Returns
    -------
    list of str
        For QEMU's command line.

    Raises
    ------
    ToolchainError
        If the host's compiler fails.
    """
    entries = [(symbol, index + 1) for symbol, index in image.operators]
    return counting_arguments(image.run, entries, folder, toolchain=toolchain)


def counting_arguments(
    run: Symbol, entries: Sequence[tuple[Symbol, int]], folder: Path, *, toolchain: Toolchain, laps: bool = False
) -> list[str]:
    """Compile the plugin and name its arguments.

    Parameters
    ----------
    run : Symbol
        What an inference is a call of.
    entries : sequence of (Symbol, int)
        Functions behind whose entry another index is counted.
    folder : Path
        As of `plugin_arguments`.
    toolchain : Toolchain
        From `find_toolchain`.
    laps : bool
        Whether an inference lasts from one call of `run` to the next.

    Raises
    ------
    ToolchainError
        If the host's compiler fails.
    """
    (folder / _PLUGIN).write_bytes(_plugin(toolchain.host_gcc))
    given = [f"run={run.start:x}-{run.end:x}", *(f"op={symbol.start:x}-{index}" for symbol, index in entries)]
    return ["-plugin", ",".join([f"file=./{_PLUGIN}", f"out={_RECORDS}", *given, *["laps=on"] * laps])]


@functools.cache
def _plugin(host_gcc: str) -> bytes:
    """The plugin, compiled once in a process."""
    with tempfile.TemporaryDirectory(prefix="raceway-plugin-") as folder:
        done = run_tool([host_gcc, *_FLAGS, "-o", _PLUGIN, str(_SOURCE)], folder=Path(folder))
        if done.returncode:
            raise ToolchainError(f"the counting plugin does not compile: {done.stderr.strip()}", tool=host_gcc)
        return (Path(folder) / _PLUGIN).read_bytes()


def count_inferences(image: Image, folder: Path, *, n_inferences: int, toolchain: Toolchain) -> Counts:
    """Read what the plugin counted.

    Parameters
    ----------
    image : Image
        The image that ran.
    folder : Path
        Where QEMU worked.
    n_inferences : int
        How many inferences it ran.
    toolchain : Toolchain
        Disassembles the image.

    Returns
    -------
    Counts
        Of each inference.

    Raises
    ------
    ToolchainError
        If other than `n_inferences` were counted, or code ran that the disassembly does not show.
    """
    records = read_records(folder)
    counted = len(np.unique(records[:, 0]))
    if counted != n_inferences:
        raise ToolchainError(f"the plugin counted {counted} inferences of {n_inferences}", tool=_PLUGIN)
    text = run_tool([toolchain.objdump, "-d", str(image.path)]).stdout
    n_columns = 2 + max((index for _, index in image.operators), default=-1)
    return add_up(records, costs(parse_disassembly(text)), shape=(n_inferences, n_columns))


def read_records(folder: Path) -> NDArray[np.int64]:
    """Read what the plugin wrote, shape (records, 8); the columns are those in `plugin/count.c`."""
    return np.fromfile(folder / _RECORDS, dtype=np.uint64).astype(np.int64).reshape(-1, _RECORD_WORDS)


def add_up(records: NDArray[np.int64], cost_of: Mapping[int, Cost], *, shape: tuple[int, int]) -> Counts:
    """Sum instructions and cycles of blocks.

    Parameters
    ----------
    records : ndarray of int64, shape (records, 8)
        From `read_records`; the first two columns are the place in the sums.
    cost_of : mapping of int to Cost
        From `edge.emulator.cycles.costs`.
    shape : tuple of int
        Inferences and columns.

    Raises
    ------
    ToolchainError
        If code ran that the disassembly does not show.
    """
    inference, column, start, end, length, executed, taken, straight = records.T
    blocks, place = np.unique(np.stack([start, end], axis=1), axis=0, return_inverse=True)
    try:
        found = [block_cost(cost_of, int(first), int(behind)) for first, behind in blocks]
    except KeyError as error:
        raise ToolchainError(
            f"code at {error.args[0]:#x} ran but is not in the disassembly; code written at run time is not counted",
            tool=_PLUGIN,
        ) from error
    table = np.array([(cost.cycles, cost.cycles_at_target, cost.cycles_if_taken) for cost in found], dtype=np.int64)
    behind, at_target, if_taken = table[place.reshape(-1)].T
    counts = Counts(np.zeros(shape, np.int64), np.zeros(shape, np.int64))
    np.add.at(counts.instructions, (inference, column), executed * length)
    cycles = straight * behind + (executed - straight) * at_target + taken * if_taken
    np.add.at(counts.cycles, (inference, column), cycles)
    return counts
