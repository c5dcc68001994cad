"""Talks to the probe, the firmware that tries every function of a board at the word of whoever sits at the line."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Probe", "Samples", "State"]

_LIMIT_S = 20.0


class Samples(NamedTuple):
    """What the probe's sink has seen."""

    taken: int
    missing: int
    total: int
    full: int


class State(NamedTuple):
    """What the board says of itself."""

    reset_reason: int
    now_ms: int
    sleeps: int
    supply_low: int


class Probe:
    """Sends commands over a line, as `rw_probe.c` describes them.

    Parameters
    ----------
    send : callable
        Takes bytes.
    receive : callable
        Gives n bytes at most, one at least.
    """

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[int], bytes]) -> None:
        self._send, self._receive = send, receive

    def read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            part = self._receive(n - len(data))
            assert part, "the line was closed"
            data += part
        return data

    def greeted(self) -> Probe:
        assert self.read(1) == b"!"
        return self

    def ask(self, command: bytes, n_words: int) -> tuple[int, ...]:
        self._send(command)
        return struct.unpack(f"<{n_words}I", self.read(4 * n_words))

    def tell(self, command: bytes) -> None:
        self._send(command)

    def echo(self, data: bytes) -> bytes:
        self._send(b"e" + bytes([len(data)]) + data)
        return self.read(len(data))

    def samples(self) -> Samples:
        return Samples(*self.ask(b"s", 4))

    def samples_when(self, reached: Callable[[Samples], bool]) -> Samples:
        """The first account that is as wanted; the last one where the time is up."""
        end = time.monotonic() + _LIMIT_S
        while not reached(seen := self.samples()) and time.monotonic() < end:
            time.sleep(0.02)
        return seen

    def state(self) -> State:
        return State(*self.ask(b"i", 4))

    def geometry(self) -> tuple[int, ...]:
        return self.ask(b"g", 3)

    def erase(self, sector: int) -> int:
        return self._status(b"E" + struct.pack("<I", sector))

    def write(self, at: int, data: bytes) -> int:
        return self._status(b"W" + struct.pack("<I", at) + data)

    def flash(self, at: int) -> bytes:
        self._send(b"R" + struct.pack("<I", at))
        return self.read(16)

    def _status(self, command: bytes) -> int:
        (status,) = struct.unpack("<i", struct.pack("<I", *self.ask(command, 1)))
        return int(status)
