"""Dense layers and convolutions equal the TFLite Micro interpreter on every byte, whatever their shapes and zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_batches import differences
from numpy.typing import NDArray
from tflite_making import RELU, RELU6, SAME, VALID, Made, Node, Value, constant, one_operator, value, write_tflite
from thoroughness import batches

_BATCH, _ITEMS = 20, 3
_LAWS = settings(
    max_examples=batches(usual=5, thorough=160),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
_SCALES = st.floats(-6.0, -2.0).map(lambda power: float(np.exp(power)))
_INT8 = st.integers(-128, 127)
_SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


def _weights(draw: st.DrawFn, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Random weights with blocks of zeros, now and then with one of -128, which the fast kernel does not take."""
    rng = np.random.default_rng(draw(_SEEDS))
    weights = rng.integers(-127, 128, shape).reshape(shape[0], -1)
    if draw(st.sampled_from([False] * 9 + [True])):
        weights[0, 0] = -128
    tile, kept = draw(st.sampled_from([1, 2, 4])), draw(st.sampled_from([1.0, 0.5, 0.2, 0.05, 0.0]))
    rows, columns = -(-weights.shape[0] // tile), -(-weights.shape[1] // 4)
    mask = np.repeat(np.repeat(rng.random((rows, columns)) < kept, tile, axis=0), 4, axis=1)
    return (weights * mask[: weights.shape[0], : weights.shape[1]]).reshape(shape).astype(np.int8)


def _constants(draw: st.DrawFn, weights: NDArray[np.int8], scale: float, *, per_channel: bool) -> list[Value]:
    rng = np.random.default_rng(draw(_SEEDS))
    count = len(weights) if per_channel else 1
    scales = (draw(_SCALES) * np.exp(rng.uniform(-1, 1, count))).tolist()
    bias = rng.integers(-30_000, 30_000, len(weights))
    return [constant(weights, scales), constant(bias, [scale * s for s in scales], dtype=np.int32)]


def _output(draw: st.DrawFn, shape: tuple[int, ...], fan_in: int, scale: float, weights: Value) -> Value:
    """A scale under which outputs spread over int8, or, seldom, saturate or vanish."""
    spread = draw(st.sampled_from([20.0, 60.0, 60.0, 60.0, 400.0, 1.0]))
    deviation = scale * float(np.mean(weights.scales)) * 75.0 * 73.0 * np.sqrt(fan_in)
    return value(shape, deviation / spread, draw(_INT8))


def _inputs(draw: st.DrawFn, shape: tuple[int, ...]) -> NDArray[np.int8]:
    return np.random.default_rng(draw(_SEEDS)).integers(-128, 128, (_ITEMS, *shape)).astype(np.int8)


@st.composite
def dense_layers(draw: st.DrawFn) -> Made:
    rows, inputs, outputs = draw(st.sampled_from([1, 1, 1, 2, 5])), draw(st.integers(1, 260)), draw(st.integers(1, 40))
    if draw(st.sampled_from([False] * 9 + [True])):
        inputs = draw(st.integers(1000, 1400))
    weights, scale = _weights(draw, (outputs, inputs)), draw(_SCALES)
    constants = _constants(draw, weights, scale, per_channel=draw(st.booleans()))
    model = one_operator(
        "FULLY_CONNECTED",
        value((rows, inputs), scale, draw(_INT8)),
        _output(draw, (rows, outputs), inputs, scale, constants[0]),
        constants=constants[: draw(st.integers(1, 2))],
        fusedActivationFunction=draw(st.sampled_from([0, 0, RELU, RELU6])),
    )
    given_inputs = _inputs(draw, (rows, inputs))
    return Made(f"dense {rows} x {inputs} -> {outputs}", model, given_inputs[:, 0] if rows == 1 else given_inputs)


@st.composite
def convolutions(draw: st.DrawFn) -> Made:
    height, width = draw(st.sampled_from([1, 1, 2, 5])), draw(st.integers(1, 30))
    channels, outputs = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 12, 14, 16])), draw(st.integers(1, 20))
    kernel = draw(st.integers(1, min(height, 3))), draw(st.integers(1, min(width, 9)))
    stride = draw(st.integers(1, 2)), draw(st.integers(1, 4))
    dilation = 1, draw(st.sampled_from([1] * 9 + [2]))
    padding = draw(st.sampled_from([SAME, VALID]))
    if dilation[1] * (kernel[1] - 1) >= width:
        dilation = 1, 1
    out = [
        _out_size(size, padding, *window)
        for size, window in zip((height, width), zip(kernel, stride, dilation, strict=True), strict=True)
    ]
    weights, scale = _weights(draw, (outputs, *kernel, channels)), draw(_SCALES)
    constants = _constants(draw, weights, scale, per_channel=True)
    result = _output(draw, (1, *out, outputs), kernel[0] * kernel[1] * channels, scale, constants[0])
    options = {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1],
        "fusedActivationFunction": draw(st.sampled_from([0, 0, RELU, RELU6])),
    }
    values = [value((1, height, width, channels), scale, draw(_INT8)), *constants, result]
    nodes = [Node("CONV_2D", (0, 1, 2), (3,), options)]
    label = f"convolution {height}x{width}x{channels} by {kernel} stride {stride} dilation {dilation} pad {padding}"
    if draw(st.booleans()):
        label += _pool(draw, values, nodes)
    model = write_tflite(values, nodes, inputs=[0], outputs=[len(values) - 1])
    return Made(f"{label} -> {outputs}", model, _inputs(draw, (height, width, channels)))


def _out_size(size: int, padding: Any, kernel: int, stride: int, dilation: int) -> int:
    return -(-size // stride) if padding == SAME else -(-(size - (kernel - 1) * dilation) // stride)


def _pool(draw: st.DrawFn, values: list[Value], nodes: list[Node]) -> str:
    """A maximum pooling behind the last operator: apart, overlapping, or with padding."""
    before = values[-1]
    _, height, width, channels = before.shape
    size = draw(st.integers(1, min(height, 2))), draw(st.integers(1, min(width, 3)))
    stride = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from([VALID, VALID, SAME]))
    out = [_out_size(n, padding, k, s, 1) for n, k, s in zip((height, width), size, stride, strict=True)]
    values.append(value((1, *out, channels), before.scales[0], before.zero_points[0]))
    options = {
        "padding": padding,
        "strideH": stride[0],
        "strideW": stride[1],
        "filterHeight": size[0],
        "filterWidth": size[1],
    }
    nodes.append(Node("MAX_POOL_2D", (len(values) - 2,), (len(values) - 1,), options))
    return f", pooled by {size} stride {stride} pad {padding}"


@_LAWS
@given(cases=st.lists(dense_layers(), min_size=_BATCH, max_size=_BATCH))
def test_dense_layers_equal_the_interpreter(cases: list[Made], folder: Path) -> None:
    assert differences(cases, folder) == []


@_LAWS
@given(cases=st.lists(convolutions(), min_size=_BATCH, max_size=_BATCH))
def test_convolutions_equal_the_interpreter(cases: list[Made], folder: Path) -> None:
    assert differences(cases, folder) == []
