"""Nodes of the gateway's tests: the twin of the link on a socket of its own, which says what it is told to."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from link_channels import Hazards, Line

from edge.node.link import messages
from edge.node.link.session import Link, LinkConfig, Message

HELLO = {
    "firmware": "1.0",
    "model": 1,
    "contract": bytes.fromhex("cbaf349d5d436fb2"),
    "boot": 1,
    "reset": 0,
    "slot": 4,
    "rate_hz": 12_000.0,
    "window": 2048,
    "period_ms": 1000,
    "features": 2,
}

_CLEAN = Hazards()


def report(number: int, *, boot: int = 1, **changes: Any) -> Message:
    """A report of two features."""
    entries = {
        "boot": boot,
        "number": number,
        "uptime_ms": 1000 * number,
        "state": 1,
        "alarm": False,
        "model": 1,
        "lost": 0,
        "features": bytes.fromhex("0000803f0000003f"),
    }
    return messages.encode("report", entries | changes)


class SpeakingNode(threading.Thread):
    """A node that dials, says what is queued in its link, and keeps what it hears; its line may have faults.

    Parameters
    ----------
    dial : callable
        Opens a socket to the gateway.
    name : str
    session : int
    hazards : Hazards
        Of both directions.
    """

    def __init__(
        self, dial: Callable[[], socket.socket], name: str, *, session: int, hazards: Hazards = _CLEAN
    ) -> None:
        super().__init__(daemon=True)
        self._dial = dial
        self._hazards = hazards
        config = LinkConfig(session=session, name=name, window=4, resend_ms=150, longest_ms=1000, idle_ms=500)
        self.link = Link(config, now_ms=self._now())
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.lock = threading.Lock()
        self.drops = 0
        self._drop = False
        self._ended = False
        self._sessions = 0

    @staticmethod
    def _now() -> int:
        return time.monotonic_ns() // 1_000_000

    def say(self, *said: Message) -> None:
        """Queue messages."""
        with self.lock:
            for message in said:
                self.link.send(message.kind, message.body)

    @property
    def pending(self) -> int:
        """Messages that the gateway has not acknowledged."""
        with self.lock:
            return self.link.pending

    def drop_line(self) -> None:
        """Hang up; it dials again at once."""
        self._drop = True

    def end(self) -> None:
        """End as by a power cut."""
        self._ended = True
        self.join(timeout=10)

    def run(self) -> None:
        """Dial as often as it takes."""
        dice = random.Random(self.link.config.session)
        while not self._ended:
            try:
                line = self._dial()
            except OSError:
                time.sleep(0.05)
                continue
            with contextlib.closing(line), contextlib.suppress(OSError):
                self._serve(line, Line(self._hazards, dice), Line(self._hazards, dice))
            self.drops += 1

    def _serve(self, line: socket.socket, there: Line, back: Line) -> None:
        line.settimeout(5.0)
        self._drop = False
        while not (self._ended or self._drop):
            readable, _, _ = select.select([line], [], [], 0.005)
            if readable:
                data = line.recv(4096)
                if not data:
                    return
                back.put(data, self._now())
            with self.lock:
                self._hear(back.get(self._now()))
                while frame := self.link.output(self._now()):
                    there.put(frame, self._now())
            sent = there.get(self._now())
            if sent:
                line.sendall(sent)

    def _hear(self, data: bytes) -> None:
        self.link.feed(data, self._now())
        if self.link.counts.sessions != self._sessions:
            self._sessions = self.link.counts.sessions
            hello = messages.encode("hello", HELLO)
            self.link.send(hello.kind, hello.body)
        arrived = self.link.arrived()
        self.heard += [messages.decode(message) for message in arrived]
        self.link.take(len(arrived))


def unix(path: object) -> Callable[[], socket.socket]:
    """What dials a Unix socket."""

    def dial() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(path))
        except OSError:
            made.close()
            raise
        return made

    return dial
