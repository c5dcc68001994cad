"""One measurement, and the analyses on demand made of it under usual settings; each refuses what its function does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.bearing import FaultOrders
from features.envelope import band_envelope_spectra
from features.faultlines import fault_lines
from features.gears import (
    QuarticTrend,
    residual_signal,
    synchronous_average,
)
from features.online import Ewma, LinearTrend, RunningMoments
from features.orders import AngleSignal, phase_from_speed, resample_angle
from features.peaks import harmonics, peaks, sidebands
from features.scalogram import scalogram
from features.spectral import amplitude_spectrum
from features.speed import estimate_shaft_hz

__all__ = [
    "TEETH",
    "Measurement",
    "averaged",
    "band_lines",
    "each_series",
    "family_evidence",
    "guessed_speed",
    "largest_lines",
    "mesh_sidebands",
    "quartic_trend",
    "running_levels",
    "running_shapes",
    "scalogram_map",
    "shaft_comb",
    "trend_line",
    "turned",
    "weighted_means",
]

Floats = NDArray[np.floating]

_NS = 1_000_000_000
TEETH, _PER_REVOLUTION = 23, 128


@dataclass(frozen=True, eq=False)
class Measurement:
    """What an analysis is made of.

    Attributes
    ----------
    x : ndarray, shape (..., n)
        Samples, time last.
    rate_hz : float
        Sampling rate in Hz.
    unit : str
        Of the samples.
    shaft_hz : float
        Shaft speed in Hz.
    bearing : FaultOrders
        Fault orders of the bearing.
    """

    x: Floats
    rate_hz: float
    unit: str
    shaft_hz: float
    bearing: FaultOrders


def turned(r: Measurement) -> AngleSignal:
    """Samples evenly spaced in angle, at steady speed."""
    ends = np.array([0.0, (r.x.shape[-1] + 1) / r.rate_hz])
    phase = phase_from_speed(ends, np.full(2, r.shaft_hz))
    return resample_angle(r.x, r.rate_hz, phase=phase, samples_per_rev=_PER_REVOLUTION)


def averaged(r: Measurement) -> Floats:
    """Synchronous average of all revolutions."""
    return synchronous_average(turned(r).samples, samples_per_rev=_PER_REVOLUTION)


def each_series(r: Measurement, series: Callable[[Floats], list[float]]) -> Floats:
    """Values of something that takes one series, for each window."""
    rows = r.x.reshape(-1, r.x.shape[-1])
    return np.array([series(row) for row in rows], dtype=np.float64).reshape(*r.x.shape[:-1], -1)


def guessed_speed(r: Measurement) -> Floats:
    """Estimated speed and its confidence; 0 where there is none."""

    def series(row: Floats) -> list[float]:
        amplitude = amplitude_spectrum(row, r.rate_hz)[1]
        found = estimate_shaft_hz(amplitude, r.rate_hz / row.size, low_hz=0.75 * r.shaft_hz, high_hz=1.4 * r.shaft_hz)
        return [0.0, 0.0] if found is None else [found.shaft_hz, found.confidence]

    return each_series(r, series)


def running_levels(r: Measurement) -> Floats:
    """Levels of running moments, taken block by block."""

    def series(row: Floats) -> list[float]:
        running = RunningMoments()
        for block in np.array_split(row, 5):
            running.update(block)
        m = running.moments()
        return [float(v) for v in (m.mean, m.std, m.rms, m.peak, m.mean_abs, m.root_amplitude)]

    return each_series(r, series)


def running_shapes(r: Measurement) -> Floats:
    """Shapes of running moments."""

    def series(row: Floats) -> list[float]:
        running = RunningMoments()
        running.update(row)
        m = running.moments()
        return [float(v) for v in (m.skewness, m.kurtosis, m.hyperskewness, m.hyperflatness)]

    return each_series(r, series)


def weighted_means(r: Measurement) -> Floats:
    """Exponentially weighted mean after each sample, one a second."""

    def series(row: Floats) -> list[float]:
        mean = Ewma(10.0)
        return [mean.update(float(v), time_ns=i * _NS) for i, v in enumerate(row)]

    return each_series(r, series)


def trend_line(r: Measurement) -> Floats:
    """Slope, its interval and the level of the line, one sample a second."""

    def series(row: Floats) -> list[float]:
        line = LinearTrend(confidence=0.95)
        for i, v in enumerate(row):
            line.update(float(v), time_ns=i * _NS)
        found = line.trend
        return [] if found is None else [found.slope_per_h, found.low_per_h, found.high_per_h, found.level]

    return each_series(r, series)


def quartic_trend(r: Measurement) -> Floats:
    """NA4 over four parts of the residual signal, as if they were records."""

    def series(row: Floats) -> list[float]:
        trend = QuarticTrend()
        return [trend.update(part) for part in np.array_split(row, 4)]

    return each_series(
        Measurement(residual_signal(averaged(r), teeth=TEETH), r.rate_hz, r.unit, r.shaft_hz, r.bearing), series
    )


def largest_lines(r: Measurement) -> Floats:
    """Amplitudes of the five largest lines."""
    return np.stack(peaks(*amplitude_spectrum(r.x, r.rate_hz), count=5), axis=-1)[..., 1]


def shaft_comb(r: Measurement) -> Floats:
    """Amplitudes of the first three multiples of the shaft speed."""
    return harmonics(*amplitude_spectrum(r.x, r.rate_hz), fundamental_hz=r.shaft_hz, count=3)[1]


def mesh_sidebands(r: Measurement) -> Floats:
    """Amplitudes of two sidebands on each side of the mesh."""
    mesh_hz = TEETH * r.shaft_hz
    found = sidebands(*amplitude_spectrum(r.x, r.rate_hz), carrier_hz=mesh_hz, modulation_hz=r.shaft_hz, count=2)
    return np.asarray(found[1]).reshape(*r.x.shape[:-1], -1)


def family_evidence(r: Measurement) -> Floats:
    """Evidence of each fault family in two bands."""
    edges = (0.1 * r.rate_hz, 0.3 * r.rate_hz, 0.5 * r.rate_hz)
    f, lines = band_envelope_spectra(r.x, r.rate_hz, edges_hz=edges, whiten=True)
    return fault_lines(f, lines, shaft_hz=r.shaft_hz, orders=r.bearing).evidence_db.reshape(*r.x.shape[:-1], -1)


def band_lines(r: Measurement) -> Floats:
    """Envelope lines of two bands."""
    edges = (0.1 * r.rate_hz, 0.3 * r.rate_hz, 0.5 * r.rate_hz)
    found = band_envelope_spectra(r.x, r.rate_hz, edges_hz=edges, whiten=False)[1]
    return found.reshape(*r.x.shape[:-1], -1)


def scalogram_map(r: Measurement) -> Floats:
    """A small scalogram as one row."""
    frequencies = np.geomspace(0.01, 0.4, 16) * r.rate_hz
    found = scalogram(r.x, r.rate_hz, frequencies_hz=frequencies, columns=32)
    return found.amplitude.reshape(*r.x.shape[:-1], -1)
