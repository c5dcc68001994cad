"""The gateway without a broker: nothing is lost or doubled while the broker, lines or nodes come and go."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from link_channels import Hazards
from speaking_nodes import HELLO, SpeakingNode, report, unix

from app.codec import decode_block
from app.fleet.consuming import Publications
from app.gateway.bridge import Gateway, GatewayConfig
from app.gateway.lines import Address, LineError, listen
from app.gateway.outbox import Outbox, Piece, Publication
from app.gateway.service import read_points, run_gateway
from app.gateway.translation import block_publication, command_of, point_of, report_publication
from app.gateway.uplink import Happening
from app.intake import Arrival, sort_arrivals
from app.settings import Settings
from app.wire import Limits, PointId
from edge.node.link import messages
from edge.node.link.session import Message
from features.errors import ParameterError, ProtocolError

_PATIENCE_S = 20.0
_SITE = "plant"


class StandIn:
    """A broker in memory, which is there or not, and acknowledges at once or when told to."""

    def __init__(self, will: Publication, wake: Callable[[], None]) -> None:
        self.will = will
        self.wake = wake
        self.there = True
        self.silent = False
        self.published: list[Publication] = []
        self.retained: dict[str, dict[str, Any]] = {}
        self.topics: set[str] = set()
        self._happened: list[Happening] = []
        self._mid = 0

    def start(self) -> None:
        if self.there:
            self._happened.append(Happening("connected"))

    def happenings(self) -> list[Happening]:
        taken, self._happened = self._happened, []
        return taken

    def publish(self, publication: Publication, *, retain: bool = False) -> int:
        self._mid += 1
        if retain:
            self.retained[publication.topic] = json.loads(publication.payload)
        else:
            self.published.append(publication)
        if not self.silent:
            self._happened.append(Happening("acknowledged", mid=self._mid))
        return self._mid

    def subscribe(self, topic: str) -> None:
        self.topics.add(topic)

    def close(self, last: list[int]) -> None:
        del last

    def come(self) -> None:
        self._happened.append(Happening("connected"))
        self.wake()

    def command(self, topic: str, **entries: Any) -> None:
        self.say(topic, {"v": 1, **entries})

    def say(self, topic: str, entries: dict[str, Any]) -> None:
        """Hand a message to the gateway, as if it was subscribed to."""
        assert topic in self.topics
        self._happened.append(Happening("message", topic=topic, payload=json.dumps(entries).encode()))
        self.wake()

    def of(self, leaf: str) -> list[dict[str, Any]]:
        """What was published on a leaf, as maps."""
        return [json.loads(p.payload) for p in list(self.published) if p.topic.endswith(f"/{leaf}")]


class Running:
    """A gateway in a thread over a store in a folder, with a stand-in for the broker."""

    def __init__(
        self, folder: Path, *, there: bool = True, most_bytes: int = 1 << 20, lines: tuple[str, ...] = ()
    ) -> None:
        self.socket = folder / "nodes.sock"
        config = GatewayConfig(
            _SITE,
            "gw",
            tuple(Address.parse(line) for line in lines) or (Address.parse(f"unix-listen:{self.socket}"),),
            {"listed": PointId("other", "fan", "top")},
            silent_s=1.5,
        )
        ready = threading.Event()

        def serve() -> None:
            box = Outbox(folder / "gateway.db", most_bytes=most_bytes)

            def uplink(will: Publication, wake: Callable[[], None]) -> StandIn:
                self.broker = StandIn(will, wake)
                self.broker.there = there
                return self.broker

            self.gateway = Gateway(config, box, uplink=uplink, rng=random.Random(folder.stat().st_ino + id(box)))
            ready.set()
            self.gateway.run()
            box.close()

        self._thread = threading.Thread(target=serve)
        self._thread.start()
        assert ready.wait(_PATIENCE_S)

    def end(self) -> None:
        self.gateway.stop()
        self._thread.join(timeout=_PATIENCE_S)
        assert not self._thread.is_alive()


def wait(done: Callable[[], Any]) -> Any:
    """Wait until something is true, and give it."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        found = done()
        if found:
            return found
        time.sleep(0.01)
    return pytest.fail("nothing of the kind came about")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.end()


@pytest.fixture
def node(running: Running) -> Iterator[SpeakingNode]:
    made = SpeakingNode(unix(running.socket), "pump/drive-end", session=5)
    made.start()
    yield made
    made.end()


