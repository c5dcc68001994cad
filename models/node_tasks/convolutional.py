"""M2: a convolutional network that tells damaged bearings from healthy in 1,024 noisy samples; refuses other sizes."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from features.errors import ParameterError
from features.window import cut
from models.bearing.protocols import SIZES_IN, bearing_of
from models.bearing.windows import with_noise
from models.datasets import cwru
from models.diagnosis import balanced_accuracy
from models.node_tasks.task import Part, Task

__all__ = ["N_OUTPUTS", "N_SAMPLES", "SNR_DB", "TESTED_IN", "build_convolutional", "convolutional_task"]

N_SAMPLES, N_OUTPUTS = 1024, 10
SNR_DB = -8.0
TESTED_IN = 0.014
_RATE_HZ = 12_000.0
# Below both anti-aliasing filters: the healthy records were decimated by another filter than the faults have.
_COMMON_BAND_HZ = 5_000.0
# One healthy bearing stands against six to eight: these give about as many windows of each side.
_HOP, _HOP_HEALTHY = 1024, 128
_HEALTHY_HP = {"training": (0, 1), "validation": (2,), "test": (3,)}
_OTHER_MAKER_IN = 0.028
_RATE, _BATCH, _EPOCHS = 2e-3, 64, 4
# Noise is drawn anew for a window this often in training, else the network learns the noise.
_DRAWS = 3

_DATA = (
    "CWRU: 1,024 samples at 12 kHz of the drive end, below 5 kHz, with white noise at {snr:+.0f} dB, each window over "
    "its deviation; healthy (output 0) against damaged (output 1), outputs 2 to 9 are never targets. Tested on the "
    "damaged bearings of {test:.3f} in and the healthy one at 3 hp, validated on those of {validation:.3f} in and 2 "
    "hp, learned from those of {training} in and 0 and 1 hp. No damaged bearing is in two parts; there is one healthy "
    "bearing, in all parts, so what is told apart may be that bearing and not its health."
)


def build_convolutional(seed: int) -> Any:
    """Build and compile the network: three convolutions, each normalised, rectified and halved, their means, a softmax.

    Notes
    -----
    16 kernels of 64 every 8 samples, 32 of 3, 64 of 3, all with same padding and as convolutions of height 1; global
    means of the 64; 10 outputs, as the network has that the peer was measured with.
    """
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    stack = [layers.Input((1, N_SAMPLES, 1))]
    for filters, size, stride in ((16, 64, 8), (32, 3, 1), (64, 3, 1)):
        stack += [
            layers.Conv2D(filters, (1, size), strides=(1, stride), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D((1, 2)),
        ]
    stack += [layers.GlobalAveragePooling2D(), layers.Dense(N_OUTPUTS, activation="softmax")]
    model = keras.Sequential(stack, name="m2")
    model.compile(optimizer=keras.optimizers.Adam(_RATE), loss=keras.losses.SparseCategoricalCrossentropy())
    return model


def convolutional_task(folder: Path, *, tested_in: float = TESTED_IN, snr_db: float = SNR_DB) -> Task:
    """Read the CWRU pack and divide it by the size of the faults.

    Parameters
    ----------
    folder : Path
        The CWRU pack.
    tested_in : float
        Size of the faults tested on, one of 0.007, 0.014 and 0.021 inches; the next one of them validates.
    snr_db : float
        Power of a window over that of the white noise added to it.

    Returns
    -------
    Task
        Targets are 0 for healthy and 1 for damaged, the score is the balanced accuracy of the larger output.

    Raises
    ------
    ParameterError
        If there is no such size.
    RecordingError
        If the pack is missing or damaged.
    """
    if tested_in not in SIZES_IN:
        raise ParameterError(f"faults of {tested_in} in were to be tested; one of {SIZES_IN} is wanted")
    first = SIZES_IN.index(tested_in)
    sizes = {
        "training": (SIZES_IN[first - 1], _OTHER_MAKER_IN),
        "validation": (SIZES_IN[(first + 1) % len(SIZES_IN)],),
        "test": (tested_in,),
    }
    records = cwru.records(folder, rate_hz=_RATE_HZ)
    parts = {
        side: _part(
            [r for r in records if r.diameter_in in sizes[side] or _healthy_in(r, side)],
            snr_db=snr_db,
            draws=_DRAWS if side == "training" else 1,
        )
        for side in sizes
    }
    return Task(
        name="M2",
        metric="balanced accuracy",
        larger_is_better=True,
        data=_described(sizes, snr_db),
        build=build_convolutional,
        training=parts["training"],
        validation=parts["validation"],
        test=parts["test"],
        batch_size=_BATCH,
        epochs=_EPOCHS,
        score=_score,
    )


def _described(sizes: Mapping[str, Sequence[float]], snr_db: float) -> str:
    learned = " and ".join(f"{size:.3f}" for size in sizes["training"])
    return _DATA.format(snr=snr_db, test=sizes["test"][0], validation=sizes["validation"][0], training=learned)


def _healthy_in(record: cwru.Record, side: str) -> bool:
    return record.kind == "normal" and record.load_hp in _HEALTHY_HP[side]


def _part(records: Sequence[cwru.Record], *, snr_db: float, draws: int) -> Part:
    """Windows of some records; a damaged bearing is one source, of the healthy one each run."""
    windows = [_windows(record, snr_db=snr_db, draws=draws) for record in records]
    counts = [len(rows) for rows in windows]
    damaged = np.repeat([int(record.kind != "normal") for record in records], counts)
    sources = np.repeat([r.name if r.kind == "normal" else bearing_of(r) for r in records], counts)
    return Part(np.concatenate(windows), damaged, sources)


def _windows(record: cwru.Record, *, snr_db: float, draws: int) -> NDArray[np.float32]:
    """Noisy windows of a record over their deviation, each as often as noise is drawn; shape (n, 1, 1024, 1)."""
    x = scipy.signal.sosfiltfilt(_common_band(), record.read().samples[0]).astype(np.float32)
    windows = cut(x, n=N_SAMPLES, hop=_HOP_HEALTHY if record.kind == "normal" else _HOP)
    noisy = with_noise(np.tile(windows, (draws, 1)), snr_db=snr_db, rng=np.random.default_rng(record.number))
    noisy -= noisy.mean(axis=-1, keepdims=True)
    standard = np.asarray(noisy / noisy.std(axis=-1, keepdims=True), dtype=np.float32)
    return standard[:, None, :, None]


@functools.cache
def _common_band() -> NDArray[np.float64]:
    return np.asarray(scipy.signal.butter(8, _COMMON_BAND_HZ, fs=_RATE_HZ, output="sos"))


def _score(probabilities: NDArray[np.floating], part: Part) -> float:
    return balanced_accuracy(part.targets, probabilities.argmax(axis=-1))
