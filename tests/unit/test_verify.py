"""The report of a `.tflite`: counted by hand, and a runner that differs is found where it does."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tflites import convolutional, dense

from edge.oracle import run_tflm
from edge.tflite.reading import read_tflite
from edge.verify import compare, run_litert, vectors_for, verify
from features.errors import ArtifactError, ParameterError


def test_the_report_says_what_the_network_is() -> None:
    vectors = vectors_for(convolutional(), n_random=5, seed=1)
    report = verify(convolutional(), vectors, runners={})
    assert report.operators == (
        "CONV_2D",
        "MAX_POOL_2D",
        "DEPTHWISE_CONV_2D",
        "MEAN",
        "FULLY_CONNECTED",
        "SOFTMAX",
    )
    # Kernel and bias of each layer.
    assert report.parameters == (3 * 3 * 8 + 8) + (3 * 8 + 8) + (8 * 5 + 5)
    assert report.model_bytes == len(convolutional())
    assert (report.input.shape, report.input.dtype) == ((1, 16, 3), "int8")
    # A softmax lies between 0 and 1 in 256 steps, by definition of the operator.
    assert (report.output.shape, report.output.scale, report.output.zero_point) == ((5,), 1 / 256, -128)
    assert report.arena.least_bytes >= report.arena.used_bytes


def test_vectors_cover_the_range_and_real_ones_follow(rng: np.random.Generator) -> None:
    real = rng.standard_normal((3, 40))
    real[0, 0] = 1e6
    vectors = vectors_for(dense(), n_random=200, seed=3, real=real)
    assert vectors.shape == (203, 40)
    assert (vectors[:200].min(), vectors[:200].max(), vectors[200, 0]) == (-128, 127, 127)
    assert np.array_equal(vectors, vectors_for(dense(), n_random=200, seed=3, real=real))
    assert not np.array_equal(vectors, vectors_for(dense(), n_random=200, seed=4, real=real))
    into = read_tflite(dense()).tensors[read_tflite(dense()).inputs[0]].quantised
    back = (vectors[201:].astype(float) - into.zero_point) * into.scale
    inside = np.abs(real[1:]) < 2.0
    assert np.abs(back - real[1:])[inside].max() <= into.scale / 2 * (1 + 1e-6)


def test_litert_agrees_within_two_steps() -> None:
    vectors = vectors_for(dense(), n_random=200, seed=2)
    (compared,) = verify(
        dense(), vectors, runners={"LiteRT": functools.partial(run_litert, dense())}
    ).comparisons.values()
    assert compared.vectors == 200
    assert compared.largest <= 2.0
    given, wanted = run_litert(dense(), vectors), run_tflm(dense(), vectors)
    assert compared.equal == sum(a.tobytes() == b.tobytes() for a, b in zip(given, wanted, strict=True))


def test_the_first_difference_is_found() -> None:
    vectors = vectors_for(dense(), n_random=10, seed=2)

    def almost(inputs: NDArray[Any]) -> NDArray[Any]:
        outputs = run_tflm(dense(), inputs)
        outputs[3, 5] ^= 4
        outputs[7, 0] ^= 16
        return outputs

    compared = verify(dense(), vectors, runners={"ours": almost}).comparisons["ours"]
    assert (compared.vectors, compared.equal, compared.largest) == (10, 8, 16.0)
    assert compared.first is not None
    assert (compared.first.vector, compared.first.place) == (3, 5)
    assert abs(compared.first.tflm - compared.first.other) == 4.0


def test_floats_are_compared_by_their_bits() -> None:
    wanted = np.array([[0.0, np.nan]], dtype=np.float32)
    assert compare(wanted, wanted.copy()).equal == 1
    assert compare(wanted, np.array([[-0.0, np.nan]], dtype=np.float32)).equal == 0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ParameterError, match="on no vector"):
        verify(dense(), np.zeros((0, 40), dtype=np.int8), runners={})
    with pytest.raises(ArtifactError, match=r"outputs of int8 \(2, 7\) were compared .* int8 \(2, 8\)"):
        compare(np.zeros((2, 8), dtype=np.int8), np.zeros((2, 7), dtype=np.int8))
    with pytest.raises(ParameterError, match=r"shape \(39,\) were given; \(40,\) is wanted"):
        vectors_for(dense(), n_random=1, seed=1, real=np.zeros((1, 39)))
