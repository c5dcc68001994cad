"""Over lines that lose, double, corrupt, cut and delay bytes, every message arrives exactly once and in order."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from link_channels import QUEUE_BYTES, CEnd, Conversation, End, Hazards, PythonEnd
from link_driving import Driver, build_driver

from edge.node.link import cbor, cobs, frames
from edge.node.link.frames import Frame
from edge.node.link.session import Link, LinkConfig, Message
from features.errors import ParameterError, ProtocolError

_HOUR_MS = 3_600_000
_NODE = LinkConfig(session=11, name="node-7", window=4, resend_ms=300, longest_ms=3000, idle_ms=1000)
_HOST = LinkConfig(session=22, name="gateway", window=8, resend_ms=300, longest_ms=3000, idle_ms=1000, most_arrived=3)
_CLEAN = Hazards()
_HAZARDS = st.builds(
    Hazards,
    lose=st.floats(0, 0.3),
    double=st.floats(0, 0.3),
    corrupt=st.floats(0, 0.3),
    cut=st.floats(0, 0.3),
    insert=st.floats(0, 0.2),
    delay_ms=st.integers(0, 400),
)
# A sync of the start that has ended arrives doubled, after the next start has been taken up in its place.
_LATE_START = Hazards(
    lose=0.013058992142772652,
    double=0.29021276394627055,
    corrupt=0.21655778838573223,
    cut=0.24975906260381242,
    insert=0.168156621887842,
    delay_ms=313,
)
_LATE_GATEWAY = Hazards(
    lose=0.18511125960039435,
    double=0.28537521223423823,
    corrupt=0.2256055864718995,
    cut=0.21032235595546683,
    insert=0.19113229658761813,
    delay_ms=187,
)
_NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    program = build_driver(Path(__file__).parent / "link_driver.c", tmp_path_factory.mktemp("link"))
    with Driver(program) as running:
        yield running


def laws(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        phases=_NO_SHRINKING,
        suppress_health_check=list(HealthCheck),
    )


def _messages(n: int, dice: random.Random, *, first: int = 0) -> list[Message]:
    sizes = [dice.choice((0, 10, 200, 980)) for _ in range(n)]
    return [Message(2 + i % 254, cbor.encode({1: first + i, 2: dice.randbytes(size)})) for i, size in enumerate(sizes)]


def _speak(talk: Conversation, sent: list[list[Message]]) -> None:
    """Queue what both ends are to send, as it comes to them, until it has all arrived."""
    left = [list(messages) for messages in sent]
    while any(left):
        for end, messages in zip(talk.ends, left, strict=True):
            if messages and talk.dice.random() < 0.5 and end.send(messages[0]):
                messages.pop(0)
        talk.step()
        assert talk.now_ms < _HOUR_MS
    talk.settle(limit_ms=_HOUR_MS)


def _holds(node: End, host: End, hazards: Hazards, seed: int, n: int) -> None:
    dice = random.Random(seed)
    talk = Conversation(node, host, hazards, dice)
    sent = [_messages(n, dice), _messages(n, dice)]
    _speak(talk, sent)
    assert talk.arrived[1] == sent[0]
    assert talk.arrived[0] == sent[1]
    assert (node.counts().sessions, host.counts().sessions) == (1, 1)


@laws(25)
@given(hazards=_HAZARDS, seed=st.integers(0, 2**32))
def test_every_message_arrives_once_in_order_between_c_and_python(driver: Driver, hazards: Hazards, seed: int) -> None:
    _holds(CEnd(driver, _NODE, 0), PythonEnd(_HOST, 0), hazards, seed, 20)


@laws(25)
@given(hazards=_HAZARDS, seed=st.integers(0, 2**32))
def test_every_message_arrives_once_in_order_between_python_and_python(hazards: Hazards, seed: int) -> None:
    _holds(PythonEnd(_NODE, 0), PythonEnd(_HOST, 0), hazards, seed, 20)


def test_a_clean_line_needs_nothing_twice(driver: Driver) -> None:
    node, host = CEnd(driver, _NODE, 0), PythonEnd(_HOST, 0)
    _holds(node, host, _CLEAN, 1, 60)
    for counts in (node.counts(), host.counts()):
        assert (counts.damaged, counts.repeated, counts.early, counts.resent) == (0, 0, 0, 0)


# --- restarts ---


def _restarted(driver: Driver, which: int, seed: int, hazards: Hazards) -> None:
    """One end restarts while both have messages under way."""
    dice = random.Random(seed)
    talk = Conversation(CEnd(driver, _NODE, 0), PythonEnd(_HOST, 0), hazards, dice)
    first = [_messages(6, dice), _messages(6, dice)]
    for i, end in enumerate(talk.ends):
        for message in first[i]:
            end.send(message)
    for _ in range(dice.randint(0, 40)):
        talk.step()
    heard_before = len(talk.arrived[1 - which])
    again: End
    if which == 0:
        again = CEnd(driver, LinkConfig(session=12, name="node-7", window=4, resend_ms=300, idle_ms=1000), talk.now_ms)
    else:
        again = PythonEnd(LinkConfig(session=23, name="gateway", resend_ms=300, idle_ms=1000), talk.now_ms)
    talk.ends[which] = again
    second = [_messages(6, dice, first=100), _messages(6, dice, first=100)]
    _speak(talk, second)
    staying = 1 - which
    # Who stayed: nothing is lost, and what was not acknowledged may come a second time.
    got = talk.arrived[which]
    assert list(dict.fromkeys(got)) == first[staying] + second[staying]
    assert len(got) <= 18
    # Who restarted: what it had said until then, once; what it says from then on, once and whole.
    said = talk.arrived[staying]
    assert said[:heard_before] == first[which][:heard_before]
    assert [m for m in said if m in second[which]] == second[which]


@pytest.mark.parametrize("which", [0, 1], ids=["node", "host"])
@laws(15)
@given(seed=st.integers(0, 2**32), hazards=_HAZARDS)
@example(seed=2387099222, hazards=_LATE_START)
@example(seed=1308565711, hazards=_LATE_GATEWAY)
def test_after_a_restart_nothing_is_lost_on_the_side_that_stayed(
    driver: Driver, which: int, seed: int, hazards: Hazards
) -> None:
    _restarted(driver, which, seed, hazards)


# --- what time and its owner ask of an end ---


def _joined(driver: Driver) -> Conversation:
    talk = Conversation(CEnd(driver, _NODE, 0), PythonEnd(_HOST, 0), _CLEAN, random.Random(1))
    for _ in range(6):
        talk.step()
    return talk


def test_both_learn_who_the_other_is_and_when_it_falls_silent(driver: Driver) -> None:
    talk = _joined(driver)
    node, host = talk.ends
    assert isinstance(node, CEnd)
    assert isinstance(host, PythonEnd)
    assert (node.peer_name(), host.link.peer_name) == ("gateway", "node-7")
    assert node.up(1000, talk.now_ms)
    assert host.link.up(1000, talk.now_ms)
    later = talk.now_ms + 5000
    assert not node.up(4000, later)
    assert not host.link.up(4000, later)


def test_an_idle_line_carries_a_sign_of_life_each_second(driver: Driver) -> None:
    talk = _joined(driver)
    node, host = talk.ends
    assert isinstance(node, CEnd)
    assert isinstance(host, PythonEnd)
    for due in (node.due_ms(talk.now_ms), host.link.due_ms(talk.now_ms)):
        assert 500 < due <= 1000
    now_ms = talk.now_ms + 1000
    assert frames.decode(node.output(2000, now_ms)[:-1]).kind == frames.ACK
    assert frames.decode(host.output(2000, now_ms)[:-1]).kind == frames.ACK


def test_resending_backs_off_to_the_longest_wait_with_the_oldest_alone(driver: Driver) -> None:
    talk = _joined(driver)
    body = cbor.encode({1: 0})
    for end in talk.ends:
        for _ in range(3):
            end.send(Message(5, body))
        said = [frames.decode(piece) for piece in end.output(5000, talk.now_ms).split(b"\0")[:-1]]
        assert [frame.sequence for frame in said] == [1, 2, 3]
        waits, last_ms = [], talk.now_ms
        for now_ms in range(talk.now_ms, talk.now_ms + 12_000, 10):
            for piece in end.output(5000, now_ms).split(b"\0")[:-1]:
                frame = frames.decode(piece)
                if frame.kind == 5:
                    assert frame.sequence == 1
                    waits.append(now_ms - last_ms)
                    last_ms = now_ms
        assert waits == [300, 600, 1200, 2400, 3000, 3000]


def test_a_message_that_is_not_taken_is_not_acknowledged_and_holds_the_line(driver: Driver) -> None:
    talk = _joined(driver)
    node, host = talk.ends
    assert isinstance(node, CEnd)
    for i in range(2):
        host.send(Message(4, cbor.encode({1: i})))
    said = host.output(5000, talk.now_ms)
    fed, messages = node.feed_some(said, talk.now_ms, take=False)
    assert (fed, messages) == (said.index(0) + 1, [Message(4, cbor.encode({1: 0}))])
    assert node.feed_some(said[fed:], talk.now_ms, take=False) == (0, messages)
    assert host.feed(node.output(5000, talk.now_ms + 1000), talk.now_ms + 1000) == []
    assert host.pending() == 2
    assert node.feed_some(b"", talk.now_ms, take=True) == (0, messages)
    host.feed(node.output(5000, talk.now_ms), talk.now_ms)
    assert host.pending() == 1


def test_the_host_holds_what_is_not_taken_up_to_its_limit(driver: Driver) -> None:
    talk = _joined(driver)
    node, host = talk.ends
    assert isinstance(host, PythonEnd)
    sent = [Message(9, cbor.encode({1: i})) for i in range(6)]
    for message in sent:
        node.send(message)
    for _ in range(200):
        talk.now_ms += 50
        host.link.feed(node.output(5000, talk.now_ms), talk.now_ms)
        node.feed(host.output(5000, talk.now_ms), talk.now_ms)
    assert host.link.arrived() == tuple(sent[:3])
    assert node.pending() == 6
    host.link.take(3)
    node.feed(host.output(5000, talk.now_ms), talk.now_ms)
    assert node.pending() == 3


def test_a_full_queue_refuses_and_takes_again_after_an_acknowledgement(driver: Driver) -> None:
    talk = _joined(driver)
    node = talk.ends[0]
    message = Message(9, cbor.encode({1: bytes(990)}))
    queued = 0
    while node.send(message):
        queued += 1
    # The reserving call wants room for the largest body, the copying one for this body alone.
    assert queued == QUEUE_BYTES // (len(message.body) + 4)
    talk.settle(limit_ms=60_000)
    assert node.send(message)


def test_what_was_never_sent_can_be_dropped(driver: Driver) -> None:
    talk = _joined(driver)
    node, host = talk.ends
    assert isinstance(node, CEnd)
    assert isinstance(host, PythonEnd)
    for end, window in ((node, 4), (host, 8)):
        for i in range(window + 2):
            end.send(Message(9, cbor.encode({1: i})))
        end.output(20_000, talk.now_ms)
    assert node.drop_unsent() == 2
    assert host.link.drop_unsent() == 2
    assert (node.pending(), host.pending()) == (4, 8)
    assert host.link.unacknowledged() == tuple(Message(9, cbor.encode({1: i})) for i in range(8))


def test_an_echoing_line_opens_no_session(driver: Driver) -> None:
    node, host = CEnd(driver, _NODE, 0), PythonEnd(_HOST, 0)
    for end in (node, host):
        for now_ms in range(0, 2000, 100):
            end.feed(end.output(5000, now_ms), now_ms)
        assert end.counts().sessions == 0
        assert end.counts().foreign <= 4


def test_a_late_frame_of_an_ended_session_does_not_bring_it_back(driver: Driver) -> None:
    talk = _joined(driver)
    node = talk.ends[0]
    late = frames.encode(Frame(frames.SYNC, 22, 11, 0, 0, cbor.encode({1: "gateway", 2: True, 3: 0, 4: 0})))
    talk.ends[1] = PythonEnd(LinkConfig(session=23, name="gateway"), talk.now_ms)
    for _ in range(20):
        talk.step()
    assert node.counts().sessions == 2
    node.feed(late, talk.now_ms)
    assert node.counts().sessions == 2
    node.output(5000, talk.now_ms + 30_000)
    node.feed(late, talk.now_ms + 30_000)
    assert node.counts().sessions == 2


def test_a_late_sync_of_a_start_that_was_never_taken_up_does_not_end_the_next_ones_session(driver: Driver) -> None:
    talk = _joined(driver)
    for end, mine, ended in ((talk.ends[0], 11, 21), (talk.ends[1], 22, 10)):
        end.feed(frames.encode(Frame(frames.SYNC, ended, mine, 0, 0, cbor.encode({1: "x", 2: True, 3: 0, 4: 0}))), 0)
        assert end.counts().sessions == 1


# --- what is refused ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"session": 0},
        {"window": 0},
        {"window": 33},
        {"resend_ms": 0},
        {"longest_ms": 299},
        {"idle_ms": 299},
        {"name": ""},
        {"longest_ms": 2**30 + 1},
        {"name": "n" * 33},
    ],
    ids=str,
)
def test_configurations_outside_of_the_admitted_are_refused(driver: Driver, wrong: dict[str, object]) -> None:
    values = {"session": 1, "window": 4, "resend_ms": 300, "longest_ms": 3000, "idle_ms": 1000, "name": "n", **wrong}
    with pytest.raises(ParameterError, match="wanted"):
        LinkConfig(**values)  # type: ignore[arg-type]
    unchecked = object.__new__(LinkConfig)
    for name, value in values.items():
        object.__setattr__(unchecked, name, value)
    assert CEnd(driver, unchecked, 0).status == -1


@pytest.mark.parametrize(
    ("kind", "body"),
    [(1, b"\xa0"), (2, b"\x80"), (2, b"\xa1\x01"), (2, b""), (2, cbor.encode({1: bytes(996)})), (2, b"\xa0\xa0")],
)
def test_messages_that_are_none_are_refused(driver: Driver, kind: int, body: bytes) -> None:
    assert CEnd(driver, _NODE, 0).try_send(kind, body) == -1
    with pytest.raises(ParameterError):
        Link(_HOST, now_ms=0).send(kind, body)


# --- frames from outside ---


def _read(encoded: bytes) -> bytes:
    """The driver's answer, from Python."""
    try:
        return b"\1" + frames.encode(frames.decode(encoded))
    except ProtocolError:
        return b"\0"


