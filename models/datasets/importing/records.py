"""CWRU's tables of record numbers: which record is which fault, size, position and load."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Published", "Tables", "published", "records"]

_TABLE = Path(__file__).parents[1] / "cwru_records.toml"


@dataclass(frozen=True)
class Published:
    """One record of the packs as CWRU's tables describe it.

    Attributes
    ----------
    number : int
    key : int
        The number that the file's variables carry.
    name : str
        Fault, size and position, such as ``OR007-6``.
    fault : str
        ``normal``, ``inner``, ``outer`` or ``ball``.
    diameter_in : float or None
    position_oclock : int or None
    load_hp, rpm_nominal : int
    """

    number: int
    key: int
    name: str
    fault: str
    diameter_in: float | None
    position_oclock: int | None
    load_hp: int
    rpm_nominal: int


@dataclass(frozen=True)
class Tables:
    """All that CWRU published.

    Attributes
    ----------
    records : mapping of int to Published
        Those of the packs, by record number.
    others : frozenset of int
        Numbers of the records that are no part of the packs.
    numbers : mapping of int to int
        Record numbers by the number that a file's variables carry.
    """

    records: dict[int, Published]
    others: frozenset[int]
    numbers: dict[int, int]


@functools.cache
def published() -> Tables:
    """Read the table that lies beside the readers."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    found = {r.number: r for bearing in table["bearing"] for r in _of_bearing(bearing, table["rpm_nominal"])}
    others = frozenset(table["others"])
    return Tables(found, others, {n: n for n in (*found, *others)} | {r.key: r.number for r in found.values()})


def records() -> tuple[Published, ...]:
    """List the records of the packs in the order of their index.

    Examples
    --------
    >>> [(r.number, r.fault, r.load_hp) for r in records()][:2]
    [(118, 'ball', 0), (119, 'ball', 1)]
    """
    return tuple(published().records.values())


def _of_bearing(entry: dict[str, Any], rpm_nominal: list[int]) -> list[Published]:
    return [
        Published(
            number,
            key,
            entry["name"],
            entry["fault"],
            entry.get("diameter_in"),
            entry.get("position_oclock"),
            load,
            rpm_nominal[load],
        )
        for load, (number, key) in enumerate(zip(entry["records"], entry.get("keys", entry["records"]), strict=True))
    ]
