"""The plant of the scripted day: machines by area and what befalls them, from one seed; refuses too small a plant."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.assets.model import Machine as Asset
from app.assets.model import Point
from app.wire import About, PointId
from features.bearing import bearing_named
from features.errors import ParameterError
from features.velocity import STANDARD_GRAVITY
from models.plant import Machine, Mode

__all__ = ["HOURS", "SITE", "Change", "Fault", "PlantMachine", "draw_plant"]

SITE = "demo-works"
_POINT = "drive-end"
# Of a day.
HOURS = 24.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault from its first sign to the failure it leads to, where nobody repairs it.

    Attributes
    ----------
    kind : str
        As `models.plant` has it.
    onset_h, failure_h : float
        Hours after the beginning of the run.
    growth : float
        Exponent of its growth: 0 grows by as much each day, 5 creeps for long and is fast at the end.
    """

    kind: str
    onset_h: float
    failure_h: float
    growth: float

    def severity(self, hour: float) -> float:
        """Severity at an hour, 0 before the onset and 1 from the failure on.

        Examples
        --------
        >>> fault = Fault("outer", 100.0, 200.0, growth=0.0)
        >>> fault.severity(50.0), fault.severity(125.0), fault.severity(300.0)
        (0.0, 0.25, 1.0)
        """
        share = min(max((hour - self.onset_h) / (self.failure_h - self.onset_h), 0.0), 1.0)
        return share if self.growth == 0.0 else math.expm1(self.growth * share) / math.expm1(self.growth)


@dataclass(frozen=True, slots=True)
class Change:
    """What befalls a machine or its sensor and is no fault.

    Attributes
    ----------
    what : str
        ``process`` (another speed and load from then on), ``sensor`` (another one, which counts from 0 again) or
        ``silence`` (nothing comes for a while).
    at_h, hours : float
        Hours after the beginning of the run, and how long a silence lasts.
    speed, load, gain : float
        Factors of the nominal speed, of the load, and of what the sensor says.
    """

    what: str
    at_h: float
    hours: float = 0.0
    speed: float = 1.0
    load: float = 1.0
    gain: float = 1.0


