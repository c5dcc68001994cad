"""One step of the roll-outs in a store: what nodes said becomes their health, the plan goes on, and orders come out.

Nothing is sent here. What is to be said follows from the store alone: a service killed at any moment says it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from app.fleet.nodes import Node, nodes_of
from app.fleet.records import Former, Stored, keep, note, rollouts_of
from app.fleet.rollout import ENDED, Member, NodeHealth, Rollout, stepped
from app.schema import node_events

__all__ = ["Order", "Told", "health_of", "step"]

_KINDS = ("update_taken", "update_done", "update_refused")
_CRASHES = {"watchdog": "it was reset by its watchdog", "fault": "it was reset by a fault"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the gateway has said of an image on its way to a node."""

    taken: bool = False
    done: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be published to a node; the same one again does no harm."""

    kind: Literal["update", "confirm", "abort", "relearn"]
    point_id: str
    update_id: str
    version: int
    image: bytes


def step(connection: Connection, *, now_ns: int) -> list[Order]:
    """Take every roll-out that is open as far as it goes now.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    now_ns : int

    Returns
    -------
    list of Order
        What is to be said, as often as it takes, once the transaction is committed.
    """
    found = rollouts_of(connection, only_open=True)
    nodes = {node.point_id: node for node in nodes_of(connection)} if found else {}
    orders: list[Order] = []
    for stored in found:
        orders += _step(connection, stored, nodes, now_ns=now_ns)
    return orders


def _step(connection: Connection, stored: Stored, nodes: Mapping[str, Node], *, now_ns: int) -> list[Order]:
    plan, former = stored.rollout, dict(stored.former)
    told = _told(connection, stored)
    health = {
        member.node: health_of(nodes[member.node], former[member.node], told[member.node], version=plan.version)
        for member in plan.members
        if member.node in nodes
    }
    after, sent = stepped(plan, health, now_s=now_ns / 1e9)
    for point_id in sent:
        former[point_id] = _formerly(former[point_id], nodes.get(point_id))
        told[point_id] = Told()
    if after.phase != "running":
        after = _recalled(after, told)
    current = replace(stored, rollout=after, former=former)
    orders = [order for member in after.members for order in _orders(current, member, nodes, told[member.node])]
    if after.phase == "rolling back" and not orders:
        after = replace(after, phase="rolled back")
    keep(connection, stored, after, former, now_ns=now_ns)
    if after.phase != plan.phase:
        note(connection, stored.id, after.phase, why=after.reason or "", now_ns=now_ns)
    elif after.stage != plan.stage:
        note(connection, stored.id, "stage", why=f"{after.stage + 1}: {len(after.open)} nodes", now_ns=now_ns)
    return orders


def health_of(node: Node, former: Former, told: Told, *, version: int) -> NodeHealth:
    """Judge a node that was sent a model by what it says of itself.

    Parameters
    ----------
    node : Node
        As it stands.
    former : Former
        How it was before.
    told : Told
        Of the image on its way.
    version : int
        Of the model.

    Returns
    -------
    NodeHealth

    Examples
    --------
    >>> node = Node("a/b/c", "n", model=1, slot="empty", update_reason="unconfirmed")
    >>> health_of(node, Former(1, version=1), Told(done=True), version=2).refused
    'it gave the model up (unconfirmed)'
    """
    confirmed = former.version if node.slot == "trial" and former.attempt else node.model
    refused, faulty = told.refused, None
    if told.done and refused is None and node.model != version and node.slot not in ("trial", "confirmed"):
        refused = f"it gave the model up ({node.update_reason or 'without a reason'})"
    restarted = former.boot is not None and node.boot is not None and node.boot > former.boot
    if restarted and node.reset in _CRASHES:
        faulty = _CRASHES[node.reset]
    elif told.done and node.number is not None and node.model == version:
        # A report of this start, which the new model judged.
        if node.state == "fault":
            faulty = "it reports a fault with the model"
        elif node.alarm and not former.alarm:
            faulty = "its alarm came up with the model"
    # A node that is to report once an hour is not silent for the rest of it.
    seen_s = (node.seen_ns or 0) / 1e9 + 2e-3 * (node.period_ms or 0)
    return NodeHealth(seen_s, confirmed, refused, faulty)


def _formerly(former: Former, node: Node | None) -> Former:
    if node is None:
        return replace(former, attempt=former.attempt + 1)
    if former.attempt and node.slot == "trial":
        # What ran before it was tried the first time.
        return replace(former, attempt=former.attempt + 1, boot=node.boot)
    return Former(former.attempt + 1, node.model, node.boot, node.alarm)


def _recalled(plan: Rollout, told: Mapping[str, Told]) -> Rollout:
    """What is not on trial yet of a roll-out that does not go on is to be given up."""
    members = tuple(
        replace(member, state="waiting") if member.state == "sent" and not told[member.node].done else member
        for member in plan.members
    )
    return replace(plan, members=members)


def _orders(stored: Stored, member: Member, nodes: Mapping[str, Node], told: Told) -> Iterable[Order]:
    node, plan = nodes.get(member.node), stored.rollout
    if node is None or not stored.former[member.node].attempt:
        return
    on_trial = node.slot == "trial" and plan.version in (node.model, node.candidate)
    kind: Literal["update", "confirm", "abort"] | None = None
    if plan.phase == "running" and member.state == "sent" and node.online:
        healthy = node.number is not None and node.model == plan.version and node.state != "fault"
        if not (told.taken or told.done or told.refused):
            kind = "update"
        elif told.done and on_trial and healthy:
            kind = "confirm"
    elif plan.phase in ("halted", *ENDED) and member.state == "waiting":
        under_way = told.taken and not told.done and told.refused is None
        kind = "abort" if under_way or (plan.phase == "rolling back" and on_trial) else None
    elif plan.phase == "rolling back" and on_trial:
        kind = "abort"
    if kind is not None:
        yield Order(kind, member.node, stored.update_id(member.node), plan.version, stored.image)


def _told(connection: Connection, stored: Stored) -> dict[str, Told]:
    said = {point_id: Told() for point_id in stored.former}
    own = node_events.c.point_id.in_(list(said)) & node_events.c.kind.in_(_KINDS)
    for row in connection.execute(sa.select(node_events).where(own).order_by(node_events.c.id)):
        entries: dict[str, Any] = json.loads(row.entries)
        if entries.get("id") != stored.update_id(row.point_id):
            continue
        before = said[row.point_id]
        if row.kind == "update_taken":
            said[row.point_id] = replace(before, taken=True)
        elif row.kind == "update_done":
            said[row.point_id] = Told(taken=True, done=True)
        else:
            said[row.point_id] = replace(before, taken=True, refused=str(entries.get("reason")))
    return said
