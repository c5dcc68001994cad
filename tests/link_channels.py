"""Two ends of a link, in C or in Python, and lines between them that lose, double, corrupt, cut and delay bytes."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from typing import Protocol

from link_driving import Driver

from edge.node.link.session import Counts, Link, LinkConfig, Message

QUEUE_BYTES = 6000
FULL = -3


class End(Protocol):
    """What a simulation asks of an end: to say, to hear (what arrived is taken at once), to queue."""

    def send(self, message: Message) -> bool: ...
    def output(self, room: int, now_ms: int) -> bytes: ...
    def feed(self, data: bytes, now_ms: int) -> list[Message]: ...
    def pending(self) -> int: ...
    def counts(self) -> Counts: ...


class PythonEnd:
    """The twin; it says frame by frame, and a line takes them in parts."""

    def __init__(self, config: LinkConfig, now_ms: int) -> None:
        self.link = Link(config, now_ms=now_ms)
        self._rest = b""

    def send(self, message: Message) -> bool:
        self.link.send(message.kind, message.body)
        return True

    def output(self, room: int, now_ms: int) -> bytes:
        said = self._rest
        while len(said) < room and (frame := self.link.output(now_ms)):
            said += frame
        self._rest = said[room:]
        return said[:room]

    def feed(self, data: bytes, now_ms: int) -> list[Message]:
        self.link.feed(data, now_ms)
        arrived = list(self.link.arrived())
        self.link.take(len(arrived))
        return arrived

    def pending(self) -> int:
        return self.link.pending

    def counts(self) -> Counts:
        return self.link.counts


class CEnd:
    """The node's, in a driver; its clock begins just before it overflows."""

    def __init__(self, driver: Driver, config: LinkConfig, now_ms: int) -> None:
        self._driver = driver
        numbers = (config.session, config.window, QUEUE_BYTES, config.resend_ms, config.longest_ms, config.idle_ms)
        given = struct.pack("<7I", *numbers, self._clock(now_ms)) + config.name.encode()
        status, self.bytes = struct.unpack("<iI", driver.call("I", given))
        self.status: int = status

    @staticmethod
    def _clock(now_ms: int) -> int:
        return (2**32 - 3000 + now_ms) % 2**32

    def send(self, message: Message) -> bool:
        return self.try_send(message.kind, message.body) != FULL

    def try_send(self, kind: int, body: bytes) -> int:
        (status,) = struct.unpack("<i", self._driver.call("S", bytes([kind]) + body))
        return int(status)

    def output(self, room: int, now_ms: int) -> bytes:
        return self._driver.call("O", struct.pack("<II", self._clock(now_ms), room))

    def feed(self, data: bytes, now_ms: int) -> list[Message]:
        return self.feed_some(data, now_ms, take=True)[1]

    def feed_some(self, data: bytes, now_ms: int, *, take: bool) -> tuple[int, list[Message]]:
        answer = self._driver.call("F", struct.pack("<I?", self._clock(now_ms), take) + data)
        (fed,), at, messages = struct.unpack("<I", answer[:4]), 4, []
        while at < len(answer):
            kind, n = struct.unpack_from("<BI", answer, at)
            messages.append(Message(kind, answer[at + 5 : at + 5 + n]))
            at += 5 + n
        return fed, messages

    def _state(self, now_ms: int, within_ms: int = 0) -> tuple[int, ...]:
        return struct.unpack("<9I", self._driver.call("Q", struct.pack("<II", self._clock(now_ms), within_ms))[:36])

    def pending(self) -> int:
        return self._state(0)[7]

    def counts(self) -> Counts:
        return Counts(*self._state(0)[:6])

    def due_ms(self, now_ms: int) -> int:
        return self._state(now_ms)[6]

    def up(self, within_ms: int, now_ms: int) -> bool:
        return bool(self._state(now_ms, within_ms)[8])

    def peer_name(self) -> str:
        return self._driver.call("Q", bytes(8))[36:].decode()

    def drop_unsent(self) -> int:
        return int(struct.unpack("<I", self._driver.call("D"))[0])


@dataclass(frozen=True)
class Hazards:
    """How likely each fault is for a piece of bytes, and how long a piece may take."""

    lose: float = 0.0
    double: float = 0.0
    corrupt: float = 0.0
    cut: float = 0.0
    insert: float = 0.0
    delay_ms: int = 0


@dataclass
class Line:
    """One direction: pieces in flight with the time at which they arrive."""

    hazards: Hazards
    dice: random.Random
    flying: list[tuple[int, bytes]] = field(default_factory=list)
    clear_ms: int = 0

    def put(self, piece: bytes, now_ms: int) -> None:
        h, dice = self.hazards, self.dice
        if not piece or dice.random() < h.lose:
            return
        arrives_ms = self.clear_ms = max(self.clear_ms, now_ms + dice.randint(0, h.delay_ms))
        damaged = bytearray(piece)
        if dice.random() < h.corrupt:
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        if dice.random() < h.cut:
            first = dice.randrange(len(damaged))
            del damaged[first : first + dice.randint(1, 8)]
        if dice.random() < h.insert:
            first = dice.randrange(len(damaged) + 1)
            damaged[first:first] = dice.randbytes(dice.randint(1, 8))
        self.flying.append((arrives_ms, bytes(damaged)))
        if dice.random() < h.double:
            # A copy comes late, between or behind other pieces.
            self.flying.append((arrives_ms + dice.randint(0, 5 * h.delay_ms + 100), piece))

    def get(self, now_ms: int) -> bytes:
        self.flying.sort(key=lambda piece: piece[0])
        there = [piece for arrives_ms, piece in self.flying if arrives_ms <= now_ms]
        self.flying = self.flying[len(there) :]
        return b"".join(there)


class Conversation:
    """Two ends and two lines; time passes in steps that the dice choose."""

    def __init__(self, a: End, b: End, hazards: Hazards, dice: random.Random) -> None:
        self.ends = [a, b]
        self.lines = [Line(hazards, dice), Line(hazards, dice)]
        self.dice = dice
        self.now_ms = 0
        self.arrived: list[list[Message]] = [[], []]

    def step(self) -> None:
        """Let both ends say something and hear what has come."""
        self.now_ms += self.dice.randint(1, 60)
        for i, end in enumerate(self.ends):
            self.lines[i].put(end.output(self.dice.choice((40, 300, 1200)), self.now_ms), self.now_ms)
            self.arrived[i] += end.feed(self.lines[1 - i].get(self.now_ms), self.now_ms)

    def settle(self, *, limit_ms: int) -> None:
        """Go on until nothing is queued on either side."""
        end_ms = self.now_ms + limit_ms
        while any(end.pending() for end in self.ends) and self.now_ms < end_ms:
            self.step()
