"""Broad-band velocity of samples or windows and its ISO 20816 zone; refuses stretches too short to be integrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.contract import WATCHED
from features.errors import ParameterError
from features.iso20816 import Limits, Severity, severity
from features.spectral import hann_power
from features.velocity import HIGH_HZ, displacement_rms_um, lowest_hz, velocity_rms_mm_s
from features.window import Window

__all__ = ["BroadBand", "Shaking", "broad_band", "lower_edge_hz", "shaking", "shaking_of", "span_wanted_s", "zone_of"]

# Lower edge where the speed is not known: that of all but slow machines.
_USUAL_LOW_HZ = 10.0
# Periods of the lower edge that are looked for, and the fewest from which velocity (then right within 3.5 %) and
# displacement (2.8 %) are given; see the notes of `features.velocity.velocity_rms_mm_s` and `displacement_rms_um`.
_PERIODS, _VELOCITY_PERIODS, _DISPLACEMENT_PERIODS = 20.0, 4.0, 8.0
# Samples over all channels that are read for it: 2 s of 80 kHz in six channels.
_MOST_SAMPLES = 1 << 20
_VELOCITY, _SLOW_VELOCITY = WATCHED.index("velocity_rms"), WATCHED.index("velocity_rms_slow")
_DISPLACEMENT = WATCHED.index("displacement_rms")


@dataclass(frozen=True, slots=True)
class BroadBand:
    """RMS of a stretch of samples in the band of ISO 20816, of the channels that shake most.

    Attributes
    ----------
    velocity_mm_s : float
    displacement_um : float or None
        The largest of all channels; None but for slow machines, whose displacement counts too, and None where the
        stretch is too short for it.
    low_hz, high_hz : float
        Edges of the band in Hz.
    channel : int
        The channel with the largest velocity.
    """

    velocity_mm_s: float
    displacement_um: float | None
    low_hz: float
    high_hz: float
    channel: int

    @property
    def slow(self) -> bool:
        """Whether the machine turns slower than 600 r/min, so that its displacement counts too."""
        return self.low_hz < _USUAL_LOW_HZ


def lower_edge_hz(shaft_hz: float | None) -> float:
    """Lower edge of the band at a speed; 10 Hz where the speed is not known."""
    return lowest_hz(shaft_hz) if shaft_hz else _USUAL_LOW_HZ


def span_wanted_s(shaft_hz: float | None, *, rate_hz: float, n_channels: int) -> float:
    """Seconds of samples that a velocity should rest on: 20 periods of the lower edge, bounded by what is read for it.

    Parameters
    ----------
    shaft_hz : float or None
        Shaft speed in Hz; None where it is not known.
    rate_hz : float
        Sampling rate in Hz.
    n_channels : int

    Examples
    --------
    >>> span_wanted_s(29.5, rate_hz=12_800.0, n_channels=1), span_wanted_s(5.0, rate_hz=12_800.0, n_channels=1)
    (2.0, 10.0)
    """
    return min(_PERIODS / lower_edge_hz(shaft_hz), _MOST_SAMPLES / (rate_hz * n_channels))


def broad_band(x: NDArray[np.float32], rate_hz: float, *, unit: str, shaft_hz: float | None) -> BroadBand:
    """Velocity, and for a slow machine displacement, of the channel that shakes most.

    Parameters
    ----------
    x : ndarray, shape (channels, n)
        Samples without a gap, in `unit`.
    rate_hz : float
        Sampling rate in Hz.
    unit : str
        ``g`` or ``m/s2``, which are integrated, or ``mm/s``.
    shaft_hz : float or None
        Shaft speed in Hz; None where it is not known.

    Raises
    ------
    ParameterError
        If the stretch is shorter than four periods of the lower edge, or the rate too low for the band.

    Examples
    --------
    One g peak at 160 Hz:

    >>> x = np.sin(2 * np.pi * 160.0 * np.arange(8192) / 8192.0)[None, :]
    >>> round(broad_band(x, 8192.0, unit="g", shaft_hz=25.0).velocity_mm_s, 2)
    6.9
    """
    n = x.shape[-1]
    low_hz = lower_edge_hz(shaft_hz)
    if n * low_hz < _VELOCITY_PERIODS * rate_hz * (1.0 - 1e-9):
        raise ParameterError(
            f"{n / rate_hz:.2g} s of samples without a pause; velocity from {low_hz:g} Hz on wants "
            f"{_VELOCITY_PERIODS / low_hz:g} s or more"
        )
    power = hann_power(scipy.fft.rfft(x.astype(np.float64)), n)
    velocities = velocity_rms_mm_s(power, rate_hz, n=n, unit=unit, low_hz=low_hz)
    displacement = None
    if low_hz < _USUAL_LOW_HZ and n * low_hz >= _DISPLACEMENT_PERIODS * rate_hz * (1.0 - 1e-9):
        displacement = float(displacement_rms_um(power, rate_hz, n=n, unit=unit, low_hz=low_hz).max())
    return BroadBand(float(velocities.max()), displacement, low_hz, HIGH_HZ, int(velocities.argmax()))


def zone_of(measured: BroadBand, limits: Limits) -> Severity:
    """The zone of a machine: by velocity, and by displacement too where it was measured and has limits."""
    displacement = measured.displacement_um if limits.displacement_um is not None else None
    return severity(limits, velocity_mm_s=measured.velocity_mm_s, displacement_um=displacement)


@dataclass(frozen=True, slots=True)
class Shaking:
    """Broad-band vibration of one window: RMS velocity in mm/s, and displacement in um of a slow machine."""

    velocity_mm_s: float
    displacement_um: float | None = None

    def over(self, limits: Limits) -> tuple[float, float]:
        """Velocity, or displacement where that is worse, over where zones C and D begin.

        Examples
        --------
        >>> from features.iso20816 import limits_named
        >>> Shaking(5.6).over(limits_named("group-2-rigid"))
        (2.0, 1.2444444444444445)
        """
        ratios = [self.velocity_mm_s / limit for limit in limits.velocity_mm_s[1:]]
        if self.displacement_um is not None and limits.displacement_um is not None:
            beside = [self.displacement_um / limit for limit in limits.displacement_um[1:]]
            ratios = [max(pair) for pair in zip(ratios, beside, strict=True)]
        return ratios[0], ratios[1]


def shaking(
    windows: Sequence[Window], features: NDArray[np.float32], *, nominal_hz: float | None
) -> list[Shaking | None]:
    """Broad-band vibration of each window from its features, of the channel that shakes most.

    Parameters
    ----------
    windows : sequence of Window
        Of one point.
    features : ndarray of float32, shape (windows, channels * features of `WATCHED`)
    nominal_hz : float or None
        Shaft speed where a window has none.

    Returns
    -------
    list of Shaking or None
        None where a window is too short for it, or its rate too low for the band: the shaft turns less than four times
        in it, of an unknown speed 10 Hz and of a slow machine 2 Hz do.
    """
    return [
        shaking_of(
            row,
            span_s=window.samples.shape[1] / window.rate_hz,
            rate_hz=window.rate_hz,
            shaft_hz=window.shaft_hz or nominal_hz,
        )
        for window, row in zip(windows, features, strict=True)
    ]


def shaking_of(
    features: NDArray[np.float32], *, span_s: float, rate_hz: float, shaft_hz: float | None
) -> Shaking | None:
    """Broad-band vibration of one window, as `shaking` gives it of several.

    Parameters
    ----------
    features : ndarray of float32, shape (channels * features of `WATCHED`,)
    span_s, rate_hz : float
        How long the window is, and its sampling rate.
    shaft_hz : float or None
        Shaft speed in Hz; None where it is not known.
    """
    row = features.reshape(-1, len(WATCHED.features)).max(axis=0)
    low_hz = lower_edge_hz(shaft_hz)
    slow = low_hz < _USUAL_LOW_HZ
    periods = span_s * (low_hz if slow or shaft_hz is None else shaft_hz)
    if periods < _VELOCITY_PERIODS * (1.0 - 1e-9) or rate_hz < 2.0 * HIGH_HZ:
        return None
    if not slow:
        return Shaking(float(row[_VELOCITY]))
    enough = periods >= _DISPLACEMENT_PERIODS * (1.0 - 1e-9)
    return Shaking(float(row[_SLOW_VELOCITY]), float(row[_DISPLACEMENT]) if enough else None)
