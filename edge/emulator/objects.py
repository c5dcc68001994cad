"""Compiles C sources for the emulated board, each content once in a process; what the compiler refuses is not kept.

A run on the emulator compiles board, harness and kernels beside the network; only the network differs from run to run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from edge.emulator.toolchain import run_tool

__all__ = ["compile_once"]

_INCLUDE = re.compile(rb"^[ \t]*#[ \t]*include[ \t]+([^\s<]\S*)", re.MULTILINE)
# Objects of this process by what went into them; those of the runtime are some hundred KB in all.
_KEPT: dict[str, bytes] = {}


def compile_once(
    command: Sequence[str], source: Path, output: Path, *, places: Sequence[Path] = (), keep: bool = True
) -> str:
    """Compile a source, or write what compiling the same content gave before.

    Parameters
    ----------
    command : sequence of str
        Compiler and flags that decide on the object, without folders of headers.
    source : Path
        A C file.
    output : Path
        The object; the compiler works in its folder.
    places : sequence of Path
        Folders of headers, beside that of the source.
    keep : bool
        Whether the object is kept; what no other library has, such as a network, is not worth its memory.

    Returns
    -------
    str
        Empty, or what the compiler said where it refused the source.
    """
    digest = _digest(command, source, places) if keep else ""
    if digest in _KEPT:
        output.write_bytes(_KEPT[digest])
        return ""
    includes = [f"-I{place}" for place in places]
    done = run_tool([*command, *includes, "-c", str(source), "-o", output.name], folder=output.parent)
    if done.returncode:
        return done.stderr or f"status {done.returncode}"
    if digest:
        _KEPT[digest] = output.read_bytes()
    return ""


def _digest(command: Sequence[str], source: Path, places: Sequence[Path]) -> str:
    """Of all that decides on an object; empty where a header is named by a macro, so that it cannot be told."""
    content, waiting, seen = hashlib.sha256("\0".join(command).encode()), [source], set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text = path.read_bytes()
        content.update(f"\0{path.name}\0{len(text)}\0".encode() + text)
        for name in _INCLUDE.findall(text):
            if not name.startswith(b'"'):
                return ""
            folders = (path.parent, *places)
            found = [folder / name[1:-1].decode() for folder in folders if (folder / name[1:-1].decode()).is_file()]
            waiting += found[:1]
    return content.hexdigest()
