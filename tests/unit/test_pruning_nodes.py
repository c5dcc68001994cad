"""A model without nodes computes what the whole one does with the weights out of them at 0; inputs and outputs stay."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from edge.pruning.descent import Lesson
from edge.pruning.gradual import Recipe
from edge.pruning.masks import prunable
from edge.pruning.nodes import node_scores, prune_nodes, without_nodes
from features.errors import ParameterError


def _silent(text: str) -> None:
    del text


def _model(*, flat: bool) -> Any:
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
            layers.DepthwiseConv2D((1, 3), padding="same"),
            layers.Conv2D(8, (1, 3), activation="relu"),
            layers.Flatten() if flat else layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="relu"),
            layers.Dense(2),
        ]
    )
    model.compile(optimizer="adam", loss="mse")
    rng = np.random.default_rng(5)
    model.set_weights([rng.uniform(0.1, 1.0, value.shape) * rng.choice([-1, 1]) for value in model.get_weights()])
    normal = model.layers[1]
    normal.moving_variance.assign(np.abs(normal.moving_variance))
    return model


def _kept(model: Any) -> dict[str, Any]:
    first, second, third = (layer.name for layer in prunable(model)[:3])
    return {
        first: np.array([True, False, True, True, False, True]),
        second: np.arange(8) % 3 != 0,
        third: np.arange(10) < 7,
    }


@pytest.mark.parametrize("flat", [True, False])
def test_the_smaller_model_equals_the_whole_one_with_the_weights_out_of_its_lost_nodes_at_zero(
    flat: bool, rng: np.random.Generator
) -> None:
    model = _model(flat=flat)
    kept = _kept(model)
    smaller = without_nodes(model, kept)
    layers = prunable(model)
    for this, following in itertools.pairwise(layers):
        kernel = np.asarray(following.kernel).copy()
        repeats = kernel.shape[-2] // len(kept[this.name])
        kernel[..., ~np.tile(kept[this.name], repeats), :] = 0.0
        following.kernel.assign(kernel)
    x = rng.standard_normal((20, 1, 16, 3)).astype(np.float32)
    assert np.asarray(smaller(x)) == pytest.approx(np.asarray(model(x)), rel=1e-4, abs=1e-4)
    assert smaller.count_params() < model.count_params()
    assert [layer.kernel.shape[-1] for layer in prunable(smaller)] == [4, 5, 7, 2]


def test_a_node_that_matters_scores_highest_whatever_the_scale_between_layers() -> None:
    model = _model(flat=True)
    first, _, third, last = prunable(model)
    name = third.name
    kernel, bias = third.get_weights()
    out = np.asarray(last.kernel).copy()
    scores = node_scores(model)[name]
    assert scores == pytest.approx(np.sqrt((kernel**2).mean(axis=0)) * np.sqrt((out**2).mean(axis=1)), rel=1e-5)
    kernel[:, 4] *= 10.0
    out[4] /= 10.0
    third.set_weights([kernel, bias])
    last.kernel.assign(out)
    assert node_scores(model)[name] == pytest.approx(scores, rel=1e-5)
    normal = model.layers[1]
    gamma = np.asarray(normal.gamma).copy()
    gamma[2] *= 50.0
    normal.gamma.assign(gamma)
    assert int(np.argmax(node_scores(model)[first.name])) == 2


def test_nodes_go_in_rounds_down_to_their_share(rng: np.random.Generator) -> None:
    x = rng.standard_normal((64, 1, 16, 3)).astype(np.float32)
    lesson = Lesson(x, x[:, 0, :2, 0], batch=16)
    model = _model(flat=False)
    recipe = Recipe(ramp_epochs=2, tune_epochs=1, rises=2)
    smaller = prune_nodes(model, lesson, share=0.5, recipe=recipe, seed=1, progress=_silent)
    assert [layer.kernel.shape[-1] for layer in prunable(smaller)] == [3, 4, 5, 2]
    assert [layer.kernel.shape[-1] for layer in prunable(model)] == [6, 8, 10, 2]


def test_outputs_emptied_layers_and_branches_are_refused() -> None:
    import keras

    model = _model(flat=True)
    names = [layer.name for layer in prunable(model)]
    with pytest.raises(ParameterError, match=f"nodes of {names[3]} are to go; one of {names[0]}"):
        without_nodes(model, {names[3]: np.array([True, False])})
    with pytest.raises(ParameterError, match=r"all nodes of .* are to go"):
        without_nodes(model, {names[0]: np.zeros(6, dtype=bool)})
    x = keras.layers.Input((4,))
    branched = keras.Model(x, keras.layers.Add()([keras.layers.Dense(4)(x), x]))
    with pytest.raises(ParameterError, match="a plain chain is wanted"):
        without_nodes(branched, {})
