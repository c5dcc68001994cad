"""The table of messages is what the C header, the page and the readers of bodies say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from link_driving import LINK

from app.gateway.service import read_points
from app.wire import PointId
from edge.node.link import cbor, frames, messages
from edge.node.link.frames import BODY_BYTES, FIRST_KIND, Frame
from edge.node.link.messages import CODES, KINDS, Field, Kind
from edge.node.link.session import Message
from features.contract import NODE
from features.errors import ParameterError, ProtocolError
from features.window import UNITS

_PAGE = (Path(__file__).parents[2] / "docs/LINK.md").read_text(encoding="utf-8")


def test_the_header_is_generated() -> None:
    assert (LINK / "rw_messages.h").read_text() == messages.render_header()


def test_c_and_cpp_take_the_header(tmp_path: Path) -> None:
    for compiler, source in (("gcc", "m.c"), ("g++", "m.cc")):
        if shutil.which(compiler):
            (tmp_path / source).write_text('#include "rw_messages.h"\nint at[RW_KIND_LOG == 16 ? 1 : -1];\n')
            command = [compiler, "-Wall", "-Wextra", "-Werror", f"-I{LINK}", "-c", source]
            subprocess.run(command, cwd=tmp_path, check=True)


def test_the_page_holds_the_table() -> None:
    assert _PAGE.endswith(f"<!-- of edge/node/link/messages.py -->\n{messages.render_table()}")


def test_the_pages_example_is_the_frame_that_it_describes() -> None:
    (example,) = re.findall(r"```text\n(.*?)\n```", _PAGE, flags=re.DOTALL)
    encoded = bytes.fromhex(example)
    body = cbor.encode({1: 4096})
    assert encoded[-1] == 0
    assert frames.decode(encoded[:-1]) == Frame(kind=7, session=22, peer=11, sequence=1, acknowledged=3, body=body)
    assert messages.decode(Message(7, body)) == ("request_waveform", {"samples": 4096})


def test_the_pages_list_of_nodes_is_read(tmp_path: Path) -> None:
    (listed,) = re.findall(r"```toml\n(.*?)```", _PAGE, flags=re.DOTALL)
    (tmp_path / "nodes.toml").write_text(listed)
    assert read_points(tmp_path / "nodes.toml") == {"0A1B2C": PointId("plant", "pump-1", "drive-end")}


def test_the_page_says_the_links_own_kinds_and_limits() -> None:
    header = (LINK / "rw_link.h").read_text()
    numbers = {name: int(value) for name, value in re.findall(r"#define RW_LINK_(\w+) (\d+)u", header)}
    assert (numbers["ACK"], numbers["SYNC"], numbers["FIRST_KIND"]) == (frames.ACK, frames.SYNC, FIRST_KIND)
    assert (numbers["BODY_BYTES"], numbers["NAME_BYTES"]) == (BODY_BYTES, frames.NAME_BYTES)
    words = " ".join(_PAGE.split())
    assert f"at most {numbers['BODY_BYTES']:,} bytes" in words
    assert f"at most {numbers['PAYLOAD_BYTES']:,} bytes" in words


def test_kinds_and_keys_are_unique_and_in_order() -> None:
    assert [kind.number for kind in KINDS] == list(range(FIRST_KIND, FIRST_KIND + len(KINDS)))
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        keys = [field.key for field in kind.fields]
        assert keys == sorted(set(keys))
        assert len({field.name for field in kind.fields}) == len(keys)


def test_units_and_features_of_the_contract_fit() -> None:
    assert [CODES["unit"][code] for code in range(len(UNITS))] == list(UNITS)
    (features,) = (f for f in messages.kind_named("report").fields if f.name == "features")
    (known,) = (f for f in messages.kind_named("report").fields if f.name == "known")
    assert 4 * len(NODE.features) <= features.most
    assert len(NODE.features) <= 8 * known.most


def _value(field: Field, *, largest: bool = False) -> st.SearchStrategy[bool | int | float | str | bytes]:
    if field.type == "bool":
        return st.booleans()
    if field.type == "float":
        return st.floats(width=32, allow_nan=False, allow_infinity=False)
    if field.type == "text":
        return st.just("x" * field.most) if largest else st.text(max_size=field.most // 4)
    if field.type == "bytes":
        return st.just(b"x" * field.most) if largest else st.binary(max_size=min(field.most, 40))
    return st.just(field.most) if largest else st.integers(0, field.most)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(deadline=None)
@given(data=st.data())
def test_bodies_come_back_by_name(kind: Kind, data: st.DataObject) -> None:
    entries = {
        field.name: data.draw(_value(field)) for field in kind.fields if not field.optional or data.draw(st.booleans())
    }
    message = messages.encode(kind.name, entries)
    assert message.kind == kind.number
    assert messages.decode(message) == (kind.name, entries)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(deadline=None)
@given(data=st.data())
def test_the_largest_body_of_a_kind_fits(kind: Kind, data: st.DataObject) -> None:
    entries = {field.name: data.draw(_value(field, largest=True)) for field in kind.fields}
    assert len(messages.encode(kind.name, entries).body) <= BODY_BYTES


@settings(deadline=None)
@given(
    kind=st.integers(0, 255),
    body=st.one_of(st.binary(max_size=30), st.dictionaries(st.integers(1, 9), st.integers()).map(str).map(str.encode)),
)
def test_any_bytes_are_a_message_or_refused(kind: int, body: bytes) -> None:
    try:
        name, entries = messages.decode(Message(kind, body))
    except ProtocolError:
        return
    assert messages.decode(messages.encode(name, entries)) == (name, entries)


_LOG = {1: 5, 2: 1, 3: "ok"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({1: 5, 2: 1}, "a log without text"),
        ({**_LOG, 2: 256}, "level of a log is 256; 0 to 255 is wanted"),
        ({**_LOG, 2: -1}, "level of a log is -1"),
        ({**_LOG, 2: True}, "level of a log is a bool; uint is wanted"),
        ({**_LOG, 3: b"ok"}, "text of a log is a bytes; text is wanted"),
        ({**_LOG, 3: "ü" * 61}, "text of a log is of 122 bytes; 120 are the most"),
    ],
)
def test_bodies_that_do_not_fit_are_refused(body: dict[int | str, cbor.Value], why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        messages.decode(Message(16, cbor.encode(body)))


def test_unknown_keys_are_passed_over_and_unknown_kinds_refused() -> None:
    assert messages.decode(Message(16, cbor.encode({**_LOG, 99: [1, 2]})))[1]["text"] == "ok"
    with pytest.raises(ProtocolError, match="kind 200, which is unknown"):
        messages.decode(Message(200, b"\xa0"))


@pytest.mark.parametrize(
    ("name", "entries", "why"),
    [
        ("shout", {}, "'shout' is no kind of message"),
        ("update_confirm", {}, "without version"),
        ("update_confirm", {"version": 1, "colour": 2}, "has no colour; version are known"),
        ("update_confirm", {"version": 2**32}, "0 to 4294967295 is wanted"),
    ],
)
def test_entries_that_do_not_fit_are_refused(name: str, entries: dict[str, int], why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        messages.encode(name, entries)
