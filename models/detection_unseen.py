"""Detection on bearings that no setting was chosen on, by the one that served others best; refuses too short lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection import GRID, Detection, Detector, choose, detections

__all__ = ["Life", "choose_detector", "detect_unseen"]

Convert = Callable[[Any], bytes]
# Features of each snapshot, shape (snapshots, features), and the time from each to the end of the test.
Life = tuple[NDArray[np.float32], NDArray[np.float64]]


def choose_detector(
    lives: Mapping[str, Life], *, convert: Convert, seed: int, progress: Callable[[int, int], None]
) -> Detector:
    """Choose the setting that served all these lives best.

    Parameters
    ----------
    lives : mapping of str to (ndarray, ndarray)
        Features and time to the end, to the end of each life.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int
    progress : callable
        Told the networks learned and their number.

    Returns
    -------
    Detector

    Raises
    ------
    ParameterError
        If a life is not longer than its healthy start.
    """
    starts = sorted({detector.healthy for detector in GRID})
    found: dict[Detector, list[Detection]] = {detector: [] for detector in GRID}
    done = 0
    for life in lives.values():
        for healthy in starts:
            judged = detections(*life, healthy=healthy, convert=convert, seed=seed)
            for detector, detection in judged.items():
                found[detector].append(detection)
            progress(done := done + 1, len(lives) * len(starts))
    return choose(found)


def detect_unseen(life: Life, *, detector: Detector, convert: Convert, seed: int) -> dict[str, Any]:
    """Detect on one further bearing, whose network learns from its own healthy start.

    Parameters
    ----------
    life : (ndarray, ndarray)
        Features and time to the end; the snapshots may stop before it.
    detector : Detector
        Chosen on others.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int

    Returns
    -------
    dict
        ``false_alarms``, those that cleared again; ``lead_s``, from the alarm that stood at the last snapshot to the
        end of the test, 0 where none stood; the ``setting``. All None but the setting where the snapshots are not more
        than the healthy start.
    """
    if len(life[0]) <= detector.healthy:
        return {"false_alarms": None, "lead_s": None, "setting": asdict(detector)}
    judged = detections(*life, healthy=detector.healthy, convert=convert, seed=seed, detectors=[detector])
    return asdict(judged[detector]) | {"setting": asdict(detector)}
