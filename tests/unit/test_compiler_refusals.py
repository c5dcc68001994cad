"""What the compiler does not take is refused by name before anything is written; what it takes is written alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import KERNELS, chain, one_kernel
from tflite_making import RELU, SAME, VALID, Node, Value, constant, one_operator, value, write_tflite
from tflites import convolutional, rewritten

from edge.compiler.compilation import compile_model
from features.errors import ArtifactError, ParameterError

_TANH = 4  # ActivationFunctionType
_PLANE = value((1, 4, 6, 2), 0.1)
_ONE = {"padding": SAME, "strideH": 1, "strideW": 1}


def _weights(shape: tuple[int, ...], scales: Any = 0.1, **options: Any) -> Value:
    return constant(np.ones(shape), scales, **options)


def _depthwise(weights: Value, output: Value, *more: Value, given: Value = _PLANE, **options: Any) -> bytes:
    return one_operator("DEPTHWISE_CONV_2D", given, output, constants=[weights, *more], **{**_ONE, **options})


def _pool(given: Value, output: Value, **options: Any) -> bytes:
    return one_operator("MAX_POOL_2D", given, output, filterHeight=2, filterWidth=2, **{**_ONE, **options})


def _pair(name: str, a: Value, b: Value, output: Value, **options: Any) -> bytes:
    return one_operator(name, a, output, constants=[b], **options)


def _without_options(model: bytes) -> bytes:
    def change(tree: Any) -> None:
        tree.subgraphs[0].operators[0].builtinOptions = None
        tree.subgraphs[0].operators[0].builtinOptionsType = 0

    return rewritten(model, change)


def _axes(*axes: int) -> Value:
    return constant(list(axes), dtype=np.int32)


_REFUSED = {
    "an operator without a kernel": (one_operator("HARD_SWISH", _PLANE, _PLANE), "HARD_SWISH cannot be compiled"),
    "rows beyond 16 bits": (
        one_operator("FULLY_CONNECTED", value((1, 66_000), 0.1), value((1, 1), 0.1), constants=[_weights((1, 66_000))]),
        "FULLY_CONNECTED with in_channels of 66,000 is not computed",
    ),
    "sums of floats": (
        _pair("ADD", value((1, 4), dtype=np.float32), constant(np.ones(4), dtype=np.float32), value((1, 4), 0.1)),
        "ADD .* float32",
    ),
    "sums too fine": (_pair("ADD", _PLANE, _weights((2,)), value(_PLANE.shape, 1e-8)), "ADD .* too small"),
    "products too fine": (_pair("MUL", _PLANE, _weights((2,)), value(_PLANE.shape, 1e-8)), "MUL .* too small"),
    "sums of shapes that do not match": (_pair("ADD", _PLANE, _weights((3,)), _PLANE), r"ADD .* do not match"),
    "a sum of another shape": (_pair("ADD", _PLANE, _weights((2,)), value((1, 4), 0.1)), "ADD .* result of shape"),
    "an activation": (
        _pair("MUL", _PLANE, _weights((2,)), _PLANE, fusedActivationFunction=_TANH),
        "MUL with activation 4",
    ),
    "a scale for each channel of an operand": (
        _pair("ADD", _PLANE, _weights((2,), [0.1, 0.2]), _PLANE),
        "ADD .* scale for each channel",
    ),
    "one dimension too many": (
        _pair("MUL", value((2, 3, 2, 3, 2), 0.1), _weights((1, 3, 1, 3, 1)), value((2, 3, 2, 3, 2), 0.1)),
        "MUL .* too many dimensions",
    ),
    "constants alone": (
        write_tflite(
            [_PLANE, _weights((2,)), _weights((2,)), value((2,), 0.1), _PLANE],
            [Node("ADD", (1, 2), (3,)), Node("ADD", (0, 3), (4,))],
            inputs=[0],
            outputs=[4],
        ),
        "ADD .* two constants",
    ),
    "tensors of two scales laid together": (
        _pair("CONCATENATION", value((1, 2), 0.1), _weights((1, 2), 0.2), value((1, 4), 0.1), axis=1),
        "CONCATENATION .* different scales",
    ),
    "tensors laid together with an activation": (
        _pair(
            "CONCATENATION",
            value((1, 2), 0.1),
            _weights((1, 2)),
            value((1, 4), 0.1),
            axis=1,
            fusedActivationFunction=RELU,
        ),
        "CONCATENATION .* activation",
    ),
    "a dimension that is not there": (
        _pair("CONCATENATION", value((1, 2), 0.1), _weights((1, 2)), value((1, 4), 0.1), axis=2),
        "CONCATENATION .* dimension 2",
    ),
    "weights with a zero point": (
        _depthwise(_weights((1, 3, 3, 2), zero_point=1), _PLANE),
        "DEPTHWISE_CONV_2D .* symmetric",
    ),
    "weights of another rank": (_depthwise(_weights((3, 3, 2)), _PLANE), "DEPTHWISE_CONV_2D .* shape"),
    "outputs that are no multiple": (
        _depthwise(_weights((1, 3, 3, 3)), value((1, 4, 6, 3), 0.1)),
        "DEPTHWISE_CONV_2D .* 3 outputs over 2 channels",
    ),
    "scales of no channel": (
        _depthwise(_weights((1, 3, 3, 4), [0.1, 0.2]), value((1, 4, 6, 4), 0.1)),
        "DEPTHWISE_CONV_2D .* 2 scales for 4",
    ),
    "a bias of bytes": (
        _depthwise(_weights((1, 3, 3, 2)), _PLANE, _weights((2,))),
        "DEPTHWISE_CONV_2D .* bias",
    ),
    "depthwise outputs too fine": (
        _depthwise(_weights((1, 3, 3, 2)), value((1, 4, 6, 2), 1e-8)),
        "DEPTHWISE_CONV_2D .* too small",
    ),
    "a pooling to another scale": (_pool(_PLANE, value((1, 4, 6, 2), 0.2)), "MAX_POOL_2D .* another scale"),
    "several items": (_pool(value((2, 4, 6, 2), 0.1), value((2, 4, 6, 2), 0.1)), "MAX_POOL_2D .* shape"),
    "a pooling of another size": (_pool(_PLANE, value((1, 4, 4, 2), 0.1), padding=VALID), "MAX_POOL_2D .* shape"),
    "steps of nothing": (_pool(_PLANE, _PLANE, strideH=0), "MAX_POOL_2D .* stride 0"),
    "a mean over axes that are not there": (
        _pair("MEAN", _PLANE, _axes(4), value((1, 4, 6), 0.1)),
        r"MEAN .* dimensions \[4\] of 4",
    ),
    "a mean of another shape": (_pair("MEAN", _PLANE, _axes(1), value((1, 2), 0.1)), "MEAN .* result of shape"),
    "a mean over three runs": (
        _pair("MEAN", value((2, 3, 2, 3, 2), 0.1), _axes(0, 2, 4), value((3, 3), 0.1)),
        "MEAN .* dimensions",
    ),
    "a mean too fine": (_pair("MEAN", _PLANE, _axes(1, 2), value((1, 2), 1e-9)), "MEAN .* too small"),
    "a softmax of other steps": (one_operator("SOFTMAX", _PLANE, _PLANE, beta=1.0), "SOFTMAX .* 1/256"),
    "a softmax over too many": (
        one_operator("SOFTMAX", value((1, 512), 0.1), value((1, 512), 1 / 256, -128), beta=1.0),
        "SOFTMAX .* over 512 classes",
    ),
    "a softmax of too fine steps": (
        one_operator("SOFTMAX", value((1, 5), 1e-9), value((1, 5), 1 / 256, -128), beta=1.0),
        "SOFTMAX .* too fine",
    ),
    "a logistic of other steps": (one_operator("LOGISTIC", _PLANE, _PLANE), "LOGISTIC .* 1/256"),
    "a tanh of other steps": (one_operator("TANH", _PLANE, _PLANE), "TANH .* 1/128"),
    "a RELU6 to another scale": (one_operator("RELU6", _PLANE, value(_PLANE.shape, 0.2)), "RELU6 .* another scale"),
    "a RELU of another size": (one_operator("RELU", _PLANE, value((1, 4), 0.1)), "RELU .* sizes"),
    "numbers of another type": (
        one_operator("QUANTIZE", value((1, 4), dtype=np.int32), value((1, 4), 0.1)),
        "QUANTIZE .* int32",
    ),
    "numbers to another type": (
        one_operator("DEQUANTIZE", value((1, 4), 0.1), value((1, 4), dtype=np.int32)),
        "DEQUANTIZE .* int32",
    ),
    "a dense layer of another size": (
        one_operator("FULLY_CONNECTED", value((1, 4), 0.1), value((1, 2), 0.1), constants=[_weights((3, 4))]),
        "FULLY_CONNECTED .* 4 numbers for 2",
    ),
    "a shape of another size": (one_operator("RESHAPE", value((1, 4), 0.1), value((1, 5), 0.1)), "RESHAPE .* size"),
    "an option that is not there": (_without_options(_pool(_PLANE, _PLANE)), "MAX_POOL_2D .* lacks"),
    "an operand that is not there": (one_operator("MEAN", _PLANE, value((1, 2), 0.1)), "MEAN .* of 1 inputs"),
    "a tensor that nothing writes": (
        write_tflite([_PLANE, _PLANE, _PLANE], [Node("RELU", (1,), (2,))], inputs=[0], outputs=[2]),
        "RELU .* nothing has written",
    ),
    "an output that nothing writes": (
        write_tflite([_PLANE, _PLANE, _PLANE], [Node("RELU", (0,), (1,))], inputs=[0], outputs=[2]),
        "nothing writes the output",
    ),
    "a tensor that is written twice": (
        write_tflite([_PLANE, _PLANE], [Node("RELU", (0,), (1,)), Node("RELU", (0,), (1,))], inputs=[0], outputs=[1]),
        "RELU .* writes what another has",
    ),
    "a tensor without a scale": (one_operator("RELU", value((1, 4)), value((1, 4), 0.1)), "no scale"),
}


@pytest.mark.parametrize(("model", "message"), _REFUSED.values(), ids=_REFUSED)
def test_what_is_not_computed_is_refused_by_name(model: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=message):
        compile_model(model, name="net", folder=tmp_path / "net")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("model", [b"", b"nothing of the kind", convolutional()[:900], convolutional()[:4] + b"TFL2"])
def test_a_damaged_file_leaves_nothing(model: bytes, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"convert"):
        compile_model(model, name="net", folder=tmp_path / "net")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "kept").write_text("kept")
    with pytest.raises(ParameterError, match="is there already"):
        compile_model(one_kernel("TANH", 1).model, name="net", folder=tmp_path / "net")
    assert [path.name for path in tmp_path.rglob("*")] == ["net", "kept"]


@pytest.mark.parametrize("name", ["", "Net", "2net", "a-b", "n" * 33, "../net"])
def test_a_name_is_one_of_c(name: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="lower-case letters"):
        compile_model(one_kernel("TANH", 1).model, name=name, folder=tmp_path / "net")
    assert [*tmp_path.iterdir()] == []


def test_a_draft_that_cannot_be_finished_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("edge.compiler.compilation.shutil.copyfile", full)
    with pytest.raises(OSError, match="no space left"):
        compile_model(one_kernel("TANH", 1).model, name="net", folder=tmp_path / "net")
    assert [*tmp_path.iterdir()] == []


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    models = [
        convolutional(),
        *(one_kernel(name, 3).model for name in KERNELS),
        *(chain(seed).model for seed in range(9)),
    ]
    for i, model in enumerate(models):
        first, again = tmp_path / f"a{i}", tmp_path / f"b{i}"
        compile_model(model, name="net", folder=first)
        compile_model(model, name="net", folder=again)
        files = {path.name: path.read_bytes() for path in first.iterdir()}
        assert files == {path.name: path.read_bytes() for path in again.iterdir()}
        assert {"rw_net.c", "rw_net.h"} <= {*files}
