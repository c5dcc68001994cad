"""Orders of a shaft: angular resampling, order spectra and amplitudes; refuses broken or too short phases."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import scipy.ndimage
from numpy.typing import ArrayLike, NDArray

from features.errors import ParameterError
from features.spectral import amplitude_spectrum

# SciPy's signal and interpolation, which bring its statistics with them, are loaded by what resamples: whoever only
# extracts features, such as ingest, starts without them in half of the time.
if TYPE_CHECKING:
    from scipy.interpolate import PPoly

__all__ = [
    "AngleSignal",
    "ShaftPhase",
    "order_amplitudes",
    "order_amplitudes_from_spectrum",
    "order_spectrum",
    "phase_from_pulses",
    "phase_from_speed",
    "resample_angle",
    "tacho_pulses",
]

Floats = NDArray[np.floating]

# A pulse interval this many times longer, or shorter, than both of its neighbours is a pulse missed, or one too many. A
# ramp cannot do that: its intervals grow or shrink in order.
_BROKEN = 1.8
_UPSAMPLING = 4
# At 80 dB the ripple of a filter is 0.01 %; it turns over within 13 % of its edge with this many lobes a side.
_KAISER_BETA, _LOBES = 8.0, 20
# Slower stretches than this share of the mean speed would blow the angular grid up.
_SLOWEST_SHARE = 1.0 / 50.0


@dataclass(frozen=True, eq=False)
class ShaftPhase:
    """Revolutions turned, as a function of time that always rises.

    Attributes
    ----------
    polynomial : PPoly
        Revolutions over seconds.
    slack_s : float
        How far the known stretch may end inside a signal: one and a half of the longest pulse interval, 0 for a
        speed profile.
    """

    polynomial: PPoly[np.float64] = field(repr=False)
    slack_s: float = 0.0

    @property
    def start_s(self) -> float:
        """Time from which the phase is known."""
        return float(self.polynomial.x[0])

    @property
    def end_s(self) -> float:
        """Time up to which the phase is known."""
        return float(self.polynomial.x[-1])

    def revolutions(self, times_s: float | Floats) -> NDArray[np.float64]:
        """Revolutions at times in seconds, from 0 at the start."""
        return np.asarray(self.polynomial(times_s), dtype=np.float64)

    def shaft_hz(self, times_s: float | Floats) -> NDArray[np.float64]:
        """Shaft speed in Hz at times in seconds."""
        return np.asarray(self.polynomial(times_s, nu=1), dtype=np.float64)

    def times_s(self, revolutions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Times in seconds at which revolutions are reached: Newton steps, halved where they leave their bracket."""
        knots = self.polynomial.x
        reached = self.revolutions(knots)
        segment = np.clip(np.searchsorted(reached, revolutions) - 1, 0, knots.size - 2)
        low, high = knots[segment], knots[segment + 1]
        times = np.interp(revolutions, reached, knots)
        for _ in range(60):
            error = self.revolutions(times) - revolutions
            if np.abs(error).max() < 1e-12 * max(1.0, float(reached[-1])):
                break
            low, high = np.where(error < 0.0, times, low), np.where(error > 0.0, times, high)
            step = times - error / np.maximum(self.shaft_hz(times), 1e-300)
            times = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
        return times


@dataclass(frozen=True, eq=False)
class AngleSignal:
    """A signal sampled evenly in shaft angle, over whole revolutions.

    Attributes
    ----------
    samples : ndarray, shape (..., revolutions * samples_per_rev)
        In the unit of the signal; the first sample stands at shaft angle 0 of the pulse or of the profile's start.
    samples_per_rev : int
        Samples in each revolution.
    """

    samples: NDArray[np.float64]
    samples_per_rev: int

    @property
    def n_revolutions(self) -> int:
        """Whole revolutions."""
        return int(self.samples.shape[-1]) // self.samples_per_rev


