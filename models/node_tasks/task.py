"""What a network for a node is trained on and judged by, and its training; refuses parts that do not fit together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["Part", "Task", "descend", "outputs", "train"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs of one side of a split, with what they are to give and where they come from.

    Attributes
    ----------
    inputs : ndarray of float32, shape (items, ...)
        As the network takes them, scaled.
    targets : ndarray, shape (items, ...)
        What the loss compares with in training, and the score in validation and test.
    sources : ndarray of str, shape (items,)
        Bearing, unit or run of each: what a part may not share with another.

    Raises
    ------
    ParameterError
        If there is no item, an input is not finite, or there is not one target and one source for each item.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[Any]
    sources: NDArray[np.str_]

    def __post_init__(self) -> None:
        counts = (len(self.inputs), len(self.targets), len(self.sources))
        if not counts[0] or len(set(counts)) > 1:
            raise ParameterError(
                f"a part has {counts[0]} inputs, {counts[1]} targets and {counts[2]} sources; as many of each, at "
                "least one, are wanted"
            )
        if not np.isfinite(self.inputs).all():
            raise ParameterError("a part has inputs that are NaN or infinite; leave those items out")

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, eq=False)
class Task:
    """A network, its data and its metric.

    Attributes
    ----------
    name : str
        Such as ``M1``.
    metric : str
    larger_is_better : bool
    data : str
        Data set, split and noise in one or a few sentences.
    build : callable
        From a seed to an untrained Keras model, compiled with its loss and optimiser.
    training, validation, test : Part
        No source is in two of them. Choices are made on validation; test is for figures alone.
    batch_size, epochs : int
    score : callable
        From outputs of the network (items, ...), in real units, and the part they belong to, to the metric.

    Raises
    ------
    ParameterError
        If two parts share a source.
    """

    name: str
    metric: str
    larger_is_better: bool
    data: str
    build: Callable[[int], Any]
    training: Part
    validation: Part
    test: Part
    batch_size: int
    epochs: int
    score: Callable[[NDArray[np.floating], Part], float]

    def __post_init__(self) -> None:
        sides = {"training": self.training, "validation": self.validation, "test": self.test}
        sources = {name: set(part.sources.tolist()) for name, part in sides.items()}
        for one, other in (("training", "validation"), ("training", "test"), ("validation", "test")):
            if shared := sorted(sources[one] & sources[other]):
                raise ParameterError(f"{self.name} has {', '.join(shared)} in {one} and {other}; give each to one part")


def train(task: Task, *, seed: int, progress: Progress) -> Any:
    """Train a fresh network of a task.

    Parameters
    ----------
    task : Task
    seed : int
        Of the weights and of the order of the items.
    progress : callable
        Told the passes done and their number.

    Returns
    -------
    keras.Model
        Compiled; its optimiser stands at the rate it began with, so that fine-tuning can go on.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = task.build(seed)
    descend(task, model, epochs=task.epochs, progress=progress)
    return model


def descend(task: Task, model: Any, *, epochs: int, progress: Progress, callbacks: Sequence[Any] = ()) -> None:
    """Let a network of a task learn on, the rate of its optimiser falling to 0 along half a cosine over the passes.

    Parameters
    ----------
    task : Task
    model : keras.Model
        As ``task.build`` compiled it; learns in place.
    epochs : int
        Passes over the training part, at least 1.
    progress : callable
        Told the passes done and their number.
    callbacks : sequence of keras.callbacks.Callback
        Further ones, such as what keeps pruned weights at zero.

    Raises
    ------
    ParameterError
        If no pass is asked for.

    Notes
    -----
    The order of the items is Keras's: `keras.utils.set_random_seed` settles it.
    """
    if epochs < 1:
        raise ParameterError(f"{epochs} passes were asked for; at least 1 is wanted")
    import keras

    first = float(model.optimizer.learning_rate)

    def rate(epoch: int, current: float) -> float:
        del current
        return first * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))

    def tell(epoch: int, logs: Any) -> None:
        del logs
        progress(epoch + 1, epochs)

    told = keras.callbacks.LambdaCallback(on_epoch_end=tell)
    model.fit(
        task.training.inputs,
        task.training.targets,
        batch_size=task.batch_size,
        epochs=epochs,
        callbacks=[keras.callbacks.LearningRateScheduler(rate), *callbacks, told],
        verbose=0,
    )
    model.optimizer.learning_rate.assign(first)


def outputs(model: Any, part: Part) -> NDArray[np.float32]:
    """What a network makes of the inputs of a part, shape (items, ...)."""
    return np.asarray(model.predict(part.inputs, batch_size=512, verbose=0))
