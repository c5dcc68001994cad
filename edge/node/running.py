"""A firmware that runs as a process, its serial lines being sockets; ended at a deadline, whatever it does."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError, ToolchainError

__all__ = ["LINES", "POWER_CUT", "RunningNode", "missing_samples", "sample_bytes"]

LINES = ("link", "samples")
# Exit status of a board whose supply failed in the operation of flash that it was told; of the ports.
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


class RunningNode:
    """A firmware that runs, with its serial lines at hand; a context manager that starts and ends the process.

    Parameters
    ----------
    command : sequence of str
        What is started; the first one is named in errors.
    folder : Path
        Where it works: its sockets and the file of its flash, which outlives it, lie there.
    lines : sequence of str
        Each is served on the socket `<line>.sock`; they are opened in this order.
    deadline_s : float
        Seconds after which it is ended; what still ran is found out by `wait`.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, *, lines: Sequence[str] = LINES, deadline_s: float = 60.0
    ) -> None:
        self._command, self._folder, self._names, self._deadline_s = command, folder, lines, deadline_s
        self._lines: dict[str, socket.socket] = {}
        self._overdue = False

    def __enter__(self) -> RunningNode:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in self._names:
            (self._folder / f"{name}.sock").unlink(missing_ok=True)
        self._errors = (self._folder / "errors.txt").open("wb")
        self._process = subprocess.Popen(self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stderr=self._errors)
        self._timer = threading.Timer(self._deadline_s, self._end)
        self._timer.daemon = True
        self._timer.start()
        try:
            for name in self._names:
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
        """Connect to a line anew; the process serves one connection of each at a time.

        Raises
        ------
        ToolchainError
            If the process has ended or does not answer.
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
                            f"the process did not open its line {name}: {self.errors() or 'it gave no reason'}",
                            tool=self._command[0],
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
            If the process has ended.
        """
        try:
            for part in parts:
                self.samples.sendall(part)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ToolchainError(f"the process ended: {self.errors()}", tool=self._command[0]) from error

    def wait(self, timeout_s: float) -> int:
        """Wait for the process to end by itself, and return its exit status.

        Raises
        ------
        ToolchainError
            If it does not, or was ended at its deadline.
        """
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ToolchainError(f"the board still ran after {timeout_s:g} s", tool=self._command[0]) from error
        if self._overdue:
            raise ToolchainError(f"the board was ended after {self._deadline_s:g} s", tool=self._command[0])
        return status

    def kill(self) -> None:
        """Take the power away, this very moment."""
        self._process.kill()
        self._process.wait()

    def ended(self, *, within_s: float = 5.0) -> bool:
        """Whether the process has ended by itself, or does within a moment."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def errors(self) -> str:
        """What process and board wrote for people so far."""
        return (self._folder / "errors.txt").read_text(errors="replace").strip()

    def _end(self) -> None:
        self._overdue = True
        with suppress(ProcessLookupError):
            self._process.kill()