def tacho_pulses(tacho: Floats, rate_hz: float, *, threshold: float, hysteresis: float) -> NDArray[np.float64]:
    """Times at which a tacho signal rises through a threshold, to a fraction of a sample.

    Parameters
    ----------
    tacho : ndarray, shape (n,)
        Tacho signal in any unit.
    rate_hz : float
        Its sampling rate in Hz.
    threshold : float
        Level of a pulse's front.
    hysteresis : float
        How far below the threshold the signal must fall before the next pulse counts, >= 0.

    Returns
    -------
    ndarray of float64, shape (pulses,)
        Seconds after the first sample, by straight lines between samples; empty where nothing rises.

    Examples
    --------
    >>> tacho_pulses(np.array([0.0, 0.0, 4.0, 4.0, 0.0, 4.0]), 10.0, threshold=1.0, hysteresis=0.5).tolist()
    [0.125, 0.425]
    """
    if tacho.ndim != 1 or not np.isfinite(tacho).all():
        raise ParameterError(f"a tacho signal of shape {tacho.shape} was given; a finite one of shape (n,) is wanted")
    if not (rate_hz > 0.0 and hysteresis >= 0.0):
        raise ParameterError(
            f"a tacho was read at {rate_hz} Hz with a hysteresis of {hysteresis}; a positive rate and >= 0 are wanted"
        )
    decided = (tacho >= threshold) | (tacho < threshold - hysteresis)
    # Between the two levels the last decision holds; before the first one nothing may fire.
    last = np.maximum.accumulate(np.where(decided, np.arange(tacho.size), -1))
    high = (last < 0) | (tacho[np.maximum(last, 0)] >= threshold)
    rise = np.flatnonzero(high[1:] & ~high[:-1])
    before, after = tacho[rise].astype(np.float64), tacho[rise + 1].astype(np.float64)
    return np.asarray((rise + (threshold - before) / (after - before)) / rate_hz)


def phase_from_pulses(times_s: NDArray[np.float64], *, pulses_per_rev: int) -> ShaftPhase:
    """Shaft phase from the times of evenly spaced pulses.

    Parameters
    ----------
    times_s : ndarray, shape (pulses,)
        Pulse times in seconds, rising.
    pulses_per_rev : int
        Pulses in each revolution, at least 1.

    Returns
    -------
    ShaftPhase
        A cubic spline through the pulses (exact for constant speed and for constant acceleration), or, where that would
        turn back, the monotone PCHIP.

    Raises
    ------
    ParameterError
        If there are fewer than 4 pulses or less than a revolution, if times do not rise, or if an interval is more than
        1.8 times longer or shorter than both of its neighbours: a pulse was missed or counted twice.

    Notes
    -----
    Fyfe and Munck, "Analysis of computed order tracking", Mech. Syst. Signal Process. 11 (1997) 187-205.

    Examples
    --------
    >>> phase = phase_from_pulses(np.arange(11) / 25.0, pulses_per_rev=1)
    >>> float(phase.shaft_hz(0.2).round(9)), float(phase.revolutions(0.1).round(9))
    (25.0, 2.5)
    """
    if pulses_per_rev < 1 or times_s.ndim != 1 or times_s.size < max(4, pulses_per_rev + 1):
        raise ParameterError(
            f"{times_s.size} pulses at {pulses_per_rev} a revolution were given; a whole revolution, >= 4 are wanted"
        )
    _refuse_unordered(times_s, "pulse times")
    interval = np.diff(times_s)
    middle, around = interval[1:-1], np.stack([interval[:-2], interval[2:]])
    broken = (middle > _BROKEN * around.max(axis=0)) | (_BROKEN * middle < around.min(axis=0))
    if broken.any():
        at = float(times_s[1:-2][broken][0])
        raise ParameterError(f"a pulse is missing or doubled after {at:.6g} s; clean the train or cut the signal there")
    from scipy.interpolate import CubicSpline, PchipInterpolator

    turned = np.arange(times_s.size) / pulses_per_rev
    spline: PPoly[np.float64] = CubicSpline(times_s, turned)
    if spline.derivative().roots(extrapolate=False).size:
        spline = PchipInterpolator(times_s, turned)
    return ShaftPhase(spline, slack_s=1.5 * float(interval.max()))


