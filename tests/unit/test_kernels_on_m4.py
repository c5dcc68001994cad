"""A fixed set of networks over all kernels on the emulated Cortex-M4: every byte is the TFLite Micro interpreter's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import KERNELS, Draft, chain, convolution, dense, max_pool, one_kernel
from tflite_making import Made, constant, value

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


def _begun(seed: int, shape: tuple[int, ...]) -> Draft:
    draft = Draft(np.random.default_rng(seed), [])
    draft.put(value(shape, draft.scale(), draft.zero()))
    return draft


def _dense(rows: int, inputs: int, outputs: int, **options: Any) -> Callable[[int], Made]:
    def made(seed: int) -> Made:
        draft = _begun(seed, (rows, inputs))
        dense(draft, outputs=outputs, **options)
        return draft.made()

    return made


def _convolution(shape: tuple[int, int, int], *, pool: bool = False, **options: Any) -> Callable[[int], Made]:
    def made(seed: int) -> Made:
        draft = _begun(seed, (1, *shape))
        convolution(draft, **options)
        if pool:
            max_pool(draft, size=(1, 2), stride=(1, 2), activation=0)
        return draft.made()

    return made


def _largest_weight(seed: int) -> Made:
    """A weight of -128 is left to the plain kernel."""
    draft = _begun(seed, (1, 24))
    weights = draft.rng.integers(-127, 128, (5, 24))
    weights[1, 3] = -128
    others = draft.put(constant(weights, 0.01)), draft.put(constant(np.arange(5), 0.01, dtype=np.int32))
    draft.then("FULLY_CONNECTED", value((1, 5), 60 * draft.last.scales[0]), *others)
    return draft.made()


def _networks() -> Iterator[tuple[str, Callable[[int], Made]]]:
    """Name and maker of each."""
    for tile, kept in ((1, 0.2), (2, 0.2), (4, 0.2), (4, 1.0)):
        for per_row, pool in ((False, True), (True, False)):
            yield (
                f"dense {tile}x4 kept {kept} per row {per_row}",
                _dense(1, 70, 11, tile=tile, kept=kept, per_row=per_row),
            )
            yield (
                f"convolution {tile}x4 kept {kept} pooled {pool}",
                _convolution((1, 24, 4), outputs=11, kernel=(1, 5), stride=(1, 1), tile=tile, kept=kept, pool=pool),
            )
        yield (
            f"kernel of three rows {tile}x4 kept {kept}",
            _convolution((7, 9, 8), outputs=7, kernel=(3, 3), stride=(1, 2), tile=tile, kept=kept),
        )
    yield "several rows", _dense(5, 33, 6)
    yield "every row its taps", _convolution((3, 10, 6), outputs=6, kernel=(2, 3), stride=(1, 1), kept=0.5)
    yield "every window expanded", _convolution((1, 30, 1), outputs=9, kernel=(1, 8), stride=(1, 3))
    yield "plain by its dilation", _convolution((1, 20, 5), outputs=5, kernel=(1, 3), dilation=(1, 2), stride=(1, 1))
    yield "plain by a weight", _largest_weight
    for name in KERNELS:
        yield name, lambda seed, name=name: one_kernel(name, seed)  # type: ignore[misc]
        yield f"{name} again", lambda seed, name=name: one_kernel(name, 1000 + seed)  # type: ignore[misc]
    for i in range(4):
        yield f"chain {i}", lambda seed, i=i: chain(seed + i)  # type: ignore[misc]


_ALL = tuple((seed, name, make) for seed, (name, make) in enumerate(_networks()))
_EACH = pytest.mark.parametrize(
    ("seed", "make"), [(seed, make) for seed, _, make in _ALL], ids=[name for _, name, _ in _ALL]
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
    for seed, _, make in _ALL:
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


@pytest.mark.parametrize("level", ["-O0", "-Os", "-O2", "-O3"])
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


@pytest.mark.parametrize("level", ["-O0", "-Og", "-O1", "-Os", "-O2", "-O3"])
def test_every_form_of_the_product_finds_its_registers(level: str, tmp_path: Path, toolchain: Toolchain) -> None:
    source = tmp_path / "forms.c"
    source.write_text(_forms())
    assert _forms().count("rw_tiles(") == 80
    assert _build(toolchain, tmp_path, level, str(source)) == ""
