"""The vibration of a machine, block after block without seams: tones of shaft and gears, impacts of bearing faults."""

from __future__ import annotations

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from features.errors import ParameterError
from models.plant.machine import Condition, Machine, Mode

__all__ = ["MachineSignal"]

Samples = NDArray[np.float64]

_TURN = 2.0 * np.pi
# Relative deviation of the shaft speed around its mean, and the time over which it wanders.
_SPEED_JITTER, _SPEED_MEMORY_S = 0.001, 1.0
# A spall rings as long as the rolling element crosses it: decay of the noisy share of an impact.
_BURST_S = 0.0008
# Fault amplitudes at severity 1, as multiples of the healthy amplitude.
_UNBALANCE_GROWTH, _MISALIGNMENT_GROWTH = 12.0, 15.0


class MachineSignal:
    """Acceleration at the sensor of one machine.

    Parameters
    ----------
    machine : Machine
    rate_hz : float
        Sampling rate in Hz.
    rng : numpy.random.Generator

    Notes
    -----
    Bearing impacts after McFadden and Smith, J. Sound Vib. 96 (1984) 69-82, with the random slip of Antoni and Randall,
    J. Vib. Acoust. 124 (2002); each impact excites second-order resonances.
    """

    def __init__(self, machine: Machine, *, rate_hz: float, rng: np.random.Generator) -> None:
        if not (np.isfinite(rate_hz) and rate_hz > 0.0):
            raise ParameterError(f"a machine was asked for samples at {rate_hz} Hz; a positive rate is wanted")
        self._machine = machine
        self._rate_hz = rate_hz
        self._rng = rng
        self._phase = float(rng.uniform(0.0, _TURN))
        self._zone = float(rng.uniform(0.0, _TURN))
        self._wander = 0.0
        self._next_impact = self._phase
        self._burst_state = np.zeros(1)
        self._modes = [m for m in machine.modes if m.hz < 0.45 * rate_hz]
        self._resonators = [_resonator(mode, rate_hz) for mode in self._modes]
        self._states = [np.zeros(2) for _ in self._modes]

    def block(self, n: int, condition: Condition) -> NDArray[np.float32]:
        """Continue the signal.

        Parameters
        ----------
        n : int
            Samples wanted.
        condition : Condition
            Held during the block.

        Returns
        -------
        ndarray of float32, shape (1, n)
            Acceleration in g.

        Raises
        ------
        ParameterError
            If no sample is wanted.
        """
        if n < 1:
            raise ParameterError(f"a machine was asked for {n} samples; at least 1 is wanted")
        phase = self._turned(n, condition.shaft_hz)
        machine = self._machine
        rolling = machine.rolling_g * np.sqrt(0.3 + 0.7 * condition.load)
        if machine.looseness > 0.0:
            # A narrow swell once a turn, so that several harmonics of the shaft show in the envelope.
            swell = (0.5 + 0.5 * np.cos(phase - self._zone)) ** 3
            rolling = rolling * (1.0 - machine.looseness + 3.0 * machine.looseness * swell)
        excitation = rolling * self._rng.standard_normal(n) + self._impacts(phase, condition)
        x = self._tones(phase, condition) + self._resonated(excitation)
        x += machine.noise_g * self._rng.standard_normal(n)
        self._phase = float(phase[-1])
        return x.astype(np.float32)[None, :]

    def _turned(self, n: int, shaft_hz: float) -> Samples:
        """Shaft angle at each sample, in radians; the speed wanders slowly around its mean."""
        memory = np.exp(-n / (_SPEED_MEMORY_S * self._rate_hz))
        target = memory * self._wander + np.sqrt(1.0 - memory**2) * self._rng.standard_normal()
        wander = np.linspace(self._wander, target, n, endpoint=True)
        self._wander = float(target)
        return self._phase + np.cumsum(_TURN * shaft_hz * (1.0 + _SPEED_JITTER * wander) / self._rate_hz)

    def _tones(self, phase: Samples, condition: Condition) -> Samples:
        machine = self._machine
        growth = {"unbalance": 0.0, "misalignment": 0.0, condition.fault: condition.severity}
        speed = (condition.shaft_hz / machine.shaft_hz) ** 2
        unbalance = machine.unbalance_g * speed * (1.0 + _UNBALANCE_GROWTH * growth["unbalance"])
        misalignment = machine.misalignment_g * speed * (1.0 + _MISALIGNMENT_GROWTH * growth["misalignment"])
        x = unbalance * np.cos(phase) + misalignment * (np.cos(2.0 * phase + 0.7) + 0.4 * np.cos(3.0 * phase + 1.9))
        nyquist = 0.5 * self._rate_hz
        for harmonics, count, level in ((3, machine.teeth, machine.mesh_g), (2, machine.blades, machine.blade_g)):
            for k in range(1, harmonics + 1):
                if count and level > 0.0 and k * count * condition.shaft_hz < 0.9 * nyquist:
                    swing = 1.0 + 0.2 * np.cos(phase + k)
                    x += level * (0.3 + 0.7 * condition.load) / k**1.5 * swing * np.cos(k * count * phase + k * k)
        return np.asarray(x)

    def _impacts(self, phase: Samples, condition: Condition) -> Samples:
        """Excitation by the strikes of a bearing or gear fault."""
        orders = self._machine.bearing.orders
        order = {"inner": orders.bpfi, "outer": orders.bpfo, "ball": orders.defect, "gear": 1.0}.get(condition.fault)
        out = np.zeros(phase.size)
        if order is None or condition.severity <= 0.0:
            self._next_impact = float(phase[-1])
            return out
        angles = self._strikes(phase, order)
        if angles.size:
            weight = self._weights(angles, condition) * condition.severity * self._machine.impact_g
            position = np.interp(angles, phase, np.arange(phase.size, dtype=np.float64))
            first = np.minimum(position.astype(np.intp), phase.size - 2)
            share = position - first
            np.add.at(out, first, weight * (1.0 - share))
            np.add.at(out, first + 1, weight * share)
        rough = self._machine.roughness
        if rough > 0.0:
            decay = np.exp(-1.0 / (_BURST_S * self._rate_hz))
            burst, self._burst_state = scipy.signal.lfilter([1.0], [1.0, -decay], out, zi=self._burst_state)
            out = (1.0 - rough) * out + rough * burst * self._rng.standard_normal(phase.size)
        return out

    def _strikes(self, phase: Samples, order: float) -> Samples:
        """Shaft angles of the strikes in this block; their spacing slips, so that their phase is a random walk."""
        spacing = _TURN / order
        room = int((phase[-1] - self._next_impact) / spacing * 1.2) + 8
        steps = spacing * (1.0 + self._machine.slip * self._rng.standard_normal(room)).clip(0.5, 1.5)
        angles = self._next_impact + np.concatenate([[0.0], np.cumsum(steps)])
        inside = angles <= phase[-1]
        self._next_impact = float(angles[~inside][0])
        return np.asarray(angles[inside])

    def _weights(self, angles: Samples, condition: Condition) -> Samples:
        """Strength of each strike: where the spall stands relative to the load zone, and chance."""
        chance = self._rng.lognormal(0.0, 0.25, angles.size) * (0.4 + 0.6 * condition.load)
        cage = self._machine.bearing.orders.ftf
        if condition.fault == "inner":
            # The spall turns with the shaft, through the load zone once a turn.
            return np.asarray(chance * (0.15 + 0.85 * np.maximum(np.cos(angles - self._zone), 0.0) ** 1.5))
        if condition.fault == "ball":
            # The ball goes round with the cage; some strikes miss as it tumbles.
            hit = self._rng.random(angles.size) > 0.15
            return np.asarray(chance * hit * (0.2 + 0.8 * np.maximum(np.cos(cage * angles - self._zone), 0.0)))
        turning = (0.5 + 0.5 * np.cos(angles - self._zone)) ** 1.5
        depth = self._machine.rotating_load
        return np.asarray(chance * (1.0 - depth + 2.0 * depth * turning))

    def _resonated(self, excitation: Samples) -> Samples:
        x = np.zeros(excitation.size)
        for i, (mode, (b, a)) in enumerate(zip(self._modes, self._resonators, strict=True)):
            response, self._states[i] = scipy.signal.lfilter(b, a, excitation, zi=self._states[i])
            x += mode.gain * response
        return x


def _resonator(mode: Mode, rate_hz: float) -> tuple[Samples, Samples]:
    """Second-order filter whose impulse response is a decaying sine of about unit peak."""
    omega = _TURN * mode.hz / rate_hz
    radius = np.exp(-mode.damping * omega)
    return np.array([0.0, np.sin(omega)]), np.array([1.0, -2.0 * radius * np.cos(omega), radius**2])
