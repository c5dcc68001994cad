"""Builds a firmware as a process of this machine and runs it, with what can go wrong with a node at will."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edge.emulator.building import reason_of
from edge.emulator.toolchain import run_tool
from edge.node.building import PORT, Source, compile_sources
from edge.node.running import LINES, RunningNode
from features.errors import ToolchainError

__all__ = ["build_host_firmware", "host_node"]

_FLAGS = (
    "-std=c11",
    "-O1",
    "-g",
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wdouble-promotion",
    "-Werror",
)
_SANITISERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def build_host_firmware(
    sources: Sequence[Source],
    folder: Path,
    *,
    includes: Sequence[Path] = (),
    libraries: Sequence[str | Path] = (),
    sanitise: bool = False,
) -> Path:
    """Compile and link a program with the port of the host.

    Parameters
    ----------
    sources : sequence of Source
        The program, as in `edge.node.building.build_firmware`.
    folder : Path
        Takes objects and program; it is made where there is none. Objects of earlier builds there are used again.
    includes : sequence of Path
        Folders of headers, beside those of the port.
    libraries : sequence of str or Path
        What is linked besides, in this order.
    sanitise : bool
        With the address and the undefined-behaviour sanitiser, either ending the program.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    ToolchainError
        If there is no compiler, or it refuses the code; warnings are errors.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise ToolchainError("no C compiler was found on this machine; install gcc", tool="gcc")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node"
    flags = [*_FLAGS, *(_SANITISERS if sanitise else ())]
    own = [Source(PORT / "host" / "rw_host.c", "board"), Source(PORT / "rw_nor.c", "board")]
    objects = compile_sources([*own, *sources], folder, [compiler, *flags], [PORT, *includes])
    done = run_tool([compiler, *flags, *map(str, [*objects, *libraries]), "-o", str(program)])
    if done.returncode:
        raise ToolchainError(f"the firmware for the host does not link: {reason_of(done.stderr)}", tool=compiler)
    return program


def host_node(
    program: Path,
    folder: Path,
    *,
    name: str = "",
    deadline_s: float = 60.0,
    lines: Sequence[str] = LINES,
    wait: bool = True,
    arguments: Sequence[str] = (),
) -> RunningNode:
    """Make a node of a process of this machine; entering it starts the process.

    Parameters
    ----------
    program : Path
        From `build_host_firmware`.
    folder : Path
        Working folder; the flash is kept in `flash.bin` there, from one run to the next.
    name : str
        Of the board among others; ``host`` where none is given.
    deadline_s : float
        Seconds after which it is ended.
    lines : sequence of str
        Those that are served; without ``samples``, a `replay` is to be among the arguments.
    wait : bool
        Whether the node starts only when all its lines are connected.
    arguments : sequence of str
        What is to go wrong, such as ``lose-ppm=50`` or ``cut=3``; `rw_host.c` lists all.

    Returns
    -------
    RunningNode
        Not started yet.
    """
    served = [f"{line}={line}.sock" for line in lines] + [f"name={name}"] * bool(name)
    command = [str(program.resolve()), *served, "flash=flash.bin", f"wait={int(wait)}", *arguments]
    return RunningNode(command, folder, lines=lines, deadline_s=deadline_s)
