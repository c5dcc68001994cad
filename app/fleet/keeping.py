"""What nodes said, into the store, in the caller's transaction: who they are, reports, events, and their own alarms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from app.alarms.register import HEALTH, NODE, NODE_FAULT, end_watched, follow, standing
from app.fleet.hearing import Gateway, Heard, Known, Spoken, Taken
from app.fleet.nodes import Node
from app.fleet.sayings import Event, GatewayState, NodeState, Report
from app.fleet.words import alarm_words
from app.kinds import alarm_kind
from app.schema import alarms, gateways, node_events, node_reports, nodes
from app.store import insert_rows

__all__ = ["NodeAlarm", "known_of", "write_heard"]


@dataclass(frozen=True, slots=True)
class NodeAlarm:
    """A node's alarm that was raised or cleared by a report."""

    raised: bool
    taken: Taken


def known_of(connection: Connection, batch: Sequence[Spoken], *, others: Iterable[str] = ()) -> Known:
    """Read what is stored of all that a batch is about.

    Parameters
    ----------
    connection : Connection
    batch : sequence of Spoken
    others : iterable of str
        Further points whose nodes are wanted.
    """
    keys, names, of_gateways, through = {one.point_id for one in batch} | set(others), set(), set(), set()
    for one in batch:
        if isinstance(one.said, NodeState):
            names.add(one.said.node)
            through.add(one.said.gateway)
        elif isinstance(one.said, GatewayState):
            of_gateways.add(one.said.gateway)
    at, named, behind = nodes.c.point_id.in_(keys), nodes.c.name.in_(names), nodes.c.gateway.in_(of_gateways)
    found = [Node(**row._mapping) for row in connection.execute(sa.select(nodes).where(at | named | behind))]
    query = sa.select(gateways).where(gateways.c.id.in_(of_gateways | through))
    stand = {row.id: Gateway(row.online, row.since_ns) for row in connection.execute(query)} if keys else {}
    return Known({node.point_id: node for node in found}, stand, _stored_digests(connection, batch))


def _stored_digests(connection: Connection, batch: Sequence[Spoken]) -> frozenset[tuple[str, bytes]]:
    reports: dict[tuple[str, int], list[int]] = defaultdict(list)
    events: dict[str, list[bytes]] = defaultdict(list)
    for one in batch:
        if isinstance(one.said, Report):
            reports[one.point_id, one.said.boot].append(one.said.number)
        elif isinstance(one.said, Event):
            events[one.point_id].append(one.said.digest)
    stored: set[tuple[str, bytes]] = set()
    for (point_id, boot), numbers in reports.items():
        # A node counts up by one, so these are few; the index of `one_report` answers alone.
        same = (node_reports.c.point_id == point_id) & (node_reports.c.boot == boot)
        query = sa.select(node_reports.c.digest).where(same, node_reports.c.number.in_(numbers))
        stored |= {(point_id, bytes(row.digest)) for row in connection.execute(query)}
    for point_id, digests in events.items():
        own = (node_events.c.point_id == point_id) & node_events.c.digest.in_(digests)
        stored |= {
            (point_id, bytes(row.digest)) for row in connection.execute(sa.select(node_events.c.digest).where(own))
        }
    return frozenset(stored)


def write_heard(connection: Connection, heard: Heard, *, known: Known) -> list[NodeAlarm]:
    """Write what a batch changes, and let the alarms follow the nodes' verdicts.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction in which the points are there.
    heard : Heard
    known : Known
        As `heard` was made from.

    Returns
    -------
    list of NodeAlarm
        In order.
    """
    for gateway, stands in heard.gateways.items():
        connection.execute(gateways.delete().where(gateways.c.id == gateway))
        connection.execute(gateways.insert().values(id=gateway, **_columns(stands)))
    if heard.gone:
        connection.execute(nodes.delete().where(nodes.c.point_id.in_(heard.gone)))
    for point_id, node in heard.nodes.items():
        _write_node(connection, node, new=point_id not in known.nodes)
    insert_rows(connection, node_reports, [_report_row(taken) for taken in heard.reports])
    insert_rows(connection, node_events, [_event_row(one, one.said) for one in heard.events])
    latest = [taken for taken in heard.reports if taken.latest]
    stand = standing(connection, {taken.point_id for taken in latest})
    return [change for taken in latest if (change := _follow(connection, taken, stand)) is not None]


