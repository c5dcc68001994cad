"""What nodes are to be told after repairs: to learn anew, since their baseline is their own; nothing is sent here.

What is to be said follows from the store alone, as for roll-outs: from the label that marks the repair, until the
gateway says that the node has taken it or never will.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy import Connection

from app.fleet.stepping import Order
from app.schema import labels, node_events, node_reports, nodes

__all__ = ["relearn_orders"]

# A node that is not reached for so long is asked no more: much may have happened at its machine since.
_PATIENCE_NS = 7 * 86_400 * 1_000_000_000
# Refusals that another try does not change.
_FINAL = ("malformed", "version")


def relearn_orders(connection: Connection, *, now_ns: int) -> list[Order]:
    """List the nodes that are to learn anew.

    Parameters
    ----------
    connection : Connection
    now_ns : int

    Returns
    -------
    list of Order
        For the latest repair of each point with a node, where that node had reported before it, is online, and has not
        taken the command yet.
    """
    lately = (labels.c.kind == "repair") & (labels.c.first_ns > now_ns - _PATIENCE_NS)
    query = (
        sa.select(labels.c.point_id, sa.func.max(labels.c.id).label("id"), sa.func.max(labels.c.at_ns).label("at_ns"))
        .join(nodes, nodes.c.point_id == labels.c.point_id)
        .where(lately, nodes.c.online)
        .group_by(labels.c.point_id)
    )
    repaired = connection.execute(query).all()
    return [
        Order("relearn", row.point_id, f"repair-{row.id}", 0, b"")
        for row in repaired
        if _judged_before(connection, row.point_id, row.at_ns) and not _settled(connection, row.point_id, row.id)
    ]


def _judged_before(connection: Connection, point_id: str, at_ns: int) -> bool:
    """Whether the point's node was there already: one that came later has learned after the repair."""
    same = (nodes.c.point_id == node_reports.c.point_id) & (nodes.c.name == node_reports.c.node)
    query = sa.select(node_reports.c.id).join(nodes, same)
    own = (node_reports.c.point_id == point_id) & (node_reports.c.at_ns <= at_ns)
    return connection.execute(query.where(own).limit(1)).first() is not None


def _settled(connection: Connection, point_id: str, label_id: int) -> bool:
    own = (node_events.c.point_id == point_id) & node_events.c.kind.in_(("delivered", "refused"))
    for row in connection.execute(sa.select(node_events.c.kind, node_events.c.entries).where(own)):
        entries = json.loads(row.entries)
        final = row.kind == "delivered" or entries.get("reason") in _FINAL
        if final and entries.get("id") == f"repair-{label_id}":
            return True
    return False
