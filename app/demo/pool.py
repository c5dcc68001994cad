"""Simulated windows of one machine, healthy and with its faults as they grow, that a long history is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zstandard
from numpy.typing import NDArray

from app.demo.plant import PlantMachine
from app.demo.world import N_SAMPLES, RATE_HZ
from features.contract import NODE, WATCHED
from features.extraction import extract
from models.plant import Condition, MachineSignal

__all__ = ["SCALE", "Pool", "simulated"]

SCALE = 50.0 / 32768.0
_HEALTHY = 30
# Steps of severity that a fault is simulated at, and windows at each.
_STEPS, _AT_EACH = 14, 2
_RMS = WATCHED.index("rms")
# Standard deviations beyond which a feature says no more.
_FARTHEST = 40.0
_UNAIDED = [NODE.index(name) for name in NODE.knowing().names]
# Of the healthy scores' upper end.
_MARGIN = 1.25


@dataclass(frozen=True, eq=False)
class Pool:
    """Windows of a machine.

    Attributes
    ----------
    severity : ndarray of float64, shape (windows,)
    fault : ndarray of int64, shape (windows,)
        Number of the fault, -1 for a healthy window.
    load, shaft_hz : ndarray of float64, shape (windows,)
    features : list of bytes
        As the store has them.
    reported : list of bytes
        Features of the profile that nodes compute.
    waveforms : list of bytes
        Compressed, as the store has them.
    rms : ndarray of float64, shape (windows,)
    ratio : ndarray of float64, shape (windows,)
        Score over threshold of a plain distance from the healthy windows; it stands for a baseline that was learned.
    """

    severity: NDArray[np.float64]
    fault: NDArray[np.int64]
    load: NDArray[np.float64]
    shaft_hz: NDArray[np.float64]
    features: list[bytes]
    reported: list[bytes]
    waveforms: list[bytes]
    rms: NDArray[np.float64]
    ratio: NDArray[np.float64]

    def draw(self, fault: int, severity: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw windows of a fault, each from one of the two steps next to its severity; healthy ones for -1."""
        if fault < 0:
            return rng.choice(np.flatnonzero(self.fault < 0), severity.size)
        steps = np.unique(self.severity[self.fault == fault])
        place = np.interp(severity, steps, np.arange(steps.size))
        near = np.minimum(np.floor(place + rng.random(severity.size)).astype(np.int64), steps.size - 1)
        own = [np.flatnonzero((self.fault == fault) & (self.severity == step)) for step in steps]
        return np.array([rng.choice(own[i]) for i in near], dtype=np.int64)


def simulated(plan: PlantMachine, rng: np.random.Generator) -> Pool:
    """Simulate a machine healthy and at growing severities of each of its faults.

    Parameters
    ----------
    plan : PlantMachine
    rng : numpy.random.Generator
    """
    signal = MachineSignal(plan.machine, rate_hz=RATE_HZ, rng=rng)
    severity, fault = [0.0] * _HEALTHY, [-1] * _HEALTHY
    for i in range(len(plan.faults)):
        # Closer where it is young: that is where a trend is read.
        steps = np.linspace(0.0, 1.0, _STEPS) ** 1.5
        severity += list(np.repeat(steps, _AT_EACH))
        fault += [i] * (_STEPS * _AT_EACH)
    load = np.clip(plan.load + plan.swing * rng.uniform(-1.0, 1.0, len(fault)), 0.1, 1.2)
    shaft_hz = plan.machine.shaft_hz * (1.0 + plan.slip * (plan.load - load))
    samples = np.stack([_window(signal, plan, *one) for one in zip(fault, severity, shaft_hz, load, strict=True)])
    x = np.multiply(samples, np.float32(SCALE), dtype=np.float32)
    watched = extract(x, RATE_HZ, profile=WATCHED, unit="g").astype("<f4")
    reported = extract(x, RATE_HZ, profile=NODE.knowing(), unit="g").astype("<f4")
    compress = zstandard.ZstdCompressor(level=1).compress
    return Pool(
        np.array(severity),
        np.array(fault),
        load,
        shaft_hz,
        [row.tobytes() for row in watched],
        [_padded(row) for row in reported],
        [compress(row.tobytes()) for row in samples],
        watched[:, _RMS].astype(np.float64),
        _ratios(watched, np.array(fault) < 0),
    )


def _window(
    signal: MachineSignal, plan: PlantMachine, fault: int, severity: float, shaft_hz: float, load: float
) -> NDArray[np.int16]:
    condition = Condition(shaft_hz, load=load)
    if fault >= 0 and severity > 0.0:
        condition = Condition(shaft_hz, load=load, fault=plan.faults[fault].kind, severity=severity)
    x = signal.block(N_SAMPLES, condition)[0]
    codes: NDArray[np.int16] = np.clip(np.rint(x / SCALE), -32768, 32767).astype("<i2")
    return codes


def _padded(row: NDArray[np.float32]) -> bytes:
    """Features of a node's report in the order of its profile; those that want speed and bearing are left at 0."""
    full = np.zeros(len(NODE.features), dtype="<f4")
    full[_UNAIDED] = row
    return full.tobytes()


def _ratios(features: NDArray[np.float32], healthy: NDArray[np.bool_]) -> NDArray[np.float64]:
    centre, spread = features[healthy].mean(axis=0), features[healthy].std(axis=0) + 1e-9
    z = np.clip((features - centre) / spread, -_FARTHEST, _FARTHEST)
    score = np.sqrt(np.mean(z.astype(np.float64) ** 2, axis=1))
    return np.asarray(score / (_MARGIN * score[healthy].max()), dtype=np.float64)
