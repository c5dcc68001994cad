"""Runs a firmware on an emulated board, whose serial lines are sockets; refuses nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.emulator.toolchain import Toolchain
from edge.node.building import Firmware
from edge.node.running import LINES, RunningNode

__all__ = ["emulated_node"]


def emulated_node(
    firmware: Firmware,
    folder: Path,
    *,
    toolchain: Toolchain,
    deadline_s: float = 60.0,
    name: str = "",
    cut_at: int = 0,
    wait: bool = True,
    lines: Sequence[str] = LINES,
    arguments: Sequence[str] = (),
) -> RunningNode:
    """Make a node of an emulated board; entering it starts QEMU.

    Parameters
    ----------
    firmware : Firmware
        From `edge.node.building`.
    folder : Path
        Working folder; the flash is kept in `flash.bin` there, from one run to the next.
    toolchain : Toolchain
        From `find_toolchain`.
    deadline_s : float
        Seconds after which the emulator is ended.
    name : str
        Of the board among others, without spaces; that of the machine where none is given.
    cut_at : int
        The operation of flash in which the supply fails; 0 for none.
    wait : bool
        Whether the board starts only when all its lines are connected.
    lines : sequence of str
        That are connected from here; `<line>.sock` of another one is for somebody else, such as a gateway.
    arguments : sequence of str
        Further ones of QEMU.

    Returns
    -------
    RunningNode
        Not started yet.
    """
    given = [f"name={name}"] * bool(name) + [f"cut={cut_at}"] * bool(cut_at)
    argument = "".join(f",arg={text}" for text in given)
    command = [toolchain.qemu, "-M", firmware.board.machine, "-display", "none", "-monitor", "none"]
    command += ["-semihosting-config", f"enable=on,target=native{argument}"]
    for line in LINES:
        waits = "on" if wait else "off"
        command += ["-chardev", f"socket,id={line},path={line}.sock,server=on,wait={waits}"]
        command += ["-serial", f"chardev:{line}"]
    command += ["-kernel", str(firmware.elf.resolve()), *arguments]
    return RunningNode(command, folder, lines=lines, deadline_s=deadline_s)
