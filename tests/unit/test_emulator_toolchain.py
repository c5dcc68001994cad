"""A missing tool is named with the package that brings it; a tool that hangs is stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.emulator.toolchain import find_toolchain, run_tool
from features.errors import ToolchainError

TOOLS = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "arm-none-eabi-objdump": "binutils-arm-none-eabi",
    "arm-none-eabi-nm": "binutils-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "gcc": "gcc",
}


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with stand-ins for every tool; the compiler says that it has the C library."""
    for name in TOOLS:
        script(tmp_path / name, "echo /lib/libc_nano.a")
    return tmp_path


def test_every_tool_is_found_by_name(tools: Path) -> None:
    found = find_toolchain(str(tools))
    assert found.gcc == str(tools / "arm-none-eabi-gcc")
    assert found.qemu == str(tools / "qemu-system-arm")
    assert found.host_gcc == str(tools / "gcc")


@pytest.mark.parametrize(("tool", "package"), TOOLS.items())
def test_a_missing_tool_is_named_with_its_package(tools: Path, tool: str, package: str) -> None:
    (tools / tool).unlink()
    with pytest.raises(ToolchainError, match=f"^{tool} was not found; install the Debian package {package}$") as raised:
        find_toolchain(str(tools))
    assert raised.value.tool == tool


def test_a_missing_c_library_is_named_with_its_package(tools: Path) -> None:
    script(tools / "arm-none-eabi-gcc", "echo libc_nano.a")
    with pytest.raises(ToolchainError, match=r"libc_nano\.a was not found.*libnewlib-arm-none-eabi"):
        find_toolchain(str(tools))


def test_a_tool_that_does_not_end_is_stopped() -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    with pytest.raises(ToolchainError, match=r"sleep did not end within 0\.1 s"):
        run_tool([sleep, "60"], timeout_s=0.1)
