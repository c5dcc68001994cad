"""`raceway up` as a new user starts it: it comes to life, keeps its history, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from waiting import wait_until

from app.broker import free_port
from app.console.queries import point_counts
from app.settings import Settings, load_settings
from app.store import open_store, point_rows, reading

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_SECRET = "s3cr3t-w0rd"


def _start(settings: Settings) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "app.cli", "up", "--machines", "6"]
    environment = {**os.environ, **settings.environment()}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _alive(folder: Path) -> dict[int, str]:
    """Command lines of processes that name the data folder in their environment, by number."""
    found = {}
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder).encode() in environ.read_bytes():
                found[int(environ.parent.name)] = (environ.parent / "cmdline").read_text().replace("\x00", " ")
        except OSError:
            continue
    return {number: line for number, line in found.items() if number != os.getpid()}


def _kill_broker(commands: dict[int, str]) -> None:
    (broker,) = (number for number, line in commands.items() if "mosquitto.conf" in line or "app.broker" in line)
    os.kill(broker, signal.SIGKILL)


def test_it_lives_ends_without_a_trace_and_remembers(tmp_path: Path) -> None:
    secrets = dict.fromkeys(("broker_password", "smtp_password", "workorder_token"), _SECRET)
    hooks = {"notify_webhook": f"http://127.0.0.1:1/{_SECRET}", "smtp_url": f"smtp://raceway:{_SECRET}@127.0.0.1:1"}
    ports = {"console_port": free_port(), "embedded_port": free_port(), "metrics_port": free_port()}
    settings = load_settings(data_dir=tmp_path / "plant", log_level="debug", **ports, **hooks, **secrets)
    stored, logs = 0, settings.data_dir / "logs"
    for run in range(2):
        if run == 1:
            _enter(settings)
        up = _start(settings)
        try:
            wait_until("console", lambda: _answers(settings.console_port), logs=logs)
            before = stored
            stored = wait_until("new blocks", partial(_more_blocks, settings, than=stored + 30), logs=logs)
            assert stored >= before + 30
            assert _first_page(settings.console_port) == ("/", "/login")[run]
            commands = _alive(tmp_path)
            assert len(commands) >= 7
            assert _SECRET not in "\n".join(commands.values())
            if run == 0:
                _kill_broker(commands)
                stored = wait_until(
                    "blocks of another broker", partial(_more_blocks, settings, than=stored + 40), logs=logs
                )
        finally:
            up.send_signal(signal.SIGINT)
            output, _ = up.communicate(timeout=60)
        assert "Console:" in output
        assert ("Nobody is entered: whoever uses this machine works as" in output) is (run == 0)
        assert _SECRET not in output
        assert _SECRET not in "\n".join(log.read_text() for log in logs.iterdir())
        assert up.returncode == 0
        assert ("broker ended with code -9; it is started again" in output) is (run == 0)
        assert _alive(tmp_path) == {}
    for service in ("ingest", "learner", "alarms", "fleet", "retraining", "metrics", "simulate"):
        events = _events(logs / f"{service}.log")
        assert events, service
        assert all({"time", "level", "event"} <= event.keys() for event in events), service
    with reading(open_store(settings.database)) as connection:
        assert len(point_rows(connection)) == 6


def _events(log: Path) -> list[dict[str, Any]]:
    """What a service of ours wrote to its log, each line a JSON object; libraries write what they like."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def _enter(settings: Settings) -> None:
    command = [sys.executable, "-m", "app.cli", "users", "add", "ada", "--role", "admin"]
    environment = {**os.environ, **settings.environment()}
    subprocess.run(command, env=environment, input=f"{_SECRET}\n", text=True, check=True, capture_output=True)


def _first_page(port: int) -> str:
    """Where a browser without a session ends up."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return str(urlsplit(reply.url).path)


def _more_blocks(settings: Settings, *, than: int) -> int | None:
    stored = sum(counts.get("blocks", 0) for counts in point_counts(open_store(settings.database)).values())
    return stored if stored >= than else None


def test_a_taken_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = load_settings(data_dir=tmp_path / "plant", console_port=taken.getsockname()[1], embedded_port=0)
        up = _start(settings)
        output, _ = up.communicate(timeout=60)
    assert up.returncode == 2
    assert f"port {settings.console_port} for the console is in use" in output
    assert "Traceback" not in output


def test_it_dies_with_its_children_when_killed(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "plant", console_port=free_port(), embedded_port=free_port())
    up = _start(settings)
    logs = settings.data_dir / "logs"
    wait_until("console", lambda: _answers(settings.console_port), logs=logs)
    up.kill()
    up.wait()
    assert wait_until("end of all processes", lambda: _alive(tmp_path) == {}, logs=logs, seconds=20)
