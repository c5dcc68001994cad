"""M3: a convolutional network of remaining life over 30 cycles of 14 sensors of a turbofan; refuses other subsets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.cmapss import turbofans
from models.life.metrics import rmse
from models.life.ours import in_cycles
from models.life.protocol import CAP, Normaliser, Unit, cut_short, held_out, run_to_failure, targets, truncated, windows
from models.node_tasks.task import Part, Task

__all__ = ["N_CYCLES", "N_SENSORS", "build_life", "life_task", "trailing_means"]

N_CYCLES, N_SENSORS = 30, 14
_SUBSET = "FD001"
# Counted from 0: of the 15 that vary here, this one takes two values only.
_TWO_VALUED = 5
_MEAN_OF, _LIMIT = 10, 5.0
_FOLDS, _DEALT, _CUTS, _SHORTEST = 5, 0, 10, 20
_DROPPED = 0.1
_RATE, _BATCH, _EPOCHS = 2e-3, 128, 24

_DATA = (
    f"C-MAPSS {_SUBSET}: 30 cycles of 14 sensors, each a trailing mean of {_MEAN_OF} cycles in deviations from the "
    f"training engines, cut to -5 to 5; remaining cycles in units of {CAP:.0f}, capped at {CAP:.0f} in training, "
    "validation and test. Learned from 80 of the 100 run-to-failure engines, validated on the other 20, each cut at "
    "ten random cycles, tested at the last cycle of the 100 test engines."
)


def trailing_means(values: NDArray[np.floating], *, of: int) -> NDArray[np.float64]:
    """Mean of each row and the ones before it, at most `of` rows; shape (cycles, k) as given.

    Examples
    --------
    >>> trailing_means(np.array([[0.0], [2.0], [4.0]]), of=2)[:, 0].tolist()
    [0.0, 1.0, 3.0]
    """
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=float)])
    end = np.arange(1, len(values) + 1)
    first = np.maximum(end - of, 0)
    return np.asarray((sums[end] - sums[first]) / (end - first)[:, None])


def build_life(seed: int) -> Any:
    """Build and compile the network: three convolutions of 32 kernels of 3 cycles, a layer of 24, one output.

    Notes
    -----
    Each convolution, of height 1 and with same padding, is normalised by batch and rectified; the first two are halved
    by maxima. The peer's network of this name is known by its sizes alone (a `.tflite` of 18,224 bytes); this one is
    meant to be no lighter.
    """
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    stack = [layers.Input((1, N_CYCLES, N_SENSORS))]
    for filters, halved in ((32, True), (32, True), (32, False)):
        stack += [layers.Conv2D(filters, (1, 3), padding="same", use_bias=False), layers.BatchNormalization()]
        stack += [layers.ReLU(), *([layers.MaxPooling2D((1, 2))] if halved else [])]
    stack += [layers.Flatten(), layers.Dropout(_DROPPED), layers.Dense(24, activation="relu"), layers.Dense(1)]
    model = keras.Sequential(stack, name="m3")
    model.compile(optimizer=keras.optimizers.Adam(_RATE), loss="mean_squared_error")
    return model


def life_task(folder: Path) -> Task:
    """Read FD001 and divide its run-to-failure engines.

    Parameters
    ----------
    folder : Path
        The C-MAPSS pack.

    Returns
    -------
    Task
        Targets are the capped remaining cycles over ``CAP``, shape (items, 1); the score is the root mean squared error
        in cycles, of outputs within 0 to ``CAP``.

    Raises
    ------
    RecordingError
        If the pack is missing or damaged.
    """
    data = turbofans(folder, _SUBSET)
    learning, validating = held_out(run_to_failure(data), folds=_FOLDS, seed=_DEALT)[0]
    normaliser = Normaliser.learn(learning)
    validating = truncated(validating, cuts=_CUTS, shortest=_SHORTEST, seed=_DEALT)
    return Task(
        name="M3",
        metric="RMSE",
        larger_is_better=False,
        data=_DATA,
        build=build_life,
        training=_every_row(normaliser, learning),
        validation=_last_rows(normaliser, validating, called="training unit"),
        test=_last_rows(normaliser, cut_short(data), called="test unit"),
        batch_size=_BATCH,
        epochs=_EPOCHS,
        score=_score,
    )


def _inputs(normaliser: Normaliser, unit: Unit) -> NDArray[np.float32]:
    """The window that ends at each row, shape (cycles, 1, 30, 14)."""
    deviations = normaliser.apply(unit)[:, normaliser.kept != _TWO_VALUED]
    means = np.clip(trailing_means(deviations, of=_MEAN_OF), -_LIMIT, _LIMIT)
    return windows(means, N_CYCLES)[:, None]


def _every_row(normaliser: Normaliser, units: Sequence[Unit]) -> Part:
    left = np.concatenate([targets(unit) for unit in units])
    sources = np.repeat([f"training unit {unit.number}" for unit in units], [len(unit) for unit in units])
    return Part(np.concatenate([_inputs(normaliser, unit) for unit in units]), left[:, None] / np.float32(CAP), sources)


def _last_rows(normaliser: Normaliser, units: Sequence[Unit], *, called: str) -> Part:
    left = np.array([targets(unit)[-1] for unit in units])
    inputs = np.stack([_inputs(normaliser, unit)[-1] for unit in units])
    return Part(inputs, left[:, None] / np.float32(CAP), np.array([f"{called} {unit.number}" for unit in units]))


def _score(outputs: NDArray[np.floating], part: Part) -> float:
    return rmse(in_cycles(outputs)[:, 0], CAP * part.targets[:, 0].astype(float))
