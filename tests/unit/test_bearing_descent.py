"""Networks learned in small batches repeat, see each window once a pass, and normalise at the end by what they meet."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bearing.descent import SmallBatchClassifier, settle
from models.bearing.network import Training

_TRAINING = Training(epochs=3, batch=10, rate=1e-2)


def _normalised(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    layers = keras.layers
    stack = [layers.Input(shape), layers.Dense(8), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.5)]
    return keras.Sequential([*stack, layers.Dense(n_classes, activation="softmax")])


def _two_classes(rng: np.random.Generator) -> tuple[NDArray[np.floating], NDArray[np.str_]]:
    labels = np.repeat(["inner", "outer"], 102)
    return np.where(labels == "inner", 2.0, 5.0)[:, None] + rng.standard_normal((204, 4)), labels


def _learned(x: NDArray[np.floating], labels: NDArray[np.str_], *, seed: int) -> SmallBatchClassifier:
    return SmallBatchClassifier(seed, build=_normalised, training=_TRAINING).fit(x, labels)


def test_classes_are_told_apart_on_windows_not_seen(rng: np.random.Generator) -> None:
    x, labels = _two_classes(rng)
    fresh, truth = _two_classes(rng)
    assert np.mean(_learned(x, labels, seed=1).predict(fresh) == truth) > 0.9


def test_probabilities_repeat_under_a_seed_only(rng: np.random.Generator) -> None:
    x, labels = _two_classes(rng)
    first, again, other = (_learned(x, labels, seed=seed).probabilities(x) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_each_pass_deals_each_window_once_but_those_that_fill_no_batch() -> None:
    classifier = SmallBatchClassifier(2, build=_normalised, training=_TRAINING)
    order = classifier._dealt(204)
    assert order.shape == (3 * 20, 10)
    for seen in np.split(order, 3):
        assert set(Counter(seen.ravel().tolist()).values()) == {1}
    assert (order[:20] != order[20:40]).any()


def test_fewer_windows_than_a_batch_are_one_batch() -> None:
    classifier = SmallBatchClassifier(2, build=_normalised, training=_TRAINING)
    assert classifier._dealt(7).shape == (3, 7)


def test_settled_networks_normalise_all_windows_as_one_batch_would(rng: np.random.Generator) -> None:
    import keras

    layers = keras.layers
    stack = [layers.Input((16, 1)), layers.Conv1D(3, 5), layers.BatchNormalization(), layers.ReLU(), layers.Flatten()]
    model = keras.Sequential([*stack, layers.Dense(4), layers.BatchNormalization()])
    x = (5.0 + 2.0 * rng.standard_normal((50, 16, 1))).astype(np.float32)
    strange = np.asarray(model(x, training=False))
    settle(model, x)
    found = np.asarray(model(x, training=False))
    np.testing.assert_allclose(found, np.asarray(model(x, training=True)), atol=1e-4)
    assert np.abs(found - strange).max() > 0.1
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-4)


def test_learning_leaves_the_network_settled(rng: np.random.Generator) -> None:
    x, labels = _two_classes(rng)
    model = _learned(x, labels, seed=1).model
    reached = np.asarray(model.layers[0](x.astype(np.float32)))
    np.testing.assert_allclose(np.asarray(model.layers[1].moving_mean), reached.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(model.layers[1].moving_variance), reached.var(axis=0), rtol=1e-4)


def test_one_class_alone_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ParameterError, match=r"windows of \['inner'\] alone"):
        _learned(rng.standard_normal((20, 4)), np.full(20, "inner"), seed=1)
