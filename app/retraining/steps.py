"""The steps that retraining takes for the baseline of a point; each may be taken again and comes to the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from app.labels.records import latest_label
from app.learner import baseline_name
from app.retraining.frozen import FrozenWindows, freeze, read_frozen, write_frozen
from app.retraining.promotion import JOB, OvertakenError, latest_promotion, promote
from app.retraining.records import BASELINE, Outcome, Run, Task, judged_before
from app.retraining.selection import Amounts, NotReadyError, ends_of, features_of, refuse_while_alarmed, select
from app.settings import Settings
from app.store import PointRow, point_rows, reading
from features.contract import WATCHED
from features.errors import ArtifactError
from models.bundle import Bundle, load_bundle
from models.drift import Drift, feature_drift, score_shift
from models.gate import Judged, gate, judge
from models.serving import Scorer
from models.tail import Tail

__all__ = ["STEPS", "Context", "Done", "Step", "held_back", "shown", "tail_of", "take_place"]

_SEED = 20261126
# Features whose drift is kept for the report.
_SHOWN = 12
_TAIL = ("tail_start", "tail_share", "tail_shape", "tail_scale")


@dataclass(frozen=True)
class Context:
    """What a step may use."""

    engine: Engine
    settings: Settings
    run: Run
    now_ns: int

    @property
    def amounts(self) -> Amounts:
        """How many windows are wanted."""
        settings = self.settings
        return Amounts(settings.retrain_windows, settings.retrain_judged_windows, settings.retrain_alarm_margin_s)


@dataclass(frozen=True)
class Done:
    """What a step came to.

    Attributes
    ----------
    findings : mapping
        For the next steps and the report; JSON.
    outcome : str or None
        Where nothing is left to do.
    reasons : tuple of str
        Why that outcome.
    challenger : str or None
        The bundle that was made.
    write : callable or None
        What is written in the transaction that keeps the step; of a model that another process may look after, it can
        be sent.
    """

    findings: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    reasons: tuple[str, ...] = ()
    challenger: str | None = None
    write: Callable[[Connection], None] | None = None

    @classmethod
    def ended(cls, outcome: Outcome, *reasons: str) -> Done:
        """Nothing is left to do, and why."""
        return cls(outcome=outcome, reasons=reasons)


Step = Callable[[Context, Task], Done]


def _point(connection: Connection, task: Task) -> PointRow:
    """The point of a task, where the champion that it is about still watches it and no alarm stands."""
    row = next((found for found in point_rows(connection) if found.id == task.point_id), None)
    if row is None or row.state != "watching" or row.bundle is None:
        state = "gone" if row is None else row.state
        raise NotReadyError(f"the point is {state}; only one that is watched is retrained")
    if row.bundle != task.champion:
        raise OvertakenError("another model serves by now than the one that was challenged")
    # Of every step: days may lie between two where the job was broken off.
    refuse_while_alarmed(connection, row.id)
    return row


def _champion(context: Context, row: PointRow) -> Bundle:
    bundle = load_bundle(context.settings.bundles / str(row.bundle))
    bundle.require(role=BASELINE, contract=WATCHED.hash)
    return bundle


def measure_drift(context: Context, task: Task) -> Done:
    """Compare recent healthy windows with what the champion learned from, and its scores with those of frozen ones."""
    force = context.run.options.force
    with reading(context.engine) as connection:
        row = _point(connection, task)
        back = None if force else held_back(connection, task)
        if back is not None:
            return Done.ended("waiting", back)
        champion = _champion(context, row)
        kept = read_frozen(connection, row)
        chosen = select(
            connection,
            row,
            provenance=champion.manifest.provenance,
            kept=_ids(kept),
            carriers=_carriers(kept),
            amounts=context.amounts,
        )
        news = {"newest": int(chosen.recent.ids.max()), "said": latest_label(connection, row.id)}
        before = judged_before(connection, task)
        if before is not None and not force and _same(before, task, news):
            return Done(news, "unchanged", (f"no window came since the run {before.run_id}",))
        learned, frozen, recent = (
            features_of(connection, ids) for ids in (chosen.champion, chosen.frozen.ids, chosen.recent.ids)
        )
    scorer = Scorer(champion, contract=WATCHED.hash)
    drift = Drift(
        feature_drift(learned, recent, names=_names(row)),
        score_shift(scorer.score(frozen), scorer.score(recent), threshold=scorer.threshold),
    )
    findings = news | {
        "share": drift.share,
        "features": [asdict(one) for one in drift.features[:_SHOWN]],
        "score": asdict(drift.score),
        "drifted": drift.drifted,
    }
    if drift.drifted or force:
        return Done(findings)
    return Done(findings, "unchanged", ("nothing drifted",))


def held_back(connection: Connection, task: Task) -> str | None:
    """Why a model is not retrained by itself: somebody took its last promotion back."""
    last = latest_promotion(connection, task.role, task.point_id)
    if last is None or last.undone_ns is None or last.former != task.champion:
        return None
    return f"its last promotion was undone ({last.undone_why}); --force retrains it all the same"


def _same(before: Task, task: Task, news: Mapping[str, int]) -> bool:
    """Whether nothing came since a model was looked at, neither windows nor labels."""
    found = before.findings.get("drift", {})
    return before.champion == task.champion and all(found.get(name, 0) == value for name, value in news.items())


def _names(row: PointRow) -> list[str]:
    if len(row.channels) <= 1:
        return list(WATCHED.names)
    return [f"{name} ({channel})" for channel in row.channels for name in WATCHED.names]


def _ids(kept: FrozenWindows | None) -> NDArray[np.int64]:
    return np.empty(0, np.int64) if kept is None else kept.ids


def _carriers(kept: FrozenWindows | None) -> NDArray[np.int64]:
    return np.empty(0, np.int64) if kept is None else kept.carriers


def select_windows(context: Context, task: Task) -> Done:
    """Choose what is learned from and what judges, and freeze what has not been yet."""
    with reading(context.engine) as connection:
        row = _point(connection, task)
        kept = read_frozen(connection, row)
    provenance = _champion(context, row).manifest.provenance
    frozen = kept or freeze(context.engine, row, provenance=provenance, amounts=context.amounts)
    with reading(context.engine) as connection:
        chosen = select(
            connection,
            row,
            provenance=provenance,
            kept=frozen.ids,
            carriers=frozen.carriers,
            amounts=context.amounts,
        )
    findings = {
        "start": chosen.start.ids.tolist(),
        "learned": chosen.learned.ids.tolist(),
        "frozen": len(frozen.ids),
        "recent": chosen.recent.ids.tolist(),
        "alarmed": {kind: ids.tolist() for kind, ids in chosen.alarmed.items()},
        "rejected": chosen.rejected.tolist(),
        "from_ns": int(chosen.learned.start_ns.min()),
        "to_ns": int(chosen.learned.end_ns.max()),
    }
    return Done(findings, write=None if kept else partial(write_frozen, row=row, frozen=frozen))


def train_challenger(context: Context, task: Task) -> Done:
    """Learn a challenger and write its bundle; one that an earlier try has written is taken."""
    with reading(context.engine) as connection:
        row = _point(connection, task)
        chosen = task.findings["select"]
        features = features_of(connection, np.array(chosen["learned"], dtype=np.int64))
    bundle_id = baseline_name(row.id, context.run.id)
    if not (context.settings.bundles / bundle_id).exists():
        _learn(context, row, features, bundle_id, chosen)
    manifest = load_bundle(context.settings.bundles / bundle_id).manifest
    if manifest.provenance.get("point") != row.id:
        raise ArtifactError(
            f"bundle {bundle_id} was learned from {manifest.provenance.get('point')}, not from {row.id}"
        )
    findings = {"threshold": manifest.thresholds["score"], "metrics": dict(manifest.metrics)}
    return Done(findings, challenger=bundle_id)


def _learn(
    context: Context, row: PointRow, features: NDArray[np.float32], bundle_id: str, chosen: Mapping[str, Any]
) -> None:
    from edge.convert import to_tflite
    from models.autoencoder import learn_baseline, write_baseline

    rate = context.settings.false_alarm_rate
    baseline = learn_baseline(features, convert=to_tflite, seed=_SEED, false_alarm_rate=rate)
    provenance = {
        "point": row.id,
        "rate_hz": row.rate_hz,
        "unit": row.unit,
        "windows": len(features),
        "healthy_start": chosen["start"],
        "window_ids": chosen["learned"],
        "retraining": context.run.id,
    }
    write_baseline(
        context.settings.bundles,
        baseline,
        bundle_id=bundle_id,
        contract=WATCHED.hash,
        seed=_SEED,
        provenance=provenance,
    )


def pass_gate(context: Context, task: Task) -> Done:
    """Judge champion and challenger, as they serve, on the same windows."""
    settings = context.settings
    assert task.challenger is not None
    with reading(context.engine) as connection:
        row = _point(connection, task)
        frozen = read_frozen(connection, row)
        assert frozen is not None
        chosen = task.findings["select"]
        recent_ids = np.array(chosen["recent"], dtype=np.int64)
        recent = features_of(connection, recent_ids)
        frozen_ns, recent_ns = ends_of(connection, frozen.ids), ends_of(connection, recent_ids)
        alarmed = {
            kind: features_of(connection, np.array(ids, dtype=np.int64)) for kind, ids in chosen["alarmed"].items()
        }
        said_none = np.array(chosen.get("rejected", []), dtype=np.int64)
        rejected = features_of(connection, said_none) if said_none.size else None
    judged = []
    for bundle in (_champion(context, row), load_bundle(settings.bundles / task.challenger)):
        scorer = Scorer(bundle, contract=WATCHED.hash)
        judged.append(
            judge(
                scorer.score,
                threshold=scorer.threshold,
                tail=tail_of(bundle),
                frozen=frozen.healthy,
                recent=recent,
                frozen_ns=frozen_ns,
                recent_ns=recent_ns,
                faults=frozen.faults,
                alarmed=alarmed,
                rejected=rejected,
                alarm=settings.alarm(),
            )
        )
    champion, challenger = judged
    reasons = gate(champion, challenger, rate=settings.false_alarm_rate)
    findings = {"champion": shown(champion), "challenger": shown(challenger), "rate": settings.false_alarm_rate}
    return Done(findings, "refused" if reasons else None, reasons)


def tail_of(bundle: Bundle) -> Tail | None:
    """The tail of a baseline's healthy scores; None where the bundle, an older one, does not say where it begins."""
    metrics = bundle.manifest.metrics
    if any(name not in metrics for name in _TAIL):
        return None
    return Tail(*(float(metrics[name]) for name in _TAIL))


