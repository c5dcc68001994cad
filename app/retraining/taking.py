"""Takes single steps of retraining, here or in processes that end with the one that wants them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from app.logs import configure_logs, log
from app.numerics import ONE_THREAD, handed_down
from app.retraining.faultkinds import FAULT_KIND_STEPS
from app.retraining.lock import LockLostError
from app.retraining.nodes import NODE_STEPS
from app.retraining.promotion import OvertakenError
from app.retraining.records import BASELINE, DIAGNOSIS, NODE_HEALTH, Outcome, Run, Task
from app.retraining.selection import NotReadyError
from app.retraining.steps import STEPS, Context, Done, Step
from app.settings import Settings
from app.store import open_store
from features.errors import RacewayError

__all__ = ["ROLES", "Crew", "CrewLostError", "Taker", "after", "crew", "here"]

ROLES: Mapping[str, Mapping[str, Step]] = {BASELINE: STEPS, DIAGNOSIS: FAULT_KIND_STEPS, NODE_HEALTH: NODE_STEPS}
# Takes the step of a task that is due, in a run, at a time.
Taker = Callable[[Run, Task, int], Done]


class CrewLostError(RacewayError):
    """A process that took a step is gone."""


@dataclass(frozen=True)
class Crew:
    """Who takes steps: `take` may be called by so many threads at once."""

    take: Taker
    size: int = 1


def here(engine: Engine, settings: Settings) -> Crew:
    """Take steps in this process, one after the other."""
    return Crew(lambda run, task, now_ns: _tried(Context(engine, settings, run, now_ns), task))


@contextlib.contextmanager
def crew(engine: Engine, settings: Settings) -> Iterator[Crew]:
    """Let `retrain_processes` take steps, this one alone or so many others.

    The others start when there is something to do, with one core each, stay for the time of the block, and end at once
    where this process is killed.
    """
    size = settings.retrain_processes
    if size == 1:
        yield here(engine, settings)
        return
    # Started anew, not forked: TensorFlow and the database do not survive a fork.
    spawning = multiprocessing.get_context("spawn")
    with (
        handed_down(ONE_THREAD),
        ProcessPoolExecutor(size, mp_context=spawning, initializer=_begin, initargs=(settings,)) as pool,
    ):

        def take(run: Run, task: Task, now_ns: int) -> Done:
            try:
                return pool.submit(_taken, run, task, now_ns).result()
            except BrokenProcessPool as error:
                raise CrewLostError(
                    f"a process that took the step {task.step!r} of {task.point_id or task.role} was killed (is memory "
                    "short?); the next run goes on with it"
                ) from error

        yield Crew(take, size)


def _tried(context: Context, task: Task) -> Done:
    try:
        return ROLES[task.role][task.step](context, task)
    except NotReadyError as error:
        return Done.ended("waiting", str(error))
    except OvertakenError as error:
        return Done.ended("overtaken", str(error))
    except (LockLostError, sa.exc.SQLAlchemyError, MemoryError):
        # These are of the job and its host, not of this model: the run is broken off and gone on with.
        raise
    except RacewayError as error:
        return Done.ended("failed", str(error))
    except Exception as error:  # noqa: BLE001  # one model must not end the retraining of all others
        said = f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        log("error", "retraining step failed", role=task.role, point=task.point_id, step=task.step, trace=trace)
        return Done.ended("failed", f"the step {task.step!r} met what was not foreseen: {said}")


def after(task: Task, done: Done) -> Task:
    """Give a task as it is when its step has been taken: with the next step, or with its outcome."""
    steps = list(ROLES[task.role])
    following = steps[steps.index(task.step) + 1 :]
    outcome: Outcome | None = done.outcome
    if outcome is None and not following:
        raise AssertionError(f"the last step {task.step!r} has no outcome")
    findings: Mapping[str, Any] = {**task.findings, task.step: done.findings}
    if done.reasons:
        findings = {**findings, "reasons": list(done.reasons)}
    return replace(
        task,
        step=task.step if outcome else following[0],
        outcome=outcome,
        challenger=done.challenger or task.challenger,
        findings=findings,
    )


# -- in a process of the crew -----------------------------------------------------------------------------------------

_own: Crew | None = None


def _begin(settings: Settings) -> None:
    global _own
    threading.Thread(target=_end_with_parent, daemon=True).start()
    configure_logs(level=settings.log_level)
    _own = here(open_store(settings.database), settings)


def _end_with_parent() -> None:
    """End in the middle of a step, too: whoever goes on with the run takes the same step again."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _taken(run: Run, task: Task, now_ns: int) -> Done:
    assert _own is not None
    return _own.take(run, task, now_ns)
