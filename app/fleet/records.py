"""Roll-outs in the store: their plan, how each node was before, and who did what and why; refuses unknown ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.fleet.rollout import WAITING, Member, Policy, Rollout
from app.schema import rollout_log, rollout_members, rollouts
from features.errors import ParameterError

__all__ = [
    "SYSTEM",
    "Former",
    "Listed",
    "LogRow",
    "Stored",
    "adopt",
    "create",
    "keep",
    "listed",
    "log_of",
    "note",
    "one_rollout",
    "rollouts_of",
]

SYSTEM = "raceway"
_OPEN = ("running", "halted", "rolling back")


@dataclass(frozen=True, slots=True)
class Former:
    """How a node was when it was last sent the image, and how often it was."""

    attempt: int = 0
    version: int = 0
    boot: int | None = None
    alarm: bool = False


@dataclass(frozen=True, eq=False)
class Stored:
    """A roll-out as it is stored; members are named by their points.

    Attributes
    ----------
    id : int
    kind : str
        ``rollout`` or ``rollback``.
    image : bytes
        Of a candidate that is not signed, the model.
    created_ns : int
    rollout : Rollout
    former : mapping of str to Former
        By point.
    bundle : str or None
        What the retraining job handed over.
    """

    id: int
    kind: str
    image: bytes
    created_ns: int
    rollout: Rollout
    former: Mapping[str, Former]
    bundle: str | None = None

    def update_id(self, point_id: str) -> str:
        """What events about the image on its way to a node bear."""
        return f"rollout-{self.id}-{self.former[point_id].attempt}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A roll-out in a list: all but its nodes and its image, with how many nodes are in which state."""

    id: int
    kind: str
    version: int
    phase: str
    stage: int
    reason: str | None
    created_ns: int
    bundle: str | None
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LogRow:
    """A step, of one node or of the whole."""

    at_ns: int
    who: str
    action: str
    point_id: str | None
    why: str


def create(connection: Connection, plan: Rollout, *, kind: str, image: bytes, who: str, why: str, now_ns: int) -> int:
    """Keep a new roll-out; gives its number."""
    row = {"kind": kind, "version": plan.version, "image": image, "policy": json.dumps(asdict(plan.policy))}
    row |= _standing(plan) | {"created_ns": now_ns}
    number = int(connection.execute(rollouts.insert().values(**row)).inserted_primary_key[0])  # type: ignore[index]
    _begin(connection, number, plan, kind=kind, who=who, why=why, now_ns=now_ns)
    return number


def adopt(connection: Connection, number: int, plan: Rollout, *, who: str, why: str, now_ns: int) -> None:
    """Begin a plan with a roll-out that is kept already, without nodes."""
    values = _standing(plan) | {"policy": json.dumps(asdict(plan.policy))}
    connection.execute(rollouts.update().where(rollouts.c.id == number).values(**values))
    _begin(connection, number, plan, kind="rollout", who=who, why=why, now_ns=now_ns)


def _begin(connection: Connection, number: int, plan: Rollout, *, kind: str, who: str, why: str, now_ns: int) -> None:
    rows = [
        {"rollout_id": number, "place": place, **_member_row(member, Former())}
        for place, member in enumerate(plan.members)
    ]
    connection.execute(rollout_members.insert(), rows)
    note(connection, number, kind, who=who, why=why or f"version {plan.version} to {len(rows)} nodes", now_ns=now_ns)


def listed(connection: Connection, *, most: int, bundle: str | None = None) -> list[Listed]:
    """List the latest roll-outs, newest first; what was handed over of a bundle where one is named."""
    names = ("id", "kind", "version", "phase", "stage", "reason", "created_ns", "bundle")
    query = sa.select(*(rollouts.c[name] for name in names)).order_by(rollouts.c.id.desc()).limit(most)
    rows = connection.execute(query if bundle is None else query.where(rollouts.c.bundle == bundle)).all()
    one = rollout_members.c
    counting = sa.select(one.rollout_id, one.state, sa.func.count()).where(one.rollout_id.in_([row.id for row in rows]))
    states: dict[int, dict[str, int]] = {row.id: {} for row in rows}
    for number, state, n in connection.execute(counting.group_by(one.rollout_id, one.state)):
        states[number][state] = n
    return [Listed(**row._mapping, states=states[row.id]) for row in rows]


