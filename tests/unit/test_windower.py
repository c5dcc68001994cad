"""Gaps, steps, lateness and restarts."""

from __future__ import annotations

import pytest
from making import NOW_NS, block

from app.windower import Windower, WindowerConfig
from features.errors import ParameterError

_CONFIG = WindowerConfig(window_samples=2048, overlap=0.5, max_held=2)


@pytest.fixture
def windower() -> Windower:
    return Windower(_CONFIG)


def test_a_missing_block_is_given_up_after_its_time(windower: Windower) -> None:
    assert len(windower.update(block(0))) == 1
    assert windower.update(block(2)) == []
    assert windower.update(block(3)) == []
    windows = windower.update(block(4))
    # From block 2 on, without any window that spans the gap.
    assert [w.start_ns for w in windows] == [block(2).start_ns + i * 80_000_000 for i in range(5)]
    assert windower.tally.gaps == 1


def test_a_late_block_is_counted_and_left_out(windower: Windower) -> None:
    for sequence in (0, 2, 3, 4):
        windower.update(block(sequence))
    assert windower.update(block(1)) == []
    assert windower.tally.late == 1


def test_a_pause_begins_anew_and_is_no_gap(windower: Windower) -> None:
    windower.update(block(0))
    windows = windower.update(block(1, start_ns=NOW_NS + 10**10))
    assert [w.start_ns for w in windows] == [NOW_NS + 10**10]
    assert windower.tally.gaps == windower.tally.steps == 0


def test_a_clock_set_back_is_a_step(windower: Windower) -> None:
    windower.update(block(0))
    windower.update(block(1, start_ns=NOW_NS - 10**10))
    assert windower.tally.steps == 1


def test_a_restarted_sequence_begins_anew(windower: Windower) -> None:
    windower.update(block(100))
    later = block(100).end_ns + 10**9
    windows = windower.update(block(0, start_ns=later))
    assert [w.start_ns for w in windows] == [later]
    assert windower.tally.restarts == 1


def test_jitter_of_time_stamps_is_no_gap(windower: Windower) -> None:
    windower.update(block(0))
    windows = windower.update(block(1, start_ns=block(1).start_ns + 5_000_000))
    assert len(windows) == 2


def test_reset_forgets(windower: Windower) -> None:
    windower.update(block(0, n=2000))
    windower.reset()
    assert windower.update(block(7, n=2000)) == []


def test_impossible_windows_are_refused() -> None:
    with pytest.raises(ParameterError, match="window of 1000 samples"):
        WindowerConfig(window_samples=1000, overlap=0.5)
    with pytest.raises(ParameterError, match=r"overlap of 1\.0"):
        WindowerConfig(window_samples=1024, overlap=1.0)
