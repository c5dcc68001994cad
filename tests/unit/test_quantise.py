"""Conversion to int8 and fine-tuning that sees the rounding: what outliers cost is won back, masks hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.aware import _functional, _kernels, _on_grid, _range_of, _ranges, _rounding, tune_aware
from edge.convert import to_tflite_int8
from edge.oracle import run_numbers
from edge.quantise import Form, forms_beside, quantise
from edge.tflite.reading import read_tflite
from features.errors import ParameterError


def _clusters(n: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Four kinds in seven numbers; the eighth is always 0, so that no weight on it says anything."""
    centres = np.random.default_rng(0).standard_normal((4, 8))
    rng = np.random.default_rng(seed)
    kinds = rng.integers(4, size=n)
    x = centres[kinds] + 0.55 * rng.standard_normal((n, 8))
    x[:, 7] = 0.0
    return x.astype(np.float32), kinds


@pytest.fixture(scope="module")
def outlier() -> Any:
    """A trained network with one weight hundreds of times the others, on the input that is always 0."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    network = keras.Sequential(
        [layers.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(4, activation="softmax")]
    )
    network.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01))
    network.fit(*_clusters(600, seed=1), epochs=15, verbose=0)
    kernel = np.asarray(network.layers[0].kernel).copy()
    kernel[7, 0] = 250.0
    network.layers[0].kernel.assign(kernel)
    return network


def _right(outputs: NDArray[np.float64]) -> float:
    return float(np.mean(outputs.argmax(axis=1) == _clusters(1000, seed=2)[1]))


def test_a_scale_for_all_outputs_loses_what_tuning_wins_back(outlier: Any) -> None:
    x, kinds = _clusters(600, seed=1)
    before = outlier.get_weights()
    done: list[tuple[int, int]] = []

    def tune() -> Any:
        return tune_aware(
            outlier, x, kinds, representative=x[:200], epochs=12, batch_size=32, learning_rate=0.01, seed=1,
            dense_per_channel=False, progress=lambda epoch, total: done.append((epoch, total)),
        )  # fmt: skip

    made = quantise(
        outlier, x[:200], inputs=_clusters(1000, seed=2)[0], score=_right, tune=tune, dense_per_channel=False
    )
    whole, plain, tuned = (form.metric for form in made.forms)
    assert [form.name for form in made.forms] == ["float", "int8", "int8 tuned"]
    # The second source of the float figure: Keras itself.
    assert whole == _right(outlier.predict(_clusters(1000, seed=2)[0], verbose=0))
    assert plain < whole - 0.3
    assert tuned > whole - 0.05
    assert made.tuned
    assert _right(run_numbers(made.model, _clusters(1000, seed=2)[0])) == tuned
    assert done[-1] == (12, 12)
    assert all(np.array_equal(a, b) for a, b in zip(before, outlier.get_weights(), strict=True))


def test_a_scale_an_output_needs_no_tuning(outlier: Any) -> None:
    x, _ = _clusters(600, seed=1)

    def never() -> Any:
        raise AssertionError("it was fine-tuned without need")

    made = quantise(outlier, x[:200], inputs=_clusters(1000, seed=2)[0], score=_right, allowed_loss=0.02, tune=never)
    assert not made.tuned
    assert len(made.forms) == 2
    assert made.forms[1].n_bytes == len(made.model) < 4000


def test_where_smaller_is_better_the_worse_form_is_not_taken(outlier: Any) -> None:
    x, _ = _clusters(600, seed=1)

    def spoilt() -> Any:
        import keras

        other = keras.models.clone_model(outlier)
        *first, kernel, bias = outlier.get_weights()
        other.set_weights([*first, -kernel, -bias])
        return other

    made = quantise(
        outlier, x[:200], inputs=_clusters(1000, seed=2)[0], score=lambda outputs: 1.0 - _right(outputs),
        larger_is_better=False, allowed_loss=-1.0, tune=spoilt,
    )  # fmt: skip
    assert not made.tuned
    assert made.forms[2].metric > made.forms[1].metric


def test_dense_layers_have_one_scale_or_one_an_output(outlier: Any) -> None:
    x, _ = _clusters(200, seed=1)
    for per_channel, wanted in ((True, [16, 4]), (False, [1, 1])):
        graph = read_tflite(to_tflite_int8(outlier, x, dense_per_channel=per_channel))
        dense = [op for op in graph.operators if op.name == "FULLY_CONNECTED"]
        assert [len(graph.tensors[op.inputs[1]].quantised.scales) for op in dense] == wanted


def _convolutional() -> Any:
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Input((1, 24, 2)),
            layers.Conv2D(8, (1, 3), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D((1, 2)),
            layers.DepthwiseConv2D((1, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    network.compile(loss="mse", optimizer="adam")
    return network


def test_the_rounding_that_is_learned_with_is_that_of_the_int8_form(rng: np.random.Generator) -> None:
    network = _convolutional()
    x = rng.standard_normal((100, 1, 24, 2)).astype(np.float32)
    network.fit(x, x[:, 0, :3, 0], epochs=3, verbose=0)
    graph = _functional(network)
    kernels = _kernels(graph, {}, dense_per_channel=True)
    rounding = _rounding(graph, _ranges(graph, x))
    values = [kernels[id(v)].rounded() if id(v) in kernels else v for v in rounding.trainable_variables]
    taken = _on_grid(x, *_range_of(x))
    imitated, _ = rounding.stateless_call(values, rounding.non_trainable_variables, [taken], training=False)
    model = to_tflite_int8(network, x)
    step = read_tflite(model).tensors[read_tflite(model).outputs[0]].quantised.scale
    real = np.rint(run_numbers(model, x) / step)
    # The same integers but where an exact half is close; the float network gives others as often as not.
    assert np.mean(np.rint(np.asarray(imitated) / step) == real) > 0.8
    assert np.mean(np.rint(np.asarray(network(x)) / step) == real) < 0.7


def test_masks_hold_and_batch_normalisation_stands_still(rng: np.random.Generator) -> None:
    network = _convolutional()
    x = rng.standard_normal((64, 1, 24, 2)).astype(np.float32)
    pruned = network.layers[0], network.layers[-1]
    masks = {layer.name: rng.random(tuple(layer.kernel.shape)) < 0.5 for layer in pruned}
    tuned = tune_aware(
        network, x, x[:, 0, :3, 0], representative=x, epochs=2, batch_size=16, learning_rate=0.01, seed=1, masks=masks
    )
    for before, after in zip(network.layers, tuned.layers[1:], strict=True):
        if before.name in masks:
            kept = masks[before.name]
            assert not np.asarray(after.kernel)[~kept].any()
            assert np.count_nonzero(np.asarray(after.kernel)) == np.count_nonzero(kept)
    for before, after in zip(network.layers[1].get_weights(), tuned.layers[2].get_weights(), strict=True):
        assert np.array_equal(before, after)
    depthwise = [np.asarray(model.get_layer(network.layers[4].name).kernel) for model in (network, tuned)]
    assert np.abs(depthwise[0] - depthwise[1]).max() > 1e-3
    integers = read_tflite(to_tflite_int8(tuned, x))
    (dense,) = (op for op in integers.operators if op.name == "FULLY_CONNECTED")
    weights = integers.tensors[dense.inputs[1]].data
    assert weights is not None
    assert not weights.T[~masks[network.layers[-1].name]].any()


def test_the_same_seed_gives_the_same_network(outlier: Any) -> None:
    x, kinds = _clusters(100, seed=1)
    options = {"representative": x, "epochs": 1, "batch_size": 32, "learning_rate": 0.01, "seed": 5}
    one, two = (tune_aware(outlier, x, kinds, **options) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights(), strict=True))


def test_what_cannot_be_tuned_is_refused(outlier: Any) -> None:
    import keras

    x, kinds = _clusters(10, seed=1)
    options = {"representative": x, "epochs": 1, "batch_size": 5, "learning_rate": 0.01, "seed": 1}
    silent = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(2)])
    with pytest.raises(ParameterError, match="without a loss"):
        tune_aware(silent, x, kinds, **options)
    recurrent = keras.Sequential([keras.layers.Input((8, 1)), keras.layers.LSTM(2)])
    recurrent.compile(loss="mse")
    with pytest.raises(ParameterError, match="is a LSTM, whose rounding is not known"):
        tune_aware(recurrent, x[..., None], kinds, **options)
    with pytest.raises(ParameterError, match=r"mask of shape \(2,\) was given for nothing; None is wanted"):
        tune_aware(outlier, x, kinds, masks={"nothing": np.ones(2, dtype=bool)}, **options)


def test_forms_stand_side_by_side(outlier: Any) -> None:
    x, _ = _clusters(200, seed=1)
    one = to_tflite_int8(outlier, x)
    forms = forms_beside({"int8": one, "again": one}, x, lambda outputs: float(len(outputs)))
    assert forms == (Form("int8", 200.0, len(one)), Form("again", 200.0, len(one)))
