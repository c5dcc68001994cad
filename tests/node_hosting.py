"""The other end of a node's link, for tests: a session over its socket, with what it said by kind."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from edge.node.link.messages import decode, encode
from edge.node.link.session import Link, LinkConfig
from edge.node.running import RunningNode

__all__ = ["NodeHost"]

Said = tuple[str, dict[str, Any]]


class NodeHost:
    """Speaks with a running node, and answers its requests for the time.

    Attributes
    ----------
    said : list of (str, dict)
        Kind and entries of everything that arrived, in order.
    """

    def __init__(self, node: RunningNode, *, session: int = 77, time_ms: int | None = 1_800_000_000_000) -> None:
        self._node, self._time_ms = node, time_ms
        self.said: list[Said] = []
        self.link = Link(LinkConfig(session=session, name="test", resend_ms=200), now_ms=self._now_ms())

    def tell(self, kind: str, **entries: Any) -> None:
        message = encode(kind, entries)
        self.link.send(message.kind, message.body)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [entries for name, entries in self.said if name == kind]

    def until(self, reached: Callable[[], bool], *, limit_s: float = 60.0) -> None:
        """Speak until something is so."""
        end = time.monotonic() + limit_s
        while not reached():
            assert time.monotonic() < end, self.said[-3:]
            self.speak()

    def reports(self, n: int) -> list[dict[str, Any]]:
        """The first n reports, as soon as there are so many."""
        self.until(lambda: len(self.of("report")) >= n)
        return self.of("report")[:n]

    def speak(self, *, wait_s: float = 0.01) -> None:
        """Move bytes both ways once."""
        while data := self.link.output(self._now_ms()):
            self._node.link.sendall(data)
        self._node.link.settimeout(wait_s)
        try:
            data = self._node.link.recv(4096)
            assert data, self._node.errors()
            self.link.feed(data, self._now_ms())
        except TimeoutError:
            pass
        for message in self.link.arrived():
            name, entries = decode(message)
            self.said.append((name, entries))
            if name == "time_request" and self._time_ms is not None:
                self.tell("time", asked_ms=entries["asked_ms"], time_ms=self._time_ms)
        self.link.take(len(self.link.arrived()))

    @staticmethod
    def _now_ms() -> int:
        return int(time.monotonic() * 1000)
