"""Which part of a firmware each byte of it belongs to, from the linker's map; refuses a map without sections."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from features.errors import ArtifactError

__all__ = ["PARTS", "Piece", "part_at", "pieces_of", "sizes_by_part"]

# As told to people. Kernels serve both networks; the port of an emulated board stands for the product's own.
PARTS = ("front end", "health", "kinds", "kernels", "link", "updates", "rest", "port")
_OWNERS = {"frontend": "front end", "link": "link", "update": "updates", "crypto": "updates", "node": "rest"}
_OWNERS |= {"board": "port", "measure": "port"}
_NETWORKS = {"rw_health": "health", "rw_kinds": "kinds", "networks": "rest"}
_UPDATING = ("rw_slot", "rw_updating")
_FLASH = (".vectors", ".board", ".models", ".text", ".rodata", ".data")
_RAM = (".data", ".bss", ".noinit")
_BEGIN = "Linker script and memory map"
_OUTPUT = re.compile(r"^(\.\w+)", re.MULTILINE)
_PIECE = re.compile(r"^ (\*fill\*|\.\S+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?: (\S.*)| *)$", re.MULTILINE)


@dataclass(frozen=True)
class Piece:
    """What one object gives to one section.

    Attributes
    ----------
    section : str
        Of the image.
    start, size : int
        Address and bytes.
    part : str
        One of ``PARTS``; what pads a section is of the rest.
    """

    section: str
    start: int
    size: int
    part: str


def pieces_of(text: str) -> tuple[Piece, ...]:
    r"""Read what lies where from the map of a firmware.

    Parameters
    ----------
    text : str
        What `ld -Map` wrote.

    Returns
    -------
    tuple of Piece
        Of the sections that take flash or RAM, the stack left out, in order of address within each.

    Raises
    ------
    ArtifactError
        If it has no such section.

    Examples
    --------
    >>> pieces_of("Linker script and memory map\n.text 0x10 0x8\n .text.rw_fft\n      0x10 0x8 at/frontend_rw_fft.o\n")
    (Piece(section='.text', start=16, size=8, part='front end'),)
    """
    _, _, body = text.partition(_BEGIN)
    heads = [match for match in _OUTPUT.finditer(body) if match[1] in {*_FLASH, *_RAM}]
    if not heads:
        raise ArtifactError("the linker's map has no sections of a firmware; build it anew")
    found: list[Piece] = []
    starts = [match.start() for match in _OUTPUT.finditer(body)] + [len(body)]
    for head in heads:
        end = next(start for start in starts if start > head.start())
        listed = [
            Piece(head[1], int(start, 16), int(size, 16), _part_of(name))
            for _, start, size, name in _PIECE.findall(body[head.end() : end])
        ]
        found += _apart([piece for piece in listed if piece.size])
    return tuple(found)


def _apart(pieces: Sequence[Piece]) -> list[Piece]:
    """Cut each piece where the next begins: strings that were merged are listed at their size before that."""
    ordered = sorted(pieces, key=lambda piece: piece.start)
    nexts = [*(piece.start for piece in ordered[1:]), math.inf]
    cut = [
        replace(piece, size=int(min(piece.size, after - piece.start)))
        for piece, after in zip(ordered, nexts, strict=True)
    ]
    return [piece for piece in cut if piece.size]


def sizes_by_part(pieces: Sequence[Piece], *, ram: bool = False) -> dict[str, int]:
    """Bytes of each part, in the order of ``PARTS``.

    Parameters
    ----------
    pieces : sequence of Piece
        From `pieces_of`.
    ram : bool
        In RAM, the stack left out; in flash where not said. Initial values take both.
    """
    sizes: Counter[str] = Counter()
    for piece in pieces:
        if piece.section in (_RAM if ram else _FLASH):
            sizes[piece.part] += piece.size
    return {part: sizes[part] for part in PARTS}


def part_at(pieces: Sequence[Piece], address: int) -> str:
    """Name the part that an address in flash lies in, or ``rest``."""
    of = (p.part for p in pieces if p.section not in _RAM and p.start <= address < p.start + p.size)
    return next(of, "rest")


def _part_of(name: str) -> str:
    """Of an object: ours are named `<owner>_<file>.o`, others come from the compiler's libraries."""
    owner, _, stem = name.rpartition("/")[2].removesuffix(".o").partition("_")
    if owner == "model":
        return _NETWORKS.get(stem, "kernels")
    if owner == "node" and stem.startswith(_UPDATING):
        return "updates"
    return _OWNERS.get(owner, "rest")
