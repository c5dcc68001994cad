"""Finds the Arm compiler, the emulator and the host's compiler; a missing one is named with its Debian package."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import ToolchainError

__all__ = ["CPU_FLAGS", "Toolchain", "find_toolchain", "run_tool"]

CPU_FLAGS = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")

_PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "arm-none-eabi-objdump": "binutils-arm-none-eabi",
    "arm-none-eabi-nm": "binutils-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "gcc": "gcc",
}
_LIBC, _LIBC_PACKAGE = "libc_nano.a", "libnewlib-arm-none-eabi"


@dataclass(frozen=True)
class Toolchain:
    """Full paths of the tools.

    Attributes
    ----------
    gcc, objdump, nm, size : str
        Of the GNU toolchain for `arm-none-eabi`.
    qemu : str
        `qemu-system-arm`.
    host_gcc : str
        Compiles the plugin that counts.
    """

    gcc: str
    objdump: str
    nm: str
    size: str
    qemu: str
    host_gcc: str


def find_toolchain(path: str | None = None) -> Toolchain:
    """Find every tool that building, running and counting need.

    Parameters
    ----------
    path : str, optional
        Folders to search, separated as in PATH; PATH itself where none are given.

    Returns
    -------
    Toolchain
        Of tools that exist.

    Raises
    ------
    ToolchainError
        If a tool or the C library is missing; the message names the Debian package.
    """
    toolchain = Toolchain(*(_find(command, path) for command in _PACKAGES))
    found = run_tool([toolchain.gcc, *CPU_FLAGS, f"-print-file-name={_LIBC}"]).stdout.strip()
    if found == _LIBC:  # what gcc answers where it knows no such file
        raise _missing(_LIBC, _LIBC_PACKAGE)
    return toolchain


def run_tool(
    arguments: Sequence[str], *, folder: Path | None = None, timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end and return what it wrote, whatever its exit status.

    Parameters
    ----------
    arguments : sequence of str
        The tool's path, then its arguments.
    folder : Path, optional
        Where it works.
    timeout_s : float
        Seconds after which it is ended.

    Returns
    -------
    CompletedProcess
        Exit status, output and errors as text.

    Raises
    ------
    ToolchainError
        If it does not end in time.
    """
    try:
        return subprocess.run(
            arguments, cwd=folder, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        tool = Path(arguments[0]).name
        raise ToolchainError(f"{tool} did not end within {timeout_s:g} s and was stopped", tool=tool) from error


def _find(command: str, path: str | None) -> str:
    found = shutil.which(command, path=path)
    if found is None:
        raise _missing(command, _PACKAGES[command])
    return found


def _missing(tool: str, package: str) -> ToolchainError:
    return ToolchainError(f"{tool} was not found; install the Debian package {package}", tool=tool)
