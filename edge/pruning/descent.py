"""Training in which dropped weights stay exactly 0, all steps of a call in one graph; refuses too few rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.pruning.masks import Masks, prunable
from features.errors import ParameterError

__all__ = ["Lesson", "MaskedDescent", "copy_of", "taught_by"]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a model learns from.

    Attributes
    ----------
    inputs, targets : ndarray, shape (rows, ...)
        As the loss that the model was compiled with takes them.
    batch : int
        Rows of a step.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.generic]
    batch: int

    @property
    def steps(self) -> int:
        """Steps of one pass; the rows that fill no batch wait for the next."""
        return len(self.inputs) // self.batch


def taught_by(teacher: Any, lesson: Lesson, *, share: float) -> Lesson:
    """Blend the targets of a lesson with what another model answers.

    Parameters
    ----------
    teacher : keras.Model
    lesson : Lesson
        Its targets have the shape of the outputs, or are numbers of the classes of a softmax.
    share : float
        Weight of the teacher, from 0 to 1.

    Returns
    -------
    Lesson

    Notes
    -----
    Squared error and cross-entropy are, up to a constant, linear in the targets: learning from blended targets is
    learning from both losses.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015.
    """
    if not share:
        return lesson
    answers = np.asarray(teacher.predict(lesson.inputs, batch_size=1024, verbose=0))
    targets = np.asarray(lesson.targets)
    if targets.size != answers.size:
        targets = np.eye(answers.shape[-1])[targets.reshape(-1).astype(int)]
    blended = (1.0 - share) * targets.reshape(answers.shape) + share * answers
    return Lesson(lesson.inputs, blended.astype(np.float32), lesson.batch)


def copy_of(model: Any) -> Any:
    """Give a copy of a compiled model with the same weights and loss and a fresh optimiser."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.compile(optimizer="adam", loss=model.loss)
    return copy


class MaskedDescent:
    """Adam under masks.

    Parameters
    ----------
    model : keras.Model
        Compiled with its loss; learns in place.
    lesson : Lesson
    seed : int
        Of the order of the rows.

    Raises
    ------
    ParameterError
        If the lesson has fewer rows than a batch.

    Notes
    -----
    After each step the kernels are multiplied by their masks within the graph: a return to Python would cost more than
    a step of networks as small as these.
    """

    def __init__(self, model: Any, lesson: Lesson, *, seed: int) -> None:
        import keras
        import tensorflow as tf

        if lesson.steps < 1:
            raise ParameterError(
                f"{len(lesson.inputs)} rows were given to batches of {lesson.batch}; give as many rows"
            )
        self.model = model
        self._lesson = lesson
        self._rng = np.random.default_rng(seed)
        self._data = tf.constant(lesson.inputs), tf.constant(lesson.targets)
        self._layers = prunable(model)
        self._masks = [tf.Variable(tf.ones(layer.kernel.shape), trainable=False) for layer in self._layers]
        optimizer = keras.optimizers.Adam(1e-3)
        optimizer.build(model.trainable_variables)
        self._run = tf.function(_steps(model, _loss(model, lesson), optimizer, self._layers, self._masks))

    def mask(self, masks: Masks) -> None:
        """Drop weights from now on; layers that the masks lack keep all of theirs."""
        for layer, variable in zip(self._layers, self._masks, strict=True):
            kept = masks.get(layer.name)
            variable.assign(np.ones(variable.shape) if kept is None else kept)
            layer.kernel.assign(layer.kernel * variable)

    def run(self, rates: NDArray[np.floating]) -> float:
        """Take one step for each learning rate and give the mean loss before the steps."""
        import tensorflow as tf

        if not len(rates):
            return float("nan")
        given = tf.constant(rates, tf.float32), tf.constant(self._dealt(len(rates)), tf.int32)
        return float(self._run(*self._data, *given))

    def _dealt(self, steps: int) -> NDArray[np.intp]:
        """Rows of each batch, shape (steps, batch)."""
        lesson = self._lesson
        passes = [
            self._rng.permutation(len(lesson.inputs))[: lesson.steps * lesson.batch]
            for _ in range(-(-steps // lesson.steps))
        ]
        return np.concatenate(passes).reshape(-1, lesson.batch)[:steps]


def _loss(model: Any, lesson: Lesson) -> Any:
    """The model's own loss; where it takes numbers of classes and the lesson has their probabilities, that of these."""
    import keras

    own = keras.losses.get(model.loss)
    probabilities = np.issubdtype(lesson.targets.dtype, np.floating)
    if isinstance(own, keras.losses.SparseCategoricalCrossentropy) and probabilities:
        return keras.losses.CategoricalCrossentropy()
    return own


def _steps(model: Any, loss: Any, optimizer: Any, layers: list[Any], masks: list[Any]) -> Any:
    """Give the descent over any number of batches, for the graph."""
    import tensorflow as tf

    def take(data: Any, truth: Any, rates: Any, order: Any) -> Any:
        total = tf.constant(0.0)
        for i in tf.range(tf.shape(order)[0]):
            optimizer.learning_rate.assign(rates[i])
            rows, wanted = tf.gather(data, order[i]), tf.gather(truth, order[i])
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(loss(wanted, model(rows, training=True)))
            optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
            for layer, mask in zip(layers, masks, strict=True):
                layer.kernel.assign(layer.kernel * mask)
            total += value
        return total / tf.cast(tf.shape(order)[0], tf.float32)

    return take
