"""The service's forecast over known lives: bearings that fail at one level are foreseen, sudden ends are not."""

from __future__ import annotations

import numpy as np
import pytest

from features.errors import ParameterError
from models.life.bearing_history import INDICATORS, BearingHistory
from models.life.bearing_passage import femto_passage, part_levels


def _bearing(name: str, *, life_s: float, begin: float, to: float, seed: int) -> BearingHistory:
    """Grows by a steady factor from a share of its life on, to a level at its end."""
    age_s = np.arange(10.0, life_s + 1.0, 10.0)
    grown = np.maximum(age_s / life_s - begin, 0.0) / (1.0 - begin)
    indicators = np.zeros((age_s.size, len(INDICATORS)))
    rng = np.random.default_rng(seed)
    indicators[:, INDICATORS.index("rms")] = np.log(to) * grown + 0.02 * rng.standard_normal(age_s.size)
    return BearingHistory(name, age_s, indicators, float(age_s[-1]))


def _silent(done: int, total: int) -> None:
    del done, total


def test_steady_growth_to_a_level_that_others_failed_at_is_foreseen() -> None:
    lives = [_bearing(f"b{i}", life_s=10_000.0 + 2000.0 * i, begin=0.4, to=8.0, seed=i) for i in range(5)]
    rows = femto_passage(lives, progress=_silent)["rows"]
    assert [row["bearing"] for row in rows] == ["b0", "b1", "b2", "b3", "b4"]
    for row in rows:
        assert row["said"] >= 8
        assert row["error_percent"] < 25.0
        assert row["late"] <= 2


def test_of_a_sudden_end_nothing_is_said() -> None:
    lives = [_bearing(f"b{i}", life_s=10_000.0, begin=0.999, to=8.0, seed=i) for i in range(4)]
    for row in femto_passage(lives, progress=_silent)["rows"]:
        assert (row["said"], row["covered"], row["error_percent"]) == (0, None, None)


def test_parts_are_medians_up_to_now() -> None:
    ages, levels = part_levels(np.array([1.0, 2.0, 3.0, 60.0]), np.array([1.0, 5.0, 3.0, 7.0]))
    assert ages.tolist() == [1.0, 2.0, 3.0, 60.0]
    assert levels.tolist() == [1.0, 5.0, 3.0, 7.0]


def test_too_few_bearings_are_refused() -> None:
    with pytest.raises(ParameterError, match="more than 3 are wanted"):
        femto_passage([_bearing(f"b{i}", life_s=5000.0, begin=0.5, to=8.0, seed=i) for i in range(3)], progress=_silent)
