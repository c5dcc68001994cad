"""The link's parts in C as a child process under both sanitisers, which answers one call after the other."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_ROOT = Path(__file__).parents[1]
LINK = _ROOT / "edge/firmware/link"
_FLAGS = ("-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
_SANITISERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def build_driver(driver: Path, folder: Path, *, sanitise: bool = True) -> Path:
    """Compile a driver with all of the link."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed; `make packages` installs it as root")
    program = folder / driver.stem
    sources = [driver, *sorted(LINK.glob("*.c"))]
    flags = [*_FLAGS, *(_SANITISERS if sanitise else ()), f"-I{LINK}"]
    command = [compiler, *flags, *map(str, sources), "-o", str(program)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


class Driver:
    """A running driver; a context manager that ends it and looks at how it ended."""

    def __init__(self, program: Path) -> None:
        self._child = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 16)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        status = self._child.wait(timeout=20)
        assert kind is not None or status == 0

    def call(self, operation: str, argument: bytes = b"") -> bytes:
        """Do one operation; what a sanitiser says stands in the test's output."""
        given, answers = self._child.stdin, self._child.stdout
        assert given is not None
        assert answers is not None
        given.write(operation.encode() + struct.pack("<I", len(argument)) + argument)
        given.flush()
        head = answers.read(4)
        assert len(head) == 4, f"the driver ended with {self._child.wait(timeout=20)}"
        return answers.read(*struct.unpack("<I", head))
