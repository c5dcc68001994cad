"""Systems of remaining life trained on the FEMTO bearings; refuses folds that are none of them.

Inputs are snapshots from the beginning of a test up to the moment of the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.contract import WATCHED
from models.datasets.femto import NAMES, RunToFailure, run_to_failure
from models.life.bearing_baselines import LifeEstimator
from models.life.bearing_conformal import MOMENTS
from models.life.bearing_figures import LifeEstimates, judge_bearing
from models.life.bearing_history import BearingHistory, causal_inputs, history_of, moments
from models.life.bearing_network import Networks
from models.life.bearing_ours import GRID, choose_setting
from models.life.bearing_protocol import SYSTEMS, described, learn_system
from models.systems.trainable import Division, Entry, HoldOut, Lesson, Progress, chosen_fold

__all__ = ["FemtoSystems"]

_MEAN_LIFE, _OURS = "mean life", "ours"
# Every 2.5 % of a life, its end included: what a network meets in use lies between.
_SEEN = np.arange(1, 41) / 40.0
_RATE_HZ, _SHAFT_HZ, _LOAD_N = 25_600.0, 30.0, 4000.0
# Far enough apart that every span of the inputs has its end within.
_PROBE_SNAPSHOTS, _PROBE_PERIOD_S = 10, 200.0
_BEARING = Division(
    "bearing",
    "one of six bearings, estimated every 5 % of its life from 10 % to 95 % after training on the other five, of which "
    "ours also chooses its settings; the recipes that it chooses among were drawn up with all six in view, which "
    "flatters it",
    leaky=False,
    fold=NAMES[0],
)


class FemtoSystems:
    """Systems that estimate the seconds left to a bearing."""

    data_set = "femto"
    task = "remaining life of a bearing in seconds, with a 90 % interval"
    parts: tuple[str, ...] = ()
    divisions = (_BEARING,)

    def entries(self) -> tuple[Entry, ...]:
        """List the systems of `models.life.bearing_protocol`."""
        return tuple(Entry(name) for name in SYSTEMS)

    def contract(self, system: str) -> str:
        """Hash of the features that indicators are made of; empty for the mean life, which looks at the age alone."""
        return "" if system == _MEAN_LIFE else WATCHED.hash

    def train(self, root: Path, system: str, *, part: str, hold_out: HoldOut, seed: int, progress: Progress) -> Lesson:
        """Train on the bearings that are not held out."""
        del part
        fold = None if hold_out.everything else chosen_fold(NAMES, hold_out.fold or _BEARING.fold)
        histories = _histories(root / "femto", progress)
        learning = [history for name, history in histories.items() if name != fold]
        networks, chosen = Networks(), None
        if system == _OURS:
            progress("Choosing", 0, 1)
            chosen = choose_setting(learning, seed=seed, networks=networks, grid=GRID)
            progress("Choosing", 1, 1)
        progress("Learning", 0, 1)
        learned = learn_system(system, learning, seed=seed, setting=chosen, networks=networks)
        progress("Learning", 1, 1)
        split = {
            "protocol": _BEARING.name,
            "what": _BEARING.what,
            "leaky": _BEARING.leaky,
            "fold": fold,
            "learned": [history.name for history in learning],
            "held_out": [] if fold is None else [fold],
        } | ({} if chosen is None else {"setting": described(chosen)})
        metrics = {} if fold is None else _judged(learned, histories[fold])
        return Lesson(learned, (), split, metrics, _seen(learning))

    def predict(self, system: str, learned: LifeEstimator, inputs: Sequence[RunToFailure]) -> LifeEstimates:
        """Estimate what is left to bearings at their last snapshots; what they say of it themselves is not read."""
        del system
        return LifeEstimates(*self.answer(learned, [history_of(run) for run in inputs]))

    def answer(self, learned: LifeEstimator, seen: Sequence[BearingHistory]) -> NDArray[np.float64]:
        """Estimates at the last rows and the ends of their intervals in seconds, shape (3, histories)."""
        found = [learned(history, np.array([len(history.age_s) - 1])) for history in seen]
        return np.array([[one.rul_s[0], one.low_s[0], one.high_s[0]] for one in found]).T

    def probe(self, system: str) -> NDArray[np.float32]:
        """Generate snapshots of growing noise in g, shape (snapshots, 2, 2560)."""
        del system
        noise = np.random.default_rng(0).standard_normal((_PROBE_SNAPSHOTS, 2, 2560), dtype=np.float32)
        return noise * np.linspace(0.5, 2.0, _PROBE_SNAPSHOTS, dtype=np.float32)[:, None, None]

    def respond(self, system: str, learned: LifeEstimator, probe: NDArray[np.float32]) -> NDArray[np.float64]:
        """Inputs and indicators of the snapshots, all that a system may see; of the mean life the age."""
        del learned
        numbers = np.arange(1, len(probe) + 1)
        age_s = numbers.astype(np.float64) * _PROBE_PERIOD_S
        run = RunToFailure("probe", probe, numbers, age_s, age_s[::-1], _RATE_HZ, _SHAFT_HZ, _LOAD_N)
        history = history_of(run)
        if system == _MEAN_LIFE:
            return causal_inputs(history, ("age",))
        return np.concatenate([causal_inputs(history), history.indicators], axis=1)


def _histories(folder: Path, progress: Progress) -> dict[str, BearingHistory]:
    found: dict[str, BearingHistory] = {}
    for name in NAMES:
        found[name] = history_of(run_to_failure(folder, name))
        progress("Measuring", len(found), len(NAMES))
    return found


def _judged(learned: LifeEstimator, one: BearingHistory) -> dict[str, float]:
    rows = moments(one, MOMENTS)
    figures = judge_bearing(learned(one, rows), one.rul_s[rows], late=MOMENTS >= 0.5)
    return figures | {"moments": float(len(rows))}


def _seen(learning: Sequence[BearingHistory]) -> list[BearingHistory]:
    """Lives that were learned from, cut short at many moments."""
    return [one.until(row + 1) for one in learning for row in moments(one, _SEEN).tolist()]
