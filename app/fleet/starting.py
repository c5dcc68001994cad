"""Begins, halts, resumes and rolls back roll-outs in the store; refuses what no node could take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from app.fleet.nodes import Node, nodes_of
from app.fleet.records import Stored, create, note, one_rollout, rollouts_of
from app.fleet.rollout import ENDED, Policy, Rollout, halted, planned, resumed
from app.schema import rollout_members, rollouts
from edge.node.manifest import Manifest
from edge.node.package import make_image, open_image, read_manifest
from features.errors import ParameterError

__all__ = ["begin", "former_images", "halt", "image_again", "next_version", "resume", "roll_back"]


def begin(
    connection: Connection,
    image: bytes,
    names: Sequence[str],
    *,
    policy: Policy,
    who: str,
    why: str,
    now_ns: int,
    kind: str = "rollout",
) -> int:
    """Begin a roll-out; nodes are named by name or point, and are all whose features the model wants where none is.

    Raises
    ------
    ParameterError
        If a node is unknown, wants another contract or a newer version, or is in a roll-out that is open.
    """
    manifest = read_manifest(image)
    chosen = _chosen(nodes_of(connection), names, contract=manifest.contract.hex())
    newest = max(chosen, key=lambda node: node.model)
    if newest.model > manifest.version or (
        newest.model == manifest.version and (kind == "rollback" or _another(connection, image, manifest.version))
    ):
        raise ParameterError(
            f"{newest.name} runs version {newest.model}, the image has {manifest.version}; sign it anew above that"
        )
    going = [one for one in rollouts_of(connection, only_open=True) if one.rollout.phase != "rolling back"]
    held = {member.node: one.id for one in going for member in one.rollout.members}
    taken = next((node for node in chosen if node.point_id in held), None)
    if taken is not None:
        raise ParameterError(
            f"{taken.name} is in roll-out {held[taken.point_id]}, which is open; roll that back or let it end first"
        )
    plan = planned([node.point_id for node in chosen], version=manifest.version, policy=policy)
    return create(connection, plan, kind=kind, image=image, who=who, why=why, now_ns=now_ns)


def _another(connection: Connection, image: bytes, version: int) -> bool:
    """Whether another image was rolled out under this version, so that nodes with it have not this one."""
    query = sa.select(rollouts.c.image).where(rollouts.c.version == version)
    return any(bytes(known) != image for known in connection.execute(query).scalars())


def _chosen(found: Sequence[Node], names: Sequence[str], *, contract: str) -> list[Node]:
    if not names:
        fit = [node for node in found if node.contract == contract]
        if not fit:
            raise ParameterError(f"none of {len(found)} nodes computes the features {contract} that the model wants")
        # The first ones are tried first: nodes that can be reached, and that stand in no alarm.
        return sorted(fit, key=lambda node: (not node.online, node.alarm, node.point_id))
    chosen = []
    for name in names:
        called = [node for node in found if name in (node.name, node.point_id)]
        if len(called) != 1:
            fault = "no node is" if not called else f"{len(called)} nodes are"
            raise ParameterError(f"{fault} called {name!r}; `raceway fleet list` shows them with their points")
        if called[0].contract not in (None, contract):
            raise ParameterError(f"{name} computes the features {called[0].contract}, the model wants {contract}")
        chosen += called
    return chosen


def halt(connection: Connection, number: int | None, *, who: str, why: str, now_ns: int) -> Stored:
    """Halt a roll-out that runs: nothing more is sent, and what is not on trial yet is called back."""
    stored = one_rollout(connection, number)
    if stored.rollout.phase != "running":
        raise ParameterError(f"roll-out {stored.id} is {stored.rollout.phase}; only one that runs can be halted")
    return _moved(connection, stored, halted(stored.rollout, f"halted by {who}: {why}"), "halt", who, why, now_ns)


def resume(connection: Connection, number: int | None, *, who: str, why: str, now_ns: int) -> Stored:
    """Let a roll-out that was halted go on in spite of its failures so far."""
    stored = one_rollout(connection, number)
    plan = resumed(stored.rollout, now_s=now_ns / 1e9)
    changed = _moved(connection, stored, plan, "resume", who, why, now_ns)
    for member in plan.members:
        own = (rollout_members.c.rollout_id == stored.id) & (rollout_members.c.point_id == member.node)
        connection.execute(rollout_members.update().where(own).values(since_ns=round(member.since_s * 1e9)))
    return changed


def _moved(
    connection: Connection, stored: Stored, plan: Rollout, action: str, who: str, why: str, now_ns: int
) -> Stored:
    values = {"phase": plan.phase, "reason": plan.reason, "forgiven": plan.forgiven}
    connection.execute(rollouts.update().where(rollouts.c.id == stored.id).values(**values))
    note(connection, stored.id, action, who=who, why=why, now_ns=now_ns)
    return replace(stored, rollout=plan)


def former_images(connection: Connection, stored: Stored) -> dict[int, tuple[bytes | None, list[str]]]:
    """Give the nodes that have confirmed a roll-out's model, by the version that they had before, with its image.

    None stands for an image that was not rolled out from here.
    """
    known = connection.execute(sa.select(rollouts.c.version, rollouts.c.image))
    images = {row.version: bytes(row.image) for row in known}
    version = stored.rollout.version
    running = {node.point_id for node in nodes_of(connection) if node.model == version and node.slot != "trial"}
    back: dict[int, tuple[bytes | None, list[str]]] = {}
    for point_id, former in stored.former.items():
        if point_id in running and former.attempt:
            back.setdefault(former.version, (images.get(former.version), []))[1].append(point_id)
    return back


def next_version(connection: Connection) -> int:
    """A version above all that any node runs or was sent."""
    rolled = connection.execute(sa.select(sa.func.max(rollouts.c.version))).scalar() or 0
    return int(max([rolled, *(max(node.model, node.candidate) for node in nodes_of(connection))])) + 1


def image_again(image: bytes, *, version: int, key: Ed25519PrivateKey) -> bytes:
    """Sign the model of an image anew under another version.

    Raises
    ------
    ArtifactError
        If the image was not signed by this key or is damaged.
    """
    opened = open_image(image, keys=[key.public_key()])
    manifest: Manifest = opened.manifest
    return make_image(
        opened.model,
        version=version,
        contract=manifest.contract,
        operators=manifest.operators,
        memory_bytes=manifest.memory_bytes,
        golden_input=manifest.golden_input,
        golden_output=manifest.golden_output,
        name=manifest.name,
        metrics=dict(manifest.metrics),
        key=key,
    )


def roll_back(connection: Connection, stored: Stored, *, who: str, why: str, now_ns: int) -> None:
    """End a roll-out: nodes that have its model on trial or on its way are told to leave it.

    Raises
    ------
    ParameterError
        If it was rolled back before.
    """
    plan = stored.rollout
    if plan.phase in ENDED and plan.phase != "done":
        raise ParameterError(f"roll-out {stored.id} is {plan.phase}; it cannot be rolled back again")
    _moved(connection, stored, replace(plan, phase="rolling back"), "rollback", who, why, now_ns)
