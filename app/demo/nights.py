"""Nightly retraining in a history that is written at once: drift, challengers, promotions, refusals; made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from app.access.audit import note
from app.access.roles import User
from app.demo.past import HistoryPlan, Past
from app.demo.world import HOUR_NS
from app.retraining.records import BASELINE, Options, Run, Task
from app.retraining.report import report_path, write_report
from app.schema import promotions, retraining_runs, retraining_tasks
from app.settings import Settings
from app.store import insert_rows, set_champion
from features.contract import WATCHED

__all__ = ["write_nights"]

_FEATURES = 12
_AT_H = 3.5
_JOB = User("raceway", "engineer")
_REASONS = {
    "promoted": "no figure is worse than the champion's, and it fits the recent windows better",
    "refused": "outer: it sees 61 % of windows with a fault, the champion 80 %",
    "unchanged": "nothing drifted",
    "waiting": "34 healthy windows of 60 wanted since the baseline was learned",
}
_REPORTS = 3


def write_nights(
    connection: Connection, settings: Settings, pasts: Sequence[Past], plan: HistoryPlan, rng: np.random.Generator
) -> None:
    """Write a run of each night with a task for each machine, and the promotions that came of them.

    There are no bundles: nothing was learned that could serve.
    """
    for day in range(1, plan.days):
        run = _run(plan, day)
        own = [_task(run, past, 24 * day, rng) for past in pasts]
        row = {"id": run.id, "started_ns": run.started_ns, "ended_ns": run.ended_ns, "state": "done"}
        insert_rows(connection, retraining_runs, [row | {"options": '{"points": [], "force": false}'}])
        insert_rows(connection, retraining_tasks, [_task_row(task) for task in own])
        _write_promotions(connection, run, own)
        if day >= plan.days - _REPORTS:
            write_report(report_path(settings.reports, run.id), run, own)
    set_champion(connection, "diagnosis", "diagnosis-made-up", now_ns=plan.begin_ns)


def _run(plan: HistoryPlan, day: int) -> Run:
    started_ns = plan.begin_ns + 24 * day * HOUR_NS + round(_AT_H * HOUR_NS)
    name = datetime.fromtimestamp(started_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S%f")
    return Run(name, started_ns, started_ns + 240_000_000_000, "done", Options())


def _task(run: Run, past: Past, hour: int, rng: np.random.Generator) -> Task:
    chance = float(rng.random())
    if not past.scored[hour]:
        outcome = "waiting"
    elif chance < 0.004:
        outcome = "promoted"
    elif chance < 0.012:
        outcome = "refused"
    else:
        outcome = "unchanged"
    drifted = outcome in ("promoted", "refused")
    challenger = f"baseline-{past.point_id.replace('/', '-')}-{run.id}" if drifted else None
    found: dict[str, Any] = {"reasons": [_REASONS[outcome]]}
    if outcome != "waiting":
        found["drift"] = _drift(drifted=drifted, rng=rng)
    if drifted:
        found["gate"] = {"champion": _judged(1.25, 0.8), "challenger": _judged(1.5, 0.61), "rate": 0.001}
    step = "promote" if outcome == "promoted" else "gate" if drifted else "drift"
    return Task(run.id, BASELINE, past.point_id, step, outcome, past.bundle(hour), challenger, found)  # type: ignore[arg-type]  # one of the outcomes


def _drift(*, drifted: bool, rng: np.random.Generator) -> dict[str, Any]:
    names = rng.choice(WATCHED.names, _FEATURES, replace=False)
    top = 0.9 if drifted else 0.25
    psi = np.sort(rng.uniform(0.02, top, _FEATURES))[::-1]
    features = [
        {
            "name": str(name),
            "psi": round(float(value), 3),
            "psi_by_chance": 0.3,
            "ks": round(float(0.5 * value + 0.05), 3),
            "p_value": 1e-7 if value > 0.5 else 0.2,
            "drifted": bool(value > 0.5),
        }
        for name, value in zip(names, psi, strict=True)
    ]
    share = float(np.sum(psi > 0.5)) / len(WATCHED.features)
    score = {
        "superiority": 0.78 if drifted else round(float(rng.uniform(0.45, 0.58)), 3),
        "p_value": 1e-6 if drifted else 0.3,
        "ratio": 1.4 if drifted else 1.02,
        "passing": 0.02 if drifted else 0.001,
        "drifted": drifted,
    }
    return {"newest": 0, "said": 0, "share": share, "features": features, "score": score, "drifted": drifted}


def _judged(threshold: float, outer: float) -> dict[str, Any]:
    share = {"passed": 1, "windows": 120, "low": 0.0, "independent": 60.0}
    return {
        "threshold": threshold,
        "frozen": share,
        "recent": share,
        "alarms": 0,
        "calibration": {"0.1": share | {"passed": 11}},
        "detected": {"outer": outer, "inner": 0.9},
        "seen": {},
    }


def _task_row(task: Task) -> dict[str, Any]:
    return dict(vars(task)) | {"findings": json.dumps(dict(task.findings))}


def _write_promotions(connection: Connection, run: Run, tasks: Sequence[Task]) -> None:
    for i, task in enumerate(one for one in tasks if one.outcome == "promoted"):
        undone = i == 1
        row: Mapping[str, Any] = {
            "role": BASELINE,
            "point_id": task.point_id,
            "bundle": task.challenger,
            "former": task.champion,
            "at_ns": run.ended_ns,
            "run_id": run.id,
            "undone_ns": (run.ended_ns or 0) + 5 * HOUR_NS if undone else None,
            "undone_why": "it raised on every start" if undone else None,
        }
        connection.execute(promotions.insert().values(**row))
        why = f"{task.challenger}: it passed the gate"
        target = f"baseline of {task.point_id}"[:200]
        note(connection, _JOB, "promote", target=target, why=why, now_ns=run.ended_ns or run.started_ns)
