"""What gateways publish of nodes, as tests of ingest and console want it."""

from __future__ import annotations

import json
from typing import Any

from making import NOW_NS

from app.intake import Arrival
from app.wire import PointId

NODE_POINT = PointId("plant", "pump-7", "drive-end")
GATEWAY = "plant/gw/gateway"
SECOND_NS = 1_000_000_000


def told(leaf: str, entries: dict[str, Any], *, point: PointId = NODE_POINT, now_ns: int = NOW_NS) -> Arrival:
    """A message of a gateway."""
    return Arrival(point.topic(leaf), json.dumps({"v": 1} | entries).encode(), now_ns)


def report(number: int, /, *, point: PointId = NODE_POINT, now_ns: int | None = None, **changes: Any) -> Arrival:
    """A report, one second after the one before it."""
    at_ns = NOW_NS + number * SECOND_NS if now_ns is None else now_ns
    entries: dict[str, Any] = {"node": "n7", "boot": 3, "number": number, "uptime_ms": 1000 * number}
    entries |= {"state": "watching", "alarm": False, "model": 2, "score": 0.5, "threshold": 2.0, "lost": 0}
    entries |= {
        "time_ns": at_ns,
        "arrived_ns": at_ns,
        "feature_hash": "cbaf349d5d436fb2",
        "features": [1.0, None, 0.25],
    }
    return told("report", entries | changes, point=point, now_ns=at_ns)


def alarming(number: int, /, **changes: Any) -> Arrival:
    """A report in alarm of an outer race."""
    verdict: dict[str, Any] = {"state": "alarm", "alarm": True, "score": 5.0, "diagnosis": "outer", "probability": 0.9}
    return report(number, **(verdict | changes))


HELLO = {
    "firmware": "1.2.0",
    "model": 2,
    "contract": "cbaf349d5d436fb2",
    "boot": 3,
    "reset": "power",
    "slot": "confirmed",
    "rate_hz": 12_000.0,
    "window": 2048,
    "period_ms": 1000,
    "features": 3,
}


def state(word: str, /, *, point: PointId = NODE_POINT, now_ns: int = NOW_NS, **changes: Any) -> Arrival:
    """What is retained about a node."""
    entries = {"state": word, "since_ns": now_ns, "gateway": GATEWAY, "node": "n7"}
    return told("state", entries | HELLO | changes, point=point, now_ns=now_ns)


def gateway_state(word: str, *, now_ns: int = NOW_NS, gateway: str = GATEWAY) -> Arrival:
    """A gateway's own state, or its last will."""
    entries = {"state": word, "since_ns": now_ns if word == "online" else None}
    return told("state", entries, point=PointId.parse(gateway), now_ns=now_ns)


def event(kind: str, /, *, point: PointId = NODE_POINT, now_ns: int = NOW_NS, **entries: Any) -> Arrival:
    """What a node said beside reports."""
    return told("event", {"node": "n7", "kind": kind, "time_ns": now_ns} | entries, point=point, now_ns=now_ns)


def update_status(offset: int, /, *, size: int = 1000, now_ns: int = NOW_NS, **changes: Any) -> Arrival:
    """How far an update is."""
    entries: dict[str, Any] = {
        "slot": "receiving",
        "image": "aa" * 16,
        "offset": offset,
        "size": size,
        "reason": 0,
        "version": 2,
    }
    return event("update_status", now_ns=now_ns, **(entries | {"candidate": 3} | changes))
