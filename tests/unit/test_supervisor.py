"""`raceway up` with made-up services: what ends is started again, the broker too; a read that fails ends nothing."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

import app.supervisor
from app.broker import free_port
from app.process import spawn
from app.settings import Settings
from app.store import PointRow, save_point, writing
from app.supervisor import _Service, run_all

_SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


class _Rounds(threading.Event):
    """Does one deed before each round, and is set when all are done."""

    def __init__(self, *deeds: Callable[[], object]) -> None:
        super().__init__()
        self._deeds = list(deeds)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        if not self._deeds:
            return True
        self._deeds.pop(0)()
        return False


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process of a supervisor whose broker and services sleep, and whose looks at the clock are 10 s apart."""
    processes: list[subprocess.Popen[bytes]] = []

    def spawned(command: list[str], *, log: Path, **_: Any) -> subprocess.Popen[bytes]:
        processes.append(spawn(command, log=log))
        return processes[-1]

    services = [_Service("sleeper", _SLEEPS), _Service("errand", [sys.executable, "-c", ""], once=True)]
    monkeypatch.setattr(app.supervisor, "spawn", spawned)
    monkeypatch.setattr(app.supervisor, "choose_broker", lambda _: "mosquitto")
    monkeypatch.setattr(app.supervisor, "start_broker", lambda *_, log, **__: spawned(_SLEEPS, log=log))
    monkeypatch.setattr(app.supervisor, "broker_command", lambda *_, **__: _SLEEPS)
    monkeypatch.setattr(app.supervisor, "_services", lambda *_, **__: services)
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(app.supervisor, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    return processes


def _run(settings: Settings, *deeds: Callable[[], object]) -> list[str]:
    own = settings.model_copy(update={"embedded_port": 0, "console_port": free_port()})
    said: list[str] = []
    run_all(own, machines=0, stopped=_Rounds(*deeds), say=said.append)
    return said


def _over(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process and leave it to the supervisor to see it."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_what_ends_is_started_again_the_broker_too(
    settings: Settings, store: Engine, started: list[subprocess.Popen[bytes]]
) -> None:
    assert store is not None

    def end(i: int) -> None:
        started[i].kill()
        _over(started[i])

    said = _run(settings, lambda: _over(started[2]), lambda: end(0), lambda: end(1), lambda: None)
    ends = [line.split(";")[0] for line in said if "is started again" in line]
    assert ends == ["broker ended with code -9", "sleeper ended with code -9"]
    assert len(started) == 5
    assert all(process.returncode is not None for process in started)
    assert said[-1] == "Ending ..."


def test_what_cannot_be_started_again_is_tried_again_and_ends_nothing(
    settings: Settings, store: Engine, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store is not None

    def refuse() -> None:
        started[1].kill()
        _over(started[1])
        monkeypatch.setattr(app.supervisor, "spawn", full)

    def full(*_: Any, **__: Any) -> subprocess.Popen[bytes]:
        monkeypatch.setattr(app.supervisor, "spawn", first)
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    first = app.supervisor.spawn
    said = _run(settings, lambda: _over(started[2]), refuse, lambda: None, lambda: None, lambda: None)
    assert "sleeper could not be started: Resource temporarily unavailable; it is tried again" in said
    # Broker, sleeper, errand, and the sleeper once more.
    assert len(started) == 4


def test_a_read_that_fails_ends_nothing(
    settings: Settings, store: Engine, started: list[subprocess.Popen[bytes]]
) -> None:
    with writing(store) as connection:
        for name, state in (("a", "learning"), ("b", "watching"), ("c", "learning")):
            save_point(connection, PointRow(id=f"site/pump/{name}", name=name, state=state), new=True)
    running: list[bool] = []

    def rename(old: str, new: str) -> None:
        with writing(store) as connection:
            connection.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))

    def look() -> None:
        rename("away", "points")
        running.append(all(process.returncode is None for process in started[:2]))
        with writing(store) as connection:
            connection.execute(sa.text("UPDATE points SET state = 'watching'"))

    said = _run(settings, lambda: None, lambda: rename("points", "away"), look)
    assert running == [True]
    assert [line for line in said if line.startswith("Points:")] == [
        "Points:   3 (2 learning, 1 watching)",
        "Points:   3 (3 watching)",
    ]