def phase_from_speed(times_s: NDArray[np.float64], shaft_hz: NDArray[np.float64]) -> ShaftPhase:
    """Shaft phase from a speed profile: the integral of its PCHIP, which stays positive between positive speeds.

    Parameters
    ----------
    times_s : ndarray, shape (points,)
        Seconds, rising; at least 2.
    shaft_hz : ndarray, shape (points,)
        Shaft speed in Hz, positive.

    Raises
    ------
    ParameterError
        If shapes differ, times do not rise or a speed is not positive.

    Examples
    --------
    >>> float(phase_from_speed(np.array([0.0, 10.0]), np.array([10.0, 30.0])).revolutions(10.0))
    200.0
    """
    if times_s.ndim != 1 or times_s.shape != shaft_hz.shape or times_s.size < 2:
        raise ParameterError(f"a profile of {times_s.shape} times and {shaft_hz.shape} speeds; two of each are wanted")
    _refuse_unordered(times_s, "profile times")
    if not (np.isfinite(shaft_hz).all() and (shaft_hz > 0.0).all()):
        raise ParameterError(f"a profile has a speed of {shaft_hz.min()} Hz; positive ones are wanted, cut standstill")
    from scipy.interpolate import PchipInterpolator

    return ShaftPhase(PchipInterpolator(times_s, shaft_hz).antiderivative())


def resample_angle(
    x: Floats, rate_hz: float, *, phase: ShaftPhase, samples_per_rev: int, start_s: float = 0.0
) -> AngleSignal:
    """Sample a signal evenly in shaft angle.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples in any unit, evenly spaced in time.
    rate_hz : float
        Sampling rate in Hz.
    phase : ShaftPhase
        Of the shaft, on the same clock.
    samples_per_rev : int
        Samples wanted in each revolution, at least 4.
    start_s : float
        Time of the first sample on the clock of the phase.

    Returns
    -------
    AngleSignal
        All whole revolutions inside the signal. Orders up to 3/8 of `samples_per_rev` are flat within 0.1 %.

    Raises
    ------
    ParameterError
        If samples are not finite, the phase does not cover the signal (a pulse train may begin and end one pulse late
        or early), no whole revolution is inside, or the shaft nearly stops.

    Notes
    -----
    Against aliasing the signal is first read at so many angles that even the slowest revolution is sampled no sparser
    than in time, then low-passed in the order domain (Kaiser, 80 dB from half of `samples_per_rev` on) and thinned: the
    filter follows the speed. Reading is band-limited fourfold upsampling, then a cubic spline: flat to 0.8 of Nyquist.
    Orders beyond rate / (2 shaft speed) were never measured and are empty.

    Examples
    --------
    >>> t = np.arange(4096) / 2048.0
    >>> steady = phase_from_speed(np.array([0.0, 2.0]), np.array([20.0, 20.0]))
    >>> turned = resample_angle(np.cos(2 * np.pi * 40.0 * t), 2048.0, phase=steady, samples_per_rev=64)
    >>> turned.n_revolutions, round(float(order_amplitudes(turned, np.array([2.0]))[0]), 3)
    (40, 1.0)
    """
    n = x.shape[-1]
    if not (rate_hz > 0.0 and samples_per_rev >= 4 and n >= 2 and np.isfinite(x).all()):
        raise ParameterError(
            f"{n} samples at {rate_hz} Hz were to get {samples_per_rev} a revolution; finite samples, >= 4 are wanted"
        )
    first_s, last_s = _covered(phase, start_s, start_s + (n - 1) / rate_hz)
    first = int(np.ceil(phase.revolutions(first_s) - 1e-9))
    last = int(np.floor(phase.revolutions(last_s) + 1.0 / samples_per_rev + 1e-9))
    if last <= first:
        raise ParameterError("no whole revolution lies inside the signal; give a longer one")
    speed = phase.shaft_hz(np.linspace(first_s, last_s, n))
    if speed.min() < _SLOWEST_SHARE * speed.mean():
        raise ParameterError(f"the shaft slows to {speed.min():.3g} of {speed.mean():.3g} Hz; cut the standstill off")
    finer = max(1, int(np.ceil(rate_hz / (samples_per_rev * speed.min()) - 1e-9)))
    n_fine = ((last - first) * samples_per_rev - 1) * finer + 1
    times = phase.times_s(first + np.arange(n_fine) / (finer * samples_per_rev))
    fine = _read_at(np.asarray(x, dtype=np.float64), (times - start_s) * rate_hz)
    return AngleSignal(_resampled(fine, up=1, down=finer, passed=0.87), samples_per_rev)


