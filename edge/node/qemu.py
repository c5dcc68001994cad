"""Runs a firmware on an emulated board whose serial lines are sockets; ends it at a deadline, whatever it does."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edge.emulator.toolchain import Toolchain
from edge.node.building import Firmware
from features.errors import ParameterError, ToolchainError

__all__ = ["POWER_CUT", "EmulatedNode", "missing_samples", "sample_bytes"]

# Exit status of a board whose supply failed in the operation of flash that it was told; of rw_kept_flash.h.
POWER_CUT = 77
_POLL_S, _START_LIMIT_S, _STOP_LIMIT_S = 0.01, 10.0, 5.0
_NO_SAMPLE = -32768
_LARGEST_GAP = 0xFFFF


def sample_bytes(samples: NDArray[np.int16]) -> bytes:
    """Write samples as the sample port reads them.

    Parameters
    ----------
    samples : ndarray of int16, shape (n,)
        From -32767 on: the word -32768 is none.

    Raises
    ------
    ParameterError
        If they are of another type, or one is -32768.

    Examples
    --------
    >>> sample_bytes(np.array([1, -2], np.int16)).hex()
    '0100feff'
    """
    if samples.dtype != np.int16 or samples.ndim != 1 or (samples.size and samples.min() == _NO_SAMPLE):
        raise ParameterError(
            f"{samples.dtype} of shape {samples.shape} was given; int16 of one dimension, without -32768, is wanted"
        )
    return samples.astype("<i2").tobytes()


def missing_samples(n: int) -> bytes:
    """Write a gap of n samples as the sample port reads it.

    Examples
    --------
    >>> missing_samples(3).hex()
    '00800300'
    """
    if not 0 < n <= _LARGEST_GAP:
        raise ParameterError(f"a gap of {n} samples; 1 to {_LARGEST_GAP} are wanted")
    return np.array([0x8000, n], "<u2").tobytes()


class EmulatedNode:
    """A firmware that runs, with its serial lines at hand; a context manager that starts and ends the emulator.

    Parameters
    ----------
    firmware : Firmware
        From `edge.node.building`.
    folder : Path
        Working folder of the emulator: its sockets and the file of its flash, which outlives it, lie there.
    toolchain : Toolchain
        From `find_toolchain`.
    deadline_s : float
        Seconds after which the emulator is ended; a board that still ran is found out by `wait`.
    cut_at : int
        The operation of flash in which the supply fails; 0 for none.
    arguments : sequence of str
        Further ones of the emulator.

    Attributes
    ----------
    link, samples : socket
        The serial lines of that name, with a limit of time on each call.
    """

    def __init__(
        self,
        firmware: Firmware,
        folder: Path,
        *,
        toolchain: Toolchain,
        deadline_s: float = 60.0,
        cut_at: int = 0,
        arguments: tuple[str, ...] = (),
    ) -> None:
        self._firmware, self._folder, self._toolchain = firmware, folder, toolchain
        self._deadline_s, self._cut_at, self._arguments = deadline_s, cut_at, arguments
        self._lines: dict[str, socket.socket] = {}
        self._overdue = False

    def __enter__(self) -> EmulatedNode:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in self._firmware.board.serial:
            (self._folder / f"{name}.sock").unlink(missing_ok=True)
        self._errors = (self._folder / "errors.txt").open("wb")
        self._process = subprocess.Popen(
            self._command(), cwd=self._folder, stdin=subprocess.DEVNULL, stderr=self._errors
        )
        self._timer = threading.Timer(self._deadline_s, self._end)
        self._timer.daemon = True
        self._timer.start()
        try:
            for name in self._firmware.board.serial:
                self._lines[name] = self.connect(name)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        for line in self._lines.values():
            line.close()
        self._lines.clear()
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    @property
    def link(self) -> socket.socket:
        """The line of the link."""
        return self._lines["link"]

    @property
    def samples(self) -> socket.socket:
        """The line of the samples."""
        return self._lines["samples"]

    def connect(self, name: str) -> socket.socket:
        """Connect to a line anew; the emulator serves one connection of each at a time.

        Raises
        ------
        ToolchainError
            If the emulator has ended or does not answer.
        """
        end = time.monotonic() + _START_LIMIT_S
        # Through the folder's descriptor: the name of a socket may have 107 bytes only.
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            while True:
                line = socket.socket(socket.AF_UNIX)
                try:
                    line.connect(f"/proc/self/fd/{folder}/{name}.sock")
                    line.settimeout(_START_LIMIT_S)
                    return line
                except (FileNotFoundError, ConnectionRefusedError) as error:
                    line.close()
                    if self._process.poll() is not None or time.monotonic() > end:
                        raise ToolchainError(
                            f"the emulator did not open its line {name}: {self.errors() or 'it gave no reason'}",
                            tool=self._toolchain.qemu,
                        ) from error
                    time.sleep(_POLL_S)
        finally:
            os.close(folder)

    def disconnect(self, name: str) -> None:
        """Close a line: what the board sends there is lost, until it is connected again."""
        self._lines.pop(name).close()

    def reconnect(self, name: str) -> socket.socket:
        """Open a closed line again."""
        self._lines[name] = self.connect(name)
        return self._lines[name]

    def feed(self, *parts: bytes) -> None:
        """Write to the sample port, waiting while the board takes none.

        Raises
        ------
        ToolchainError
            If the emulator has ended.
        """
        try:
            for part in parts:
                self.samples.sendall(part)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ToolchainError(f"the emulator ended: {self.errors()}", tool=self._toolchain.qemu) from error

    def wait(self, timeout_s: float) -> int:
        """Wait for the emulator to end by itself, and return its exit status.

        Raises
        ------
        ToolchainError
            If it does not, or was ended at its deadline.
        """
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ToolchainError(f"the board still ran after {timeout_s:g} s", tool=self._toolchain.qemu) from error
        if self._overdue:
            raise ToolchainError(f"the board was ended after {self._deadline_s:g} s", tool=self._toolchain.qemu)
        return status

    def kill(self) -> None:
        """Take the power away, this very moment."""
        self._process.kill()
        self._process.wait()

    def errors(self) -> str:
        """What emulator and board wrote for people so far."""
        return (self._folder / "errors.txt").read_text(errors="replace").strip()

    def _command(self) -> list[str]:
        argument = f",arg=cut={self._cut_at}" if self._cut_at else ""
        command = [self._toolchain.qemu, "-M", self._firmware.board.machine, "-display", "none", "-monitor", "none"]
        command += ["-semihosting-config", f"enable=on,target=native{argument}"]
        for name in self._firmware.board.serial:
            command += [
                "-chardev",
                f"socket,id={name},path={name}.sock,server=on,wait=on",
                "-serial",
                f"chardev:{name}",
            ]
        return [*command, "-kernel", str(self._firmware.elf.resolve()), *self._arguments]

    def _end(self) -> None:
        self._overdue = True
        with suppress(ProcessLookupError):
            self._process.kill()
