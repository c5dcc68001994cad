"""Multiplications are counted as a loop counts them, and thresholds let through the winners and nothing else."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.pruning.activity import activity, computation_saved
from edge.pruning.blocks import block_of, kept_blocks, spread
from edge.pruning.descent import Lesson
from edge.pruning.gradual import Gauge, Recipe
from edge.pruning.integral import prune_activations, rectified, thresholds_for, with_thresholds
from edge.pruning.masks import prunable
from features.errors import ParameterError


def _silent(text: str) -> None:
    del text


def _model() -> Any:
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((1, 12, 2)),
            layers.Conv2D(8, (1, 3), padding="same", activation="relu", name="first"),
            layers.MaxPooling2D((1, 2), name="pool"),
            layers.Conv2D(5, (1, 3), strides=(1, 2), padding="same", name="second"),
            layers.Flatten(name="flat"),
            layers.Dense(4, activation="relu", name="third"),
            layers.Dense(3, name="last"),
        ]
    )
    model.compile(optimizer="adam", loss="mse")
    for layer in prunable(model):
        kernel = np.asarray(layer.kernel)
        block = block_of("4x4")
        kept = np.random.default_rng(1).random(kept_blocks(kernel, block).shape) < 0.6
        layer.kernel.assign(kernel * spread(kept, kernel.shape, block))
    return model


def _before(model: Any, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
    values: Any = x
    for layer in model.layers:
        if layer.name == name:
            return np.asarray(values)
        values = layer(values)
    raise AssertionError(name)


def _slow_convolution(values: NDArray[np.float32], kernel: NDArray[np.float32], stride: int) -> tuple[int, int, int]:
    """All, by weight, by both, of a convolution along a line with the padding that keeps ``ceil(n / stride)``."""
    n, (_, taps, channels, outputs) = values.shape[2], kernel.shape
    places = -(-n // stride)
    left = max((places - 1) * stride + taps - n, 0) // 2
    counts = [0, 0, 0]
    for item, place, tap in itertools.product(range(len(values)), range(places), range(taps)):
        at = place * stride + tap - left
        if 0 <= at < n:
            for channel, output in itertools.product(range(channels), range(outputs)):
                weight = kernel[0, tap, channel, output] != 0
                counts[0] += 1
                counts[1] += weight
                counts[2] += weight and values[item, 0, at, channel] != 0
    return counts[0], counts[1], counts[2]


def test_multiplications_equal_those_of_a_slow_twin(rng: np.random.Generator) -> None:
    model = _model()
    x = rng.standard_normal((3, 1, 12, 2)).astype(np.float32)
    first, second, third, last = activity(model, x, block=block_of("4x4"))
    for counted, layer, stride in ((first, model.get_layer("first"), 1), (second, model.get_layer("second"), 2)):
        wanted = _slow_convolution(_before(model, layer.name, x), np.asarray(layer.kernel), stride)
        assert [3 * counted.macs, 3 * counted.by_weight, 3 * counted.by_both] == pytest.approx(wanted)
    for counted in (third, last):
        values, kernel = _before(model, counted.layer, x) != 0, np.asarray(model.get_layer(counted.layer).kernel) != 0
        assert counted.by_both == pytest.approx((values[:, :, None] & kernel).sum() / 3)
        assert counted.by_weight == kernel.sum()
        assert counted.macs == kernel.size
        assert counted.active == pytest.approx(values.mean())
    total = first.macs + second.macs + third.macs + last.macs
    both = first.by_both + second.by_both + third.by_both + last.by_both
    assert computation_saved([first, second, third, last]) == pytest.approx(1.0 - both / total)


def test_groups_are_skipped_where_all_four_activations_are_zero(rng: np.random.Generator) -> None:
    model = _model()
    x = rng.standard_normal((40, 1, 12, 2)).astype(np.float32)
    counted = {one.layer: one for one in activity(model, x, block=block_of("4x4"))}["last"]
    values = _before(model, "last", x) != 0
    kept = kept_blocks(np.asarray(model.get_layer("last").kernel), block_of("4x4"))[:, 0]
    blocks = (values.reshape(40, 1, 4).any(axis=2)[:, None] & kept).sum() / 40
    assert counted.by_group == pytest.approx(16.0 * blocks)
    assert counted.by_block == 16.0 * kept.sum() > counted.by_group


def test_only_activations_of_a_rectifier_are_pruned() -> None:
    assert rectified(_model()) == ["second", "last"]


def test_thresholds_let_through_the_winners_unchanged(rng: np.random.Generator, tmp_path: Path) -> None:
    import keras

    model = _model()
    x = rng.standard_normal((200, 1, 12, 2)).astype(np.float32)
    thresholds = thresholds_for(model, x, {"second": 0.1, "last": 1.0})
    assert set(thresholds) == {"second"}
    masked = with_thresholds(model, thresholds)
    whole = _before(model, "second", x)
    level = np.sort(whole.ravel())[-round(0.1 * whole.size) - 1]
    assert thresholds["second"] == pytest.approx(float(level), rel=0.02)
    winners = _before(masked, "second", x)
    assert (winners == np.where(whole > np.float32(thresholds["second"]), whole, 0.0)).all()
    assert activity(masked, x)[1].active == pytest.approx(0.1, abs=0.002)
    masked.save(tmp_path / "masked.keras")
    loaded = keras.models.load_model(tmp_path / "masked.keras")
    assert (np.asarray(loaded(x)) == np.asarray(masked(x))).all()


def test_activations_are_pruned_as_far_as_the_metric_holds(rng: np.random.Generator) -> None:
    x = rng.standard_normal((256, 1, 12, 2)).astype(np.float32)
    lesson = Lesson(x, x[:, 0, :3, 0], batch=32)
    model = _model()
    model.fit(x, lesson.targets, epochs=5, verbose=0)
    gauge = Gauge(lambda one: float(np.mean((np.asarray(one(x)) - lesson.targets) ** 2)), larger_is_better=False)
    recipe = Recipe(tune_epochs=2, rate=1e-3)
    found = prune_activations(
        model, lesson, worst=1.1 * gauge.score(model), gauge=gauge, recipe=recipe, seed=1, progress=_silent, judged=x,
        rates=(0.1, 0.3),
    )  # fmt: skip
    assert found.metric == pytest.approx(gauge.score(found.model))
    assert found.metric <= 1.1 * gauge.score(model)
    assert found.saved > computation_saved(found.before)
    none = prune_activations(
        model, lesson, worst=-1.0, gauge=gauge, recipe=Recipe(tune_epochs=0), seed=1, progress=_silent, judged=x,
        rates=(0.1,),
    )  # fmt: skip
    assert none.model is model
    assert none.saved == computation_saved(none.before)


def test_impossible_rates_and_missing_inputs_are_refused() -> None:
    with pytest.raises(ParameterError, match="a winner rate of 0 was given"):
        thresholds_for(_model(), np.zeros((1, 1, 12, 2)), {"second": 0.0})
    with pytest.raises(ParameterError, match="without inputs"):
        activity(_model(), np.zeros((0, 1, 12, 2)))
