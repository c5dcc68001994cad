"""Kernels at the ends of what they compute, where drawn networks do not come."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_batches import differences
from numpy.typing import NDArray
from tflite_making import Made, Node, constant, one_operator, value, write_tflite

from edge.compiler.compilation import compile_model
from edge.compiler.host import run_on_host
from features.errors import ArtifactError

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")

_EVERY_BYTE = np.arange(-128, 128, dtype=np.int8)[None]
_ENDS = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}


def _quantised(numbers: list[float], folder: Path) -> list[int]:
    shape = (1, len(numbers))
    model = one_operator("QUANTIZE", value(shape, dtype=np.float32), value(shape, 0.5, 3))
    library = compile_model(model, name="ends", folder=folder / "library")
    given = np.array([numbers], dtype=np.float32).view(np.int8)
    return [int(q) for q in run_on_host(library, given, folder / "build", sanitise=True)[0]]


def test_a_float_beyond_the_range_becomes_its_end(tmp_path: Path) -> None:
    beyond = [64.0, 1e9, 3e38, np.inf, -70.0, -1e9, -3e38, -np.inf]
    assert _quantised(beyond, tmp_path) == [127] * 4 + [-128] * 4


def test_what_is_no_number_becomes_zero(tmp_path: Path) -> None:
    assert _quantised([np.nan, -np.nan], tmp_path) == [3, 3]


def test_halves_of_a_step_go_away_from_zero(tmp_path: Path) -> None:
    below = float(np.nextafter(np.float32(0.25), np.float32(0.0)))
    assert _quantised([0.25, below, -0.25, -below, 0.75, -0.75, 0.0], tmp_path) == [4, 3, 2, 3, 5, 1, 3]


def _function(name: str, scale: float, zero: int) -> Made:
    model = one_operator(name, value((1, 256), scale, zero), value((1, 256), *_ENDS[name]))
    return Made(f"{name} of steps of {scale} about {zero}", model, _EVERY_BYTE)


def test_sigmoids_of_the_coarsest_and_the_finest_steps_equal_the_interpreter(tmp_path: Path) -> None:
    # From steps of 8 on, 0 itself lies beyond the format that they are computed in.
    scales = [1e-6, 1e-3, 1.0, 7.0, 7.999, 8.0, 15.0, 16.0, 40.0, 4000.0]
    assert differences([_function(name, scale, 3) for name in _ENDS for scale in scales], tmp_path) == []


def _softmax(depth: int, scale: float, inputs: NDArray[np.int8]) -> Made:
    model = one_operator("SOFTMAX", value((1, depth), scale, 3), value((1, depth), 1 / 256, -128), beta=1.0)
    return Made(f"softmax over {depth} of steps of {scale}", model, inputs)


def test_softmax_over_the_most_classes_equals_the_interpreter(tmp_path: Path, rng: np.random.Generator) -> None:
    noise = rng.integers(-128, 128, (2, 511), dtype=np.int8)
    alike = np.full((1, 511), 5, dtype=np.int8)
    cases = [_softmax(511, scale, np.concatenate([noise, alike])) for scale in (1e-7, 1e-3, 0.1, 4.0, 4000.0, 2e8)]
    assert differences([*cases, _softmax(1, 0.1, noise[:, :1])], tmp_path) == []


def test_softmax_over_more_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"SOFTMAX.* 512 classes .* 511 are the most"):
        compile_model(_softmax(512, 0.1, _EVERY_BYTE).model, name="wide", folder=tmp_path / "wide")


def _rescaled(ratio: float) -> Made:
    model = one_operator("QUANTIZE", value((1, 256), 0.01 * ratio, 3), value((1, 256), 0.01))
    return Made(f"QUANTIZE by {ratio:g}", model, _EVERY_BYTE)


def test_scales_far_apart_equal_the_interpreter(tmp_path: Path) -> None:
    assert differences([_rescaled(ratio) for ratio in (8e6, 5e5, 4e3, 1 / 4e3, 1e-9)], tmp_path) == []


def _mean(shape: tuple[int, ...], axes: list[int], result: tuple[int, ...], rng: np.random.Generator) -> Made:
    values: list[Any] = [value(shape, 0.1, 3), constant(axes, dtype=np.int32), value(result, 0.05, 2)]
    model = write_tflite(values, [Node("MEAN", (0, 1), (2,), {"keepDims": False})], inputs=[0], outputs=[2])
    items = (2, *(shape[1:] if shape[0] == 1 else shape))
    return Made(f"mean of {shape} over {axes}", model, rng.integers(-128, 128, items, dtype=np.int8))


def test_means_of_all_and_of_the_first_dimension_equal_the_interpreter(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    cases = [
        _mean((1, 3, 4, 5), [1, 2, 3], (1,), rng),
        _mean((1, 3, 4, 5), [1, 3], (1, 4), rng),
        _mean((2, 3, 4), [0], (3, 4), rng),
    ]
    assert differences(cases, tmp_path) == []
