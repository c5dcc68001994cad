"""Payloads that are no payload, generated; each with the topic it comes on."""

from __future__ import annotations

from typing import Any

import cbor2
from hypothesis import strategies as st
from making import NOW_NS, block

from app.codec import encode_block

GOOD_TOPIC = "raceway/v1/site/broken/point/waveform"

_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)

# One wrong value in an otherwise good message; every line is wrong whatever is drawn.
_WRONG: dict[str, st.SearchStrategy[Any]] = {
    "v": st.integers(2, 99) | st.text(max_size=5) | st.none(),
    "seq": st.integers(max_value=-1) | st.text(max_size=5) | st.floats() | st.none(),
    "start": st.integers(max_value=-1) | st.text(max_size=5) | st.integers(0, NOW_NS // 2),
    "rate": st.sampled_from([0, -1.0, 1e12, float("nan"), float("inf"), None, "x", 0.001]),
    "unit": st.text(max_size=4).filter(lambda unit: unit not in ("g",)).filter(lambda u: u not in ("m/s2", "mm/s")),
    "channels": st.none() | st.just([]) | st.just(["a", "a"]) | st.just(["a\nb"]) | st.integers(),
    "type": st.none() | st.integers() | st.text(max_size=3).filter(lambda t: t not in ("i2", "i4", "f4")),
    "scale": st.sampled_from([0, -1.0, float("nan"), float("inf"), 1e300, None, "x"]),
    "data": st.none() | st.integers() | st.binary(max_size=63).filter(lambda d: len(d) % 2 == 1 or len(d) < 4),
    "rpm": st.sampled_from([-1, float("nan"), float("inf"), "x", 1e9]),
}


def _mutated(which: str) -> st.SearchStrategy[bytes]:
    good = cbor2.loads(encode_block(block(n=64)))
    return _WRONG[which].map(lambda wrong: cbor2.dumps(good | {which: wrong}))


_good = encode_block(block(n=64))

malformed_payloads: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=200),
    st.integers(0, len(_good) - 1).map(lambda cut: _good[:cut]),
    st.binary(min_size=1, max_size=20).map(lambda more: _good + more),
    _anything.map(cbor2.dumps),
    st.text(max_size=60).map(str.encode),
    st.sampled_from(sorted(_WRONG)).flatmap(_mutated),
)
