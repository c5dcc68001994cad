"""Begins, halts, resumes and rolls back roll-outs in the store; refuses what no node could take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from app.access.roles import User, demand
from app.fleet.nodes import Node, nodes_of
from app.fleet.records import Stored, create, note, one_rollout, rollouts_of
from app.fleet.rollout import ENDED, WAITING, Policy, Rollout, halted, planned, resumed
from app.schema import rollout_members, rollouts
from edge.node.manifest import Manifest
from edge.node.package import make_image, open_image, read_manifest
from features.errors import ParameterError

__all__ = [
    "TakenBack",
    "begin",
    "fitting",
    "former_images",
    "halt",
    "image_again",
    "next_version",
    "resume",
    "roll_back",
    "take_back",
]

# No node was ever sent these.
_UNSENT = (*WAITING, "withdrawn")


def begin(
    connection: Connection,
    user: User,
    image: bytes,
    names: Sequence[str],
    *,
    policy: Policy,
    why: str,
    now_ns: int,
    kind: str = "rollout",
) -> int:
    """Begin a roll-out; nodes are named by name or point, and are all whose features the model wants where none is.

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If a node is unknown, wants another contract or a newer version, or is in a roll-out that is open.
    """
    demand(user, "roll out")
    chosen = fitting(connection, image, names, kind=kind)
    version = read_manifest(image).version
    plan = planned([node.point_id for node in chosen], version=version, policy=policy)
    return create(connection, plan, kind=kind, image=image, who=user.name, why=why, now_ns=now_ns)


def fitting(connection: Connection, image: bytes, names: Sequence[str], *, kind: str = "rollout") -> list[Node]:
    """Give the nodes that take an image, in the order in which they are sent it; refuses as `begin` does."""
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
    return chosen


def _another(connection: Connection, image: bytes, version: int) -> bool:
    """Whether another image was rolled out under this version, so that nodes with it have not this one."""
    query = sa.select(rollouts.c.image).where(rollouts.c.version == version, rollouts.c.phase.not_in(_UNSENT))
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


def halt(connection: Connection, user: User, number: int | None, *, why: str, now_ns: int) -> Stored:
    """Halt a roll-out that runs: nothing more is sent, and what is not on trial yet is called back.

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If it does not run.
    """
    demand(user, "roll out")
    stored = one_rollout(connection, number)
    if stored.rollout.phase != "running":
        raise ParameterError(f"roll-out {stored.id} is {stored.rollout.phase}; only one that runs can be halted")
    return _moved(
        connection, stored, halted(stored.rollout, f"halted by {user.name}: {why}"), "halt", user, why, now_ns
    )


def resume(connection: Connection, user: User, number: int | None, *, why: str, now_ns: int) -> Stored:
    """Let a roll-out that was halted go on in spite of its failures so far.

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If it is not halted.
    """
    demand(user, "roll out")
    stored = one_rollout(connection, number)
    plan = resumed(stored.rollout, now_s=now_ns / 1e9)
    changed = _moved(connection, stored, plan, "resume", user, why, now_ns)
    for member in plan.members:
        own = (rollout_members.c.rollout_id == stored.id) & (rollout_members.c.point_id == member.node)
        connection.execute(rollout_members.update().where(own).values(since_ns=round(member.since_s * 1e9)))
    return changed


def _moved(
    connection: Connection, stored: Stored, plan: Rollout, action: str, user: User, why: str, now_ns: int
) -> Stored:
    values = {"phase": plan.phase, "reason": plan.reason, "forgiven": plan.forgiven}
    connection.execute(rollouts.update().where(rollouts.c.id == stored.id).values(**values))
    note(connection, stored.id, action, who=user.name, why=why, now_ns=now_ns)
    return replace(stored, rollout=plan)


def former_images(connection: Connection, stored: Stored) -> dict[int, tuple[bytes | None, list[str]]]:
    """Give the nodes that have confirmed a roll-out's model, by the version that they had before, with its image.

    None stands for an image that was not rolled out from here.
    """
    version = stored.rollout.version
    running = {node.point_id for node in nodes_of(connection) if node.model == version and node.slot != "trial"}
    behind = {point_id: one for point_id, one in stored.former.items() if point_id in running and one.attempt}
    sent = rollouts.c.version.in_({one.version for one in behind.values()}) & rollouts.c.phase.not_in(_UNSENT)
    known = connection.execute(sa.select(rollouts.c.version, rollouts.c.image).where(sent))
    images = {row.version: bytes(row.image) for row in known}
    back: dict[int, tuple[bytes | None, list[str]]] = {}
    for point_id, former in behind.items():
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


def roll_back(connection: Connection, user: User, stored: Stored, *, why: str, now_ns: int) -> None:
    """End a roll-out: nodes that have its model on trial or on its way are told to leave it.

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If it was not begun, or rolled back before.
    """
    demand(user, "roll out")
    plan = stored.rollout
    if (plan.phase in ENDED and plan.phase != "done") or plan.phase in _UNSENT:
        raise ParameterError(f"roll-out {stored.id} is {plan.phase}; it cannot be rolled back")
    _moved(connection, stored, replace(plan, phase="rolling back"), "rollback", user, why, now_ns)


@dataclass(frozen=True)
class TakenBack:
    """What became of nodes that had confirmed the model of a roll-out, by the version that they had before.

    Attributes
    ----------
    version, nodes : int
        That version, and how many nodes had it.
    former : bytes or None
        Its image, where it was rolled out from here.
    above : int
        Version to sign it anew under.
    again : int or None
        The roll-out that takes them back; None where an image has to be signed first.
    """

    version: int
    nodes: int
    former: bytes | None
    above: int
    again: int | None


def take_back(
    connection: Connection,
    user: User,
    number: int | None,
    *,
    key: Ed25519PrivateKey | None = None,
    image: bytes | None = None,
    policy: Policy,
    why: str,
    now_ns: int,
) -> tuple[Stored, list[TakenBack]]:
    """Roll a roll-out back, and the nodes that have confirmed it to what they had, as far as that can be signed here.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    user : User
    number : int or None
        The latest where none is named; one that is rolled back already is gone on with.
    key : Ed25519PrivateKey, optional
        To sign former models anew with.
    image : bytes, optional
        To go to in their place.
    policy : Policy
        Of the way back.
    why : str
    now_ns : int

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If it was not begun, or the image is not above all versions.
    """
    demand(user, "roll out")
    stored = one_rollout(connection, number)
    if stored.rollout.phase not in ("rolling back", "rolled back"):
        roll_back(connection, user, stored, why=why, now_ns=now_ns)
    taken = []
    for version, (former, points) in sorted(former_images(connection, stored).items()):
        made, above, again = image, next_version(connection), None
        if made is None and former is not None and key is not None:
            made = image_again(former, version=above, key=key)
        if made is not None:
            again = begin(connection, user, made, points, policy=policy, why=why, now_ns=now_ns, kind="rollback")
        taken.append(TakenBack(version, len(points), former, above, again))
    return stored, taken
