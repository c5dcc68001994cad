"""Every system on CWRU under every split, with the forest beside it; refuses systems and splits that do not exist."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bearing import bearing_named
from features.contract import BASELINE
from features.errors import ParameterError
from features.window import cut
from models.bearing.protocols import Fold, Protocol, eligible, protocol_named
from models.bearing.systems import FOREST, systems_named
from models.bearing.windows import BearingWindows, FaultClassifier, with_noise
from models.datasets import cwru
from models.datasets.cwru import Record

__all__ = ["Bench", "Sides", "balanced_accuracy", "beside_forest", "compare", "cwru_comparison"]

Progress = Callable[[int, int], None]
Measured = NDArray[np.floating]
Measure = Callable[[FaultClassifier, Record, float | None, int], Measured]
# Of each protocol the balanced accuracy of each fold.
Scores = dict[str, list[float]]
_Run = tuple[Path, str, tuple[str, ...], int]

_RATE_HZ = 12_000.0
_NOTE = (
    "Windows overlap by half. Balanced accuracy over windows, mean over folds and seeds; spread is the standard "
    "deviation of that mean over seeds. Each damaged bearing of the pack is one kind and size, so splits by window or "
    "load have it on both sides. The healthy bearing is one alone and is on both sides everywhere, never in one record."
)


def _silent(done: int, total: int) -> None:
    del done, total


def cwru_comparison(
    folder: Path,
    *,
    protocols: Sequence[str],
    named: Sequence[str] = (),
    seeds: Sequence[int],
    executor: Executor | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Compare systems that name bearing faults on the CWRU pack.

    Parameters
    ----------
    folder : Path
        The CWRU pack.
    protocols : sequence of str
        Keys of `models.bearing.protocols.PROTOCOLS`.
    named : sequence of str
        Names of systems; none for all.
    seeds : sequence of int
        Of what systems draw, of dealt windows and of noise; at least one.
    executor : concurrent.futures.Executor, optional
        Runs a system and a seed at a time; without it they run here, one after the other.
    progress : callable
        Told the systems and seeds done and their number.

    Returns
    -------
    dict
        ``rows``, each with ``system``, ``protocol``, ``leaky``, ``mean``, ``spread`` (None for one seed), ``folds``,
        ``seeds``, ``window_samples``, ``source``, ``published`` and ``beats_forest`` (None without its forest);
        ``protocols`` in words; the records, the contract and a note.

    Raises
    ------
    ParameterError
        If a protocol or a system is unknown, or no seed is given.
    RecordingError
        If the pack is missing or damaged.
    """
    wanted = [protocol_named(name) for name in protocols]
    chosen = systems_named(named)
    if not seeds:
        raise ParameterError("a comparison was asked for without a seed; at least one is wanted")
    records = eligible(cwru.records(folder, rate_hz=_RATE_HZ))
    runs = [(folder, system.name, tuple(protocols), seed) for system in chosen for seed in seeds]
    scores = dict(zip(runs, _each(runs, executor, progress), strict=True))
    rows = [
        _row(protocol, system, records, [scores[folder, system.name, tuple(protocols), seed] for seed in seeds], seeds)
        for protocol in wanted
        for system in chosen
    ]
    return {
        "rows": beside_forest(rows),
        "protocols": {p.name: p.what for p in wanted},
        "records": [record.name for record in records],
        "contract": BASELINE.hash,
        "note": _NOTE,
    }


def compare(
    system: FaultClassifier,
    protocols: Sequence[Protocol],
    records: Sequence[Record],
    *,
    measure: Measure,
    seed: int,
) -> Scores:
    """Measure one system under some protocols; folds that train on the same windows and labels share what was learned.

    Parameters
    ----------
    system : FaultClassifier
    protocols : sequence of Protocol
    records : sequence of Record
    measure : callable
        From system, record, signal-to-noise ratio (None for none) and seed to measurements, shape (windows, ...).
    seed : int

    Returns
    -------
    dict of str to list of float
        For each protocol the balanced accuracy of each of its folds.
    """
    by_name = {record.name: record for record in records}
    alike: dict[tuple[object, ...], list[tuple[Protocol, Fold]]] = {}
    for protocol in protocols:
        for fold in protocol.folds(records):
            labels = tuple(protocol.label(by_name[name]) for name in fold.train)
            alike.setdefault((fold.train, labels, fold.dealt), []).append((protocol, fold))
    found: dict[tuple[str, str], float] = {}
    for folds in alike.values():
        for i, (protocol, fold) in enumerate(folds):
            side = Sides(fold, protocol, by_name, system, measure, seed)
            if not i:
                system.fit_measured(*side.learning(), seed=seed)
            x, labels_of = side.tested()
            found[protocol.name, fold.name] = balanced_accuracy(labels_of, system.predict_measured(x))
    return {p.name: [found[p.name, fold.name] for fold in p.folds(records)] for p in protocols}


