"""Libraries of a known function, built with this machine's compiler and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.compiler import host
from edge.compiler.host import build_host_program, run_on_host
from edge.compiler.library import Library
from features.errors import ParameterError, ToolchainError

_HEADER = """\
#include <stdint.h>
#define RW_{upper}_ARENA_BYTES {arena}u
#define RW_{upper}_INPUT_BYTES 4u
#define RW_{upper}_OUTPUT_BYTES 4u
int8_t *rw_{name}_input(void *arena);
void rw_{name}_run(void *arena);
const int8_t *rw_{name}_output(const void *arena);
"""
_SOURCE = """\
#include "rw_{name}.h"
#include "rw_add_one.h"
int8_t *rw_{name}_input(void *arena) {{ return arena; }}
void rw_{name}_run(void *arena) {{ rw_add_one(arena, {n}); }}
const int8_t *rw_{name}_output(const void *arena) {{ return arena; }}
"""
_KERNEL_HEADER = "#include <stdint.h>\n#pragma once\nvoid rw_add_one(int8_t *x, int n);\n"
_KERNEL = """\
#include "rw_add_one.h"
void rw_add_one(int8_t *x, int n)
{
    for (int i = 0; i < n; ++i) {
        x[i] = (int8_t)(x[i] + 1);
    }
}
"""


def _library(folder: Path, name: str, *, n: int = 4, kernel: str = _KERNEL) -> Library:
    """Adds one to the first n bytes of an arena of 4."""
    folder = folder / name
    folder.mkdir()
    (folder / f"rw_{name}.h").write_text(_HEADER.format(name=name, upper=name.upper(), arena=4))
    (folder / f"rw_{name}.c").write_text(_SOURCE.format(name=name, n=n))
    (folder / "rw_add_one.h").write_text(_KERNEL_HEADER)
    (folder / "rw_add_one.c").write_text(kernel)
    return Library(folder, name, 4, 4, 4, 0, ("ADD",))


@pytest.mark.parametrize("sanitise", [False, True])
def test_several_libraries_run_in_one_program(tmp_path: Path, rng: np.random.Generator, *, sanitise: bool) -> None:
    libraries = [_library(tmp_path, "one"), _library(tmp_path, "other", n=2)]
    inputs = [rng.integers(-100, 100, (items, 4), dtype=np.int8) for items in (3, 5)]
    outputs = build_host_program(libraries, tmp_path / "build", sanitise=sanitise).run(inputs)
    np.testing.assert_array_equal(outputs[0], inputs[0] + 1)
    np.testing.assert_array_equal(outputs[1], inputs[1] + np.array([1, 1, 0, 0], dtype=np.int8))


def test_no_items_give_no_outputs(tmp_path: Path) -> None:
    given = np.zeros((0, 4), dtype=np.int8)
    assert run_on_host(_library(tmp_path, "one"), given, tmp_path / "build").shape == (0, 4)


def test_kernels_are_compiled_once_and_again_when_they_change(tmp_path: Path) -> None:
    given = np.zeros((1, 4), dtype=np.int8)
    assert run_on_host(_library(tmp_path, "one"), given, tmp_path / "build").tolist() == [[1, 1, 1, 1]]
    first = set((tmp_path / "build").glob("*.o"))
    run_on_host(_library(tmp_path, "two"), given, tmp_path / "build")
    assert set((tmp_path / "build").glob("*.o")) == first
    changed = _library(tmp_path, "three", kernel=_KERNEL.replace("+ 1", "+ 7"))
    assert run_on_host(changed, given, tmp_path / "build").tolist() == [[7, 7, 7, 7]]


def test_a_byte_beyond_the_arena_is_found(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="heap-buffer-overflow"):
        run_on_host(_library(tmp_path, "one", n=5), np.zeros((1, 4), np.int8), tmp_path / "build", sanitise=True)


def test_code_with_a_warning_is_refused(tmp_path: Path) -> None:
    careless = _KERNEL.replace("x[i] = (int8_t)(x[i] + 1)", "x[i] = n + i")
    with pytest.raises(ToolchainError, match=r"failed[\s\S]*conversion"):
        run_on_host(_library(tmp_path, "one", kernel=careless), np.zeros((1, 4), np.int8), tmp_path / "build")


def test_a_missing_compiler_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.shutil, "which", lambda _: None)
    with pytest.raises(ToolchainError, match="no C compiler"):
        build_host_program([_library(tmp_path, "one")], tmp_path / "build")


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    library = _library(tmp_path, "one")
    with pytest.raises(ParameterError, match="different names"):
        build_host_program([library, library], tmp_path / "build")
    program = build_host_program([library], tmp_path / "build")
    with pytest.raises(ParameterError, match="4\\) is wanted"):
        program.run([np.zeros((1, 5), dtype=np.int8)])
    with pytest.raises(ParameterError, match="2 inputs"):
        program.run([np.zeros((1, 4), dtype=np.int8)] * 2)
