"""What a simulated machine is, and the condition it runs in; refuses faults that are not modelled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from features.bearing import Bearing
from features.errors import ParameterError

__all__ = ["FAULTS", "Condition", "Machine", "Mode", "random_bearing", "random_machine", "wandering"]

FAULTS = ("none", "unbalance", "misalignment", "inner", "outer", "ball", "gear")


@dataclass(frozen=True, slots=True)
class Condition:
    """How the machine runs during a block.

    Parameters
    ----------
    shaft_hz : float
        Mean shaft speed in Hz, positive.
    load : float
        Share of the nominal load, 0 to 1.5.
    fault : str
        One of ``FAULTS``.
    severity : float
        0 (healthy) to 1 (end of life).
    """

    shaft_hz: float
    load: float = 1.0
    fault: str = "none"
    severity: float = 0.0

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ParameterError(f"fault {self.fault!r} is not modelled; one of {', '.join(FAULTS)} is wanted")
        if not self.shaft_hz > 0.0 or not 0.0 <= self.load <= 1.5 or not 0.0 <= self.severity <= 1.0:
            raise ParameterError(f"{self} is no running machine; give speed > 0, load 0 to 1.5, severity 0 to 1")


@dataclass(frozen=True, slots=True)
class Mode:
    """A structural resonance: frequency in Hz, damping ratio, share of the response."""

    hz: float
    damping: float
    gain: float


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine and how strongly each of its sources is felt at the sensor.

    Attributes
    ----------
    name : str
    bearing : Bearing
    shaft_hz : float
        Nominal shaft speed in Hz.
    modes : tuple of Mode
        Resonances that impacts and rolling noise excite.
    unbalance_g, misalignment_g, mesh_g, blade_g, noise_g, rolling_g : float
        Amplitudes in g of the healthy machine at nominal speed: 1x, 2x, gear mesh, blade passing, sensor noise (RMS),
        and rolling noise through the resonances (RMS).
    impact_g : float
        Peak response in g to the impact of a bearing fault of severity 1.
    teeth, blades : int
        0 for none.
    slip : float
        Relative deviation of the spacing of impacts.
    roughness : float
        Share of a fault that is a burst of noise rather than one sharp impact, 0 to 1.
    rotating_load : float
        Depth, 0 to 1, to which a load that turns with the shaft (unbalance, a loose fit) modulates the impacts of a
        fixed spall.
    looseness : float
        Depth, 0 to 1, to which the rolling noise swells once a turn.
    """

    name: str
    bearing: Bearing
    shaft_hz: float
    modes: tuple[Mode, ...]
    unbalance_g: float = 0.05
    misalignment_g: float = 0.02
    mesh_g: float = 0.0
    blade_g: float = 0.0
    noise_g: float = 0.01
    rolling_g: float = 0.03
    impact_g: float = 1.0
    teeth: int = 0
    blades: int = 0
    slip: float = 0.01
    roughness: float = 0.2
    rotating_load: float = 0.2
    looseness: float = 0.0


def wandering(machine: Machine, clock_s: float, *, fault: str = "none", severity: float = 0.0) -> Condition:
    """Condition at a time of a machine whose speed and load wander: 2 % over 20 s and 15 % over 13 s.

    Examples
    --------
    >>> from models.plant import random_machine
    >>> machine = random_machine(np.random.default_rng(1))
    >>> round(wandering(machine, 5.0).shaft_hz / machine.shaft_hz, 3), round(wandering(machine, 3.25).load, 3)
    (1.02, 0.95)
    """
    shaft_hz = machine.shaft_hz * (1.0 + 0.02 * math.sin(2.0 * math.pi * clock_s / 20.0))
    load = 0.8 + 0.15 * math.sin(2.0 * math.pi * clock_s / 13.0)
    return Condition(shaft_hz, load=load, fault=fault, severity=severity)


def random_bearing(rng: np.random.Generator) -> Bearing:
    """Draw a bearing from the range of common deep-groove and angular-contact ones."""
    pitch_mm = float(rng.uniform(20.0, 120.0))
    # Rings need room between the balls: the more balls, the smaller each.
    balls = int(rng.integers(7, 15))
    ratio = float(rng.uniform(0.55, 0.85)) * np.sin(np.pi / balls)
    contact = float(rng.choice([0.0, 0.0, 15.0, 25.0]))
    return Bearing("random", balls=balls, ball_mm=ratio * pitch_mm, pitch_mm=pitch_mm, contact_deg=contact)


def random_machine(rng: np.random.Generator) -> Machine:
    """Draw a machine; wide on purpose, since what is learned from such machines meets real ones."""
    lowest = float(rng.uniform(800.0, 2500.0))
    n_modes = int(rng.integers(1, 4))
    modes = tuple(
        Mode(hz=lowest * float(rng.uniform(1.0, 2.5)) ** i, damping=float(rng.uniform(0.01, 0.08)), gain=gain)
        for i, gain in enumerate(rng.dirichlet(np.full(n_modes, 2.0)).tolist())
    )

    def level(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    geared, bladed = rng.random() < 0.3, rng.random() < 0.3
    return Machine(
        name="random",
        bearing=random_bearing(rng),
        shaft_hz=float(rng.uniform(12.0, 60.0)),
        modes=modes,
        unbalance_g=level(0.005, 0.3),
        misalignment_g=level(0.002, 0.1),
        mesh_g=level(0.01, 0.3) if geared else 0.0,
        blade_g=level(0.01, 0.2) if bladed else 0.0,
        noise_g=level(0.005, 0.05),
        rolling_g=level(0.01, 0.1),
        impact_g=level(0.3, 5.0),
        teeth=int(rng.integers(17, 60)) if geared else 0,
        blades=int(rng.integers(4, 12)) if bladed else 0,
        slip=float(rng.uniform(0.002, 0.02)),
        roughness=float(rng.uniform(0.0, 0.9)),
        rotating_load=float(rng.uniform(0.0, 1.0)) ** 1.5,
        looseness=float(rng.uniform(0.0, 0.9)) if rng.random() < 0.5 else 0.0,
    )