def beside_forest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say of each row whether it beats the forest of its protocol; None for the forest and where there is none."""
    forest = {row["protocol"]: row["mean"] for row in rows if row["system"] == FOREST}
    for row in rows:
        rival = None if row["system"] == FOREST else forest.get(row["protocol"])
        row["beats_forest"] = None if rival is None else row["mean"] > rival
    return rows


@dataclass(frozen=True)
class Sides:
    """Measurements and labels of the learning and of the tested side of a fold.

    Attributes
    ----------
    fold : Fold
    protocol : Protocol
        Labels the records.
    records : dict of str to Record
        By name, at least those of the fold.
    system : FaultClassifier
        Whose front measures.
    measure : callable
        From system, record, signal-to-noise ratio (None for none) and seed to measurements, shape (windows, ...).
    seed : int
        Of windows dealt at random, and of noise.
    """

    fold: Fold
    protocol: Protocol
    records: dict[str, Record]
    system: FaultClassifier
    measure: Measure
    seed: int

    def learning(self) -> tuple[Measured, NDArray[np.str_]]:
        """Measurements and labels of the windows to learn from."""
        return self._dealt(*self._stacked(self.fold.train, None), mine=True)

    def tested(self) -> tuple[Measured, NDArray[np.str_]]:
        """Measurements and labels of the windows to be judged on."""
        return self._dealt(*self._stacked(self.fold.test, self.fold.snr_db), mine=False)

    def _dealt(self, x: Measured, labels: NDArray[np.str_], *, mine: bool) -> tuple[Measured, NDArray[np.str_]]:
        if not self.fold.dealt:
            return x, labels
        kept = (np.random.default_rng(self.seed).permutation(len(labels)) % 2 == 0) == mine
        return x[kept], labels[kept]

    def _stacked(self, names: Sequence[str], snr_db: float | None) -> tuple[Measured, NDArray[np.str_]]:
        parts = [self.measure(self.system, self.records[name], snr_db, self.seed) for name in names]
        labels = [self.protocol.label(self.records[name]) for name in names]
        return np.concatenate(parts), np.repeat(labels, [len(part) for part in parts])


class Bench:
    """Records with what a front measured of them, so that folds and seeds share it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = tuple(records)
        self._signals = {record.name: record.read().samples[0] for record in records}
        self._orders = bearing_named(cwru.BEARING).orders
        self._front: tuple[object, int] | None = None
        self._known: dict[tuple[object, ...], Measured] = {}

    def measure(self, system: FaultClassifier, record: Record, snr_db: float | None, seed: int) -> Measured:
        """Windows of a record, with noise where wanted, through the front of a system."""
        # Only the last front is kept: raw windows under noise fill memory fast; systems of one front are neighbours.
        if self._front != (system.front, system.n_samples):
            self._front = (system.front, system.n_samples)
            self._known.clear()
        key = (record.name, snr_db, seed if snr_db is not None else None)
        if key not in self._known:
            x = cut(self._signals[record.name], n=system.n_samples, hop=system.n_samples // 2)
            if snr_db is not None:
                x = with_noise(x, snr_db=snr_db, rng=np.random.default_rng((seed, record.number, round(10 + snr_db))))
            speeds = np.full(len(x), record.rpm / 60.0)
            self._known[key] = system.front(BearingWindows(np.ascontiguousarray(x), _RATE_HZ, speeds, self._orders))
        return self._known[key]


@functools.lru_cache(maxsize=1)
def _bench(folder: Path) -> Bench:
    """The pack as read once in a process."""
    return Bench(eligible(cwru.records(folder, rate_hz=_RATE_HZ)))


def _scores(folder: Path, name: str, protocols: tuple[str, ...], seed: int) -> Scores:
    """One system and seed under some protocols; all arguments can travel to another process."""
    bench = _bench(folder)
    (system,) = systems_named([name])
    return compare(system, [protocol_named(p) for p in protocols], bench.records, measure=bench.measure, seed=seed)


def _each(runs: Sequence[_Run], executor: Executor | None, progress: Progress) -> list[Scores]:
    """Run all, here or by the executor, and tell how many are done."""
    if executor is None:
        found = []
        for run in runs:
            found.append(_scores(*run))
            progress(len(found), len(runs))
        return found
    futures = [executor.submit(_scores, *run) for run in runs]
    for done, future in enumerate(as_completed(futures), start=1):
        future.result()
        progress(done, len(runs))
    return [future.result() for future in futures]


def _row(
    protocol: Protocol,
    system: FaultClassifier,
    records: Sequence[Record],
    by_seed: Sequence[Scores],
    seeds: Sequence[int],
) -> dict[str, Any]:
    scores = np.array([found[protocol.name] for found in by_seed])
    means = scores.mean(axis=1)
    return {
        "system": system.name,
        "protocol": protocol.name,
        "leaky": protocol.leaky,
        "mean": float(means.mean()),
        "spread": float(means.std(ddof=1)) if len(seeds) > 1 else None,
        "folds": [
            {"name": fold.name, "balanced_accuracy": float(score)}
            for fold, score in zip(protocol.folds(records), scores.mean(axis=0), strict=True)
        ],
        "seeds": list(seeds),
        "window_samples": system.n_samples,
        "source": system.source,
        "published": system.published,
    }


def balanced_accuracy(labels: NDArray[np.str_], named: NDArray[np.str_]) -> float:
    """Mean over the classes that occur of the share named right."""
    return float(np.mean([np.mean(named[labels == label] == label) for label in np.unique(labels)]))
