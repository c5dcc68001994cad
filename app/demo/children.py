"""Processes of the scripted day that take in, learn and retrain, and that are killed where the script says so."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, event

from app.intake import Arrival
from app.numerics import ONE_THREAD, handed_down, keep_freed_memory
from app.settings import Settings

if TYPE_CHECKING:
    from app.retraining.taking import Crew

__all__ = ["Child", "DiedError", "IngestCrash", "Receipt", "learns", "takes_in"]

# Where ingest is killed: with rows written but nothing committed, or with all committed but nothing acknowledged.
IngestCrash = Literal["in the transaction", "before the acknowledgement"]
# Number of the batch, blocks stored, redeliveries, messages set aside.
Receipt = tuple[int, int, int, int]

_ENVIRONMENT = {**ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}


class DiedError(Exception):
    """A child is gone; what it was told and did not answer is to be told again."""


class Child:
    """A process that answers what it is told, in order; it ends with its parent.

    Parameters
    ----------
    serve : callable
        Of a connection and the settings; returns when the other end is closed.
    settings : Settings
    """

    def __init__(self, serve: Callable[[Connection, Settings], None], settings: Settings) -> None:
        self._serve, self._settings = serve, settings
        self._process, self._connection = self._started()

    def _started(self) -> tuple[BaseProcess, Connection]:
        # Started anew: TensorFlow and the database do not survive a fork. No daemon: those have no children.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(self._serve, theirs, self._settings))
        with handed_down(_ENVIRONMENT):
            process.start()
        theirs.close()
        return process, ours

    def tell(self, message: Any) -> None:
        """Send a message.

        Raises
        ------
        DiedError
        """
        try:
            self._connection.send(message)
        except OSError as error:
            raise DiedError from error

    def answer(self) -> Any:
        """Wait for the next answer.

        Raises
        ------
        DiedError
        """
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise DiedError from error

    def revive(self) -> int:
        """Wait until a dead child is gone, and start another; the signal that ended the dead one."""
        self.close()
        ended = self._process.exitcode or 0
        self._process, self._connection = self._started()
        return -ended

    def close(self) -> None:
        """Let the child end."""
        self._connection.close()
        self._process.join()


def _run(serve: Callable[[Connection, Settings], None], connection: Connection, settings: Settings) -> None:
    # The terminal's interrupt goes to all; it is the parent that decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(connection, settings)
    except (EOFError, BrokenPipeError):
        return


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# -- ingest -----------------------------------------------------------------------------------------------------------


def takes_in(connection: Connection, settings: Settings) -> None:
    """Take batches of messages in as ingest does, and acknowledge each after its commit.

    A batch comes as its number, its messages and where to be killed in it, or None.
    """
    from app.pipeline import Pipeline
    from app.store import open_store

    keep_freed_memory()
    engine = open_store(settings.database)
    pipeline = Pipeline(engine, settings)
    while True:
        number, arrivals, crash = connection.recv()
        if crash == "in the transaction":
            _die_before_the_commit(engine)
        outcome = _processed(pipeline, arrivals)
        if crash == "before the acknowledgement":
            _die()
        connection.send((number, outcome.stored, outcome.duplicates, outcome.refused))


def _processed(pipeline: Any, arrivals: Sequence[Arrival]) -> Any:
    return pipeline.process(pipeline.prepare(arrivals), now_ns=arrivals[-1].arrived_ns)


def _die_before_the_commit(engine: Engine) -> None:
    """Let the next writing transaction be the last thing that this process does."""

    def die(connection: SqlConnection) -> None:
        if connection.get_execution_options().get("writes", False):
            _die()

    event.listen(engine, "commit", die)


# -- learner and retraining -------------------------------------------------------------------------------------------


def learns(connection: Connection, settings: Settings) -> None:
    """Learn baselines and the fault kinds, and retrain, as told; whoever takes steps of retraining stays for the next.

    What is told is ``("learn", points, now_ns)``, ``("kinds", windows, now_ns)`` or ``("retrain", now_ns, place)``: the
    job is killed at the first place of that ending, or never where it is None. The answer is a list of what was made.
    """
    from app.retraining.taking import crew
    from app.store import open_store

    engine = open_store(settings.database)
    with crew(engine, settings) as by:
        orders = _ORDERS | {"retrain": partial(_retrain, by=by)}
        while True:
            what, *how = connection.recv()
            connection.send(orders[what](engine, settings, *how))


def _learn(engine: Engine, settings: Settings, points: Sequence[str], now_ns: int) -> list[str]:
    from app.learner import learn_point, waiting_points

    rows = [row for row in waiting_points(engine) if row.id in points]
    return [str(learn_point(engine, settings, row, now_ns=now_ns).bundle) for row in rows]


def _learn_kinds(engine: Engine, settings: Settings, n: int, now_ns: int) -> list[str]:
    from app.learner import train_diagnosis

    def silent(done: int) -> None:
        del done

    return [train_diagnosis(engine, settings, now_ns=now_ns, n=n, on_window=silent, on_epoch=silent)]


def _retrain(engine: Engine, settings: Settings, now_ns: int, place: str | None, *, by: Crew) -> list[str]:
    from app.retraining.job import retrain
    from app.retraining.records import Options

    began_ns = time.monotonic_ns()

    def kill(at: str) -> None:
        if place is not None and at.endswith(place):
            _die()

    # The night's time goes on as long as the job really takes.
    run = retrain(
        engine,
        settings,
        options=Options(),
        clock_ns=lambda: now_ns + time.monotonic_ns() - began_ns,
        hook=kill,
        by=by,
    )
    return [run.id]


_ORDERS: dict[str, Callable[..., list[str]]] = {"learn": _learn, "kinds": _learn_kinds}
