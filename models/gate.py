"""Whether a challenger may take a champion's place: both judged on the same windows; refuses with every reason.

The windows are of five kinds: healthy ones that are frozen since commissioning, recent healthy ones, frozen ones with
faults laid over them, those in which an alarm of the machine stood, and those of alarms that people rejected. No model
that is compared has learned from any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from features.errors import ParameterError
from models.alarm import Alarm, AlarmConfig
from models.drift import effective_size
from models.tail import Tail

__all__ = ["CALIBRATED", "GatePolicy", "Judged", "Share", "gate", "judge", "pooled", "share_above"]

Floats = NDArray[np.floating]

# Rates at which the levels of a tail are held against the share of windows that really passes them.
CALIBRATED = (0.1, 0.05)


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What a challenger may lose.

    Attributes
    ----------
    loss : float
        Share of the windows of a fault kind that it may miss where the champion sees them.
    confidence : float
        Of the one-sided limits that shares are held against.
    """

    loss: float = 0.1
    confidence: float = 0.99


@dataclass(frozen=True, slots=True)
class Share:
    """A share of windows, and the least that the true share can be.

    Attributes
    ----------
    passed, windows : int
    low : float
        Lower limit of the confidence asked for, by the effective number of windows.
    independent : float
        That number.
    """

    passed: int
    windows: int
    low: float
    independent: float = 1.0

    @property
    def value(self) -> float:
        """The share itself."""
        return self.passed / self.windows


@dataclass(frozen=True)
class Judged:
    """What one model says of the windows that all are asked.

    Attributes
    ----------
    threshold : float
    frozen, recent : Share
        Healthy windows above the threshold.
    alarms : int
        Alarms that its scores of the healthy windows raise, with the service's hysteresis and delays.
    calibration : mapping of float to Share
        Recent windows above the level of the tail that stands for a rate, by rate; empty where the tail is not known.
    detected : mapping of str to float
        Share of the frozen windows with a fault above the threshold, by kind.
    seen : mapping of str to float
        Share of the windows in alarms of this machine above the threshold, by kind.
    rejected : Share or None
        Windows above the threshold of alarms that people rejected; None where there are none.
    """

    threshold: float
    frozen: Share
    recent: Share
    alarms: int
    calibration: Mapping[float, Share] = field(default_factory=dict)
    detected: Mapping[str, float] = field(default_factory=dict)
    seen: Mapping[str, float] = field(default_factory=dict)
    rejected: Share | None = None


def share_above(scores: Floats, level: float, *, confidence: float) -> Share:
    """Count the scores above a level.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        In time order; at least one.
    level : float
    confidence : float
        Of the lower limit, after Clopper and Pearson (Biometrika 26 (1934) 404-413); windows that follow each other and
        are alike count as fewer.

    Examples
    --------
    >>> share = share_above(np.array([1.0, 4.0, 1.0, 2.0, 1.0, 5.0]), 3.0, confidence=0.95)
    >>> share.passed, share.windows, round(share.low, 3)
    (2, 6, 0.063)
    """
    if not scores.size:
        raise ParameterError("a share of no windows was asked for; one or more are wanted")
    passed = int(np.count_nonzero(scores > level))
    return _share(passed, int(scores.size), effective_size(scores), confidence)


def _share(passed: int, windows: int, independent: float, confidence: float) -> Share:
    hits = passed * independent / windows
    low = float(scipy.stats.beta.ppf(1.0 - confidence, hits, independent - hits + 1.0)) if hits else 0.0
    return Share(passed, windows, low, independent)


