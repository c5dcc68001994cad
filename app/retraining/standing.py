"""How every model stands: who serves, what the last retraining said of it, how it last changed hands; bounded reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.retraining.promotion import Promotion, model_name
from app.retraining.records import BASELINE, PARTS, Run, Task
from app.schema import champions, points, promotions, retraining_lock, retraining_runs, retraining_tasks

__all__ = ["Progress", "Standing", "history_of", "outcomes_of", "progress_of", "standings"]

# Runs that are looked through for the latest word on each model.
_RUNS = 30
# In which a run takes models in hand, and of how many of those in hand it is said which they are.
_ORDER, _NAMED = tuple(role for part in PARTS for role in part), 3
_one = retraining_tasks.c


@dataclass(frozen=True)
class Standing:
    """A model as it stands.

    Attributes
    ----------
    role, point_id : str
        The point is empty for a model of all points.
    bundle : str or None
        Who serves.
    task : Task or None
        The last one that came to an outcome, of the latest 30 runs; None where it is not about who serves.
    promotion : Promotion or None
        How it last changed hands; None where it has learned anew since, such as after a repair.
    """

    role: str
    point_id: str
    bundle: str | None
    task: Task | None = None
    promotion: Promotion | None = None

    @property
    def name(self) -> str:
        """For people."""
        return model_name(self.role, self.point_id)

    @property
    def drifted(self) -> bool:
        """Whether the last look found drift."""
        return self.task is not None and bool(self.task.findings.get("drift", {}).get("drifted"))

    @property
    def taken_back(self) -> bool:
        """Whether the challenger that the last look brought serves no more, since its promotion was undone."""
        task, last = self.task, self.promotion
        if task is None or last is None or task.outcome != "promoted":
            return False
        return last.undone_ns is not None and last.bundle == task.challenger

    @property
    def undoable(self) -> bool:
        """Whether its last promotion stands and could be taken back."""
        last = self.promotion
        return last is not None and last.undone_ns is None and last.bundle == self.bundle and last.former is not None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    run_id : str
    done, total : int
        Models.
    at : str
        Models and steps that it is at, the first three of them; empty at its end.
    beat_ns : int or None
        When the job was last heard of; None where nobody holds the lock, such as after a kill.
    """

    run_id: str
    done: int
    total: int
    at: str
    beat_ns: int | None


def standings(connection: Connection) -> list[Standing]:
    """List the models of points that serve and those of all points, by role and point."""
    serving = sa.select(points.c.id, points.c.bundle).where(points.c.bundle.is_not(None)).order_by(points.c.id)
    models = [("", row.role, row.bundle) for row in connection.execute(sa.select(champions).order_by(champions.c.role))]
    models += [(row.id, BASELINE, row.bundle) for row in connection.execute(serving)]
    tasks, changed = _latest_tasks(connection), _latest_promotions(connection)
    return [
        Standing(
            role,
            point_id,
            bundle,
            _about(bundle, tasks.get((role, point_id))),
            _brought(bundle, changed.get((role, point_id))),
        )
        for point_id, role, bundle in models
    ]


def _about(bundle: str, task: Task | None) -> Task | None:
    """The last word on a model, unless it is on models that serve no more: a point that learns anew has another one."""
    return task if task is not None and bundle in (task.champion, task.challenger) else None


def _brought(bundle: str, last: Promotion | None) -> Promotion | None:
    """The last promotion, unless the model that serves is neither its challenger nor, by its undoing, the former."""
    if last is None or (last.bundle != bundle and (last.undone_ns is None or last.former != bundle)):
        return None
    return last


def _latest_tasks(connection: Connection) -> dict[tuple[str, str], Task]:
    """The last word on each model; what was found is long, and read of these alone."""
    lately = sa.select(retraining_runs.c.id).order_by(retraining_runs.c.started_ns.desc()).limit(_RUNS)
    run_ids = connection.execute(lately).scalars().all()
    query = sa.select(_one.role, _one.point_id, sa.func.max(_one.run_id).label("run_id"))
    ended = (_one.run_id.in_(run_ids)) & _one.outcome.is_not(None)
    by_run: dict[str, set[tuple[str, str]]] = {}
    for row in connection.execute(query.where(ended).group_by(_one.role, _one.point_id)):
        by_run.setdefault(row.run_id, set()).add((row.role, row.point_id))
    found: dict[tuple[str, str], Task] = {}
    for run_id, wanted in by_run.items():
        own = (_one.run_id == run_id) & _one.point_id.in_({point_id for _, point_id in wanted})
        for task in _tasks(connection.execute(sa.select(retraining_tasks).where(own))):
            if (task.role, task.point_id) in wanted:
                found[task.role, task.point_id] = task
    return found


def _tasks(rows: Iterable[sa.Row[Any]]) -> list[Task]:
    return [Task(**{**row._mapping, "findings": json.loads(row.findings)}) for row in rows]


def _latest_promotions(connection: Connection) -> dict[tuple[str, str], Promotion]:
    latest = sa.select(sa.func.max(promotions.c.id)).group_by(promotions.c.role, promotions.c.point_id)
    rows = connection.execute(sa.select(promotions).where(promotions.c.id.in_(latest)))
    return {(row.role, row.point_id): Promotion(**row._mapping) for row in rows}


def history_of(connection: Connection, role: str, point_id: str, *, most: int) -> list[Task]:
    """List what the latest runs found of a model, newest first."""
    own = (_one.role == role) & (_one.point_id == point_id)
    query = sa.select(retraining_tasks).where(own).order_by(_one.run_id.desc()).limit(most)
    return _tasks(connection.execute(query))


def outcomes_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, Counter[str | None]]:
    """Count the outcomes of runs."""
    counted: dict[str, Counter[str | None]] = {run_id: Counter() for run_id in run_ids}
    query = sa.select(_one.run_id, _one.outcome, sa.func.count()).where(_one.run_id.in_(run_ids))
    for run_id, outcome, n in connection.execute(query.group_by(_one.run_id, _one.outcome)):
        counted[run_id][outcome] = n
    return counted


def progress_of(connection: Connection, run: Run) -> Progress:
    """Say how far a run is that is not done."""
    own = _one.run_id == run.id
    counts = sa.select(sa.func.count(), sa.func.count(_one.outcome)).where(own)
    total, done = connection.execute(counts).one()
    query = sa.select(retraining_tasks).where(own & _one.outcome.is_(None)).order_by(_one.point_id)
    left = sorted(_tasks(connection.execute(query)), key=lambda task: _ORDER.index(task.role))
    # A step that was begun is counted before it is taken; of one that is done, the next is due.
    in_hand = [task for task in left if task.findings.get("attempts", {}).get(task.step)] or left[:1]
    named = [f"{model_name(task.role, task.point_id)}, step {task.step}" for task in in_hand[:_NAMED]]
    more = [f"{len(in_hand) - _NAMED} more"] if len(in_hand) > _NAMED else []
    lock = connection.execute(sa.select(retraining_lock)).first()
    beat_ns = lock.beat_ns if lock is not None and lock.holder else None
    return Progress(run.id, done, total, "; ".join(named + more), beat_ns)
