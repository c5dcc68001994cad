"""What the retraining job remembers in the store: runs, and of each model how far it is and what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from app.retraining.lock import Lock
from app.schema import retraining_runs, retraining_tasks
from features.errors import ParameterError

__all__ = [
    "BASELINE",
    "DIAGNOSIS",
    "NODE_HEALTH",
    "PARTS",
    "Options",
    "Outcome",
    "Run",
    "Task",
    "begin_run",
    "end_run",
    "judged_before",
    "run_named",
    "runs",
    "save_task",
    "still_stands",
    "tasks_of",
    "unfinished_run",
]

Outcome = Literal["unchanged", "waiting", "promoted", "refused", "overtaken", "failed"]
# Role of the models of points.
BASELINE = "baseline"
# Role of the network that names fault kinds.
DIAGNOSIS = "diagnosis"
# Role of the network that all nodes judge health with.
NODE_HEALTH = "node-health"
# Models of one part know nothing of each other; the network that takes longest comes first. That of nodes looks at what
# the baselines came to.
PARTS = ((DIAGNOSIS, BASELINE), (NODE_HEALTH,))
_FIRST = "drift"


@dataclass(frozen=True)
class Options:
    """What a run was asked for.

    Attributes
    ----------
    points : tuple of str
        Only these; empty for all that are watched.
    force : bool
        Whether a challenger is learned where nothing drifted, too.
    """

    points: tuple[str, ...] = ()
    force: bool = False


@dataclass(frozen=True)
class Run:
    """A run of the job; `state` is ``running`` or ``done``."""

    id: str
    started_ns: int
    ended_ns: int | None
    state: str
    options: Options


@dataclass(frozen=True)
class Task:
    """What a run does for one model.

    Attributes
    ----------
    role : str
    point_id : str
        Empty for a model of all points.
    step : str
        To be taken next.
    outcome : str or None
        None until it is decided.
    champion, challenger : str or None
        Bundles.
    findings : mapping
        What each step found, by step.
    """

    run_id: str
    role: str
    point_id: str
    step: str = _FIRST
    outcome: Outcome | None = None
    champion: str | None = None
    challenger: str | None = None
    findings: Mapping[str, Any] = field(default_factory=dict)


def begin_run(connection: Connection, lock: Lock, options: Options, *, now_ns: int) -> Run:
    """Begin a run, which is named by its moment."""
    lock.hold(connection)
    run = Run(datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S%f"), now_ns, None, "running", options)
    asked = json.dumps({"points": list(options.points), "force": options.force})
    connection.execute(retraining_runs.insert().values(id=run.id, started_ns=now_ns, state=run.state, options=asked))
    return run


def end_run(connection: Connection, lock: Lock, run: Run, *, now_ns: int) -> None:
    """Say that a run is done."""
    lock.hold(connection)
    own = retraining_runs.c.id == run.id
    connection.execute(retraining_runs.update().where(own).values(state="done", ended_ns=now_ns))


def runs(connection: Connection, *, most: int) -> list[Run]:
    """Read the latest runs, newest first."""
    query = sa.select(retraining_runs).order_by(retraining_runs.c.started_ns.desc()).limit(most)
    return [_run(row) for row in connection.execute(query)]


def run_named(connection: Connection, run_id: str) -> Run:
    """Read a run.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    row = connection.execute(sa.select(retraining_runs).where(retraining_runs.c.id == run_id)).one_or_none()
    if row is None:
        raise ParameterError(f"there is no retraining {run_id!r}; `raceway retrain list` shows them")
    return _run(row)


def unfinished_run(connection: Connection) -> Run | None:
    """Read the run that was broken off, where one was."""
    query = sa.select(retraining_runs).where(retraining_runs.c.state == "running").order_by(retraining_runs.c.id)
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _run(row)


def _run(row: sa.Row[Any]) -> Run:
    asked = json.loads(row.options)
    return Run(row.id, row.started_ns, row.ended_ns, row.state, Options(tuple(asked["points"]), bool(asked["force"])))


def tasks_of(connection: Connection, run_id: str) -> list[Task]:
    """Read the tasks of a run, by role and point."""
    query = sa.select(retraining_tasks).where(retraining_tasks.c.run_id == run_id)
    rows = connection.execute(query.order_by(retraining_tasks.c.role, retraining_tasks.c.point_id))
    return [_task(row) for row in rows]


def judged_before(connection: Connection, task: Task) -> Task | None:
    """Read what was last found of the same model, in an earlier run."""
    same = (retraining_tasks.c.role == task.role) & (retraining_tasks.c.point_id == task.point_id)
    earlier = same & (retraining_tasks.c.run_id < task.run_id) & retraining_tasks.c.outcome.is_not(None)
    query = sa.select(retraining_tasks).where(earlier).order_by(retraining_tasks.c.run_id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _task(row)


def still_stands(connection: Connection, task: Task) -> bool:
    """Hold a task until the end of the transaction, and say whether nobody has overruled its outcome."""
    own = (retraining_tasks.c.run_id == task.run_id) & (retraining_tasks.c.role == task.role)
    own &= (retraining_tasks.c.point_id == task.point_id) & (retraining_tasks.c.outcome == task.outcome)
    return connection.execute(retraining_tasks.update().where(own).values(outcome=task.outcome)).rowcount == 1


def _task(row: sa.Row[Any]) -> Task:
    values = dict(row._mapping)
    values["findings"] = json.loads(values["findings"])
    return Task(**values)


def save_task(connection: Connection, lock: Lock, tasks: Sequence[Task]) -> None:
    """Write tasks, new ones and known ones, in the caller's transaction.

    Raises
    ------
    LockLostError
        If another job has the lock.
    """
    lock.hold(connection)
    for task in tasks:
        values = dict(vars(task)) | {"findings": json.dumps(dict(task.findings))}
        own = (retraining_tasks.c.run_id == task.run_id) & (retraining_tasks.c.role == task.role)
        own &= retraining_tasks.c.point_id == task.point_id
        if connection.execute(retraining_tasks.update().where(own).values(**values)).rowcount == 0:
            connection.execute(retraining_tasks.insert().values(**values))
