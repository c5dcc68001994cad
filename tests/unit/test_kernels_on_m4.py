"""A fixed set of networks over all kernels on the emulated Cortex-M4: every byte is the TFLite Micro interpreter's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from fixed_networks import FIXED
from tflite_making import Made
from thoroughness import cases

from edge.compiler.compilation import RUNTIME, compile_model
from edge.emulator.building import LIBRARY_FLAGS
from edge.emulator.running import run_on_m4
from edge.emulator.toolchain import Toolchain, find_toolchain, run_tool
from edge.oracle import run_tflm
from features.errors import ToolchainError

_WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


_EACH = pytest.mark.parametrize(
    ("seed", "make"), [(seed, make) for seed, _, make in FIXED], ids=[name for _, name, _ in FIXED]
)
# By kernels, or by those of packed models.
_CALLED_BY_OTHERS = {"rw_broadcast.c", *(path.name for path in RUNTIME.glob("rw_model*.c"))}
# Of what a compiled model is written: kernels, layouts of their inputs, and forms of the product.
_WRITTEN = (
    *(path.name.replace(".c", ".h") for path in RUNTIME.glob("*.c") if path.name not in _CALLED_BY_OTHERS),
    *("RW_ROWS", "RW_TAPS", "RW_WINDOWS"),
    *("_dense_4", "_dense_1", "_sparse_4", "_sparse_2", "_sparse_1", "_pooled", "_per_row", "_clamped"),
)


def test_the_set_holds_every_kernel_and_layout(tmp_path: Path) -> None:
    text = ""
    for seed, _, make in FIXED:
        folder = tmp_path / str(seed)
        compile_model(make(seed).model, name="net", folder=folder)
        text += (folder / "rw_net.c").read_text()
    assert [part for part in _WRITTEN if part not in text] == []


@_EACH
def test_a_network_on_the_node_equals_the_interpreter(
    seed: int, make: Callable[[int], Made], tmp_path: Path, toolchain: Toolchain
) -> None:
    case = make(seed)
    library = compile_model(case.model, name="net", folder=tmp_path / "net")
    given = np.ascontiguousarray(case.inputs).reshape(len(case.inputs), -1).view(np.int8)
    found = run_on_m4(library, given, count=False, toolchain=toolchain).outputs
    wanted = np.ascontiguousarray(run_tflm(case.model, case.inputs)).reshape(len(given), -1).view(np.int8)
    np.testing.assert_array_equal(found, wanted, err_msg=case.label)


def _build(toolchain: Toolchain, folder: Path, level: str, *sources: str) -> str:
    """What the compiler complains of."""
    command = [toolchain.gcc, *LIBRARY_FLAGS, level, *_WARNINGS, f"-I{RUNTIME}", "-c", *sources]
    return run_tool(command, folder=folder).stderr


# The product is built with -O2, and -O0 has the fewest registers to give; a level takes seconds.
@pytest.mark.parametrize("level", cases(usual=["-O0", "-O2"], thorough=["-Os", "-O3"]))
def test_the_runtime_builds_without_a_warning(level: str, tmp_path: Path, toolchain: Toolchain) -> None:
    sources = sorted(str(path) for path in RUNTIME.glob("*.c"))
    assert len(sources) > 10
    assert _build(toolchain, tmp_path, level, *sources) == ""


def _forms() -> str:
    """A function of every form of `rw_tiles`: its inline assembly is short of registers."""
    lines = ['#include "rw_product.h"']
    tiles = [("true", 4), ("true", 2), ("true", 1), ("false", 4), ("false", 1)]
    for i, ((sparse, rows), *flags) in enumerate(product(tiles, *[("false", "true")] * 4)):
        fields = ", ".join([str(rows), sparse, *map(str, flags)])
        lines += [
            f"RW_KERNEL void form_{i}(const struct rw_band *band, const struct rw_window *window, int8_t *out);",
            f"RW_KERNEL void form_{i}(const struct rw_band *band, const struct rw_window *window, int8_t *out)",
            f"{{ rw_tiles(band, window, out, (struct rw_form){{{fields}}}); }}",
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("level", cases(usual=["-O0", "-O2"], thorough=["-Og", "-O1", "-Os", "-O3"]))
def test_every_form_of_the_product_finds_its_registers(level: str, tmp_path: Path, toolchain: Toolchain) -> None:
    source = tmp_path / "forms.c"
    source.write_text(_forms())
    assert _forms().count("rw_tiles(") == 80
    assert _build(toolchain, tmp_path, level, str(source)) == ""
