"""Integer networks: dequantised outputs stay within their steps of the float ones, other kinds are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge.convert import to_tflite, to_tflite_int8
from features.errors import ArtifactError, ParameterError
from models.integer import run_int8
from models.life.integer import cmapss_int8


@pytest.fixture(scope="module")
def network() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def test_integers_stand_for_about_what_the_floats_say(network: Any, rng: np.random.Generator) -> None:
    x = rng.standard_normal((200, 6)).astype(np.float32)
    wanted = np.asarray(network(x))
    given = run_int8(to_tflite_int8(network, x), x)
    assert given.shape == wanted.shape
    step = (wanted.max() - wanted.min()) / 255.0
    assert np.abs(given - wanted).max() < 6.0 * step
    # All outputs share one scale, so that few distinct values can be told apart.
    assert np.unique(given).size <= 256


def test_a_float_network_is_refused(network: Any) -> None:
    with pytest.raises(ArtifactError, match="float32 in and float32 out was given; int8 is wanted"):
        run_int8(to_tflite(network), np.zeros((1, 6)))


def test_measuring_without_seeds_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ParameterError, match="without a seed"):
        cmapss_int8(tmp_path, quantise=to_tflite_int8, subsets=["FD001"], seeds=[], progress=lambda *_: None)