def numbers(broker: StandIn) -> list[int]:
    return [one["number"] for one in broker.of("report")]


# --- what is published ---


def test_a_report_is_published_with_its_words(running: Running, node: SpeakingNode) -> None:
    node.say(report(3, score=0.5, threshold=2.0, state=2, alarm=True, diagnosis=1, probability=0.75, known=b"\1"))
    (one,) = wait(lambda: running.broker.of("report"))
    assert "raceway/v1/plant/pump/drive-end/report" in {one.topic for one in running.broker.published}
    assert (one["v"], one["node"], one["number"], one["state"], one["diagnosis"]) == (
        1,
        "pump/drive-end",
        3,
        "alarm",
        "inner",
    )
    assert (one["score"], one["threshold"], one["probability"], one["alarm"]) == (0.5, 2.0, 0.75, True)
    assert one["features"] == [1.0, None]
    assert one["feature_hash"] in (None, HELLO["contract"].hex())  # type: ignore[attr-defined]
    assert one["time_ns"] is None
    assert abs(one["arrived_ns"] - time.time_ns()) < 60e9


def test_the_retained_state_tells_birth_and_death(running: Running, node: SpeakingNode) -> None:
    topic = "raceway/v1/plant/pump/drive-end/state"
    state = wait(lambda: running.broker.retained.get(topic, {}).get("firmware") and running.broker.retained[topic])
    assert (state["state"], state["gateway"], state["slot"]) == ("online", "plant/gw/gateway", "confirmed")
    node.end()
    wait(lambda: running.broker.retained[topic]["state"] == "offline")
    assert running.broker.retained["raceway/v1/plant/gw/gateway/state"]["state"] == "online"
    assert json.loads(running.broker.will.payload)["state"] == "offline"
    assert running.broker.will.topic == "raceway/v1/plant/gw/gateway/state"


def test_a_node_that_falls_silent_is_offline_though_its_line_stands(running: Running) -> None:
    node = SpeakingNode(unix(running.socket), "quiet", session=5)
    topic = "raceway/v1/plant/quiet/node/state"
    node.start()
    wait(lambda: running.broker.retained.get(topic, {}).get("state") == "online")
    with node.lock:
        wait(lambda: running.broker.retained[topic]["state"] == "offline")
    wait(lambda: running.broker.retained[topic]["state"] == "online")
    node.end()


