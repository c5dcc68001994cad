"""Builds a compiled library with the harness into an image for the emulated Cortex-M4; refuses what fails to build."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from edge.compiler.library import Library
from edge.emulator.objects import compile_once
from edge.emulator.toolchain import CPU_FLAGS, Toolchain, run_tool
from features.errors import ArtifactError, ToolchainError

__all__ = [
    "BOARD_FOLDER",
    "LIBRARY_FLAGS",
    "OWN_FLAGS",
    "Image",
    "Symbol",
    "build_image",
    "function_at",
    "functions_of",
    "reason_of",
    "section_sizes",
]

LIBRARY_FLAGS = ("-std=c11", "-O2", *CPU_FLAGS, "-ffunction-sections", "-fdata-sections", "-fomit-frame-pointer")

_HERE = Path(__file__).parent
BOARD_FOLDER, _HARNESS = _HERE / "board", _HERE / "harness"
_LINKER_SCRIPT = BOARD_FOLDER / "mps2_an386.ld"
# -fno-tree-loop-distribute-patterns: else loops become calls of memcpy, and that piece of libc would be the library's.
OWN_FLAGS = (
    *LIBRARY_FLAGS,
    "-ffreestanding",
    "-fno-tree-loop-distribute-patterns",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wdouble-promotion",
    "-Werror",
)
# The one source that knows the library; the others of board and harness are alike for all.
_OF_THE_LIBRARY = "harness.c"
_MODEL = (".model",)
_FLASH = (".model", ".library", ".library_data")
_RAM = (".library_data", ".library_bss")


@dataclass(frozen=True)
class Symbol:
    """A function of the image.

    Attributes
    ----------
    name : str
        As the compiler wrote it, clones with their suffix.
    start, end : int
        Addresses; `end` is the first one behind it.
    """

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Image:
    """A linked image and what the library occupies of it.

    Attributes
    ----------
    path : Path
        The ELF file.
    run : Symbol
        The function that runs an inference.
    operators : tuple of (Symbol, int)
        Entries of operators with their index in order of execution, from 0; a clone has the index of its operator.
    flash_bytes : int
        Code, constants and initial values of the library and the pieces of libc that it pulls in, alignment included.
    model_bytes : int
        Of these, the constants of the model's own source.
    static_bytes : int
        Variables of the library outside the arena.
    """

    path: Path
    run: Symbol
    operators: tuple[tuple[Symbol, int], ...]
    flash_bytes: int
    model_bytes: int
    static_bytes: int


def build_image(library: Library, folder: Path, *, toolchain: Toolchain) -> Image:
    """Compile and link a library with board and harness.

    Parameters
    ----------
    library : Library
        Every `.c` of its folder is compiled.
    folder : Path
        An empty folder that takes objects and image.
    toolchain : Toolchain
        From `find_toolchain`.

    Returns
    -------
    Image
        To be run by `edge.emulator.running`.

    Raises
    ------
    ArtifactError
        If the library does not compile or link, or lacks a function that its description names.
    ToolchainError
        If board or harness do not compile.
    """
    library = replace(library, folder=library.folder.resolve())  # the tools work in the other folder
    objects = [_compile_own(source, library, folder, toolchain) for source in _own_sources()]
    objects += [_compile(source, library, folder, toolchain) for source in sorted(library.folder.glob("*.c"))]
    elf = folder / "image.elf"
    link = [
        toolchain.gcc,
        *CPU_FLAGS,
        "-nostdlib",
        "-Wl,--gc-sections,--orphan-handling=error",
        "-T",
        str(_LINKER_SCRIPT),
    ]
    done = run_tool([*link, *objects, "-lc_nano", "-lgcc", "-o", elf.name], folder=folder)
    if done.returncode:
        raise ArtifactError(f"the library {library.name} does not link: {reason_of(done.stderr)}")
    sizes = section_sizes(run_tool([toolchain.size, "-A", str(elf)]).stdout)
    symbols = functions_of(run_tool([toolchain.nm, "--defined-only", "-S", str(elf)]).stdout)
    return Image(
        elf,
        _run_of(symbols, library),
        _operators_of(symbols, library),
        flash_bytes=sum(sizes.get(name, 0) for name in _FLASH),
        model_bytes=sum(sizes.get(name, 0) for name in _MODEL),
        static_bytes=sum(sizes.get(name, 0) for name in _RAM),
    )


def function_at(image: Image, address: int, *, toolchain: Toolchain) -> str:
    """Name the function of an image that an address lies in.

    Parameters
    ----------
    image : Image
        From `build_image`.
    address : int
        Of an instruction.
    toolchain : Toolchain
        Lists the functions.

    Returns
    -------
    str
        Its name, or `no function`.
    """
    symbols = functions_of(run_tool([toolchain.nm, "--defined-only", "-S", str(image.path)]).stdout)
    return next((symbol.name for symbol in symbols if symbol.start <= address < symbol.end), "no function")


def _own_sources() -> list[Path]:
    return sorted([*BOARD_FOLDER.glob("*.c"), *_HARNESS.glob("*.c")])


def _compile_own(source: Path, library: Library, folder: Path, toolchain: Toolchain) -> str:
    output = f"board_{source.stem}.o"
    definitions = _definitions(library) if source.name == _OF_THE_LIBRARY else []
    places = BOARD_FOLDER, _HARNESS, library.folder
    said = compile_once([toolchain.gcc, *OWN_FLAGS, *definitions], source, folder / output, places=places)
    if said and source.parent == _HARNESS:
        raise ArtifactError(f"the library {library.name} does not fit the harness: {reason_of(said)}")
    if said:
        raise ToolchainError(f"{source.name} of the board does not compile: {reason_of(said)}", tool=toolchain.gcc)
    return output


def _compile(source: Path, library: Library, folder: Path, toolchain: Toolchain) -> str:
    model = source.name == f"rw_{library.name}.c"
    output = folder / ("model.o" if model else f"library_{source.stem}.o")
    said = compile_once([toolchain.gcc, *LIBRARY_FLAGS], source, output, places=[library.folder], keep=not model)
    if said:
        raise ArtifactError(f"the library {library.name} does not compile: {reason_of(said)}")
    return output.name


def _definitions(library: Library) -> list[str]:
    lower, upper = f"rw_{library.name}", f"RW_{library.name.upper()}"
    wanted = {"ARENA": library.arena_bytes, "INPUT": library.input_bytes, "OUTPUT": library.output_bytes}
    functions = {"RUN": f"{lower}_run", "INPUT": f"{lower}_input", "OUTPUT": f"{lower}_output"}
    return [
        f'-DRW_LIBRARY_HEADER="{lower}.h"',
        *(f"-DRW_LIBRARY_{key}_BYTES={upper}_{key}_BYTES" for key in wanted),
        *(f"-DRW_WANTED_{key}_BYTES={value}u" for key, value in wanted.items()),
        *(f"-DRW_LIBRARY_{key}={function}" for key, function in functions.items()),
    ]


def reason_of(text: str) -> str:
    """Find the line that says what is wrong, of a compiler's many."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error:|undefined reference|will not fit|overflowed", line)]
    return (telling or lines or ["the compiler gave no reason"])[0]


