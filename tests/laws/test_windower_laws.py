"""The windower equals cutting the whole signal, however the signal comes in pieces."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from making import NOW_NS, RATE_HZ, block

from app.windower import Windower, WindowerConfig
from app.wire import Block
from features.window import Window

_CONFIG = WindowerConfig(window_samples=128, overlap=0.5, max_held=4)


def _blocks(sizes: list[int]) -> tuple[list[Block], np.ndarray]:
    signal = np.arange(sum(sizes), dtype=np.int32)[None, :]
    blocks, first = [], 0
    for sequence, size in enumerate(sizes):
        samples = signal[:, first : first + size]
        start_ns = NOW_NS + round(first * 1e9 / RATE_HZ)
        blocks.append(block(sequence, samples=samples, start_ns=start_ns, scale=1.0))
        first += size
    return blocks, signal


def _cut(signal: np.ndarray) -> list[np.ndarray]:
    return [signal[:, a : a + 128] for a in range(0, signal.shape[1] - 127, 64)]


def _same(windows: list[Window], expected: list[np.ndarray]) -> bool:
    return len(windows) == len(expected) and all(
        np.array_equal(w.samples, e) for w, e in zip(windows, expected, strict=True)
    )


sizes_of_blocks = st.lists(st.integers(2, 300), min_size=1, max_size=12)


@given(sizes=sizes_of_blocks)
def test_windows_do_not_depend_on_the_blocks(sizes: list[int]) -> None:
    blocks, signal = _blocks(sizes)
    windower = Windower(_CONFIG)
    windows = [window for one in blocks for window in windower.update(one)]
    assert _same(windows, _cut(signal))
    for i, window in enumerate(windows):
        assert abs(window.start_ns - NOW_NS - i * 64 * 1e9 / RATE_HZ) <= 2


@given(sizes=sizes_of_blocks, data=st.data())
def test_a_snapshot_at_any_step_changes_nothing(sizes: list[int], data: st.DataObject) -> None:
    blocks, signal = _blocks(sizes)
    at = data.draw(st.integers(0, len(blocks)))
    windower, windows = Windower(_CONFIG), []
    for i, one in enumerate(blocks):
        if i == at:
            windower = Windower.restore(_CONFIG, windower.snapshot())
        windows += windower.update(one)
    assert _same(windows, _cut(signal))


@given(sizes=st.lists(st.integers(20, 200), min_size=5, max_size=9), data=st.data())
def test_blocks_out_of_order_within_reach_change_nothing(sizes: list[int], data: st.DataObject) -> None:
    blocks, signal = _blocks(sizes)
    # Everything after the first may come in any order that leaves at most four waiting.
    rest = data.draw(st.permutations(blocks[1:5])) + blocks[5:]
    windower = Windower(_CONFIG)
    windows = windower.update(blocks[0])
    for one in rest:
        windower = Windower.restore(_CONFIG, windower.snapshot())
        windows += windower.update(one)
    assert _same(windows, _cut(signal))
    assert windower.tally.gaps == 0