def test_the_time_is_answered(node: SpeakingNode) -> None:
    node.say(messages.encode("time_request", {"asked_ms": 77}))
    ((kind, entries),) = wait(lambda: list(node.heard))
    assert (kind, entries["asked_ms"]) == ("time", 77)
    assert abs(entries["time_ms"] - time.time_ns() // 1_000_000) < 60_000


def test_a_burst_in_pieces_becomes_a_block(running: Running, node: SpeakingNode, rng: np.random.Generator) -> None:
    x = rng.integers(-3000, 3000, 1000).astype("<i2")
    entries = {"boot": 1, "burst": 4, "total": 1000, "uptime_ms": 5, "time_ms": 1_795_000_000_000, "rate_hz": 12_000.0}
    entries |= {"unit": 0, "scale": 0.0009765625, "shaft_hz": 29.5}
    for first in range(0, 1000, 400):
        piece = messages.encode("waveform", {**entries, "first": first, "samples": x[first : first + 400].tobytes()})
        node.say(piece)
    payload = wait(lambda: [p.payload for p in running.broker.published if p.topic.endswith("/waveform")])[0]
    block = decode_block(payload, point=PointId(_SITE, "pump", "drive-end"))
    np.testing.assert_array_equal(block.samples, x[np.newaxis])
    assert (block.sequence, block.start_ns, block.rate_hz) == (4, 1_795_000_000_000_000_000, 12_000.0)
    assert (block.unit, block.scale, block.shaft_hz) == ("g", 0.0009765625, pytest.approx(29.5))


def test_what_cannot_be_read_is_set_aside_and_holds_nothing_up(running: Running, node: SpeakingNode) -> None:
    node.say(Message(200, b"\xa0"), report(1, features=b"\0" * 6), report(2))
    wait(lambda: numbers(running.broker) == [2])
    events = [one for one in running.broker.of("event") if one["kind"] == "set_aside"]
    assert [(one["reason"], one["message"]) for one in events] == [("kind", 200), ("length", 5)]


def test_a_listed_node_is_where_the_list_says(running: Running) -> None:
    node = SpeakingNode(unix(running.socket), "listed", session=5)
    node.start()
    wait(lambda: "raceway/v1/other/fan/top/state" in running.broker.retained)
    node.end()


def test_a_node_of_an_impossible_name_is_hung_up_on(running: Running) -> None:
    node = SpeakingNode(unix(running.socket), "a+b", session=5)
    node.start()
    wait(lambda: node.drops > 0)
    node.end()
    assert "a+b" not in running.gateway.nodes


def test_ingest_understands_all_that_gateways_and_nodes_say(running: Running, node: SpeakingNode) -> None:
    node.say(report(0))
    wait(lambda: running.broker.of("report"))
    said = [Arrival(p.topic, p.payload, 0) for p in running.broker.published]
    said += [Arrival(topic, json.dumps(state).encode(), 0) for topic, state in running.broker.retained.items()]
    assert sort_arrivals(said, limits=Limits(), compress=bytes).refused == []


# --- nothing lost, nothing doubled ---


def test_reports_wait_on_disk_for_a_broker_that_is_away_and_outlive_the_gateway(tmp_path: Path) -> None:
    first = Running(tmp_path, there=False)
    node = SpeakingNode(unix(first.socket), "n", session=5)
    node.start()
    node.say(*(report(i) for i in range(50)))
    wait(lambda: node.link.counts.sessions and node.pending == 0)
    first.end()
    assert first.broker.published == []
    second = Running(tmp_path)
    node.say(*(report(i) for i in range(50, 60)))
    wait(lambda: len(numbers(second.broker)) >= 60)
    assert numbers(second.broker) == list(range(60))
    node.end()
    second.end()
    third = Running(tmp_path)
    third.end()
    assert third.broker.of("report") == []


def test_a_gateway_that_ends_between_storing_and_acknowledging_doubles_nothing(tmp_path: Path) -> None:
    first = Running(tmp_path, there=False)
    node = SpeakingNode(unix(first.socket), "n", session=5, hazards=Hazards(lose=0.2))
    node.start()
    node.say(*(report(i) for i in range(80)))
    # The node is told late or not at all of what was stored: it says that again to the next gateway.
    wait(lambda: 0 < node.pending < 60)
    first.end()
    second = Running(tmp_path)
    wait(lambda: len(numbers(second.broker)) >= 80)
    assert numbers(second.broker) == list(range(80))
    node.end()
    second.end()


def test_lines_that_lose_corrupt_and_drop_change_nothing(running: Running) -> None:
    hazards = Hazards(lose=0.03, double=0.05, corrupt=0.03, cut=0.03, insert=0.02)
    nodes = [SpeakingNode(unix(running.socket), f"n{i}/p", session=5 + i, hazards=hazards) for i in range(5)]
    for node in nodes:
        node.start()
        node.say(*(report(number, boot=node.link.config.session) for number in range(40)))
    for _ in range(6):
        time.sleep(0.15)
        for node in nodes:
            node.drop_line()
    wait(lambda: all(node.pending == 0 for node in nodes))
    wait(lambda: len(running.broker.of("report")) >= 200)
    for node in nodes:
        node.end()
        name = node.link.config.name
        assert [one["number"] for one in running.broker.of("report") if one["node"] == name] == list(range(40))


def test_a_full_store_holds_the_nodes_back_until_the_broker_takes(tmp_path: Path) -> None:
    running = Running(tmp_path, there=False, most_bytes=3000)
    node = SpeakingNode(unix(running.socket), "n", session=5)
    node.start()
    node.say(*(report(i) for i in range(40)))
    wait(lambda: 0 < node.pending < 40)
    time.sleep(0.5)
    assert node.pending > 20
    running.broker.come()
    wait(lambda: len(numbers(running.broker)) >= 40)
    assert numbers(running.broker) == list(range(40))
    node.end()
    running.end()


def test_at_most_a_hundred_publications_are_in_flight(tmp_path: Path) -> None:
    running = Running(tmp_path, there=False)
    running.broker.silent = True
    node = SpeakingNode(unix(running.socket), "n", session=5)
    node.start()
    node.say(*(report(i) for i in range(120)))
    wait(lambda: node.link.counts.sessions and node.pending == 0)
    running.broker.come()
    wait(lambda: len(running.broker.published) >= 100)
    time.sleep(0.2)
    assert len(running.broker.published) == 100
    node.end()
    running.end()


def test_what_a_killed_gateway_publishes_again_is_known_by_its_number(tmp_path: Path) -> None:
    first = Running(tmp_path, there=False)
    first.broker.silent = True
    node = SpeakingNode(unix(first.socket), "n", session=5)
    node.start()
    node.say(*(report(i) for i in range(20)))
    wait(lambda: node.link.counts.sessions and node.pending == 0)
    first.broker.come()
    wait(lambda: len(numbers(first.broker)) == 20)
    # No acknowledgement has come: it ends as if it was killed.
    first.end()
    second = Running(tmp_path)
    node.say(*(report(i) for i in range(20, 25)))
    wait(lambda: len(numbers(second.broker)) >= 25)
    node.end()
    second.end()
    heard = first.broker.published + second.broker.published
    known, publications = [p.payload for p in first.broker.published], Publications()
    new = [json.loads(p.payload) for p in heard if publications.is_new(json.loads(p.payload))]
    assert [one["number"] for one in new if "number" in one] == list(range(25))
    assert [p.payload for p in second.broker.published][: len(known)] == known


# --- states that are not so ---


def test_what_a_killed_gateway_left_as_online_is_put_right_by_the_next_one(tmp_path: Path) -> None:
    topic = "raceway/v1/plant/n/node/state"
    first = Running(tmp_path)
    node = SpeakingNode(unix(first.socket), "n", session=5)
    node.start()
    wait(lambda: "firmware" in first.broker.retained.get(topic, {}))
    left = dict(first.broker.retained[topic], state="online")
    node.end()
    first.end()
    second = Running(tmp_path)
    wait(lambda: topic in second.broker.topics)
    second.broker.say(topic, left | {"gateway": "plant/other/gateway"})
    second.broker.say(topic, left | {"state": "offline"})
    second.broker.say(topic, left)
    state = wait(lambda: second.broker.retained.get(topic))
    assert (state["state"], state["firmware"], state["gateway"]) == ("offline", "1.0", "plant/gw/gateway")
    second.end()


def test_what_the_gateway_that_a_node_has_left_says_late_is_put_right(running: Running, node: SpeakingNode) -> None:
    topic = f"raceway/v1/plant/{node.link.config.name}/state"
    state = wait(
        lambda: running.broker.retained.get(topic, {}).get("state") == "online" and running.broker.retained[topic]
    )
    running.broker.retained.clear()
    running.broker.say(topic, state | {"state": "offline"})
    running.broker.say(topic, state | {"gateway": "plant/other/gateway"})
    running.broker.say(topic, state | {"state": "offline", "gateway": "plant/other/gateway"})
    assert wait(lambda: running.broker.retained.get(topic))["state"] == "online"


# --- commands ---


def test_commands_reach_the_node_and_their_delivery_is_told(running: Running, node: SpeakingNode) -> None:
    topic = "raceway/v1/plant/pump/drive-end/command"
    wait(lambda: topic in running.broker.topics and running.broker.retained)
    wait(lambda: running.broker.retained.get(topic.replace("command", "state"), {}).get("state") == "online")
    running.broker.command(topic, id="a", kind="request_waveform", samples=4096)
    running.broker.command(topic, id="b", kind="update_chunk", offset=0, data="AAEC")
    wait(lambda: len(node.heard) == 2)
    assert node.heard == [("request_waveform", {"samples": 4096}), ("update_chunk", {"offset": 0, "data": b"\0\1\2"})]
    wait(lambda: [one["id"] for one in running.broker.of("event") if one["kind"] == "delivered"] == ["a", "b"])


def test_commands_that_cannot_be_sent_are_refused_with_their_reason(running: Running, node: SpeakingNode) -> None:
    topic = "raceway/v1/plant/pump/drive-end/command"
    wait(lambda: running.broker.retained.get(topic.replace("command", "state"), {}).get("state") == "online")
    running.broker.command(topic, id="a", kind="shout")
    node.end()
    wait(lambda: running.broker.retained[topic.replace("command", "state")]["state"] == "offline")
    running.broker.command(topic, id="b", kind="update_query")
    refused = wait(
        lambda: (r := [e for e in running.broker.of("event") if e["kind"] == "refused"]) and len(r) == 2 and r
    )
    assert [(one["id"], one["reason"]) for one in refused] == [(None, "malformed"), ("b", "offline")]


def test_commands_under_way_outlive_a_line_and_are_lost_with_a_restart(running: Running) -> None:
    topic = "raceway/v1/plant/n/node/command"
    state = topic.replace("command", "state")
    node = SpeakingNode(unix(running.socket), "n", session=5)
    node.start()
    wait(lambda: running.broker.retained.get(state, {}).get("state") == "online")
    with node.lock:
        running.broker.command(topic, id="kept", kind="update_query")
        wait(lambda: running.gateway.nodes["n"].wire and running.gateway.nodes["n"].wire.link.pending == 1)
        node.drop_line()
    wait(lambda: ("update_query", {}) in node.heard)
    wait(lambda: [one["id"] for one in running.broker.of("event") if one["kind"] == "delivered"] == ["kept"])
    # Within the gateway, what was delivered is known a moment before who is online again.
    wait(lambda: running.gateway.nodes["n"].online)
    with node.lock:
        running.broker.command(topic, id="gone", kind="update_abort")
        wait(lambda: running.gateway.nodes["n"].wire and running.gateway.nodes["n"].wire.link.pending == 1)
        again = SpeakingNode(unix(running.socket), "n", session=6)
        again.start()
        wait(lambda: [one["id"] for one in running.broker.of("event") if one["kind"] == "lost"] == ["gone"])
        node._ended = True
    assert again.heard == []
    again.end()


# --- lines ---


def test_a_pty_and_a_tcp_port_are_dialled_again_when_they_are_lost(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    running = Running(tmp_path, lines=(f"serial:{os.ttyname(theirs)}", f"tcp:127.0.0.1:{port}"))
    serial = SpeakingNode(socket.socket, "s", session=5)

    def serve_pty() -> None:
        while not serial._ended:
            now_ms = serial._now()
            with serial.lock:
                while frame := serial.link.output(now_ms):
                    os.write(ours, frame)
                serial._hear(os.read(ours, 4096) if _readable(ours) else b"")

    thread = threading.Thread(target=serve_pty)
    thread.start()
    tcp = SpeakingNode(lambda: server.accept()[0], "t", session=6)
    tcp.start()
    serial.say(report(1))
    tcp.say(report(2))
    wait(lambda: sorted(numbers(running.broker)) == [1, 2])
    tcp.drop_line()
    tcp.say(report(3))
    wait(lambda: sorted(numbers(running.broker)) == [1, 2, 3])
    serial._ended = tcp._ended = True
    running.end()
    thread.join()
    server.close()
    os.close(ours)
    os.close(theirs)


def _readable(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0.01)[0])


@pytest.mark.parametrize(
    "text", ["", "serial:", "tcp:7000", "tcp:host:", "tcp:host:70000", "udp:host:1", "unix:", "serial:/dev/x?baud=1x"]
)
def test_addresses_of_no_line_are_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="is no address of a line"):
        Address.parse(text)


