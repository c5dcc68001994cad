"""Models that retraining hands over to the fleet: laid down unsigned, signed by who has the key, begun by people.

A candidate is a roll-out without nodes. A later one takes the place of what was not begun; refused is an image that is
not the candidate's model, and one that is not signed yet where it is to be begun.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.roles import User, demand
from app.fleet.records import SYSTEM, Stored, adopt, note, one_rollout
from app.fleet.rollout import WAITING, Policy, planned
from app.fleet.starting import fitting, image_again, next_version
from app.schema import rollouts
from edge.node.manifest import NAME_BYTES
from edge.node.package import open_image, read_manifest
from features.errors import ArtifactError, ParameterError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["begin_candidate", "keep_image", "lay", "sign", "signed_model", "withdraw", "withdraw_bundle"]


def lay(connection: Connection, model: bytes, *, bundle: str, why: str, now_ns: int) -> int:
    """Lay a packed model down as a candidate, in the caller's transaction; the same bundle again changes nothing.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    model : bytes
        What is to be signed.
    bundle : str
        Where it comes from.
    why : str
    now_ns : int

    Returns
    -------
    int
        The number of the roll-out.
    """
    known = connection.execute(sa.select(rollouts.c.id).where(rollouts.c.bundle == bundle)).scalar()
    if known is not None:
        return int(known)
    for number in _not_begun(connection):
        _set(connection, number, phase="withdrawn", reason=f"{bundle} took its place")
        note(connection, number, "withdrawn", why=f"{bundle} took its place", now_ns=now_ns)
    row = {"kind": "rollout", "version": 0, "image": model, "policy": json.dumps(asdict(Policy())), "bundle": bundle}
    row |= {"stage": 0, "phase": "candidate", "reason": None, "forgiven": 0, "created_ns": now_ns}
    number = int(connection.execute(rollouts.insert().values(**row)).inserted_primary_key[0])  # type: ignore[index]
    note(connection, number, "candidate", why=f"{bundle}: {why}", now_ns=now_ns)
    return number


def _not_begun(connection: Connection) -> list[int]:
    query = sa.select(rollouts.c.id).where(rollouts.c.phase.in_(WAITING))
    return list(connection.execute(query).scalars())


def _set(connection: Connection, number: int, **values: object) -> None:
    connection.execute(rollouts.update().where(rollouts.c.id == number).values(**values))


def sign(stored: Stored, key: Ed25519PrivateKey, *, version: int, folder: Path | None = None) -> bytes:
    """Sign a candidate's model, or one that is signed already anew; nothing is written.

    Parameters
    ----------
    stored : Stored
    key : Ed25519PrivateKey
        Whose public half the nodes hold.
    version : int
        Above all that nodes run or were sent.
    folder : Path, optional
        With a golden window and what TFLite Micro makes of it, as retraining leaves it.

    Returns
    -------
    bytes
        The image.

    Raises
    ------
    ParameterError
        If it is no candidate that waits to be begun.
    ArtifactError
        If the model cannot be run here, or the node's kernels make another thing of the golden window.
    """
    phase = stored.rollout.phase
    if phase not in WAITING:
        raise ParameterError(f"roll-out {stored.id} is {phase}; only a candidate is signed")
    if phase == "signed":
        return image_again(stored.image, version=version, key=key)
    return signed_model(stored.image, bundle=stored.bundle or "candidate", key=key, version=version, folder=folder)


def signed_model(
    model: bytes, *, bundle: str, key: Ed25519PrivateKey, version: int, folder: Path | None = None
) -> bytes:
    """Sign a packed model of a bundle, as `sign` does."""
    from edge.node.packaging import package_model

    given, wanted = (_golden(folder, name) for name in ("golden-input.bin", "golden-output.bin"))
    name = (bundle.rpartition("-")[0] or bundle)[:NAME_BYTES]
    image = package_model(model, version=version, name=name, key=key, golden_input=given)
    made = open_image(image, keys=[key.public_key()]).manifest.golden_output
    if given is not None and wanted not in (None, made):
        raise ArtifactError(
            f"the node's kernels and TFLite Micro make different things of the golden window of {bundle}; it is not "
            "signed"
        )
    return image


def _golden(folder: Path | None, name: str) -> bytes | None:
    return (folder / name).read_bytes() if folder is not None and (folder / name).is_file() else None


def keep_image(connection: Connection, user: User, number: int, image: bytes, *, why: str, now_ns: int) -> Stored:
    """Put the signed image in a candidate's place, in the caller's transaction.

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If it is no candidate, or the image is of another model or of a version that is taken.
    """
    demand(user, "roll out")
    stored = one_rollout(connection, number)
    if stored.rollout.phase not in WAITING:
        raise ParameterError(f"roll-out {stored.id} is {stored.rollout.phase}; only a candidate is signed")
    manifest, least = read_manifest(image), next_version(connection)
    if manifest.digest != _digest(stored):
        raise ParameterError(f"the image holds another model than candidate {stored.id}; sign the one of that")
    if manifest.version < least:
        raise ParameterError(f"the image has version {manifest.version}; {least} or above is wanted, sign it anew")
    _set(connection, stored.id, phase="signed", version=manifest.version, image=image)
    note(connection, stored.id, "signed", who=user.name, why=why or f"version {manifest.version}", now_ns=now_ns)
    return one_rollout(connection, stored.id)


def _digest(stored: Stored) -> bytes:
    """Of a candidate's model."""
    if stored.rollout.phase == "signed":
        return read_manifest(stored.image).digest
    return hashlib.sha512(stored.image).digest()