def order_spectrum(signal: AngleSignal) -> tuple[NDArray[np.float64], Floats]:
    """One-sided peak-amplitude spectrum over orders, Hann over the whole revolutions.

    Parameters
    ----------
    signal : AngleSignal

    Returns
    -------
    orders : ndarray, shape (bins,)
        Multiples of the shaft speed, spaced by 1 / revolutions: whole orders stand on bins.
    amplitudes : ndarray, shape (..., bins)
        Peak amplitude in the unit of the samples.
    """
    return amplitude_spectrum(signal.samples, float(signal.samples_per_rev))


def order_amplitudes(signal: AngleSignal, orders: NDArray[np.float64]) -> NDArray[np.float64]:
    """Peak amplitudes at any orders, whole or broken: the Hann-windowed Fourier sum at each order itself.

    Parameters
    ----------
    signal : AngleSignal
    orders : ndarray, shape (k,)
        Above 0 and below half of the samples per revolution; lines closer than 2 / revolutions run together.

    Returns
    -------
    ndarray of float64, shape (..., k)

    Raises
    ------
    ParameterError
        If an order lies outside.
    """
    if not ((orders > 0.0) & (orders < 0.5 * signal.samples_per_rev)).all():
        raise ParameterError(
            f"orders {orders} were asked of {signal.samples_per_rev} samples a revolution; 0 < order < half are wanted"
        )
    m = signal.samples.shape[-1]
    turns = np.arange(m) / signal.samples_per_rev
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(m) / m)
    centred = signal.samples - signal.samples.mean(axis=-1, keepdims=True)
    kernel = window[:, None] * np.exp(-2j * np.pi * turns[:, None] * orders)
    return np.asarray(np.abs(centred @ kernel) * (2.0 / window.sum()))


