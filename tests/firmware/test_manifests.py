"""Manifests and images, honest, random and mutated, in C under sanitisers and in Python: one is refused by both."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from update_driving import KEY, OTHER_KEY, REASON, Node, driver, image

from edge.node.link import cbor
from edge.node.manifest import Manifest, decode_manifest, encode_manifest
from edge.node.package import open_image
from features.errors import ArtifactError, ParameterError

_KEYS = [KEY.public_key(), OTHER_KEY.public_key()]
_BUILDS_ONCE = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver(tmp_path_factory)


def numbers(content: bytes) -> tuple[int, ...]:
    """What the C reader answers for a manifest: 0 where it is refused."""
    try:
        m = decode_manifest(content)
    except ArtifactError:
        return (0,)
    last = m.operators[-1] if m.operators else 0
    counts = (len(m.operators), last, len(m.golden_input), len(m.golden_output), len(m.name.encode()))
    return (1, m.version, m.model_bytes, m.memory_bytes, *counts)


def node_reads(program: Path, contents: list[bytes]) -> list[tuple[int, ...]]:
    node = Node(program)
    for content in contents:
        node.parse(content)
    return [answer for [answer] in node.run()]


_UINT = st.integers(0, 2**32 - 1)
_METRICS = st.dictionaries(st.text(max_size=8), st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=4)
_MANIFESTS = st.builds(
    Manifest,
    version=_UINT,
    contract=st.binary(min_size=8, max_size=8),
    operators=st.sets(_UINT, max_size=32).map(lambda ids: tuple(sorted(ids))),
    model_bytes=st.integers(1, 2**32 - 1),
    digest=st.binary(min_size=64, max_size=64),
    memory_bytes=_UINT,
    golden_input=st.binary(min_size=1, max_size=300),
    golden_output=st.binary(min_size=1, max_size=20),
    name=st.text(min_size=1, max_size=8),
    metrics=_METRICS,
)


@_BUILDS_ONCE
@given(st.lists(_MANIFESTS, min_size=1, max_size=20))
def test_every_manifest_is_read_as_it_was_written(program: Path, manifests: list[Manifest]) -> None:
    contents = [encode_manifest(manifest) for manifest in manifests]
    assert [decode_manifest(content) for content in contents] == manifests
    assert node_reads(program, contents) == [numbers(content) for content in contents]
    assert all(answer[0] == 1 for answer in node_reads(program, contents))


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A manifest with bytes changed, cut out, put in or doubled."""
    content = bytearray(encode_manifest(draw(_MANIFESTS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        match draw(st.integers(0, 3)):
            case 0:
                content[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                del content[at : at + draw(st.integers(1, 9))]
            case 2:
                content[at:at] = draw(st.binary(min_size=1, max_size=9))
            case _:
                content[at:at] = content[at : at + draw(st.integers(1, 40))]
    return bytes(content)


@_BUILDS_ONCE
@given(st.lists(_mutated() | st.binary(max_size=200), min_size=1, max_size=40))
def test_what_is_no_manifest_is_read_by_neither(program: Path, contents: list[bytes]) -> None:
    """Nor is a byte outside touched; what both take, they take alike."""
    assert node_reads(program, contents) == [numbers(content) for content in contents]


_SOUND = cbor.decode(encode_manifest(open_image(image(3), keys=_KEYS).manifest))
assert isinstance(_SOUND, dict)


@pytest.mark.parametrize(
    "changed",
    [
        {1: 2},
        {1: True},
        {2: 2**32},
        {2: -1},
        {3: bytes(7)},
        {3: "12345678"},
        {4: [3, 3]},
        {4: [9, 3]},
        {4: list(range(33))},
        {4: [2**32]},
        {4: {}},
        {5: 0},
        {5: b"\1"},
        {6: bytes(63)},
        {7: 2**40},
        {8: []},
        {8: {"auc": 1}},
        {8: {1: 0.5}},
        {9: b""},
        {10: b""},
        {10: "x"},
        {11: ""},
        {11: "n" * 33},
        {11: "\u00e9" * 17},
        {12: 0},
        {0: 0},
        {"1": 0},
        {9: bytes(20_000)},
    ],
    ids=str,
)
def test_a_field_that_is_not_as_it_must_be_is_refused(program: Path, changed: dict[int | str, cbor.Value]) -> None:
    content = cbor.encode({**_SOUND, **changed})
    with pytest.raises(ArtifactError, match="manifest"):
        decode_manifest(content)
    assert node_reads(program, [content]) == [(0,)]


@pytest.mark.parametrize("key", range(1, 12))
def test_a_field_that_is_missing_is_refused(program: Path, key: int) -> None:
    content = cbor.encode({other: value for other, value in _SOUND.items() if other != key})
    with pytest.raises(ArtifactError, match="keys 1 to 11"):
        decode_manifest(content)
    assert node_reads(program, [content]) == [(0,)]


@pytest.mark.parametrize(
    "changed",
    [
        {"version": -1},
        {"model_bytes": 0},
        {"operators": (2, 1)},
        {"contract": bytes(9)},
        {"golden_output": b""},
        {"name": "n" * 33},
    ],
    ids=str,
)
def test_a_manifest_that_no_node_takes_is_not_made(changed: dict[str, object]) -> None:
    good = vars(open_image(image(3), keys=_KEYS).manifest)
    with pytest.raises(ParameterError, match=r"a manifest's .* wanted|a manifest's model has no bytes"):
        Manifest(**{**good, **changed})  # type: ignore[arg-type]


def node_checks(program: Path, contents: list[bytes]) -> list[int]:
    node = Node(program, keys=(KEY, OTHER_KEY))
    for content in contents:
        node.check(content)
    return [status for [(status,)] in node.run()]


@st.composite
def _touched_images(draw: st.DrawFn) -> bytes:
    """Mutated anywhere, or with a manifest of any bytes under a signature that holds."""
    content = bytearray(image(draw(st.integers(0, 3)), model_bytes=draw(st.integers(1, 40))))
    if draw(st.booleans()):
        manifest = draw(_mutated() | st.binary(min_size=1, max_size=200))
        head = len(manifest).to_bytes(4, "little") + manifest + KEY.sign(manifest)
        return head.ljust(-(-len(head) // 8) * 8, b"\0") + draw(st.binary(max_size=40))
    at = draw(st.integers(0, len(content) - 1))
    if draw(st.booleans()):
        content[at] ^= 1 << draw(st.integers(0, 7))
        return bytes(content)
    return bytes(content[:at])


@settings(_BUILDS_ONCE, max_examples=25)
@given(st.lists(_touched_images(), min_size=1, max_size=10))
def test_an_image_that_was_touched_is_refused_by_both(program: Path, contents: list[bytes]) -> None:
    for content, status in zip(contents, node_checks(program, contents), strict=True):
        with pytest.raises(ArtifactError):
            open_image(content, keys=_KEYS)
        assert status != REASON["OK"]


def test_whole_images_are_taken_by_both(program: Path) -> None:
    contents = [image(version, model_bytes=n, key=key) for version, n, key in ((1, 1, KEY), (2, 999, OTHER_KEY))]
    assert node_checks(program, contents) == [REASON["OK"]] * 2
    assert [len(open_image(content, keys=_KEYS).model) for content in contents] == [1, 999]
    with pytest.raises(ArtifactError, match="none of the keys given has signed"):
        open_image(contents[1], keys=_KEYS[:1])


def test_bytes_between_signature_and_model_are_zero(program: Path) -> None:
    content = next(made for made in (image(v, name="n" * v) for v in range(1, 9)) if _gap(made))
    at = 4 + int.from_bytes(content[:4], "little") + 64
    touched = content[:at] + b"\1" + content[at + 1 :]
    with pytest.raises(ArtifactError, match="between signature and model"):
        open_image(touched, keys=_KEYS)
    assert node_checks(program, [touched]) == [REASON["MANIFEST"]]


def _gap(content: bytes) -> int:
    return -(4 + int.from_bytes(content[:4], "little") + 64) % 8
