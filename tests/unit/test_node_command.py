"""`raceway node`: keys, model images and firmware images as files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import _raceway
from features.contract import NODE


def raceway(*arguments: str | Path) -> Result:
    return CliRunner().invoke(_raceway, ["node", *map(str, arguments)])


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    assert raceway("keygen", tmp_path / "keys").exit_code == 0
    return tmp_path / "keys"


def package(tmp_path: Path, keys: Path, *more: str) -> Result:
    for name, content in (("model.bin", b"weights"), ("window.bin", b"\x01\xff"), ("output.bin", b"\x7f")):
        (tmp_path / name).write_bytes(content)
    return raceway(
        *("package", tmp_path / "model.bin", "--key", keys / "private.pem", "--version", "7", "--name", "M1"),
        *("--operator", "9", "--operator", "3", "--memory", "2048", "--golden-input", tmp_path / "window.bin"),
        *("--golden-output", tmp_path / "output.bin", "--output", tmp_path / "m1.image", *more),
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


def test_a_model_is_packed_and_told_of(tmp_path: Path, keys: Path) -> None:
    made = package(tmp_path, keys, "--metric", "auc=0.75")
    assert made.exit_code == 0, made.output
    shown = json.loads(raceway("inspect", tmp_path / "m1.image", "--key", keys / "public.pem").output)
    assert (shown["name"], shown["version"], shown["operators"], shown["metrics"]) == ("M1", 7, [3, 9], {"auc": 0.75})
    assert (shown["model_bytes"], shown["memory_bytes"], shown["golden_bytes"]) == (7, 2048, [2, 1])
    assert shown["contract"] == NODE.hash
    assert shown["id"] in made.output


def test_an_image_of_another_key_is_refused(tmp_path: Path, keys: Path) -> None:
    package(tmp_path, keys)
    raceway("keygen", tmp_path / "others")
    refused = raceway("inspect", tmp_path / "m1.image", "--key", tmp_path / "others" / "public.pem")
    assert refused.exit_code == 2
    assert "none of the keys given has signed the manifest" in refused.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--metric", "auc"), "no metric; NAME=NUMBER is wanted"),
        (("--metric", "auc=nan"), "nan has no form in a message"),
        (("--contract", "0123"), "16 hexadecimal digits are wanted"),
        (("--contract", "g" * 16), "16 hexadecimal digits are wanted"),
        (("--name", "n" * 33), "name has 33 bytes"),
        (("--key", "nowhere.pem"), "nowhere.pem cannot be read"),
    ],
)
def test_what_makes_no_image_is_refused(tmp_path: Path, keys: Path, more: tuple[str, str], said: str) -> None:
    refused = package(tmp_path, keys, *more)
    assert refused.exit_code == 2
    assert said in refused.output
    assert not (tmp_path / "m1.image").exists()


def test_a_key_of_another_kind_does_not_sign(tmp_path: Path, keys: Path) -> None:
    refused = package(tmp_path, keys, "--key", str(keys / "public.pem"))
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
