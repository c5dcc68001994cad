"""The networks that the service itself learns, with parts that judge their int8 form: health and kinds of faults.

They are trained as the service trains them; the parts are for their figures on a node alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from features.contract import WATCHED
from features.extraction import extract
from features.window import cut
from models.autoencoder import learn_baseline
from models.bearing.protocols import bearing_of
from models.bearing.windows import with_noise
from models.datasets import cwru
from models.diagnosis import balanced_accuracy, learn_diagnosis, simulated_maps
from models.node_tasks.autoencoder import area_under_curve
from models.node_tasks.task import Part, Task
from models.serving import reconstruction_error

__all__ = ["KIND_EPOCHS", "KIND_WINDOWS", "SNR_DB", "learned_baseline", "learned_kinds"]

_RATE_HZ, _N_SAMPLES, _HOP, _COMMON_BAND_HZ = 12_000.0, 4096, 2048, 5_000.0
SNR_DB = -12.0
# As the service learns them.
KIND_WINDOWS, KIND_EPOCHS = 40_000, 20
_JUDGED = 4_000

_BASELINE_DATA = (
    "CWRU, features of 4,096 samples below 5 kHz with white noise at {snr:+.0f} dB: the service's autoencoder, learned "
    "on the healthy records of 0 and 1 hp; tested on the healthy record of 3 hp and all damaged bearings of 0.014 and "
    "0.021 in, validated on the healthy one of 2 hp and those of 0.007 in. There is one healthy bearing, in all parts."
)
_KINDS_DATA = (
    "Simulated machines of random bearings, each window of another one: the service's network of fault kinds, learned "
    "on {learned:,} windows, tested and validated on {judged:,} windows each of further machines."
)


def learned_baseline(folder: Path, *, convert: Callable[[Any], bytes], seed: int) -> tuple[Task, Any]:
    """Learn the service's baseline on CWRU, and the parts that judge it.

    Parameters
    ----------
    folder : Path
        The CWRU pack.
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int

    Returns
    -------
    task : Task
        The score is the area under the ROC curve of the reconstruction error; its network is built by no one else.
    model : keras.Model

    Raises
    ------
    RecordingError
        If the pack is missing or damaged.
    """
    records = cwru.records(folder, rate_hz=_RATE_HZ)
    healthy = {r.load_hp: r for r in records if r.kind == "normal"}
    learned = np.concatenate([_features(healthy[load]) for load in (0, 1)])
    baseline = learn_baseline(learned, convert=convert, seed=seed)

    def part(normals: Sequence[int], sizes_in: Sequence[float]) -> Part:
        chosen = [healthy[load] for load in normals] + [r for r in records if r.diameter_in in sizes_in]
        features = [_features(record) for record in chosen]
        counts = [len(rows) for rows in features]
        damaged = np.repeat([record.kind != "normal" for record in chosen], counts)
        sources = np.repeat([r.name if r.kind == "normal" else bearing_of(r) for r in chosen], counts)
        return Part(baseline.scaler.apply(np.concatenate(features)), damaged, sources)

    task = Task(
        name="baseline",
        metric="AUC",
        larger_is_better=True,
        data=_BASELINE_DATA.format(snr=SNR_DB),
        build=_not_built,
        training=part((0, 1), ()),
        validation=part((2,), (0.007,)),
        test=part((3,), (0.014, 0.021)),
        batch_size=32,
        epochs=1,
        score=_area,
    )
    return task, baseline.model


def learned_kinds(
    *, convert: Callable[[Any], bytes], seed: int, windows: int = KIND_WINDOWS, epochs: int = KIND_EPOCHS
) -> tuple[Task, Any]:
    """Learn the service's network of fault kinds on simulated machines, and draw further ones that judge it.

    Parameters
    ----------
    convert : callable
        From a Keras model to `.tflite` bytes.
    seed : int
    windows, epochs : int
        As the service learns, where they are not given.

    Returns
    -------
    task : Task
        The score is the balanced accuracy over single windows.
    model : keras.Model
    """
    rng = np.random.default_rng(seed)
    maps, kinds = simulated_maps(rng, n=windows)
    model = learn_diagnosis(maps, kinds, convert=convert, seed=seed, epochs=epochs).model
    judged = [simulated_maps(rng, n=min(_JUDGED, windows)) for _ in range(2)]
    parts = [
        Part(inputs, truth, np.char.add(f"{side} ", np.arange(len(truth)).astype(str)))
        for side, (inputs, truth) in zip(("learned", "validated", "tested"), [(maps, kinds), *judged], strict=True)
    ]
    task = Task(
        name="fault kinds",
        metric="balanced accuracy",
        larger_is_better=True,
        data=_KINDS_DATA.format(learned=windows, judged=min(_JUDGED, windows)),
        build=_not_built,
        training=parts[0],
        validation=parts[1],
        test=parts[2],
        batch_size=128,
        epochs=epochs,
        score=_accuracy,
    )
    return task, model


def _features(record: cwru.Record) -> NDArray[np.float32]:
    """Features of a record's noisy windows, shape (windows, features)."""
    sos = scipy.signal.butter(8, _COMMON_BAND_HZ, fs=_RATE_HZ, output="sos")
    signal = np.asarray(scipy.signal.sosfiltfilt(sos, record.read().samples[0]), dtype=np.float32)
    windows = cut(signal, n=_N_SAMPLES, hop=_HOP)
    noisy = with_noise(windows, snr_db=SNR_DB, rng=np.random.default_rng(record.number))
    # Each over its deviation: by its level alone, damage would be told.
    return extract(noisy / noisy.std(axis=-1, keepdims=True), _RATE_HZ, profile=WATCHED, unit="g")


def _area(rebuilt: NDArray[np.floating], part: Part) -> float:
    return area_under_curve(reconstruction_error(part.inputs, rebuilt), part.targets)


def _accuracy(probabilities: NDArray[np.floating], part: Part) -> float:
    return balanced_accuracy(part.targets, probabilities.argmax(axis=-1))


def _not_built(seed: int) -> Any:
    """The service's own learning builds these."""
    raise NotImplementedError(f"a network of the service is learned, not built from seed {seed}")