def test_an_unknown_speed_and_a_taken_port_are_refused() -> None:
    with pytest.raises(ParameterError, match="115201 baud is not known"):
        Address.parse("serial:/dev/x?baud=115201")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LineError, match="cannot be listened on"):
        listen(Address.parse(f"tcp-listen:127.0.0.1:{taken.getsockname()[1]}"))


# --- parts ---


def test_the_store_forgets_what_was_said_long_ago_of_each_node_alone(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "box.db", most_bytes=1 << 20)
    with box.transaction():
        assert box.is_new("a", 5, b"first")
        for i in range(2000):
            assert box.is_new("b", 5, i.to_bytes(2, "big"))
        assert not box.is_new("a", 5, b"first")
        assert box.is_new("a", 6, b"first")
        assert not box.is_new("b", 5, (1999).to_bytes(2, "big"))
        assert box.is_new("b", 5, (0).to_bytes(2, "big"))
    box.close()


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "box.db", most_bytes=5)

    def fail_halfway() -> None:
        with box.transaction():
            box.add(Publication("t", b"0123456789"))
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    assert (box.rows(after=0, most=9), box.n_bytes, box.full) == ([], 0, False)
    with box.transaction():
        box.add(Publication("t", b"0123456789"))
    assert box.full
    with box.transaction():
        box.forget([row.id for row in box.rows(after=0, most=9)])
    assert (box.n_bytes, box.full) == (0, False)
    box.close()


