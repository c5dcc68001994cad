"""Runs a compiled library on an emulated Cortex-M4 and returns its outputs and what they cost; a fault is an error."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.compiler.library import Library
from edge.emulator.building import Image, build_image, function_at
from edge.emulator.counting import Counts, count_inferences, plugin_arguments
from edge.emulator.toolchain import Toolchain, find_toolchain, run_tool
from features.errors import ArtifactError, ParameterError, ToolchainError

__all__ = ["M4Run", "OperatorCost", "run_on_m4"]

_PSRAM = 0x21000000
_PSRAM_BYTES = 16 << 20
_HEAD_BYTES = 8
_INPUTS, _OUTPUTS = "inputs.bin", "outputs.bin"
_OUTSIDE_ARENA, _FAULT = 4, 99  # of the harness and of the board
_QEMU = (
    *("-M", "mps2-an386", "-cpu", "cortex-m4", "-display", "none", "-monitor", "none", "-serial", "none"),
    *("-no-reboot", "-semihosting-config", "enable=on,target=native"),
    *("-device", f"loader,file={_INPUTS},addr={_PSRAM:#x},force-raw=on"),
)


class OperatorCost(NamedTuple):
    """What one operator of an inference costs.

    Attributes
    ----------
    name : str
        Such as `CONV_2D`.
    instructions : int
        Executed by its function and all that it calls.
    cycles : int
        Of the model in `edge.emulator.cycles`.
    """

    name: str
    instructions: int
    cycles: int


@dataclass(frozen=True)
class M4Run:
    """What a library gave and took on the emulated Cortex-M4.

    Attributes
    ----------
    outputs : ndarray of int8, shape (n, output_bytes)
        One row for each input.
    instructions : int
        Executed by the inference that executes most; exact. 0 where nothing was counted, as below.
    cycles : int
        Of that inference, by the model in `edge.emulator.cycles`.
    instructions_smallest : int
        Executed by the inference that executes least.
    operators : tuple of OperatorCost
        Of the inference that executes most, in order of execution. Their sum is short of the whole by what
        `rw_<name>_run` executes itself to call them.
    flash_bytes : int
        Code, constants and initial values of the library and the libc that it pulls in, without board and harness.
    model_bytes : int
        Of these, the constants of the model's own source.
    ram_bytes : int
        Arena and variables of the library; no stack.
    stack_bytes : int
        The most that any inference wrote to below its caller's stack.
    """

    outputs: NDArray[np.int8]
    instructions: int
    cycles: int
    instructions_smallest: int
    operators: tuple[OperatorCost, ...]
    flash_bytes: int
    model_bytes: int
    ram_bytes: int
    stack_bytes: int


def run_on_m4(
    library: Library,
    inputs: NDArray[np.int8],
    *,
    count: bool = True,
    timeout_s: float = 300.0,
    toolchain: Toolchain | None = None,
) -> M4Run:
    """Build a library, run it over inputs and measure it, in a temporary folder.

    Parameters
    ----------
    library : Library
        From `edge.compiler`, or written by hand in the same form.
    inputs : ndarray of int8, shape (n, input_bytes)
        At least one row; 16 MB at most.
    count : bool
        Whether instructions and cycles are counted; it needs a compiler of the host.
    timeout_s : float
        Seconds that the emulator may take.
    toolchain : Toolchain, optional
        Those found on PATH where none is given.

    Returns
    -------
    M4Run
        Outputs, counts and sizes.

    Raises
    ------
    ParameterError
        If the inputs are of another type or shape, or do not fit.
    ToolchainError
        If a tool is missing or fails.
    ArtifactError
        If the library does not build, faults, writes outside its arena, or does not end in time.
    """
    _check_inputs(inputs, library)
    toolchain = toolchain or find_toolchain()
    with tempfile.TemporaryDirectory(prefix="raceway-m4-") as name:
        folder = Path(name)
        image = build_image(library, folder, toolchain=toolchain)
        arguments = plugin_arguments(image, folder, toolchain=toolchain) if count else []
        outputs, stack_bytes = _emulate(library, image, inputs, arguments, timeout_s=timeout_s, toolchain=toolchain)
        if count:
            counts = count_inferences(image, folder, n_inferences=len(inputs), toolchain=toolchain)
        else:
            nothing = np.zeros((len(inputs), 1), np.int64)
            counts = Counts(nothing, nothing)
    totals = counts.instructions.sum(axis=1)
    longest = int(totals.argmax())
    return M4Run(
        outputs=outputs,
        instructions=int(totals[longest]),
        cycles=int(counts.cycles[longest].sum()),
        instructions_smallest=int(totals.min()),
        operators=_operator_costs(counts, longest, library.operators),
        flash_bytes=image.flash_bytes,
        model_bytes=image.model_bytes,
        ram_bytes=library.arena_bytes + image.static_bytes,
        stack_bytes=stack_bytes,
    )


def _check_inputs(inputs: NDArray[np.int8], library: Library) -> None:
    if inputs.dtype != np.int8 or inputs.ndim != 2 or inputs.shape[1] != library.input_bytes or not len(inputs):
        raise ParameterError(
            f"inputs of {inputs.dtype}, shape {inputs.shape}, were given; int8 of shape (n, {library.input_bytes}), "
            "n at least 1, are wanted"
        )
    if inputs.nbytes + _HEAD_BYTES > _PSRAM_BYTES:
        raise ParameterError(
            f"{inputs.nbytes} bytes of inputs do not fit the board's {_PSRAM_BYTES}; give fewer at once"
        )


def _emulate(
    library: Library,
    image: Image,
    inputs: NDArray[np.int8],
    arguments: Sequence[str],
    *,
    timeout_s: float,
    toolchain: Toolchain,
) -> tuple[NDArray[np.int8], int]:
    """Outputs, and bytes of stack."""
    folder = image.path.parent
    head = np.array([len(inputs), 0], dtype="<u4")
    (folder / _INPUTS).write_bytes(head.tobytes() + inputs.tobytes())
    command = [toolchain.qemu, *_QEMU, "-kernel", image.path.name, *arguments]
    try:
        done = run_tool(command, folder=folder, timeout_s=timeout_s)
    except ToolchainError as error:
        raise ArtifactError(f"the library {library.name} did not end its runs within {timeout_s:g} s") from error
    if done.returncode:
        raise _failure(library, done, image, toolchain)
    written = (folder / _OUTPUTS).read_bytes()
    outputs = np.frombuffer(written, np.int8, len(inputs) * library.output_bytes)
    return outputs.reshape(len(inputs), library.output_bytes).copy(), int.from_bytes(written[-4:], "little")


def _failure(library: Library, done: CompletedProcess[str], image: Image, toolchain: Toolchain) -> Exception:
    if done.returncode == _OUTSIDE_ARENA:
        return ArtifactError(f"the library {library.name} wrote outside its arena of {library.arena_bytes} bytes")
    fault = re.search(r"fault at ([0-9a-f]{8}) cfsr ([0-9a-f]{8})( stack overflow)?", done.stderr)
    if done.returncode == _FAULT and fault:
        where = function_at(image, int(fault[1], 16), toolchain=toolchain)
        kind = "overflowed the stack" if fault[3] else f"faulted at 0x{fault[1]} in {where}"
        return ArtifactError(f"the library {library.name} {kind} (fault status 0x{fault[2]})")
    if "Lockup" in done.stderr:
        return ArtifactError(f"the library {library.name} locked the processor up by a fault within a fault")
    lines = done.stderr.strip().splitlines() or ["it gave no reason"]
    return ToolchainError(f"QEMU ended with status {done.returncode}: {lines[0]}", tool=toolchain.qemu)


def _operator_costs(counts: Counts, longest: int, names: Sequence[str]) -> tuple[OperatorCost, ...]:
    instructions, cycles = counts.instructions[longest, 1:], counts.cycles[longest, 1:]
    return tuple(
        OperatorCost(name, int(executed), int(modelled))
        for name, executed, modelled in zip(names, instructions, cycles, strict=False)
    )