def begin_candidate(
    connection: Connection,
    user: User,
    number: int,
    names: Sequence[str],
    *,
    policy: Policy,
    why: str,
    now_ns: int,
) -> Stored:
    """Begin the roll-out of a candidate that is signed, as `app.fleet.starting.begin` does with an image.

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If it is not signed, was begun already, or what `begin` refuses.
    """
    demand(user, "roll out")
    stored = one_rollout(connection, number)
    if stored.rollout.phase != "signed":
        how = "sign it first" if stored.rollout.phase == "candidate" else "only one that is signed can be begun"
        raise ParameterError(f"roll-out {stored.id} is {stored.rollout.phase}; {how}")
    chosen = fitting(connection, stored.image, names)
    plan = planned([node.point_id for node in chosen], version=stored.rollout.version, policy=policy)
    adopt(connection, stored.id, plan, who=user.name, why=why, now_ns=now_ns)
    return one_rollout(connection, stored.id)


def withdraw(connection: Connection, user: User, number: int, *, why: str, now_ns: int) -> None:
    """Give a candidate up that was not begun.

    Raises
    ------
    ForbiddenError
        If the user may not roll out.
    ParameterError
        If it was begun, or is withdrawn already.
    """
    demand(user, "roll out")
    stored = one_rollout(connection, number)
    if stored.rollout.phase not in WAITING:
        raise ParameterError(f"roll-out {stored.id} is {stored.rollout.phase}; only a candidate can be withdrawn")
    _set(connection, stored.id, phase="withdrawn", reason=f"withdrawn by {user.name}: {why}")
    note(connection, stored.id, "withdrawn", who=user.name, why=why, now_ns=now_ns)


def withdraw_bundle(connection: Connection, bundle: str, *, why: str, now_ns: int, who: str = SYSTEM) -> None:
    """Give up what was handed over of a bundle that does not serve any more, unless it was begun."""
    query = sa.select(rollouts.c.id).where(rollouts.c.bundle == bundle, rollouts.c.phase.in_(WAITING))
    for number in connection.execute(query).scalars().all():
        _set(connection, number, phase="withdrawn", reason=why)
        note(connection, number, "withdrawn", who=who, why=why, now_ns=now_ns)
