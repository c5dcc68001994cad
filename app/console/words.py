"""How states, fault kinds and times are put into words for operators."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.console.queries import AlarmRow
from app.fleet.nodes import Node
from app.kinds import KINDS, kind_text
from app.labels.records import Kind
from app.store import PointRow

__all__ = [
    "KINDS",
    "SAID",
    "ZONES",
    "ago",
    "clock",
    "kind_text",
    "local_times",
    "node_state",
    "plain",
    "state_of",
    "zone_name",
]

_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~$:])")
_HALF_HOUR_NS = 1_800_000_000_000

# What a severity zone of ISO 20816 says of a machine, as its parts define the zones.
ZONES = {
    "A": "as of newly commissioned machines",
    "B": "acceptable for unrestricted long-term operation",
    "C": "unsatisfactory for long-term operation: run for a limited time until it is mended",
    "D": "severe enough to damage the machine",
}

# What a label says, followed by who gave it.
SAID: dict[Kind, str] = {
    "confirm": "confirmed",
    "reject": "rejected as no fault",
    "rename": "renamed",
    "repair": "repaired",
    "note": "note",
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
    if row.unjudged:
        return "✕", "Not judged", "gray"
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


def plain(text: str) -> str:
    """What people and machines entered, such that Markdown shows it as it is.

    Examples
    --------
    >>> print(plain("Pump [1] *new*"))
    Pump \\[1\\] \\*new\\*
    """
    return _MARKS.sub(r"\\\1", text)


def clock(time_ns: int) -> str:
    """Date and time of day in the reader's zone, to the millisecond."""
    time = datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(_zone(zone_name()))
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03} {time:%Z}"


def zone_name() -> str:
    """Name of the zone that the reader's browser is set to; UTC where it has not said one that is known here."""
    name = st.context.timezone or "UTC"
    return name if _zone(name).key == name else "UTC"


def local_times(time_ns: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Times as an axis in the reader's zone shows them: without a zone, shifted by what it is ahead of UTC.

    Parameters
    ----------
    time_ns : (...) int64 array
        Since 1970 in UTC.

    Returns
    -------
    (...) datetime64[ms] array
    """
    zone = _zone(zone_name())
    # Zones change at whole or half hours of UTC.
    spans, which = np.unique(time_ns // _HALF_HOUR_NS, return_inverse=True)
    ahead = [_ahead_ns(int(span) * _HALF_HOUR_NS, zone) for span in spans]
    shifted = time_ns + np.asarray(ahead, dtype=np.int64)[which].reshape(time_ns.shape)
    return shifted.astype("datetime64[ns]").astype("datetime64[ms]")


def _ahead_ns(time_ns: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(time_ns / 1e9, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds()) * 1_000_000_000


@functools.lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
