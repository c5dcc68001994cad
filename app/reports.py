"""What is published of the verdicts, retained, so that a control system can read them without the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.alarms.register import HEALTH
from app.codec import encode_json
from app.fleet.keeping import NodeAlarm
from app.fleet.nodes import Node
from app.kinds import alarm_kind
from app.store import Quarantined
from app.watch import AlarmChange, Verdict, Watch, kind_of
from app.wire import VERSION, PointId
from features.contract import WATCHED

__all__ = ["Publication", "Reporter", "refusal"]

_PERIOD_NS = 1_000_000_000
# States of points that are those of nodes.
_STATES = {"commissioning": "learning", "fault": "failed"}


@dataclass(frozen=True)
class Publication:
    """A retained result to be published."""

    topic: str
    payload: bytes


class Reporter:
    """Decides what is published: health on each change of state and else once a second, alarms on each change."""

    def __init__(self, *, baseline_windows: int) -> None:
        self._wanted = baseline_windows
        self._published: dict[str, tuple[int, tuple[str, bool]]] = {}

    def publications(
        self, watch: Watch, verdicts: Sequence[Verdict], changes: Sequence[AlarmChange], *, now_ns: int
    ) -> list[Publication]:
        """Give what is to be published of a point after a batch."""
        point = PointId.parse(watch.row.id)
        out: list[Publication] = []
        _, (before, _) = self._published.get(watch.row.id, (0, ("", False)))
        if changes or self._due(watch, now_ns):
            payload = _health(watch, verdicts[-1] if verdicts else None, wanted=self._wanted)
            out.append(Publication(point.topic("health"), payload))
        if before != "learning" and watch.row.state == "learning" and watch.row.baseline_after and not watch.alarmed:
            # It began anew, which ends alarms without a window: what is retained may still say that one stands.
            out.append(Publication(point.topic("alarm"), _ended(now_ns)))
        judged = [change for change in changes if change.of.tag == HEALTH]
        return out + [Publication(point.topic("alarm"), _alarm(change, now_ns=now_ns)) for change in judged]

    def of_node(self, node: Node, changes: Sequence[NodeAlarm], *, now_ns: int) -> list[Publication]:
        """Give what is to be published of a point whose node judges, after a batch."""
        if node.number is None:
            return []
        point = PointId.parse(node.point_id)
        out: list[Publication] = []
        if changes or self._is_due(node.point_id, (str(node.state), node.alarm), now_ns):
            out.append(Publication(point.topic("health"), _node_health(node)))
        return out + [Publication(point.topic("alarm"), _node_alarm(change, now_ns=now_ns)) for change in changes]

    def _due(self, watch: Watch, now_ns: int) -> bool:
        return self._is_due(watch.row.id, (watch.row.state, watch.alarmed), now_ns)

    def _is_due(self, key: str, state: tuple[str, bool], now_ns: int) -> bool:
        last_ns, last_state = self._published.get(key, (0, None))
        if state == last_state and now_ns - last_ns < _PERIOD_NS:
            return False
        self._published[key] = (now_ns, state)
        return True


def _health(watch: Watch, last: Verdict | None, *, wanted: int) -> bytes:
    row = watch.row
    probabilities = last.probabilities if last else None
    return encode_json(
        {
            "v": VERSION,
            "by": "server",
            "state": row.state,
            "alarm": watch.alarmed,
            "score": row.score,
            "threshold": row.threshold,
            "ratio": row.score / row.threshold if row.score is not None and row.threshold else None,
            "window_start_ns": row.window_start_ns,
            "bundle": row.bundle,
            "feature_hash": WATCHED.hash,
            "kind": kind_of(probabilities),
            "probabilities": probabilities,
            "baseline": [min(row.baseline_have, wanted), wanted],
            "seen_ns": row.seen_ns,
        }
    )


def _node_health(node: Node) -> bytes:
    return encode_json(
        {
            "v": VERSION,
            "by": "node",
            "state": _STATES.get(str(node.state), "watching"),
            "alarm": node.alarm,
            "score": node.score,
            "threshold": node.threshold,
            "ratio": node.ratio,
            "window_start_ns": node.reported_ns,
            "bundle": None,
            "model": node.model,
            "feature_hash": node.contract,
            "kind": alarm_kind(node.diagnosis) if node.alarm else None,
            "probabilities": None,
            "baseline": None,
            "seen_ns": node.seen_ns,
        }
    )


def _node_alarm(change: NodeAlarm, *, now_ns: int) -> bytes:
    report = change.taken.report
    return encode_json(
        {
            "v": VERSION,
            "by": "node",
            "active": change.raised,
            "raised_ns" if change.raised else "cleared_ns": change.taken.at_ns,
            "published_ns": now_ns,
            "window_start_ns": change.taken.at_ns,
            "ratio": report.ratio,
            "kind": alarm_kind(report.diagnosis) if change.raised else None,
            "probabilities": None,
        }
    )


def _alarm(change: AlarmChange, *, now_ns: int) -> bytes:
    verdict = change.verdict
    raised = change.of.change == "raised"
    return encode_json(
        {
            "v": VERSION,
            "by": "server",
            "active": raised,
            "raised_ns" if raised else "cleared_ns": verdict.window.end_ns,
            "published_ns": now_ns,
            "window_start_ns": verdict.window.start_ns,
            "ratio": verdict.ratio,
            "kind": kind_of(verdict.probabilities),
            "probabilities": verdict.probabilities,
        }
    )


def _ended(now_ns: int) -> bytes:
    about = dict.fromkeys(("window_start_ns", "ratio", "kind", "probabilities"))
    return encode_json(
        {"v": VERSION, "by": "server", "active": False, "cleared_ns": now_ns, "published_ns": now_ns, **about}
    )


def refusal(refused: Quarantined) -> dict[str, Any]:
    """Fields of the event that says a message was set aside."""
    return {
        "topic": refused.topic[:200],
        "reason": refused.reason,
        "detail": refused.detail[:200],
        "size": len(refused.payload),
    }
