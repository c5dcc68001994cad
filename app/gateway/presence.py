"""Nodes' retained states that are not true any more: what a gateway left behind when it died, or another one said late.

A gateway puts right its own states alone; what another gateway says of a node that is online there, it leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.gateway.node import Node
from app.gateway.outbox import Outbox
from app.gateway.translation import point_of
from app.wire import PointId
from features.errors import ProtocolError

__all__ = ["former_nodes", "is_stale", "read_state"]


def former_nodes(outbox: Outbox, *, site: str, points: Mapping[str, PointId], now_ns: int) -> dict[str, Node]:
    """List the nodes that spoke with a gateway over this store before, by the topic of their state.

    They are offline until they are met; those whose names are no points any more are left out.
    """
    found = {}
    for name in outbox.names():
        try:
            point = point_of(name, site=site, points=points)
        except ProtocolError:
            continue
        found[point.topic("state")] = Node(name, point, now_ns, hello=outbox.hello_of(name))
    return found


def read_state(payload: bytes) -> Mapping[str, Any]:
    """Read what a retained state says; empty where it says nothing.

    Examples
    --------
    >>> read_state(b'{"state":"online"}'), read_state(b"")
    ({'state': 'online'}, {})
    """
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def is_stale(said: Mapping[str, Any], *, online: bool, gateway: str) -> bool:
    """Say whether a retained state of a node is to be put right by this gateway.

    Parameters
    ----------
    said : mapping
        The state.
    online : bool
        Whether the node is online here.
    gateway : str
        This one, as states name it.

    Returns
    -------
    bool

    Examples
    --------
    Left behind by an earlier run of ours; and said by a gateway that the node has left for us:

    >>> is_stale({"state": "online", "gateway": "a/b/gateway"}, online=False, gateway="a/b/gateway")
    True
    >>> is_stale({"state": "offline", "gateway": "a/c/gateway"}, online=True, gateway="a/b/gateway")
    True
    """
    ours = said.get("gateway") == gateway
    return said.get("state") == "offline" and not ours if online else said.get("state") == "online" and ours
