"""The frozen window of vibration that features are computed from; refuses samples that are no measurement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["UNITS", "Window"]

UNITS = ("g", "m/s2", "mm/s")


@dataclass(frozen=True, eq=False)
class Window:
    """Samples of one measuring point over one stretch of time.

    Parameters
    ----------
    samples : ndarray of float32, shape (channels, n)
        Finite samples in `unit`; kept read-only.
    rate_hz : float
        Sampling rate.
    unit : str
        One of ``UNITS``.
    start_ns : int
        Time of the first sample, nanoseconds since the epoch, UTC.
    point : str
        Identity of the measuring point.
    shaft_hz, load : float or None
        Shaft speed in Hz and load in percent where known.

    Raises
    ------
    ParameterError
        If the shape, a sample, the rate or the unit is not admissible.
    """

    samples: NDArray[np.float32]
    rate_hz: float
    unit: str
    start_ns: int
    point: str
    shaft_hz: float | None = None
    load: float | None = None

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples, dtype=np.float32)
        if samples.ndim != 2 or samples.shape[1] < 2:
            raise ParameterError(f"a window has samples of shape {samples.shape}; (channels, n) with n >= 2 is wanted")
        # One sum is finite only if all samples are; it may overflow where they are, hence the second look.
        if not math.isfinite(float(samples.sum())) and not np.isfinite(samples).all():
            raise ParameterError("a window has NaN or infinite samples; quarantine them before windowing")
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0.0):
            raise ParameterError(f"a window has a rate of {self.rate_hz} Hz; a positive one is wanted")
        if self.unit not in UNITS:
            raise ParameterError(f"a window has the unit {self.unit!r}; one of {', '.join(UNITS)} is wanted")
        samples = samples.view()
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)

    @property
    def n_samples(self) -> int:
        """Samples in each channel."""
        return int(self.samples.shape[1])

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""
        return self.start_ns + round(self.n_samples * 1e9 / self.rate_hz)
