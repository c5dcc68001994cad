"""What each machine of a history that is written at once went through, hour by hour; refuses too short a history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.demo.plant import HOURS, Fault, PlantMachine
from app.demo.pool import Pool, simulated
from app.demo.world import HOUR_NS, PLANNED_H
from app.labels.records import FAULTS
from features.errors import ParameterError

__all__ = ["AFTER", "HistoryPlan", "Past", "Spell", "draw_past"]

# Windows that a baseline learns from.
AFTER = 60
# Windows in a row above the threshold that raise an alarm.
_RAISE_AFTER = 3
# Standard deviation of the logarithm of scores beyond what the pool has of it.
_SPREAD = 0.07
# Share of the time, at its end, in which nothing is mended, so that there is something to work on.
_OPEN = 0.17


@dataclass(frozen=True, slots=True)
class Spell:
    """An alarm of a machine: hour at which it was raised, hour of the repair that ended it or None, and the fault."""

    raised_h: int
    ended_h: int | None
    kind: str

    @property
    def named(self) -> str:
        """Its fault as verdicts name it."""
        return self.kind if self.kind in FAULTS else "other"


@dataclass(frozen=True)
class HistoryPlan:
    """What is to be written.

    Attributes
    ----------
    machines, days : int
    end_ns : int
        When it ends, nanoseconds since the epoch.
    seed : int
    nodes : int
        At most so many machines with a second point at which a node judges.
    waveforms_h : int
        Hours before the end of which waveforms are kept.
    """

    machines: int
    days: int
    end_ns: int
    seed: int
    nodes: int = 8
    waveforms_h: int = 48

    def __post_init__(self) -> None:
        if self.machines < 6 or self.days < 3 or self.nodes < 0:
            raise ParameterError(f"{self} cannot be written; 6 machines or more and 3 days or more are wanted")

    @property
    def hours(self) -> int:
        """Hours, one window of each machine in each."""
        return self.days * int(HOURS)

    @property
    def begin_ns(self) -> int:
        """Start of the first hour; the last window ends before `end_ns`."""
        return self.end_ns - self.hours * HOUR_NS


@dataclass(frozen=True, eq=False)
class Past:
    """What one machine went through.

    Attributes
    ----------
    place : int
        Machines are measured one after the other in each hour.
    plan : PlantMachine
    pool : Pool
    drawn : ndarray of int64, shape (hours,)
        Window of the pool of each hour, -1 where nothing came.
    ratio : ndarray of float64, shape (hours,)
        Score over threshold of each hour.
    scored : ndarray of bool, shape (hours,)
        Whether a baseline judged.
    generation : ndarray of int64, shape (hours,)
        Number of the baseline, from 0.
    spells : tuple of Spell
        Alarms with what ended them.
    """

    place: int
    plan: PlantMachine
    pool: Pool
    drawn: NDArray[np.int64]
    ratio: NDArray[np.float64]
    scored: NDArray[np.bool_]
    generation: NDArray[np.int64]
    spells: tuple[Spell, ...]

    @property
    def point_id(self) -> str:
        """Its measuring point."""
        return str(self.plan.point)

    def threshold(self, hour: int) -> float:
        """Threshold of the baseline that judged then; each one's is a little another."""
        return 1.0 + 0.12 * float((7 * int(self.generation[hour]) + len(self.point_id)) % 5)

    def alarmed(self, hour: int) -> bool:
        """Whether its alarm stood then; around alarms waveforms are kept."""
        return any(one.raised_h <= hour and (one.ended_h is None or hour <= one.ended_h) for one in self.spells)

    def bundle(self, hour: int) -> str:
        """Baseline that judged then."""
        return f"baseline-{self.point_id.replace('/', '-')}-{self.generation[hour] + 1}"


def draw_past(place: int, machine: PlantMachine, plan: HistoryPlan, rng: np.random.Generator) -> Past:
    """Draw what a machine goes through: its faults up to their repair, its silences, and who judged when."""
    pool = simulated(machine, rng)
    hours = plan.hours
    drawn = pool.draw(-1, np.zeros(hours), rng)
    # No two windows are alike, other than those of a small pool.
    chance = np.exp(_SPREAD * rng.standard_normal(hours))
    scored = np.arange(hours) >= AFTER
    generation = np.zeros(hours, dtype=np.int64)
    spells: list[Spell] = []
    for number, fault in enumerate(machine.faults):
        onset, ends = int(fault.onset_h), _repaired(fault, hours, rng)
        stretch = np.arange(onset, min(ends, hours))
        healthy = drawn[stretch]
        drawn[stretch] = pool.draw(number, np.array([fault.severity(float(h)) for h in stretch]), rng)
        raised = _raised(pool.ratio[drawn] * chance, stretch)
        if raised is None:
            drawn[stretch] = healthy
            continue
        spells.append(Spell(raised, None if ends >= hours else ends, fault.kind))
        drawn[ends : ends + int(PLANNED_H)] = -1
        scored[ends : ends + int(PLANNED_H) + AFTER] = False
        generation[ends:] += 1
    for change in machine.changes:
        if change.what == "silence":
            drawn[int(change.at_h) : int(change.at_h + change.hours)] = -1
    return Past(place, machine, pool, drawn, pool.ratio[drawn] * chance, scored, generation, tuple(spells))


def _repaired(fault: Fault, hours: int, rng: np.random.Generator) -> int:
    """Hour at which somebody mends it, before it would fail; what is left for the last weeks is mended later."""
    hour = int(fault.onset_h + rng.uniform(0.75, 0.97) * (fault.failure_h - fault.onset_h))
    return hour if hour < (1.0 - _OPEN) * hours else max(hour, hours)


def _raised(ratio: NDArray[np.float64], stretch: NDArray[np.int64]) -> int | None:
    above = ratio[stretch] > 1.0
    run = np.convolve(above, np.ones(_RAISE_AFTER, dtype=np.int64), mode="valid") == _RAISE_AFTER
    found = np.flatnonzero(run)
    return int(stretch[found[0] + _RAISE_AFTER - 1]) if found.size else None
