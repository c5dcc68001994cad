"""How states, fault kinds and times are put into words for operators."""

from __future__ import annotations

from datetime import UTC, datetime

from app.console.queries import AlarmRow
from app.fleet.nodes import Node
from app.kinds import KINDS, kind_text
from app.store import PointRow

__all__ = ["KINDS", "ZONES", "ago", "clock", "kind_text", "node_state", "state_of"]

# What a severity zone of ISO 20816 says of a machine, as its parts define the zones.
ZONES = {
    "A": "as of newly commissioned machines",
    "B": "acceptable for unrestricted long-term operation",
    "C": "unsatisfactory for long-term operation: run for a limited time until it is mended",
    "D": "severe enough to damage the machine",
}


def node_state(node: Node) -> tuple[str, str, str]:
    """Symbol, word and colour of a node's state."""
    if node.alarm:
        return "▲", "Alarm", "red"
    if node.gateway is not None and not node.online:
        return "✕", "Offline", "gray"
    if node.state == "fault":
        return "✕", "Cannot judge", "orange"
    if node.state == "commissioning":
        return "○", "Learning", "blue"
    if node.number is None:
        return "○", "No report yet", "blue"
    if node.ratio is not None and node.ratio > 1.0:
        return "△", "Above threshold", "orange"
    return "●", "Healthy", "green"


def state_of(row: PointRow, alarm: AlarmRow | None, *, wanted: int, node: Node | None = None) -> tuple[str, str, str]:
    """Symbol, word and colour of a point's state; where a node judges, the node's."""
    if alarm is not None:
        return "▲", "Alarm", "red"
    if node is not None:
        return node_state(node)
    if row.state == "learning":
        return "○", f"Learning {min(row.baseline_have, wanted)}/{wanted}", "blue"
    if row.state == "training":
        return "○", "Training", "blue"
    if row.state == "failed":
        return "✕", "Failed", "gray"
    if row.score is not None and row.threshold and row.score > row.threshold:
        return "△", "Above threshold", "orange"
    return "●", "Healthy", "green"


def ago(then_ns: int | None, *, now_ns: int) -> str:
    """How long ago, in one unit."""
    if then_ns is None:
        return "never"
    seconds = max(0, (now_ns - then_ns) // 1_000_000_000)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def clock(time_ns: int) -> str:
    """Time of day in UTC, to the millisecond."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
