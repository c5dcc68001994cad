"""What a harmonic or a sideband cursor reads off a spectrum; refuses cursors without a positive frequency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["Mark", "harmonics", "marks_at", "sidebands"]

# A line is looked for within this share of where it is expected, and always within a bin and a half.
_SHARE = 0.005
_BINS = 1.5


@dataclass(frozen=True, slots=True)
class Mark:
    """What a cursor found: where it looked, the line that is highest there, and how high."""

    name: str
    expected: float
    found: float
    amplitude: float


def harmonics(x: NDArray[np.floating], lines: NDArray[np.floating], *, base: float, n: int) -> list[Mark]:
    """Read the lines at multiples of a frequency.

    Parameters
    ----------
    x, lines : ndarray, shape (bins,)
        Frequencies (or orders), evenly apart and ascending, and the line at each.
    base : float
        In the unit of `x`, positive.
    n : int
        Multiples wanted; those beyond the last bin are left out.

    Examples
    --------
    >>> x = np.arange(0.0, 100.0)
    >>> [(mark.name, mark.found, mark.amplitude) for mark in harmonics(x, (x == 50.0) * 2.0, base=25.0, n=3)]
    [('1x', 25.0, 0.0), ('2x', 50.0, 2.0), ('3x', 75.0, 0.0)]
    """
    _refuse(base, "harmonic cursor")
    return marks_at(x, lines, ((f"{k}x", k * base) for k in range(1, n + 1)))


def sidebands(
    x: NDArray[np.floating], lines: NDArray[np.floating], *, carrier: float, spacing: float, n: int
) -> list[Mark]:
    """Read a carrier and the lines at multiples of a spacing on both its sides.

    Parameters
    ----------
    x, lines : ndarray, shape (bins,)
    carrier, spacing : float
        In the unit of `x`, positive.
    n : int
        Sidebands on each side; those below the first and beyond the last bin are left out.
    """
    _refuse(carrier, "carrier")
    _refuse(spacing, "sideband cursor")
    return marks_at(x, lines, (("carrier" if k == 0 else f"{k:+d}", carrier + k * spacing) for k in range(-n, n + 1)))


def marks_at(x: NDArray[np.floating], lines: NDArray[np.floating], wanted: Iterable[tuple[str, float]]) -> list[Mark]:
    """Read the highest line near each of some frequencies; those outside the bins are left out."""
    step = float(x[1] - x[0])
    found = []
    for name, expected in wanted:
        reach = max(_BINS * step, _SHARE * expected)
        low, high = np.searchsorted(x, (expected - reach, expected + reach))
        if step <= expected <= float(x[-1]) and high > low:
            best = int(low) + int(np.argmax(lines[low:high]))
            # Of lines that are equally high, as in silence, the one where it was looked for.
            centre = int(np.clip(round((expected - float(x[0])) / step), low, high - 1))
            best = centre if lines[centre] >= lines[best] else best
            found.append(Mark(name, expected, float(x[best]), float(lines[best])))
    return found


def _refuse(value: float, what: str) -> None:
    if not (np.isfinite(value) and value > 0.0):
        raise ParameterError(f"a {what} at {value}; a positive frequency is wanted")
