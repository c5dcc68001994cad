"""How near the C front end must come to `features.extraction`: relative to each value, above a floor for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.node.frontend import Setup
from features.contract import NODE
from features.signals import CONSTANTS
from features.velocity import STANDARD_GRAVITY

__all__ = ["FLOORS", "RELATIVE", "excess"]

Floats = NDArray[np.floating]

# Largest difference relative to a value, or to its floor if that is more.
RELATIVE = 1e-4
# Of shapes: sums that cancel, so that their rounding is one of what is summed, not of the sum.
FLOORS = {"skewness": 0.1, "hyperskewness": 1.0, "envelope_kurtosis": 0.1} | {
    name: 1e-3 for name in NODE.names if name.startswith("packet_share_")
}
# Of levels: a share of the standard deviation of the window. A transform in single precision leaves a ten-millionth of
# the loudest in each bin, and a level 60 dB below the whole is asked to be right to that.
_SHARE_OF_STD = 1e-3


def excess(found: Floats, wanted: Floats, setup: Setup, *, n: int) -> NDArray[np.float64]:
    """Say how much of what is allowed each feature differs by.

    Parameters
    ----------
    found, wanted : ndarray, shape (..., features)
        Features of `features.contract.NODE`, of the C front end and of `features.extraction.extract`.
    setup : Setup
        What the samples were.
    n : int
        Samples of a window.

    Returns
    -------
    ndarray of float64, shape (..., features)
        Above 1 where a difference is larger than allowed.

    Examples
    --------
    >>> wanted = np.ones((1, len(NODE.features)))
    >>> found = wanted.copy()
    >>> found[0, NODE.index("std")] = 1.0002
    >>> excess(found, wanted, Setup(12_000.0, 0.001, "g"), n=2048).max().round(6).item()
    2.0
    """
    allowed = RELATIVE * np.maximum(np.abs(wanted), _floors(wanted, setup, n))
    difference = np.abs(np.asarray(found, np.float64) - wanted)
    # What may not differ at all is within its limit if it does not.
    return np.where(difference > 0.0, difference / np.where(allowed > 0.0, allowed, np.finfo(np.float64).tiny), 0.0)


def _floors(wanted: Floats, setup: Setup, n: int) -> Floats:
    floors = np.zeros(wanted.shape)
    std = wanted[..., NODE.index("std")]
    for i, feature in enumerate(NODE.features):
        if feature.name in FLOORS:
            floors[..., i] = FLOORS[feature.name]
        elif feature.unit == "x":
            floors[..., i] = _SHARE_OF_STD * std
    floors[..., NODE.index("velocity_rms")] = _SHARE_OF_STD * std * _largest_velocity(setup, n)
    return floors


def _largest_velocity(setup: Setup, n: int) -> float:
    """Velocity in mm/s of one unit of the samples at the lowest frequency of the band."""
    low_hz = max(10.0, float(CONSTANTS["first_bin_of_integrals"]) * setup.rate_hz / n)
    to_mm = {"g": 1e3 * STANDARD_GRAVITY, "m/s2": 1e3}
    return to_mm[setup.unit] / (2.0 * np.pi * low_hz) if setup.unit in to_mm else 1.0
