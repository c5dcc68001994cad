"""What was compiled before is written again where all that decides on it is the same, and only there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.emulator import objects
from edge.emulator.objects import compile_once
from edge.node.building import Source, compile_sources

_GCC = shutil.which("gcc") or ""
pytestmark = pytest.mark.skipif(not _GCC, reason="no C compiler")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sources that the compiler was called for, with nothing kept at first."""
    called, run = list[str](), objects.run_tool

    def counting(arguments: list[str], *, folder: Path) -> object:
        called.append(Path(arguments[arguments.index("-c") + 1]).name)
        return run(arguments, folder=folder)

    monkeypatch.setattr(objects, "run_tool", counting)
    monkeypatch.setattr(objects, "_KEPT", {})
    return called


def _written(folder: Path, value: int, *, include: str = '"outer.h"', number: str = "1") -> Path:
    """A source whose value stands in a header of a header."""
    folder.mkdir()
    (folder / "inner.h").write_text(f"#define VALUE {value}\n")
    (folder / "outer.h").write_text('#include "inner.h"\n')
    (folder / "one.c").write_text(f"#include {include}\nint one(void);\nint one(void) {{ return VALUE + {number}; }}\n")
    return folder / "one.c"


def _compiled(source: Path, *flags: str, keep: bool = True) -> bytes:
    output = source.parent / "one.o"
    assert compile_once([_GCC, *flags], source, output, keep=keep) == ""
    return output.read_bytes()


def test_the_same_content_elsewhere_is_compiled_once(tmp_path: Path, counted: list[str]) -> None:
    first = _compiled(_written(tmp_path / "a", 3))
    assert _compiled(_written(tmp_path / "b", 3)) == first
    assert counted == ["one.c"]


def test_another_header_source_or_flag_is_compiled_anew(tmp_path: Path, counted: list[str]) -> None:
    first = _compiled(_written(tmp_path / "a", 3))
    assert _compiled(_written(tmp_path / "b", 4)) != first
    assert _compiled(_written(tmp_path / "c", 3, number="7")) != first
    assert _compiled(_written(tmp_path / "d", 3), "-O2") != first
    assert len(counted) == 4


def test_what_cannot_be_told_or_is_not_to_be_kept_is_compiled_each_time(tmp_path: Path, counted: list[str]) -> None:
    named = '-DHEADER="outer.h"'
    _compiled(_written(tmp_path / "a", 3, include="HEADER"), named)
    _compiled(_written(tmp_path / "b", 3, include="HEADER"), named)
    _compiled(_written(tmp_path / "c", 3), keep=False)
    _compiled(tmp_path / "c" / "one.c", keep=False)
    assert len(counted) == 4


def test_a_refusal_is_said_and_not_kept(tmp_path: Path, counted: list[str]) -> None:
    source = _written(tmp_path / "a", 3, number="nothing")
    for _ in range(2):
        assert "nothing" in compile_once([_GCC], source, source.with_suffix(".o"))
    assert len(counted) == 2


def test_firmware_whose_header_a_macro_names_follows_every_header(tmp_path: Path, counted: list[str]) -> None:
    command, place = [_GCC, '-DHEADER="outer.h"'], tmp_path / "a"
    source = Source(_written(place, 3, include="HEADER"))
    first = compile_sources([source], tmp_path / "build", command, [place])
    assert compile_sources([source], tmp_path / "build", command, [place]) == first
    assert len(counted) == 1
    (place / "inner.h").write_text("#define VALUE 4\n")
    assert compile_sources([source], tmp_path / "build", command, [place]) != first
    assert len(counted) == 2


def test_firmware_that_differs_in_one_file_takes_the_others_objects(tmp_path: Path, counted: list[str]) -> None:
    for name, value in (("a", 3), ("b", 4)):
        own, shared = _written(tmp_path / name, value), tmp_path / name / "shared.c"
        shared.write_text("int shared(void);\nint shared(void) { return 1; }\n")
        objects = compile_sources([Source(own), Source(shared)], tmp_path / f"build {name}", [_GCC], [own.parent])
        assert [path.name for path in objects] == ["node_one.o", "node_shared.o"]
    assert counted == ["one.c", "shared.c", "one.c"]
