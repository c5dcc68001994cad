"""Packed models on the emulated Cortex-M4: the fixed networks byte for byte, what running data costs beside code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from fixed_networks import FIXED
from networks import Draft, max_pool, mean
from numpy.typing import NDArray
from tflite_making import RELU, SAME, Made, constant, value

from edge.compiler.compilation import compile_model
from edge.compiler.layouts import RUNTIME
from edge.compiler.library import Library
from edge.compiler.packed import PackedModel, describe, packed_library
from edge.compiler.packing import pack_model
from edge.emulator.running import M4Run, run_on_m4
from edge.emulator.toolchain import Toolchain, find_toolchain
from edge.oracle import run_tflm
from features.errors import ToolchainError

_ALIGNED = 8
# Of an output: the status of opening, and the memory that it wants.
_HEAD = 8
_SOURCE = """
#include <string.h>
#include "rw_set.h"
#include "rw_model.h"
{blobs}
static const struct {{ const uint8_t *blob; uint32_t bytes, in, out; }} models[] = {{
{rows}
}};
int8_t *rw_set_input(void *arena) {{ return arena; }}
void rw_set_run(void *arena)
{{
    int8_t *in = arena, *out = in + {output_at}, *memory = in + {memory_at}, *own = in + {arena_at};
    const uint8_t i = (uint8_t)in[0];
    struct rw_model *model = NULL;
    int32_t head[2] = {{0, (int32_t)rw_model_memory_bytes(models[i].blob, models[i].bytes)}};
    head[0] = rw_model_open(models[i].blob, models[i].bytes, memory, (size_t)head[1], &model);
    memset(out, 0, RW_SET_OUTPUT_BYTES);
    memcpy(out, head, sizeof head);
    if (model != NULL) {{
        memcpy(rw_model_input(model, own), in + 1, models[i].in);
        rw_model_run(model, own);
        memcpy(out + sizeof head, rw_model_output(model, own), models[i].out);
    }}
}}
const int8_t *rw_set_output(const void *arena) {{ return (const int8_t *)arena + {output_at}; }}
"""
_HEADER = """
#include <stdint.h>
#define RW_SET_ARENA_BYTES {all}u
#define RW_SET_INPUT_BYTES {input}u
#define RW_SET_OUTPUT_BYTES {output}u
int8_t *rw_set_input(void *arena);
void rw_set_run(void *arena);
const int8_t *rw_set_output(const void *arena);
"""


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


def _as_bytes(array: NDArray[np.generic]) -> NDArray[np.int8]:
    return np.ascontiguousarray(array).reshape(len(array), -1).view(np.int8)


def _aligned(n: int) -> int:
    return -(-n // _ALIGNED) * _ALIGNED


def _set_library(packed: list[bytes], said: list[PackedModel], folder: Path) -> Library:
    """One library of all models: the first byte of an input says which is to be opened and run."""
    shutil.copytree(RUNTIME, folder)
    sizes = {
        "input": 1 + max(model.input.n_bytes for model in said),
        "output": _HEAD + max(model.output.n_bytes for model in said),
    }
    sizes["output_at"] = _aligned(sizes["input"])
    sizes["memory_at"] = sizes["output_at"] + _aligned(sizes["output"])
    sizes["arena_at"] = sizes["memory_at"] + _aligned(max(model.memory_bytes for model in said))
    sizes["all"] = sizes["arena_at"] + max(model.arena_bytes for model in said)
    blobs = [
        f"static const _Alignas(8) uint8_t b{i}[] = {{{','.join(map(str, content))}}};"
        for i, content in enumerate(packed)
    ]
    rows = [
        f"    {{b{i}, sizeof b{i}, {model.input.n_bytes}, {model.output.n_bytes}}}," for i, model in enumerate(said)
    ]
    (folder / "rw_set.h").write_text(_HEADER.format_map(sizes))
    (folder / "rw_set.c").write_text(_SOURCE.format_map({**sizes, "blobs": "\n".join(blobs), "rows": "\n".join(rows)}))
    return Library(folder, "set", sizes["input"], sizes["output"], sizes["all"], 0, ())


def test_every_network_of_the_set_equals_the_interpreter(tmp_path: Path, toolchain: Toolchain) -> None:
    cases = [make(seed) for seed, _, make in FIXED]
    packed = [pack_model(case.model) for case in cases]
    said = [describe(content) for content in packed]
    library = _set_library(packed, said, tmp_path / "set")
    given = [np.pad(row, (0, library.input_bytes - 1 - row.size)) for case in cases for row in _as_bytes(case.inputs)]
    which = [i for i, case in enumerate(cases) for _ in case.inputs]
    rows = np.column_stack([np.array(which, dtype=np.uint8).view(np.int8), np.stack(given)])
    found = run_on_m4(library, rows, count=False, toolchain=toolchain).outputs
    wanted = [row for case in cases for row in _as_bytes(run_tflm(case.model, case.inputs))]
    assert len(found) == len(wanted) > 150
    for i, row, right in zip(which, found, wanted, strict=True):
        status, memory = row[:_HEAD].view("<i4").tolist()
        assert (status, memory) == (0, said[i].memory_bytes), FIXED[i][1]
        np.testing.assert_array_equal(row[_HEAD : _HEAD + right.size], right, err_msg=FIXED[i][1])


def _begun(shape: tuple[int, ...]) -> Draft:
    draft = Draft(np.random.default_rng(6), [])
    draft.put(value(shape, 0.05, 3))
    return draft


def _constants(draft: Draft, shape: tuple[int, ...], n_scales: int) -> tuple[int, int]:
    weights = constant(draft.rng.integers(-127, 128, shape), draft.rng.uniform(0.001, 0.002, n_scales).tolist())
    bias = draft.rng.integers(-2000, 2000, shape[0])
    return draft.put(weights), draft.put(constant(bias, 0.05 * np.array(weights.scales), dtype=np.int32))


def _dense(draft: Draft, outputs: int, *, relu: bool, least: int = -128) -> None:
    """Converters make 0 the least integer behind a ReLU."""
    others = _constants(draft, (outputs, draft.shape[-1]), 1)
    result = value((1, outputs), 0.05, least if relu else 7)
    draft.then("FULLY_CONNECTED", result, *others, fusedActivationFunction=RELU if relu else 0)


def _convolution(draft: Draft, outputs: int, width: int, stride: int) -> None:
    others = _constants(draft, (outputs, 1, width, draft.shape[-1]), outputs)
    result = value((1, 1, -(-draft.shape[2] // stride), outputs), 0.05, -128)
    options = {"padding": SAME, "strideH": 1, "strideW": stride, "dilationHFactor": 1, "dilationWFactor": 1}
    draft.then("CONV_2D", result, *others, fusedActivationFunction=RELU, **options)
    max_pool(draft, size=(1, 2), stride=(1, 2), activation=0)


def _small() -> Made:
    """A dense autoencoder of 32 inputs."""
    draft = _begun((1, 32))
    for outputs in (16, 8, 16, 32):
        _dense(draft, outputs, relu=outputs != 32)
    return draft.made()


def _clamped() -> Made:
    """The same, with outputs of ReLU clamped within int8, for which the firmware has no form of their own."""
    draft = _begun((1, 32))
    for outputs in (16, 8, 16, 32):
        _dense(draft, outputs, relu=outputs != 32, least=-100)
    return draft.made()


def _convolutional() -> Made:
    """As M2 of docs/EDGE.md is: 1,024 samples, three convolutions, each pooled, a mean and ten outputs."""
    draft = _begun((1, 1, 1024, 1))
    for outputs, width, stride in ((16, 64, 8), (32, 3, 1), (64, 3, 1)):
        _convolution(draft, outputs, width, stride)
    mean(draft, axes=(1, 2), keep=False)
    _dense(draft, 10, relu=False)
    return draft.made()


@pytest.mark.parametrize("make", [_small, _clamped, _convolutional])
def test_running_data_costs_what_the_page_says(make: object, tmp_path: Path, toolchain: Toolchain) -> None:
    assert callable(make)
    case = make()
    given = _as_bytes(case.inputs)
    packed = pack_model(case.model)
    code = run_on_m4(compile_model(case.model, name="code", folder=tmp_path / "code"), given, toolchain=toolchain)
    data = run_on_m4(packed_library(packed, name="data", folder=tmp_path / "data"), given, toolchain=toolchain)
    np.testing.assert_array_equal(code.outputs, data.outputs)
    assert code.instructions < data.instructions < (1.15 if make is _clamped else 1.03) * code.instructions
    _check_page(make.__name__.strip("_"), code, data, describe(packed))


def _check_page(name: str, code: M4Run, data: M4Run, said: PackedModel) -> None:
    """Compilers differ a little; what is said stays near."""
    page = (RUNTIME.parents[1] / "docs" / "MODEL_FORMAT.md").read_text()
    rows = re.findall(rf"^\| {name} \| (.+?) \|$", page, flags=re.MULTILINE)
    measured = [code.instructions, data.instructions, code.model_bytes, said.n_bytes, said.memory_bytes]
    measured += [data.flash_bytes - data.model_bytes, data.stack_bytes]
    assert len(rows) == 1, (name, measured)
    assert [int(cell.replace(",", "")) for cell in rows[0].split(" | ")] == pytest.approx(measured, rel=0.02)