@dataclass(frozen=True)
class PlantMachine:
    """A machine with what will befall it.

    Attributes
    ----------
    area : str
    machine : Machine
    iso_group : str
    load : float
        Mean share of the nominal load.
    swing : float
        By which load follows the day.
    slip : float
        By how much of the nominal speed a change of the whole load moves the speed.
    faults : tuple of Fault
        One after the other.
    changes : tuple of Change
    """

    area: str
    machine: Machine
    iso_group: str
    load: float
    swing: float
    slip: float
    faults: tuple[Fault, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def point(self) -> PointId:
        """Its only measuring point."""
        return PointId(SITE, self.machine.name, _POINT)

    @property
    def title(self) -> str:
        """Name for people."""
        return self.machine.name.replace("-", " ").capitalize()

    def about(self) -> About:
        """What its sensor says of itself."""
        return About(self.point, self.title, self.machine.bearing, self.machine.shaft_hz, self.iso_group)

    def asset(self) -> Asset:
        """What people enter of it."""
        rpm = 60.0 * self.machine.shaft_hz
        points = {_POINT: Point(bearing=self.machine.bearing, mounting="stud")}
        return Asset(SITE, self.area, self.machine.name, self.title, rpm, self.iso_group, points)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What machines of a kind have in common: range of speeds, ISO group, teeth, blades, bearings, faults they get."""

    name: str
    shaft_hz: tuple[float, float]
    iso_group: str
    teeth: int
    blades: int
    bearings: tuple[str, ...]
    faults: tuple[str, ...]


_KINDS = (
    _Kind("pump", (24.2, 49.5), "group-2-rigid", 0, 6, ("6306", "6308"), ("outer", "misalignment", "inner")),
    _Kind("fan", (14.0, 24.8), "group-2-flexible", 0, 9, ("6208", "6310"), ("unbalance", "outer", "inner")),
    _Kind("motor", (24.5, 49.6), "group-2-rigid", 0, 0, ("6206", "6309"), ("inner", "ball", "outer")),
    _Kind("compressor", (29.0, 49.5), "group-2-rigid", 0, 0, ("6305", "6307"), ("misalignment", "outer", "ball")),
    _Kind("gearbox", (16.0, 29.0), "class-II", 31, 0, ("6204", "6207"), ("gear", "inner", "outer")),
    _Kind("blower", (33.0, 49.0), "group-2-flexible", 0, 11, ("6205-2RS", "6306"), ("unbalance", "ball", "outer")),
    _Kind("conveyor", (12.5, 17.0), "class-II", 0, 0, ("6203-2RS", "6210"), ("outer", "misalignment", "gear")),
)
_AREAS = ("Raw mill", "Kiln", "Cooling water", "Boiler house", "Packing")
# Of all machines; what remains is healthy and undisturbed. Far more faults than a real plant has in three months.
_FAULTY, _PROCESS, _SENSOR, _SILENT = 0.44, 0.2, 0.08, 0.06
# Of the length of the run: when faults begin and how long they take to the failure, and when changes come. Before, all
# is healthy, as commissioning wants it.
_ONSET, _LIFE, _CHANGED = (0.3, 0.8), (0.1, 0.35), (0.34, 0.6)
_SILENCE_H = 20.0


def draw_plant(n_machines: int, *, days: float, rng: np.random.Generator) -> tuple[PlantMachine, ...]:
    """Draw a plant with what befalls it in a run.

    Parameters
    ----------
    n_machines : int
        6 or more.
    days : float
        Length of the run.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of PlantMachine
        Faults begin in 44 % of the machines; every eleventh of these gets a second one. Of the others, some change
        speed and load, some their sensor, some fall silent for a while.

    Raises
    ------
    ParameterError
        If there are too few machines for each to befall one, or there is no time.

    Examples
    --------
    >>> plant = draw_plant(50, days=90.0, rng=np.random.default_rng(1))
    >>> len(plant), sum(bool(machine.faults) for machine in plant), plant[0].point
    (50, 22, PointId(site='demo-works', asset='raw-mill-pump-1', point='drive-end'))
    """
    if n_machines < 6 or not days > 0.0:
        raise ParameterError(f"a plant of {n_machines} machines over {days} days; 6 or more over a time are wanted")
    shares = (_FAULTY, _PROCESS, _SENSOR, _SILENT)
    counts = [max(round(share * n_machines), 1) for share in shares]
    roles = np.repeat(np.arange(len(shares) + 1), [*counts, n_machines - sum(counts)])
    rng.shuffle(roles)
    return tuple(_machine(i, int(role), days * HOURS, rng) for i, role in enumerate(roles))


def _machine(i: int, role: int, hours: float, rng: np.random.Generator) -> PlantMachine:
    kind, area = _KINDS[i % len(_KINDS)], _AREAS[i % len(_AREAS)]
    name = f"{area.lower().replace(' ', '-')}-{kind.name}-{i // len(_KINDS) + 1}"
    return PlantMachine(
        area=area,
        machine=_drawn(name, kind, rng),
        iso_group=kind.iso_group,
        load=float(rng.uniform(0.65, 0.8)),
        swing=float(rng.uniform(0.03, 0.12)),
        slip=float(rng.uniform(0.005, 0.03)),
        faults=_faults(i, kind, hours, rng) if role == 0 else (),
        changes=() if role == 0 else _changes(role, hours, rng),
    )


def _drawn(name: str, kind: _Kind, rng: np.random.Generator) -> Machine:
    shaft_hz = float(rng.uniform(*kind.shaft_hz))
    lowest = float(rng.uniform(1100.0, 2100.0))
    # As the RMS velocity that limits are stated in, so that slow and fast machines are as smooth.
    unbalance_mm_s = float(rng.uniform(0.35, 0.9))
    per_mm_s = math.sqrt(2.0) * 2.0 * math.pi * shaft_hz / (1e3 * STANDARD_GRAVITY)
    return Machine(
        name=name,
        bearing=bearing_named(str(rng.choice(kind.bearings))),
        shaft_hz=shaft_hz,
        modes=(Mode(lowest, 0.04, 0.6), Mode(2.1 * lowest, 0.03, 0.4)),
        unbalance_g=unbalance_mm_s * per_mm_s,
        misalignment_g=float(rng.uniform(0.1, 0.3)) * 2.0 * per_mm_s,
        mesh_g=0.1 if kind.teeth else 0.0,
        blade_g=0.05 if kind.blades else 0.0,
        noise_g=0.01,
        rolling_g=float(rng.uniform(0.02, 0.06)),
        impact_g=float(rng.uniform(1.0, 3.0)),
        teeth=kind.teeth,
        blades=kind.blades,
        roughness=float(rng.uniform(0.0, 0.6)),
        looseness=float(rng.uniform(0.0, 0.4)),
    )


def _faults(i: int, kind: _Kind, hours: float, rng: np.random.Generator) -> tuple[Fault, ...]:
    onset = float(rng.uniform(*_ONSET)) * hours
    first = _fault(kind, onset, hours, rng)
    second = first.failure_h + 0.15 * hours
    if i % 11 or second > _ONSET[1] * hours:
        return (first,)
    return first, _fault(kind, second, hours, rng)


def _fault(kind: _Kind, onset: float, hours: float, rng: np.random.Generator) -> Fault:
    name = str(rng.choice(kind.faults))
    growth = float(rng.uniform(0.0, 2.0) if name in ("unbalance", "misalignment") else rng.uniform(2.0, 5.0))
    return Fault(name, onset, onset + float(rng.uniform(*_LIFE)) * hours, growth)


def _changes(role: int, hours: float, rng: np.random.Generator) -> tuple[Change, ...]:
    at = float(rng.uniform(*_CHANGED)) * hours
    sign = float(rng.choice((-1.0, 1.0)))
    if role == 1:
        speed, load = 1.0 + sign * float(rng.uniform(0.01, 0.06)), 1.0 + sign * float(rng.uniform(0.05, 0.25))
        return (Change("process", at, speed=speed, load=load),)
    if role == 2:
        return (Change("sensor", at, gain=1.0 + sign * float(rng.uniform(0.05, 0.2))),)
    return (Change("silence", at, hours=_SILENCE_H),) if role == 3 else ()
