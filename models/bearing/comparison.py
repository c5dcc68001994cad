"""Every system on CWRU under every split, with the forest beside it; refuses systems and splits that do not exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bearing import bearing_named
from features.contract import BASELINE
from features.errors import ParameterError
from features.window import cut
from models.bearing.classical import classical, random_forest
from models.bearing.ours import N_SAMPLES, evidence_and_level, ours
from models.bearing.protocols import Fold, Protocol, bearing_of, eligible, protocol_named
from models.bearing.windows import BearingWindows, FaultClassifier, with_noise
from models.datasets import cwru
from models.datasets.cwru import Record

__all__ = ["FOREST", "compare", "cwru_comparison", "systems"]

Progress = Callable[[int, int], None]
Measured = NDArray[np.floating]

# What a system has to beat to be worth its complexity.
FOREST = "random forest"
_RATE_HZ = 12_000.0
_NOTE = (
    "Windows overlap by half. Balanced accuracy over windows, mean over folds and seeds; spread is the standard "
    "deviation of that mean over seeds. Each damaged bearing of the pack is one kind and size, so splits by window or "
    "load have it on both sides. The healthy bearing is one alone and is on both sides everywhere, never in one record."
)


def _silent(done: int, total: int) -> None:
    del done, total


def systems() -> tuple[FaultClassifier, ...]:
    """Give every system that is compared, not yet learned.

    Returns
    -------
    tuple of FaultClassifier
        Ours, the same measurements in a random forest, the published ones, the baselines.
    """
    forest = FaultClassifier(
        "random forest on our measurements", N_SAMPLES, evidence_and_level, random_forest, kinds_only=True
    )
    return (ours(), forest, *classical())


def cwru_comparison(
    folder: Path,
    *,
    protocols: Sequence[str],
    named: Sequence[str] = (),
    seeds: Sequence[int],
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
    progress : callable
        Told the runs done and their number.

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
    chosen = _chosen(named)
    if not seeds:
        raise ParameterError("a comparison was asked for without a seed; at least one is wanted")
    records = eligible(cwru.records(folder, rate_hz=_RATE_HZ))
    pairs = [(p, s) for p in wanted for s in chosen if p.label is not bearing_of or not s.kinds_only]
    bench = _Bench(records)
    rows = []
    for i, (protocol, system) in enumerate(pairs):
        rows.append(compare(protocol, system, records, measure=bench.measure, seeds=seeds))
        progress(i + 1, len(pairs))
    return {
        "rows": _beside_forest(rows),
        "protocols": {p.name: p.what for p in wanted},
        "records": [record.name for record in records],
        "contract": BASELINE.hash,
        "note": _NOTE,
    }


def compare(
    protocol: Protocol,
    system: FaultClassifier,
    records: Sequence[Record],
    *,
    measure: Callable[[FaultClassifier, Record, float | None, int], Measured],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Measure one system under one protocol.

    Parameters
    ----------
    protocol : Protocol
    system : FaultClassifier
    records : sequence of Record
    measure : callable
        From system, record, signal-to-noise ratio (None for none) and seed to measurements (windows, features).
    seeds : sequence of int

    Returns
    -------
    dict
        One row.
    """
    labels = {record.name: protocol.label(record) for record in records}
    by_name = {record.name: record for record in records}
    folds = protocol.folds(records)
    scores = np.empty((len(seeds), len(folds)))
    for i, seed in enumerate(seeds):
        learned: tuple[str, ...] = ()
        for j, fold in enumerate(folds):
            train, test = _sides(fold, by_name, labels, lambda r, snr: measure(system, r, snr, seed), seed)  # noqa: B023
            # Folds that differ by the noise of the test alone share what was learned.
            if fold.dealt or fold.train != learned:
                system.fit_measured(*train, seed=seed)
                learned = fold.train
            scores[i, j] = _balanced(test[1], system.predict_measured(test[0]))
    means = scores.mean(axis=1)
    return {
        "system": system.name,
        "protocol": protocol.name,
        "leaky": protocol.leaky,
        "mean": float(means.mean()),
        "spread": float(means.std(ddof=1)) if len(seeds) > 1 else None,
        "folds": [
            {"name": fold.name, "balanced_accuracy": float(score)}
            for fold, score in zip(folds, scores.mean(axis=0), strict=True)
        ],
        "seeds": list(seeds),
        "window_samples": system.n_samples,
        "source": system.source,
        "published": system.published,
    }


class _Bench:
    """Records with what fronts measured of them, so that folds, seeds and systems of one front share it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._signals = {record.name: record.read().samples[0] for record in records}
        self._orders = bearing_named(cwru.BEARING).orders
        self._known: dict[tuple[object, ...], Measured] = {}

    def measure(self, system: FaultClassifier, record: Record, snr_db: float | None, seed: int) -> Measured:
        """Windows of a record, with noise where wanted, through the front of a system."""
        key = (system.front, system.n_samples, record.name, snr_db, seed if snr_db is not None else None)
        if key not in self._known:
            x = cut(self._signals[record.name], n=system.n_samples, hop=system.n_samples // 2)
            if snr_db is not None:
                x = with_noise(x, snr_db=snr_db, rng=np.random.default_rng((seed, record.number, round(10 + snr_db))))
            speeds = np.full(len(x), record.rpm / 60.0)
            self._known[key] = system.front(BearingWindows(np.ascontiguousarray(x), _RATE_HZ, speeds, self._orders))
        return self._known[key]


def _chosen(named: Sequence[str]) -> tuple[FaultClassifier, ...]:
    every = {system.name: system for system in systems()}
    unknown = [name for name in named if name not in every]
    if unknown:
        raise ParameterError(f"no system is called {unknown[0]!r}; one of {', '.join(every)} is wanted")
    return tuple(every[name] for name in named) if named else tuple(every.values())


def _sides(
    fold: Fold,
    records: dict[str, Record],
    labels: dict[str, str],
    measure: Callable[[Record, float | None], Measured],
    seed: int,
) -> tuple[tuple[Measured, NDArray[np.str_]], tuple[Measured, NDArray[np.str_]]]:
    """Measurements and labels of the training and of the test side."""
    train = _stacked(fold.train, labels, lambda name: measure(records[name], None))
    if not fold.dealt:
        return train, _stacked(fold.test, labels, lambda name: measure(records[name], fold.snr_db))
    first = np.random.default_rng(seed).permutation(len(train[1])) % 2 == 0
    return (train[0][first], train[1][first]), (train[0][~first], train[1][~first])


def _stacked(
    names: Sequence[str], labels: dict[str, str], measure: Callable[[str], Measured]
) -> tuple[Measured, NDArray[np.str_]]:
    parts = [measure(name) for name in names]
    return np.concatenate(parts), np.repeat([labels[name] for name in names], [len(part) for part in parts])


def _balanced(labels: NDArray[np.str_], named: NDArray[np.str_]) -> float:
    """Mean over the classes that occur of the share named right."""
    return float(np.mean([np.mean(named[labels == label] == label) for label in np.unique(labels)]))


def _beside_forest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say of each row whether it beats the forest of its protocol; None for the forest and where there is none."""
    forest = {row["protocol"]: row["mean"] for row in rows if row["system"] == FOREST}
    for row in rows:
        rival = None if row["system"] == FOREST else forest.get(row["protocol"])
        row["beats_forest"] = None if rival is None else row["mean"] > rival
    return rows
