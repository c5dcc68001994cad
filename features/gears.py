"""Condition indicators of gears from the time synchronous average; refuses broken revolutions and meshes unresolved."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from features.errors import ParameterError
from features.samples import check_finite
from features.statistics import moments, ratio

__all__ = [
    "QuarticTrend",
    "difference_signal",
    "fm0",
    "fm4",
    "mesh_envelope",
    "residual_signal",
    "sideband_index",
    "sideband_level_factor",
    "synchronous_average",
]

Floats = NDArray[np.floating]

# What is left of an average below this share of it is rounding, no signal.
_NOTHING = 1e-9
# Shaft orders that belong to the regular signal: unbalance and misalignment (Decker 2002 removes first and second).
_SHAFT_ORDERS = (1, 2)


def synchronous_average(x: Floats, *, samples_per_rev: int) -> NDArray[np.float64]:
    """Time synchronous average: the mean of all revolutions of a signal sampled evenly in shaft angle.

    Parameters
    ----------
    x : ndarray, shape (..., revolutions * samples_per_rev)
        Samples over whole revolutions, e.g. of an `AngleSignal`.
    samples_per_rev : int
        Samples in each revolution.

    Returns
    -------
    ndarray of float64, shape (..., samples_per_rev)
        In the unit of the samples. Over N revolutions noise falls by sqrt(N) and a tone of order q by the comb
        |sin(pi N q) / (N sin(pi q))|; whole orders stay as they are.

    Raises
    ------
    ParameterError
        If the samples are no whole number of revolutions.

    Notes
    -----
    McFadden, "A revised model for the extraction of periodic waveforms by time domain averaging", Mech. Syst. Signal
    Process. 1 (1987) 83-95.

    Examples
    --------
    >>> synchronous_average(np.array([1.0, 2.0, 3.0, 4.0]), samples_per_rev=2).tolist()
    [2.0, 3.0]
    """
    check_finite(x)
    n = x.shape[-1]
    if samples_per_rev < 1 or n < samples_per_rev or n % samples_per_rev:
        raise ParameterError(f"{n} samples are no whole revolutions of {samples_per_rev}; resample over whole ones")
    revolutions = x.reshape(*x.shape[:-1], n // samples_per_rev, samples_per_rev)
    return np.asarray(revolutions.mean(axis=-2, dtype=np.float64))


def residual_signal(tsa: Floats, *, teeth: int) -> NDArray[np.float64]:
    """Average without its regular part: mean, first and second shaft order, and all mesh harmonics.

    Parameters
    ----------
    tsa : ndarray, shape (..., samples_per_rev)
        One averaged revolution of the gear's shaft.
    teeth : int
        Teeth of the gear, at least 4 and below half of the samples.

    Returns
    -------
    ndarray of float64, shape (..., samples_per_rev)
        The signal of NA4 (Zakrajsek, Townsend and Decker 1993); first-order sidebands stay in.

    Raises
    ------
    ParameterError
        If the mesh is not resolved.
    """
    return _without(tsa, teeth=teeth, sidebands=0)


def difference_signal(tsa: Floats, *, teeth: int) -> NDArray[np.float64]:
    """Residual signal without the first-order sidebands of all mesh harmonics: the signal of FM4 (Stewart 1977).

    Parameters, returns and refusals are those of `residual_signal`.
    """
    return _without(tsa, teeth=teeth, sidebands=1)


def fm0(tsa: Floats, *, teeth: int) -> Floats:
    """FM0: peak-to-peak of the average over the sum of the amplitudes of all its mesh harmonics.

    Parameters
    ----------
    tsa : ndarray, shape (..., samples_per_rev)
        One averaged revolution.
    teeth : int
        Teeth of the gear.

    Returns
    -------
    ndarray, shape (...)
        Without unit; 2 for a mesh that is one sine. Rises when the mesh weakens against the rest (wear, scuffing) or
        one tooth sticks out (breakage). 0 where there is no mesh at all.

    Raises
    ------
    ParameterError
        If the mesh is not resolved.

    Notes
    -----
    Stewart, "Some useful data analysis techniques for gearbox diagnostics", ISVR, Southampton, MHM/R/10/77 (1977);
    Samuel and Pines, J. Sound Vib. 282 (2005) 475-508.

    Examples
    --------
    >>> turn = np.arange(256) / 256
    >>> round(float(fm0(np.cos(2 * np.pi * 16 * turn), teeth=16)), 9)
    2.0
    """
    _refuse_mesh(tsa, teeth)
    amplitude = _amplitudes(tsa)
    mesh = amplitude[..., teeth::teeth].sum(axis=-1)
    spread = np.ptp(tsa, axis=-1).astype(np.float64)
    return ratio(spread, np.where(mesh > _NOTHING * spread, mesh, 0.0))


def fm4(tsa: Floats, *, teeth: int) -> Floats:
    """FM4: kurtosis of the difference signal.

    Parameters
    ----------
    tsa : ndarray, shape (..., samples_per_rev)
        One averaged revolution.
    teeth : int
        Teeth of the gear.

    Returns
    -------
    ndarray, shape (...)
        3 for Gaussian noise and where no difference is left; higher when one or two teeth stand out, and back again
        when the damage spreads (which is what NA4 was made for).

    Raises
    ------
    ParameterError
        If the mesh is not resolved.

    Notes
    -----
    Stewart (1977), see `fm0`; Decker, "Gear crack detection using tooth analysis", NASA/TM-2002-211491.

    Examples
    --------
    >>> turn = np.arange(256) / 256
    >>> float(fm4(np.cos(2 * np.pi * 16 * turn), teeth=16))
    3.0
    """
    difference = difference_signal(tsa, teeth=teeth)
    level = np.sqrt(np.mean(np.square(tsa, dtype=np.float64), axis=-1))
    left = np.sqrt(np.mean(difference**2, axis=-1)) > _NOTHING * level
    return np.where(left, moments(difference).kurtosis, 3.0)


def sideband_index(tsa: Floats, *, teeth: int) -> Floats:
    """Mean amplitude of the two first-order sidebands of the fundamental mesh, in the unit of the samples.

    Parameters
    ----------
    tsa : ndarray, shape (..., samples_per_rev)
        One averaged revolution.
    teeth : int
        Teeth of the gear; its sidebands stand at teeth - 1 and teeth + 1 shaft orders.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ParameterError
        If the mesh is not resolved.

    Notes
    -----
    Vecer, Kreidl and Smid, "Condition indicators for gearbox condition monitoring systems", Acta Polytechnica 45(6)
    (2005) 35-43.

    Examples
    --------
    >>> turn = np.arange(256) / 256
    >>> modulated = (1 + 0.2 * np.cos(2 * np.pi * turn)) * np.cos(2 * np.pi * 16 * turn)
    >>> round(float(sideband_index(modulated, teeth=16)), 9)
    0.1
    """
    _refuse_mesh(tsa, teeth)
    amplitude = _amplitudes(tsa)
    return 0.5 * (amplitude[..., teeth - 1] + amplitude[..., teeth + 1])


def sideband_level_factor(tsa: Floats, *, teeth: int) -> Floats:
    """Sum of the first-order sideband amplitudes of the fundamental mesh over the deviation of the average.

    Parameters, source and refusals are those of `sideband_index`.

    Returns
    -------
    ndarray, shape (...)
        Without unit; rises with eccentricity and a bent shaft. 0 for a constant average.
    """
    deviation = np.std(tsa, axis=-1, dtype=np.float64)
    varies = deviation > _NOTHING * np.abs(tsa).max(axis=-1)
    return ratio(2.0 * sideband_index(tsa, teeth=teeth), np.where(varies, deviation, 0.0))


def mesh_envelope(tsa: Floats, *, teeth: int, sidebands: int) -> NDArray[np.float64]:
    """Envelope of the average around the fundamental mesh: the signal of NB4.

    Parameters
    ----------
    tsa : ndarray, shape (..., samples_per_rev)
        One averaged revolution.
    teeth : int
        Teeth of the gear.
    sidebands : int
        Sidebands kept on each side, from 1 up to below `teeth`.

    Returns
    -------
    ndarray of float64, shape (..., samples_per_rev)
        Modulus of the analytic signal of orders teeth - sidebands to teeth + sidebands, in the unit of the samples.

    Raises
    ------
    ParameterError
        If the mesh or the band is not resolved.

    Notes
    -----
    Zakrajsek, Handschuh and Decker, "Application of fault detection techniques to spiral bevel gear fatigue data",
    NASA TM-106467 (1994).
    """
    _refuse_mesh(tsa, teeth)
    n = tsa.shape[-1]
    if not 1 <= sidebands < teeth or teeth + sidebands >= n / 2:
        raise ParameterError(f"{sidebands} sidebands of {teeth} teeth in {n} samples; 1 to less than the teeth fit")
    spectrum = scipy.fft.fft(np.asarray(tsa, dtype=np.float64), axis=-1)
    kept = np.zeros_like(spectrum)
    band = slice(teeth - sidebands, teeth + sidebands + 1)
    kept[..., band] = 2.0 * spectrum[..., band]
    return np.asarray(np.abs(scipy.fft.ifft(kept, axis=-1)))


class QuarticTrend:
    """NA4 of residual signals, or NB4 of mesh envelopes, over the records of one run.

    The fourth central moment of the present record over the square of the mean variance of all records so far, the
    present one included: 3 for steady Gaussian records, and growing both with peakedness and with level, where a
    kurtosis falls back when damage spreads. `reset` starts a new run (new gear, other load).

    Notes
    -----
    Zakrajsek, Townsend and Decker, "An analysis of gear fault detection methods as applied to pitting fatigue failure
    data", NASA TM-105950 (1993).

    Examples
    --------
    >>> trend = QuarticTrend()
    >>> square = np.tile([1.0, -1.0], 8)
    >>> trend.update(square), trend.update(2.0 * square)
    (1.0, 2.56)
    """

    def __init__(self) -> None:
        self._records = 0
        self._mean_variance = 0.0

    @property
    def n_records(self) -> int:
        """Records of the run so far."""
        return self._records

    def update(self, signal: Floats) -> float:
        """Take the next record of the run, shape (n,), and give its indicator; 3 while all records are silent.

        Raises
        ------
        ParameterError
            If the record is no finite signal of at least 2 samples; nothing is learned from it then.
        """
        if signal.ndim != 1 or signal.size < 2 or not np.isfinite(signal).all():
            raise ParameterError(
                f"a record of shape {signal.shape} was given; a finite one of shape (n >= 2,) is wanted"
            )
        centred = signal - signal.mean(dtype=np.float64)
        # What drowns in the rounding of the mean is constant, hence without variance.
        centred[np.abs(centred) <= 8.0 * np.finfo(np.float64).eps * np.abs(signal).max()] = 0.0
        squared = centred * centred
        self._records += 1
        self._mean_variance += (float(squared.mean()) - self._mean_variance) / self._records
        base = self._mean_variance**2
        return float((squared * squared).mean()) / base if base > 0.0 else 3.0

    def reset(self) -> None:
        """Begin a new run."""
        self._records, self._mean_variance = 0, 0.0

    def snapshot(self) -> dict[str, Any]:
        """State as plain values that JSON can hold."""
        return {"records": self._records, "mean_variance": self._mean_variance}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> QuarticTrend:
        """Make a trend that goes on where the one of the snapshot stood.

        Raises
        ------
        ParameterError
            If this is no snapshot of one.
        """
        try:
            records, mean_variance = int(state["records"]), float(state["mean_variance"])
        except (KeyError, TypeError, ValueError) as error:
            raise ParameterError(f"{state!r} is no snapshot of a quartic trend ({error!r})") from error
        if records < 0 or not (math.isfinite(mean_variance) and mean_variance >= 0.0):
            raise ParameterError(f"{state!r} is no state that a quartic trend can be in; take a new snapshot")
        restored = cls()
        restored._records, restored._mean_variance = records, mean_variance
        return restored


def _refuse_mesh(tsa: Floats, teeth: int) -> None:
    # The upper sideband of the mesh must be a line of its own, and the lower one none of the shaft's.
    check_finite(tsa)
    if not max(_SHAFT_ORDERS) + 2 <= teeth < tsa.shape[-1] / 2 - 1:
        raise ParameterError(
            f"{teeth} teeth in an average of {tsa.shape[-1]} samples; at least 4 teeth and more than 2 (teeth + 1) "
            "samples a revolution are wanted"
        )


def _amplitudes(tsa: Floats) -> NDArray[np.float64]:
    """Peak amplitude of each whole order of one revolution, shape (..., n // 2 + 1); exact without window."""
    n = tsa.shape[-1]
    amplitude = np.abs(scipy.fft.rfft(np.asarray(tsa, dtype=np.float64), axis=-1)) * (2.0 / n)
    amplitude[..., 0] *= 0.5
    if n % 2 == 0:
        amplitude[..., -1] *= 0.5
    return np.asarray(amplitude)


def _without(tsa: Floats, *, teeth: int, sidebands: int) -> NDArray[np.float64]:
    """Average without mean, shaft orders, mesh harmonics and so many of their sidebands."""
    _refuse_mesh(tsa, teeth)
    spectrum = scipy.fft.rfft(np.asarray(tsa, dtype=np.float64), axis=-1)
    spectrum[..., : max(_SHAFT_ORDERS) + 1] = 0.0
    for shift in range(-sidebands, sidebands + 1):
        spectrum[..., teeth + shift :: teeth] = 0.0
    return np.asarray(scipy.fft.irfft(spectrum, n=tsa.shape[-1], axis=-1))
