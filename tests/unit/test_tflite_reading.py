"""A .tflite is read as it was written, and damage is refused with a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from tflite_making import RELU, VALID, constant, one_operator, value

from edge.tflite.reading import read_tflite
from features.errors import ArtifactError


def _convolution() -> bytes:
    weights = np.arange(24, dtype=np.int8).reshape(2, 1, 3, 4)
    return one_operator(
        "CONV_2D",
        value((1, 1, 9, 4), 0.5, -3),
        value((1, 1, 7, 2), 0.25, 5),
        constants=[constant(weights, (0.1, 0.2)), constant([7, -8], (0.05, 0.1), dtype=np.int32)],
        padding=VALID,
        strideW=1,
        strideH=1,
        dilationWFactor=1,
        dilationHFactor=1,
        fusedActivationFunction=RELU,
    )


def test_tensors_and_options_are_read_as_written() -> None:
    graph = read_tflite(_convolution())
    (operator,) = graph.operators
    entry, weights, bias = graph.operands(operator)
    assert operator.name == "CONV_2D"
    assert operator.options["padding"] == VALID
    assert operator.options["fusedActivationFunction"] == RELU
    assert entry is not None
    assert (entry.shape, entry.quantised.scale, entry.quantised.zero_point) == ((1, 1, 9, 4), 0.5, -3)
    assert weights is not None
    assert weights.data is not None
    assert weights.data.reshape(-1).tolist() == list(range(24))
    assert weights.quantised.scales.tolist() == pytest.approx([0.1, 0.2])
    assert bias is not None
    assert bias.data is not None
    assert bias.data.tolist() == [7, -8]
    assert graph.results(operator)[0].n_bytes == 14
    assert graph.operator_names == ("CONV_2D",)


def test_whatever_byte_is_damaged_it_is_read_or_refused(rng: np.random.Generator) -> None:
    model = _convolution()
    outcomes = set()
    for _ in range(600):
        damaged = bytearray(model)
        for place in rng.integers(0, len(model), 3):
            damaged[place] ^= 1 << rng.integers(0, 8)
        try:
            read_tflite(bytes(damaged))
            outcomes.add("read")
        except ArtifactError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_every_cut_is_refused() -> None:
    model = _convolution()
    for length in range(0, len(model) - 8, 7):
        with pytest.raises(ArtifactError, match="convert"):
            read_tflite(model[:length])