def pooled(parts: Sequence[Judged], *, policy: GatePolicy = GatePolicy()) -> Judged:
    """Put together what one model says at several points, each with a threshold of its own.

    Parameters
    ----------
    parts : sequence of Judged
        At least one.
    policy : GatePolicy

    Returns
    -------
    Judged
        Windows and alarms of all points, mean shares of detected windows over the points, mean threshold.
    """

    def together(shares: Sequence[Share]) -> Share:
        counts = (sum(share.passed for share in shares), sum(share.windows for share in shares))
        return _share(*counts, sum(share.independent for share in shares), policy.confidence)

    def means(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
        kinds = dict.fromkeys(kind for part in shares for kind in part)
        return {kind: float(np.mean([part[kind] for part in shares if kind in part])) for kind in kinds}

    return Judged(
        threshold=float(np.mean([part.threshold for part in parts])),
        frozen=together([part.frozen for part in parts]),
        recent=together([part.recent for part in parts]),
        alarms=sum(part.alarms for part in parts),
        calibration={rate: together([part.calibration[rate] for part in parts]) for rate in parts[0].calibration},
        detected=means([part.detected for part in parts]),
        seen=means([part.seen for part in parts]),
    )


def judge(
    score: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    *,
    threshold: float,
    tail: Tail | None,
    frozen: NDArray[np.float32],
    recent: NDArray[np.float32],
    frozen_ns: NDArray[np.int64],
    recent_ns: NDArray[np.int64],
    faults: Mapping[str, NDArray[np.float32]],
    alarmed: Mapping[str, NDArray[np.float32]],
    alarm: AlarmConfig,
    rejected: NDArray[np.float32] | None = None,
    policy: GatePolicy = GatePolicy(),
) -> Judged:
    """Ask a model.

    Parameters
    ----------
    score : callable
        From features, shape (windows, features), to scores.
    threshold : float
        Above which a window is abnormal.
    tail : Tail or None
        Of its scores in health, where that is known.
    frozen, recent : ndarray, shape (windows, features)
        Healthy windows, in time order.
    frozen_ns, recent_ns : ndarray of int64, shape (windows,)
        When these ended, by the sensor's clock: delays of the alarm are counted in it.
    faults, alarmed : mapping of str to ndarray, shape (windows, features)
        Windows with faults laid over them, and windows in alarms, by kind.
    alarm : AlarmConfig
        When an alarm is raised.
    rejected : ndarray, shape (windows, features), optional
        Windows of alarms that people rejected.
    policy : GatePolicy

    Returns
    -------
    Judged
    """
    of_frozen, of_recent = score(frozen), score(recent)
    levels = {} if tail is None else {rate: tail.level(rate) for rate in CALIBRATED}
    return Judged(
        threshold=threshold,
        frozen=share_above(of_frozen, threshold, confidence=policy.confidence),
        recent=share_above(of_recent, threshold, confidence=policy.confidence),
        alarms=_alarms(of_frozen / threshold, frozen_ns, alarm) + _alarms(of_recent / threshold, recent_ns, alarm),
        calibration={
            rate: share_above(of_recent, level, confidence=policy.confidence) for rate, level in levels.items()
        },
        detected={kind: float(np.mean(score(windows) > threshold)) for kind, windows in faults.items()},
        seen={kind: float(np.mean(score(windows) > threshold)) for kind, windows in alarmed.items()},
        rejected=None if rejected is None else share_above(score(rejected), threshold, confidence=policy.confidence),
    )


def _alarms(ratios: Floats, ends_ns: NDArray[np.int64], config: AlarmConfig) -> int:
    alarm = Alarm()
    told = zip(ratios.tolist(), ends_ns.tolist(), strict=True)
    return sum(alarm.update(ratio, config=config, at_ns=end_ns) == "raised" for ratio, end_ns in told)


def gate(
    champion: Judged,
    challenger: Judged,
    *,
    rate: float,
    over_budget: Sequence[str] = (),
    policy: GatePolicy = GatePolicy(),
) -> tuple[str, ...]:
    """Say why a challenger may not take a champion's place.

    Parameters
    ----------
    champion, challenger : Judged
        On the same windows.
    rate : float
        Share of healthy windows that a threshold is to let pass.
    over_budget : sequence of str
        What the challenger costs too much of on a node, in words.
    policy : GatePolicy

    Returns
    -------
    tuple of str
        Every reason; empty where it may.
    """
    reasons = [*_false_alarms(champion, challenger, rate), *_calibration(challenger)]
    reasons += _losses("windows with a fault laid over them", champion.detected, challenger.detected, policy.loss)
    reasons += _losses("windows of past alarms", champion.seen, challenger.seen, policy.loss)
    if not challenger.detected:
        reasons.append("no windows with faults are there to judge it on")
    return (*reasons, *over_budget)


def _false_alarms(champion: Judged, challenger: Judged, rate: float) -> list[str]:
    reasons = []
    for name, share in (("frozen", challenger.frozen), ("recent", challenger.recent)):
        if share.low > rate:
            reasons.append(
                f"false alarms: {share.passed} of {share.windows} {name} healthy windows pass its threshold, more than "
                f"the stated rate of {rate:g} explains"
            )
    if challenger.alarms > champion.alarms:
        reasons.append(
            f"false alarms: its scores of healthy windows raise {challenger.alarms} alarms, the champion's "
            f"{champion.alarms}"
        )
    if champion.rejected and challenger.rejected and challenger.rejected.passed > champion.rejected.passed:
        reasons.append(
            f"false alarms: {challenger.rejected.passed} of {challenger.rejected.windows} windows of alarms that "
            f"people rejected pass its threshold, {champion.rejected.passed} the champion's"
        )
    return reasons


def _calibration(challenger: Judged) -> list[str]:
    return [
        f"calibration: {100.0 * share.value:.0f} % of recent healthy windows pass the level that stands for "
        f"{100.0 * rate:g} %"
        for rate, share in challenger.calibration.items()
        if share.low > rate
    ]


def _losses(where: str, champion: Mapping[str, float], challenger: Mapping[str, float], loss: float) -> list[str]:
    return [
        f"{kind}: it sees {100.0 * challenger[kind]:.0f} % of {where}, the champion {100.0 * seen:.0f} %"
        for kind, seen in champion.items()
        if challenger[kind] < seen - loss
    ]
