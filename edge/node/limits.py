"""What a whole node may cost, from `edge/budget.toml`; refuses a node that costs more and says by how much."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edge.budget import BUDGET_FILE
from edge.node.measuring import NodeCost
from features.errors import ArtifactError, BudgetError

__all__ = ["NodeBudgetError", "NodeLimits", "check_node", "read_node_limits"]

_TABLE = "node"


@dataclass(frozen=True)
class NodeLimits:
    """The most that a node may take, and the least that it must leave.

    Attributes
    ----------
    flash_bytes : int
        Of the whole image.
    ram_bytes : int
        Variables and the stack that is used, together.
    idle_fraction : float
        Share of a window's duration in which the processor has nothing to do.
    """

    flash_bytes: int
    ram_bytes: int
    idle_fraction: float


class NodeBudgetError(BudgetError):
    """A node costs more than it may; `resource`, `reached` and `allowed` are of the first limit that it passes."""

    def __init__(self, passed: list[tuple[str, float, float]], said: list[str]) -> None:
        resource, reached, allowed = passed[0]
        super().__init__(resource, reached=reached, allowed=allowed)
        self.args = (
            f"the node exceeds its budget with {', '.join(said)}; choose smaller networks or raise "
            "the limits in [node] of the budget file",
        )


def read_node_limits(path: Path = BUDGET_FILE) -> NodeLimits:
    """Read the limits of a node.

    Parameters
    ----------
    path : Path
        TOML with a table `[node]`.

    Returns
    -------
    NodeLimits

    Raises
    ------
    ArtifactError
        If the file cannot be read, or a limit is missing, unknown or out of range.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(_TABLE)
    except OSError as error:
        raise ArtifactError(f"the budget {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"the budget {path} is no TOML: {error}") from error
    wanted = [field.name for field in fields(NodeLimits)]
    if not isinstance(table, dict) or sorted(table) != sorted(wanted):
        given = sorted(table) if isinstance(table, dict) else "nothing"
        raise ArtifactError(f"[{_TABLE}] of {path} limits {given}; {', '.join(wanted)} are wanted")
    if not all(_positive(table[name]) for name in wanted[:2]) or not _share(table["idle_fraction"]):
        raise ArtifactError(f"[{_TABLE}] of {path} wants positive integers of bytes, and a share from 0 to 1")
    return NodeLimits(**table)


def check_node(cost: NodeCost, limits: NodeLimits) -> None:
    """Hold a node against its limits.

    Parameters
    ----------
    cost : NodeCost
        From `edge.node.measuring.measure_node`.
    limits : NodeLimits

    Raises
    ------
    NodeBudgetError
        If it passes one; it names each, and by how much.
    """
    flash, ram = sum(cost.flash.values()), sum(cost.ram.values()) + cost.stack_bytes
    passed: list[tuple[str, float, float]] = []
    said = []
    for resource, reached, allowed in (
        ("flash bytes", flash, limits.flash_bytes),
        ("bytes of RAM and stack", ram, limits.ram_bytes),
    ):
        if reached > allowed:
            passed.append((resource, reached, allowed))
            said.append(f"{reached:,} {resource} ({reached - allowed:,} above the {allowed:,} allowed)")
    if cost.idle_fraction < limits.idle_fraction:
        busy, most = 1.0 - cost.idle_fraction, 1.0 - limits.idle_fraction
        passed.append(("busy share of a window", busy, most))
        said.append(f"{cost.idle_fraction:.1%} idle ({limits.idle_fraction:.1%} wanted)")
    if passed:
        raise NodeBudgetError(passed, said)


def _positive(limit: Any) -> bool:
    return type(limit) is int and limit > 0


def _share(limit: Any) -> bool:
    return type(limit) in (int, float) and 0.0 <= limit < 1.0
