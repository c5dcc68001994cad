"""The plant while it runs: bursts of every machine, what repairs and failures do, and the twin that nobody repairs."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.demo.plant import HOURS, Fault, PlantMachine
from app.wire import Block
from models.plant import Condition, MachineSignal

__all__ = ["BREAKDOWN_H", "HOUR_NS", "N_SAMPLES", "PLANNED_H", "RATE_HZ", "Running", "Span"]

HOUR_NS = 3_600_000_000_000
# 0.4 s: the shortest that velocity from 10 Hz on is given for.
RATE_HZ, N_SAMPLES = 10_240.0, 4096
_SCALE = 50.0 / 32768.0
# How long a machine stands for a repair that was planned, and for one after a failure.
PLANNED_H, BREAKDOWN_H = 6.0, 36.0
# Deviation of the load beside the day's course, and the hours over which it is forgotten.
_LOAD_NOISE, _LOAD_MEMORY_H = 0.04, 8.0


@dataclass(frozen=True, slots=True)
class Span:
    """A fault as it went: begun, and ended by a repair, by its failure, or not at all."""

    fault: Fault
    end_h: float | None = None
    failed: bool = False


@dataclass
class _Stream:
    """A signal with the course of its load, and until when it stands still."""

    signal: MachineSignal
    rng: np.random.Generator
    deviation: float = 0.0
    hour: float = 0.0
    still_until_h: float = 0.0


@dataclass
class Running:
    """One machine while it runs.

    Attributes
    ----------
    plan : PlantMachine
    spans : list of Span
        Faults of the machine that people repair, in order.
    sequence : int
        Of the next burst.
    """

    plan: PlantMachine
    real: _Stream
    spans: list[Span] = field(default_factory=list)
    sequence: int = 0
    twin: _Stream | None = None
    _counts_anew: bool = True

    @classmethod
    def begin(cls, plan: PlantMachine, *, rng: np.random.Generator) -> Running:
        """Start a machine."""
        signal = MachineSignal(plan.machine, rate_hz=RATE_HZ, rng=rng)
        return cls(plan, _Stream(signal, rng), [Span(fault) for fault in plan.faults])

    # -- what is true -------------------------------------------------------------------------------------------------

    def fault(self, hour: float) -> Fault | None:
        """The fault that the machine has, as an inspection would find it."""
        return next((s.fault for s in self.spans if s.end_h is None and s.fault.onset_h <= hour), None)

    def drawn_fault(self, hour: float) -> Fault | None:
        """The fault that the machine would have if nobody had repaired any."""
        return next((f for f in self.plan.faults if f.onset_h <= hour < f.failure_h), None)

    def would_fail(self, hour: float, *, within_h: float) -> bool:
        """Whether the machine that nobody repairs has failed in the hours before."""
        return any(hour - within_h < fault.failure_h <= hour for fault in self.plan.faults)

    # -- what people and time do --------------------------------------------------------------------------------------

    def repair(self, hour: float) -> None:
        """Mend what the machine has; its twin goes on with it."""
        mended = self.fault(hour)
        if mended is not None:
            self._end(mended, hour, failed=False)
            self.twin = copy.deepcopy(self.real)
        self.real.still_until_h = hour + PLANNED_H

    def advance(self, hour: float) -> bool:
        """Let faults run to their failure; whether the machine has just failed."""
        if self.twin is not None and self.drawn_fault(hour) is None and hour >= self._last_failure(hour) + BREAKDOWN_H:
            self.twin = None
        present = self.fault(hour)
        if present is None or hour < present.failure_h:
            return False
        self._end(present, hour, failed=True)
        self.real.still_until_h = hour + BREAKDOWN_H
        return True

    def _last_failure(self, hour: float) -> float:
        return max((f.failure_h for f in self.plan.faults if f.failure_h <= hour), default=-math.inf)

    def _end(self, fault: Fault, hour: float, *, failed: bool) -> None:
        self.spans = [Span(fault, hour, failed) if s.fault == fault else s for s in self.spans]

    # -- what sensors say ---------------------------------------------------------------------------------------------

    def burst(self, hour: float, *, start_ns: int) -> Block | None:
        """The burst of an hour, or None where the machine stands still or its sensor is silent."""
        silent = any(c.what == "silence" and c.at_h <= hour < c.at_h + c.hours for c in self.plan.changes)
        if silent or hour < self.real.still_until_h:
            return None
        condition = self._condition(self.real, hour, self.fault(hour))
        x = self.real.signal.block(N_SAMPLES, condition)
        if self._counts_anew and any(c.what == "sensor" and c.at_h <= hour for c in self.plan.changes):
            self.sequence, self._counts_anew = 0, False
        block = Block(
            point=self.plan.point,
            sequence=self.sequence,
            start_ns=start_ns,
            rate_hz=RATE_HZ,
            unit="g",
            channels=("radial",),
            samples=_quantised(x * self._gain(hour)),
            scale=_SCALE,
            shaft_hz=condition.shaft_hz,
            load=100.0 * condition.load,
            temperature_c=38.0 + 25.0 * condition.load,
        )
        self.sequence += 1
        return block

    def unrepaired(self, hour: float, real: Block | None) -> NDArray[np.float32] | None:
        """Samples in g as they would be if nobody had repaired anything; None where the machine stands still."""
        if self.twin is None:
            return None if real is None else real.physical()
        fault = self.drawn_fault(hour)
        if fault is None:
            return None
        x = self.twin.signal.block(N_SAMPLES, self._condition(self.twin, hour, fault)) * self._gain(hour)
        return np.asarray(_quantised(x) * np.float32(_SCALE), dtype=np.float32)

    def _gain(self, hour: float) -> float:
        return math.prod(change.gain for change in self.plan.changes if change.at_h <= hour)

    def _condition(self, stream: _Stream, hour: float, fault: Fault | None) -> Condition:
        plan = self.plan
        kept = math.exp(-(hour - stream.hour) / _LOAD_MEMORY_H)
        chance = _LOAD_NOISE * math.sqrt(1.0 - kept * kept) * float(stream.rng.standard_normal())
        stream.deviation, stream.hour = kept * stream.deviation + chance, hour
        day = plan.swing * math.sin(2.0 * math.pi * (hour / HOURS - 0.3))
        changed = [change for change in plan.changes if change.at_h <= hour]
        load = (plan.load + day) * math.prod(c.load for c in changed) + stream.deviation
        load = min(max(load, 0.05), 1.2)
        speed = plan.machine.shaft_hz * math.prod(c.speed for c in changed) * (1.0 + plan.slip * (plan.load - load))
        if fault is None:
            return Condition(speed, load=load)
        return Condition(speed, load=load, fault=fault.kind, severity=fault.severity(hour))


def _quantised(accel_g: NDArray[np.floating]) -> NDArray[np.int16]:
    codes: NDArray[np.int16] = np.clip(np.rint(accel_g / _SCALE), -32768, 32767).astype(np.int16)
    return codes
