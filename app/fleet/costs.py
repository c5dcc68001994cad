"""What a model that was rolled out takes of a node, as its manifest and its gate say; None where it is not known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from app.fleet.rollout import WAITING
from app.schema import retraining_tasks, rollouts
from edge.node.package import read_manifest
from features.errors import ArtifactError

__all__ = ["Cost", "cost_of"]

# Of the role in whose name the gate holds a network to the budget.
_ROLE = "node-health"
_LIMITS = {
    "bytes of flash": "flash_bytes",
    "bytes of RAM": "ram_bytes",
    "bytes of stack": "stack_bytes",
    "cycles": "cycles",
}


@dataclass(frozen=True)
class Cost:
    """What a model takes.

    Attributes
    ----------
    model_bytes, memory_bytes : int
        In its slot, and while it runs.
    measured : mapping of str to int
        On the emulated node, by resource; empty where it was not measured.
    limits : mapping of str to int
        The budget of what was measured.
    """

    model_bytes: int
    memory_bytes: int
    measured: Mapping[str, int]
    limits: Mapping[str, int]


def cost_of(connection: Connection, version: int) -> Cost | None:
    """Read what the model of a version takes, where it was rolled out from here."""
    own = (rollouts.c.version == version) & rollouts.c.phase.not_in((*WAITING, "withdrawn"))
    query = sa.select(rollouts.c.image, rollouts.c.bundle).where(own).order_by(rollouts.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    try:
        manifest = read_manifest(bytes(row.image))
    except ArtifactError:
        return None
    measured = _measured(connection, row.bundle)
    return Cost(manifest.model_bytes, manifest.memory_bytes, measured, _limits() if measured else {})


def _measured(connection: Connection, bundle: str | None) -> dict[str, int]:
    """What the gate of the run that made a bundle measured; its name ends with that of the run."""
    if bundle is None:
        return {}
    one = retraining_tasks.c
    own = (one.run_id == bundle.rpartition("-")[2]) & (one.role == _ROLE) & (one.point_id == "")
    found = connection.execute(sa.select(one.findings).where(own)).scalar()
    return dict(json.loads(found).get("gate", {}).get("cost", {})) if found else {}


def _limits() -> dict[str, int]:
    from edge.budget import read_budget

    limits = read_budget().limits_of(_ROLE)
    return {words: int(getattr(limits, name)) for words, name in _LIMITS.items()}
