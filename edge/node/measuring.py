"""What a firmware costs: flash and RAM of its image, stack, instructions and cycles of windows; refuses what fails.

The image is the product's, linked with the port of the emulated board. It is counted in a second image that differs in
what stands between program and port (`edge/firmware/measure`): windows are given whole, as a converter with DMA does,
and the link ends there. Counted is all that the program does from one window to the next; interrupts of a port are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.compiler.layouts import RUNTIME
from edge.emulator.building import Symbol, functions_of
from edge.emulator.counting import add_up, counting_arguments, read_records
from edge.emulator.cycles import costs, parse_disassembly
from edge.emulator.toolchain import Toolchain, run_tool
from edge.node.building import FIRMWARE, NODE_FOLDERS, Firmware, Source, build_firmware, loader_sources, node_sources
from edge.node.package import generate_key, read_private_key, render_key_header
from edge.node.parts import PARTS, part_at, pieces_of, sizes_by_part
from features.errors import ParameterError, ToolchainError

__all__ = ["BOARD", "CLOCK_HZ", "NodeCost", "NodeSetup", "build_node", "measure_node"]

BOARD, CLOCK_HZ = "mps2_an386", 80_000_000
_MEASURE = FIRMWARE / "measure"
_GIVEN, _FOUND, _FLASH = "given.bin", "measured.bin", "flash.bin"
_GIVEN_PLACE, _GIVEN_MOST = 0x21100000, 6 << 20
# Of the counting plugin: asleep are program and harness, networks tell whose the kernels are that run.
_ASLEEP, _AWAKE, _HEALTH, _KINDS = range(4)
_MARKS = {"rw_measure_asleep": _ASLEEP, "rw_measure_awake": _AWAKE, "rw_health_run": _HEALTH, "rw_kinds_run": _KINDS}
_KEYS = "rw_update_keys.h"
_LAP = "rw_measure_next"
_QEMU = ("-display", "none", "-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native")


@dataclass(frozen=True)
class NodeSetup:
    """What a node is built for.

    Attributes
    ----------
    n : int
        Samples of a window.
    rate_hz : float
        Sampling rate.
    scale : float
        Unit (g) of a step.
    n_scale, n_tail : int
        Windows of commissioning.
    """

    n: int = 2048
    rate_hz: float = 12_000.0
    scale: float = 1.0 / 2048.0
    n_scale: int = 64
    n_tail: int = 64

    @property
    def definitions(self) -> tuple[str, ...]:
        """Of `rw_main.c`; windows follow each other."""
        floats = {"RATE_HZ": self.rate_hz, "SCALE": self.scale}
        words = {"SAMPLES": self.n, "N_SCALE": self.n_scale, "N_TAIL": self.n_tail, "PERIOD_MS": 0}
        given = {name: f"{number.hex()}f" for name, number in floats.items()}
        given |= {name: f"{number}u" for name, number in words.items()} | {"UPDATES": "1"}
        return tuple(f"RW_NODE_{name}={text}" for name, text in given.items())


@dataclass(frozen=True)
class NodeCost:
    """What a node takes.

    Attributes
    ----------
    flash, ram : dict of int
        Bytes of each part; the RAM is without the stack.
    stack_bytes : int
        The most that was written to below the top of the stack, interrupts left out.
    instructions, cycles : dict of int
        Of each part, in the window that takes most cycles.
    cycles_watching : int
        The same of the windows that were within the threshold.
    windows, windows_in_alarm : int
        How many were counted, and of these, how many the second network saw.
    idle_fraction : float
        Share of a window's duration that a processor of 80 MHz has nothing to do.
    """

    flash: Mapping[str, int]
    ram: Mapping[str, int]
    stack_bytes: int
    instructions: Mapping[str, int]
    cycles: Mapping[str, int]
    cycles_watching: int
    windows: int
    windows_in_alarm: int
    idle_fraction: float

    @property
    def totals(self) -> dict[str, int | float]:
        """The figures that are held to limits, by the names of the command's JSON."""
        return {
            "flash_bytes": sum(self.flash.values()),
            "ram_bytes": sum(self.ram.values()),
            "stack_bytes": self.stack_bytes,
            "instructions_per_window": sum(self.instructions.values()),
            "cycles_per_window": sum(self.cycles.values()),
            "idle_fraction": self.idle_fraction,
        }


