"""One node as the gateway sees it: the line it is on, what it said of itself, and the commands under way to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from app.codec import encode_json
from app.gateway.lines import Line
from app.gateway.outbox import Publication
from app.wire import VERSION, PointId
from edge.node.link.session import Link, Message

__all__ = ["Asked", "Node", "Wire"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message came from: the id of a command or None; and whether it outlives its line."""

    command: str | None
    lasting: bool


@dataclass(eq=False)
class Wire:
    """An open line with the link on it.

    Attributes
    ----------
    line : Line
    link : Link
    address : int or None
        Number of the address that is dialled again when it is gone; None where the node dials.
    out : bytes
        Of a frame, what the line has not taken yet.
    due_ms : int
        When the link has something to say next.
    sessions : int
        Those that were seen.
    node : Node or None
        Who is on it, once that is known.
    wanted : int
        What a selector is to wait for.
    asked : deque
        Of each message that the link keeps, what it came from.
    """

    line: Line
    link: Link
    address: int | None
    out: bytes = b""
    due_ms: int = 0
    sessions: int = 0
    node: Node | None = None
    wanted: int = 0
    asked: deque[Asked] = field(default_factory=deque)

    def send(self, message: Message, *, command: str | None = None, lasting: bool = True) -> None:
        """Queue a message; one that is not `lasting` is not said again on another line."""
        self.link.send(message.kind, message.body)
        self.asked.append(Asked(command, lasting))
        self.due_ms = 0

    def delivered(self) -> list[str]:
        """Take the commands that the node has acknowledged since the last call."""
        done = [self.asked.popleft() for _ in range(len(self.asked) - self.link.pending)]
        return [one.command for one in done if one.command is not None]

    def drop(self) -> list[str]:
        """Forget what was queued for a node that has restarted; gives the commands."""
        self.link.drop_unsent()
        return self.delivered()


@dataclass(eq=False)
class Node:
    """A node.

    Attributes
    ----------
    name : str
        On the link.
    point : PointId
    since_ns : int
        Of its last change between online and offline.
    wire : Wire or None
        None while it is on no line.
    online : bool
        Whether it was heard lately.
    hello : dict
        What it last said of itself, as JSON carries it.
    left : tuple
        Session of the node and what was under way to it with the commands, when its line was lost.
    """

    name: str
    point: PointId
    since_ns: int
    wire: Wire | None = None
    online: bool = False
    hello: dict[str, Any] = field(default_factory=dict)
    left: tuple[int, tuple[tuple[Message, str | None], ...]] = (0, ())

    def state(self, gateway: str) -> Publication:
        """What is retained about it."""
        payload = {
            "v": VERSION,
            "state": "online" if self.online else "offline",
            "since_ns": self.since_ns,
            "gateway": gateway,
            "node": self.name,
            **self.hello,
        }
        return Publication(self.point.topic("state"), encode_json(payload))

    def lose_wire(self) -> None:
        """Keep what was under way: the node may dial again without having restarted."""
        if self.wire is not None:
            queued = zip(self.wire.link.unacknowledged(), self.wire.asked, strict=True)
            kept = tuple((message, asked.command) for message, asked in queued if asked.lasting)
            self.left = (self.wire.link.peer_session, kept)
            self.wire.node = None
            self.wire = None

    def take_wire(self, wire: Wire) -> list[str]:
        """Go on over another line; gives the commands that are lost since the node has restarted meanwhile."""
        session, kept = self.left
        self.left = (0, ())
        self.wire, wire.node = wire, self
        if session != wire.link.peer_session:
            return [command for _, command in kept if command is not None]
        for message, command in kept:
            wire.send(message, command=command)
        return []