def order_amplitudes_from_spectrum(
    amplitude: Floats, bin_hz: float, shaft_hz: ArrayLike, orders: NDArray[np.float64], *, tolerance: float = 0.01
) -> Floats:
    """Largest spectral line near each order, for many windows each at its own speed.

    Parameters
    ----------
    amplitude : ndarray, shape (..., bins)
        One-sided amplitude spectra from 0 Hz on.
    bin_hz : float
        Spacing of the bins in Hz.
    shaft_hz : float or ndarray, shape (...)
        Shaft speed of each window in Hz, positive.
    orders : ndarray, shape (k,)
        Positive.
    tolerance : float
        Share of the order by which a line may lie off, 0 or more: 1 % for stated speeds, 2 % for the slip of bearings.

    Returns
    -------
    ndarray, shape (..., k)
        Largest of the bins within one bin or the tolerance, whichever is more; never the bin at 0 Hz, and 0 where
        the order lies beyond the spectrum. The unit is that of `amplitude`.

    Raises
    ------
    ParameterError
        If the spacing, a speed or an order is not positive.

    Examples
    --------
    >>> order_amplitudes_from_spectrum(np.eye(8)[[2, 3]], 10.0, np.array([20.0, 15.0]), np.array([1.0, 2.0])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    speeds = np.asarray(shaft_hz, dtype=np.float64)
    if not (bin_hz > 0.0 and np.isfinite(speeds).all() and (speeds > 0.0).all() and (orders > 0.0).all()):
        raise ParameterError("bin spacing, speeds and orders must be positive and finite; leave windows at rest out")
    bins = amplitude.shape[-1]
    position = np.broadcast_to(speeds[..., None] * (orders / bin_hz), (*amplitude.shape[:-1], orders.size))
    reach = np.maximum(1.0, tolerance * position)
    # The rounding of speed x order / spacing must not push a bin that stands on the limit out.
    first = np.maximum(np.ceil(position - reach - 1e-9), 1.0).astype(np.intp)
    last = np.minimum(np.floor(position + reach + 1e-9), bins - 1.0).astype(np.intp)
    first = np.minimum(first, bins - 1)
    rows = amplitude.reshape(-1, bins)
    offset = (np.arange(len(rows), dtype=np.intp) * bins).reshape(*amplitude.shape[:-1], 1)
    flat = rows.reshape(-1)
    out = np.take(flat, first + offset)
    for step in range(1, int((last - first).max(initial=0)) + 1):
        np.maximum(out, np.take(flat, np.minimum(first + step, last) + offset), out=out)
    inside = (position <= bins - 1.0 + 1e-9) & (last >= first)
    return np.where(inside, out, np.zeros((), dtype=amplitude.dtype))


def _refuse_unordered(times_s: NDArray[np.float64], what: str) -> None:
    if not (np.isfinite(times_s).all() and (np.diff(times_s) > 0.0).all()):
        raise ParameterError(f"{what} do not rise or are not finite; strictly rising seconds are wanted")


def _covered(phase: ShaftPhase, start_s: float, end_s: float) -> tuple[float, float]:
    """Stretch of the signal over which the phase is known; refuses where more than the slack is not."""
    slack = phase.slack_s + 1e-9 * max(1.0, abs(end_s))
    if phase.start_s > start_s + slack or phase.end_s < end_s - slack:
        raise ParameterError(
            f"the phase is known from {phase.start_s:.6g} to {phase.end_s:.6g} s of a signal from {start_s:.6g} to "
            f"{end_s:.6g} s; give one that covers it"
        )
    return max(phase.start_s, start_s), min(phase.end_s, end_s)


@functools.lru_cache(maxsize=16)
def _low_pass(factor: int, passed: float) -> NDArray[np.float64]:
    """Kaiser low-pass of unit gain whose edge lies at a share of Nyquist / factor."""
    from scipy.signal import firwin

    taps: NDArray[np.float64] = firwin(2 * _LOBES * factor + 1, passed / factor, window=("kaiser", _KAISER_BETA))
    return taps


def _read_at(x: NDArray[np.float64], position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Band-limited values of x, shape (..., n), at fractional sample positions."""
    upsampled = _resampled(x, up=_UPSAMPLING, down=1, passed=1.0)
    coefficients = scipy.ndimage.spline_filter1d(upsampled, order=3, axis=-1, mode="mirror")
    whole = np.floor(position * _UPSAMPLING)
    u = position * _UPSAMPLING - whole
    base = whole.astype(np.intp)
    # The four pieces of the cubic B-spline, over the knots before, at, after and two after the position.
    pieces = ((1 - u) ** 3, 4 - 6 * u**2 + 3 * u**3, 1 + 3 * u + 3 * u**2 - 3 * u**3, u**3)
    out = np.zeros((*x.shape[:-1], position.size))
    for shift, piece in zip((-1, 0, 1, 2), pieces, strict=True):
        out += coefficients[..., np.clip(np.abs(base + shift), 0, upsampled.shape[-1] - 1)] * (piece / 6.0)
    return out


def _resampled(x: NDArray[np.float64], *, up: int, down: int, passed: float) -> NDArray[np.float64]:
    """Every down-th of up times as many samples of x, shape (..., n), low-passed; odd mirror images go on at the ends.

    One of `up` and `down` is 1.
    """
    from scipy.signal import upfirdn

    factor = max(up, down)
    if factor == 1:
        return x
    ends = [(0, 0)] * (x.ndim - 1) + [(_LOBES * down, _LOBES * down)]
    padded = np.pad(x, ends, mode="reflect", reflect_type="odd")
    out = np.asarray(upfirdn(up * _low_pass(factor, passed), padded, up, down, axis=-1))
    start = (_LOBES * down * up + _LOBES * factor) // down
    return out[..., start : start - (-x.shape[-1] * up // down)]
