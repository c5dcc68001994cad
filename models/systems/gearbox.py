"""Gear-state systems trained on the gearbox records; refuses folds that the chosen protocol does not have.

Inputs are shapes: each window of each sensor over its deviation, since the healthy gearbox shakes more on one sensor,
which is no sign of health.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bearing.convolutional import statistics_image
from models.datasets.gearbox import LOADS, STATES, gearbox_record
from models.gear_state import N_SAMPLES, PROTOCOLS, RATE_FREE, SYSTEMS, gear_windows
from models.systems.trainable import (
    Division,
    Entry,
    HoldOut,
    Lesson,
    Progress,
    balanced_figures,
    chosen_fold,
    some_of,
)

__all__ = ["GearboxSystems"]

_SENSORS = 4
_WHAT = {
    "one load out": "one of ten loads tested after training on the other nine",
    "light to heavy": "loads of 50 to 90 % tested after training on those of 0 to 40 %",
    "heavy to light": "loads of 0 to 40 % tested after training on those of 50 to 90 %",
}
_SHARED = "; the one gearbox of each state is on both sides"

Measured = NDArray[np.floating]


class GearboxSystems:
    """Systems that tell a broken tooth from a healthy gearbox."""

    data_set = "gearbox"
    task = "healthy gearbox or broken tooth, window by window"
    parts: tuple[str, ...] = ()
    # The heaviest load lies beyond those learned from.
    divisions = tuple(
        Division(name, what + _SHARED, leaky=True, fold=name if len(PROTOCOLS[name]) == 1 else f"{LOADS[-1]} %")
        for name, what in _WHAT.items()
    )

    def entries(self) -> tuple[Entry, ...]:
        """List the systems of `models.gear_state`."""
        return tuple(Entry(name, system.source) for name, system in SYSTEMS.items())

    def contract(self, system: str) -> str:
        """Hash of the features that need no rate; empty for a system that measures others."""
        return "" if SYSTEMS[system].front is statistics_image else RATE_FREE.hash

    def train(self, root: Path, system: str, *, part: str, hold_out: HoldOut, seed: int, progress: Progress) -> Lesson:
        """Train on windows of both states at the loads that are not held out."""
        del part
        folds = _folds(hold_out.division)
        own = next(division.fold for division in self.divisions if division.name == hold_out.division)
        fold = None if hold_out.everything else chosen_fold(tuple(folds), hold_out.fold or own)
        tested = () if fold is None else folds[fold]
        measured = _measured(root / "gearbox_spectraquest", system, progress)
        x, labels = _side(measured, [load for load in LOADS if load not in tested])
        progress("Learning", 0, 1)
        learned = SYSTEMS[system].learner(seed).fit(x, labels)
        progress("Learning", 1, 1)
        metrics: dict[str, float] = {}
        if tested:
            judged, truth = _side(measured, tested)
            metrics = balanced_figures(truth, learned.predict(judged)) | {"windows": float(len(truth))}
        split = {
            "protocol": hold_out.division,
            "what": _WHAT[hold_out.division] + _SHARED,
            "leaky": True,
            "fold": fold,
            "learned": [f"{load} %" for load in LOADS if load not in tested],
            "held_out": [f"{load} %" for load in tested],
            "windows_learned": len(x),
        }
        return Lesson(learned, tuple(np.unique(labels).tolist()), split, metrics, some_of(x))

    def predict(self, system: str, learned: Any, inputs: NDArray[np.float32]) -> NDArray[np.str_]:
        """Name the state in each window of the samples of all sensors (4, n), shape (windows,)."""
        return np.asarray(learned.predict(self.respond(system, learned, inputs)))

    def answer(self, learned: Any, seen: Measured) -> NDArray[np.str_]:
        """Name the state of each row of measurements."""
        return np.asarray(learned.predict(seen))

    def probe(self, system: str) -> NDArray[np.float32]:
        """Generate noise of two windows of each sensor, shape (4, n)."""
        del system
        rng = np.random.default_rng(0)
        return rng.standard_normal((_SENSORS, N_SAMPLES + N_SAMPLES // 2), dtype=np.float32)

    def respond(self, system: str, learned: Any, probe: NDArray[np.float32]) -> Measured:
        """Measurements of the windows of samples (4, n)."""
        del learned
        return SYSTEMS[system].front(gear_windows(probe, level_free=True))


def _folds(division: str) -> dict[str, tuple[int, ...]]:
    """Loads that are held out, by the name of the fold."""
    folds = PROTOCOLS[division]
    return {", ".join(f"{load} %" for load in tested) if len(folds) > 1 else division: tested for tested in folds}


def _measured(folder: Path, system: str, progress: Progress) -> dict[tuple[str, int], Measured]:
    found: dict[tuple[str, int], Measured] = {}
    keys = [(state, load) for state in STATES for load in LOADS]
    for state, load in keys:
        samples = gearbox_record(folder, state=state, load_percent=load).samples
        found[state, load] = SYSTEMS[system].front(gear_windows(samples, level_free=True))
        progress("Measuring", len(found), len(keys))
    return found


def _side(measured: dict[tuple[str, int], Measured], loads: Any) -> tuple[Measured, NDArray[np.str_]]:
    parts = [(state, measured[state, load]) for state in STATES for load in loads]
    labels = np.repeat([state for state, _ in parts], [len(part) for _, part in parts])
    return np.concatenate([part for _, part in parts]), labels