def test_pieces_of_an_earlier_burst_are_dropped(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "box.db", most_bytes=1 << 20)
    assert box.add_piece("n", 1, 1, Piece(0, 5, b"ab")) == [Piece(0, 5, b"ab")]
    assert box.add_piece("n", 1, 2, Piece(0, 6, b"cd")) == [Piece(0, 6, b"cd")]
    assert box.add_piece("n", 1, 2, Piece(1, 7, b"ef")) == [Piece(0, 6, b"cd"), Piece(1, 7, b"ef")]
    box.close()


_BURST = {"boot": 1, "burst": 1, "total": 4, "uptime_ms": 0, "rate_hz": 10.0, "unit": 0, "scale": 1.0}


def test_without_the_nodes_time_a_burst_ends_when_it_arrives() -> None:
    made = block_publication(
        PointId("s", "a", "p"), _BURST, [Piece(0, 10**18, bytes(4)), Piece(2, 10**18 + 5, bytes(4))]
    )
    assert made is not None
    assert decode_block(made.payload, point=PointId("s", "a", "p")).start_ns == 10**18 - 400_000_000


@pytest.mark.parametrize(
    "pieces", [[Piece(0, 0, bytes(10))], [Piece(0, 0, bytes(4)), Piece(1, 0, bytes(4))], [Piece(0, 0, bytes(3))]]
)
def test_pieces_that_do_not_fit_are_refused(pieces: list[Piece]) -> None:
    with pytest.raises(ProtocolError, match="overlap or exceed"):
        block_publication(PointId("s", "a", "p"), _BURST, pieces)