def section_sizes(text: str) -> dict[str, int]:
    """Read the bytes of each section from what `size -A` printed."""
    return {name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)\s+\d+$", text, re.MULTILINE)}


def functions_of(text: str) -> list[Symbol]:
    """Read the functions from what `nm -S` printed: address, size, kind and name of each."""
    found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tTwW] (\S+)$", text, re.MULTILINE)
    return [Symbol(name, int(start, 16), int(start, 16) + int(size, 16)) for start, size, name in found]


def _run_of(symbols: list[Symbol], library: Library) -> Symbol:
    wanted = f"rw_{library.name}_run"
    for symbol in symbols:
        if symbol.name == wanted:
            return symbol
    raise ArtifactError(f"the library {library.name} has no function {wanted}")


def _operators_of(symbols: list[Symbol], library: Library) -> tuple[tuple[Symbol, int], ...]:
    pattern = re.compile(rf"rw_{re.escape(library.name)}_op_(\d+)(\.\w+)*")
    found = [(symbol, int(match[1])) for symbol in symbols if (match := pattern.fullmatch(symbol.name))]
    given = {index for _, index in found}
    if given != set(range(len(library.operators))) or len({symbol.start for symbol, _ in found}) < len(found):
        raise ArtifactError(
            f"the library {library.name} names {len(library.operators)} operators, but its image has functions of its "
            f"own for {len(given)}; each wants one, rw_{library.name}_op_<NN>, neither inlined nor merged with another"
        )
    return tuple(sorted(found, key=lambda pair: pair[0].start))
