"""The gateway: takes what nodes say into its store, acknowledges it to them, and passes it on to the broker and back.

Nothing that a node says is acknowledged to it before it is on the disk, and nothing is taken from nodes while the store
is full. What cannot be read is published as an event with its reason.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.codec import encode_json
from app.gateway.lines import Address
from app.gateway.node import Node, Wire
from app.gateway.outbox import Outbox, Piece, Publication
from app.gateway.presence import former_nodes, is_stale, read_state
from app.gateway.switchboard import Switchboard
from app.gateway.translation import (
    block_publication,
    command_of,
    event_publication,
    numbered,
    point_of,
    readable,
    report_publication,
)
from app.gateway.updates import Updates
from app.gateway.uplink import Broker, Happening
from app.logs import log
from app.wire import VERSION, PointId
from edge.node.link import messages
from edge.node.link.session import Message
from features.errors import ParameterError, ProtocolError

__all__ = ["Gateway", "GatewayConfig"]

_IN_FLIGHT = 100
_MOST_COMMANDS = 64
_STORE_RETRY_MS = 1000
_ABORT = messages.kind_named("update_abort").number
# Kinds that a node says once; the others tell of a state, and may come twice.
_ONCE = frozenset(("report", "waveform", "log"))


@dataclass(frozen=True)
class GatewayConfig:
    """What a gateway is to do.

    Attributes
    ----------
    site, name : str
        Who it is: its state is published at ``raceway/v1/{site}/{name}/gateway/state``.
    addresses : tuple of Address
        Of lines to nodes.
    points : mapping of str to PointId
        Where nodes are, by their names; others are at `site`.
    silent_s : float
        After which a node that says nothing is offline.

    Raises
    ------
    ParameterError
        If site or name cannot be part of a topic.
    """

    site: str
    name: str
    addresses: tuple[Address, ...]
    points: Mapping[str, PointId]
    silent_s: float = 8.0

    def __post_init__(self) -> None:
        try:
            self.point  # noqa: B018  is a clean one, or refused
        except ProtocolError as error:
            raise ParameterError(f"site and name of a gateway: {error}") from error

    @property
    def point(self) -> PointId:
        """Where the gateway itself publishes."""
        return PointId(self.site, self.name, "gateway")


class Gateway:
    """A gateway over one store.

    Parameters
    ----------
    config : GatewayConfig
    outbox : Outbox
    uplink : callable
        Given the last will, and what wakes the gateway, makes the connection to the broker.
    rng : random.Random
        Draws the sessions of links.
    clock_ns : callable
        Gives nanoseconds since the epoch.
    monotonic_ms : callable
        Gives milliseconds that never go back.

    Raises
    ------
    LineError
        If an address cannot be listened on.
    """

    def __init__(
        self,
        config: GatewayConfig,
        outbox: Outbox,
        *,
        uplink: Callable[[Publication, Callable[[], None]], Broker],
        rng: random.Random,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._config = config
        self._outbox = outbox
        self._clock_ns = clock_ns
        self._monotonic_ms = monotonic_ms
        self._lines = Switchboard(
            config.addresses, name=config.name, rng=rng, monotonic_ms=monotonic_ms, on_lost=self._lost
        )
        self._uplink = uplink(self._state("offline"), self._lines.wake)
        self._connected = False
        self._in_flight: dict[int, int] = {}
        self._last_row = 0
        # What is to be written with what arrives next.
        self._acknowledged: list[int] = []
        self._delivered: list[tuple[Node, str]] = []
        self._retry_at_ms = 0
        self._nodes: dict[str, Node] = {}
        self._updates = Updates(outbox, tell=self._add_event)
        # Not met since the start; what is retained about them may be of a gateway that was killed.
        self._former = former_nodes(outbox, site=config.site, points=config.points, now_ns=clock_ns())
        self._stopped = False

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Nodes that were met, by name."""
        return self._nodes

    def stop(self) -> None:
        """Let `run` end; may be called from any thread."""
        self._stopped = True
        self._lines.wake()

    def run(self) -> None:
        """Serve until `stop` is called."""
        self._uplink.start()
        log("info", "gateway started", lines=len(self._config.addresses), waiting_bytes=self._outbox.n_bytes)
        try:
            while not self._stopped:
                self._lines.hear()
                self._hear_broker()
                self._take_in()
                self._forward()
                self._updates.drive(self._nodes)
                self._lines.say()
                self._watch()
        finally:
            self._end()

    def _end(self) -> None:
        for node in self._nodes.values():
            self._set_online(node, online=False)
        last = [self._uplink.publish(self._state("offline"), retain=True)] if self._connected else []
        self._uplink.close(last)
        self._lines.close()
        log("info", "gateway stopped", waiting_bytes=self._outbox.n_bytes)

    # -- nodes ----------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        now_ms = self._monotonic_ms()
        for node in self._nodes.values():
            up = node.wire is not None and node.wire.link.up(int(1000 * self._config.silent_s), now_ms)
            self._set_online(node, online=up)

    def _lost(self, wire: Wire, why: str) -> None:
        """A line is going: what was under way to its node waits for the next one."""
        node = wire.node
        if node is not None:
            log("info", "node lost its line", node=node.name, why=why)
            self._delivered += [(node, command) for command in wire.delivered()]
            node.lose_wire()
            self._set_online(node, online=False)

    def _set_online(self, node: Node, *, online: bool) -> None:
        if node.online == online:
            return
        node.online = online
        node.since_ns = self._clock_ns()
        log("info", "node online" if online else "node offline", node=node.name, point=str(node.point))
        self._publish_state(node)

    def _publish_state(self, node: Node) -> None:
        if self._connected:
            self._uplink.publish(node.state(str(self._config.point)), retain=True)

    def _state(self, state: str) -> Publication:
        payload = {"v": VERSION, "state": state, "since_ns": self._clock_ns() if state == "online" else None}
        return Publication(self._config.point.topic("state"), encode_json(payload))

    def _meet(self, wire: Wire) -> None:
        """A session was taken up on a line: settle who is there."""
        wire.sessions = wire.link.counts.sessions
        name = wire.link.peer_name
        if wire.node is not None and wire.node.name == name:
            self._delivered += [(wire.node, command) for command in wire.delivered()]
            self._tell_lost(wire.node, wire.drop())
            self._updates.met(wire.node)
            return
        node = self._node(name)
        if node.wire is not None:
            self._lines.lose(node.wire, f"{name} is on {wire.line.name} now")
        if wire.node is not None:
            wire.node.lose_wire()
        self._tell_lost(node, node.take_wire(wire))
        self._updates.met(node)
        log("info", "node met", node=name, line=wire.line.name, point=str(node.point))

    def _node(self, name: str) -> Node:
        if name not in self._nodes:
            point = point_of(name, site=self._config.site, points=self._config.points)
            taken = next((node.name for node in self._nodes.values() if node.point == point), None)
            if taken is not None:
                raise ProtocolError("name", f"the node {name!r} is at {point}, where {taken!r} is already")
            self._nodes[name] = Node(name, point, self._clock_ns(), hello=self._outbox.hello_of(name))
            if self._connected:
                self._subscribe(self._nodes[name])
        return self._nodes[name]

    def _tell_lost(self, node: Node, commands: Sequence[str]) -> None:
        if commands:
            with self._outbox.transaction():
                for command in commands:
                    self._add_event(node, "lost", {"id": command, "reason": "the node has restarted"})

    def _add_event(self, node: Node, kind: str, entries: Mapping[str, Any]) -> None:
        self._outbox.add(event_publication(node.point, kind, entries, node=node.name, now_ns=self._clock_ns()))

    # -- what nodes say -------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        """Store all that has arrived in one transaction, then acknowledge it."""
        for wire in list(self._lines.wires):
            if wire.link.counts.sessions != wire.sessions:
                try:
                    self._meet(wire)
                except ProtocolError as error:
                    self._lines.lose(wire, str(error))
        wires = [(wire, wire.node) for wire in self._lines.wires if wire.node is not None]
        self._delivered += [(node, command) for wire, node in wires for command in wire.delivered()]
        speaking = [] if self._outbox.full else [(wire, node, wire.link.arrived()) for wire, node in wires]
        speaking = [one for one in speaking if one[2]]
        if (speaking or self._delivered or self._acknowledged) and self._monotonic_ms() >= self._retry_at_ms:
            try:
                self._write(speaking)
            except sqlite3.Error as error:
                log("error", "store does not take what arrived", error=str(error), retry_s=_STORE_RETRY_MS / 1000)
                self._retry_at_ms = self._monotonic_ms() + _STORE_RETRY_MS

    def _write(self, speaking: Sequence[tuple[Wire, Node, Sequence[Message]]]) -> None:
        with self._outbox.transaction():
            self._outbox.forget(self._acknowledged)
            for node, command in self._delivered:
                self._add_event(node, "delivered", {"id": command})
            for wire, node, arrived in speaking:
                for message in arrived:
                    self._store(wire, node, message)
        self._acknowledged.clear()
        self._delivered.clear()
        for wire, _, arrived in speaking:
            wire.link.take(len(arrived))
            wire.due_ms = 0

    def _store(self, wire: Wire, node: Node, message: Message) -> None:
        try:
            kind, entries = messages.decode(message)
            if kind == "time_request":
                answer = {"asked_ms": entries["asked_ms"], "time_ms": self._clock_ns() // 1_000_000}
                wire.send(messages.encode("time", answer))
            elif kind not in _ONCE or self._outbox.is_new(node.name, message.kind, message.body):
                self._translate(node, kind, entries)
        except ProtocolError as error:
            log("warning", "message set aside", node=node.name, reason=error.reason, detail=str(error))
            about = {"reason": error.reason, "detail": str(error), "message": message.kind, "body": message.body.hex()}
            self._add_event(node, "set_aside", about)

    def _translate(self, node: Node, kind: str, entries: Mapping[str, Any]) -> None:
        now_ns = self._clock_ns()
        if kind == "report":
            contract = node.hello.get("contract")
            self._outbox.add(
                report_publication(node.point, entries, node=node.name, contract=contract, arrived_ns=now_ns)
            )
        elif kind == "waveform":
            self._add_piece(node, entries, now_ns)
        else:
            self._add_event(node, kind, readable(entries))
        if kind == "update_status":
            self._updates.heard(node, entries)
        if kind == "hello":
            node.hello = readable(entries)
            self._outbox.keep_hello(node.name, node.hello)
            self._publish_state(node)

    def _add_piece(self, node: Node, entries: Mapping[str, Any], now_ns: int) -> None:
        piece = Piece(entries["first"], now_ns, entries["samples"])
        pieces = self._outbox.add_piece(node.name, entries["boot"], entries["burst"], piece)
        try:
            whole = block_publication(node.point, entries, pieces)
        except ProtocolError:
            self._outbox.drop_pieces(node.name)
            raise
        if whole is not None:
            self._outbox.add(whole)
            self._outbox.drop_pieces(node.name)

    # -- the broker -----------------------------------------------------------------------------------------------

    def _hear_broker(self) -> None:
        for happening in self._uplink.happenings():
            if happening.what == "connected":
                self._greet()
            elif happening.what == "disconnected":
                self._connected = False
            elif happening.what == "message" and happening.topic.endswith("/state"):
                self._hear_state(happening)
            elif happening.what == "message":
                self._command(happening)
            elif happening.mid in self._in_flight:
                self._acknowledged.append(self._in_flight.pop(happening.mid))

    def _subscribe(self, node: Node) -> None:
        for leaf in ("command", "update", "state"):
            self._uplink.subscribe(node.point.topic(leaf))

    def _greet(self) -> None:
        self._connected = True
        self._uplink.publish(self._state("online"), retain=True)
        for node in self._nodes.values():
            self._subscribe(node)
            self._publish_state(node)
        for topic in self._former:
            self._uplink.subscribe(topic)

    def _hear_state(self, happening: Happening) -> None:
        """Put right what is retained about a node and is not so."""
        met = next((n for n in self._nodes.values() if n.point.topic("state") == happening.topic), None)
        node = met or self._former.get(happening.topic)
        if node is not None and is_stale(
            read_state(happening.payload), online=node.online, gateway=str(self._config.point)
        ):
            self._publish_state(node)

    def _forward(self) -> None:
        """Publish what waits, oldest first; the client itself sends again what a connection broke off."""
        room = _IN_FLIGHT - len(self._in_flight)
        if not self._connected or room <= 0:
            return
        for row in self._outbox.rows(after=self._last_row, most=room):
            named = numbered(row.publication, store=self._outbox.store, serial=row.id)
            self._in_flight[self._uplink.publish(named)] = row.id
            self._last_row = row.id

    def _command(self, happening: Happening) -> None:
        leaf = happening.topic.rpartition("/")[2]
        node = next((n for n in self._nodes.values() if n.point.topic(leaf) == happening.topic), None)
        if node is None:
            return
        if leaf == "update":
            self._updates.take(node, happening.payload)
            return
        command: str | None = None
        try:
            command, message = command_of(happening.payload)
            if message.kind == _ABORT:
                self._updates.cancel(node)
            if node.wire is None or not node.online:
                raise ProtocolError("offline", f"{node.name} is not online; send it again when it is")
            if node.wire.link.pending >= _MOST_COMMANDS:
                raise ProtocolError("busy", f"{_MOST_COMMANDS} commands wait for {node.name}; send it again later")
            node.wire.send(message, command=command)
        except ProtocolError as error:
            log("warning", "command refused", node=node.name, reason=error.reason, detail=str(error))
            with self._outbox.transaction():
                self._add_event(node, "refused", {"id": command, "reason": error.reason, "detail": str(error)})