def build_node(
    setup: NodeSetup,
    networks: tuple[Sequence[Path], Sequence[Path]],
    folder: Path,
    *,
    toolchain: Toolchain,
    measured: bool = False,
) -> Firmware:
    """Build the whole firmware for the emulated board.

    Parameters
    ----------
    setup : NodeSetup
    networks : sources and folders of headers
        From `edge.node.factory.write_factory`.
    folder : Path
        Takes objects and image.
    toolchain : Toolchain
        From `find_toolchain`.
    measured : bool
        Whether the harness stands between program and port.

    Raises
    ------
    ToolchainError
        If something does not compile or link.
    """
    named = ("rw_program=rw_measured_program",) if measured else ()
    sources = [Source(path, path.parent.name) for path in node_sources(updates=True)]
    sources = [replace(s, definitions=setup.definitions + named) if s.path.name == "rw_main.c" else s for s in sources]
    sources += [Source(path, "model") for path in networks[0]] + loader_sources(networks[0])
    if measured:
        sources += [Source(path, "measure", setup.definitions) for path in sorted(_MEASURE.glob("*.c"))]
    includes = [*networks[1], *NODE_FOLDERS, RUNTIME, _keys(folder)]
    return build_firmware(BOARD, sources, folder, includes=includes, toolchain=toolchain)


def _keys(folder: Path) -> Path:
    """A folder with the header of one key; any takes as much."""
    place = folder / "keys"
    if not (place / _KEYS).exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / _KEYS).write_text(render_key_header([read_private_key(generate_key()).public_key()]), encoding="ascii")
    return place


def measure_node(
    setup: NodeSetup,
    networks: tuple[Sequence[Path], Sequence[Path]],
    windows: NDArray[np.int16],
    folder: Path,
    *,
    toolchain: Toolchain,
    timeout_s: float = 300.0,
) -> NodeCost:
    """Build a node, run windows through it and count.

    Parameters
    ----------
    setup : NodeSetup
    networks : sources and folders of headers
        From `edge.node.factory.write_factory`.
    windows : ndarray of int16, shape (windows, n)
        In time order: those that the node is commissioned on, then some that are healthy and some that are not.
    folder : Path
        Takes what is built and counted.
    toolchain : Toolchain
        From `find_toolchain`.
    timeout_s : float
        Seconds that the emulator may take.

    Returns
    -------
    NodeCost
        Windows of commissioning are not counted.

    Raises
    ------
    ParameterError
        If there are too few windows or too many, or they are of another length, or none was beyond the threshold.
    ToolchainError
        If something does not build or run.
    """
    learned = setup.n_scale + setup.n_tail
    if windows.dtype != np.int16 or windows.shape[1:] != (setup.n,) or len(windows) <= learned:
        raise ParameterError(
            f"windows of {windows.dtype}, shape {windows.shape}, were given; int16 of shape (n, {setup.n}), n above "
            f"{learned}, is wanted"
        )
    if windows.nbytes > _GIVEN_MOST:
        raise ParameterError(f"{windows.nbytes} bytes of windows were given; at most {_GIVEN_MOST} are wanted")
    pieces = pieces_of(build_node(setup, networks, folder, toolchain=toolchain).map.read_text(encoding="utf-8"))
    harnessed = build_node(setup, networks, folder, toolchain=toolchain, measured=True)
    stack_bytes = _run(harnessed, windows, toolchain=toolchain, timeout_s=timeout_s)
    instructions, cycles = _counts(harnessed, n=len(windows), toolchain=toolchain)
    watched = slice(learned, None)
    instructions, cycles = instructions[watched], cycles[watched]
    in_alarm = cycles[:, PARTS.index("kinds")] > 0
    if not in_alarm.any() or in_alarm.all():
        raise ParameterError(
            f"{in_alarm.sum()} of {in_alarm.size} windows were beyond the threshold; some of either are wanted"
        )
    totals = cycles.sum(axis=1)
    most = int(totals.argmax())
    return NodeCost(
        flash=sizes_by_part(pieces),
        ram=sizes_by_part(pieces, ram=True),
        stack_bytes=stack_bytes,
        instructions=dict(zip(PARTS, instructions[most].tolist(), strict=True)),
        cycles=dict(zip(PARTS, cycles[most].tolist(), strict=True)),
        cycles_watching=int(totals[~in_alarm].max()),
        windows=in_alarm.size,
        windows_in_alarm=int(in_alarm.sum()),
        idle_fraction=1.0 - float(totals[most]) / (CLOCK_HZ * setup.n / setup.rate_hz),
    )


