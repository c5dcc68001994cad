"""Lines of bearing faults in an envelope spectrum, over what chance would give; refuses spectra without shaft lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from features.bearing import FaultOrders
from features.envelope import SLIP
from features.errors import ParameterError
from features.samples import check_finite

__all__ = [
    "FAMILIES",
    "HARMONICS",
    "SIDEBAND_WEIGHT",
    "THRESHOLD_DB",
    "FaultLines",
    "FaultVerdict",
    "fault_lines",
    "strongest_family",
]

Floats = NDArray[np.floating]

FAMILIES = ("BPFO", "BPFI", "2xBSF", "BSF", "FTF")
# Randall and Antoni (2011): three harmonics and their sidebands make a family.
HARMONICS = 3
# A pair of sidebands weighs half as much as the line between them: its depth depends on the load zone.
SIDEBAND_WEIGHT = 0.5
# A family is named if its lines have twice the power that chance gives and twice that of every rival. What moves with
# this and the other constants is measured in models/envelope_rule.py.
THRESHOLD_DB = 3.0

# Half the neighbourhood of a line: with one order in all, no neighbourhood holds two multiples of the shaft.
_NEIGHBOURHOOD_ORDERS = 0.5
# Stated speeds are rounded, and nominal ones off by slip of the motor under load.
_SPEED_TOLERANCE = 0.003
_SHAFT_HALF_BINS, _LINE_HALF_BINS = 2, 1
# One missing harmonic must not outweigh the others.
_LEAST_DB = -10.0
# Combs of no family, to tell what the same search finds by chance; further off than twice the slip.
_SHIFTS = np.array([-0.2, -0.16, -0.12, -0.08, -0.05, 0.05, 0.08, 0.12, 0.16, 0.2])
# A shaft line and its guard must leave room between the multiples of the shaft.
_LEAST_BINS_PER_ORDER = 16


@dataclass(frozen=True, eq=False)
class FaultLines:
    """What was found of each family of ``FAMILIES``, in their order.

    Attributes
    ----------
    slip : ndarray, shape (..., 5)
        Deviation from the kinematic order, common to the harmonics of a family, -0.02 to 0.02.
    harmonics_db : ndarray, shape (..., 5, 3)
        Power of each harmonic over the noise around it in dB, at least -10; 0 where it lies beyond the spectrum.
    sidebands_db : ndarray, shape (..., 5, 3)
        The same, mean of the two sidebands in dB: of BPFI at the shaft speed, of 2xBSF and BSF at the cage's; 0 for the
        families without (BPFO, FTF).
    evidence_db : ndarray, shape (..., 5)
        Mean over harmonics and, at half their weight, pairs of sidebands in dB, less what the same search finds at
        orders of no family; about 0 for no fault.
    n_harmonics : tuple of 5 int
        Harmonics of each family that lie inside the spectrum, 0 to 3; without one its evidence is 0 and says nothing.
    """

    slip: NDArray[np.float64]
    harmonics_db: Floats
    sidebands_db: Floats
    evidence_db: Floats
    n_harmonics: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FaultVerdict:
    """The strongest family of a machine, with the evidence for all.

    Attributes
    ----------
    kind : str
        ``outer``, ``inner``, ``ball`` or ``undecided``.
    outer_db, inner_db, spin_db, cage_db : float
        Evidence in dB of BPFO, BPFI, 2xBSF and FTF.
    """

    kind: str
    outer_db: float
    inner_db: float
    spin_db: float
    cage_db: float

    @property
    def ball_db(self) -> float:
        """Evidence of a rolling element in dB: its spin and its way round with the cage are separate lines, so add."""
        return max(self.spin_db, 0.0) + max(self.cage_db, 0.0)


def fault_lines(frequencies: NDArray[np.float64], lines: Floats, *, shaft_hz: float, orders: FaultOrders) -> FaultLines:
    """Measure the harmonics and sidebands of the fault families of a bearing.

    Parameters
    ----------
    frequencies : ndarray, shape (bins,)
        Hz, evenly spaced from 0.
    lines : ndarray, shape (..., bins)
        Amplitudes of an envelope spectrum, such as from `features.envelope.band_envelope_spectra`; any unit.
    shaft_hz : float
        Shaft speed in Hz, positive.
    orders : FaultOrders
        Of the bearing.

    Returns
    -------
    FaultLines
        Of shape (...) and as its attributes say. Silence has 0 dB everywhere.

    Raises
    ------
    ParameterError
        If shapes disagree, the speed is not positive or the spectrum has fewer than 16 bins to an order.

    Notes
    -----
    Each line is taken relative to the noise floor around it, the median within half an order (a median amplitude of
    Rayleigh noise is sqrt(ln 2) of its RMS). Multiples of the shaft speed are cut down to that floor first, since
    looseness and misalignment give them and some fall within the slip of a fault line. The harmonics of a family then
    share one slip, searched within +-2 % for the largest mean height in dB: a mean of logarithms wants several lines
    rather than a single tall one. Such a search finds something in noise too, and more in a spectrum full of lines; the
    same search at ten orders 5 to 20 % away says how much, and its median is subtracted. Families after Randall and
    Antoni, Mech. Syst. Signal Process. 25 (2011) 485-520; the subtraction is ours.

    Examples
    --------
    >>> from features.bearing import bearing_named
    >>> f = np.arange(4096) * 0.1
    >>> a = np.random.default_rng(1).rayleigh(1.0, f.size)
    >>> orders = bearing_named("6205-2RS").orders
    >>> a[np.rint(np.arange(1, 4) * 1.01 * orders.bpfo * 25.0 / 0.1).astype(int)] = 20.0
    >>> found = fault_lines(f, a, shaft_hz=25.0, orders=orders)
    >>> round(float(found.slip[0]), 2), strongest_family(found).kind
    (0.01, 'outer')
    """
    check_finite(lines, "lines")
    if not shaft_hz > 0.0:
        raise ParameterError(f"fault lines were asked at a shaft speed of {shaft_hz} Hz; a positive one is wanted")
    if frequencies.ndim != 1 or lines.shape[-1] != frequencies.size or frequencies.size < 2:
        raise ParameterError(f"a spectrum of shape {lines.shape} over {frequencies.shape} frequencies; (..., bins) is")
    bins_per_order = shaft_hz / float(frequencies[1])
    if bins_per_order < _LEAST_BINS_PER_ORDER:
        raise ParameterError(
            f"an envelope spectrum has {bins_per_order:.1f} bins to an order; at least {_LEAST_BINS_PER_ORDER} are "
            "wanted: give a longer signal"
        )
    heights = _heights_db(lines, bins_per_order)
    families = (
        (orders.bpfo, 0.0),
        (orders.bpfi, 1.0),
        (orders.defect, orders.ftf),
        (orders.bsf, orders.ftf),
        (orders.ftf, 0.0),
    )
    found = [_family(heights, order * bins_per_order, side * bins_per_order) for order, side in families]
    slip, harmonics, sidebands, evidence, fit = zip(*found, strict=True)
    return FaultLines(
        slip=np.stack(slip, axis=-1),
        harmonics_db=np.stack(harmonics, axis=-2),
        sidebands_db=np.stack(sidebands, axis=-2),
        evidence_db=np.stack(evidence, axis=-1),
        n_harmonics=fit,
    )


def strongest_family(found: FaultLines, *, threshold_db: float = THRESHOLD_DB) -> FaultVerdict:
    """Name the fault whose family stands out, or say that none does.

    Parameters
    ----------
    found : FaultLines
        Any leading axes are looks at one machine (bands, sensors, stretches of time): their evidence is averaged, so
        that a band in which only one family sounds does not decide alone.
    threshold_db : float
        What a family must stand above chance, and above each rival, in dB, positive.

    Returns
    -------
    FaultVerdict

    Raises
    ------
    ParameterError
        If the threshold is not positive.

    Notes
    -----
    A race is named first: its evidence must lead the other race's and that of the ball's spin. Cage lines do not speak
    against a race, since the balls carry different loads round and so modulate its impacts; they speak for a rolling
    element only where both races are that much weaker.
    """
    if not threshold_db > 0.0:
        raise ParameterError(f"a family was asked to stand out by {threshold_db} dB; more than 0 is wanted")
    mean = found.evidence_db.reshape(-1, len(FAMILIES)).mean(axis=0)
    outer, inner, spin, _, cage = (float(value) for value in mean)
    unnamed = FaultVerdict("undecided", outer, inner, spin, cage)
    claims = (
        ("outer", outer, max(inner, spin)),
        ("inner", inner, max(outer, spin)),
        ("ball", unnamed.ball_db, max(outer, inner)),
    )
    for kind, evidence, rival in claims:
        if evidence - max(rival, 0.0) >= threshold_db:
            return FaultVerdict(kind, outer, inner, spin, cage)
    return unnamed


def _heights_db(lines: Floats, bins_per_order: float) -> Floats:
    """Power of each bin over the noise around it in dB, shaft multiples cut down, each the best of its neighbours."""
    half = max(1, round(_NEIGHBOURHOOD_ORDERS * bins_per_order))
    rows = lines.reshape(-1, lines.shape[-1])[:, 1:]
    # Row by row, because SciPy's fast running median is one-dimensional.
    floor = np.stack([scipy.ndimage.median_filter(row, size=2 * half + 1, mode="nearest") for row in rows])
    power = np.log(2.0) * (rows / np.where(floor > 0.0, floor, 1.0)) ** 2
    least = 10.0 ** (0.1 * _LEAST_DB)
    heights = np.zeros((len(rows), lines.shape[-1]))
    heights[:, 1:] = np.where(floor > 0.0, 10.0 * np.log10(np.maximum(power, least)), 0.0)
    order = np.arange(lines.shape[-1]) / bins_per_order
    nearest = np.rint(order)
    guard = np.maximum(_SHAFT_HALF_BINS / bins_per_order, _SPEED_TOLERANCE * nearest)
    shaft = np.abs(order - nearest) <= guard
    heights[:, shaft] = np.minimum(heights[:, shaft], 0.0)
    return scipy.ndimage.maximum_filter1d(heights, 2 * _LINE_HALF_BINS + 1, axis=-1).reshape(lines.shape)


def _family(
    heights: Floats, line: float, side: float
) -> tuple[NDArray[np.float64], Floats, Floats, NDArray[np.float64], int]:
    """Slip, harmonics, sidebands, evidence and harmonics in the spectrum of the family whose line is at a bin."""
    batch = heights.shape[:-1]
    harmonics, sidebands = np.zeros((*batch, HARMONICS)), np.zeros((*batch, HARMONICS))
    # As many harmonics as fit for the combs of chance too, so that all are compared over the same number.
    highest = line * (1.0 + float(_SHIFTS.max())) * (1.0 + SLIP)
    fit = min(HARMONICS, int((heights.shape[-1] - 2 - side) / highest))
    if fit < 1:
        return np.zeros(batch), harmonics, sidebands, np.zeros(batch), 0
    k = np.arange(1, fit + 1)
    reach = int(np.ceil(SLIP * fit * line))
    slips = SLIP * np.arange(-reach, reach + 1) / reach
    scores = _comb(heights, line * (1.0 + slips), k, side)
    slip = slips[scores.argmax(axis=-1)]
    chance = _comb(heights, line * (1.0 + _SHIFTS[:, None]) * (1.0 + slips), k, side).max(axis=-1)
    at = k * (line * (1.0 + slip))[..., None]
    harmonics[..., :fit] = _at(heights, at)
    if side > 0.0:
        sidebands[..., :fit] = 0.5 * (_at(heights, at - side) + _at(heights, at + side))
    return slip, harmonics, sidebands, scores.max(axis=-1) - np.median(chance, axis=-1), fit


def _comb(heights: Floats, line: NDArray[np.float64], k: NDArray[np.intp], side: float) -> Floats:
    """Mean height of the harmonics k of lines at fractional bins, and their sidebands; shape (..., *line.shape)."""
    where = np.multiply.outer(k, line)
    found = heights[..., _bins(where)]
    if side > 0.0:
        pairs = 0.5 * (heights[..., _bins(where - side)] + heights[..., _bins(where + side)])
        found = (found + SIDEBAND_WEIGHT * pairs) / (1.0 + SIDEBAND_WEIGHT)
    return np.asarray(found.mean(axis=heights.ndim - 1))


def _at(heights: Floats, where: NDArray[np.float64]) -> Floats:
    """Heights at fractional bins, shape (..., lines)."""
    return np.take_along_axis(heights, _bins(where), axis=-1)


def _bins(where: NDArray[np.float64]) -> NDArray[np.intp]:
    """Nearest bins; a sideband below DC falls on DC, whose height is 0."""
    return np.maximum(np.rint(where), 0.0).astype(np.intp)
