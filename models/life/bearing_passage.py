"""What the service's forecast says over lives that are known to their ends; refuses too few bearings for a limit.

The forecast follows an indicator to a limit and knows no lives. Here the limit is the level at which other bearings
failed, so that the time to it can be compared with the time that was left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.degradation import growth_of, passage_of
from models.life.bearing_baselines import learn_trend
from models.life.bearing_conformal import MOMENTS, left_out
from models.life.bearing_history import INDICATORS, BearingHistory, moments

__all__ = ["femto_passage", "part_levels"]

# As the service cuts what it looks back on: parts, and the share of them that is healthy.
_PARTS, _HEALTHY_SHARE, _FEWEST_HEALTHY = 60, 5, 6
_RMS = INDICATORS.index("rms")

Floats = NDArray[np.float64]


def part_levels(age_s: NDArray[np.floating], level: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Median ages and levels of equal parts of the time up to the last row; parts without a row are left out.

    Examples
    --------
    >>> ages, levels = part_levels(np.arange(1.0, 121.0), np.arange(1.0, 121.0))
    >>> len(ages), float(ages[0]), float(levels[-1])
    (60, 1.5, 119.5)
    """
    part = np.minimum((_PARTS * (age_s - 1e-9 * age_s[-1]) / age_s[-1]).astype(int), _PARTS - 1)
    known = np.unique(part)
    return (
        np.array([np.median(age_s[part == one]) for one in known]),
        np.array([np.median(level[part == one]) for one in known]),
    )


def femto_passage(bearings: Sequence[BearingHistory], *, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Forecast each bearing's end as the service would, from its RMS level to the level at which the others failed.

    Parameters
    ----------
    bearings : sequence of BearingHistory
        As `models.life.bearing_protocol.bearing_lives` gives them; at least four.
    progress : callable
        Told the bearings done and their number.

    Returns
    -------
    dict
        ``rows``: for each bearing the ``moments`` that were judged, how many got a time (``said``), and over these the
        share of truths within the interval (``covered``, to be 0.9), the median error over the time left
        (``error_percent``), and how many were due too late by more than half of it (``late``); None where nothing was
        said.

    Raises
    ------
    ParameterError
        If there are too few bearings.
    """
    rows = []
    for done, (others, one) in enumerate(left_out(bearings), start=1):
        # The trend among the yardsticks runs on to the same level: the median of the others' last minute.
        limit = float(np.exp(learn_trend(others, seed=0).failure))
        rows.append({"bearing": one.name, **_judged(one, limit)})
        progress(done, len(bearings))
    return {"rows": rows}


def _judged(one: BearingHistory, limit: float) -> dict[str, Any]:
    found = [(float(one.rul_s[row]), due) for row in moments(one, MOMENTS) if (due := _due(one, int(row), limit))]
    figures: dict[str, Any] = {"moments": len(MOMENTS), "said": len(found)}
    if not found:
        return figures | {"covered": None, "error_percent": None, "late": None}
    true = np.array([left for left, _ in found])
    early, likely, late = np.array([due for _, due in found]).T
    return figures | {
        "covered": float(np.mean((early <= true) & (true <= late))),
        "error_percent": float(np.median(100.0 * np.abs(likely - true) / true)),
        "late": int(np.sum(likely > 1.5 * true)),
    }


def _due(one: BearingHistory, row: int, limit: float) -> tuple[float, float, float] | None:
    """Seconds from a row on by which the limit is passed with 5, 50 and 95 %, or None."""
    ages, levels = part_levels(one.age_s[: row + 1], np.exp(one.indicators[: row + 1, _RMS]))
    healthy = max(len(levels) // _HEALTHY_SHARE, _FEWEST_HEALTHY)
    growth = growth_of(levels / float(np.median(levels[:healthy])), ages, healthy=healthy)
    if growth is None:
        return None
    due = passage_of(growth, limit=limit)
    since_s = float(one.age_s[row] - ages[-1])
    return tuple(max(seconds - since_s, 0.0) for seconds in (due.early_s, due.likely_s, due.late_s))  # type: ignore[return-value]
