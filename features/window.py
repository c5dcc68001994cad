"""The frozen window of vibration that features are computed from; refuses samples that are no measurement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from features.samples import all_finite

__all__ = ["UNITS", "Window", "cut"]

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
        if not all_finite(samples):
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


def cut(x: NDArray[np.float32], *, n: int, hop: int) -> NDArray[np.float32]:
    """Cut a signal into overlapping windows; what is left at its end is dropped.

    Parameters
    ----------
    x : ndarray, shape (samples,)
    n, hop : int
        Samples of a window, and from the start of one to that of the next; at least 1.

    Returns
    -------
    ndarray, shape (windows, n)
        A read-only view of the signal.

    Raises
    ------
    ParameterError
        If the signal is shorter than a window, or the hop is not positive.

    Examples
    --------
    >>> cut(np.arange(6.0), n=3, hop=2).tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
    """
    if not (1 <= n <= x.size and hop >= 1):
        raise ParameterError(f"{x.size} samples were to be cut into windows of {n}, {hop} apart; none fits")
    return np.lib.stride_tricks.sliding_window_view(x, n)[::hop]
