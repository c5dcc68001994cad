"""Bearing-fault systems trained on the CWRU records; refuses folds that the chosen protocol does not have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bearing import bearing_named
from features.contract import BASELINE
from models.bearing.autoencoders import one_sensor
from models.bearing.classical import baseline_features
from models.bearing.comparison import Bench, Sides
from models.bearing.ours import evidence_and_level
from models.bearing.ours_network import lines_and_levels
from models.bearing.protocols import PROTOCOLS, Protocol, eligible
from models.bearing.systems import systems, systems_named
from models.bearing.windows import BearingWindows
from models.datasets import cwru
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

__all__ = ["RATE_HZ", "CwruSystems"]

RATE_HZ = 12_000.0
_SHAFT_HZ = 30.0
_PROBES = 2
# The size between the other two: what a plant meets lies more often between sizes learned from than beyond them.
_FOLD = {
    "size": "0.014 in",
    "noise": "0.014 in, +0 dB",
    "load": "3 hp",
    "random": "windows at random",
    "random-noise": "windows at random, +0 dB",
}

Measured = NDArray[np.floating]


class CwruSystems:
    """Systems that name the fault of a bearing window."""

    data_set = "cwru"
    task = "fault of a rolling bearing, window by window"
    parts: tuple[str, ...] = ()

    @property
    def divisions(self) -> tuple[Division, ...]:
        """Protocols of the comparison, `size` first: the one that shares no damaged bearing."""
        ordered = sorted(PROTOCOLS.values(), key=lambda protocol: protocol.name != "size")
        return tuple(Division(p.name, p.what, p.leaky, _FOLD[p.name]) for p in ordered)

    def entries(self) -> tuple[Entry, ...]:
        """List the systems that are compared."""
        return tuple(Entry(system.name, system.source, system.published) for system in systems())

    def contract(self, system: str) -> str:
        """Hash of the features a system takes; empty where it measures something else."""
        (chosen,) = systems_named([system])
        return BASELINE.hash if chosen.front in (baseline_features, one_sensor) else ""

    def train(self, root: Path, system: str, *, part: str, hold_out: HoldOut, seed: int, progress: Progress) -> Lesson:
        """Train on the records at 12 kHz that the comparison is about."""
        del part
        (chosen,) = systems_named([system])
        records = eligible(cwru.records(root / "cwru", rate_hz=RATE_HZ))
        division, bench = PROTOCOLS[hold_out.division], Bench(records)
        measured: set[tuple[str, float | None]] = set()

        def measure(system: Any, record: cwru.Record, snr_db: float | None, seed: int) -> Measured:
            found = bench.measure(system, record, snr_db, seed)
            measured.add((record.name, snr_db))
            progress("Measuring", min(len(measured), len(records)), len(records))
            return found

        side, split = None, _whole(division, records)
        if not hold_out.everything:
            folds = {fold.name: fold for fold in division.folds(records)}
            fold = folds[chosen_fold(tuple(folds), hold_out.fold or _FOLD[division.name])]
            side = Sides(fold, division, {r.name: r for r in records}, chosen, measure, seed)
            split |= {"fold": fold.name, "learned": list(fold.train), "held_out": list(fold.test)}
        x, labels = side.learning() if side else _all(division, records, chosen, measure, seed)
        progress("Learning", 0, 1)
        learned = chosen.learner(seed).fit(x, labels)
        progress("Learning", 1, 1)
        metrics: dict[str, float] = {}
        if side is not None:
            tested, truth = side.tested()
            metrics = balanced_figures(truth, learned.predict(tested)) | {"windows": float(len(truth))}
        classes = tuple(np.unique(labels).tolist())
        return Lesson(learned, classes, split | {"windows_learned": len(x)}, metrics, some_of(x))

    def predict(self, system: str, learned: Any, inputs: BearingWindows) -> NDArray[np.str_]:
        """Name the class of each of some `BearingWindows`, shape (n,)."""
        (chosen,) = systems_named([system])
        return np.asarray(learned.predict(chosen.front(inputs)))

    def answer(self, learned: Any, seen: Measured) -> NDArray[np.str_]:
        """Name the class of each row of measurements."""
        return np.asarray(learned.predict(seen))

    def follows_lines(self, system: str) -> bool:
        """Whether a system looks for fault lines, so that it has to know speed and bearing."""
        (chosen,) = systems_named([system])
        return chosen.front in (evidence_and_level, lines_and_levels)

    def window_samples(self, system: str) -> int:
        """Samples of the windows a system takes."""
        (chosen,) = systems_named([system])
        return chosen.n_samples

    def probe(self, system: str) -> NDArray[np.float32]:
        """Generate noise as long as the windows of a system, shape (2, n)."""
        rng = np.random.default_rng(0)
        return rng.standard_normal((_PROBES, self.window_samples(system)), dtype=np.float32)

    def respond(self, system: str, learned: Any, probe: NDArray[np.float32]) -> Measured:
        """Measurements of the probe."""
        del learned
        (chosen,) = systems_named([system])
        orders = bearing_named(cwru.BEARING).orders
        return chosen.front(BearingWindows(probe, RATE_HZ, np.full(len(probe), _SHAFT_HZ), orders))


def _whole(division: Protocol, records: Sequence[cwru.Record]) -> dict[str, Any]:
    names = [record.name for record in records]
    return {
        "protocol": division.name,
        "what": division.what,
        "leaky": division.leaky,
        "fold": None,
        "learned": names,
        "held_out": [],
    }


def _all(
    division: Protocol, records: Sequence[cwru.Record], system: Any, measure: Any, seed: int
) -> tuple[Measured, NDArray[np.str_]]:
    """Measurements and labels of every window."""
    parts = [measure(system, record, None, seed) for record in records]
    labels = np.repeat([division.label(record) for record in records], [len(part) for part in parts])
    return np.concatenate(parts), labels
