"""What an import is about to write: its packs, their source files, what is missing; refuses sources that clash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from features.errors import RecordingError

__all__ = ["Advance", "Made", "Pack", "Plan", "one_each"]

# Called once for each source file that was read.
Advance = Callable[[], None]
Key = TypeVar("Key")


@dataclass(frozen=True, eq=False)
class Made:
    """A pack's content.

    Attributes
    ----------
    arrays : mapping of str to ndarray
        As the pack stores them.
    row : mapping of str to str
        Its row in ``index.csv``; empty where the data set has no index.
    """

    arrays: Mapping[str, NDArray[Any]]
    row: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Pack:
    """One pack to be written.

    Attributes
    ----------
    file : str
        Name of the pack.
    n_sources : int
        How often `make` reports a source file read.
    make : callable
        Reads the source files and gives the pack's content; raises RecordingError on what is damaged.
    """

    file: str
    n_sources: int
    make: Callable[[Advance], Made]


@dataclass(frozen=True, eq=False)
class Plan:
    """All packs of an import.

    Attributes
    ----------
    packs : tuple of Pack
        In the order of the index.
    missing : tuple of str
        What a complete data set would have and the source has not.
    left_out : int
        Files of the publisher that are no part of the packs.
    columns : tuple of str
        Header of ``index.csv``; empty where the data set has none.
    """

    packs: tuple[Pack, ...]
    missing: tuple[str, ...]
    left_out: int = 0
    columns: tuple[str, ...] = ()


def one_each(found: Iterable[tuple[Key, Path]]) -> dict[Key, Path]:
    """Give the file of each record.

    Raises
    ------
    RecordingError
        If two files are of the same record; which one is right cannot be known.
    """
    files: dict[Key, Path] = {}
    for key, path in found:
        if key in files:
            raise RecordingError(f"{files[key]} and {path} are of the same record ({key}); keep one of them")
        files[key] = path
    return files
