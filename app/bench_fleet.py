"""A fleet of nodes in C against one gateway and broker, on lines that lose frames and drop: what is lost or doubled.

Each node writes down what it reports; a subscriber counts what comes. Refuses fleets whose nodes do not all report.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho

from app.broker import choose_broker, free_port, start_broker
from app.fleet.consuming import Publications
from app.fleet.counting import Counted, Heard, Key, count_reports
from app.mqtt import broker_of, connect, make_client, protocol_of
from app.process import spawn, stop
from app.settings import Settings, load_settings
from edge.node.tally import Faults, Tally, build_tallying_node, read_tally, tallying_command
from features.errors import RacewayError

__all__ = ["FleetPlan", "bench_fleet", "drawn_faults"]

_RATE_HZ, _N_SAMPLES = 2000.0, 256
_PATIENCE_S = 180.0
_TICK_S = 0.25
_SEED = 1
_UP_S, _DOWN_S = (20.0, 60.0), (0.5, 4.0)


@dataclass(frozen=True)
class FleetPlan:
    """A fleet and how long it runs.

    Attributes
    ----------
    nodes : int
    duration_s : float
        From when every node has reported to when what was made is counted.
    frame_loss : float
        Share of frames lost on every line, each way.
    period_ms : int
        From report to report.
    kills_gateway : bool
        Whether the gateway is killed and started again half way.
    """

    nodes: int
    duration_s: float
    frame_loss: float
    period_ms: int = 1000
    kills_gateway: bool = False


def drawn_faults(plan: FleetPlan, *, seed: int = _SEED) -> list[Faults]:
    """Draw what goes wrong on each line: every one drops now and then, and every other one is closed by that.

    Parameters
    ----------
    plan : FleetPlan
    seed : int

    Returns
    -------
    list of Faults
        One a node.
    """
    rng = np.random.default_rng(seed)
    up_ms = (1000.0 * rng.uniform(*_UP_S, plan.nodes)).astype(int).tolist()
    down_ms = (1000.0 * rng.uniform(*_DOWN_S, plan.nodes)).astype(int).tolist()
    return [
        Faults(frame_loss=plan.frame_loss, up_ms=up, down_ms=down, hangs_up=bool(i % 2), seed=i + 1)
        for i, (up, down) in enumerate(zip(up_ms, down_ms, strict=True))
    ]


def bench_fleet(plan: FleetPlan, *, progress: Callable[[float], None]) -> dict[str, Any]:
    """Run a fleet in a temporary folder and count.

    Parameters
    ----------
    plan : FleetPlan
    progress : callable
        Told the share done, from 0 to 1.

    Returns
    -------
    dict
        ``reports_made`` by the nodes' own account, ``reports_arrived``, ``lost``, ``doubled``, ``published_again`` (by
        a killed gateway, known by their numbers), ``given_up`` (by nodes, for want of room; they count as lost),
        ``restarts`` of nodes, delays from the making of a report to the subscriber, what the gateway took.

    Raises
    ------
    RacewayError
        If nodes do not come up.
    """
    with tempfile.TemporaryDirectory(prefix="raceway-fleet-") as folder:
        program = build_tallying_node(
            Path(folder) / "build", rate_hz=_RATE_HZ, n_samples=_N_SAMPLES, period_ms=plan.period_ms
        )
        with _Fleet(plan, program, Path(folder)) as fleet:
            return fleet.measure(progress)


class _Listener:
    """A subscriber that keeps which reports came, and when."""

    def __init__(self, settings: Settings) -> None:
        self.heard: list[Heard] = []
        self._publications = Publications()
        broker = broker_of(settings)
        self._client = make_client(broker, client_id="fleet", protocol=protocol_of(broker), persistent=True)
        self._client.on_message, self._client.on_connect = self._keep, self._subscribe
        connect(self._client, broker, persistent=True)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _keep(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        del client, userdata
        arrived_ns = time.time_ns()
        said = json.loads(message.payload)
        again = not self._publications.is_new(said)
        self.heard.append(Heard((said["node"], said["boot"], said["number"]), again, arrived_ns))

    @staticmethod
    def _subscribe(client: paho.Client, *event: Any) -> None:
        del event
        client.subscribe("raceway/v1/+/+/+/report", qos=1)


@dataclass
class _Used:
    """What processes took that have ended, or did before the measuring began."""

    cpu_s: float = 0.0
    peak_mb: float = 0.0


def _used(process: subprocess.Popen[bytes]) -> _Used:
    """Processor time and largest resident memory of a process so far."""
    place = Path(f"/proc/{process.pid}")
    ticks = place.joinpath("stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    status = place.joinpath("status").read_text(encoding="utf-8").splitlines()
    (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
    return _Used(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), int(peak) / 1024.0)


class _Fleet:
    """Broker, nodes, subscriber and gateway; a context manager that ends them."""

    def __init__(self, plan: FleetPlan, program: Path, folder: Path) -> None:
        self._plan, self._program, self._folder = plan, program, folder
        self._settings = load_settings(data_dir=folder / "data", embedded_port=free_port())
        self._names = [f"n{i:03d}" for i in range(plan.nodes)]
        self._faults = drawn_faults(plan)
        self._children: list[subprocess.Popen[bytes]] = []
        self._starts = 0
        self._pause = threading.Event()

    def __enter__(self) -> _Fleet:
        try:
            self._children.append(
                start_broker(
                    choose_broker("mosquitto"),
                    self._settings.data_dir / "broker",
                    port=self._settings.embedded_port,
                    log=self._settings.data_dir / "broker.log",
                )
            )
            self._started_s = time.monotonic()
            for name, faults in zip(self._names, self._faults, strict=True):
                self._start_node(name, faults)
            self._listener = _Listener(self._settings)
            self._start_gateway()
        except BaseException:
            stop(self._children)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()
        stop(self._children)

    def _start_node(self, name: str, faults: Faults) -> None:
        rng = np.random.default_rng([_SEED, faults.seed])
        samples = rng.integers(-2000, 2000, 20 * _N_SAMPLES).astype("<i2")
        (self._folder / f"{name}.i2").write_bytes(samples.tobytes())
        command = tallying_command(self._program, self._folder, name, rate_hz=_RATE_HZ, faults=faults)
        tally = {"RW_TALLY": str(self._folder / f"{name}.tally")}
        self._children.append(spawn(command, environment=tally, log=self._folder / "nodes.log"))

    def _start_gateway(self) -> None:
        lines = [f"unix:{self._folder / name}.sock" for name in self._names]
        self._gateway = spawn(
            [sys.executable, "-m", "app.cli", "--log-level", "warning", "gateway", *lines],
            environment=self._settings.environment(),
            log=self._settings.data_dir / "gateway.log",
        )
        self._children.append(self._gateway)
        self._starts += 1

    def measure(self, progress: Callable[[float], None]) -> dict[str, Any]:
        if not self._until(lambda: len({one.key[0] for one in list(self._listener.heard)}) == self._plan.nodes):
            raise RacewayError(f"not every node has reported: {self._said()}")
        began_s, before = time.monotonic(), _used(self._gateway)
        used = self._run(began_s, progress)
        elapsed_s = time.monotonic() - began_s
        last = _used(self._gateway)
        drops = sum(faults.drops_within(time.monotonic() - self._started_s) for faults in self._faults)
        made = self._tallies()
        wanted = _keys(made)
        self._until(lambda: wanted.keys() <= {one.key for one in list(self._listener.heard)})
        heard = list(self._listener.heard)
        counted = count_reports(wanted, heard, later=_keys(self._tallies()))
        progress(1.0)
        return {
            **self._told(counted, made, drops),
            "gateway_cpu_share": (used.cpu_s + last.cpu_s - before.cpu_s) / elapsed_s,
            "gateway_rss_mb": max(used.peak_mb, last.peak_mb),
        }

    def _run(self, began_s: float, progress: Callable[[float], None]) -> _Used:
        """Let time pass; gives what a gateway took that was killed meanwhile."""
        used, duration_s = _Used(), self._plan.duration_s
        while (elapsed_s := time.monotonic() - began_s) < duration_s:
            progress(0.99 * elapsed_s / duration_s)
            if self._plan.kills_gateway and self._starts == 1 and elapsed_s > duration_s / 2.0:
                used = _used(self._gateway)
                self._gateway.send_signal(signal.SIGKILL)
                self._gateway.wait()
                self._start_gateway()
            self._pause.wait(_TICK_S)
        return used

    def _tallies(self) -> dict[str, Tally]:
        return {name: read_tally(self._folder / f"{name}.tally") for name in self._names}

    def _told(self, counted: Counted, made: dict[str, Tally], drops: int) -> dict[str, Any]:
        starts = {(name, start) for name, tally in made.items() for start, _ in tally.made_ns}
        return {
            "nodes": self._plan.nodes,
            "minutes": self._plan.duration_s / 60.0,
            "frame_loss": self._plan.frame_loss,
            "drops": drops,
            "gateway_kills": self._starts - 1,
            "restarts": len(starts) - self._plan.nodes,
            "reports_made": counted.made,
            "reports_arrived": counted.arrived,
            "lost": counted.lost,
            "given_up": sum(tally.given_up for tally in made.values()),
            "doubled": counted.doubled,
            "published_again": counted.published_again,
            "unknown": counted.unknown,
            "delay_median_s": float(np.percentile(counted.delays_s, 50)),
            "delay_p99_s": float(np.percentile(counted.delays_s, 99)),
            "delay_max_s": float(counted.delays_s[-1]),
        }

    def _until(self, reached: Callable[[], bool]) -> bool:
        """Wait until something is so; False where it is not in time."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while not reached():
            if time.monotonic() > deadline_s or self._gateway.poll() is not None:
                return False
            self._pause.wait(_TICK_S)
        return True

    def _said(self) -> str:
        logs = [self._settings.data_dir / "gateway.log", self._folder / "nodes.log"]
        return " | ".join(log.read_text(errors="replace")[-300:] for log in logs if log.exists())


def _keys(made: dict[str, Tally]) -> dict[Key, int]:
    """From each report, by node, boot and number, to when it was made. A new node's first boot is 1."""
    return {(name, *key): time_ns for name, tally in made.items() for key, time_ns in tally.made_ns.items()}
