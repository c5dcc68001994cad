"""The cycle table by which forms are chosen says what the emulator counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tflite_making import constant, one_operator, value

from edge.compiler.compilation import compile_model
from edge.cycles import read_cycles
from edge.emulator.running import run_on_m4
from edge.pruning.cycles import layer_cycles

_TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "gcc")


def _dense(rng: np.random.Generator, *, outputs: int, inputs: int, rows: int, kept: float) -> np.ndarray:
    weights = rng.integers(1, 40, (outputs, inputs)) * rng.choice([-1, 1], (outputs, inputs))
    mask = np.zeros((outputs // rows, inputs // 4), dtype=bool)
    for tile in mask:
        tile[rng.choice(inputs // 4, round(kept * inputs / 4), replace=False)] = True
    return (weights * np.repeat(np.repeat(mask, rows, axis=0), 4, axis=1)).astype(np.int8)


@pytest.mark.parametrize(
    ("shape", "rows", "kept"), [("dense", 4, 1.0), ("4x4", 4, 0.5), ("4x4", 4, 0.1), ("2x4", 2, 0.3), ("1x4", 1, 0.3)]
)
def test_the_table_is_within_a_tenth_of_the_emulator(
    rng: np.random.Generator, tmp_path: Path, shape: str, rows: int, kept: float
) -> None:
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(missing)} not found; install the packages that tests/packages.sh names")
    weights = _dense(rng, outputs=64, inputs=256, rows=rows, kept=kept)
    constants = [constant(weights, 0.002), constant(np.zeros(64), 4e-5, dtype=np.int32)]
    model = one_operator("FULLY_CONNECTED", value((1, 256), 0.02, 3), value((1, 64), 0.1, 5), constants=constants)
    library = compile_model(model, name="m", folder=tmp_path / "m")
    run = run_on_m4(library, rng.integers(-128, 128, (1, 256)).astype(np.int8))
    wanted = layer_cycles(read_cycles(), weights.T, shape=shape, places=1, inputs=256)
    assert run.cycles == pytest.approx(wanted, rel=0.1)