_FRAME = frames.encode(Frame(5, 11, 22, 1, 0, cbor.encode({1: 300, 2: b"abc" * 30, 3: 0.5})))[:-1]


@laws(60)
@given(payload=st.one_of(st.binary(max_size=40), st.just(b""), st.binary(min_size=1020, max_size=1040)))
def test_both_refuse_payloads_that_are_none(driver: Driver, payload: bytes) -> None:
    crc = zlib.crc32(payload).to_bytes(4, "little")
    encoded = cobs.encode(payload + crc)
    assert driver.call("f", encoded) == _read(encoded)


@laws(60)
@given(
    fields=st.lists(st.integers(0, 2**32), min_size=4, max_size=6),
    kind=st.integers(0, 257),
    body=st.sampled_from([{}, {1: 2}, [], 5, {1: bytes(900)}, {1: bytes(995)}, {1: bytes(996)}]),
)
def test_both_read_the_same_arrays_as_frames(driver: Driver, fields: list[int], kind: int, body: cbor.Value) -> None:
    payload = cbor.encode([kind, *fields[:4], body, *fields[5:]])
    encoded = cobs.encode(payload + zlib.crc32(payload).to_bytes(4, "little"))
    assert driver.call("f", encoded) == _read(encoded)


def test_damaged_frames_are_refused_by_both(driver: Driver) -> None:
    dice = random.Random(4)
    for _ in range(2000):
        damaged = bytearray(_FRAME)
        for _ in range(dice.randint(1, 3)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(1, 256)
        encoded = bytes(damaged[: dice.randint(1, len(damaged))] if dice.random() < 0.3 else damaged)
        assert driver.call("f", encoded) == _read(encoded)
        assert (_read(encoded) == b"\0") == (encoded != _FRAME)


@laws(60)
@given(noise=st.lists(st.binary(max_size=1500), max_size=4))
def test_noise_on_the_line_changes_nothing_but_counts(driver: Driver, noise: list[bytes]) -> None:
    node, host = CEnd(driver, _NODE, 0), PythonEnd(_HOST, 0)
    for piece in noise:
        assert node.feed(piece, 0) == host.feed(piece, 0) == []
    assert node.counts() == host.counts()


def test_overlong_frames_are_counted_once_and_the_next_one_is_heard(driver: Driver) -> None:
    hello = frames.encode(Frame(frames.SYNC, 22, 11, 0, 0, cbor.encode({1: "gateway", 2: True, 3: 0, 4: 0})))
    back = frames.encode(Frame(frames.SYNC, 11, 22, 0, 0, cbor.encode({1: "node-7", 2: True, 3: 0, 4: 0})))
    for end, greeting in ((CEnd(driver, _NODE, 0), hello), (PythonEnd(_HOST, 0), back)):
        end.feed(b"\x01" * 5000, 0)
        end.feed(b"\x01\0" + greeting, 0)
        assert (end.counts().damaged, end.counts().sessions) == (1, 1)
