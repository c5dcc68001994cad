"""Lines of an amplitude spectrum read between its bins: peaks, harmonics, sidebands; refuses lines too close."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import ParameterError
from features.samples import check_finite

__all__ = ["LINE_BINS", "harmonics", "peaks", "sidebands"]

Floats = NDArray[np.floating]

# Width of the main lobe of a Hann window in bins: lines closer than this lean on each other.
LINE_BINS = 4


def peaks(frequencies: NDArray[np.float64], amplitudes: Floats, *, count: int) -> tuple[Floats, Floats]:
    """Give the largest local maxima of an amplitude spectrum, interpolated for a Hann window.

    Parameters
    ----------
    frequencies : ndarray, shape (bins,)
        Hz, evenly spaced from 0.
    amplitudes : ndarray, shape (..., bins)
        From `features.spectral.amplitude_spectrum`.
    count : int
        Peaks wanted, at least 1.

    Returns
    -------
    hz, amplitude : ndarray, shape (..., count)
        By falling amplitude, in Hz and the unit of the spectrum; both 0 where the spectrum has fewer peaks. DC and
        the last bin are no peaks.

    Raises
    ------
    ParameterError
        If no peak is asked for or the spectrum has fewer than three bins.

    Notes
    -----
    The magnitudes a, b, c of three neighbouring bins of a sine under a Hann window give its offset from the middle one
    exactly: 2 (c - a) / (a + 2 b + c) bins (from the window's transform sinc(x) / (1 - x**2)), which then corrects the
    amplitude. What is left is the leakage of the negative frequency: measured for a lone sine at any offset and phase,
    0.0002 bin and 0.07 % at bin 5, 1e-6 bin and 0.001 % at bin 20. The parabola on log amplitudes errs by 0.016 bin
    and 3.8 % everywhere.

    Examples
    --------
    >>> from features.spectral import amplitude_spectrum
    >>> t = np.arange(4096) / 4096.0
    >>> hz, a = peaks(*amplitude_spectrum(2.0 * np.sin(2 * np.pi * 100.3 * t), 4096.0), count=1)
    >>> round(float(hz[0]), 2), round(float(a[0]), 3)
    (100.3, 2.0)
    """
    _check_spectrum(frequencies, amplitudes)
    if count < 1:
        raise ParameterError(f"{count} peaks were asked for; at least 1 is wanted")
    inner = amplitudes[..., 1:-1]
    is_peak = (inner > amplitudes[..., :-2]) & (inner >= amplitudes[..., 2:])
    heights = np.where(is_peak, inner, 0.0)
    kept = min(count, heights.shape[-1])
    places = np.argsort(heights, axis=-1, kind="stable")[..., : -kept - 1 : -1]
    found = np.take_along_axis(heights, places, axis=-1) > 0.0
    position, amplitude = _interpolated(amplitudes, places + 1)
    # Corrections differ, so that the order of the bins is not quite that of the lines.
    amplitude = np.where(found, amplitude, 0.0)
    order = np.argsort(-amplitude, axis=-1, kind="stable")
    hz = np.where(found, position * float(frequencies[1]), 0.0)
    room = [(0, 0)] * (amplitudes.ndim - 1) + [(0, count - kept)]
    return (
        np.pad(np.take_along_axis(hz, order, axis=-1), room),
        np.pad(np.take_along_axis(amplitude, order, axis=-1), room),
    )


def harmonics(
    frequencies: NDArray[np.float64],
    amplitudes: Floats,
    *,
    fundamental_hz: ArrayLike,
    count: int,
    tolerance: float = 0.01,
) -> tuple[Floats, Floats]:
    """Read the lines at 1 to `count` times a fundamental.

    Parameters
    ----------
    frequencies : ndarray, shape (bins,)
        Hz, evenly spaced from 0.
    amplitudes : ndarray, shape (..., bins)
        From `features.spectral.amplitude_spectrum`.
    fundamental_hz : float or array_like, shape (...)
        One for all spectra or one for each, at least four bins.
    count : int
        Lines wanted, at least 1.
    tolerance : float
        Share of each line's frequency within which it is searched, 0 to 0.5; at least one bin is, at most half the
        fundamental.

    Returns
    -------
    hz, amplitude : ndarray, shape (..., count)
        Interpolated frequency and amplitude of the largest line in reach. Lines that reach beyond the spectrum have
        their nominal frequency and amplitude 0.

    Raises
    ------
    ParameterError
        If the fundamental is closer than four bins (a Hann line's width), or count or tolerance is not admissible.

    Examples
    --------
    >>> from features.spectral import amplitude_spectrum
    >>> t = np.arange(4096) / 4096.0
    >>> x = np.sin(2 * np.pi * 50 * t) + 0.25 * np.sin(2 * np.pi * 100.2 * t)
    >>> hz, a = harmonics(*amplitude_spectrum(x, 4096.0), fundamental_hz=50.0, count=3)
    >>> a.round(2).tolist()
    [1.0, 0.25, 0.0]
    """
    _check_spectrum(frequencies, amplitudes)
    if not 0.0 <= tolerance <= 0.5:
        raise ParameterError(f"harmonics are searched within {tolerance} of their frequency; 0 to 0.5 is wanted")
    multiples = _multiples(count, "harmonics")
    fundamental = _spaced(fundamental_hz, frequencies, "fundamental")
    nominal = fundamental[..., None] * multiples
    reach = np.minimum(tolerance * nominal, 0.5 * fundamental[..., None])
    return _largest_near(frequencies, amplitudes, nominal, reach)


def sidebands(
    frequencies: NDArray[np.float64],
    amplitudes: Floats,
    *,
    carrier_hz: ArrayLike,
    modulation_hz: ArrayLike,
    count: int,
    reach_hz: float = 0.0,
) -> tuple[Floats, Floats]:
    """Read the lines that a modulation sets on both sides of a carrier.

    Parameters
    ----------
    frequencies : ndarray, shape (bins,)
        Hz, evenly spaced from 0.
    amplitudes : ndarray, shape (..., bins)
        From `features.spectral.amplitude_spectrum`.
    carrier_hz, modulation_hz : float or array_like, shape (...)
        One for all spectra or one for each; the modulation at least four bins.
    count : int
        Sidebands wanted on each side, at least 1.
    reach_hz : float
        Hz around each nominal frequency within which the line is searched; at least one bin is, at most half the
        modulation.

    Returns
    -------
    hz, amplitude : ndarray, shape (..., count, 2)
        At carrier -+ m modulation, m from 1; the last axis is lower, upper. Lines that reach beyond the spectrum have
        their nominal frequency and amplitude 0.

    Raises
    ------
    ParameterError
        If the modulation is closer than four bins, the carrier is not positive, or count or reach is not admissible.

    Examples
    --------
    >>> from features.spectral import amplitude_spectrum
    >>> t = np.arange(4096) / 4096.0
    >>> x = (1.0 + 0.4 * np.cos(2 * np.pi * 25 * t)) * np.sin(2 * np.pi * 600 * t)
    >>> hz, a = sidebands(*amplitude_spectrum(x, 4096.0), carrier_hz=600.0, modulation_hz=25.0, count=1)
    >>> hz.round(1).tolist(), a.round(3).tolist()
    ([[575.0, 625.0]], [[0.2, 0.2]])
    """
    _check_spectrum(frequencies, amplitudes)
    if not reach_hz >= 0.0:
        raise ParameterError(f"sidebands are searched within {reach_hz} Hz; 0 or more is wanted")
    carrier = np.asarray(carrier_hz, dtype=np.float64)
    if not (np.isfinite(carrier) & (carrier > 0.0)).all():
        raise ParameterError(f"sidebands of a carrier of {carrier} Hz were asked; a positive one is wanted")
    modulation = _spaced(modulation_hz, frequencies, "modulation")
    offset = modulation[..., None] * _multiples(count, "sidebands")
    nominal = carrier[..., None, None] + np.stack([-offset, offset], axis=-1)
    reach = np.broadcast_to(np.minimum(reach_hz, 0.5 * modulation)[..., None, None], nominal.shape)
    flat = (*nominal.shape[:-2], -1)
    hz, amplitude = _largest_near(frequencies, amplitudes, nominal.reshape(flat), reach.reshape(flat))
    shape = (*hz.shape[:-1], count, 2)
    return hz.reshape(shape), amplitude.reshape(shape)


def _largest_near(
    frequencies: NDArray[np.float64], amplitudes: Floats, nominal: NDArray[np.float64], reach: NDArray[np.float64]
) -> tuple[Floats, Floats]:
    """Largest bin within reach of each nominal frequency, interpolated where it is a local maximum."""
    step, bins = float(frequencies[1]), amplitudes.shape[-1]
    shape = np.broadcast_shapes(amplitudes.shape[:-1], nominal.shape[:-1])
    centre = np.broadcast_to(nominal / step, (*shape, nominal.shape[-1]))
    half = np.maximum(np.broadcast_to(reach / step, centre.shape), 1.0)
    first = np.ceil(centre - half).astype(np.intp)
    last = np.floor(centre + half).astype(np.intp)
    inside = (first >= 1) & (last <= bins - 2)
    first, last = np.where(inside, first, 1), np.where(inside, last, 1)
    around = first[..., None] + np.arange(int((last - first).max()) + 1)
    flat = np.minimum(around, last[..., None]).reshape(*shape, -1)
    spectra = np.broadcast_to(amplitudes, (*shape, bins))
    heights = np.take_along_axis(spectra, flat, axis=-1).reshape(around.shape)
    place = first + heights.argmax(axis=-1)
    position, amplitude = _interpolated(spectra, place)
    return np.where(inside, position * step, centre * step), np.where(inside, amplitude, 0.0)


def _interpolated(amplitudes: Floats, places: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Position in bins and height of the line around each bin; a bin that is no local maximum is left as it is."""
    before, middle, after = (np.take_along_axis(amplitudes, places + k, axis=-1) for k in (-1, 0, 1))
    total = before + 2.0 * middle + after
    is_peak = (middle >= before) & (middle >= after) & (total > 0.0)
    offset = np.where(is_peak, 2.0 * (after - before) / np.where(is_peak, total, 1.0), 0.0)
    # A sine never stands further from its largest bin; other shapes may seem to.
    offset = np.clip(offset, -0.5, 0.5)
    position: Floats = places.astype(np.float64) + offset
    return position, middle * (1.0 - offset * offset) / np.sinc(offset)


def _check_spectrum(frequencies: NDArray[np.float64], amplitudes: Floats) -> None:
    check_finite(amplitudes, "lines")
    if frequencies.ndim != 1 or frequencies.size < 3 or amplitudes.shape[-1] != frequencies.size:
        raise ParameterError(
            f"a spectrum of shape {amplitudes.shape} came with frequencies of shape {frequencies.shape}; "
            "(..., bins) and (bins,) of at least 3 bins are wanted"
        )


def _multiples(count: int, what: str) -> NDArray[np.float64]:
    if count < 1:
        raise ParameterError(f"{count} {what} were asked for; at least 1 is wanted")
    return np.arange(1.0, count + 1.0)


def _spaced(hz: ArrayLike, frequencies: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    spacing, wanted = np.asarray(hz, dtype=np.float64), LINE_BINS * float(frequencies[1])
    # The rounding of the spacing must not refuse four whole bins.
    if not (np.isfinite(spacing) & (spacing >= wanted * (1.0 - 1e-9))).all():
        raise ParameterError(
            f"a {what} of {spacing} Hz in a spectrum of {float(frequencies[1]):g} Hz a bin; "
            f"lines part from {wanted:g} Hz, {LINE_BINS} bins, on: give a longer window"
        )
    return spacing
