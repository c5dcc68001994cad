"""Sizes of the functions and variables of a build, and what changed between two; refuses files without symbols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.emulator.toolchain import find_toolchain, run_tool
from features.errors import ArtifactError

__all__ = ["Change", "changes_between", "sizes_of"]

# Of `nm`: code, constants and initialised variables lie in flash; the last and the zeroed ones in RAM.
_FLASH, _RAM = "tTrRdDwWvV", "bBdD"


@dataclass(frozen=True, slots=True)
class Change:
    """What a symbol takes before and after, in bytes; 0 where there is none."""

    name: str
    before: int
    after: int

    @property
    def grown(self) -> int:
        """Bytes more than before."""
        return self.after - self.before


def sizes_of(elf: Path, *, ram: bool = False) -> dict[str, int]:
    """Bytes that each symbol of a build occupies.

    Parameters
    ----------
    elf : Path
        An image, a library or an object of `arm-none-eabi`.
    ram : bool
        In RAM; in flash where not said.

    Returns
    -------
    dict of int
        By name; static symbols of one name are added up.

    Raises
    ------
    ArtifactError
        If there is no such file, or it holds no symbols with a size.
    ToolchainError
        If the toolchain is missing.
    """
    if not elf.is_file():
        raise ArtifactError(f"the build {elf} is not there")
    done = run_tool([find_toolchain().nm, "--print-size", str(elf)])
    kinds = _RAM if ram else _FLASH
    sizes: Counter[str] = Counter()
    rows = [line.split() for line in done.stdout.splitlines()]
    symbols = [(row[3], row[2], int(row[1], 16)) for row in rows if len(row) == 4]
    if done.returncode != 0 or not symbols:
        raise ArtifactError(f"{elf} is no build with symbols; give an ELF file that was not stripped")
    for name, kind, size in symbols:
        if kind in kinds:
            sizes[name] += size
    return dict(sizes)


def changes_between(before: Mapping[str, int], after: Mapping[str, int]) -> list[Change]:
    """Return what differs, the largest change first.

    Examples
    --------
    >>> [(one.name, one.grown) for one in changes_between({"a": 10, "b": 4}, {"a": 12, "c": 40})]
    [('c', 40), ('b', -4), ('a', 2)]
    """
    names = sorted({*before, *after})
    found = [Change(name, before.get(name, 0), after.get(name, 0)) for name in names]
    return sorted((one for one in found if one.grown), key=lambda one: -abs(one.grown))