def _columns(stands: Gateway) -> dict[str, Any]:
    return {"online": stands.online, "since_ns": stands.since_ns}


def _write_node(connection: Connection, node: Node, *, new: bool) -> None:
    if not new:
        connection.execute(nodes.update().where(nodes.c.point_id == node.point_id), vars(node))
        return
    connection.execute(nodes.insert(), vars(node))
    # From now on the node judges here: nothing would ever clear what the server had raised.
    now_ns = node.seen_ns or node.since_ns or 0
    if end_watched(connection, node.point_id, now_ns=now_ns, why="a node judges here from now on"):
        _close(connection, node.point_id, HEALTH, now_ns=now_ns)


def _report_row(taken: Taken) -> dict[str, Any]:
    report = taken.report
    names = ["node", "boot", "number", "uptime_ms", "time_ns", "state", "alarm", "model", "score", "threshold"]
    names += ["diagnosis", "probability", "shaft_hz", "lost", "contract", "digest"]
    known = ~np.isnan(report.features)
    return {name: getattr(report, name) for name in names} | {
        "point_id": taken.point_id,
        "arrived_ns": taken.arrived_ns,
        "at_ns": taken.at_ns,
        "features": np.where(known, report.features, 0.0).astype("<f4").tobytes(),
        "known": np.packbits(known, bitorder="little").tobytes(),
    }


def _event_row(one: Spoken, event: Any) -> dict[str, Any]:
    row = {"point_id": one.point_id, "node": event.node, "at_ns": event.time_ns, "kind": event.kind}
    return row | {"entries": event.entries, "digest": event.digest}


# -- alarms -----------------------------------------------------------------------------------------------------------


def _follow(connection: Connection, taken: Taken, stand: set[tuple[str, str]]) -> NodeAlarm | None:
    """Let the point's alarms follow the latest report; the diagnosis of one that stands goes with it."""
    report, point_id, at_ns = taken.report, taken.point_id, taken.at_ns
    faulty = report.state == "fault"
    if faulty != ((point_id, NODE_FAULT) in stand):
        why = "the node cannot judge; its log says why" if faulty else ""
        follow(connection, point_id, NODE_FAULT, active=faulty, now_ns=at_ns, why=why)
        stand ^= {(point_id, NODE_FAULT)}
    changed = report.alarm != ((point_id, NODE) in stand)
    if changed:
        words = alarm_words(report.diagnosis, report.probability, ratio=report.ratio) if report.alarm else ""
        follow(connection, point_id, NODE, active=report.alarm, now_ns=at_ns, why=words)
        stand ^= {(point_id, NODE)}
    if changed and report.alarm:
        row = {"point_id": point_id, "raised_ns": at_ns, "window_start_ns": at_ns, "tag": NODE}
        connection.execute(alarms.insert().values(**row, ratio=report.ratio or 0.0, kind=alarm_kind(report.diagnosis)))
    elif changed:
        _close(connection, point_id, NODE, now_ns=at_ns)
    elif report.alarm and report.diagnosis is not None:
        connection.execute(alarms.update().where(_open(point_id, NODE)).values(kind=alarm_kind(report.diagnosis)))
    return NodeAlarm(report.alarm, taken) if changed else None


def _open(point_id: str, tag: str) -> sa.ColumnElement[bool]:
    return (alarms.c.point_id == point_id) & (alarms.c.tag == tag) & alarms.c.cleared_ns.is_(None)


def _close(connection: Connection, point_id: str, tag: str, *, now_ns: int) -> None:
    """A clock that was set back must not let an alarm end before it began."""
    for row in connection.execute(sa.select(alarms.c.id, alarms.c.raised_ns).where(_open(point_id, tag))).all():
        ended = alarms.update().where(alarms.c.id == row.id)
        connection.execute(ended.values(cleared_ns=max(now_ns, row.raised_ns)))
