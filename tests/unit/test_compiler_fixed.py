"""Fixed-point arithmetic of the compiler against exact fractions, its tables against the TFLite Micro interpreter."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from networks import KERNELS, Draft
from tflite_making import Made, one_operator, value

from edge.compiler.fixed import quantised_multiplier, requantise
from edge.compiler.fixed_functions import logistic, tanh
from edge.compiler.lookup import lower_logistic, lower_relu, lower_relu6, lower_requantise, lower_tanh
from edge.compiler.step import Table
from edge.oracle import run_tflm
from edge.tflite.reading import read_tflite
from features.errors import ArtifactError

_ALL_INPUTS = np.arange(-128, 128).astype(np.int8).reshape(256, 1)
_LOWERINGS = {
    "LOGISTIC": lower_logistic,
    "QUANTIZE": lower_requantise,
    "RELU": lower_relu,
    "RELU6": lower_relu6,
    "TANH": lower_tanh,
}


def _exact(x: int, multiplier: int, shift: int) -> int:
    """Rounded half up to an integer, then half away from zero after the shift to the right."""
    product = math.floor(Fraction(x * 2 ** max(shift, 0) * multiplier, 2**31) + Fraction(1, 2))
    scaled = Fraction(abs(product), 2 ** max(-shift, 0))
    return int(math.copysign(math.floor(scaled + Fraction(1, 2)), product))


def test_requantising_is_that_of_exact_fractions(rng: np.random.Generator) -> None:
    shifts = rng.integers(-31, 8, 4000)
    multipliers = rng.integers(1 << 30, 1 << 31, 4000)
    multipliers[::4] = 1 << 30
    x = rng.integers(-(1 << 31), 1 << 31, 4000) >> np.maximum(shifts, 0) >> rng.integers(0, 31, 4000)
    wanted = [_exact(*map(int, row)) for row in zip(x, multipliers, shifts, strict=True)]
    assert requantise(x, multipliers, shifts).tolist() == wanted


def test_halves_are_rounded_twice() -> None:
    """-2.5 steps: half up makes -5 of -5 / 1, half away from zero -3 of -5 / 2; and 2.5 makes 3."""
    half, right = np.array(1 << 30), np.array(-1)
    assert requantise(np.array([-10, 10, -3, 3]), half, right).tolist() == [-3, 3, -1, 1]


@pytest.mark.parametrize("scale", [1e-9, 0.25, 0.9999999999, 1.0, 3.7, 1e6])
def test_a_multiplier_stands_for_its_scale(scale: float) -> None:
    multiplier, shift = quantised_multiplier(scale)
    assert 1 << 30 <= multiplier < 1 << 31
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(scale, rel=2**-31)


def test_scales_beyond_the_format_end_with_it() -> None:
    assert quantised_multiplier(0.0) == quantised_multiplier(1e-12) == (0, 0)
    assert quantised_multiplier(1e12) == ((1 << 31) - 1, 30)


@pytest.mark.parametrize("x", [-15.9, -8.0, -1.0, -0.3, 0.0, 0.3, 1.0, 8.0, 15.9])
def test_fixed_functions_are_those_of_real_numbers(x: float) -> None:
    q = round(x * (1 << 27))
    assert logistic(q) / 2**31 == pytest.approx(1 / (1 + math.exp(-x)), abs=2e-7)
    assert tanh(q) / 2**31 == pytest.approx(math.tanh(x), abs=3e-7)


def _of_one_number(name: str, seed: int) -> Made:
    rng = np.random.default_rng(seed)
    draft = Draft(rng, [])
    # From steps that all are near 0 to ones beyond the format's ends.
    draft.put(value((1, 1), float(np.exp(rng.uniform(-9, 1))), draft.zero()))
    KERNELS[name][0](draft)
    return draft.made()


@pytest.mark.parametrize("name", _LOWERINGS)
def test_tables_are_the_interpreter_s_for_every_input(name: str) -> None:
    for seed in range(25):
        made = _of_one_number(name, seed)
        graph = read_tflite(made.model)
        table = _LOWERINGS[name](graph, graph.operators[0]).constants["table"]
        assert isinstance(table, Table)
        wanted = run_tflm(made.model, _ALL_INPUTS).reshape(-1)
        assert table.values[_ALL_INPUTS.view(np.uint8).reshape(-1)].tolist() == wanted.tolist(), made.label


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
def test_steps_too_fine_for_the_format_are_refused(name: str) -> None:
    output = value((1, 1), 1 / 256, -128) if name == "LOGISTIC" else value((1, 1), 1 / 128)
    graph = read_tflite(one_operator(name, value((1, 1), 2.0**-29), output))
    with pytest.raises(ArtifactError, match=f"{name} .* too fine"):
        _LOWERINGS[name](graph, graph.operators[0])
