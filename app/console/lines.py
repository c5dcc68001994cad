"""Spectra as a reader asked for them: acceleration, velocity or displacement, lines or density, over Hz or orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.console.units import Units
from features.envelope import band_envelope_spectra, envelope_spectrum
from features.errors import ParameterError
from features.kurtogram import LEAST_BINS, kurtogram
from features.orders import order_spectrum, phase_from_speed, resample_angle
from features.spectral import amplitude_spectrum, welch_psd
from features.velocity import STANDARD_GRAVITY

__all__ = ["QUANTITIES", "Lines", "Quantity", "density", "envelope", "envelope_band", "orders", "spectrum"]

Quantity = Literal["acceleration", "velocity", "displacement"]
QUANTITIES: tuple[Quantity, ...] = ("acceleration", "velocity", "displacement")
_UNITS = {"acceleration": "m/s2", "velocity": "mm/s", "displacement": "um"}
# The lower edge of ISO 20816-3 for slow machines: below, noise of the sensor over a small frequency towers above all.
_FROM_HZ = 2.0
_SEGMENT = 4096
_PER_REV = 256
# Bands down to a 32nd of Nyquist: narrower ones hold few harmonics of a fault.
_MOST_LEVELS = 5


@dataclass(frozen=True, eq=False)
class Lines:
    """A spectrum.

    Attributes
    ----------
    x : ndarray, shape (bins,)
        Hz, or orders.
    y : ndarray, shape (bins,)
        As the reader's units have it.
    axis, unit : str
        What `x` is, such as ``frequency (Hz)``, and what `y` is in.
    note : str
        What the reader should know of how it was made.
    """

    x: NDArray[np.float64]
    y: NDArray[np.floating]
    axis: str
    unit: str
    note: str = ""


def spectrum(x: NDArray[np.floating], rate_hz: float, *, unit: str, quantity: Quantity, units: Units) -> Lines:
    """Lines of a signal, integrated where another quantity than its own is wanted.

    Parameters
    ----------
    x : ndarray, shape (n,)
        In `unit`.
    rate_hz : float
    unit : str
        ``g``, ``m/s2`` or ``mm/s``.
    quantity : str
    units : Units

    Raises
    ------
    ParameterError
        If the samples would have to be differentiated.
    """
    frequencies, lines = amplitude_spectrum(x.astype(np.float64), rate_hz)
    shown, scale, times = _steps(unit, quantity)
    note = ""
    if times:
        inside = frequencies >= _FROM_HZ
        weights = (2.0 * np.pi * np.where(inside, frequencies, 1.0)) ** -float(times)
        lines = np.where(inside, lines * weights * scale, 0.0)
        note = f"Integrated line by line from {_FROM_HZ:g} Hz on."
    return Lines(frequencies, units.lines(lines, shown), "frequency (Hz)", units.lines_unit(shown), note)


def density(x: NDArray[np.floating], rate_hz: float, *, unit: str, units: Units) -> Lines:
    """Power spectral density by Welch's mean, in the unit of the samples squared per Hz."""
    n = min(_SEGMENT, x.size)
    frequencies, values = welch_psd(x.astype(np.float64), rate_hz, n_segment=n)
    shown = units.shown(unit)
    note = f"Welch: Hann segments of {n} samples, half overlapping."
    return Lines(frequencies, values * units.factor(unit) ** 2, "frequency (Hz)", f"({shown})\u00b2/Hz", note)


def orders(x: NDArray[np.floating], rate_hz: float, *, shaft_hz: float, unit: str, units: Units) -> Lines:
    """Lines over multiples of the shaft speed, resampled in angle at the one speed that is known of the samples.

    Raises
    ------
    ParameterError
        If no whole revolution lies in the samples.
    """
    span_s = x.size / rate_hz
    phase = phase_from_speed(np.array([0.0, span_s]), np.array([shaft_hz, shaft_hz]))
    turned = resample_angle(x, rate_hz, phase=phase, samples_per_rev=_PER_REV)
    found, lines = order_spectrum(turned)
    # Beyond, the signal was not sampled or the filter falls.
    inside = found <= min(0.375 * _PER_REV, 0.5 * rate_hz / shaft_hz)
    note = f"{turned.n_revolutions} revolutions at {60.0 * shaft_hz:.0f} rpm, taken as steady: no tacho is recorded."
    return Lines(found[inside], units.lines(lines[inside], unit), "order of the shaft", units.lines_unit(unit), note)


def _steps(unit: str, quantity: Quantity) -> tuple[str, float, int]:
    """Unit of the result, factor to it, and how often to integrate."""
    have = "velocity" if unit == "mm/s" else "acceleration"
    times = QUANTITIES.index(quantity) - QUANTITIES.index(have)
    if times < 0:
        raise ParameterError(f"{quantity} of samples in {unit}; {have} or what follows by integrating is wanted")
    if times == 0:
        return unit, 1.0, 0
    scale = {"g": 1e3 * STANDARD_GRAVITY, "m/s2": 1000.0, "mm/s": 1.0}[unit]
    return _UNITS[quantity], scale * (1000.0 if quantity == "displacement" else 1.0), times


def envelope(x: NDArray[np.floating], rate_hz: float, *, band_hz: tuple[float, float] | None = None) -> Lines:
    """Lines of the squared envelope: of the upper nine tenths of the band, whitened, or of a band as it is."""
    if band_hz is None:
        frequencies, lines = envelope_spectrum(x, rate_hz)
        note = "Modulation depth of the band above a tenth of Nyquist, whitened."
    else:
        frequencies, bands = band_envelope_spectra(x.astype(np.float64), rate_hz, edges_hz=band_hz, whiten=False)
        lines = bands[0]
        note = f"Modulation depth of the band from {band_hz[0]:.0f} to {band_hz[1]:.0f} Hz."
    # DC is the mean, to which all is relative.
    return Lines(frequencies[1:], lines[1:], "frequency (Hz)", "", note)


def envelope_band(x: NDArray[np.floating], rate_hz: float) -> tuple[float, float]:
    """Edges of the band whose envelope has the largest kurtosis, Hz."""
    levels = max(0, min(_MOST_LEVELS, int(np.log2(x.size / (2 * LEAST_BINS)))))
    found = kurtogram(x.astype(np.float64), rate_hz, levels=levels)
    best = int(np.argmax(found.kurtosis))
    centre, half = float(found.centre_hz[best]), 0.5 * float(found.width_hz[best])
    return max(0.0, centre - half), min(0.5 * rate_hz, centre + half)