def rollouts_of(connection: Connection, *, only_open: bool = False) -> list[Stored]:
    """List roll-outs, oldest first."""
    query = sa.select(rollouts).order_by(rollouts.c.id)
    if only_open:
        query = query.where(rollouts.c.phase.in_(_OPEN))
    return [_stored(connection, row) for row in connection.execute(query).all()]


def one_rollout(connection: Connection, number: int | None) -> Stored:
    """Give a roll-out, the latest that was begun where none is named.

    Raises
    ------
    ParameterError
        If there is none of that number, or none at all.
    """
    query = sa.select(rollouts).order_by(rollouts.c.id.desc()).limit(1)
    begun = rollouts.c.phase.not_in((*WAITING, "withdrawn"))
    row = connection.execute(query.where(begun if number is None else rollouts.c.id == number)).first()
    if row is None:
        named = "was ever begun" if number is None else f"has the number {number}; `raceway fleet status` shows them"
        raise ParameterError(f"no roll-out {named}")
    return _stored(connection, row)


def keep(connection: Connection, before: Stored, plan: Rollout, former: Mapping[str, Former], *, now_ns: int) -> None:
    """Write what has changed of a roll-out, each change of a node with a step in the log."""
    if _standing(plan) != _standing(before.rollout):
        connection.execute(rollouts.update().where(rollouts.c.id == before.id).values(**_standing(plan)))
    for old, new in zip(before.rollout.members, plan.members, strict=True):
        if old == new and former[new.node] == before.former[new.node]:
            continue
        own = (rollout_members.c.rollout_id == before.id) & (rollout_members.c.point_id == new.node)
        connection.execute(rollout_members.update().where(own).values(**_member_row(new, former[new.node])))
        if old.state != new.state:
            action = "recalled" if new.state == "waiting" else new.state
            note(connection, before.id, action, point_id=new.node, why=new.reason or "", now_ns=now_ns)


def note(
    connection: Connection,
    number: int,
    action: str,
    *,
    now_ns: int,
    who: str = SYSTEM,
    why: str = "",
    point_id: str | None = None,
) -> None:
    """Add a step to the log."""
    row = {"rollout_id": number, "at_ns": now_ns, "who": who, "action": action, "point_id": point_id, "why": why}
    connection.execute(rollout_log.insert().values(**row))


def log_of(connection: Connection, number: int, *, most: int | None = None) -> list[LogRow]:
    """List the steps of a roll-out, oldest first; the latest so many where that is said."""
    query = sa.select(rollout_log).where(rollout_log.c.rollout_id == number).order_by(rollout_log.c.id.desc())
    rows = connection.execute(query if most is None else query.limit(most)).all()[::-1]
    return [LogRow(row.at_ns, row.who, row.action, row.point_id, row.why) for row in rows]


def _standing(plan: Rollout) -> dict[str, Any]:
    return {"stage": plan.stage, "phase": plan.phase, "reason": plan.reason, "forgiven": plan.forgiven}


def _member_row(member: Member, former: Former) -> dict[str, Any]:
    return {
        "point_id": member.node,
        "state": member.state,
        "since_ns": round(member.since_s * 1e9),
        "reason": member.reason,
        "attempt": former.attempt,
        "former_version": former.version,
        "former_boot": former.boot,
        "former_alarm": former.alarm,
    }


def _stored(connection: Connection, row: sa.Row[Any]) -> Stored:
    query = sa.select(rollout_members).where(rollout_members.c.rollout_id == row.id).order_by(rollout_members.c.place)
    found: Sequence[sa.Row[Any]] = connection.execute(query).all()
    members = tuple(Member(one.point_id, one.state, one.since_ns / 1e9, one.reason) for one in found)
    policy = json.loads(row.policy)
    policy["stages"] = tuple(policy["stages"])
    plan = Rollout(row.version, members, Policy(**policy), row.stage, row.phase, row.reason, row.forgiven)
    former = {one.point_id: Former(one.attempt, one.former_version, one.former_boot, one.former_alarm) for one in found}
    return Stored(row.id, row.kind, bytes(row.image), row.created_ns, plan, former, row.bundle)
