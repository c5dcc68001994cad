"""Features of a profile for a batch of windows; refuses windows, rates and speeds that no feature is defined for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.bearing import FaultOrders
from features.contract import Profile
from features.errors import ParameterError
from features.signals import N_BANDS, WAVELET_LEVEL, Signals
from features.window import UNITS

__all__ = ["SHORTEST", "extract"]

Floats = NDArray[np.floating]

# Samples computed at once: many enough that calls cost little, few enough for the processor's last cache.
_CHUNK_SAMPLES = 1 << 19
# Each octave needs a bin of its own, each packet the same number of samples.
SHORTEST, _MULTIPLE = 2**N_BANDS, 2**WAVELET_LEVEL
# Beyond, squares of squares leave single precision.
_LARGEST = 1e9


def extract(
    x: Floats,
    rate_hz: float,
    *,
    profile: Profile,
    unit: str,
    shaft_hz: ArrayLike | None = None,
    bearing: FaultOrders | None = None,
) -> NDArray[np.float32]:
    """Compute the features of a profile for a batch of windows.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Finite samples, time last; n a multiple of 16 and at least 128.
    rate_hz : float
        Sampling rate in Hz, positive.
    profile : Profile
        Such as ``FULL`` or ``NODE`` of `features.contract`.
    unit : str
        Of the samples: ``g``, ``m/s2`` or ``mm/s``.
    shaft_hz : float or ndarray, shape (...), optional
        Shaft speed in Hz, of all windows or of each, positive; needed where the profile needs ``speed``.
    bearing : FaultOrders, optional
        Fault orders of the bearing; needed where the profile needs ``bearing``.

    Returns
    -------
    ndarray of float32, shape (..., features)
        In the profile's order; finite.

    Raises
    ------
    ParameterError
        If the rate, the unit, the length of the windows or a speed is not admissible, a sample is NaN, infinite or
        beyond 1e9, or the profile needs a speed or a bearing that is not given.

    Notes
    -----
    The samples are transformed once; spectrum, velocity, orders, envelope and packets are all read from that.

    Examples
    --------
    >>> from features.contract import BASELINE, FULL
    >>> silence = np.zeros((2, 1024), dtype=np.float32)
    >>> extract(silence, 12_800.0, profile=BASELINE, unit="g").shape == (2, len(BASELINE.features))
    True
    >>> extract(silence, 12_800.0, profile=FULL, unit="g")
    Traceback (most recent call last):
    features.errors.ParameterError: profile full needs bearing and speed; give them or take profile.knowing(...)
    """
    speeds = _checked(x, rate_hz, profile=profile, unit=unit, shaft_hz=shaft_hz, bearing=bearing)
    rows = x.reshape(-1, x.shape[-1])
    out = np.empty((len(rows), len(profile.features)), dtype=np.float32)
    step = max(1, _CHUNK_SAMPLES // rows.shape[-1])
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        signals = Signals(rows[part], rate_hz, unit, None if speeds is None else speeds[part], bearing)
        for i, feature in enumerate(profile.features):
            out[part, i] = feature.compute(signals)
    return out.reshape(*x.shape[:-1], len(profile.features))


def _checked(
    x: Floats,
    rate_hz: float,
    *,
    profile: Profile,
    unit: str,
    shaft_hz: ArrayLike | None,
    bearing: FaultOrders | None,
) -> NDArray[np.float64] | None:
    """Refuse what is not admissible; give the speed of each window, in rows."""
    if not (math.isfinite(rate_hz) and rate_hz > 0.0):
        raise ParameterError(f"features were asked of a rate of {rate_hz} Hz; a positive one is wanted")
    if unit not in UNITS:
        raise ParameterError(f"features were asked of samples in {unit!r}; one of {', '.join(UNITS)} is wanted")
    missing = profile.needs - ({"speed"} if shaft_hz is not None else set()) - ({"bearing"} if bearing else set())
    if missing:
        raise ParameterError(
            f"profile {profile.name} needs {' and '.join(sorted(missing))}; give them or take profile.knowing(...)"
        )
    _check_samples(x)
    if shaft_hz is None:
        return None
    speeds = np.asarray(shaft_hz, dtype=np.float64)
    if not (np.isfinite(speeds).all() and (speeds > 0.0).all()):
        raise ParameterError(f"a shaft speed of {speeds.min()} Hz; positive ones are wanted: leave windows at rest out")
    try:
        return np.broadcast_to(speeds, x.shape[:-1]).reshape(-1)
    except ValueError:
        raise ParameterError(f"speeds of shape {speeds.shape} for windows of shape {x.shape[:-1]}") from None


def _check_samples(x: Floats) -> None:
    if not np.issubdtype(x.dtype, np.floating):
        raise ParameterError(f"samples are of type {x.dtype}; floating point in the unit of the samples is wanted")
    n = x.shape[-1] if x.ndim else 0
    if n < SHORTEST or n % _MULTIPLE:
        raise ParameterError(
            f"a window of {n} samples has no features; a multiple of {_MULTIPLE} from {SHORTEST} on is wanted"
        )
    # Only finite samples have finite extremes, and NaN passes no comparison.
    if x.size and not (float(x.min()) >= -_LARGEST and float(x.max()) <= _LARGEST):
        rows = x.reshape(-1, n)
        bad = int(np.flatnonzero(~(np.abs(rows) <= _LARGEST).all(axis=-1))[0])
        value = float(rows[bad][~(np.abs(rows[bad]) <= _LARGEST)][0])
        raise ParameterError(
            f"window {bad} holds a sample of {value}; finite ones up to {_LARGEST:g} are wanted: quarantine it before"
        )
