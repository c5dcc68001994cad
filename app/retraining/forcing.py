"""Somebody lets a challenger serve that the gate refused; refuses one that is gone, overtaken or without a reason."""

from __future__ import annotations

import json
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Connection

from app.access.roles import User, demand
from app.fleet.candidates import lay
from app.retraining.promotion import OvertakenError, promote
from app.retraining.records import Task
from app.schema import retraining_tasks
from features.errors import ParameterError

__all__ = ["force"]


def force(
    connection: Connection,
    user: User,
    task: Task,
    *,
    there: Callable[[str], bool],
    why: str,
    now_ns: int,
    packed: bytes | None = None,
) -> None:
    """Let a refused challenger serve, in the caller's transaction; the task says from then on that it was forced.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    user : User
    task : Task
        That refused it.
    there : callable
        Whether a bundle can be served.
    why : str
    now_ns : int
    packed : bytes, optional
        The packed model of a network of nodes, which is handed over to the fleet as a candidate.

    Raises
    ------
    ForbiddenError
        If the user may not change models.
    ParameterError
        If no reason is given, or the task refused nothing.
    OvertakenError
        If the challenger is gone, or another model serves by now than the one that it was held against.
    """
    demand(user, "change models")
    if not why.strip():
        raise ParameterError("a challenger that was refused serves for a reason only; say which")
    if task.outcome != "refused" or task.challenger is None:
        raise ParameterError(f"the run {task.run_id} refused no challenger here")
    if not _is_marked(connection, task, user, why=why, now_ns=now_ns):
        raise OvertakenError(f"somebody else has decided on {task.challenger} by now")
    # Once the task is ours: the job, which removes what was refused, holds the same row while it does.
    if not there(task.challenger):
        raise OvertakenError(f"the challenger {task.challenger} is gone; retrain the model")
    promote(
        connection,
        user,
        task.role,
        task.point_id,
        champion=task.champion,
        challenger=task.challenger,
        run_id=task.run_id,
        now_ns=now_ns,
        why=f"in spite of the gate: {why}",
    )
    if packed is not None:
        lay(connection, packed, bundle=task.challenger, why=f"{user.name}, in spite of the gate: {why}", now_ns=now_ns)


def _is_marked(connection: Connection, task: Task, user: User, *, why: str, now_ns: int) -> bool:
    """Write into the task that it was overruled: what is refused is removed with the next run, this must not be."""
    own = (retraining_tasks.c.run_id == task.run_id) & (retraining_tasks.c.role == task.role)
    own &= (retraining_tasks.c.point_id == task.point_id) & (retraining_tasks.c.outcome == "refused")
    findings = {**task.findings, "forced": {"who": user.name, "why": why, "at_ns": now_ns}}
    marked = retraining_tasks.update().where(own).values(outcome="promoted", findings=json.dumps(findings))
    done: sa.CursorResult[tuple[()]] = connection.execute(marked)
    return done.rowcount == 1
