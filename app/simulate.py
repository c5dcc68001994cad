"""A simulated plant that publishes as real sensors would: bursts of vibration, faults that grow and are repaired."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.logs import log
from app.mqtt import broker_of
from app.publisher import Publisher
from app.settings import Settings
from app.wire import ROOT, About, Block, PointId
from features.bearing import Bearing, bearing_named
from features.errors import ParameterError
from features.velocity import STANDARD_GRAVITY
from models.plant import Condition, Machine, MachineSignal, Mode, wandering

__all__ = ["Episode", "SimulatedPoint", "Watched", "demo_plant", "run_simulation"]

_SITE = "demo-plant"
_FULL_SCALE_G = 50.0
_SCALE = _FULL_SCALE_G / 32768.0


@dataclass(frozen=True, slots=True)
class Episode:
    """A fault's life: from its first sign, over its growth, to the repair.

    Attributes
    ----------
    fault : str
    begin_s, growth_s, hold_s : float
        Seconds after the point is watched at which it starts, that it takes to grow to `worst`, and that it then stays
        until it is repaired.
    worst : float
        Severity reached.
    """

    fault: str
    begin_s: float
    growth_s: float = 90.0
    hold_s: float = 240.0
    worst: float = 1.0

    def severity(self, age_s: float) -> float:
        """Severity so many seconds after the point is watched; 0 before the fault and after its repair."""
        since = age_s - self.begin_s
        if not 0.0 <= since < self.growth_s + self.hold_s:
            return 0.0
        return self.worst * min(1.0, since / self.growth_s)


@dataclass(eq=False)
class SimulatedPoint:
    """One sensor of the plant, with its running state.

    Attributes
    ----------
    about : About
    machine : Machine
    signal : MachineSignal
    episodes : tuple of Episode
        Repeated every `cycle_s` seconds.
    """

    about: About
    machine: Machine
    signal: MachineSignal
    episodes: tuple[Episode, ...] = ()
    cycle_s: float = 1800.0
    sequence: int = field(default=0, init=False)

    def condition(self, clock_s: float, age_s: float | None) -> Condition:
        """Speed, load and fault at a time; `age_s` is None until the point is watched."""
        if age_s is not None:
            for episode in self.episodes:
                severity = episode.severity(age_s % self.cycle_s)
                if severity > 0.0:
                    return wandering(self.machine, clock_s, fault=episode.fault, severity=severity)
        return wandering(self.machine, clock_s)

    def burst(self, *, start_ns: int, rate_hz: float, n: int, age_s: float | None) -> Block:
        """Make the next burst as the sensor would send it."""
        condition = self.condition(start_ns / 1e9, age_s)
        block = Block(
            point=self.about.point,
            sequence=self.sequence,
            start_ns=start_ns,
            rate_hz=rate_hz,
            unit="g",
            channels=("radial",),
            samples=_quantised(self.signal.block(n, condition)),
            scale=_SCALE,
            shaft_hz=condition.shaft_hz,
            load=100.0 * condition.load,
            temperature_c=45.0 + 20.0 * condition.load,
        )
        self.sequence += 1
        return block


def _quantised(accel_g: NDArray[np.float32]) -> NDArray[np.int16]:
    codes: NDArray[np.int16] = np.clip(np.rint(accel_g / _SCALE), -32768, 32767).astype(np.int16)
    return codes


# Name, what people call it, bearing, shaft speed in Hz, teeth, blades, machine group, faults. The first fault begins at
# once, so that whoever starts the plant sees one grow; the others follow.
_DEMO: tuple[tuple[str, str, str, float, int, int, str, tuple[Episode, ...]], ...] = (
    ("cooling-water-pump", "Cooling water pump", "6205-2RS", 29.5, 0, 6, "group-2-rigid", (Episode("outer", 5, 60),)),
    ("exhaust-fan", "Exhaust fan", "6203-2RS", 24.2, 0, 9, "group-2-flexible", (Episode("unbalance", 180),)),
    ("feed-compressor", "Feed compressor", "6205-2RS", 49.0, 0, 0, "group-2-rigid", (Episode("inner", 360),)),
    ("conveyor-gearbox", "Conveyor gearbox", "6203-2RS", 16.5, 31, 0, "class-I", (Episode("gear", 540),)),
    ("hydraulic-pump", "Hydraulic pump", "6205-2RS", 24.8, 0, 7, "class-I", (Episode("ball", 720),)),
    ("mill-motor", "Mill motor", "6205-2RS", 29.1, 0, 0, "group-2-rigid", ()),
    ("cooling-tower-fan", "Cooling tower fan", "6203-2RS", 12.4, 0, 5, "group-2-flexible", ()),
    ("boiler-feed-pump", "Boiler feed pump", "6205-2RS", 49.4, 0, 7, "group-2-rigid", (Episode("misalignment", 900),)),
)


def demo_plant(n_machines: int, *, rate_hz: float, rng: np.random.Generator) -> list[SimulatedPoint]:
    """Make the demo plant, each machine with one sensor.

    Parameters
    ----------
    n_machines : int
        1 or more; beyond eight, healthy copies.
    rate_hz : float
    rng : numpy.random.Generator

    Raises
    ------
    ParameterError
        If no machine is asked for.
    """
    if n_machines < 1:
        raise ParameterError(f"a plant of {n_machines} machines; 1 or more are wanted")
    points = []
    for i in range(n_machines):
        asset, name, bearing, shaft_hz, teeth, blades, group, episodes = _DEMO[i % len(_DEMO)]
        again = i // len(_DEMO)
        point = PointId(_SITE, asset if not again else f"{asset}-{again + 1}", "drive-end")
        machine = _machine(name, bearing_named(bearing), shaft_hz, teeth, blades, rng)
        about = About(point, name if not again else f"{name} {again + 1}", machine.bearing, shaft_hz, group)
        signal = MachineSignal(machine, rate_hz=rate_hz, rng=np.random.default_rng(rng.integers(2**63)))
        points.append(SimulatedPoint(about, machine, signal, episodes if not again else ()))
    return points


def _machine(
    name: str, bearing: Bearing, shaft_hz: float, teeth: int, blades: int, rng: np.random.Generator
) -> Machine:
    lowest = float(rng.uniform(1200.0, 2200.0))
    # Drawn as the RMS velocity that limits are stated in: one acceleration for all is the worse the slower a shaft.
    unbalance_mm_s = float(rng.uniform(0.5, 1.0))
    return Machine(
        name=name,
        bearing=bearing,
        shaft_hz=shaft_hz,
        modes=(Mode(lowest, 0.04, 0.6), Mode(2.1 * lowest, 0.03, 0.4)),
        unbalance_g=math.sqrt(2.0) * unbalance_mm_s * 2.0 * math.pi * shaft_hz / (1e3 * STANDARD_GRAVITY),
        misalignment_g=float(rng.uniform(0.01, 0.03)),
        mesh_g=0.1 if teeth else 0.0,
        blade_g=0.05 if blades else 0.0,
        noise_g=0.01,
        rolling_g=0.04,
        impact_g=2.5,
        teeth=teeth,
        blades=blades,
    )


class Watched:
    """Since when each point is watched, learned from the published health.

    Parameters
    ----------
    points : sequence of SimulatedPoint
    clock_s : callable
        Gives monotonic seconds.
    at_once : bool
        Whether all points count as watched from now on.
    """

    def __init__(self, points: Sequence[SimulatedPoint], *, clock_s: Callable[[], float], at_once: bool) -> None:
        self._clock_s = clock_s
        self._topics = {point.about.point.topic("health") for point in points}
        self._since_s = dict.fromkeys(self._topics, clock_s()) if at_once else {}

    def result(self, topic: str, payload: bytes) -> None:
        """Take a published health in."""
        try:
            state = json.loads(payload).get("state")
        except (ValueError, AttributeError):
            return
        if state == "watching" and topic in self._topics and topic not in self._since_s:
            self._since_s[topic] = self._clock_s()
            log("info", "point is watched; its faults may begin", topic=topic)

    def age_s(self, point: SimulatedPoint) -> float | None:
        """Seconds since a point is watched, or None."""
        since_s = self._since_s.get(point.about.point.topic("health"))
        return None if since_s is None else self._clock_s() - since_s


def run_simulation(
    settings: Settings,
    *,
    n_machines: int,
    rate_hz: float,
    burst_samples: int,
    period_s: float,
    faults_at_once: bool,
    seed: int,
    stopped: threading.Event,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Publish a burst of every machine each period, until the event is set.

    Parameters
    ----------
    settings : Settings
    n_machines : int
    rate_hz : float
        Sampling rate in Hz.
    burst_samples : int
        Samples in each burst.
    period_s : float
        Seconds from one burst to the next.
    faults_at_once : bool
        Whether faults begin now rather than once their point is watched.
    seed : int
    stopped : Event
    progress : callable, optional
        Told the bursts of each machine so far.
    """
    if burst_samples / rate_hz > period_s:
        raise ParameterError(
            f"bursts of {burst_samples} samples at {rate_hz:g} Hz do not fit a period of {period_s:g} s; lengthen it"
        )
    points = demo_plant(n_machines, rate_hz=rate_hz, rng=np.random.default_rng(seed))
    watched = Watched(points, clock_s=time.monotonic, at_once=faults_at_once)
    filters = (f"{ROOT}/{_SITE}/+/+/health",)
    with Publisher(
        broker_of(settings), client_id="raceway-simulate", on_result=watched.result, listen=filters
    ) as publisher:
        for point in points:
            publisher.about(point.about)
        log("info", "simulation started", machines=n_machines, rate_hz=rate_hz)
        bursts, next_s = 0, time.monotonic()
        while not stopped.is_set():
            start_ns = time.time_ns() - round(burst_samples * 1e9 / rate_hz)
            for point in points:
                age_s = watched.age_s(point)
                publisher.block(point.burst(start_ns=start_ns, rate_hz=rate_hz, n=burst_samples, age_s=age_s))
            bursts += 1
            if progress is not None:
                progress(bursts)
            next_s = max(next_s + period_s, time.monotonic() - period_s)
            stopped.wait(max(0.0, next_s - time.monotonic()))
        publisher.flush(timeout_s=5.0)
