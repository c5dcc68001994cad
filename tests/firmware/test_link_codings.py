"""COBS, CRC-32 and CBOR in C equal Python's, for what is well formed and for what is not, under both sanitisers."""

from __future__ import annotations

import binascii
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from link_driving import Driver, build_driver

from edge.node.link import cbor, cobs
from features.errors import ParameterError, ProtocolError

_FUZZED = 4000


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    program = build_driver(Path(__file__).parent / "link_driver.c", tmp_path_factory.mktemp("link"))
    with Driver(program) as running:
        yield running


def laws(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


# --- CRC-32 ---


@laws(200)
@given(data=st.binary(max_size=600), cut=st.integers(0, 600))
@example(data=b"123456789", cut=4)
def test_the_crc_is_zlibs_and_goes_on_from_a_part(driver: Driver, data: bytes, cut: int) -> None:
    def crc(begun: int, part: bytes) -> int:
        (found,) = struct.unpack("<I", driver.call("c", struct.pack("<I", begun) + part))
        return int(found)

    assert crc(crc(0, data[:cut]), data[cut:]) == zlib.crc32(data) == binascii.crc32(data)


def test_the_crc_of_the_standards_check_value(driver: Driver) -> None:
    assert driver.call("c", bytes(4) + b"123456789") == struct.pack("<I", 0xCBF43926)


# --- COBS ---


def _stuffed(data: bytes) -> bytes:
    """The definition, read literally: append a zero, cut behind each zero and each 254 bytes without one."""
    pieces, rest = [], data + b"\0"
    while rest:
        until = rest.index(0)
        if until >= 254:
            pieces.append(b"\xff" + rest[:254])
            rest = rest[254:]
            if rest == b"\0":
                break
        else:
            pieces.append(bytes([until + 1]) + rest[:until])
            rest = rest[until + 1 :]
    return b"".join(pieces)


_RUNS = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.integers(250, 512).map(lambda n: b"\x11" * n),
        st.integers(1, 4).map(lambda n: b"\0" * n),
    ),
    max_size=5,
).map(b"".join)


@laws(150)
@given(data=_RUNS)
@example(data=b"")
@example(data=b"\x01" * 254)
@example(data=b"\x01" * 254 + b"\0")
@example(data=b"\x01" * 255)
def test_stuffing_is_its_definition_and_comes_back(driver: Driver, data: bytes) -> None:
    encoded = driver.call("e", data)
    assert encoded == cobs.encode(data) == _stuffed(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + len(data) // 254 + 1
    assert driver.call("d", encoded) == b"\1" + data
    assert cobs.decode(encoded) == data


def _unstuffed(data: bytes) -> bytes:
    """The driver's answer, from Python."""
    try:
        return b"\1" + cobs.decode(data)
    except ProtocolError:
        return b"\0"


@laws(200)
@given(data=st.one_of(st.binary(max_size=40), _RUNS.map(lambda d: cobs.encode(d)[:-1]), _RUNS))
@example(data=b"")
@example(data=b"\xff" + b"\x01" * 254 + b"\x01")
def test_both_take_and_refuse_the_same_stuffed_bytes(driver: Driver, data: bytes) -> None:
    assert driver.call("d", data) == _unstuffed(data)


# --- CBOR ---

_INTEGERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([s * (2**k) + d for k in (0, 5, 8, 16, 32, 62) for s in (1, -1) for d in (-1, 0, 1)]),
)
_SCALARS = st.one_of(
    _INTEGERS,
    st.booleans(),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.binary(max_size=300),
    st.text(max_size=40),
)
_KEYS = st.one_of(st.integers(-300, 70_000), st.text(max_size=5))
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(_KEYS, inner, max_size=5)),
    max_leaves=12,
)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _checked(driver: Driver, data: bytes) -> bool:
    """Whether C takes the bytes; if so, it reads and writes them unchanged."""
    answer = driver.call("k", b"\0" + data)
    assert answer[2:] == (data if answer[0] else b"")
    assert answer[1] == 0
    return bool(answer[0])


def _decodes(data: bytes) -> bool:
    try:
        cbor.decode(data)
    except ProtocolError:
        return False
    return True


@laws(200)
@given(value=_VALUES.filter(lambda v: _depth(v) <= cbor.DEPTH))
def test_values_come_back_from_python_c_and_cbor2(driver: Driver, value: Any) -> None:
    encoded = cbor.encode(value)
    assert cbor.decode(encoded) == value == cbor2.loads(encoded)
    assert _checked(driver, encoded)


