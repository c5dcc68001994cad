"""A store of points with models that were retrained, without anything being trained."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from app.retraining.lock import held_lock
from app.retraining.promotion import JOB, promote
from app.retraining.records import BASELINE, Options, Outcome, Run, Task, begin_run, end_run, save_task
from app.settings import Settings
from app.store import PointRow, save_point, writing

NOW_NS = 1_795_000_000_000_000_000
SECOND_NS = 1_000_000_000


def _judged(threshold: float, outer: float) -> dict[str, Any]:
    share = {"passed": 1, "windows": 120, "low": 0.0, "independent": 60.0}
    return {
        "threshold": threshold,
        "frozen": share,
        "recent": share,
        "alarms": 0,
        "calibration": {"0.1": {**share, "passed": 11}},
        "detected": {"outer": outer, "inner": 0.9},
        "seen": {},
    }


def findings(*reasons: str, drifted: bool = True) -> dict[str, Any]:
    """What the steps of a task found."""
    names = ("rms", "kurtosis", "crest factor", "BPFO level")
    features = [
        {
            "name": name,
            "psi": 0.9 - 0.2 * i,
            "psi_by_chance": 0.3,
            "ks": 0.5 - 0.1 * i,
            "p_value": 1e-9,
            "drifted": i < 2,
        }
        for i, name in enumerate(names)
    ]
    score = {"superiority": 0.81, "p_value": 1e-6, "ratio": 1.4, "passing": 0.02, "drifted": drifted}
    return {
        "drift": {"newest": 9, "share": 0.5, "features": features, "score": score, "drifted": drifted},
        "gate": {"champion": _judged(1.25, 0.8), "challenger": _judged(1.5, 0.6), "rate": 0.001},
        "reasons": list(reasons),
    }


def watched(engine: Engine, settings: Settings, points: tuple[str, ...]) -> None:
    """Points that are watched by a first model."""
    with writing(engine) as connection:
        for point in points:
            save_point(connection, PointRow(id=point, name=point, state="watching", bundle="first"), new=True)
    (settings.bundles / "first").mkdir(parents=True, exist_ok=True)


def ran(
    engine: Engine,
    settings: Settings,
    at: int,
    outcomes: dict[str, Outcome],
    *,
    ended: bool = True,
    champion: str = "first",
) -> Run:
    """A run that came to outcomes, by point, a second after another; challengers are promoted where it says so."""
    now_ns = NOW_NS + at * SECOND_NS
    with held_lock(engine, stale_s=60.0, clock_ns=lambda: now_ns) as lock, writing(engine) as connection:
        run = begin_run(connection, lock, Options(), now_ns=now_ns)
        for point, outcome in outcomes.items():
            challenger = f"challenger-{at}" if outcome in ("promoted", "refused") else None
            found = findings("outer: it sees 60 % of windows with a fault" if outcome == "refused" else "better")
            step = "promote" if outcome == "promoted" else "gate"
            save_task(connection, lock, [Task(run.id, BASELINE, point, step, outcome, champion, challenger, found)])
            if challenger:
                (settings.bundles / challenger).mkdir(exist_ok=True)
            if challenger and outcome == "promoted":
                values = {"champion": champion, "challenger": challenger, "run_id": run.id, "now_ns": now_ns}
                promote(connection, JOB, BASELINE, point, **values)
        if ended:
            end_run(connection, lock, run, now_ns=now_ns + 5 * SECOND_NS)
    return run
