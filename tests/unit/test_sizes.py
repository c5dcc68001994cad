"""What grew between two builds is told function by function, as the compiler's own tool counts it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import _raceway
from edge.emulator.sizes import changes_between, sizes_of
from edge.emulator.toolchain import CPU_FLAGS
from features.errors import ArtifactError

_GCC = "arm-none-eabi-gcc"
needs_toolchain = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in (_GCC, "qemu-system-arm")),
    reason="no Arm toolchain here; install the packages that tests/packages.sh names",
)
_BEFORE = """
const int table[8] = {1};
int once(int x) { return x + table[x & 7]; }
static char room[100];
char *f(void) { return room; }
"""
_AFTER = """
const int table[16] = {1};
int twice(int x) { return x * 2 + table[x & 15]; }
static char room[140];
char *f(void) { return room; }
"""


def _built(folder: Path, name: str, source: str) -> Path:
    (folder / f"{name}.c").write_text(source)
    out = folder / f"{name}.o"
    subprocess.run([_GCC, *CPU_FLAGS, "-O2", "-c", "-o", out, folder / f"{name}.c"], check=True)
    return out


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    return _built(tmp_path, "before", _BEFORE), _built(tmp_path, "after", _AFTER)


@needs_toolchain
def test_functions_and_tables_are_in_flash_and_variables_in_ram(builds: tuple[Path, Path]) -> None:
    before, after = (sizes_of(build) for build in builds)
    assert (before["table"], after["table"]) == (32, 64)
    assert set(before) == {"table", "once", "f"}
    # The tool that prints sections counts the same bytes of code and constants, without alignment.
    counted = subprocess.run(["arm-none-eabi-size", builds[0]], check=True, capture_output=True, text=True)
    text = int(counted.stdout.splitlines()[1].split()[0])
    assert 0 <= text - sum(before.values()) < 8
    assert [sizes_of(build, ram=True) for build in builds] == [{"room": 100}, {"room": 140}]


@needs_toolchain
def test_the_command_tells_what_changed(builds: tuple[Path, Path]) -> None:
    done = CliRunner().invoke(_raceway, ["edge", "sizes", *map(str, builds), "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.output)
    assert {one["name"]: one["grown"] > 0 for one in figures["changes"]} == {
        "table": True,
        "twice": True,
        "once": False,
    }
    assert sum(one["grown"] for one in figures["changes"]) == figures["after"] - figures["before"]
    told = CliRunner().invoke(_raceway, ["edge", "sizes", *map(str, builds)]).output
    assert "table                32          64         +32" in told
    same = CliRunner().invoke(_raceway, ["edge", "sizes", str(builds[0]), str(builds[0])])
    assert len(same.output.splitlines()) == 2


def test_the_largest_change_comes_first() -> None:
    found = changes_between({"same": 3, "gone": 50, "less": 9}, {"same": 3, "less": 8, "new": 7})
    assert [(one.name, one.grown) for one in found] == [("gone", -50), ("new", 7), ("less", -1)]


@needs_toolchain
def test_what_is_no_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is not there"):
        sizes_of(tmp_path / "none.elf")
    other = tmp_path / "text.elf"
    other.write_text("no build")
    with pytest.raises(ArtifactError, match="no build with symbols"):
        sizes_of(other)
