"""The TFLite Micro interpreter: equal to a slow twin and to LiteRT's convolutions; damaged files end no process."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tflites import convolutional, dense, rewritten

from edge.oracle import measure_arena, run_tflm
from edge.tflite.reading import read_tflite
from features.errors import ArtifactError, ParameterError


def _scaled(accumulated: int, real: float) -> int:
    """Fixed-point multiplication with two roundings, as gemmlowp defines it."""
    mantissa, exponent = np.frexp(real)
    multiplier = round(float(mantissa) * 2**31)
    exponent = int(exponent)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    product = accumulated * 2 ** max(exponent, 0) * multiplier
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = nudged // 2**31 if nudged >= 0 else -(-nudged // 2**31)
    right = max(-exponent, 0)
    threshold = ((2**right - 1) >> 1) + (1 if high < 0 else 0)
    return (high >> right) + (1 if (high & (2**right - 1)) > threshold else 0)


def _dense_twin(model: bytes, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    graph = read_tflite(model)
    x, weights, bias = graph.operands(graph.operators[0])
    (out,) = graph.results(graph.operators[0])
    assert x is not None
    assert weights is not None
    assert bias is not None
    assert weights.data is not None
    assert bias.data is not None
    scales = np.broadcast_to(weights.quantised.scales.astype(np.float64), len(weights.data))
    reals = x.quantised.scale * scales / out.quantised.scale
    sums = (inputs.astype(np.int64) - x.quantised.zero_point) @ weights.data.astype(np.int64).T + bias.data
    scaled = [[_scaled(int(acc), real) for acc, real in zip(row, reals, strict=True)] for row in sums]
    return np.clip(np.array(scaled) + out.quantised.zero_point, -128, 127).astype(np.int8)


def test_a_dense_layer_is_what_the_fixed_point_arithmetic_says(rng: np.random.Generator) -> None:
    x = rng.integers(-128, 128, (300, 40), dtype=np.int8)
    given = run_tflm(dense(), x)
    assert given.dtype == np.int8
    assert np.array_equal(given, _dense_twin(dense(), x))
    assert np.unique(given).size > 100


def test_convolutions_up_to_the_mean_are_litert_s_within_a_step(rng: np.random.Generator) -> None:
    from ai_edge_litert.interpreter import Interpreter

    def cut(tree: Any) -> None:
        graph = tree.subgraphs[0]
        del graph.operators[-2:]
        graph.outputs = graph.operators[-1].outputs

    model = rewritten(convolutional(), cut)
    assert read_tflite(model).operators[-1].name == "MEAN"
    x = rng.integers(-128, 128, (50, 1, 16, 3), dtype=np.int8)
    other = Interpreter(model_content=model, num_threads=1)
    other.allocate_tensors()
    wanted = []
    for item in x:
        other.set_tensor(other.get_input_details()[0]["index"], item[None])
        other.invoke()
        wanted.append(other.get_tensor(other.get_output_details()[0]["index"])[0].copy())
    # LiteRT scales in floats where TFLite Micro rounds twice in integers.
    assert np.abs(run_tflm(model, x).astype(int) - np.stack(wanted)).max() <= 1


def test_float_networks_run_too(rng: np.random.Generator) -> None:
    import keras

    from edge.convert import to_tflite

    network = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="tanh")])
    x = rng.standard_normal((20, 4)).astype(np.float32)
    assert np.allclose(run_tflm(to_tflite(network), x), np.asarray(network(x)), atol=1e-6)


def test_the_least_arena_is_the_least() -> None:
    from tflite_micro import runtime

    arena = measure_arena(convolutional())
    # Input and output alone take 48 and 5 bytes; the interpreter's own lists need far more.
    assert 1000 < arena.used_bytes <= arena.least_bytes < 2 * arena.used_bytes
    assert arena.least_bytes % 16 == 0
    assert measure_arena(convolutional()) == arena
    # Without the check that is under test: the interpreter itself, in this process.
    runtime.Interpreter.from_bytes(convolutional(), arena_size=arena.least_bytes)
    with pytest.raises(RuntimeError, match="failed to allocate"):
        runtime.Interpreter.from_bytes(convolutional(), arena_size=arena.least_bytes - 16)


def test_no_items_give_no_outputs() -> None:
    assert run_tflm(dense(), np.zeros((0, 40), dtype=np.int8)).shape == (0, 8)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 40), dtype=np.float32), "float32 and shape \\(40,\\) were given; int8"),
        (np.zeros((1, 39), dtype=np.int8), "shape \\(39,\\) were given; int8 of shape \\(40,\\) is wanted"),
    ],
)
def test_inputs_of_another_kind_are_refused(inputs: NDArray[Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        run_tflm(dense(), inputs)


def test_an_operator_that_is_lacking_is_named() -> None:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    def change(tree: Any) -> None:
        code = tree.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = BuiltinOperator.SKIP_GRAM

    with pytest.raises(ArtifactError, match="TFLite Micro has no operator SKIP_GRAM"):
        run_tflm(rewritten(dense(), change), np.zeros((1, 40), dtype=np.int8))


def test_what_the_interpreter_says_of_a_model_is_passed_on() -> None:
    from ai_edge_litert.schema_py_generated import TensorType

    def change(tree: Any) -> None:
        tree.subgraphs[0].tensors[tree.subgraphs[0].outputs[0]].type = TensorType.INT16

    with pytest.raises(ArtifactError, match=r"TFLite Micro refuses this \.tflite"):
        run_tflm(rewritten(dense(), change), np.zeros((1, 40), dtype=np.int8))


def test_damaged_files_are_refused_or_run_and_end_no_process(rng: np.random.Generator) -> None:
    x = np.zeros((1, 1, 16, 3), dtype=np.int8)
    refused = 0
    for _ in range(60):
        damaged = bytearray(convolutional())
        for place in rng.integers(len(damaged), size=3):
            damaged[place] ^= int(rng.integers(1, 256))
        try:
            run_tflm(bytes(damaged), x)
        except (ArtifactError, ParameterError):
            refused += 1
    assert refused > 30
    # What was damaged leaves nothing behind.
    x40 = x.reshape(-1)[None, :40]
    assert np.array_equal(run_tflm(dense(), x40), _dense_twin(dense(), x40))


def test_files_cut_short_are_refused() -> None:
    model = convolutional()
    for length in (0, 7, 20, 1000, len(model) - 100):
        with pytest.raises(ArtifactError, match=r"of a \.tflite|is damaged"):
            measure_arena(model[:length])


def test_two_inputs_are_refused() -> None:
    def change(tree: Any) -> None:
        tree.subgraphs[0].inputs = [0, 0]

    with pytest.raises(ArtifactError, match="2 inputs and 1 outputs was given; one of each"):
        measure_arena(rewritten(dense(), change))


def test_the_missing_interpreter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import edge.oracle

    edge.oracle._worker().close()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ArtifactError, match=r"not installed; pip install 'raceway\[edge\]'"):
        run_tflm(dense(), np.zeros((1, 40), dtype=np.int8))
