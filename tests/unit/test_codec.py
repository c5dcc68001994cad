"""The wire codec: what goes in comes out, and what is wrong is named."""

from __future__ import annotations

import base64
import json
from typing import Any

import cbor2
import numpy as np
import pytest
from making import NOW_NS, POINT, block

from app.codec import decode_about, decode_block, encode_about, encode_block
from app.wire import About, Limits, PointId, parse_topic
from features.bearing import bearing_named
from features.errors import ProtocolError


def _entries(**changes: Any) -> dict[str, Any]:
    entries = cbor2.loads(encode_block(block(3)))
    return {key: value for key, value in (entries | changes).items() if value is not ...}


def _refused(payload: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode_block(payload, point=POINT)
    return caught.value.reason


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_a_block_survives_the_wire(rng: np.random.Generator, dtype: type) -> None:
    samples = (100 * rng.standard_normal((3, 64))).astype(dtype)
    sent = block(7, samples=samples, channels=("x", "y", "z"), shaft_hz=29.5, load=80.0, temperature_c=41.0)
    got = decode_block(encode_block(sent), point=POINT)
    np.testing.assert_array_equal(got.samples, samples)
    assert got.samples.dtype == dtype
    assert (got.sequence, got.start_ns, got.channels) == (7, sent.start_ns, ("x", "y", "z"))
    assert (got.shaft_hz, got.load, got.temperature_c) == (pytest.approx(29.5), 80.0, 41.0)


def test_json_with_base64_or_lists_is_accepted() -> None:
    entries = _entries()
    data = entries.pop("data")
    text = json.dumps(entries | {"data": base64.b64encode(data).decode()}).encode()
    listed = json.dumps(entries | {"samples": np.frombuffer(data, "<i2").tolist()}).encode()
    expected = block(3).samples
    np.testing.assert_array_equal(decode_block(text, point=POINT).samples, expected)
    np.testing.assert_array_equal(decode_block(listed, point=POINT).samples, expected)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": 2}, "version"),
        ({"v": True}, "version"),
        ({"v": ...}, "version"),
        ({"seq": -1}, "range"),
        ({"seq": 2**70}, "range"),
        ({"seq": 1.5}, "malformed"),
        ({"seq": ...}, "malformed"),
        ({"start": "now"}, "malformed"),
        ({"rate": 0}, "rate"),
        ({"rate": -5.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"unit": "furlong"}, "unit"),
        ({"unit": ["g"]}, "unit"),
        ({"channels": []}, "malformed"),
        ({"channels": ["a", "a"]}, "name"),
        ({"channels": [5]}, "name"),
        ({"channels": ["\x00"]}, "name"),
        ({"channels": ["a", "b", "c"]}, "length"),
        ({"type": "f8"}, "type"),
        ({"type": 5}, "type"),
        ({"scale": 0.0}, "range"),
        ({"scale": 1e300}, "range"),
        ({"scale": float("inf")}, "not_finite"),
        ({"data": b"\x00" * 4095}, "length"),
        ({"data": b""}, "length"),
        ({"data": 17}, "malformed"),
        ({"n": 17}, "length"),
        ({"rpm": float("nan")}, "not_finite"),
        ({"rpm": -1}, "range"),
        ({"load": "full"}, "malformed"),
        ({"temp_c": -300}, "range"),
        ({"type": "f4", "data": np.array([1, np.nan], "<f4").tobytes()}, "not_finite"),
        ({"type": "f4", "data": np.array([1, np.inf], "<f4").tobytes()}, "not_finite"),
        ({"type": "f4", "data": np.array([1, 3e38], "<f4").tobytes()}, "range"),
        ({"samples": [1, 2, "3"]}, "malformed"),
        ({"samples": [[1, 2], [3, 4]]}, "length"),
        ({"samples": [1.5, 2.0]}, "range"),
        ({"samples": [1, 2**40]}, "range"),
        ({"type": "f4", "samples": [1, 10**400]}, "range"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(changes: dict[str, Any], reason: str) -> None:
    assert _refused(cbor2.dumps(_entries(**changes))) == reason


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"hello",
        b"{",
        b"{}x",
        b"[1]",
        b"\xff\xfe",
        encode_block(block())[:-5],
        encode_block(block()) + b"\x00",
        b"[" * 100_000,
        b"{" + b'"a":{' * 100_000,
        b"\x81" * 100_000,
        cbor2.dumps([1, 2]),
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_what_is_no_payload_is_malformed(payload: bytes) -> None:
    assert _refused(payload) in ("malformed", "version")


def test_a_description_survives_the_wire() -> None:
    sent = About(POINT, "Cooling pump", bearing_named("6205-2RS"), 29.5)
    assert decode_about(encode_about(sent), point=POINT) == sent
    assert decode_about(b'{"v":1}', point=POINT) == About(POINT, str(POINT))


@pytest.mark.parametrize("group", ["group-2-rigid", "our own pumps", None])
def test_a_machine_group_survives_the_wire_as_json_and_as_cbor(group: str | None) -> None:
    sent = About(POINT, "Cooling pump", iso_group=group)
    text = encode_about(sent)
    assert ("iso_group" in json.loads(text)) == (group is not None)
    assert decode_about(text, point=POINT) == sent
    assert decode_about(cbor2.dumps(json.loads(text)), point=POINT) == sent
    assert decode_about(b'{"v":1,"name":"Cooling pump","iso_group":null}', point=POINT).iso_group is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"v":1,"name":""}', "name"),
        (b'{"v":1,"name":7}', "name"),
        (b'{"v":1,"iso_group":""}', "name"),
        (b'{"v":1,"iso_group":2}', "name"),
        (b'{"v":1,"iso_group":"a\\nb"}', "name"),
        (b'{"v":1,"iso_group":"' + b"x" * 65 + b'"}', "name"),
        (b'{"v":1,"rpm":-3}', "range"),
        (b'{"v":1,"bearing":5}', "malformed"),
        (b'{"v":1,"bearing":{"balls":9,"ball_mm":50,"pitch_mm":10}}', "range"),
        (b'{"v":1,"bearing":{"name":"\\u0000","balls":9,"ball_mm":5,"pitch_mm":10}}', "name"),
    ],
)
def test_a_wrong_description_is_named(text: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_about(text, point=POINT)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("raceway/v1/a/b/waveform", "topic"),
        ("raceway/v1/a/b/c/d/waveform", "topic"),
        ("raceway/v2/a/b/c/waveform", "topic"),
        ("raceway/v1/a//c/waveform", "name"),
        (f"raceway/v1/a/{'x' * 65}/c/waveform", "name"),
        ("raceway/v1/a/b\x07/c/waveform", "name"),
    ],
)
def test_wrong_topics_are_named(topic: str, reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_topic(topic)
    assert caught.value.reason == reason


def test_topics_and_points_are_each_others_inverse() -> None:
    assert parse_topic(POINT.topic("about")) == (POINT, "about")
    assert PointId.parse(str(POINT)) == POINT
    with pytest.raises(ProtocolError, match="no measuring point"):
        PointId.parse("only/two")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rate_hz": 2e6}, "rate"),
        ({"rate_hz": 1.0}, "rate"),
        ({"start_ns": NOW_NS + 2 * 86_400 * 10**9}, "clock"),
        ({"start_ns": 0}, "clock"),
    ],
)
def test_limits_name_what_lies_outside(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        Limits().check(block(**changes), now_ns=NOW_NS)
    assert caught.value.reason == reason
