"""Words of the nodes' pages: how a node is reached, why it started, how an update of it goes."""

from __future__ import annotations

from app.console.words import ago
from app.fleet.nodes import Node

__all__ = ["RECEIVING", "UPDATE_STATES", "last_seen", "reached", "start", "start_words", "update_words"]

# Where a node has not said its own.
_LONGEST_PERIOD_MS = 3_600_000
# Starts that nobody asked for: something is wrong with the node or its supply.
_BAD_STARTS = {"watchdog": "watchdog: it hung", "fault": "fault of its program", "brown-out": "low supply"}
_STARTS = {"power": "power on", "pin": "reset pin", "requested": "on request"}
RECEIVING = {"staged": "received, not tried yet", "trial": "on trial"}
UPDATE_STATES = {"empty": "none received", "receiving": "receiving", "confirmed": "confirmed"} | RECEIVING


def reached(node: Node, *, now_ns: int) -> str:
    """Whether its gateway reaches it, and for how long."""
    if node.gateway is None:
        return "unknown"
    since = "" if node.since_ns is None else f" for {ago(node.since_ns, now_ns=now_ns).removesuffix(' ago')}"
    return f"● online{since}" if node.online else f"✕ offline{since}"


def last_seen(node: Node, *, now_ns: int) -> str:
    """△ marks a node that has let three of its own periods pass."""
    late = node.seen_ns is not None and now_ns - node.seen_ns > 3_000_000 * (node.period_ms or _LONGEST_PERIOD_MS)
    return f"{'△ ' if late else ''}{ago(node.seen_ns, now_ns=now_ns)}"


def start(node: Node) -> str:
    """Why it started last; △ where nobody asked for it."""
    if node.reset is None:
        return "unknown"
    return f"△ {_BAD_STARTS[node.reset]}" if node.reset in _BAD_STARTS else _STARTS.get(node.reset, node.reset)


def start_words(reset: str) -> str:
    """Why a node started, from the word that it says.

    Examples
    --------
    >>> start_words("brown-out"), start_words("power"), start_words("9")
    ('low supply', 'power on', '9')
    """
    return _BAD_STARTS.get(reset) or _STARTS.get(reset, reset)


def update_words(node: Node) -> str:
    """How an update goes, or how it ended; empty where there is none."""
    if node.received is not None:
        return f"→ {node.candidate or 'new'}: {node.received:.0%} received"
    if node.slot in RECEIVING and node.candidate == node.model:
        return f"({RECEIVING[node.slot]})"
    if node.slot in RECEIVING:
        return f"→ {node.candidate or 'new'}: {RECEIVING[node.slot]}"
    return "" if node.update_reason is None else f"✕ refused: {node.update_reason}"
