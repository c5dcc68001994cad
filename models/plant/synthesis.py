"""Labelled windows of many different simulated machines, to learn the fault kind from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.bearing import Bearing
from models.plant.machine import Condition, random_machine
from models.plant.signal import MachineSignal

__all__ = ["KINDS", "LabelledWindows", "labelled_windows"]

KINDS = ("normal", "inner", "outer", "ball")

_SETTLE = 1024
# What a machine without bearing fault may have instead.
_OTHER_FAULTS = ("none", "none", "unbalance", "misalignment", "gear")


@dataclass(frozen=True, eq=False)
class LabelledWindows:
    """Windows with what made them.

    Attributes
    ----------
    samples : ndarray of float32, shape (n, n_samples)
        Acceleration in g.
    kind : ndarray of int, shape (n,)
        Index into ``KINDS``.
    severity, shaft_hz : ndarray of float64, shape (n,)
        Severity of the bearing fault, 0 to 1 and 0 for ``normal``; true mean shaft speed in Hz.
    bearings : tuple of Bearing
    rate_hz : float
    """

    samples: NDArray[np.float32]
    kind: NDArray[np.intp]
    severity: NDArray[np.float64]
    shaft_hz: NDArray[np.float64]
    bearings: tuple[Bearing, ...]
    rate_hz: float


def labelled_windows(rng: np.random.Generator, *, n: int, n_samples: int, rate_hz: float) -> LabelledWindows:
    """Draw windows, each of another machine, with the kinds in turn.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Windows wanted.
    n_samples : int
        Samples of each.
    rate_hz : float
        Sampling rate in Hz.

    Returns
    -------
    LabelledWindows
        Severities are log-uniform, so that faults range from hidden to dominant. Windows without bearing fault include
        unbalance, misalignment and a broken tooth.
    """
    samples = np.empty((n, n_samples), dtype=np.float32)
    kind = np.arange(n) % len(KINDS)
    severity, shaft_hz = np.zeros(n), np.zeros(n)
    bearings = []
    for i in range(n):
        machine = random_machine(rng)
        fault = KINDS[kind[i]]
        drawn = float(np.exp(rng.uniform(np.log(0.08), 0.0)))
        shaft_hz[i] = machine.shaft_hz * rng.uniform(0.8, 1.2)
        severity[i] = 0.0 if fault == "normal" else drawn
        if fault == "normal":
            fault = str(rng.choice(_OTHER_FAULTS))
        condition = Condition(shaft_hz[i], load=float(rng.uniform(0.2, 1.2)), fault=fault, severity=drawn)
        signal = MachineSignal(machine, rate_hz=rate_hz, rng=rng)
        samples[i] = signal.block(_SETTLE + n_samples, condition)[0, _SETTLE:]
        bearings.append(machine.bearing)
    return LabelledWindows(samples, kind, severity, shaft_hz, tuple(bearings), rate_hz)
