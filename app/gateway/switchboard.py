"""All lines of a gateway: dials, listens, hears and says, in one thread that sleeps while nothing happens.

Only links speak here; who is at the other end and what is said is left to the gateway.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.gateway.lines import Address, Line, LineError, accept, dial, listen
from app.gateway.node import Wire
from app.logs import log
from edge.node.link.frames import NAME_BYTES
from edge.node.link.session import Link, LinkConfig

__all__ = ["Switchboard"]

_READ_PASSES = 8
_SHORTEST_RETRY_MS, _LONGEST_RETRY_MS = 500, 10_000
_LONGEST_SLEEP_MS = 500


@dataclass
class _Dialled:
    address: Address
    wire: Wire | None = None
    retry_at_ms: int = 0
    wait_ms: int = _SHORTEST_RETRY_MS


class Switchboard:
    """Lines and the links on them.

    Parameters
    ----------
    addresses : sequence of Address
    name : str
        Of the gateway, on links.
    rng : random.Random
        Draws the sessions of links.
    monotonic_ms : callable
        Gives milliseconds that never go back.
    on_lost : callable
        Given each wire whose line is gone, before it is closed, and why.

    Raises
    ------
    LineError
        If an address cannot be listened on.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        name: str,
        rng: random.Random,
        monotonic_ms: Callable[[], int],
        on_lost: Callable[[Wire, str], None],
    ) -> None:
        self.wires: list[Wire] = []
        self._name = name.encode()[:NAME_BYTES].decode(errors="ignore")
        self._rng = rng
        self._monotonic_ms = monotonic_ms
        self._on_lost = on_lost
        self._dialled = [_Dialled(address) for address in addresses if not address.listens]
        self._listeners = [listen(address) for address in addresses if address.listens]
        self._selector = selectors.DefaultSelector()
        self._woken, self._wakes = os.pipe()
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ, listener)

    def wake(self) -> None:
        """Let `hear` return; may be called from any thread."""
        try:
            os.write(self._wakes, b"\0")
        except OSError:
            # A full pipe wakes as well; a closed one has nobody behind it.
            return

    def close(self) -> None:
        """Close everything."""
        for wire in self.wires:
            wire.line.close()
        for listener in self._listeners:
            listener.close()
        self._selector.close()
        os.close(self._woken)
        os.close(self._wakes)

    def hear(self) -> None:
        """Dial what is due, sleep until something happens or is to be said, and feed the links with what has come."""
        now_ms = self._monotonic_ms()
        for number, dialled in enumerate(self._dialled):
            if dialled.wire is None and now_ms >= dialled.retry_at_ms:
                self._dial(number, now_ms)
        waits = [max(0, wire.due_ms - now_ms) for wire in self.wires if not wire.line.opening]
        for key, _ in self._selector.select(min([_LONGEST_SLEEP_MS, *waits]) / 1000.0):
            if isinstance(key.data, Wire):
                self._read(key.data)
            elif isinstance(key.data, socket.socket):
                line = accept(key.data)
                if line is not None:
                    self._open(line, None)
            else:
                os.read(self._woken, 4096)

    def say(self) -> None:
        """Let every link that is due say what it owes, as far as its line takes it."""
        now_ms = self._monotonic_ms()
        for wire in list(self.wires):
            if not wire.line.opening and (wire.out or wire.due_ms <= now_ms):
                self._say(wire, now_ms)

    def lose(self, wire: Wire, why: str) -> None:
        """Close a line; what is dialled is dialled again later."""
        if wire not in self.wires:
            return
        self._on_lost(wire, why)
        self.wires.remove(wire)
        self._selector.unregister(wire.line)
        wire.line.close()
        if wire.address is not None:
            self._redial_later(self._dialled[wire.address], why)

    def _dial(self, number: int, now_ms: int) -> None:
        dialled = self._dialled[number]
        try:
            dialled.wire = self._open(dial(dialled.address), number)
        except LineError as error:
            dialled.retry_at_ms = now_ms
            self._redial_later(dialled, str(error))

    def _redial_later(self, dialled: _Dialled, why: str) -> None:
        if dialled.wait_ms == _SHORTEST_RETRY_MS:
            log("warning", "line not open", why=why)
        dialled.wire = None
        dialled.retry_at_ms = self._monotonic_ms() + dialled.wait_ms
        dialled.wait_ms = min(2 * dialled.wait_ms, _LONGEST_RETRY_MS)

    def _open(self, line: Line, address: int | None) -> Wire:
        config = LinkConfig(session=self._rng.randrange(1, 2**32), name=self._name)
        wire = Wire(line, Link(config, now_ms=self._monotonic_ms()), address)
        self.wires.append(wire)
        wire.wanted = self._wanted(wire)
        self._selector.register(line, wire.wanted, wire)
        return wire

    @staticmethod
    def _wanted(wire: Wire) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.out or wire.line.opening else 0)

    def _read(self, wire: Wire) -> None:
        now_ms = self._monotonic_ms()
        if wire not in self.wires:
            return
        try:
            if wire.line.opening:
                wire.line.opened()
            for _ in range(_READ_PASSES):
                data = wire.line.read()
                if not data:
                    break
                wire.link.feed(data, now_ms)
        except LineError as error:
            self.lose(wire, str(error))
            return
        if wire.address is not None and wire.link.peer_session:
            self._dialled[wire.address].wait_ms = _SHORTEST_RETRY_MS
        wire.due_ms = now_ms

    def _say(self, wire: Wire, now_ms: int) -> None:
        try:
            while wire.out or (frame := wire.link.output(now_ms)):
                wire.out = wire.out or frame
                wire.out = wire.out[wire.line.write(wire.out) :]
                if wire.out:
                    break
        except LineError as error:
            self.lose(wire, str(error))
            return
        wire.due_ms = now_ms + (_LONGEST_SLEEP_MS if wire.out else wire.link.due_ms(now_ms))
        if wire.wanted != self._wanted(wire):
            wire.wanted = self._wanted(wire)
            self._selector.modify(wire.line, wire.wanted, wire)
