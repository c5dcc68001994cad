"""What our network says of CWRU fault sizes and kinds it never learned; refuses to be measured without seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bearing import bearing_named
from features.errors import ParameterError
from features.window import cut
from models.bearing.calibration import expected_calibration_error
from models.bearing.comparison import balanced_accuracy
from models.bearing.ours import N_SAMPLES
from models.bearing.ours_network import UNKNOWN, LinesNetwork, lines_and_levels
from models.bearing.protocols import eligible, protocol_named
from models.bearing.windows import BearingWindows
from models.datasets import cwru
from models.integer import Quantise, run_int8

__all__ = ["ERROR_SHARE", "cwru_unknown", "held_together"]

Progress = Callable[[int, int], None]

# Wrong answers among those given, on training bearings that were held out.
ERROR_SHARE = 0.05
_RATE_HZ = 12_000.0
_NOTE = (
    "Fault sizes left out one at a time, as under `size`. Temperature, threshold and largest distance come from the "
    "training bearings alone, each size held out in turn. The inputs were chosen with these folds seen."
)


def _silent(done: int, total: int) -> None:
    del done, total


def held_together(records: Sequence[cwru.Record]) -> dict[str, str]:
    """Say which records are held out together: faults by size, healthy ones dealt to the sizes by load.

    Returns
    -------
    dict of str to str
        From the name of a record to its group.
    """
    sizes = sorted({r.diameter_in for r in records if r.diameter_in is not None})
    return {
        r.name: f"{r.diameter_in if r.diameter_in is not None else sizes[r.load_hp % len(sizes)]:.3f}" for r in records
    }


def cwru_unknown(
    folder: Path, *, quantise: Quantise, seeds: Sequence[int], progress: Progress = _silent
) -> dict[str, Any]:
    """Measure how far the network's probabilities hold, and what it leaves unknown.

    Parameters
    ----------
    folder : Path
        The CWRU pack.
    quantise : callable
        From a Keras model and representative inputs to an int8 `.tflite`.
    seeds : sequence of int
        At least one.
    progress : callable
        Told the folds done and their number.

    Returns
    -------
    dict
        Means over folds and seeds: ``calibration_error`` and ``calibration_error_before``, ``answered``,
        ``balanced_accuracy`` of all windows and ``balanced_accuracy_answered`` of those answered, ``wrong_answered``,
        ``kinds_answered``, ``int8_bytes`` and ``int8_agreement``, ``KIND_never_learned_unknown`` and ``_normal``;
        ``folds``, each alone; the error share, seeds and a note.

    Raises
    ------
    ParameterError
        If no seed is given.
    RecordingError
        If the pack is missing or damaged.
    """
    if not seeds:
        raise ParameterError("calibration was to be measured without a seed; at least one is wanted")
    records = eligible(cwru.records(folder, rate_hz=_RATE_HZ))
    measured = {record.name: _measured(record) for record in records}
    folds = protocol_named("size").folds(records)
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        for fold in folds:
            train = [r for r in records if r.name in fold.train]
            test = [r for r in records if r.name in fold.test]
            rows.append({"fold": fold.name, "seed": seed, **_fold(measured, train, test, quantise, seed)})
            progress(len(rows), len(seeds) * len(folds))
    return {**_means(rows), "folds": rows, "error_share": ERROR_SHARE, "seeds": list(seeds), "note": _NOTE}


def _measured(record: cwru.Record) -> NDArray[np.float64]:
    x = np.ascontiguousarray(cut(record.read().samples[0], n=N_SAMPLES, hop=N_SAMPLES // 2))
    speeds = np.full(len(x), record.rpm / 60.0)
    return lines_and_levels(BearingWindows(x, _RATE_HZ, speeds, bearing_named(cwru.BEARING).orders))


def _stacked(
    measured: dict[str, NDArray[np.float64]], records: Sequence[cwru.Record]
) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_]]:
    """Measurements, kinds and groups of the windows of records."""
    groups, parts = held_together(records), [measured[r.name] for r in records]
    counts = [len(part) for part in parts]
    kinds = np.repeat([r.kind for r in records], counts)
    return np.concatenate(parts), kinds, np.repeat([groups[r.name] for r in records], counts)


def _fold(
    measured: dict[str, NDArray[np.float64]],
    train: Sequence[cwru.Record],
    test: Sequence[cwru.Record],
    quantise: Quantise,
    seed: int,
) -> dict[str, Any]:
    learned = LinesNetwork(seed).calibrate(*_stacked(measured, train), error_share=ERROR_SHARE)
    x, kinds, _ = _stacked(measured, test)
    index, answers, named = np.searchsorted(learned.classes, kinds), learned.answer(x), learned.predict(x)
    given = answers != UNKNOWN
    raw = np.asarray(learned.model.predict(learned.inputs(x), verbose=0))
    network = quantise(learned.model, learned.inputs(_stacked(measured, train)[0]))
    return {
        "calibration_error_before": expected_calibration_error(raw, index),
        "calibration_error": expected_calibration_error(learned.probabilities(x), index),
        "answered": float(given.mean()),
        "balanced_accuracy": balanced_accuracy(kinds, named),
        "balanced_accuracy_answered": balanced_accuracy(kinds[given], answers[given]) if given.any() else None,
        "wrong_answered": float(np.mean(answers[given] != kinds[given])) if given.any() else None,
        "kinds_answered": int(np.unique(kinds[given]).size),
        "int8_bytes": len(network),
        "int8_agreement": float(np.mean(learned.classes[run_int8(network, learned.inputs(x)).argmax(axis=1)] == named)),
        "never_learned": {kind: _never(measured, train, test, kind, seed) for kind in cwru.KINDS[1:]},
    }


def _never(
    measured: dict[str, NDArray[np.float64]],
    train: Sequence[cwru.Record],
    test: Sequence[cwru.Record],
    kind: str,
    seed: int,
) -> dict[str, float]:
    """Answers to a kind of the test side after learning without it."""
    known = [r for r in train if r.kind != kind]
    learned = LinesNetwork(seed).calibrate(*_stacked(measured, known), error_share=ERROR_SHARE)
    answers = learned.answer(_stacked(measured, [r for r in test if r.kind == kind])[0])
    return {"unknown": float(np.mean(answers == UNKNOWN)), "normal": float(np.mean(answers == "normal"))}


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of the figures over the rows that have them."""
    single = [key for key in rows[0] if key not in ("fold", "seed", "never_learned")]
    means: dict[str, Any] = {}
    for key in single:
        values = [row[key] for row in rows if row[key] is not None]
        means[key] = float(np.mean(values)) if values else None
    for kind in cwru.KINDS[1:]:
        for answer in ("unknown", "normal"):
            means[f"{kind}_never_learned_{answer}"] = float(np.mean([r["never_learned"][kind][answer] for r in rows]))
    return means
