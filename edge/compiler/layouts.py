"""How the kernels' structs lie in memory and in packed models, read from their headers; refuses what it cannot read."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import ArtifactError

__all__ = ["RUNTIME", "Layout", "layout_of", "number_named"]

RUNTIME = Path(__file__).parent.parent / "runtime"
_FORMATS = {
    "int8_t": "b",
    "uint8_t": "B",
    "int16_t": "h",
    "uint16_t": "H",
    "int32_t": "i",
    "uint32_t": "I",
    "float": "f",
}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.DOTALL | re.MULTILINE)
_ENUM = re.compile(r"^enum \w+ \{\n(.*?)^\};", re.DOTALL | re.MULTILINE)
_MEMBER = re.compile(r"(?:const )?((?:struct )?\w+) (\*?)(\w+)(?:\[(\w*)\])?")
_WORD_BYTES = 4
# Pointers to functions have a type of their own.
_FUNCTIONS = ("rw_band_run",)


@dataclass(frozen=True)
class Layout:
    """A struct whose pointers come first.

    Attributes
    ----------
    pointers : tuple of str
        Names, in order; those of a struct within are `outer.inner`.
    numbers : tuple of (str, str)
        Name and C type, in order.
    """

    pointers: tuple[str, ...]
    numbers: tuple[tuple[str, str], ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of its record, and of the struct on a processor of 32 bits."""
        return len(self.pack({}))

    @property
    def format(self) -> str:
        """Of its numbers, for `struct`; only where each follows the other without a gap."""
        return "".join(_FORMATS[ctype] for _, ctype in self.numbers)

    def pack(self, values: Mapping[str, int | float]) -> bytes:
        """Write a record: words for the pointers, then the numbers where 32-bit processors have them.

        Parameters
        ----------
        values : mapping of str to number
            By name; what is not named is 0.

        Returns
        -------
        bytes
            A multiple of four.

        Raises
        ------
        ArtifactError
            If a number does not fit its type; it is named.
        """
        packed = b"".join(struct.pack("<I", values.get(name, 0)) for name in self.pointers)
        for name, ctype in self.numbers:
            form = _FORMATS[ctype]
            packed += b"\0" * (-len(packed) % struct.calcsize(form))
            try:
                packed += struct.pack(f"<{form}", values.get(name, 0))
            except struct.error as error:
                raise ArtifactError(f"{name} of {values[name]:,} is not computed; it does not fit {ctype}") from error
        return packed + b"\0" * (-len(packed) % _WORD_BYTES)


@functools.cache
def layout_of(name: str) -> Layout:
    """Read a struct of the runtime's headers.

    Parameters
    ----------
    name : str
        Without the word `struct`.

    Returns
    -------
    Layout

    Raises
    ------
    ArtifactError
        If there is no such struct, or its pointers do not come first.

    Examples
    --------
    >>> layout_of("rw_softmax").numbers
    (('multiplier', 'int32_t'), ('least', 'int32_t'), ('rows', 'uint16_t'), ('depth', 'uint16_t'), ('shift', 'uint8_t'))
    """
    pointers: list[str] = []
    numbers: list[tuple[str, str]] = []
    for member, ctype in _members(name):
        if ctype == "*" and numbers:
            raise ArtifactError(f"struct {name} has its pointer {member} behind numbers; pointers are to come first")
        if ctype == "*":
            pointers.append(member)
        else:
            numbers.append((member, ctype))
    return Layout(tuple(pointers), tuple(numbers))


def _members(name: str) -> Iterator[tuple[str, str]]:
    """Name and type, `*` for a pointer; those of structs within, too."""
    if name not in _structs():
        raise ArtifactError(f"struct {name} is in no header of {RUNTIME.name}")
    for declared in _structs()[name].split(";")[:-1]:
        found = _MEMBER.fullmatch(declared.strip())
        if found is None:
            raise ArtifactError(f"struct {name} has a member that cannot be read: {declared.strip()}")
        ctype, pointer, member, count = found.groups()
        if pointer or ctype in _FUNCTIONS:
            yield member, "*"
        elif count is not None:
            # What lies behind a struct has no count.
            yield from ((f"{member}[{i}]", ctype) for i in range(number_named(count) if count else 0))
        elif ctype.startswith("struct "):
            yield from ((f"{member}.{inner}", kind) for inner, kind in _members(ctype.removeprefix("struct ")))
        else:
            yield member, ctype


@functools.cache
def _structs() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for path in sorted(RUNTIME.glob("rw_*.h")):
        text = _COMMENT.sub("", path.read_text(encoding="ascii"))
        found.update(_STRUCT.findall(text))
    return found


@functools.cache
def _numbers() -> Mapping[str, int]:
    found: dict[str, int] = {}
    for path in sorted(RUNTIME.glob("rw_*.h")):
        text = _COMMENT.sub("", path.read_text(encoding="ascii"))
        for body in _ENUM.findall(text):
            value = -1
            for entry in filter(None, (part.strip() for part in body.split(","))):
                name, _, given = entry.partition(" = ")
                value = int(given) if given else value + 1
                found[name] = value
        defined = re.findall(r"^#define (\w+) (0x[0-9A-F]+|\d+)u?\s*$", text, re.MULTILINE)
        found |= {name: int(value, 0) for name, value in defined}
    return found


def number_named(name: str) -> int:
    """Read an enumerator, or a defined number, of the runtime's headers.

    Raises
    ------
    ArtifactError
        If no header has it.

    Examples
    --------
    >>> number_named("RW_TAPS")
    1
    """
    if name not in _numbers():
        raise ArtifactError(f"{name} is in no header of {RUNTIME.name}")
    return _numbers()[name]
