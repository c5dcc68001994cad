"""`raceway edge run`: figures against those of the parts, outputs against a dense layer in plain Python, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from tflite_making import constant, one_operator, value

from app.cli import _Raceway
from app.commands.edge_run import run
from edge.compiler.compilation import compile_model
from edge.emulator.running import run_on_m4
from edge.emulator.toolchain import find_toolchain
from edge.oracle import run_tflm
from edge.verify import vectors_for
from features.errors import ToolchainError

_INPUTS, _OUTPUTS = 12, 3
_SCALE, _ZERO_POINT = 0.5, -3


class _Alone(_Raceway):
    """`raceway` with this one subcommand, so that refusals become what they become there."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return run if cmd_name == "run" else None


def _weights() -> NDArray[np.int64]:
    return np.random.default_rng(5).integers(-127, 128, (_OUTPUTS, _INPUTS))


def _tiny() -> bytes:
    """A dense layer without activation; one step of its output is 64 of its sums."""
    return one_operator(
        "FULLY_CONNECTED",
        value((1, _INPUTS), _SCALE, _ZERO_POINT),
        value((1, _OUTPUTS), _SCALE * 0.25 * 64, 0),
        constants=[constant(_weights(), 0.25), constant(np.zeros(_OUTPUTS), _SCALE * 0.25, dtype=np.int32)],
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(_tiny())
    return path


@pytest.fixture
def _emulated() -> None:
    try:
        find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(_Alone("raceway"), ["run", *map(str, arguments)])


def _refused(*arguments: object) -> str:
    result = _run(*arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    return str(line)


def _tables(text: str) -> dict[str, tuple[int, int]]:
    """Instructions and cycles of each line of the table of operators."""
    rows = [line.split() for line in text.splitlines() if line.endswith("%")]
    return {" ".join(row[:-3]): (int(row[-3].replace(",", "")), int(row[-2].replace(",", ""))) for row in rows}


@pytest.mark.usefixtures("_emulated")
def test_figures_are_those_of_the_emulated_node(model: Path, tmp_path: Path) -> None:
    result = _run(model, "--vectors", 4, "--seed", 9, "--name", "tiny", "--json")
    assert result.exit_code == 0, result.stderr
    figures: dict[str, Any] = json.loads(result.stdout)
    library = compile_model(_tiny(), name="tiny", folder=tmp_path / "library")
    cost = run_on_m4(library, vectors_for(_tiny(), n_random=4, seed=9))
    for name in ("instructions", "cycles", "flash_bytes", "model_bytes", "ram_bytes", "stack_bytes"):
        assert figures[name] == getattr(cost, name), name
    assert figures["operators"] == [list(operator) for operator in cost.operators]
    assert (figures["vectors"], figures["bit_equal_vectors"]) == (4, 4)
    assert figures["run"]["command"] == "raceway run"


@pytest.mark.usefixtures("_emulated")
def test_the_table_adds_up(model: Path) -> None:
    result = _run(model, "--vectors", 2)
    assert result.exit_code == 0, result.stderr
    rows = _tables(result.stdout)
    assert list(rows) == ["00 FULLY_CONNECTED", "between operators", "inference"]
    *parts, whole = rows.values()
    assert tuple(map(sum, zip(*parts, strict=True))) == whole
    assert "2 of 2 vectors equal TFLite Micro byte for byte" in result.stdout


@pytest.mark.usefixtures("_emulated")
def test_a_budget_that_is_exceeded_is_refused_after_the_table_and_before_outputs(model: Path, tmp_path: Path) -> None:
    budget, outputs = tmp_path / "budget.toml", tmp_path / "outputs.npy"
    limits = "flash_bytes = 100000\nram_bytes = 9000\nstack_bytes = 900\ncycles = 90000\n"
    budget.write_text(f"[models.default]\n{limits}[models.small]\nflash_bytes = 100\n")
    common = (model, "--vectors", 1, "--budget", budget, "--outputs", outputs)
    result = _run(*common, "--name", "small")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: the model small exceeds its budget with ")
    assert " above the 100 allowed)" in result.stderr
    assert "inference" in _tables(result.stdout)
    assert not outputs.exists()
    assert _run(*common, "--name", "other").exit_code == 0
    assert outputs.exists()


def test_outputs_of_floats_are_those_of_a_dense_layer(model: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    real = rng.uniform(-60.0, 60.0, (5, _INPUTS))
    np.savez(tmp_path / "given.npz", inputs=real, others=np.zeros(3))
    result = _run(model, "--host", "--inputs", tmp_path / "given.npz", "--outputs", tmp_path / "found.npy")
    assert result.exit_code == 0, result.stderr
    steps = np.clip(np.rint(real / _SCALE) + _ZERO_POINT, -128, 127)
    wanted = (steps - _ZERO_POINT) @ _weights().T / 64
    found = np.load(tmp_path / "found.npy")
    assert (found.dtype, found.shape) == (np.int8, (5, _OUTPUTS))
    assert np.abs(found - np.clip(wanted, -128, 127)).max() <= 0.5
    assert "5 of 5 vectors equal" in result.stdout
    assert "cycles" not in result.stdout


def test_integers_are_run_as_they_are(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "given.npy", np.full((2, _INPUTS), _ZERO_POINT, np.int8))
    result = _run(
        model, "--host", "--no-verify", "--inputs", tmp_path / "given.npy", "--outputs", tmp_path / "found.npy"
    )
    assert result.exit_code == 0, result.stderr
    assert np.load(tmp_path / "found.npy").tolist() == [[0] * _OUTPUTS] * 2
    assert "not compared with TFLite Micro" in result.stdout


def test_an_output_that_differs_is_a_failure(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def off_by_one(content: bytes, vectors: NDArray[np.int8]) -> NDArray[np.int8]:
        outputs = run_tflm(content, vectors).copy()
        outputs[2, 1] ^= 1
        return outputs

    monkeypatch.setattr("edge.execution.run_tflm", off_by_one)
    result = _run(model, "--host", "--vectors", 3)
    assert result.exit_code == 1
    assert "2 of 3 vectors equal TFLite Micro" in result.stdout
    assert "vector 2 differs first, at 1: " in result.stdout
    assert "the largest difference is 1\n" in result.stdout


def test_models_that_cannot_be_run_are_refused_in_one_sentence(model: Path, tmp_path: Path) -> None:
    assert "cannot be read: No such file" in _refused(tmp_path / "none.tflite")
    (tmp_path / "torn.tflite").write_bytes(_tiny()[:-40])
    assert "convert the model again" in _refused(tmp_path / "torn.tflite")
    unknown = one_operator("CUMSUM", value((1, 4), 0.5), value((1, 4), 0.5), constants=[constant(1, dtype=np.int32)])
    (tmp_path / "unknown.tflite").write_bytes(unknown)
    assert "CUMSUM cannot be compiled" in _refused(tmp_path / "unknown.tflite")
    assert "lower-case letters" in _refused(model, "--name", "M 1")


def test_a_missing_toolchain_is_named(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install the Debian package gcc-arm-none-eabi" in _refused(model, "--vectors", 1)
    assert "no C compiler was found" in _refused(model, "--vectors", 1, "--host")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, _INPUTS + 1), np.int8), r"shape \(2, 13\); one of shape \('n', 12\) is wanted"),
        (np.zeros((0, _INPUTS), np.int8), r"shape \(0, 12\)"),
        (np.zeros((2, _INPUTS), np.int16), "holds int16; int8 or floats"),
        (np.full((2, _INPUTS), np.nan), "not finite"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(model: Path, tmp_path: Path, array: NDArray[Any], said: str) -> None:
    np.save(tmp_path / "given.npy", array)
    assert re.search(said, _refused(model, "--host", "--inputs", tmp_path / "given.npy"))


def test_files_that_hold_no_inputs_are_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("1 2 3")
    assert "neither .npy nor .npz" in _refused(model, "--inputs", tmp_path / "text.npy")
    assert "cannot be read" in _refused(model, "--inputs", tmp_path / "none.npy")
    np.savez(tmp_path / "two.npz", a=np.zeros(2), b=np.zeros(2))
    assert "holds a, b; one array, or one named inputs" in _refused(model, "--inputs", tmp_path / "two.npz")


def test_what_cannot_be_done_is_refused_before_anything_runs(model: Path, tmp_path: Path) -> None:
    assert "a name ending in .npy" in _refused(model, "--outputs", tmp_path / "found.txt")
    assert "in a folder is wanted" in _refused(model, "--outputs", tmp_path / "none" / "found.npy")
    assert "leave out --host" in _refused(model, "--host", "--budget", tmp_path / "budget.toml")
    assert "the budget" in _refused(model, "--budget", tmp_path / "budget.toml")
