"""Retraining at the times of a schedule, each run as a process of its own; refuses times that are none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import sqlalchemy as sa
from sqlalchemy import Engine

from app.crontimes import cron_fields
from app.logs import log
from app.process import ended, spawn, stop
from app.retraining.asking import open_asks
from app.retraining.lock import is_held
from app.retraining.records import unfinished_run
from app.settings import Settings
from app.store import open_store, reading

__all__ = ["run_schedule"]

_POLL_S = 0.5
# A run that could not begin at its time, such as of a host that slept, begins up to so many seconds late.
_GRACE_S = 3600
# What was broken off again, or asked for and not begun, is tried again after so long.
_AGAIN_S = 30.0


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

    trigger = CronTrigger(**cron_fields(settings.retrain_schedule), timezone="UTC")
    due = threading.Event()
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(due.set, trigger, coalesce=True, max_instances=1, misfire_grace_time=_GRACE_S)
    scheduler.start()
    engine = open_store(settings.database, migrate=True)
    began_s = -_AGAIN_S
    log("info", "retraining scheduled", schedule=settings.retrain_schedule)
    running: list[subprocess.Popen[bytes]] = []
    try:
        while not stopped.wait(_POLL_S):
            running = [process for process in running if not _ended(process)]
            raceway = command or (sys.executable, "-m", "app.cli", "retrain")
            is_due = due.is_set()
            if running or not (is_due or (time.monotonic() - began_s >= _AGAIN_S and _is_wanted(engine, settings))):
                continue
            due.clear()
            began_s = time.monotonic()
            what = raceway if is_due else (*raceway, "--asked")
            running.append(spawn(what, environment=settings.environment()))
    finally:
        engine.dispose()
        scheduler.shutdown(wait=False)
        stop(running)


def _is_wanted(engine: Engine, settings: Settings) -> bool:
    """Whether something was broken off or asked for; where another job is at it, such as on another host, it is not."""
    try:
        with reading(engine) as connection:
            if unfinished_run(connection) is None and not open_asks(connection):
                return False
            return not is_held(connection, stale_s=settings.retrain_stale_s, now_ns=time.time_ns())
    except sa.exc.SQLAlchemyError as error:
        log("error", "store not reached", error=str(getattr(error, "orig", error)))
        return False


def _ended(process: subprocess.Popen[bytes]) -> bool:
    if not ended(process):
        return False
    log("info" if process.returncode == 0 else "error", "retraining ended", code=process.returncode)
    return True
