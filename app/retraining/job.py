"""The retraining job: models in turn, step by step, with every step kept; goes on where it was broken off."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine

from app.logs import log
from app.retraining.asking import Ask, mark_taken, open_asks
from app.retraining.faultkinds import verdict_labels
from app.retraining.lock import Lock, held_lock
from app.retraining.promotion import OvertakenError
from app.retraining.records import (
    BASELINE,
    DIAGNOSIS,
    NODE_HEALTH,
    PARTS,
    Options,
    Run,
    Task,
    begin_run,
    end_run,
    save_task,
    tasks_of,
    unfinished_run,
)
from app.retraining.report import report_path, write_report
from app.retraining.selection import NotReadyError
from app.retraining.steps import Done
from app.retraining.taking import Crew, after, crew, here
from app.retraining.tidying import clear_drafts, clear_former_challenger, clear_reports
from app.settings import Settings
from app.store import PointRow, bundle_of, point_rows, reading, writing
from features.errors import ParameterError

__all__ = ["Hook", "foreseen", "retrain", "retrain_asked"]

# Told each place at which the job can be broken off.
Hook = Callable[[str], None]
# After so many beginnings of the same step without an end, a model is given up in this run: it may be what ends us.
_MOST_ATTEMPTS = 3


def _silent(place: str) -> None:
    del place


@dataclass(frozen=True)
class _Job:
    """What all parts of a run share."""

    engine: Engine
    settings: Settings
    lock: Lock
    clock_ns: Callable[[], int]
    hook: Hook
    crew: Crew

    def keep(self, *tasks: Task, write: Callable[[Connection], None] | None = None) -> None:
        """Write tasks and what belongs to them in one transaction."""
        with writing(self.engine) as connection:
            if write is not None:
                write(connection)
            save_task(connection, self.lock, tasks)


def retrain(
    engine: Engine,
    settings: Settings,
    *,
    options: Options,
    clock_ns: Callable[[], int],
    hook: Hook = _silent,
    progress: Callable[[int, int], None] | None = None,
    by: Crew | None = None,
) -> Run:
    """Retrain what has drifted; first what an earlier run that was broken off has left, and what was asked for.

    Parameters
    ----------
    engine : Engine
        An open store.
    settings : Settings
    options : Options
        What is asked for.
    clock_ns : callable
        Nanoseconds since the epoch.
    hook : callable
        Told each place at which the job can be broken off, as ``baseline site/asset/point train worked``; by several
        threads where several processes take steps.
    progress : callable, optional
        Told the models done and their number.
    by : Crew, optional
        Who takes the steps; by default one that the settings ask for, for this run.

    Returns
    -------
    Run
        The one that was broken off if it was asked for the same, else a new one; it is done.

    Raises
    ------
    BusyError
        If another job runs.
    CrewLostError
        If a process that takes steps was killed; the run is broken off.
    ParameterError
        If a point is named that is not stored.
    """
    with _begun_job(engine, settings, clock_ns, hook, by) as job:
        left = _left_over(job, progress)
        _asked_for(job, progress)
        if left is not None and left.options == options:
            return left
        return _carried_through(job, _begun(job, options), progress)


def retrain_asked(
    engine: Engine,
    settings: Settings,
    *,
    clock_ns: Callable[[], int],
    hook: Hook = _silent,
    progress: Callable[[int, int], None] | None = None,
) -> Run | None:
    """Retrain what an earlier run has left and what somebody asked for, as `retrain` does first.

    Returns
    -------
    Run or None
        The last one that was finished; None where nothing was left or asked for.

    Raises
    ------
    BusyError
        If another job runs.
    CrewLostError
        If a process that takes steps was killed; the run is broken off.
    """
    with _begun_job(engine, settings, clock_ns, hook, None) as job:
        left = _left_over(job, progress)
        return _asked_for(job, progress) or left


@contextlib.contextmanager
def _begun_job(
    engine: Engine, settings: Settings, clock_ns: Callable[[], int], hook: Hook, by: Crew | None
) -> Iterator[_Job]:
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(held_lock(engine, stale_s=settings.retrain_stale_s, clock_ns=clock_ns))
        yield _Job(engine, settings, lock, clock_ns, hook, by or stack.enter_context(crew(engine, settings)))


def _left_over(job: _Job, progress: Callable[[int, int], None] | None) -> Run | None:
    """Clear what killed runs left lying about, and finish the one that was broken off, where one was."""
    clear_drafts(job.settings, now_ns=job.clock_ns())
    with reading(job.engine) as connection:
        left = unfinished_run(connection)
    if left is None:
        return None
    log("info", "retraining goes on", run=left.id)
    return _carried_through(job, left, progress)


def _asked_for(job: _Job, progress: Callable[[int, int], None] | None) -> Run | None:
    with reading(job.engine) as connection:
        asks = open_asks(connection)
    if not asks:
        return None
    points = tuple(sorted({one.point_id for one in asks}))
    return _carried_through(job, _begun(job, Options(points, force=True), asks), progress)


def _begun(job: _Job, options: Options, asks: Sequence[Ask] = ()) -> Run:
    now_ns = job.clock_ns()
    with writing(job.engine) as connection:
        wanted = _wanted(connection, options)
        run = begin_run(connection, job.lock, options, now_ns=now_ns)
        tasks = [Task(run.id, BASELINE, row.id, champion=row.bundle) for row in wanted]
        tasks += _of_labels(connection, job.settings, run.id, options)
        if job.settings.retrain_nodes and not options.points:
            tasks.append(Task(run.id, NODE_HEALTH, "", champion=bundle_of(connection, NODE_HEALTH)))
        save_task(connection, job.lock, tasks)
        mark_taken(connection, asks, run_id=run.id)
    log("info", "retraining begins", run=run.id, models=len(tasks))
    job.hook("run begun")
    return run


def _of_labels(connection: Connection, settings: Settings, run_id: str, options: Options) -> list[Task]:
    """The task of the network that names fault kinds, where people have said something that could teach it more."""
    if not settings.retrain_kinds or options.points or not verdict_labels(connection):
        return []
    return [Task(run_id, DIAGNOSIS, "", champion=bundle_of(connection, DIAGNOSIS))]


def _wanted(connection: Connection, options: Options) -> list[PointRow]:
    rows = point_rows(connection)
    unknown = sorted(set(options.points) - {row.id for row in rows})
    if unknown:
        raise ParameterError(f"no point {unknown[0]!r} is stored; `raceway points list` shows them")
    return [row for row in rows if row.id in options.points or (not options.points and row.state == "watching")]


def foreseen(engine: Engine, settings: Settings, *, options: Options, now_ns: int) -> list[Task]:
    """Look what a run would do, and change nothing.

    Returns
    -------
    list of Task
        With the drift of each model; without outcome where a challenger would be learned.

    Raises
    ------
    ParameterError
        If a point is named that is not stored.
    """
    # Behind the name of every run, as if all were earlier.
    run = Run("~", now_ns, None, "running", options)
    with reading(engine) as connection:
        tasks = [Task(run.id, BASELINE, row.id, champion=row.bundle) for row in _wanted(connection, options)]
        tasks += _of_labels(connection, settings, run.id, options)
    look = here(engine, settings).take
    return [after(task, look(run, task, now_ns)) for task in tasks]


def _carried_through(job: _Job, run: Run, progress: Callable[[int, int], None] | None) -> Run:
    with reading(job.engine) as connection:
        tasks = tasks_of(connection, run.id)
    done = sum(task.outcome is not None for task in tasks)
    for part in PARTS:
        left = [task for role in part for task in tasks if task.role == role and task.outcome is None]
        # One of those in hand when a run was broken off may be what ended it: alone, it is blamed alone.
        suspects = [task for task in left if _attempts(task)]
        others = [task for task in left if not _attempts(task)]
        for some, at_once in ((suspects, 1), (others, job.crew.size)):
            for ended in _side_by_side(lambda task: _carried_out(job, run, task), some, at_once=at_once):
                log("info", "model retrained", role=ended.role, point=ended.point_id, outcome=ended.outcome)
                done += 1
                if progress is not None:
                    progress(done, len(tasks))
    return _finished(job, run)


def _side_by_side(carry: Callable[[Task], Task], tasks: Sequence[Task], *, at_once: int) -> Iterator[Task]:
    """Carry tasks out and give each as it ends; where one raises, begin no other."""
    if at_once == 1:
        yield from map(carry, tasks)
        return
    with ThreadPoolExecutor(at_once) as threads:
        try:
            yield from (one.result() for one in as_completed([threads.submit(carry, task) for task in tasks]))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _finished(job: _Job, run: Run) -> Run:
    """Write the report of a run and say that it is done."""
    with reading(job.engine) as connection:
        tasks = tasks_of(connection, run.id)
    now_ns = job.clock_ns()
    ended = replace(run, ended_ns=now_ns, state="done")
    write_report(report_path(job.settings.reports, run.id), ended, tasks)
    clear_reports(job.settings, now_ns=now_ns)
    job.hook("report written")
    with writing(job.engine) as connection:
        end_run(connection, job.lock, ended, now_ns=now_ns)
    job.hook("run ended")
    return ended


def _carried_out(job: _Job, run: Run, task: Task) -> Task:
    """Take the steps of a task that are left, until its outcome is known."""
    while task.outcome is None:
        begun = _counted(task)
        job.keep(begun)
        where = f"{task.role} {task.point_id} {task.step}"
        job.hook(f"{where} begun")
        done = _step(job, run, begun)
        job.hook(f"{where} worked")
        task = _kept(job, begun, done)
        job.hook(f"{where} kept")
    clear_former_challenger(job.engine, job.settings, task)
    return task


def _counted(task: Task) -> Task:
    attempts = {**task.findings.get("attempts", {}), task.step: _attempts(task) + 1}
    return replace(task, findings={**task.findings, "attempts": attempts})


def _attempts(task: Task) -> int:
    """How often the step that is due was begun without an end."""
    return int(task.findings.get("attempts", {}).get(task.step, 0))


def _step(job: _Job, run: Run, task: Task) -> Done:
    """Take one step; what is refused is an outcome, and so is a step that ended the job again and again."""
    if _attempts(task) > _MOST_ATTEMPTS:
        return Done.ended("failed", f"the job was broken off {_MOST_ATTEMPTS} times in the step {task.step!r}")
    return job.crew.take(run, task, job.clock_ns())


def _kept(job: _Job, task: Task, done: Done) -> Task:
    changed = after(task, done)
    try:
        job.keep(changed, write=done.write)
    except OvertakenError as error:
        changed = after(task, Done.ended("overtaken", str(error)))
        job.keep(changed)
    except NotReadyError as error:
        changed = after(task, Done.ended("waiting", str(error)))
        job.keep(changed)
    return changed
