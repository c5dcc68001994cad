"""Builds a firmware of the node for a board that is emulated; refuses boards it does not know and code that fails."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.compiler.layouts import RUNTIME
from edge.emulator.building import BOARD_FOLDER, OWN_FLAGS, reason_of, section_sizes
from edge.emulator.objects import compile_once, content_digest
from edge.emulator.toolchain import CPU_FLAGS, Toolchain, run_tool
from features.errors import ParameterError, ToolchainError

__all__ = [
    "BOARDS",
    "FIRMWARE",
    "NODE_FOLDERS",
    "PORT",
    "Board",
    "Firmware",
    "Source",
    "build_firmware",
    "compile_sources",
    "loader_sources",
    "node_sources",
]

FIRMWARE = Path(__file__).parents[1] / "firmware"
PORT = FIRMWARE / "port"
# What a node is made of beside its port and its networks.
NODE_FOLDERS = tuple(FIRMWARE / name for name in ("node", "frontend", "link", "update", "crypto"))
_CORTEX = PORT / "cortex_m"
# What runs before memory is set up must call nothing; the product may, and its copies of four bytes become loads.
_PRODUCT_FLAGS = tuple(
    flag for flag in OWN_FLAGS if flag not in ("-ffreestanding", "-fno-tree-loop-distribute-patterns")
)


@dataclass(frozen=True)
class Board:
    """A board that QEMU models.

    Attributes
    ----------
    name : str
        Of its folder under `edge/firmware/port`.
    machine : str
        QEMU's name of it.
    clock_hz : int
        Clock of SysTick.
    """

    name: str
    machine: str
    clock_hz: int


BOARDS = {
    board.name: board
    for board in (
        Board("mps2_an386", machine="mps2-an386", clock_hz=25_000_000),
        Board("stm32f405", machine="netduinoplus2", clock_hz=168_000_000),
    )
}


@dataclass(frozen=True)
class Source:
    """A C file of a firmware.

    Attributes
    ----------
    path : Path
        The file.
    owner : str
        ``board``, ``model``, or any other name of a part: it leads the name of the object. The first two have sections
        of their own.
    definitions : tuple of str
        Such as ``RW_N=2048``.
    """

    path: Path
    owner: str = "node"
    definitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Firmware:
    """A linked firmware.

    Attributes
    ----------
    elf : Path
        The image.
    board : Board
        What it runs on.
    sections : dict of str to int
        Bytes of each section.
    """

    elf: Path
    board: Board
    sections: dict[str, int] = field(repr=False)

    @property
    def map(self) -> Path:
        """What the linker wrote of where everything lies."""
        return self.elf.with_suffix(".map")

    @property
    def flash_bytes(self) -> int:
        """Bytes of flash, the port of the emulated board included."""
        names = (".vectors", ".board", ".models", ".text", ".rodata", ".data")
        return sum(self.sections.get(name, 0) for name in names)

    @property
    def ram_bytes(self) -> int:
        """Bytes of variables and of the stack that is set aside."""
        return sum(self.sections.get(name, 0) for name in (".stack", ".data", ".bss", ".noinit"))


def build_firmware(
    board: str,
    sources: Sequence[Source],
    folder: Path,
    *,
    includes: Sequence[Path] = (),
    toolchain: Toolchain,
) -> Firmware:
    """Compile and link a program with the port of a board.

    Parameters
    ----------
    board : str
        One of ``BOARDS``.
    sources : sequence of Source
        The program; its names must differ. It has one function `rw_program`.
    folder : Path
        Takes objects, image and map; it is made where there is none. Objects of earlier builds there are used again.
    includes : sequence of Path
        Folders of headers, beside those of the port.
    toolchain : Toolchain
        From `find_toolchain`.

    Returns
    -------
    Firmware
        To be run by `edge.node.qemu`.

    Raises
    ------
    ParameterError
        If there is no such board.
    ToolchainError
        If something does not compile or link; the message says what the compiler said first.
    """
    if board not in BOARDS:
        raise ParameterError(f"there is no board {board!r}; one of {', '.join(BOARDS)} is wanted")
    chosen = BOARDS[board]
    folder.mkdir(parents=True, exist_ok=True)
    places = [PORT, _CORTEX, BOARD_FOLDER, *includes]
    clock = f"-DRW_CORTEX_HZ={chosen.clock_hz}u"
    objects = compile_sources(_port_sources(board), folder, [toolchain.gcc, *OWN_FLAGS, "-g", clock], places)
    objects += compile_sources(sources, folder, [toolchain.gcc, *_PRODUCT_FLAGS, "-g"], places)
    elf = folder / f"{board}.elf"
    link = [toolchain.gcc, *CPU_FLAGS, "-nostdlib", "-Wl,--gc-sections,--orphan-handling=error", f"-L{_CORTEX}"]
    script = ["-T", str(PORT / board / "rw_memory.ld"), f"-Wl,-Map={board}.map"]
    done = run_tool([*link, *script, *map(str, objects), "-lc_nano", "-lgcc", "-o", elf.name], folder=folder)
    if done.returncode:
        raise ToolchainError(f"the firmware for {board} does not link: {reason_of(done.stderr)}", tool=toolchain.gcc)
    return Firmware(elf, chosen, section_sizes(run_tool([toolchain.size, "-A", str(elf)]).stdout))


def _port_sources(board: str) -> list[Source]:
    """What a port consists of: its own folder, what both share, and the stand-in for flash."""
    own = [*sorted((PORT / board).glob("*.c")), *sorted(_CORTEX.glob("*.c"))]
    return [Source(path, "board") for path in [*own, PORT / "rw_nor.c", BOARD_FOLDER / "semihosting.c"]]


def node_sources(*, updates: bool = False) -> list[Path]:
    """List the C files of a node, beside those of its port and of its networks.

    Parameters
    ----------
    updates : bool
        Whether it takes models into slots; `loader_sources` are wanted too then.
    """
    files = sorted(path for folder in NODE_FOLDERS for path in folder.glob("*.c"))
    return [path for path in files if updates or path.name != "rw_slot_model.c"]


def loader_sources(networks: Sequence[Path]) -> list[Source]:
    """List what runs a model that came in a slot: the loader, and kernels that are not there yet.

    Parameters
    ----------
    networks : sequence of Path
        C files of the firmware's own networks, from `edge.node.factory.write_factory`.

    Returns
    -------
    list of Source
        Whose headers lie in `edge/runtime`.
    """
    there = {path.name for path in networks}
    files = [path for path in sorted(RUNTIME.glob("*.c")) if path.name not in there]
    return [Source(path, "update" if path.name.startswith("rw_model") else "model") for path in files]


def compile_sources(
    sources: Sequence[Source], folder: Path, command: Sequence[str], places: Sequence[Path]
) -> list[Path]:
    """Compile what differs from what was compiled in this folder, or in this process, before.

    Parameters
    ----------
    sources : sequence of Source
        C files.
    folder : Path
        Takes the objects, in a folder for each content.
    command : sequence of str
        Compiler and flags.
    places : sequence of Path
        Folders of headers.

    Returns
    -------
    list of Path
        One object a source, named by its owner and its file.

    Raises
    ------
    ToolchainError
        If one does not compile.
    """
    headers = hashlib.sha256(b"".join(path.read_bytes() for place in places for path in sorted(place.glob("*.h"))))
    folders = [place.resolve() for place in places]
    return [_compile(source, folder, command, folders, headers.hexdigest()) for source in sources]


def _compile(source: Source, folder: Path, command: Sequence[str], places: Sequence[Path], headers: str) -> Path:
    path, command = source.path.resolve(), [*command, *(f"-D{text}" for text in source.definitions)]
    # Which header a macro names cannot be told: then it is any of them.
    digest = content_digest(command, path, places) or content_digest([*command, headers], path, places, macros=True)
    output = folder / digest[:16] / f"{source.owner}_{path.stem}.o"
    if output.exists():
        return output
    output.parent.mkdir(parents=True, exist_ok=True)
    if said := compile_once(command, path, output, places=places):
        raise ToolchainError(f"{path.name} does not compile: {reason_of(said)}", tool=command[0])
    return output
