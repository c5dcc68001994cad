"""`raceway node`: keys, model images and firmware images as files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from watching import linear_autoencoder

from app.cli import _raceway
from edge.compiler.packed import describe
from edge.compiler.packing import pack_model
from edge.node.package import open_image, read_public_key
from edge.node.reference import CHOSEN
from edge.oracle import run_tflm
from features.contract import NODE


def raceway(*arguments: str | Path) -> Result:
    return CliRunner().invoke(_raceway, ["node", *map(str, arguments)])


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    assert raceway("keygen", tmp_path / "keys").exit_code == 0
    return tmp_path / "keys"


K = len(CHOSEN)


@pytest.fixture(scope="module")
def network() -> bytes:
    """Of health: it rebuilds features."""
    return linear_autoencoder(np.random.default_rng(1).normal(size=(80, K)).astype(np.float32), n_code=6)


def package(tmp_path: Path, keys: Path, model: bytes, *more: str | Path) -> Result:
    (tmp_path / "model").write_bytes(model)
    return raceway(
        *("package", tmp_path / "model", "--key", keys / "private.pem", "--version", "7", "--name", "M1"),
        *("--output", tmp_path / "m1.image", *more),
    )


def test_a_key_is_for_its_owner_alone_and_is_never_replaced(keys: Path) -> None:
    assert (keys / "private.pem").stat().st_mode & 0o077 == 0
    before = (keys / "private.pem").read_bytes()
    again = raceway("keygen", keys)
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert (keys / "private.pem").read_bytes() == before
    text = (keys / "rw_update_keys.h").read_text()
    assert "#define RW_UPDATE_KEYS 1u" in text
    assert len(re.findall(r"0x[0-9a-f]{2}", text)) == 32


def test_a_model_is_packed_run_and_told_of(tmp_path: Path, keys: Path, network: bytes) -> None:
    window = np.random.default_rng(2).integers(-128, 128, (1, K), dtype=np.int8)
    (tmp_path / "window.bin").write_bytes(window.tobytes())
    given = ("--metric", "auc=0.75", "--golden-input", tmp_path / "window.bin")
    made = package(tmp_path, keys, network, *given)
    assert made.exit_code == 0, made.output
    shown = json.loads(raceway("inspect", tmp_path / "m1.image", "--key", keys / "public.pem").output)
    assert (shown["name"], shown["version"], shown["metrics"], shown["contract"]) == ("M1", 7, {"auc": 0.75}, NODE.hash)
    assert shown["golden_bytes"] == [K, K]
    assert shown["id"] in made.output
    image = (tmp_path / "m1.image").read_bytes()
    opened = open_image(image, keys=[read_public_key((keys / "public.pem").read_bytes())])
    said = describe(opened.model)
    assert opened.model == pack_model(network)
    assert opened.manifest.operators == said.needs
    assert opened.manifest.memory_bytes == said.memory_bytes + said.arena_bytes > 2 * K
    assert opened.manifest.golden_input == window.tobytes()
    assert opened.manifest.golden_output == run_tflm(network, window).tobytes(), (
        "the kernels give what TFLite Micro does"
    )
    package(tmp_path, keys, opened.model, *given)
    assert (tmp_path / "m1.image").read_bytes() == image, "one that was packed before is the same"


def test_an_image_of_another_key_is_refused(tmp_path: Path, keys: Path, network: bytes) -> None:
    package(tmp_path, keys, network)
    raceway("keygen", tmp_path / "others")
    refused = raceway("inspect", tmp_path / "m1.image", "--key", tmp_path / "others" / "public.pem")
    assert refused.exit_code == 2
    assert "none of the keys given has signed the manifest" in refused.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--metric", "auc"), "no metric; NAME=NUMBER is wanted"),
        (("--contract", "0123"), "16 hexadecimal digits are wanted"),
        (("--contract", "g" * 16), "16 hexadecimal digits are wanted"),
        (("--contract", "00" * 8), f"features of contract {NODE.hash} were offered to a model of contract {'00' * 8}"),
        (("--golden-input", "{keys}/public.pem"), "the golden window has 113 bytes; 50 of the model's input"),
        (("--key", "nowhere.pem"), "nowhere.pem cannot be read"),
    ],
)
def test_what_makes_no_image_is_refused(
    tmp_path: Path, keys: Path, network: bytes, more: tuple[str, str], said: str
) -> None:
    refused = package(tmp_path, keys, network, *(text.format(keys=keys) for text in more))
    assert refused.exit_code == 2
    assert said in refused.output
    assert not (tmp_path / "m1.image").exists()


def test_a_model_that_no_node_could_watch_with_is_refused(tmp_path: Path, keys: Path) -> None:
    narrow = linear_autoencoder(np.random.default_rng(1).normal(size=(80, K - 1)).astype(np.float32), n_code=6)
    refused = package(tmp_path, keys, narrow)
    assert refused.exit_code == 2
    assert f"the model takes {K - 1} bytes of int8 and gives {K - 1} of int8; a node wants a network" in refused.output
    refused = package(tmp_path, keys, b"weights")
    assert refused.exit_code == 2
    assert not (tmp_path / "m1.image").exists()


def test_a_key_of_another_kind_does_not_sign(tmp_path: Path, keys: Path, network: bytes) -> None:
    refused = package(tmp_path, keys, network, "--key", str(keys / "public.pem"))
    assert refused.exit_code == 2
    assert "no private key can be read" in refused.output


def test_a_firmware_is_signed_for_mcuboot(tmp_path: Path, keys: Path) -> None:
    (tmp_path / "firmware.bin").write_bytes(bytes(3000))
    made = raceway(
        *("image", tmp_path / "firmware.bin", "--key", keys / "private.pem", "--version", "1.4.0"),
        *("--slot-bytes", "65536", "--output", tmp_path / "firmware.image"),
    )
    assert made.exit_code == 0, made.output
    assert "firmware 1.4.0+0, 3,000 bytes behind a header of 512" in made.output