@laws(150)
@given(
    value=st.recursive(
        st.one_of(_INTEGERS, st.booleans(), st.binary(max_size=300), st.text(max_size=40)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.integers(0, 70_000), inner, max_size=4)
        ),
        max_leaves=8,
    ).filter(lambda v: _depth(v) <= cbor.DEPTH)
)
def test_the_encoding_is_cbor2s_canonical_one_where_that_keeps_the_form(value: Any) -> None:
    assert cbor.encode(value) == cbor2.dumps(value, canonical=True)


@laws(150)
@given(value=_VALUES.filter(lambda v: _depth(v) <= cbor.DEPTH), short=st.integers(1, 200))
def test_a_writer_without_room_fails_and_writes_nothing_outside(driver: Driver, value: Any, short: int) -> None:
    encoded = cbor.encode(value)
    answer = driver.call("k", bytes([short]) + encoded)
    assert (answer[0], answer[1]) == (1, 1)
    assert encoded.startswith(answer[2:])


@laws(200)
@given(data=st.one_of(st.binary(max_size=24), _VALUES.map(cbor2.dumps)))
def test_both_take_and_refuse_the_same_bytes(driver: Driver, data: bytes) -> None:
    assert _checked(driver, data) == _decodes(data)


def test_both_take_and_refuse_the_same_of_thousands_of_damaged_items(driver: Driver, rng: np.random.Generator) -> None:
    value = {1: [0, -1, 24, 300], 2: b"bytes" * 6, 3: {"a": 0.5, "bc": True, "µ": -7}, 24: "text", 300: 2**40}
    good = cbor.encode(value)
    taken = 0
    for _ in range(_FUZZED):
        damaged = bytearray(good)
        for place in rng.integers(0, len(good), int(rng.integers(1, 4))):
            damaged[place] = int(rng.integers(0, 256))
        data = bytes(damaged[: int(rng.integers(1, len(good) + 1))] if rng.integers(0, 2) else damaged)
        admitted = _checked(driver, data)
        assert admitted == _decodes(data), data.hex()
        taken += admitted
    assert 0 < taken < _FUZZED


_WRONG = {
    "longer than needed": "1817",
    "longer than needed, 16 bits": "1900ff",
    "longer than needed, 32 bits": "1a0000ffff",
    "longer than needed, 64 bits": "1b00000000ffffffff",
    "below int64": "3b8000000000000000",
    "indefinite array": "9fff",
    "indefinite text": "7f6161ff",
    "reserved length": "1c",
    "tag": "c100",
    "null": "f6",
    "half": "f93c00",
    "double": "fb3ff0000000000000",
    "not a number": "fa7fc00000",
    "infinite": "faff800000",
    "keys out of order": "a202000100",
    "key twice": "a201000100",
    "key is bytes": "a1410000",
    "key is a float": "a1fa3f80000000",
    "no UTF-8": "61ff",
    "surrogate": "63eda080",
    "overlong character": "62c0af",
    "above Unicode": "64f4908080",
    "more than there is": "5affffffff00",
    "array of more than there is": "9bffffffffffffffff",
    "map of more than there is": "bb7fffffffffffffff",
    "nothing": "",
    "two items": "0101",
    "too deep": "81" * 8 + "80",
}


@pytest.mark.parametrize("name", _WRONG)
def test_what_the_form_does_not_hold_is_refused(driver: Driver, name: str) -> None:
    data = bytes.fromhex(_WRONG[name])
    assert not _checked(driver, data)
    with pytest.raises(ProtocolError, match=r"^at byte \d+ of"):
        cbor.decode(data)


def test_eight_levels_are_admitted(driver: Driver) -> None:
    assert _checked(driver, bytes.fromhex("81" * 7 + "80"))
    assert cbor.decode(bytes.fromhex("81" * 7 + "80")) == [[[[[[[[]]]]]]]]


@pytest.mark.parametrize(
    ("value", "why"),
    [(math.nan, "finite"), (1e39, "float32"), (2**64, "64 bits"), (None, "NoneType"), ({b"k": 1}, "the key b'k'")],
)
def test_values_without_a_form_are_refused(value: Any, why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        cbor.encode(value)


_KINDS = {"01": 0b11, "20": 0b10, "4100": 0b100, "6161": 0b1000, "80": 0b10000, "a0": 0b100000, "f4": 0b1000000}


@pytest.mark.parametrize(
    ("data", "taken"), [*_KINDS.items(), ("fa3f800000", 0b10000000), ("1bffffffffffffffff", 0b1), ("", 0), ("f6", 0)]
)
def test_each_read_takes_its_kind_alone(driver: Driver, data: str, taken: int) -> None:
    assert driver.call("t", bytes.fromhex(data)) == bytes([taken])


@laws(150)
@given(data=st.binary(max_size=12))
def test_reads_of_any_bytes_stay_inside(driver: Driver, data: bytes) -> None:
    assert len(driver.call("t", data)) == 1
