"""What docs/UPDATES.md says of images, states and reasons is what the code does."""

from __future__ import annotations

import dataclasses
import re

from c_programs import FIRMWARE
from update_driving import CONFIRMED, EMPTY, REASON, RECEIVING, STAGED, TRIAL

from edge.node.manifest import MANIFEST_BYTES, NAME_BYTES, OPERATORS, Manifest
from edge.node.package import open_image

_PAGE = (FIRMWARE.parents[1] / "docs" / "UPDATES.md").read_text(encoding="utf-8")


def _fenced(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", _PAGE, flags=re.DOTALL)
    return str(found)


def test_the_example_is_the_image_that_its_code_makes() -> None:
    made: dict[str, object] = {}
    exec(compile(_fenced("python"), "UPDATES.md", "exec"), made)
    image = made["image"]
    assert isinstance(image, bytes)
    assert image == bytes.fromhex(_fenced("hex"))
    opened = open_image(image, keys=[made["key"].public_key()])  # type: ignore[attr-defined]
    assert (opened.manifest.name, opened.model) == ("M1", b"a model's bytes")


def test_the_table_of_keys_is_the_manifests() -> None:
    rows = re.findall(r"^\| (\d+) \| [\w ]+ \| (?:`(\w+)`|format)", _PAGE, flags=re.MULTILINE)
    assert [int(key) for key, _ in rows] == list(range(1, 12))
    assert {name for _, name in rows if name} == {field.name for field in dataclasses.fields(Manifest)}
    for sentence in (f"at most {MANIFEST_BYTES:,}", f"ascending, {OPERATORS} at most", f"1 to {NAME_BYTES} bytes"):
        assert sentence in _PAGE


def test_the_table_of_reasons_is_the_headers() -> None:
    text = (FIRMWARE / "update" / "rw_update_status.h").read_text()
    words = re.findall(r'X\((\w+), (\d+), "([^"]+)"\)', text)
    rows = re.findall(r"^\| (\d+) \| `([A-Z_]+)` \| (.+) \|$", _PAGE, flags=re.MULTILINE)
    assert rows == [(code, name, meaning) for name, code, meaning in words]
    assert [int(code) for code, _, _ in rows] == list(range(len(REASON)))


def test_the_states_have_their_numbers() -> None:
    found = {name: int(code) for name, code in re.findall(r"\b([A-Z]{5,}) \((\d)\)", _PAGE)}
    assert found == {
        "EMPTY": EMPTY,
        "RECEIVING": RECEIVING,
        "STAGED": STAGED,
        "TRIAL": TRIAL,
        "CONFIRMED": CONFIRMED,
    }
