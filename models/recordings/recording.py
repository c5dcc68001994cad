"""One vibration recording, whatever file it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import RecordingError
from features.window import UNITS

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples with what is needed to read them.

    Parameters
    ----------
    name : str
        For people.
    samples : ndarray of float32, shape (channels, n)
        Finite, in `unit`.
    rate_hz : float
        Sampling rate in Hz.
    unit : str
        One of ``features.window.UNITS``.
    channels : tuple of str
    shaft_hz : float or None
        Shaft speed in Hz where it is known.

    Raises
    ------
    RecordingError
        If samples, rate, unit or speed are not those of a recording.
    """

    name: str
    samples: NDArray[np.float32]
    rate_hz: float
    unit: str
    channels: tuple[str, ...]
    shaft_hz: float | None = None

    def __post_init__(self) -> None:
        shape = self.samples.shape
        if len(shape) != 2 or shape[0] != len(self.channels) or shape[0] < 1 or shape[1] < 2:
            raise RecordingError(
                f"{self.name} has samples of shape {shape} for {len(self.channels)} channels; no signal"
            )
        if not np.isfinite(self.samples).all():
            raise RecordingError(f"{self.name} has NaN or infinite samples; repair or cut the recording")
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0.0):
            raise RecordingError(f"{self.name} has a sampling rate of {self.rate_hz} Hz; give a positive one")
        if self.shaft_hz is not None and not (math.isfinite(self.shaft_hz) and self.shaft_hz > 0.0):
            raise RecordingError(f"{self.name} has a shaft speed of {self.shaft_hz} Hz; give a positive one")
        if self.unit not in UNITS:
            raise RecordingError(f"{self.name} has the unit {self.unit!r}; give one of {', '.join(UNITS)}")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.rate_hz)

    def only(self, channels: tuple[str, ...]) -> Recording:
        """Give a recording of the named channels, in their order.

        Raises
        ------
        RecordingError
            If a channel is not in the recording.
        """
        missing = [name for name in channels if name not in self.channels]
        if missing:
            raise RecordingError(f"{self.name} has no channel {missing[0]!r}; it has {', '.join(self.channels)}")
        picked = self.samples[[self.channels.index(name) for name in channels]]
        return Recording(self.name, picked, self.rate_hz, self.unit, channels, self.shaft_hz)
