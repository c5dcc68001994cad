"""False alarms and detection on real rigs at a load that the baseline did not learn; refuses unknown loads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contract import WATCHED
from features.extraction import extract
from features.window import cut
from models.autoencoder import learn_baseline
from models.datasets import cwru
from models.datasets.gearbox import LOADS, STATES, gearbox_record
from models.false_alarms import thresholds
from models.gear_state import N_SAMPLES, rate_free_features
from models.serving import Network, reconstruction_error

__all__ = ["cwru_left_out", "gearbox_left_out"]

_RATE_HZ = 12_000.0

Progress = Callable[[int, int], None]
Features = NDArray[np.float32]


def gearbox_left_out(
    folder: Path, *, convert: Callable[[Any], bytes], seed: int, progress: Progress, loads: Sequence[int] = LOADS
) -> list[dict[str, Any]]:
    """Learn the healthy gearbox at all loads but one; test it, and the one with the broken tooth, at that one.

    Parameters
    ----------
    folder : Path
        The gearbox pack.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int
    progress : callable
        Told the baselines learned and their number.
    loads : sequence of int
        Loads in percent, each left out in turn; two or more of `models.datasets.gearbox.LOADS`.

    Returns
    -------
    list of dict
        Row for each kind of inputs and load: windows, and by rule the share of the healthy and of the broken ones above
        the threshold.

    Raises
    ------
    RecordingError
        If there is no such record, or it is damaged.

    Notes
    -----
    Inputs are the rate-free features of the four sensors. There is one gearbox of each state: what is detected may be
    the other gearbox and not its tooth.
    """
    rows = []
    for inputs, level_free in (("levels and shapes", False), ("shapes", True)):
        measured = {
            (state, load): rate_free_features(
                gearbox_record(folder, state=state, load_percent=load).samples, level_free=level_free
            )
            for state in STATES
            for load in loads
        }
        for load in loads:
            learned = np.concatenate([measured["healthy", other] for other in loads if other != load])
            tested = {state: measured[state, load] for state in STATES}
            row = _tested(learned, tested["healthy"], tested["broken_tooth"], convert=convert, seed=seed)
            rows.append({"data": f"gearbox, {inputs}", "load": f"{load} %"} | row)
            progress(len(rows), 2 * len(loads))
    return rows


def cwru_left_out(
    folder: Path, *, convert: Callable[[Any], bytes], seed: int, progress: Progress
) -> list[dict[str, Any]]:
    """Learn the healthy CWRU rig at three loads; test it, and every fault, at the fourth.

    Parameters
    ----------
    folder : Path
        The CWRU pack.
    convert, seed, progress
        As of `gearbox_left_out`.

    Returns
    -------
    list of dict
        Row for each load, as of `gearbox_left_out`.

    Notes
    -----
    Healthy records are those decimated to the faults' 12 kHz, as in `models.evaluation.cwru_anomaly`.
    """
    records = cwru.records(folder, rate_hz=_RATE_HZ)
    loads = sorted({record.load_hp for record in records})
    features = {record.name: _watched(record) for record in records}
    rows = []
    for load in loads:
        learned = _joined(features, (r for r in records if r.kind == "normal" and r.load_hp != load))
        healthy = _joined(features, (r for r in records if r.kind == "normal" and r.load_hp == load))
        faulty = _joined(features, (r for r in records if r.kind != "normal" and r.load_hp == load))
        row = _tested(learned, healthy, faulty, convert=convert, seed=seed)
        rows.append({"data": "cwru", "load": f"{load} hp"} | row)
        progress(len(rows), len(loads))
    return rows


def _joined(features: Mapping[str, Features], records: Iterable[cwru.Record]) -> Features:
    return np.concatenate([features[record.name] for record in records])


def _watched(record: cwru.Record) -> Features:
    windows = cut(record.read().samples[0], n=N_SAMPLES, hop=N_SAMPLES // 2)
    return extract(windows, _RATE_HZ, profile=WATCHED, unit="g")


def _tested(
    learned: Features, healthy: Features, faulty: Features, *, convert: Callable[[Any], bytes], seed: int
) -> dict[str, Any]:
    baseline = learn_baseline(learned, convert=convert, seed=seed)
    network = Network(baseline.network)
    row: dict[str, Any] = {"healthy_windows": len(healthy), "faulty_windows": len(faulty)}
    for name, features in (("passed", healthy), ("detected", faulty)):
        scaled = baseline.scaler.apply(features)
        scores = reconstruction_error(scaled, network(scaled))
        row |= {f"{name} at {rule}": float((scores > level).mean()) for rule, level in thresholds(baseline).items()}
    return row
