"""Quantising, checking and exporting by command: files in, files out, and one sentence where it cannot be."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tflites import convolutional, dense, rewritten

from app.cli import _raceway
from edge.oracle import run_numbers
from edge.tflite.reading import read_tflite


def _edge(*arguments: object) -> Result:
    return CliRunner().invoke(_raceway, ["edge", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network with an outlier that costs a scale for all outputs dearly, and what it learned from."""
    import keras

    folder = tmp_path_factory.mktemp("made")
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 6)) * np.r_[np.ones(5), 0.0]
    for name in ("learned", "validation"):
        kinds = rng.integers(3, size=300)
        x = (centres[kinds] + 0.3 * rng.standard_normal((300, 6)) * np.r_[np.ones(5), 0.0]).astype(np.float32)
        np.savez(folder / f"{name}.npz", inputs=x, targets=kinds)
    layers = keras.layers
    network = keras.Sequential([layers.Input((6,)), layers.Dense(12, activation="relu"), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(loss=loss, optimizer=keras.optimizers.Adam(0.01))
    with np.load(folder / "learned.npz") as learned:
        network.fit(learned["inputs"], learned["targets"], epochs=10, verbose=0)
    kernel = np.asarray(network.layers[0].kernel).copy()
    kernel[5, 0] = 200.0
    network.layers[0].kernel.assign(kernel)
    network.save(folder / "network.keras")
    return folder


@pytest.fixture
def files(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "files"))


def test_quantising_gives_figures_of_the_validation_and_tunes_where_it_must(files: Path) -> None:
    given = _edge(
        "quantize", files / "network.keras", "--inputs", files / "learned.npz",
        "--validation", files / "validation.npz", "--dense", "per-tensor",
        "--fine-tune", 12, "--batch", 16, "--learning-rate", 0.01, "--output", files / "out.tflite", "--json",
    )  # fmt: skip
    assert given.exit_code == 0, given.output
    figures = json.loads(given.stdout)
    assert (figures["metric"], figures["tuned"]) == ("accuracy", True)
    plain, tuned = (form["metric"] for form in figures["forms"][1:])
    assert tuned > plain + 0.1
    model = (files / "out.tflite").read_bytes()
    assert len(model) == figures["bytes"]
    with np.load(files / "validation.npz") as validation:
        found = run_numbers(model, validation["inputs"]).argmax(axis=1)
        assert np.mean(found == validation["targets"]) == tuned
    operators = read_tflite(model).operators
    assert len(read_tflite(model).tensors[operators[0].inputs[1]].quantised.scales) == 1


def test_a_plain_array_is_enough_to_convert(files: Path) -> None:
    with np.load(files / "learned.npz") as learned:
        np.save(files / "inputs.npy", learned["inputs"])
    given = _edge("quantize", files / "network.keras", "--inputs", files / "inputs.npy", "--output", files / "o.tflite")
    assert given.exit_code == 0, given.output
    assert re.search(r"^tuned +False$", given.stdout, flags=re.MULTILINE)
    assert len(read_tflite((files / "o.tflite").read_bytes()).operators) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"NETWORK": "learned.npz"}, "is no Keras model that can be read"),
        ({"--inputs": "nothing.npz"}, "nothing.npz cannot be read"),
        ({"--inputs": "narrow.npz"}, "inputs of shape (5,) were given; the network takes (6,)"),
        ({"--validation": "blind.npz"}, "holds no array named targets"),
        ({"--fine-tune": "3"}, "fine-tuning needs targets in the inputs, and a validation"),
        ({"--output": "no/such/folder.tflite"}, "cannot be written"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_nothing_is_written(
    files: Path, change: dict[str, str], sentence: str
) -> None:
    np.savez(files / "narrow.npz", inputs=np.zeros((3, 5)))
    np.savez(files / "blind.npz", inputs=np.zeros((3, 6)))
    before = sorted(files.iterdir())
    options = {"--inputs": "learned.npz", "--output": "out.tflite"} | change
    network = options.pop("NETWORK", "network.keras")
    paths = [str(value if value.isdigit() else files / value) for value in options.values()]
    given = _edge("quantize", files / network, *(part for pair in zip(options, paths, strict=True) for part in pair))
    assert given.exit_code == 2, given.output
    assert sentence in given.output
    assert sorted(files.iterdir()) == before


def test_verifying_says_who_agrees(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(convolutional())
    np.save(tmp_path / "real.npy", np.zeros((2, 1, 16, 3), dtype=np.float32))
    given = _edge("verify", tmp_path / "m.tflite", "--vectors", 30, "--inputs", tmp_path / "real.npy", "--json")
    assert given.exit_code == 0, given.output
    figures = json.loads(given.stdout)
    assert figures["operators"][0] == "CONV_2D"
    assert figures["comparisons"]["raceway"] == {"vectors": 32, "equal": 32, "largest": 0.0, "first": None}
    assert figures["comparisons"]["LiteRT"]["vectors"] == 32
    assert figures["raceway_refused"] is None
    shown = _edge("verify", tmp_path / "m.tflite", "--vectors", 30).stdout
    assert "raceway     30 of 30 vectors equal TFLite Micro byte for byte" in shown
    assert f"arena       {figures['arena']['used_bytes']:,} bytes used" in shown


def test_verifying_goes_on_where_our_compiler_refuses(tmp_path: Path) -> None:
    import keras

    from edge.convert import to_tflite

    network = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    (tmp_path / "float.tflite").write_bytes(to_tflite(network))
    given = _edge("verify", tmp_path / "float.tflite", "--vectors", 5)
    assert given.exit_code == 0, given.output
    assert "raceway     not compared: " in given.stdout
    assert "LiteRT " in given.stdout


def test_a_byte_that_differs_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import app.edge_verification

    honest = app.edge_verification.execute

    def wrong(*arguments: Any, **options: Any) -> Any:
        done = honest(*arguments, **options)
        outputs = done.outputs.copy()
        outputs[1, 2] ^= 1
        return dataclasses.replace(done, outputs=outputs)

    monkeypatch.setattr(app.edge_verification, "execute", wrong)
    (tmp_path / "m.tflite").write_bytes(convolutional())
    given = _edge("verify", tmp_path / "m.tflite", "--vectors", 4)
    assert given.exit_code == 1
    assert (
        "raceway     3 of 4 vectors equal TFLite Micro byte for byte; at most 1 off; first in vector 1 at 2"
        in given.stdout
    )


def test_exporting_writes_a_folder_for_either_runtime(tmp_path: Path) -> None:
    (tmp_path / "Small Net-2.tflite").write_bytes(dense())
    given = _edge("export", tmp_path / "Small Net-2.tflite", "--runtime", "tflm")
    assert given.exit_code == 0, given.output
    assert (tmp_path / "rw_small_net_2/rw_small_net_2.cc").is_file()
    given = _edge("export", tmp_path / "Small Net-2.tflite", "--runtime", "raceway", "--output", tmp_path / "ours")
    assert given.exit_code == 0, given.output
    assert "1 operators" in given.stdout
    assert (tmp_path / "ours/rw_small_net_2.c").is_file()


@pytest.mark.parametrize("runtime", ["tflm", "raceway"])
def test_an_unsupported_operator_is_named_and_nothing_is_written(tmp_path: Path, runtime: str) -> None:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    def change(tree: Any) -> None:
        code = tree.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = BuiltinOperator.SKIP_GRAM

    (tmp_path / "m.tflite").write_bytes(rewritten(dense(), change))
    for command in (("export", "--runtime", runtime), ("verify",)):
        given = _edge(command[0], tmp_path / "m.tflite", *command[1:])
        assert given.exit_code == 2
        assert "SKIP_GRAM" in given.output
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]


@pytest.mark.parametrize("command", [("export", "--runtime", "tflm"), ("export", "--runtime", "raceway"), ("verify",)])
def test_a_corrupt_file_is_one_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "m.tflite").write_bytes(dense()[:700])
    given = _edge(command[0], tmp_path / "m.tflite", *command[1:])
    assert given.exit_code == 2
    assert "is damaged" in given.output
    assert "Traceback" not in given.output
