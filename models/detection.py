"""Detection over a bearing's life: false alarms, lead time, settings from other bearings; refuses too short lives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contract import WATCHED
from features.errors import ParameterError
from features.extraction import extract
from models.alarm import Alarm, AlarmConfig
from models.autoencoder import learn_baseline
from models.datasets import femto
from models.tail import Tail

__all__ = [
    "GRID",
    "LEAST_LEAD_S",
    "Detection",
    "Detector",
    "choose",
    "detect",
    "detections",
    "femto_detection",
    "trailing_median",
]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Detector:
    """Settings of a detector of one measuring point.

    Attributes
    ----------
    healthy : int
        Snapshots from the beginning that are taken as healthy.
    median_of : int
        Latest scores whose median is compared: a single shock is none of the bearing's.
    rate : float
        Share of such medians of healthy snapshots that may pass the threshold, by the tail of those not trained on.
    """

    healthy: int
    median_of: int
    rate: float


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector says over a life.

    Attributes
    ----------
    false_alarms : int
        Alarms that cleared again while the test went on.
    lead_s : float
        From the last alarm, the one that stood, to the end of the test; 0 where none stood: missed.
    """

    false_alarms: int
    lead_s: float


# Tried settings; the same hysteresis as the service's for all.
GRID = tuple(
    Detector(healthy, median_of, rate)
    for healthy, median_of, rate in itertools.product(
        (60, 100), (1, 5, 11, 21), (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
    )
)
# A warning later than this before the end helps nobody; settings are chosen with it on the other bearings.
LEAST_LEAD_S = 600.0
_HYSTERESIS = AlarmConfig(raise_after=5)


def trailing_median(scores: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Median of each score and the n - 1 before it; the first ones stand in for those before the beginning.

    Examples
    --------
    >>> trailing_median(np.array([1.0, 9.0, 1.0, 2.0, 3.0]), 3).tolist()
    [1.0, 1.0, 1.0, 2.0, 2.0]
    """
    padded = np.concatenate([np.full(n - 1, scores[0]), scores])
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, n), axis=-1))


def detect(
    scores: NDArray[np.float64], held_out: NDArray[np.float64], rul_s: NDArray[np.float64], *, detector: Detector
) -> Detection:
    """Run an alarm over the scores of a life.

    Parameters
    ----------
    scores : ndarray, shape (snapshots,)
        In time order, from the beginning.
    held_out : ndarray, shape (healthy,)
        Scores of the healthy snapshots by networks that did not train on them.
    rul_s : ndarray, shape (snapshots,)
        Time to the end of the test in seconds.
    detector : Detector

    Returns
    -------
    Detection

    Raises
    ------
    ParameterError
        If the life is not longer than its healthy start.
    """
    if len(scores) <= detector.healthy or len(held_out) != detector.healthy:
        raise ParameterError(
            f"a life of {len(scores)} snapshots with {len(held_out)} held out; more than {detector.healthy} and as "
            "many are wanted"
        )
    healthy = trailing_median(held_out, detector.median_of)
    # The first medians repeat the first score; a start-up transient there would set the threshold alone.
    threshold = Tail.learn(healthy[detector.median_of - 1 :]).level(detector.rate)
    smooth = trailing_median(scores, detector.median_of)
    alarm, raised_at, false_alarms = Alarm(), -1, 0
    for i in range(detector.healthy, len(scores)):
        change = alarm.update(smooth[i] / threshold, config=_HYSTERESIS)
        if change == "raised":
            raised_at = i
        elif change == "cleared":
            false_alarms += 1
    return Detection(false_alarms, float(rul_s[raised_at]) if alarm.active else 0.0)


def choose(by_setting: Mapping[Detector, Sequence[Detection]]) -> Detector:
    """Choose, among the settings that warn of most lives in time with the fewest false alarms, the least lonely one.

    Parameters
    ----------
    by_setting : mapping of Detector to sequence of Detection
        What each setting of a grid says over the lives to choose on.

    Returns
    -------
    Detector
        The one with most equally good settings around it, at most one step of the grid away in each direction; the
        middle by rate of several.

    Notes
    -----
    What just serves the lives at hand is the first to fail another, so the choice stands well inside of what serves
    them. The longest warning is not asked for: nobody labelled where damage begins, and an alarm that rises at
    running-in and stands for ever would have it.
    """

    def merit(detector: Detector) -> tuple[int, int]:
        found = by_setting[detector]
        in_time = sum(detection.lead_s >= LEAST_LEAD_S for detection in found)
        return in_time, -sum(detection.false_alarms for detection in found)

    most = max(map(merit, by_setting))
    best = [detector for detector in by_setting if merit(detector) == most]
    places = _places(by_setting)
    around = {a: sum(_near(places[a], places[b]) for b in best) for a in best}
    least_lonely = [detector for detector in best if around[detector] == max(around.values())]
    least_lonely.sort(key=lambda detector: (-detector.rate, detector.healthy, detector.median_of))
    return least_lonely[len(least_lonely) // 2]


def _places(detectors: Iterable[Detector]) -> dict[Detector, tuple[int, ...]]:
    """Steps along each direction of the grid that the settings span."""
    values = {detector: astuple(detector) for detector in detectors}
    axes = [sorted(set(axis)) for axis in zip(*values.values(), strict=True)]
    return {detector: tuple(map(list.index, axes, value)) for detector, value in values.items()}


def _near(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(abs(i - j) <= 1 for i, j in zip(a, b, strict=True))


def detections(
    features: NDArray[np.float32],
    rul_s: NDArray[np.float64],
    *,
    healthy: int,
    convert: Callable[[Any], bytes],
    seed: int,
    detectors: Sequence[Detector] = GRID,
) -> dict[Detector, Detection]:
    """Learn a baseline from a healthy start and run over the life every setting that takes a start of this length.

    Parameters
    ----------
    features : ndarray, shape (snapshots, features)
        In time order, from the beginning.
    rul_s : ndarray, shape (snapshots,)
        Time to the end of the test in seconds.
    healthy : int
        Snapshots of the start.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int
    detectors : sequence of Detector
        Those of another start are left out.

    Raises
    ------
    ParameterError
        If the life is not longer than its start, or the start too short to learn from.
    """
    baseline = learn_baseline(features[:healthy], convert=convert, seed=seed)
    scores = baseline.scores(features)
    wanted = [detector for detector in detectors if detector.healthy == healthy]
    return {d: detect(scores, baseline.held_out, rul_s, detector=d) for d in wanted}


def femto_detection(
    folder: Path, *, convert: Callable[[Any], bytes], seeds: Sequence[int], progress: Progress
) -> dict[str, Any]:
    """Detect the failure of each FEMTO bearing with the setting that served the five others best.

    Parameters
    ----------
    folder : Path
        The FEMTO pack.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seeds : sequence of int
        Of the networks; each is a whole run.
    progress : callable
        Told the networks learned and their number.

    Returns
    -------
    dict
        ``rows`` of bearing and seed with ``false_alarms``, ``lead_s``, ``lead_share`` of the life and the ``setting``;
        ``most_false_alarms`` and ``missed`` over all of them, and the protocol in words.

    Notes
    -----
    Each bearing's autoencoder learns from its own first snapshots: nothing of another bearing enters its score, and
    nothing of its own life enters its setting. There is no label of the onset of damage: an alarm that stands to the
    end is taken as found, even where it rises early, and one that clears as false.
    """
    lives = {name: _life(folder, name) for name in femto.NAMES}
    starts = sorted({detector.healthy for detector in GRID})
    total, done = len(seeds) * len(lives) * len(starts), 0
    rows = []
    for seed in seeds:
        found: dict[str, dict[Detector, Detection]] = {}
        for name, (features, rul_s) in lives.items():
            found[name] = {}
            for healthy in starts:
                found[name] |= detections(features, rul_s, healthy=healthy, convert=convert, seed=seed)
                done += 1
                progress(done, total)
        rows += [_row(name, seed, found, lives[name][1]) for name in lives]
    return {
        "rows": rows,
        "most_false_alarms": max(row["false_alarms"] for row in rows),
        "missed": sum(row["lead_s"] == 0.0 for row in rows),
        "least_lead_s": min(row["lead_s"] for row in rows),
        "bearings": len(lives),
        "seeds": list(seeds),
        "split": "leave one bearing out: its setting comes from the five others, its network from its own start",
        "hysteresis": asdict(_HYSTERESIS),
        "contract": WATCHED.hash,
    }


def _row(
    name: str, seed: int, found: Mapping[str, Mapping[Detector, Detection]], rul_s: NDArray[np.float64]
) -> dict[str, Any]:
    others = [by_setting for other, by_setting in found.items() if other != name]
    chosen = choose({detector: [by_setting[detector] for by_setting in others] for detector in GRID})
    detection = found[name][chosen]
    return {
        "bearing": name,
        "seed": seed,
        "false_alarms": detection.false_alarms,
        "lead_s": detection.lead_s,
        "lead_share": detection.lead_s / float(rul_s[0]),
        "setting": asdict(chosen),
    }


def _life(folder: Path, name: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Features of both directions of each snapshot, and the time to the end."""
    run = femto.run_to_failure(folder, name)
    features = extract(run.accel_g, run.rate_hz, profile=WATCHED, unit="g")
    return features.reshape(len(features), -1), run.rul_s