def shown(judged: Judged) -> dict[str, Any]:
    """What a model said, as JSON for the report."""
    entries = asdict(judged)
    entries["calibration"] = {str(rate): share for rate, share in entries["calibration"].items()}
    return entries


def take_place(context: Context, task: Task) -> Done:
    """Let the challenger serve, in the transaction that keeps the step; not while an alarm stands."""
    assert task.challenger is not None
    write = partial(_write_place, task=task, run_id=context.run.id, now_ns=context.now_ns)
    return Done(outcome="promoted", reasons=("it lost nothing that it may not lose",), write=write)


def _write_place(connection: Connection, *, task: Task, run_id: str, now_ns: int) -> None:
    assert task.challenger is not None
    promote(
        connection,
        JOB,
        role=task.role,
        point_id=task.point_id,
        champion=task.champion,
        challenger=task.challenger,
        run_id=run_id,
        now_ns=now_ns,
    )
    # With the point's row in hand: ingest raises no alarm there until this is through, and then judges anew.
    if task.point_id:
        refuse_while_alarmed(connection, task.point_id)


# Steps of a baseline, in order.
STEPS: Mapping[str, Step] = {
    "drift": measure_drift,
    "select": select_windows,
    "train": train_challenger,
    "gate": pass_gate,
    "promote": take_place,
}
