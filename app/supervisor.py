"""Everything on one machine: starts the services in order, restarts what ends, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Engine

from app.access.opening import demand_closed, open_words
from app.broker import broker_command, choose_broker, free_port, port_is_free, start_broker
from app.console.launch import console_command
from app.mqtt import broker_of, protocol_of
from app.process import ended, spawn, stop
from app.schema import points
from app.settings import Settings
from app.store import bundle_of, open_store, reading
from features.errors import RacewayError

__all__ = ["SupervisorError", "run_all"]

_POLL_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0

Say = Callable[[str], None]


class SupervisorError(RacewayError):
    """Raceway cannot start here: a port is taken, or another one runs."""


@dataclass
class _Service:
    """A child that is kept running, or (`once`) run to its end; with the settings, where it is `told` them."""

    name: str
    command: list[str]
    once: bool = False
    told: bool = True
    process: subprocess.Popen[bytes] | None = None
    code: int | None = None
    started_s: float = 0.0
    pause_s: float = 1.0


def run_all(settings: Settings, *, machines: int, stopped: threading.Event, say: Say) -> None:
    """Run broker, ingest, learner, console and, with machines, the simulated plant, until the event is set.

    Raises
    ------
    SupervisorError
        If a port is taken or another Raceway uses the data folder.
    BrokerError, StoreError
        If broker or store cannot be used.
    AccountError
        If the console would be open to a network.
    """
    demand_closed(settings)
    with _alone(settings):
        if not port_is_free(settings.console_host, settings.console_port):
            raise SupervisorError(
                f"port {settings.console_port} for the console is in use; end what uses it or set --console-port"
            )
        services: list[_Service] = []
        try:
            settings = _with_broker(settings, services, say)
            engine = open_store(settings.database, migrate=True)
            with reading(engine) as connection:
                untaught = bundle_of(connection, "diagnosis") is None
            for service in _services(settings, machines=machines, untaught=untaught):
                services.append(service)
                _start(service, settings)
            say(f"Console:  http://{settings.console_host}:{settings.console_port}")
            if words := open_words(settings):
                say(f"Access:   {words.replace('`', '')}")
            if any(service.name == "metrics" for service in services):
                say(f"Metrics:  http://{settings.metrics_host}:{settings.metrics_port}/metrics")
            say(f"Data:     {settings.data_dir} (logs in {settings.data_dir / 'logs'})")
            say("Ctrl-C ends everything; what was measured stays.")
            report = _Report(say)
            while not stopped.wait(_POLL_S):
                for service in services:
                    _tend(service, settings, say)
                # A store that is away for a moment is the services' to wait for; this is but a line on the screen.
                with contextlib.suppress(sa.exc.SQLAlchemyError):
                    report.update(_states(engine))
        finally:
            say("Ending ...")
            stop([service.process for service in services if service.process is not None])


def _states(engine: Engine) -> dict[str, int]:
    """How many points are in each state."""
    query = sa.select(points.c.state, sa.func.count().label("n")).group_by(points.c.state).order_by(points.c.state)
    with reading(engine) as connection:
        return {row.state: row.n for row in connection.execute(query)}


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the data folder's lock, which the system frees however we end."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SupervisorError(
                f"another Raceway runs on {settings.data_dir}; end it or give another --data-dir"
            ) from None
        yield


def _with_broker(settings: Settings, services: list[_Service], say: Say) -> Settings:
    """Start the embedded broker as the first service, or check the configured one; give settings that name it."""
    if settings.broker_url:
        broker = broker_of(settings)
        say(f"Broker:   {broker} ({protocol_of(broker).name})")
        return settings
    kind = choose_broker(settings.embedded_broker)
    port = settings.embedded_port or free_port()
    if not port_is_free("127.0.0.1", port):
        raise SupervisorError(
            f"port {port} for the embedded broker is in use; if a broker runs there, give it as --broker "
            f"mqtt://127.0.0.1:{port}; else set --embedded-port (0 takes a free one)"
        )
    folder = settings.data_dir / "broker"
    # What is started after it finds it; when it is started again, they connect again by themselves.
    process = start_broker(kind, folder, port=port, log=_log(settings, "broker"))
    command = broker_command(kind, folder, port=port)
    services.append(_Service("broker", command, told=False, process=process, started_s=time.monotonic()))
    say(f"Broker:   mqtt://127.0.0.1:{port} ({kind})")
    return settings.model_copy(update={"embedded_port": port})


def _services(settings: Settings, *, machines: int, untaught: bool) -> list[_Service]:
    raceway = [sys.executable, "-m", "app.cli"]
    services = [
        _Service("ingest", [*raceway, "ingest"]),
        _Service("learner", [*raceway, "learn"]),
        _Service("alarms", [*raceway, "alarms", "tend"]),
        _Service("fleet", [*raceway, "fleet", "tend"]),
        _Service("console", console_command(settings)),
    ]
    # Whoever runs a second plant here and gave it no port of its own has no figures of it, but the plant.
    if settings.metrics_port and port_is_free(settings.metrics_host, settings.metrics_port):
        services.append(_Service("metrics", [*raceway, "metrics", "serve"]))
    if settings.retrain_schedule:
        services.append(_Service("retraining", [*raceway, "retrain", "schedule"]))
    if machines:
        services.append(_Service("simulate", [*raceway, "simulate", "--machines", str(machines)]))
    if untaught:
        services.append(_Service("diagnosis", [*raceway, "train", "diagnosis", "--draft"], once=True))
    return services


def _log(settings: Settings, name: str) -> Path:
    return settings.data_dir / "logs" / f"{name}.log"


def _start(service: _Service, settings: Settings) -> None:
    # The broker is no program of ours; it needs no password that is in them.
    environment = settings.environment() if service.told else None
    service.process = spawn(service.command, environment=environment, log=_log(settings, service.name))
    service.started_s = time.monotonic()


def _tend(service: _Service, settings: Settings, say: Say) -> None:
    """Start a service again that ended, after a pause that grows while it keeps ending."""
    if service.process is not None:
        if not ended(service.process):
            return
        service.code, service.process = service.process.returncode, None
    if service.once and service.code == 0:
        return
    lived_s = time.monotonic() - service.started_s
    if lived_s > _STEADY_S:
        service.pause_s = 1.0
    if lived_s < service.pause_s:
        return
    say(f"{service.name} ended with code {service.code}; it is started again (see {_log(settings, service.name)})")
    service.pause_s = min(2.0 * service.pause_s, _LONGEST_PAUSE_S)
    try:
        _start(service, settings)
    except OSError as error:
        # Such as no memory or no process number left: that passes, and the others go on.
        service.started_s = time.monotonic()
        say(f"{service.name} could not be started: {error.strerror or error}; it is tried again")


class _Report:
    """Says how far commissioning is, when it changes."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said = ""

    def update(self, states: Mapping[str, int]) -> None:
        if not states:
            return
        line = f"Points:   {sum(states.values())} ({', '.join(f'{n} {state}' for state, n in states.items())})"
        if line != self._said:
            self._said = line
            self._say(line)
