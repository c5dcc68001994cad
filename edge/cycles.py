"""The table of what the product kernels cost on a node; refuses incomplete tables."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import ParameterError

__all__ = ["CycleTable", "GroupCycles", "read_cycles"]

_TABLE = Path(__file__).with_name("cycles.toml")
_SINGLE = ("dense_per_mac", "dense_row_per_mac", "per_output", "per_input", "per_layer")


@dataclass(frozen=True)
class GroupCycles:
    """Cycles of one shape of block.

    Attributes
    ----------
    per_group, per_tile : float
        For each kept block, and for each tile of outputs, at each position of a convolution.
    """

    per_group: float
    per_tile: float


@dataclass(frozen=True)
class CycleTable:
    """Cycles of the kernels of a target.

    Attributes
    ----------
    dense_per_mac, dense_row_per_mac : float
        For each weight of a layer that is not pruned, at each position: in tiles of four outputs, in rows left over.
    per_output, per_input, per_layer : float
        For each requantised output, each input that is expanded, and each call.
    groups : mapping of GroupCycles
        By name of the block shape.
    """

    dense_per_mac: float
    dense_row_per_mac: float
    per_output: float
    per_input: float
    per_layer: float
    groups: Mapping[str, GroupCycles]


def read_cycles(path: Path = _TABLE) -> CycleTable:
    """Read a table of cycles from TOML.

    Raises
    ------
    ParameterError
        If an entry is missing or is no number.

    Examples
    --------
    >>> sorted(read_cycles().groups)
    ['1x4', '2x4', '4x4']
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        groups = {
            name: GroupCycles(float(entry["per_group"]), float(entry["per_tile"]))
            for name, entry in table["groups"].items()
        }
        single = {
            name: float(table[name])
            for name in ("dense_per_mac", "dense_row_per_mac", "per_output", "per_input", "per_layer")
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ParameterError(f"the cycle table {path.name} lacks or misstates an entry: {error}") from error
    return CycleTable(**single, groups=groups)
