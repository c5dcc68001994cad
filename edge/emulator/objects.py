"""Compiles C sources, each content once in a process; what the compiler refuses is not kept.

A run on the emulator compiles board, harness and kernels beside the network; only the network differs from run to run.
Firmware of one node differs from that of another in a few files.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from edge.emulator.toolchain import run_tool

__all__ = ["compile_once", "content_digest"]

_INCLUDE = re.compile(rb"^[ \t]*#[ \t]*include[ \t]+([^\s<]\S*)", re.MULTILINE)
# Objects of this process by what went into them; those of a whole node are some MB.
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
    digest = content_digest(command, source, places) if keep else ""
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


def content_digest(command: Sequence[str], source: Path, places: Sequence[Path], *, macros: bool = False) -> str:
    """Give a digest of all that decides on an object: the command, the source and every header that it reads.

    Parameters
    ----------
    command, source, places
        As of `compile_once`.
    macros : bool
        Whether headers that a macro names are passed over.

    Returns
    -------
    str
        In hexadecimal; empty where a macro names a header, so that it cannot be told, unless that is passed over.
    """
    content, waiting, seen = hashlib.sha256("\0".join(command).encode()), [source], set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text = path.read_bytes()
        content.update(f"\0{path.name}\0{len(text)}\0".encode() + text)
        names = _INCLUDE.findall(text)
        if not macros and not all(name.startswith(b'"') for name in names):
            return ""
        waiting += [found for name in names if (found := _found(name, [path.parent, *places])) is not None]
    return content.hexdigest()


def _found(name: bytes, folders: Sequence[Path]) -> Path | None:
    """The header of a name in quotes, where it is none of the compiler's."""
    files = (folder / name.decode().strip('"') for folder in folders)
    return next((file for file in files if file.is_file()), None)
