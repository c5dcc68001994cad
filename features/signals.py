"""What the features of a batch of windows share, each computed once and on demand; trusts what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.bearing import FaultOrders
from features.envelope import LOWEST_BAND_SHARE, SLIP, relative_envelope
from features.errors import ParameterError
from features.orders import order_amplitudes_from_spectrum
from features.packets import packet_entropy, packet_powers
from features.spectral import (
    band_rms,
    bin_power,
    centroid_spread_hz,
    flatness_entropy,
    hann_power,
    octave_edges,
    roll_off_hz,
)
from features.statistics import WindowMoments, moments, ratio
from features.velocity import HIGH_HZ, integration_weights

__all__ = ["CONSTANTS", "N_BANDS", "ORDERS", "ROLL_OFF_SHARE", "WAVELET", "WAVELET_LEVEL", "Signals"]

Floats = NDArray[np.floating]

N_BANDS = 7
WAVELET, WAVELET_LEVEL = "db4", 4
ROLL_OFF_SHARE = 0.95
# The envelope of a rolling bearing is read up to this share of Nyquist: its third harmonics lie below.
_ENVELOPE_SHARE = 0.25
# Orders that are summed up as synchronous, and half the shaft speed, at which rubs and looseness show.
ORDERS = np.array([0.5, *range(1, 11)])
_SPEED_TOLERANCE = 0.01
# Two lines are told apart under a Hann window from four bins on: so many revolutions part whole orders.
_LEAST_REVOLUTIONS = 4.0
_HARMONICS = np.array([1.0, 2.0, 3.0])
# The envelope has no window: a line is read if the window holds so many of its periods.
_LEAST_PERIODS = 3.0
# Integration begins no lower than here: the bin at DC and its neighbour hold drift, not vibration.
_FIRST_BIN = 2

# Everything besides the formulas that a value depends on; part of the hash of a profile.
CONSTANTS: dict[str, int | float | str] = {
    "octave_bands": N_BANDS,
    "wavelet": WAVELET,
    "wavelet_level": WAVELET_LEVEL,
    "roll_off_share": ROLL_OFF_SHARE,
    "envelope_from_share_of_nyquist": LOWEST_BAND_SHARE,
    "envelope_lines_to_share_of_nyquist": _ENVELOPE_SHARE,
    "slip": SLIP,
    "speed_tolerance": _SPEED_TOLERANCE,
    "least_revolutions": _LEAST_REVOLUTIONS,
    "least_periods": _LEAST_PERIODS,
    "first_bin_of_integrals": _FIRST_BIN,
}


@dataclass(frozen=True, eq=False)
class Signals:
    """A batch of windows and what several features derive from it: one transform of the samples serves all.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples, time last; finite.
    rate_hz : float
        Sampling rate in Hz.
    unit : str
        Of the samples: ``g``, ``m/s2`` or ``mm/s``.
    shaft_hz : ndarray, shape (...), or None
        Shaft speed of each window in Hz, where known.
    bearing : FaultOrders or None
        Fault orders of the bearing, where known.
    """

    x: Floats
    rate_hz: float
    unit: str
    shaft_hz: NDArray[np.float64] | None = None
    bearing: FaultOrders | None = None

    @property
    def n(self) -> int:
        """Samples in a window."""
        return int(self.x.shape[-1])

    @cached_property
    def moments(self) -> WindowMoments:
        """Moments, extremes, and the samples less their mean."""
        return moments(self.x)

    @cached_property
    def spectrum(self) -> NDArray[np.complexfloating]:
        """Unwindowed one-sided transform of the samples less their mean."""
        transformed: NDArray[np.complexfloating] = scipy.fft.rfft(self.moments.deviation, axis=-1)
        return transformed

    @cached_property
    def power(self) -> Floats:
        """One-sided mean square of each bin."""
        return bin_power(self.spectrum, self.n)

    @cached_property
    def octaves(self) -> Floats:
        """RMS in octaves below Nyquist, shape (..., bands), lowest first."""
        return band_rms(self.power, octave_edges(self.power.shape[-1], N_BANDS))

    @cached_property
    def centroid_spread(self) -> tuple[Floats, Floats]:
        """Spectral centroid and spread in Hz."""
        return centroid_spread_hz(self.power, self.rate_hz)

    @cached_property
    def roll_off_hz(self) -> Floats:
        """Frequency in Hz below which 95 % of the power lies."""
        return roll_off_hz(self.power, self.rate_hz, share=ROLL_OFF_SHARE)

    @cached_property
    def flatness_entropy(self) -> tuple[Floats, Floats]:
        """Spectral flatness and entropy."""
        return flatness_entropy(self.power)

    @cached_property
    def dominant(self) -> tuple[Floats, Floats]:
        """Frequency in Hz of the largest bin above DC, and its share of the variance; 0 for silence."""
        bins = self.power[..., 1:]
        largest = bins.max(axis=-1)
        frequency = (bins.argmax(axis=-1) + 1) * (self.rate_hz / self.n)
        return np.where(largest > 0.0, frequency, 0.0), ratio(largest, self.moments.std**2)

    # -- shaft and velocity: leakage matters, so the Hann window is applied, on the bins -----------------------------

    @cached_property
    def hann_power(self) -> Floats:
        """One-sided mean square of each bin under a Hann window, up to the highest bin that is asked for."""
        top_hz = HIGH_HZ
        if self.shaft_hz is not None and self.shaft_hz.size:
            top_hz = max(top_hz, float(self.shaft_hz.max()) * ORDERS[-1] * (1.0 + _SPEED_TOLERANCE))
        # Three bins beyond: a line is three bins wide, and may be found one bin off.
        stop = min(float(self.n), np.ceil(top_hz * self.n / self.rate_hz)) + 4.0
        return hann_power(self.spectrum, self.n, stop=int(stop))

    def integrated_rms(self, low_hz: float, *, twice: bool) -> Floats:
        """RMS velocity in mm/s, or displacement in micrometres, from `low_hz` to 1 kHz as far as the window reaches."""
        low_hz = max(low_hz, _FIRST_BIN * self.rate_hz / self.n)
        high_hz = min(HIGH_HZ, 0.5 * self.rate_hz)
        if low_hz >= high_hz:
            return np.zeros(self.x.shape[:-1])
        band, weights = integration_weights(
            self.rate_hz,
            n=self.n,
            unit=self.unit,
            low_hz=low_hz,
            high_hz=high_hz,
            twice=twice,
            dtype=self.hann_power.dtype.name,
        )
        return np.asarray((1e3 if twice else 1.0) * np.sqrt(self.hann_power[..., band] @ weights))

    @cached_property
    def order_amplitudes(self) -> Floats:
        """Peak amplitude at each of `ORDERS`, shape (..., orders); 0 where the window does not part it from others."""
        shaft_hz = self._speed()
        power = self.hann_power
        # A tone is three bins wide: their sum is its mean square, wherever it stands between two bins.
        tone = power.copy()
        tone[..., 1:] += power[..., :-1]
        tone[..., :-1] += power[..., 1:]
        amplitude = np.sqrt(2.0 * tone)
        found = order_amplitudes_from_spectrum(
            amplitude, self.rate_hz / self.n, shaft_hz, ORDERS, tolerance=_SPEED_TOLERANCE
        )
        revolutions = shaft_hz[..., None] * (self.n / self.rate_hz)
        wanted = np.where(ORDERS < 1.0, 2.0 * _LEAST_REVOLUTIONS, _LEAST_REVOLUTIONS)
        return np.where(revolutions >= wanted * (1.0 - 1e-9), found, 0.0)

    # -- envelope -----------------------------------------------------------------------------------------------------

    @cached_property
    def envelope(self) -> tuple[Floats, Floats]:
        """Mean of the squared envelope of the upper band, shape (...), and the envelope over it; 1 for silence."""
        low = max(1, int(LOWEST_BAND_SHARE * (self.n // 2)))
        return relative_envelope(self.spectrum, self.power, self.n, low=low, high=self.n // 2 + 1)

    @cached_property
    def envelope_lines(self) -> Floats:
        """Peak amplitude of each line of the squared envelope over its mean, to a quarter of Nyquist; DC is 0."""
        relative = self.envelope[1]
        bins = max(3, int(_ENVELOPE_SHARE * (self.n // 2)) + 1)
        lines: Floats = np.abs(scipy.fft.rfft(relative, axis=-1)[..., :bins])
        lines *= 2.0 / relative.shape[-1]
        lines[..., 0] = 0.0
        return lines

    @cached_property
    def largest_envelope_line(self) -> tuple[Floats, Floats]:
        """Height of the largest line of the envelope, and its frequency in Hz; 0 for silence."""
        return self.envelope_lines.max(axis=-1), self.envelope_lines.argmax(axis=-1) * (self.rate_hz / self.n)

    @cached_property
    def envelope_entropy(self) -> Floats:
        """Spectral entropy of the squared envelope."""
        return flatness_entropy(self.envelope_lines**2)[1]

    @cached_property
    def fault_contrasts(self) -> Floats:
        """Lines of BPFO, BPFI, 2 x BSF and FTF over the median line, shape (..., 4): mean of three harmonics."""
        if self.bearing is None:
            raise ParameterError("fault lines were asked of windows without a bearing; give its fault orders")
        families = np.array([self.bearing.bpfo, self.bearing.bpfi, self.bearing.defect, self.bearing.ftf])
        shaft_hz = self._speed()
        heights = order_amplitudes_from_spectrum(
            self.envelope_lines,
            self.rate_hz / self.n,
            shaft_hz,
            np.outer(families, _HARMONICS).ravel(),
            tolerance=SLIP,
        ).reshape(*self.x.shape[:-1], families.size, _HARMONICS.size)
        # Harmonics beyond the spectrum are 0 and count in none of the sums.
        inside = np.count_nonzero(heights, axis=-1)
        mean = heights.sum(axis=-1) / np.maximum(inside, 1)
        periods = families * shaft_hz[..., None] * (self.n / self.rate_hz)
        floor = np.median(self.envelope_lines[..., 1:], axis=-1)[..., None]
        return np.where(periods >= _LEAST_PERIODS, ratio(mean, floor), 0.0)

    # -- wavelet packets ----------------------------------------------------------------------------------------------

    @cached_property
    def packet_energies(self) -> Floats:
        """Mean square of each packet of the undecimated tree, shape (..., 2**level), by ascending frequency."""
        return packet_powers(self.power, self.n, wavelet=WAVELET, level=WAVELET_LEVEL)

    @cached_property
    def packet_shares(self) -> Floats:
        """Packet energies over their sum; even shares for silence."""
        energies = self.packet_energies
        return ratio(energies, energies.sum(axis=-1, keepdims=True), silence=1.0 / energies.shape[-1])

    @cached_property
    def packet_entropy(self) -> Floats:
        """Entropy of the packet energies."""
        return packet_entropy(self.packet_energies)

    def _speed(self) -> NDArray[np.float64]:
        if self.shaft_hz is None:
            raise ParameterError("orders were asked of windows without a shaft speed; give it")
        return self.shaft_hz
