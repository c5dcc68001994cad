"""Retraining at the times of a schedule, each run as a process of its own; refuses times that are none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import sqlalchemy as sa
from sqlalchemy import Engine

from app.logs import log
from app.process import spawn, stop
from app.retraining.asking import open_asks
from app.retraining.records import unfinished_run
from app.settings import Settings
from app.store import open_store, reading
from features.errors import ParameterError

__all__ = ["run_schedule"]

_POLL_S = 0.5
# A run that could not begin at its time, such as of a host that slept, begins up to so many seconds late.
_GRACE_S = 3600
# What was asked for and not begun, such as while another host retrains, is tried again after so long.
_ASKED_AGAIN_S = 30.0


def run_schedule(settings: Settings, *, stopped: threading.Event, command: tuple[str, ...] = ()) -> None:
    """Retrain at the times of the schedule, and at once what was broken off or asked for, until the event is set.

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
    engine = open_store(settings.database, migrate=True)
    if _left_over(engine):
        due.set()
    asked_s = -_ASKED_AGAIN_S
    log("info", "retraining scheduled", schedule=settings.retrain_schedule)
    running: list[subprocess.Popen[bytes]] = []
    try:
        while not stopped.wait(_POLL_S):
            running = [process for process in running if not _ended(process)]
            raceway = command or (sys.executable, "-m", "app.cli", "retrain")
            if running:
                continue
            if due.is_set():
                due.clear()
                running.append(spawn(raceway, environment=settings.environment()))
            elif time.monotonic() - asked_s >= _ASKED_AGAIN_S and _is_asked(engine):
                asked_s = time.monotonic()
                running.append(spawn((*raceway, "--asked"), environment=settings.environment()))
    finally:
        engine.dispose()
        scheduler.shutdown(wait=False)
        stop(running)


def _left_over(engine: Engine) -> bool:
    with reading(engine) as connection:
        return unfinished_run(connection) is not None


def _is_asked(engine: Engine) -> bool:
    try:
        with reading(engine) as connection:
            return bool(open_asks(connection))
    except sa.exc.SQLAlchemyError as error:
        log("error", "store not reached", error=str(getattr(error, "orig", error)))
        return False


def _ended(process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is None:
        return False
    log("info" if process.returncode == 0 else "error", "retraining ended", code=process.returncode)
    return True
