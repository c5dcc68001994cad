"""The 2012 challenge's protocol on bearings that nothing was learned from; refuses a folder without one.

Each bearing is estimated once, at its last known snapshot. The truth is the number of snapshots to the end of the test
that its pack states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contract import WATCHED
from features.errors import RecordingError
from features.extraction import extract
from models.datasets.femto import CHALLENGE_CUTS, NAMES, RunToFailure, read_bearing, run_to_failure
from models.detection_unseen import Life, choose_detector, detect_unseen
from models.life.bearing_baselines import LifeEstimator, learn_trend
from models.life.bearing_figures import challenge_scores, error_percent
from models.life.bearing_history import BearingHistory, history_of, moments
from models.life.bearing_network import Networks, Recipe
from models.life.bearing_ours import GRID, choose_setting, learn_ours
from models.life.bearing_protocol import described

__all__ = ["ELSEWHERE", "Unseen", "cut_for_challenge", "femto_test", "judge_unseen", "unseen_packs"]

# Where a bearing that runs to its end is cut if the challenge did not cut it.
ELSEWHERE = 0.75
Progress = Callable[[int, int], None]

_PROTOCOL = (
    "Learned from all six learning bearings; settings chosen on each of them left out in turn. One estimate for each "
    "bearing of the folder, at the last snapshot of a pack that stops before the end of life, at the challenge's own "
    "last snapshot of its eleven test bearings where a pack holds more, and else where `cut` says. Estimates and "
    "interval ends of ours are geometric means over the seeds. error_percent is 100 (true - estimated) / true; the "
    "score halves by every 20 % too short and every 5 % too long. Detection sees all snapshots of a pack; a lead ends "
    "at the end of life."
)


@dataclass(frozen=True, eq=False)
class Unseen:
    """A bearing to be estimated.

    Attributes
    ----------
    history : BearingHistory
        Up to the snapshot of the estimate.
    cut : str
        Why it ends there.
    """

    history: BearingHistory
    cut: str


def unseen_packs(folder: Path) -> tuple[list[Path], list[str]]:
    """Packs of a folder to be judged, and a sentence for each that is left out.

    Raises
    ------
    RecordingError
        If the folder is missing, or holds no pack of a bearing that was not learned from.
    """
    if not folder.is_dir():
        raise RecordingError(f"no folder at {folder}; give one with packs of further bearings (*.npz)")
    packs = sorted(folder.glob("*.npz"))
    skipped = [f"{path.stem} was learned from and is not judged" for path in packs if path.stem in NAMES]
    judged = [path for path in packs if path.stem not in NAMES]
    if not judged:
        also = f" ({'; '.join(skipped)})" if skipped else ""
        raise RecordingError(
            f"{folder} holds no pack of a bearing that was not learned from{also}; import test bearings with "
            "`raceway data import femto` and give the folder of their *.npz"
        )
    return judged, skipped


def cut_for_challenge(history: BearingHistory, numbers: NDArray[np.integer]) -> Unseen:
    """End a history where it is to be estimated.

    Parameters
    ----------
    history : BearingHistory
    numbers : ndarray of int, shape (snapshots,)
        Of the snapshots in the test.

    Returns
    -------
    Unseen
        Always with remaining life left.

    Raises
    ------
    RecordingError
        If no snapshot is left.
    """
    # Of a pack that keeps every second snapshot the last may lie before the end without having been cut off.
    spacing_s = float(np.diff(history.age_s).max()) if len(numbers) > 1 else 0.0
    if history.rul_s[-1] > 0.0 and history.rul_s[-1] >= spacing_s:
        return Unseen(history, "its pack ends there")
    if history.name in CHALLENGE_CUTS:
        last = CHALLENGE_CUTS[history.name]
        n, why = int(np.searchsorted(numbers, last, side="right")), f"snapshot {last}, where the challenge cut it"
    else:
        n = int(moments(history, np.array([ELSEWHERE]))[0]) + 1
        why = f"{ELSEWHERE:.0%} of its life: the challenge did not cut it"
    if n < 1 or history.rul_s[n - 1] <= 0.0:
        raise RecordingError(f"{history.name} has {len(numbers)} snapshots, none with life left at {why}")
    return Unseen(history.until(n), why)


def judge_unseen(unseen: Unseen, systems: dict[str, Sequence[LifeEstimator]]) -> list[dict[str, Any]]:
    """Estimate a bearing by each system, all its seeds together, and compare with the truth.

    Parameters
    ----------
    unseen : Unseen
    systems : dict of str to sequence of callable
        Estimators of each system, one for each seed.

    Returns
    -------
    list of dict
        For each system ``rul_true_s``, ``rul_s``, ``low_s``, ``high_s``, ``error_percent``, ``score``, ``inside``.
    """
    history, rows = unseen.history, []
    at, true_s = np.array([len(history.age_s) - 1]), float(history.rul_s[-1])
    for system, estimators in systems.items():
        found = [estimate(history, at) for estimate in estimators]
        rul_s, low_s, high_s = (
            _together([getattr(one, key)[0] for one in found]) for key in ("rul_s", "low_s", "high_s")
        )
        rows.append(
            {
                "system": system,
                "bearing": history.name,
                "cut": unseen.cut,
                "rul_true_s": true_s,
                "rul_s": rul_s,
                "low_s": low_s,
                "high_s": high_s,
                "error_percent": float(error_percent([rul_s], [true_s])[0]),
                "score": float(challenge_scores([rul_s], [true_s])[0]),
                "inside": low_s <= true_s <= high_s,
            }
        )
    return rows


def femto_test(
    learning: Path,
    test: Path,
    *,
    convert: Callable[[Any], bytes],
    seeds: Sequence[int],
    progress: Progress,
    grid: Sequence[Recipe] = GRID,
) -> dict[str, Any]:
    """Learn from the six learning bearings and judge every further bearing of a folder.

    Parameters
    ----------
    learning : Path
        The FEMTO pack.
    test : Path
        Folder of packs; those of learning bearings are left out and said to be.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seeds : sequence of int
        Of ours, at least one; the settings and the detection use the first.
    progress : callable
        Told the steps done and their number.
    grid : sequence of Recipe
        What ours chooses from.

    Returns
    -------
    dict
        ``test``, rows as `judge_unseen` gives them; ``test_mean_score`` by system; ``test_detection``, rows as
        `detect_unseen` gives them; ``test_skipped``, ``test_setting`` and ``test_protocol``.

    Raises
    ------
    RecordingError
        If a pack is missing or damaged, or the folder holds none to judge.
    """
    packs, skipped = unseen_packs(test)
    known = [_read(run_to_failure(learning, name)) for name in NAMES]
    bearings = [history for history, _ in known]
    total, networks = 20 + len(packs), Networks()
    setting = choose_setting(bearings, seed=seeds[0], networks=networks, grid=grid)
    progress(7, total)
    ours = [learn_ours(bearings, seed=seed, setting=setting, networks=networks) for seed in seeds]
    systems: dict[str, Sequence[LifeEstimator]] = {"ours": ours, "trend": [learn_trend(bearings, seed=seeds[0])]}
    detector = choose_detector(
        {history.name: life for history, life in known},
        convert=convert,
        seed=seeds[0],
        progress=lambda done, of: progress(8 + 12 * done // of, total),
    )
    rows, detected = [], []
    for i, path in enumerate(packs):
        run = read_bearing(path)
        history, life = _read(run)
        rows += judge_unseen(cut_for_challenge(history, run.snapshots), systems)
        found = detect_unseen(life, detector=detector, convert=convert, seed=seeds[0])
        detected.append({"bearing": history.name, **found})
        progress(21 + i, total)
    return {
        "test": rows,
        "test_mean_score": {
            system: float(np.mean([row["score"] for row in rows if row["system"] == system])) for system in systems
        },
        "test_detection": detected,
        "test_skipped": skipped,
        "test_setting": described(setting),
        "test_protocol": _PROTOCOL,
    }


def _read(run: RunToFailure) -> tuple[BearingHistory, Life]:
    """History of a bearing, and what detection watches of it."""
    features = extract(run.accel_g, run.rate_hz, profile=WATCHED, unit="g")
    return history_of(run, features), (features.reshape(len(features), -1), run.rul_s)


def _together(values_s: Sequence[float]) -> float:
    """Geometric mean; 0 where one is 0."""
    return float(np.exp(np.log(values_s).mean())) if min(values_s) > 0.0 else 0.0
