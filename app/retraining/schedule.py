"""Retraining at the times of a schedule, each run as a process of its own; refuses times that are none."""

from __future__ import annotations

import subprocess
import sys
import threading

from app.logs import log
from app.process import spawn, stop
from app.retraining.records import unfinished_run
from app.settings import Settings
from app.store import open_store, reading
from features.errors import ParameterError

__all__ = ["run_schedule"]

_POLL_S = 0.5
# A run that could not begin at its time, such as of a host that slept, begins up to so many seconds late.
_GRACE_S = 3600


def run_schedule(settings: Settings, *, stopped: threading.Event, command: tuple[str, ...] = ()) -> None:
    """Retrain at the times of the schedule, and at once where a run was broken off, until the event is set.

    Parameters
    ----------
    settings : Settings
    stopped : Event
    command : tuple of str
        What is run; empty: `raceway retrain`.

    Raises
    ------
    ParameterError
        If the schedule is empty or no times of cron.

    Notes
    -----
    The scheduler only says when. Each run is a process of its own, so that what TensorFlow takes is given back, and so
    that a run which is killed does not take the schedule with it.
    """
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.cron import CronTrigger

    try:
        trigger = CronTrigger.from_crontab(settings.retrain_schedule, timezone="UTC")
    except ValueError as error:
        raise ParameterError(
            f"retrain_schedule {settings.retrain_schedule!r} is no schedule of cron: {error}"
        ) from error
    due = threading.Event()
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(due.set, trigger, coalesce=True, max_instances=1, misfire_grace_time=_GRACE_S)
    scheduler.start()
    if _left_over(settings):
        due.set()
    log("info", "retraining scheduled", schedule=settings.retrain_schedule)
    running: list[subprocess.Popen[bytes]] = []
    try:
        while not stopped.wait(_POLL_S):
            running = [process for process in running if not _ended(process)]
            if due.is_set() and not running:
                due.clear()
                raceway = command or (sys.executable, "-m", "app.cli", "retrain")
                running.append(spawn(raceway, environment=settings.environment()))
    finally:
        scheduler.shutdown(wait=False)
        stop(running)


def _left_over(settings: Settings) -> bool:
    engine = open_store(settings.database, migrate=True)
    with reading(engine) as connection:
        left = unfinished_run(connection)
    engine.dispose()
    return left is not None


def _ended(process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is None:
        return False
    log("info" if process.returncode == 0 else "error", "retraining ended", code=process.returncode)
    return True
