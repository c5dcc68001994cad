"""Envelope spectra laid over the fault orders of a bearing, so that faults of any bearing at any speed look alike."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from features.bearing import FaultOrders
from features.envelope import SLIP, envelope_spectrum
from features.errors import ParameterError

__all__ = ["CHANNELS", "MAP_HASH", "N_BINS", "fault_map"]

CHANNELS = ("BPFO", "BPFI", "2xBSF", "shaft")
N_BINS = 96
_LOWEST, _HIGHEST = 0.25, 4.25

_DEFINITION = (
    f"whitened squared-envelope spectrum at {N_BINS} multiples {_LOWEST}..{_HIGHEST} of {'/'.join(CHANNELS)}, "
    f"maximum within +-{SLIP}, over the median, log1p of the excess"
)
MAP_HASH = hashlib.sha256(_DEFINITION.encode()).hexdigest()[:16]


def fault_map(x: NDArray[np.floating], rate_hz: float, *, shaft_hz: float, orders: FaultOrders) -> NDArray[np.float32]:
    """Sample the envelope spectrum at multiples of each fault frequency.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit.
    rate_hz : float
        Sampling rate in Hz.
    shaft_hz : float
        Shaft speed in Hz, positive.
    orders : FaultOrders
        Of the bearing.

    Returns
    -------
    ndarray of float32, shape (..., 96, 4)
        Logarithmic excess of each line over the median line, without unit; channels as in ``CHANNELS``: outer race,
        inner race, rolling element (twice its spin) and shaft. Bins beyond the spectrum are 0.

    Raises
    ------
    ParameterError
        If the speed is not positive.

    Notes
    -----
    The same idea as the order axis of Randall and Antoni (2011), with one axis for each fault: the n-th harmonic of a
    fault stands in the same bin for every bearing, which is what lets a network learned on one kind of bearing read
    another.
    """
    if not shaft_hz > 0.0:
        raise ParameterError(f"a fault map was asked at a shaft speed of {shaft_hz} Hz; a positive one is wanted")
    frequencies, lines = envelope_spectrum(x, rate_hz)
    floor = np.median(lines[..., 1:], axis=-1, keepdims=True)
    relative = np.where(floor > 0.0, lines / np.where(floor > 0.0, floor, 1.0), 0.0)
    multiples = _LOWEST + (np.arange(N_BINS) + 0.5) * (_HIGHEST - _LOWEST) / N_BINS
    step = float(frequencies[1])
    out = np.zeros((*x.shape[:-1], N_BINS, len(CHANNELS)), dtype=np.float32)
    for channel, order in enumerate((orders.bpfo, orders.bpfi, orders.defect, 1.0)):
        out[..., channel] = _around(relative, multiples * order * shaft_hz / step)
    return np.log1p(np.maximum(out, 0.0))


def _around(lines: NDArray[np.floating], position: NDArray[np.float64]) -> NDArray[np.floating]:
    """Largest line within the slip of each fractional bin position; at least the bins on both sides."""
    reach = np.maximum(0.5, SLIP * position)
    first = np.maximum(np.rint(position - reach).astype(int), 1)
    after = np.rint(position + reach).astype(int) + 1
    inside = after < lines.shape[-1]
    # Every second stretch of reduceat runs from the first bin of a line to its last; those between are dropped.
    bounds = np.stack([first, after], axis=-1)[inside].ravel()
    out = np.zeros((*lines.shape[:-1], position.size), dtype=lines.dtype)
    if bounds.size:
        out[..., inside] = np.maximum.reduceat(lines, bounds, axis=-1)[..., ::2]
    return out
