"""The network behind fit and predict tells what differs, weighs classes alike, repeats, and refuses one class alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bearing.network import NetworkClassifier, Training, balanced_weights


def _dense(keras: Any, shape: tuple[int, ...], n_classes: int) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [layers.Input(shape), layers.Dense(8, activation="relu"), layers.Dense(n_classes, activation="softmax")]
    )


def _classifier(seed: int = 1) -> NetworkClassifier:
    return NetworkClassifier(seed, build=_dense, training=Training(epochs=20, batch=16, rate=1e-2))


def _clouds(rng: np.random.Generator, *, each: int) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    labels = np.repeat(["inner", "normal", "outer"], each)
    centres = np.repeat(np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]]), each, axis=0)
    return centres + 0.3 * rng.standard_normal(centres.shape), labels


def test_classes_apart_are_told_apart_with_probabilities_that_sum_to_one(rng: np.random.Generator) -> None:
    x, labels = _clouds(rng, each=30)
    learned = _classifier().fit(x, labels)
    test, truth = _clouds(rng, each=10)
    assert (learned.predict(test) == truth).all()
    assert learned.probabilities(test).sum(axis=-1) == pytest.approx(np.ones(30), abs=1e-5)


def test_the_same_seed_learns_the_same_network(rng: np.random.Generator) -> None:
    x, labels = _clouds(rng, each=10)
    first, second, other = (_classifier(seed).fit(x, labels).probabilities(x) for seed in (3, 3, 4))
    assert (first == second).all()
    assert (first != other).any()


def test_rare_classes_weigh_as_much_as_common_ones(rng: np.random.Generator) -> None:
    index = rng.integers(0, 4, 200) ** 2
    weights = balanced_weights(index)
    assert weights.mean() == pytest.approx(1.0)
    assert [weights[index == i].sum() for i in np.unique(index)] == pytest.approx([50.0] * 4)


def test_one_class_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"windows of \['outer'\] alone were given; two classes"):
        _classifier().fit(np.zeros((3, 2)), np.repeat("outer", 3))


def test_what_has_not_learned_is_refused() -> None:
    with pytest.raises(ParameterError, match="before it had learned"):
        _classifier().predict(np.zeros((3, 2)))
