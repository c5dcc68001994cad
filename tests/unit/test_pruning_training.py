"""Dropped weights stay exactly 0 through training and conversion, and the ramp of sparsity ends where it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.convert import to_tflite_int8
from edge.pruning.blocks import SHAPES, block_of, kept_blocks, rows_of
from edge.pruning.descent import Lesson, MaskedDescent, taught_by
from edge.pruning.gradual import Gauge, Recipe, prune_blocks, ramp
from edge.pruning.masks import kernels_of, masks_of, prunable, sparsity_of
from features.errors import ParameterError


def _silent(text: str) -> None:
    del text


def _lesson(rng: np.random.Generator) -> Lesson:
    inputs = rng.standard_normal((256, 1, 16, 3)).astype(np.float32)
    targets = inputs[:, 0, :, 0].mean(axis=1, keepdims=True) + inputs[:, 0, :4, 1].max(axis=1, keepdims=True)
    return Lesson(inputs, targets.astype(np.float32), batch=32)


def _model() -> Any:
    """Convolutions over 3 and 6 channels, normalised, and two dense layers."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((1, 16, 3)),
            layers.Conv2D(6, (1, 5), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D((1, 2)),
            layers.Conv2D(8, (1, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss="mse")
    return model


def _pruned(rng: np.random.Generator, name: str, **recipe: Any) -> Any:
    model = _model()
    blocks = {layer.name: block_of(name) for layer in prunable(model)}
    settings = Recipe(**{"ramp_epochs": 3, "tune_epochs": 2, "rises": 3, **recipe})
    return prune_blocks(model, _lesson(rng), blocks=blocks, sparsity=0.6, recipe=settings, seed=1, progress=_silent)


def _weight_tensors(network: bytes) -> list[NDArray[np.int8]]:
    """The constant int8 tensors of convolutions and dense layers, in their order in the network."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(network, 0))
    part, found = graph.subgraphs[0], []
    for operator in part.operators:
        code = graph.operatorCodes[operator.opcodeIndex].builtinCode
        if code in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED):
            tensor = part.tensors[operator.inputs[1]]
            data = np.frombuffer(bytes(graph.buffers[tensor.buffer].data), np.int8)
            found.append(data.reshape(tensor.shape))
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_zero_blocks_survive_training_and_lie_at_the_same_places_in_the_integers(
    name: str, rng: np.random.Generator
) -> None:
    pruned = _pruned(rng, name)
    assert 0.5 < sparsity_of(pruned) <= 0.61
    tensors = _weight_tensors(to_tflite_int8(pruned, _lesson(rng).inputs[:32]))
    kernels = list(kernels_of(pruned).values())
    assert len(tensors) == len(kernels) == 4
    for kernel, tensor in zip(kernels, tensors, strict=True):
        rows = rows_of(kernel)
        assert tensor.shape[0] == kernel.shape[-1]
        given = tensor.reshape(rows.shape)
        assert (given[rows == 0.0] == 0).all()
        kept = kept_blocks(kernel, block_of(name))
        from_integers = np.moveaxis(given.reshape(kernel.shape[-1], *kernel.shape[:-1]), 0, -1)
        # A block of weights that all round to 0 may vanish, none may appear.
        assert not (kept_blocks(from_integers, block_of(name)) & ~kept).any()
        assert not kept.all()


def test_biases_are_not_pruned_and_the_model_given_is_not_changed(rng: np.random.Generator) -> None:
    model = _model()
    before = [value.copy() for value in model.get_weights()]
    blocks = {layer.name: block_of("1x4") for layer in prunable(model)}
    recipe = Recipe(ramp_epochs=2, tune_epochs=1, rises=2)
    pruned = prune_blocks(model, _lesson(rng), blocks=blocks, sparsity=0.5, recipe=recipe, seed=1, progress=_silent)
    assert all((one == other).all() for one, other in zip(before, model.get_weights(), strict=True))
    assert all(np.count_nonzero(layer.bias) for layer in prunable(pruned)[1:3])


def test_one_threshold_spends_the_same_weights_unevenly(rng: np.random.Generator) -> None:
    pruned = _pruned(rng, "1x4", whole=True)
    assert sparsity_of(pruned) == pytest.approx(0.6, abs=0.01)
    shares = [float(mask.mean()) for mask in masks_of(pruned).values()]
    assert max(shares) - min(shares) > 0.05


def test_the_same_seed_prunes_the_same(rng: np.random.Generator) -> None:
    lesson = _lesson(rng)
    recipe = Recipe(ramp_epochs=1, tune_epochs=1, rises=2)
    blocks = {layer.name: block_of("2x4") for layer in prunable(_model())}
    first, second = (
        prune_blocks(_model(), lesson, blocks=blocks, sparsity=0.5, recipe=recipe, seed=4, progress=_silent)
        for _ in range(2)
    )
    assert all((one == other).all() for one, other in zip(first.get_weights(), second.get_weights(), strict=True))


def test_training_lowers_the_loss_as_keras_does_without_masks(rng: np.random.Generator) -> None:
    lesson = _lesson(rng)
    ours, theirs = _model(), _model()
    MaskedDescent(ours, lesson, seed=1).run(np.full(20 * lesson.steps, 1e-3))
    theirs.fit(lesson.inputs, lesson.targets, batch_size=lesson.batch, epochs=20, verbose=0)
    reached, wanted = (float(model.evaluate(lesson.inputs, lesson.targets, verbose=0)) for model in (ours, theirs))
    assert reached == pytest.approx(wanted, rel=0.5)
    assert reached < 0.5 * float(_model().evaluate(lesson.inputs, lesson.targets, verbose=0))


def test_a_gauge_keeps_the_best_pass(rng: np.random.Generator) -> None:
    scores = iter([0.2, 0.9, 0.4])
    seen: list[list[NDArray[np.float32]]] = []

    def score(model: Any) -> float:
        seen.append(model.get_weights())
        return next(scores)

    model = _model()
    recipe = Recipe(ramp_epochs=1, tune_epochs=3, rises=1)
    pruned = prune_blocks(
        model, _lesson(rng), blocks={}, sparsity=0.0, recipe=recipe, seed=1, progress=_silent, gauge=Gauge(score)
    )
    assert all((one == other).all() for one, other in zip(pruned.get_weights(), seen[1], strict=True))


def test_the_ramp_is_cubic_between_its_ends() -> None:
    ends = [ramp(done, final=0.9, initial=0.1) for done in (-1.0, 0.0, 1.0, 2.0)]
    assert ends == pytest.approx([0.1, 0.1, 0.9, 0.9])
    rising = [ramp(done, final=0.9) for done in np.linspace(0, 1, 9)]
    # A cubic has a constant third difference: that of (1 - t)^3 times -0.9 at steps of an eighth.
    assert np.diff(rising, n=3) == pytest.approx(np.full(6, 0.9 * 6 / 8**3))


def test_a_teacher_blends_into_the_targets(rng: np.random.Generator) -> None:
    lesson, teacher = _lesson(rng), _model()
    blended = taught_by(teacher, lesson, share=0.25)
    answers = np.asarray(teacher(lesson.inputs))
    assert blended.targets == pytest.approx(0.75 * lesson.targets + 0.25 * answers, abs=1e-5)
    assert taught_by(teacher, lesson, share=0.0) is lesson


def test_a_teacher_of_classes_is_learned_from_as_probabilities(rng: np.random.Generator) -> None:
    import keras

    teacher = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(3, activation="softmax")])
    teacher.compile(loss=keras.losses.SparseCategoricalCrossentropy())
    lesson = Lesson(rng.standard_normal((64, 6)).astype(np.float32), rng.integers(0, 3, 64), 16)
    blended = taught_by(teacher, lesson, share=0.4)
    answers = np.asarray(teacher(lesson.inputs))
    assert blended.targets == pytest.approx(0.6 * np.eye(3)[lesson.targets] + 0.4 * answers, abs=1e-5)
    loss = MaskedDescent(teacher, blended, seed=1).run(np.zeros(4))
    assert loss == pytest.approx(float(-(blended.targets * np.log(answers)).sum(axis=1).mean()), rel=1e-4)


def test_too_few_rows_and_a_recipe_without_a_rise_are_refused(rng: np.random.Generator) -> None:
    lesson = _lesson(rng)
    with pytest.raises(ParameterError, match="3 rows were given to batches of 32"):
        MaskedDescent(_model(), Lesson(lesson.inputs[:3], lesson.targets[:3], 32), seed=1)
    with pytest.raises(ParameterError, match="a recipe of 0 rises"):
        _pruned(rng, "1x4", rises=0)