def _symbols(firmware: Firmware, toolchain: Toolchain) -> dict[str, Symbol]:
    text = run_tool([toolchain.nm, "--defined-only", "-S", str(firmware.elf)]).stdout
    return {symbol.name: symbol for symbol in functions_of(text)}


def _run(firmware: Firmware, windows: NDArray[np.int16], *, toolchain: Toolchain, timeout_s: float) -> int:
    """Bytes of stack."""
    folder, symbols = firmware.elf.parent, _symbols(firmware, toolchain)
    head = np.array(windows.shape, "<u4").tobytes()
    (folder / _FLASH).unlink(missing_ok=True)  # a node that has not run before
    (folder / _GIVEN).write_bytes(head + windows.astype("<i2").tobytes())
    marks = [(symbols[name], index) for name, index in _MARKS.items() if name in symbols]
    counting = counting_arguments(symbols[_LAP], marks, folder, toolchain=toolchain, laps=True)
    loaded = ["-device", f"loader,file={_GIVEN},addr={_GIVEN_PLACE:#x},force-raw=on"]
    command = [toolchain.qemu, "-M", firmware.board.machine, *_QEMU, *loaded, "-kernel", firmware.elf.name, *counting]
    done = run_tool(command, folder=folder, timeout_s=timeout_s)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[0]
        raise ToolchainError(f"the measured node ended with status {done.returncode}: {reason}", tool=toolchain.qemu)
    stack_bytes, reports, damaged, repeated, _ = np.fromfile(folder / _FOUND, "<u4").tolist()
    if damaged or repeated or reports < len(windows) - 1:  # the last one is still under way
        raise ToolchainError(
            f"of {len(windows)} windows, {reports} reports came over the link, {damaged} damaged and {repeated} twice",
            tool=toolchain.qemu,
        )
    return int(stack_bytes)


def _counts(firmware: Firmware, *, n: int, toolchain: Toolchain) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Instructions and cycles, shape (windows, parts), asleep and in the port left out."""
    records = read_records(firmware.elf.parent)
    windows = len(np.unique(records[:, 0]))
    if windows != n:
        raise ToolchainError(f"the plugin counted {windows} windows of {n}", tool=toolchain.qemu)
    records = records[records[:, 1] != _ASLEEP]
    pieces = pieces_of(firmware.map.read_text(encoding="utf-8"))
    addresses, place = np.unique(records[:, 2], return_inverse=True)
    parts = np.array([PARTS.index(part_at(pieces, address)) for address in addresses.tolist()])[place.reshape(-1)]
    of_kernels = parts == PARTS.index("kernels")
    for index, network in ((_HEALTH, "health"), (_KINDS, "kinds")):
        parts[of_kernels & (records[:, 1] == index)] = PARTS.index(network)
    records[:, 1] = parts
    records = records[parts != PARTS.index("port")]
    text = run_tool([toolchain.objdump, "-d", str(firmware.elf)]).stdout
    counts = add_up(records, costs(parse_disassembly(text)), shape=(n, len(PARTS)))
    return counts.instructions, counts.cycles
