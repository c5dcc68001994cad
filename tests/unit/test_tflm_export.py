"""The export for TFLite Micro: compiles without a warning, runs against a stand-in, is written whole or not at all."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflites import convolutional, dense, rewritten
from tflm_stand_in import stand_in

from edge.oracle import measure_arena
from edge.tflite.reading import read_tflite
from edge.tflm.exporting import STATUSES, export_tflm
from edge.tflm.operators import OPERATORS, method_of
from features.errors import ArtifactError, ParameterError

_GCC = pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("g++") is None, reason="no gcc with g++ here")
_CMAKE = pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake here")

_CALLER = """
#include <stdio.h>
#include <string.h>
#include "rw_small.h"
static _Alignas(16) unsigned char memory[1 << 16];
int main(void)
{
    int8_t input[RW_SMALL_INPUT_COUNT] = {1, -2, 3, -4, 5, -6, 7, -8}, output[RW_SMALL_OUTPUT_COUNT] = {0};
    const size_t bytes = rw_small_bytes();
    printf("%d ", rw_small_init(memory, bytes - 1));
    printf("%d ", rw_small_init(memory + 8, sizeof memory - 8));
    printf("%d ", rw_small_init(NULL, bytes));
    printf("%d ", rw_small_init(memory, bytes));
    printf("%d ", rw_small_run(memory, input, output));
    printf("%d ", memcmp(input, output, sizeof output));
    input[39] = 77;
    printf("%d ", rw_small_run(memory, input, output));
    printf("%s", rw_small_meaning(RW_SMALL_RUN));
    return bytes > RW_SMALL_ARENA_BYTES ? 0 : 1;
}
"""


def _run(*command: str, at: Path) -> str:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@_GCC
def test_the_files_compile_without_a_warning(tmp_path: Path) -> None:
    folder = export_tflm(convolutional(), name="m2", folder=tmp_path / "m2")
    root = stand_in(tmp_path / "tflm")
    (folder / "caller.c").write_text('#include "rw_m2.h"\nint status(void);\nint status(void) { return RW_M2_OK; }\n')
    strict = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-pedantic", "-Werror", "-c")
    for source in ("caller.c", "rw_m2_model.c"):
        _run("gcc", "-std=c11", *strict, source, "-o", "object.o", at=folder)
    _run("g++", "-std=c++17", "-fno-exceptions", "-fno-rtti", "-DTF_LITE_STATIC_MEMORY", *strict, f"-I{root}",
         "rw_m2.cc", "-o", "object.o", at=folder)  # fmt: skip


@_GCC
@_CMAKE
def test_cmake_builds_it_and_the_calls_return_their_statuses(tmp_path: Path) -> None:
    folder = export_tflm(dense(), name="small", folder=tmp_path / "small")
    root = stand_in(tmp_path / "tflm")
    _run("cmake", "-B", str(tmp_path / "build"), f"-DTFLM_ROOT={root}", at=folder)
    _run("cmake", "--build", str(tmp_path / "build"), at=folder)
    (tmp_path / "caller.c").write_text(_CALLER)
    _run("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "caller.c", "build/librw_small.a", "-lstdc++",
         "-o", "caller", at=tmp_path)  # fmt: skip
    assert _run("./caller", at=tmp_path) == "-1 -1 -1 0 0 0 -5 an operator failed"


@_CMAKE
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "TFLM_ROOT is not set: pass -DTFLM_ROOT=FOLDER, the tflite-micro source folder"),
        (["-DTFLM_ROOT=/nowhere"], "TFLM_ROOT is /nowhere, which holds no tensorflow/lite/micro/micro_interpreter.h"),
    ],
)
def test_without_the_library_cmake_says_so(tmp_path: Path, options: list[str], sentence: str) -> None:
    folder = export_tflm(dense(), name="small", folder=tmp_path / "small")
    done = subprocess.run(["cmake", "-B", "build", *options], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert sentence in " ".join(done.stderr.split())


@_CMAKE
@_GCC
def test_a_folder_without_a_built_library_is_said(tmp_path: Path) -> None:
    folder = export_tflm(dense(), name="small", folder=tmp_path / "small")
    shutil.rmtree(stand_in(tmp_path / "tflm") / "gen")
    done = subprocess.run(
        ["cmake", "-B", "build", f"-DTFLM_ROOT={tmp_path / 'tflm'}"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "0 libraries libtensorflow-microlite.a were found" in " ".join(done.stderr.split())


def test_the_array_is_the_file_and_the_header_says_what_it_needs(tmp_path: Path) -> None:
    folder = export_tflm(convolutional(), name="m2", folder=tmp_path / "m2")
    array = (folder / "rw_m2_model.c").read_text()
    assert bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2}),", array)) == convolutional()
    header = dict(re.findall(r"#define RW_M2_(\w+) \(?([-\w.+]+)\)?$", (folder / "rw_m2.h").read_text(), re.MULTILINE))
    assert header["INPUT_BYTES"] == "48u"
    assert header["OUTPUT_COUNT"] == "5u"
    assert header["ARENA_BYTES"] == f"{measure_arena(convolutional()).least_bytes}u"
    graph = read_tflite(convolutional())
    into = graph.tensors[graph.inputs[0]].quantised
    assert np.float32(header["INPUT_SCALE"].removesuffix("f")) == into.scales[0]
    assert int(header["INPUT_ZERO_POINT"]) == into.zero_point
    shim = (folder / "rw_m2.cc").read_text()
    assert "MicroMutableOpResolver<6>" in shim
    assert len(re.findall(r"resolver\.Add", shim)) == 6
    assert not re.search(r"@\w+@", "".join(path.read_text() for path in folder.iterdir()))


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (export_tflm(dense(), name="small", folder=tmp_path / name) for name in ("one", "two"))
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}


def test_every_operator_of_the_table_is_in_the_interpreter() -> None:
    from tflite_micro.python.tflite_micro import _runtime

    compiled = Path(_runtime.__file__).read_bytes()
    # In a symbol the length of a name stands before it.
    found = re.findall(rb"(\d+)Register_([A-Z0-9_]+)", compiled)
    registered = {name[: int(length) - len("Register_")].decode() for length, name in found}
    assert registered >= OPERATORS
    # As the examples of tflite-micro, person detection and micro speech, call them.
    named = {"AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "SOFTMAX", "FULLY_CONNECTED"}
    assert {method_of(name) for name in named} == {
        "AddAveragePool2D",
        "AddConv2D",
        "AddDepthwiseConv2D",
        "AddReshape",
        "AddSoftmax",
        "AddFullyConnected",
    }


def test_statuses_are_distinct_and_negative() -> None:
    values = [value for _, value, _ in STATUSES]
    assert values == sorted(set(values), reverse=True)
    assert max(values[1:]) < values[0] == 0


def test_an_operator_that_is_lacking_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    def change(tree: Any) -> None:
        code = tree.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = BuiltinOperator.SKIP_GRAM

    with pytest.raises(ArtifactError, match="resolver has no SKIP_GRAM"):
        export_tflm(rewritten(dense(), change), name="small", folder=tmp_path / "small")
    assert list(tmp_path.iterdir()) == []


def test_what_would_not_compile_or_overwrite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'2-nd' is no name for C"):
        export_tflm(dense(), name="2-nd", folder=tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("kept")
    with pytest.raises(ArtifactError, match="is there already and no export of small"):
        export_tflm(dense(), name="small", folder=tmp_path / "mine", replace=True)
    assert (tmp_path / "mine/notes.txt").read_text() == "kept"
    export_tflm(dense(), name="small", folder=tmp_path / "out")
    with pytest.raises(ArtifactError, match="is there already"):
        export_tflm(dense(), name="small", folder=tmp_path / "out")
    again = export_tflm(convolutional(), name="small", folder=tmp_path / "out", replace=True)
    assert "CONV_2D" in (again / "README.md").read_text()