def test_a_burst_without_a_rate_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"a burst of 0\.0 Hz"):
        block_publication(PointId("s", "a", "p"), {**_BURST, "rate_hz": 0.0}, [Piece(0, 0, bytes(8))])


def test_features_keep_every_bit_of_float32(rng: np.random.Generator) -> None:
    values = rng.standard_normal(50).astype("<f4") * np.float32(10.0) ** rng.integers(-20, 20, 50).astype(np.float32)
    entries = {"features": values.tobytes(), "number": 1}
    made = report_publication(PointId("s", "a", "p"), entries, node="n", contract=None, arrived_ns=1)
    np.testing.assert_array_equal(np.array(json.loads(made.payload)["features"], np.float32), values)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"[]", "no map with v = 1"),
        (b"{", "no JSON"),
        (b'{"v":2}', "no map with v = 1"),
        (b'{"v":1,"kind":"time","asked_ms":1,"time_ms":1}', "of kind 'time'"),
        (b'{"v":1,"kind":["x"]}', "of kind"),
        (b'{"v":1,"kind":"update_query","id":7}', "the id of a command"),
        (b'{"v":1,"kind":"update_chunk","offset":0,"data":"*"}', "base64"),
        (b'{"v":1,"kind":"update_chunk","offset":-1,"data":""}', "0 to 4294967295"),
        (b'{"v":1,"kind":"configure","threshold":1e39}', "float32"),
    ],
)
def test_commands_that_are_none_are_refused(payload: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        command_of(payload)


def test_two_nodes_may_not_be_at_one_point(tmp_path: Path) -> None:
    path = tmp_path / "nodes.toml"
    path.write_text('[nodes]\n"n-1" = "s/a/p"\n"n-2" = "s/a/p"\n')
    with pytest.raises(ParameterError, match="two nodes at one point"):
        read_points(path)
    path.write_text('[nodes]\n"n-1" = "s/a"\n')
    with pytest.raises(ParameterError, match="does not say where nodes are"):
        read_points(path)
    path.write_text('[nodes]\n"n-1" = "s/a/p"\n')
    assert read_points(path) == {"n-1": PointId("s", "a", "p")}
    assert point_of("n-1", site="x", points=read_points(path)) == PointId("s", "a", "p")


def test_a_second_gateway_on_a_folder_is_refused(settings: Settings) -> None:
    import fcntl

    settings.data_dir.mkdir()
    with (settings.data_dir / "gateway.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ParameterError, match="another gateway uses"):
            run_gateway(settings, GatewayConfig("s", "g", (), {}), stopped=threading.Event())
    with pytest.raises(ParameterError, match="site and name of a gateway"):
        GatewayConfig("s/x", "g", (), {})
