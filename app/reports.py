"""What is published of the verdicts, retained, so that a control system can read them without the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.codec import encode_json
from app.store import Quarantined
from app.watch import AlarmChange, Verdict, Watch, kind_of
from app.wire import VERSION, PointId
from features.contract import WATCHED

__all__ = ["Publication", "Reporter", "refusal"]

_PERIOD_NS = 1_000_000_000


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
        if changes or self._due(watch, now_ns):
            payload = _health(watch, verdicts[-1] if verdicts else None, wanted=self._wanted)
            out.append(Publication(point.topic("health"), payload))
        return out + [Publication(point.topic("alarm"), _alarm(change, now_ns=now_ns)) for change in changes]

    def _due(self, watch: Watch, now_ns: int) -> bool:
        state = (watch.row.state, watch.alarm.active)
        last_ns, last_state = self._published.get(watch.row.id, (0, None))
        if state == last_state and now_ns - last_ns < _PERIOD_NS:
            return False
        self._published[watch.row.id] = (now_ns, state)
        return True


def _health(watch: Watch, last: Verdict | None, *, wanted: int) -> bytes:
    row = watch.row
    probabilities = last.probabilities if last else None
    return encode_json(
        {
            "v": VERSION,
            "state": row.state,
            "alarm": watch.alarm.active,
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


def _alarm(change: AlarmChange, *, now_ns: int) -> bytes:
    verdict = change.verdict
    raised = change.change == "raised"
    return encode_json(
        {
            "v": VERSION,
            "active": raised,
            "raised_ns" if raised else "cleared_ns": verdict.window.end_ns,
            "published_ns": now_ns,
            "window_start_ns": verdict.window.start_ns,
            "ratio": verdict.ratio,
            "kind": kind_of(verdict.probabilities),
            "probabilities": verdict.probabilities,
        }
    )


def refusal(refused: Quarantined) -> dict[str, Any]:
    """Fields of the event that says a message was set aside."""
    return {
        "topic": refused.topic[:200],
        "reason": refused.reason,
        "detail": refused.detail[:200],
        "size": len(refused.payload),
    }
