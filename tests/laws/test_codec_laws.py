"""Whatever arrives, the codec answers with a block or a named refusal."""

from __future__ import annotations

import json

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from making import NOW_NS, POINT, block
from malformed import malformed_payloads

from app.codec import decode_about, decode_block, encode_about, encode_block
from app.intake import Arrival, sort_arrivals
from app.wire import REASONS, About, Limits


@given(
    samples=arrays.arrays(np.int16, arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40)),
    sequence=st.integers(0, 2**63 - 1),
    rate_hz=st.floats(10.0, 1e6),
)
def test_every_block_survives_the_wire(samples: np.ndarray, sequence: int, rate_hz: float) -> None:
    names = tuple(f"c{i}" for i in range(samples.shape[0]))
    sent = block(sequence, samples=samples, channels=names, rate_hz=rate_hz, start_ns=NOW_NS, seed=0)
    got = decode_block(encode_block(sent), point=POINT)
    np.testing.assert_array_equal(got.samples, samples)
    assert (got.sequence, got.rate_hz, got.channels, got.start_ns) == (sequence, rate_hz, names, NOW_NS)


@settings(max_examples=500)
@given(payload=malformed_payloads)
def test_a_malformed_payload_is_refused_with_a_known_reason(payload: bytes) -> None:
    topic = POINT.topic("waveform")
    intake = sort_arrivals([Arrival(topic, payload, NOW_NS)], limits=Limits(), compress=bytes)
    assert not intake.received
    assert intake.refused[0].reason in REASONS
    assert intake.refused[0].payload == payload


@settings(max_examples=300)
@given(payload=malformed_payloads)
def test_a_description_is_read_or_refused(payload: bytes) -> None:
    intake = sort_arrivals([Arrival(POINT.topic("about"), payload, NOW_NS)], limits=Limits(), compress=bytes)
    assert len(intake.described) + len(intake.refused) == 1
    assert all(one.about.point == POINT for one in intake.described)
    assert all(refused.reason in REASONS for refused in intake.refused)


@given(
    name=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200),
    shaft_hz=st.none() | st.floats(0.01, 1000.0),
    group=st.none() | st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="+#/"), min_size=1),
)
def test_every_description_survives_the_wire(name: str, shaft_hz: float | None, group: str | None) -> None:
    sent = About(POINT, name, None, shaft_hz, group and group[:64])
    text = encode_about(sent)
    for payload in (text, cbor2.dumps(json.loads(text))):
        got = decode_about(payload, point=POINT)
        assert (got.point, got.name, got.bearing, got.iso_group) == (POINT, name, None, sent.iso_group)
        assert got.shaft_hz == pytest.approx(shaft_hz)


@given(topic=st.text(max_size=80) | st.none())
def test_any_topic_is_sorted(topic: str | None) -> None:
    intake = sort_arrivals([Arrival(topic, b"", NOW_NS)], limits=Limits(), compress=bytes)
    assert len(intake.refused) == 1
