"""What gateways publish is read as it was meant, and anything else is refused with its reason."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import NOW_NS
from speaking_nodes import HELLO
from speaking_nodes import report as reported
from telling import GATEWAY, NODE_POINT, event, gateway_state, report, state, update_status

from app.fleet.sayings import Event, GatewayState, NodeState, Report, decode_said
from app.gateway.node import Node
from app.gateway.translation import event_publication, readable, report_publication
from app.intake import Arrival
from app.wire import parse_topic
from edge.node.link import messages
from features.errors import ProtocolError


def _decoded(arrival: Arrival) -> Any:
    point, leaf = parse_topic(str(arrival.topic))
    return decode_said(leaf, arrival.payload, point=point)


def _published(entries: dict[str, Any]) -> Any:
    publication = report_publication(NODE_POINT, entries, node="n7", contract="cbaf", arrived_ns=NOW_NS)
    return decode_said("report", publication.payload, point=NODE_POINT)


@given(
    features=st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False, max_value=2.0**126, min_value=-(2.0**126))
    ),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_report_comes_back_from_the_gateways_publication(features: list[float], data: st.DataObject) -> None:
    mask = data.draw(st.integers(0, 2 ** len(features) - 1))
    known = mask.to_bytes((len(features) + 7) // 8, "little")
    packed = np.array(features, "<f4").tobytes()
    score = data.draw(st.one_of(st.none(), st.floats(0.0, 1e6, width=32)))
    said = {} if score is None else {"score": score}
    body = reported(7, boot=2, features=packed, known=known, diagnosis=2, time_ms=NOW_NS // 10**6, **said)
    found = _published(messages.decode(body)[1])
    assert isinstance(found, Report)
    assert (found.boot, found.number, found.diagnosis, found.state) == (2, 7, "outer", "watching")
    assert (found.time_ns, found.contract, found.score) == (NOW_NS, "cbaf", score)
    wanted = np.where([mask >> i & 1 for i in range(len(features))], np.array(features, np.float32), np.nan)
    np.testing.assert_array_equal(found.features, wanted.astype(np.float32))


def test_a_hello_comes_back_from_the_gateways_event_and_state() -> None:
    said = readable(HELLO)
    publication = event_publication(NODE_POINT, "hello", said, node="n7", now_ns=NOW_NS)
    found = decode_said("event", publication.payload, point=NODE_POINT)
    assert isinstance(found, Event)
    wanted = {name: value for name, value in said.items() if name != "features"}
    assert found.known == wanted
    assert json.loads(found.entries) == said
    node = Node("n7", NODE_POINT, NOW_NS, online=True, hello=said)
    retained = decode_said("state", node.state(GATEWAY).payload, point=NODE_POINT)
    assert retained == NodeState("n7", GATEWAY, online=True, since_ns=NOW_NS, known=wanted)


def test_an_update_is_said_in_words() -> None:
    found = _decoded(update_status(300, reason=9))
    assert found.known["update_reason"] == "signature"
    assert (found.known["update_offset"], found.known["update_size"], found.known["candidate"]) == (300, 1000, 3)
    assert _decoded(update_status(300)).known["update_reason"] is None


def test_a_gateways_own_state_is_told_from_a_nodes() -> None:
    assert _decoded(gateway_state("online")) == GatewayState(GATEWAY, online=True, since_ns=NOW_NS)
    assert _decoded(gateway_state("offline")) == GatewayState(GATEWAY, online=False, since_ns=None)


def test_the_digest_is_of_what_the_node_said_whichever_gateway_it_came_through() -> None:
    first = _decoded(report(1))
    assert _decoded(report(1, arrived_ns=NOW_NS + 999, feature_hash=None)).digest == first.digest
    for changes in ({"boot": 4}, {"score": 0.6}, {"features": [1.0, 0.0, 0.25]}, {"node": "n8"}, {"time_ns": None}):
        assert _decoded(report(1, **changes)).digest != first.digest, changes


def test_what_a_newer_node_says_is_kept_as_its_number() -> None:
    assert _decoded(report(1, state=9)).state == "9"
    assert _decoded(report(1, news="of a newer node")).number == 1


def test_a_time_that_no_store_holds_is_none() -> None:
    assert _decoded(report(1, time_ns=2**64)).time_ns is None
    assert _decoded(report(1, time_ns=-1)).time_ns is None


@pytest.mark.parametrize(
    ("arrival", "reason", "match"),
    [
        (report(1, boot=-1), "range", "boot is -1"),
        (report(1, boot=2**32), "range", "0 to 4294967295"),
        (report(1, number=1.5), "malformed", "number is 1.5; an integer"),
        (report(1, number=None), "malformed", "number is None"),
        (report(1, state="asleep"), "malformed", "state is 'asleep'; one of commissioning, watching"),
        (report(1, state=True), "malformed", "state is True"),
        (report(1, alarm=1), "malformed", "alarm is 1; true or false"),
        (report(1, score=float("nan")), "not_finite", "score is nan"),
        (report(1, score="high"), "malformed", "score is 'high'; a number"),
        (report(1, threshold=1e39), "range", "threshold is 1e"),
        (report(1, diagnosis="bent"), "malformed", "diagnosis is 'bent'"),
        (report(1, probability=1.5), "range", "probability is 1.5; 0 to 1"),
        (report(1, features="none"), "malformed", "a list of up to 128"),
        (report(1, features=[0.0] * 129), "malformed", "a list of up to 128"),
        (report(1, features=[True]), "malformed", "a feature is True"),
        (report(1, features=[1e39]), "range", "a feature is 1e"),
        (report(1, feature_hash="xyz"), "malformed", "in hexadecimal"),
        (report(1, time_ns="now"), "malformed", "time_ns is 'now'"),
        (report(1, arrived_ns=None), "malformed", "arrived_ns is None"),
        (report(1, node=""), "range", "1 to 32 printable letters"),
        (report(1, node="x" * 33), "range", "1 to 32 printable letters"),
        (report(1, v=2), "version", "protocol version 2"),
        (event(""), "range", "kind is ''"),
        (event("log", time_ns=None), "malformed", "time_ns is None"),
        (event("log", text=float("inf")), "malformed", "cannot be kept as JSON"),
        (event("hello", boot="three"), "malformed", "boot is 'three'"),
        (event("hello", contract="zz"), "malformed", "in hexadecimal"),
        (event("hello", reset="bored"), "malformed", "reset is 'bored'"),
        (update_status(-1), "range", "offset is -1"),
        (update_status(1, reason="why"), "malformed", "reason is 'why'"),
        (event("log", text="x" * 20_000), "oversized", "16384 are admitted of a event"),
        (state("online", state="asleep"), "malformed", "online or offline"),
        (state("online", gateway=None), "malformed", "gateway is None"),
        (state("online", since_ns="then"), "malformed", "since_ns is 'then'"),
    ],
)
def test_what_is_not_of_the_form_is_refused_with_its_reason(arrival: Arrival, reason: str, match: str) -> None:
    with pytest.raises(ProtocolError, match=match) as caught:
        _decoded(arrival)
    assert caught.value.reason == reason


def test_a_state_without_a_node_is_a_gateways_alone() -> None:
    with pytest.raises(ProtocolError, match="names no node"):
        decode_said("state", b'{"v":1,"state":"online"}', point=NODE_POINT)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_WHOLE = [
    json.loads(one.payload) for one in (report(1), event("hello", **readable(HELLO)), update_status(3), state("online"))
]


@given(entries=st.sampled_from(_WHOLE), leaf=st.sampled_from(["report", "event", "state"]), data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_other_value_of_any_entry_is_read_or_refused(
    entries: dict[str, Any], leaf: str, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(entries)))
    payload = json.dumps(entries | {key: data.draw(_JSON)}).encode()
    with contextlib.suppress(ProtocolError):
        decode_said(leaf, payload, point=NODE_POINT)
