"""Firmware images in MCUboot's format, made and checked by its own `imgtool`; refuses what that tool refuses.

Models have their own slots and keys and are no part of these images: a model changes without the firmware.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from features.errors import ArtifactError, ParameterError, ToolchainError

__all__ = ["FirmwareImage", "check_firmware_image", "make_firmware_image", "read_firmware_image"]

# Of MCUboot's design document: magic, load address, header and protected sizes, image size, flags, version.
_MAGIC = 0x96F3B83D
_HEADER_BYTES = 32
_LIMIT_S = 120


@dataclass(frozen=True)
class FirmwareImage:
    """What the header of an image says.

    Attributes
    ----------
    version : str
        As `1.2.3+4`.
    header_bytes : int
        Before the vectors of the firmware.
    code_bytes : int
        Of the firmware itself.
    """

    version: str
    header_bytes: int
    code_bytes: int


def make_firmware_image(
    binary: Path,
    output: Path,
    *,
    version: str,
    slot_bytes: int,
    key: Path,
    header_bytes: int = 0x200,
    align: int = 8,
    security_counter: str = "auto",
) -> FirmwareImage:
    """Sign a firmware for MCUboot.

    Parameters
    ----------
    binary : Path
        Raw, linked to run `header_bytes` behind the start of its slot.
    output : Path
        Is written.
    version : str
        As `1.2.3+4`.
    slot_bytes : int
        Of MCUboot's slots; the tool refuses a firmware that does not fit with its trailer.
    key : Path
        Private key of Ed25519, as PEM.
    header_bytes : int
        A multiple of what the vector table must be aligned to.
    align : int
        Smallest write of the flash: 1, 2, 4, 8, 16 or 32 bytes.
    security_counter : str
        `auto` takes it from the version; MCUboot refuses images with a lower one where it is built to.

    Returns
    -------
    FirmwareImage
        Of what was written.

    Raises
    ------
    ParameterError
        If imgtool refuses what it was given; its last line is in the message.
    ToolchainError
        If imgtool is not installed.
    """
    _imgtool(
        *("sign", "--key", str(key), "--version", version, "--header-size", str(header_bytes), "--pad-header"),
        *("--slot-size", str(slot_bytes), "--align", str(align), "--security-counter", security_counter),
        *(str(binary), str(output)),
    )
    return read_firmware_image(output.read_bytes())


def check_firmware_image(path: Path, *, key: Path) -> None:
    """See to it that an image is whole and signed by a key.

    Parameters
    ----------
    path : Path
        The image.
    key : Path
        PEM of the public or the private key.

    Raises
    ------
    ParameterError
        If imgtool says it is not.
    ToolchainError
        If imgtool is not installed.
    """
    _imgtool("verify", "--key", str(key), str(path))


def read_firmware_image(content: bytes) -> FirmwareImage:
    """Read the header of an image.

    Parameters
    ----------
    content : bytes
        From the header on.

    Returns
    -------
    FirmwareImage

    Raises
    ------
    ArtifactError
        If there is no header of MCUboot.

    Examples
    --------
    >>> words = [0x96F3B83D, 0, 0x200, 4096, 0, 0x00030201, 7]
    >>> read_firmware_image(b"".join(word.to_bytes(4, "little") for word in [*words, 0])).version
    '1.2.3+7'
    """
    if len(content) < _HEADER_BYTES or int.from_bytes(content[:4], "little") != _MAGIC:
        raise ArtifactError("the file does not begin with a header of MCUboot")
    revision, build = (int.from_bytes(content[at : at + n], "little") for at, n in ((22, 2), (24, 4)))
    return FirmwareImage(
        version=f"{content[20]}.{content[21]}.{revision}+{build}",
        header_bytes=int.from_bytes(content[8:10], "little"),
        code_bytes=int.from_bytes(content[12:16], "little"),
    )


def _imgtool(*arguments: str) -> None:
    if find_spec("imgtool") is None:
        raise ToolchainError("imgtool is not installed; install it with `pip install imgtool`", tool="imgtool")
    command = [sys.executable, "-m", "imgtool.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it gave no reason"]
        raise ParameterError(f"imgtool refused to {arguments[0]}: {lines[-1]}")
