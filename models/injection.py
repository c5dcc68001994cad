"""Healthy windows with the vibration of a fault laid over them, to ask detectors the same; refuses faults not modelled.

A machine that has never failed has no windows of its faults. What a fault adds is therefore simulated (`models.plant`,
of which all is silenced but the fault) and added to what the machine really measured, at a stated multiple of its own
RMS. That says which of two detectors sees it sooner, not how a real fault of this machine would look.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.bearing import Bearing, bearing_named
from features.errors import ParameterError
from models.plant import Condition, MachineSignal, random_machine

__all__ = ["KINDS", "LEVELS", "fault_vibration", "with_fault"]

KINDS = ("inner", "outer", "ball", "unbalance", "misalignment")
# RMS of what the fault adds, as multiples of the healthy RMS of the window.
LEVELS = (0.25, 0.5, 1.0)
# Bearing and speed where those of the point are not known.
_BEARING, _SHAFT_HZ = "6205-2RS", 25.0
# Before what is taken, in which the resonances begin to ring.
_SETTLE = 4096
_FEWEST_STRIKES = 2.0


def fault_vibration(
    rng: np.random.Generator, kind: str, *, n: int, rate_hz: float, shaft_hz: float | None, bearing: Bearing | None
) -> NDArray[np.float32]:
    """Simulate what a fault alone adds to the vibration of a machine drawn at random.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : str
        One of ``KINDS``.
    n : int
        Samples wanted.
    rate_hz : float
    shaft_hz : float or None
        25 Hz where it is not known.
    bearing : Bearing or None
        A 6205 where it is not known.

    Returns
    -------
    ndarray of float32, shape (n,)
        Of unit RMS; of a machine whose windows are shorter than two strikes apart, one with a strike.

    Raises
    ------
    ParameterError
        If the fault is not modelled, or a window holds no strike of it.
    """
    if kind not in KINDS:
        raise ParameterError(f"a fault {kind!r} was asked for; one of {', '.join(KINDS)} is wanted")
    speed_hz = shaft_hz or _SHAFT_HZ
    silent = replace(
        random_machine(rng),
        bearing=bearing or bearing_named(_BEARING),
        shaft_hz=speed_hz,
        unbalance_g=float(kind == "unbalance"),
        misalignment_g=float(kind == "misalignment"),
        mesh_g=0.0,
        blade_g=0.0,
        noise_g=0.0,
        rolling_g=0.0,
        impact_g=1.0,
    )
    signal, condition = MachineSignal(silent, rate_hz=rate_hz, rng=rng), Condition(speed_hz, fault=kind, severity=1.0)
    blocks = [signal.block(_SETTLE + n, condition)[0, _SETTLE:]]
    orders = silent.bearing.orders
    strikes = (
        {"inner": orders.bpfi, "outer": orders.bpfo, "ball": orders.defect}.get(kind, math.inf) * speed_hz * n / rate_hz
    )
    # Of a slow machine most windows hold none, or what still rings of one before them.
    if strikes < _FEWEST_STRIKES:
        blocks += [signal.block(n, condition)[0] for _ in range(math.ceil(_FEWEST_STRIKES / strikes))]
    x = max(blocks, key=lambda block: float(np.mean(np.square(block, dtype=np.float64))))
    rms = float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
    if not rms > 0.0:
        raise ParameterError(f"a window of {n} samples at {rate_hz:g} Hz holds nothing of a fault {kind!r}")
    return np.asarray(x / rms, dtype=np.float32)


def with_fault(
    windows: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    kind: str,
    level: float,
    rate_hz: float,
    shaft_hz: float | None,
    bearing: Bearing | None,
) -> NDArray[np.float32]:
    """Lay a fault over healthy windows.

    Parameters
    ----------
    windows : ndarray of float32, shape (windows, channels, n)
    rng : numpy.random.Generator
    kind : str
        One of ``KINDS``.
    level : float
        RMS of what is added, as a multiple of that of each window and channel less its mean.
    rate_hz, shaft_hz, bearing
        As `fault_vibration` has them.

    Returns
    -------
    ndarray of float32, shape (windows, channels, n)
        Each window with a fault of a machine of its own; all channels of a window with the same.

    Raises
    ------
    ParameterError
        If the fault is not modelled.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> healthy = rng.standard_normal((2, 1, 4096)).astype(np.float32)
    >>> faulty = with_fault(healthy, rng, kind="outer", level=2.0, rate_hz=12_800.0, shaft_hz=29.5, bearing=None)
    >>> round(float((faulty - healthy).std() / healthy.std()), 1)
    2.0
    """
    added = np.stack(
        [
            fault_vibration(rng, kind, n=windows.shape[-1], rate_hz=rate_hz, shaft_hz=shaft_hz, bearing=bearing)
            for _ in windows
        ]
    )
    return np.asarray(windows + level * windows.std(axis=-1, keepdims=True) * added[:, None, :], dtype=np.float32)
