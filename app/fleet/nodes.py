"""What the store knows of nodes: who they are and how they stand, what they reported, and what they said."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from app.fleet.sayings import Reported
from app.schema import node_events, node_reports, nodes

__all__ = ["EventRow", "Node", "ReportRow", "events_of", "node_at", "nodes_of", "reports_of"]


@dataclass(frozen=True)
class Node:
    """The node at a point as it stands.

    Attributes
    ----------
    point_id, name : str
        A name is a gateway's own: two sites may use the same.
    gateway : str or None
        Identity of the gateway, ``site/name/gateway``, that it was last reached through.
    online : bool
        Whether it can be reached now: the gateway says so, and is not gone itself.
    since_ns, seen_ns : int or None
        When it became online or offline, by the gateway's clock; when the latest of what it said was taken in.
    firmware, contract, reset, slot, rate_hz, window, period_ms
        From its `hello`; None where that has not come yet. ``reset`` and ``slot`` are words of `docs/LINK.md`.
    model, candidate : int
        Versions of the active model and of the one that was received or is on trial; 0 for none.
    boot : int or None
        Starts so far.
    update_image : str or None
        Name of the image that was begun last, in hexadecimal.
    update_offset, update_size : int
        Bytes of it that have arrived, and that there are.
    update_reason : str or None
        Why the last step of an update was refused, as `app.fleet.words.UPDATE_REASONS` has it; None where it was not.
    number, reported_ns, state, alarm, score, threshold, diagnosis, probability, lost
        From its latest report; `number` is None where none has come.
    """

    point_id: str
    name: str
    gateway: str | None = None
    online: bool = False
    since_ns: int | None = None
    seen_ns: int | None = None
    firmware: str | None = None
    model: int = 0
    contract: str | None = None
    boot: int | None = None
    reset: str | None = None
    slot: str | None = None
    rate_hz: float | None = None
    window: int | None = None
    period_ms: int | None = None
    update_image: str | None = None
    update_offset: int = 0
    update_size: int = 0
    update_reason: str | None = None
    candidate: int = 0
    number: int | None = None
    reported_ns: int | None = None
    state: str | None = None
    alarm: bool = False
    score: float | None = None
    threshold: float | None = None
    diagnosis: str | None = None
    probability: float | None = None
    lost: int = 0

    def changed(self, **values: Any) -> Node:
        """Give a copy with other values."""
        return replace(self, **values)

    @property
    def ratio(self) -> float | None:
        """Score over threshold in the latest report, where both are known."""
        return None if self.score is None or not self.threshold else self.score / self.threshold

    @property
    def received(self) -> float | None:
        """Share of an image under way that has arrived, 0 to 1; None where none is."""
        if self.slot != "receiving" or not self.update_size:
            return None
        return min(1.0, self.update_offset / self.update_size)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ReportRow(Reported):
    """A report as it is stored; `at_ns` is the node's time where it has a believable one, else that of arrival."""

    at_ns: int


@dataclass(frozen=True)
class EventRow:
    """What a node said beside reports and bursts, or what became of a command to it."""

    at_ns: int
    node: str
    kind: str
    entries: dict[str, Any]


def nodes_of(connection: Connection) -> list[Node]:
    """List all nodes, by point."""
    return [Node(**row._mapping) for row in connection.execute(sa.select(nodes).order_by(nodes.c.point_id))]


def node_at(connection: Connection, point_id: str) -> Node | None:
    """The node at a point, or None."""
    row = connection.execute(sa.select(nodes).where(nodes.c.point_id == point_id)).first()
    return None if row is None else Node(**row._mapping)


def reports_of(connection: Connection, point_id: str, *, since_ns: int = 0, most: int) -> list[ReportRow]:
    """List the latest reports of a point, oldest first.

    Parameters
    ----------
    connection : Connection
    point_id : str
    since_ns : int
        Earlier ones are left out.
    most : int
        The latest so many.
    """
    own = (node_reports.c.point_id == point_id) & (node_reports.c.at_ns >= since_ns)
    latest = (node_reports.c.at_ns.desc(), node_reports.c.id.desc())
    query = sa.select(node_reports).where(own).order_by(*latest).limit(most)
    return [_report(row) for row in connection.execute(query)][::-1]


def _report(row: sa.Row[Any]) -> ReportRow:
    features = np.frombuffer(row.features, dtype="<f4").astype(np.float32)
    known = np.unpackbits(np.frombuffer(row.known, dtype=np.uint8), count=features.size, bitorder="little")
    features[known == 0] = np.nan
    values = {name: getattr(row, name) for name in ReportRow.__dataclass_fields__ if name != "features"}
    return ReportRow(**values, features=features)


def events_of(
    connection: Connection, point_id: str, *, kinds: tuple[str, ...] = (), since_ns: int = 0, most: int
) -> list[EventRow]:
    """List the latest events of a point, newest first: of some kinds or, where none are named, of all."""
    own = (node_events.c.point_id == point_id) & (node_events.c.at_ns >= since_ns)
    if kinds:
        own &= node_events.c.kind.in_(kinds)
    latest = (node_events.c.at_ns.desc(), node_events.c.id.desc())
    query = sa.select(node_events).where(own).order_by(*latest).limit(most)
    return [EventRow(row.at_ns, row.node, row.kind, json.loads(row.entries)) for row in connection.execute(query)]
