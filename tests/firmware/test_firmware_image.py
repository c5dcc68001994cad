"""Firmware images in MCUboot's format: made, read, checked, and refused where imgtool refuses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge.node.firmware_image import FirmwareImage, check_firmware_image, make_firmware_image, read_firmware_image
from edge.node.package import generate_key, read_private_key, render_public_key
from features.errors import ArtifactError, ParameterError

_CODE = bytes(range(256)) * 20


@pytest.fixture
def key(tmp_path: Path) -> Path:
    pem = generate_key()
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "public.pem").write_bytes(render_public_key(read_private_key(pem).public_key()))
    return tmp_path / "key.pem"


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    (tmp_path / "firmware.bin").write_bytes(_CODE)
    return tmp_path / "firmware.bin"


def test_an_image_holds_the_firmware_and_is_signed(tmp_path: Path, key: Path, binary: Path) -> None:
    made = make_firmware_image(binary, tmp_path / "image.bin", version="2.10.300+70000", slot_bytes=65536, key=key)
    content = (tmp_path / "image.bin").read_bytes()
    assert made == read_firmware_image(content) == FirmwareImage("2.10.300+70000", 512, len(_CODE))
    assert content[512 : 512 + len(_CODE)] == _CODE
    hashed = content[: 512 + len(_CODE) + int.from_bytes(content[10:12], "little")]  # with what is protected behind it
    assert any(hashlib.new(name, hashed).digest() in content for name in ("sha256", "sha512"))
    check_firmware_image(tmp_path / "image.bin", key=tmp_path / "public.pem")


def test_what_is_touched_or_signed_by_another_is_refused(tmp_path: Path, key: Path, binary: Path) -> None:
    place = tmp_path / "image.bin"
    make_firmware_image(binary, place, version="1.0.0", slot_bytes=65536, key=key)
    (tmp_path / "other.pem").write_bytes(generate_key())
    with pytest.raises(ParameterError, match="imgtool refused to verify: No signature found for the given key"):
        check_firmware_image(place, key=tmp_path / "other.pem")
    content = bytearray(place.read_bytes())
    content[700] ^= 1
    place.write_bytes(content)
    with pytest.raises(ParameterError, match="imgtool refused to verify: Image has an invalid hash"):
        check_firmware_image(place, key=key)


def test_what_imgtool_refuses_is_refused(tmp_path: Path, key: Path, binary: Path) -> None:
    with pytest.raises(ParameterError, match=r"imgtool refused to sign: .*exceeds requested size"):
        make_firmware_image(binary, tmp_path / "image.bin", version="1.0.0", slot_bytes=4096, key=key)
    with pytest.raises(ParameterError, match=r"imgtool refused to sign: .*Invalid version number"):
        make_firmware_image(binary, tmp_path / "image.bin", version="one", slot_bytes=65536, key=key)
    with pytest.raises(ArtifactError, match="does not begin with a header of MCUboot"):
        read_firmware_image(_CODE)
