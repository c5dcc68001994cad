"""A whole Raceway as real processes: a broker, ingest and the learner, on a store of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from waiting import PATIENCE_S, wait_until

from app.broker import free_port, start_broker
from app.learner import train_diagnosis
from app.mqtt import broker_of
from app.process import spawn, stop
from app.publisher import Publisher
from app.settings import Settings, load_settings
from app.store import open_store, set_champion, writing

# Begun first, so that no worker has a long file left when the others are done.
_LONGEST = ("test_recordings_to_verdict", "test_demo_day", "test_all_services", "test_nothing_is_lost")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all others keep their order."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))


class Stack:
    """Processes around one data folder; ended with the test."""

    def __init__(self, settings: Settings, kind: str) -> None:
        self.settings = settings
        self.kind = kind
        self.engine: Engine = open_store(settings.database, migrate=True)
        self.logs = settings.data_dir / "logs"
        self.children: list[subprocess.Popen[bytes]] = []
        self.broker = self.start_broker()

    def start_broker(self) -> subprocess.Popen[bytes]:
        self.broker = start_broker(
            self.kind,
            self.settings.data_dir / "broker",
            port=self.settings.embedded_port,
            log=self.logs / "broker.log",
        )
        self.children.append(self.broker)
        return self.broker

    def start(self, command: str) -> subprocess.Popen[bytes]:
        child = spawn(
            [sys.executable, "-m", "app.cli", command],
            environment=self.settings.environment(),
            log=self.logs / f"{command}.log",
        )
        self.children.append(child)
        return child

    def publisher(self, client_id: str) -> Publisher:
        return Publisher(broker_of(self.settings), client_id=client_id)

    def wait(self, what: str, done: Callable[[], Any], *, seconds: float = PATIENCE_S) -> Any:
        """Wait until `done` gives something true; fail with the logs' last lines."""
        return wait_until(what, done, logs=self.logs, seconds=seconds)

    def close(self) -> None:
        stop(self.children)
        self.engine.dispose()


@pytest.fixture
def stack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running broker (Mosquitto unless the test asks for another) with an empty store."""
    kind = getattr(request, "param", "mosquitto")
    if kind == "mosquitto" and not shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin"):
        pytest.skip("mosquitto is not installed; `make packages` installs it as root")
    settings = load_settings(data_dir=tmp_path / "raceway-data", embedded_port=free_port(), baseline_windows=48)
    running = Stack(settings, kind)
    yield running
    running.close()


@pytest.fixture(scope="session")
def diagnosis_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fault-kind network, learned on simulated machines once for all service tests."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("diagnosis"))
    engine = open_store(settings.database, migrate=True)
    bundle = train_diagnosis(
        engine, settings, now_ns=0, n=10_000, epochs=12, on_window=lambda _: None, on_epoch=lambda _: None
    )
    return settings.bundles / bundle


@pytest.fixture
def diagnosing(stack: Stack, diagnosis_bundle: Path) -> Stack:
    """The stack with the fault-kind network serving."""
    shutil.copytree(diagnosis_bundle, stack.settings.bundles / diagnosis_bundle.name)
    with writing(stack.engine) as connection:
        set_champion(connection, "diagnosis", diagnosis_bundle.name, now_ns=0)
    return stack
