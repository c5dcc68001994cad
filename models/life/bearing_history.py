"""What the vibration of one bearing has said up to each snapshot; refuses histories without rows or out of order.

Every input of a snapshot comes from that snapshot and those before it. Levels are natural logarithms relative to the
bearing's own healthy start, so that mounting and gain of the sensors fall out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.contract import WATCHED
from features.errors import ParameterError
from features.extraction import extract
from models.datasets.femto import RunToFailure

__all__ = ["INDICATORS", "INPUTS", "BearingHistory", "causal_inputs", "history_of", "moments", "trailing_means"]

Floats = NDArray[np.floating]

INDICATORS = (
    "rms",
    "velocity_rms",
    "envelope_rms",
    *(f"octave_rms_{i}" for i in range(1, 6)),
    "kurtosis",
)
INPUTS = (
    "age",
    "jump",
    "growth",
    "level",
    "rms",
    "rms_slope",
    "velocity",
    "envelope",
    "kurtosis",
)
# Fixed before anything was measured: a minute, five, twenty, and a third of the life so far.
_SHORT_S, _MIDDLE_S, _LONG_S, _SHARE = 60.0, 300.0, 1200.0, 1.0 / 3.0
# The shortest known life has no more to give as its healthy start.
_HEALTHY_S = 600.0
# Beyond, a level says no more than that it is far from the start; nothing is learned on what lies further out.
_LIMIT = 2.0
_SILENT = 1e-6
_HOUR_S = 3600.0
# A broken raceway lifts 400 to 3,200 Hz; slow wear is seen from 200 to 800 Hz first.
_BROAD, _LOW = ("octave_rms_3", "octave_rms_4", "octave_rms_5"), ("octave_rms_2", "octave_rms_3")


@dataclass(frozen=True, eq=False)
class BearingHistory:
    """Health indicators of a bearing over its life.

    Attributes
    ----------
    name : str
    age_s : ndarray, shape (snapshots,)
        Time since the beginning of the test, rising.
    indicators : ndarray, shape (snapshots, len(INDICATORS))
        Natural logarithms of the levels of both directions together, and of the larger kurtosis.
    life_s : float
        From the beginning to the end of the test, whether the snapshots reach it or not.
    """

    name: str
    age_s: Floats
    indicators: Floats
    life_s: float

    def __post_init__(self) -> None:
        if self.indicators.shape != (len(self.age_s), len(INDICATORS)) or not len(self.age_s):
            raise ParameterError(
                f"{self.name} was given indicators of shape {self.indicators.shape} with {len(self.age_s)} ages; "
                f"{len(INDICATORS)} for each age are wanted, of at least one"
            )
        if not (np.diff(self.age_s) > 0).all() or not 0.0 < self.age_s[0] <= self.age_s[-1] <= self.life_s:
            raise ParameterError(f"{self.name}: ages must rise from above 0 to at most the life of {self.life_s} s")

    @property
    def rul_s(self) -> Floats:
        """Remaining life at each snapshot in seconds, shape (snapshots,)."""
        return self.life_s - self.age_s

    def until(self, n: int) -> BearingHistory:
        """The first `n` snapshots of the same life."""
        return BearingHistory(self.name, self.age_s[:n], self.indicators[:n], self.life_s)


def history_of(run: RunToFailure, features: Floats | None = None) -> BearingHistory:
    """Compute the indicators of a bearing's snapshots.

    Parameters
    ----------
    run : RunToFailure
    features : ndarray, shape (snapshots, 2, features), optional
        Of the profile ``WATCHED`` where they are there already.

    Returns
    -------
    BearingHistory
    """
    if features is None:
        features = extract(run.accel_g, run.rate_hz, profile=WATCHED, unit="g")
    features = features.astype(np.float64)
    levels = features[:, :, [WATCHED.index(name) for name in INDICATORS[:-1]]]
    both = np.log(np.maximum(np.sqrt(np.square(levels).mean(axis=1)), _SILENT))
    kurtosis = np.log(np.maximum(features[:, :, WATCHED.index(INDICATORS[-1])].max(axis=1), 1.0))
    life_s = float(run.age_s[0] + run.rul_s[0])
    return BearingHistory(run.name, run.age_s, np.column_stack([both, kurtosis]), life_s)


def trailing_means(values: Floats, age_s: Floats, spans_s: Floats | float) -> NDArray[np.float64]:
    """Means over the last seconds before each row, that row included.

    Parameters
    ----------
    values : ndarray, shape (rows, k)
    age_s : ndarray, shape (rows,)
        Rising.
    spans_s : float or ndarray, shape (rows,)
        Seconds of each mean; a row that is alone in them is its own mean.

    Returns
    -------
    ndarray, shape (rows, k)

    Examples
    --------
    >>> trailing_means(np.array([[1.0], [3.0], [8.0]]), np.array([10.0, 20.0, 30.0]), 20.0)[:, 0].tolist()
    [1.0, 2.0, 5.5]
    """
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=float)])
    end = np.arange(1, len(values) + 1)
    begin = np.minimum(np.searchsorted(age_s, age_s - spans_s, side="right"), end - 1)
    return np.asarray((sums[end] - sums[begin]) / (end - begin)[:, None])


def causal_inputs(history: BearingHistory, names: tuple[str, ...] = INPUTS) -> NDArray[np.float64]:
    """Compute inputs of a system at each snapshot from the snapshots up to it.

    Parameters
    ----------
    history : BearingHistory
    names : tuple of str
        Of ``INPUTS``.

    Returns
    -------
    ndarray, shape (snapshots, len(names))
        ``age``, logarithm of the age in hours; ``jump``, level from 400 to 3,200 Hz of the last minute less that of
        the last third of the life so far; ``growth``, level from 200 to 800 Hz of that third; ``level``, from 400 to
        3,200 Hz, ``rms``, ``envelope`` and ``kurtosis``, of the last five minutes; ``velocity`` of the last third;
        each of these less that of the first ten minutes; ``rms_slope``, the RMS level of the last twenty minutes less
        that of the last third. All but the age are cut to -2 to 2.

    Raises
    ------
    ParameterError
        If a name is none of ``INPUTS``.

    Notes
    -----
    Single shocks of a running bearing are ten times its level: each indicator is first the median of the last three
    snapshots.
    """
    if unknown := [name for name in names if name not in INPUTS]:
        raise ParameterError(f"inputs {', '.join(unknown)} were asked for; known are {', '.join(INPUTS)}")
    smooth, age_s = _median_of_three(history.indicators), history.age_s
    start = trailing_means(smooth, age_s, age_s)
    start[age_s > _HEALTHY_S] = start[max(int(np.searchsorted(age_s, _HEALTHY_S, side="right")) - 1, 0)]
    short, middle, long, third = (
        trailing_means(smooth, age_s, span) for span in (_SHORT_S, _MIDDLE_S, _LONG_S, _SHARE * age_s)
    )
    computed = {
        "jump": _of(short - third, *_BROAD),
        "growth": _of(third - start, *_LOW),
        "level": _of(middle - start, *_BROAD),
        "rms": _of(middle - start, "rms"),
        "rms_slope": _of(long - third, "rms"),
        "velocity": _of(third - start, "velocity_rms"),
        "envelope": _of(middle - start, "envelope_rms"),
        "kurtosis": _of(middle - start, "kurtosis"),
    }
    limited = {name: np.clip(value, -_LIMIT, _LIMIT) for name, value in computed.items()}
    return np.column_stack([(limited | {"age": np.log(age_s / _HOUR_S)})[name] for name in names])


def moments(history: BearingHistory, shares: Floats) -> NDArray[np.intp]:
    """Rows of the last snapshots before these shares of the life, the first row where there is none.

    Parameters
    ----------
    history : BearingHistory
    shares : ndarray, shape (moments,)
        From 0 to 1.

    Returns
    -------
    ndarray of int, shape (moments,)
    """
    # A share of a life that is a snapshot's age to rounding is that snapshot.
    found = np.searchsorted(history.age_s, np.asarray(shares) * history.life_s * (1.0 + 1e-12), side="right") - 1
    return np.maximum(found, 0)


def _of(levels: NDArray[np.float64], *names: str) -> NDArray[np.float64]:
    return np.asarray(levels[:, [INDICATORS.index(name) for name in names]].mean(axis=1))


def _median_of_three(values: Floats) -> NDArray[np.float64]:
    padded = np.concatenate([np.repeat(values[:1], 2, axis=0), values])
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 3, axis=0), axis=-1))
