"""Hysteresis of the alarm."""

from __future__ import annotations

import pytest

from features.errors import ParameterError
from models.alarm import Alarm, AlarmConfig

_CONFIG = AlarmConfig(raise_after=3, clear_after=4, clear_ratio=0.8)


def _run(ratios: list[float]) -> list[str | None]:
    alarm = Alarm()
    changes = []
    for ratio in ratios:
        # A restart between any two windows must change nothing.
        alarm = Alarm.restore(alarm.snapshot())
        changes.append(alarm.update(ratio, config=_CONFIG))
    return changes


def test_single_outliers_raise_nothing() -> None:
    assert _run([2, 2, 0.5, 2, 2, 0.9, 2, 2]) == [None] * 8


def test_it_is_raised_once_and_cleared_well_below() -> None:
    ratios = [1.1, 1.1, 1.1, 5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.7, 0.7, 0.7, 0.7]
    changes = _run(ratios)
    assert changes.index("raised") == 2
    assert changes.index("cleared") == len(ratios) - 1
    assert len([c for c in changes if c]) == 2


def test_exactly_on_the_threshold_is_not_above() -> None:
    assert _run([1.0] * 5) == [None] * 5


@pytest.mark.parametrize("values", [(0, 1, 0.5), (1, 0, 0.5), (1, 1, 0.0), (1, 1, 1.5)])
def test_impossible_configurations_are_refused(values: tuple[int, int, float]) -> None:
    with pytest.raises(ParameterError, match="cannot be met"):
        AlarmConfig(*values)
