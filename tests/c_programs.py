"""Builds C of the firmware with a driver of a test into a program of this machine, under both sanitisers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[1] / "edge" / "firmware"
DRIVERS = Path(__file__).parent / "firmware"

_FLAGS = ("-std=c11", "-O2", "-g1", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
_SANITISERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def build_program(sources: Sequence[Path], folder: Path, *, flags: Sequence[str] = ()) -> Path:
    """Compile sources, each found beside its headers, into one program; skip where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    program = folder / "program"
    includes = [f"-I{place}" for place in dict.fromkeys(source.parent for source in sources)]
    command = [compiler, *_FLAGS, *_SANITISERS, *flags, *includes, *map(str, sources), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    return program


def run_program(program: Path, given: bytes, *arguments: str, limit_s: float = 280) -> bytes:
    """What the program writes for what it is given; a finding of a sanitiser fails the test."""
    done = subprocess.run(
        [str(program), *arguments],
        input=given,
        capture_output=True,
        check=False,
        timeout=limit_s,
        env={"ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    return done.stdout
