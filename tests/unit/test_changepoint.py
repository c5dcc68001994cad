"""Change detectors against closed forms, their batch twins and tabled run lengths."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features.changepoint import (
    Changes,
    Cusum,
    CusumConfig,
    PageHinkley,
    PageHinkleyConfig,
    cusum,
    page_hinkley,
)
from features.errors import ParameterError

_FIELDS = ("up", "down", "rose", "fell", "up_for", "down_for")
_CUSUM = CusumConfig(target=0.3, sigma=1.7, slack=0.5, limit=4.0)
_PAGE = PageHinkleyConfig(slack=0.2, limit=4.0, warmup=5)

_series = arrays.arrays(np.float64, st.integers(0, 60), elements=st.floats(-20.0, 20.0))


def _assert_identical(detector: Any, batch: Changes, x: np.ndarray) -> None:
    for i, value in enumerate(x):
        decision = detector.update(value)
        assert tuple(decision) == tuple(getattr(batch, name)[i] for name in _FIELDS), i


@given(_series)
def test_cusum_decides_online_exactly_as_in_batch(x: np.ndarray) -> None:
    _assert_identical(Cusum(_CUSUM), cusum(x, _CUSUM), x)


@given(_series)
def test_page_hinkley_decides_online_exactly_as_in_batch(x: np.ndarray) -> None:
    _assert_identical(PageHinkley(_PAGE), page_hinkley(x, _PAGE), x)


def test_cusum_equals_the_closed_form(rng: np.random.Generator) -> None:
    x = rng.normal(0.5, 2.0, size=(3, 400))
    changes = cusum(x, _CUSUM)
    for sums, sign in ((changes.up, 1.0), (changes.down, -1.0)):
        walk = np.cumsum(sign * (x - 0.3) / 1.7 - 0.5, axis=-1)
        expected = walk - np.minimum(np.minimum.accumulate(walk, axis=-1), 0.0)
        np.testing.assert_allclose(sums, expected, atol=1e-10)


def test_page_hinkley_equals_the_definition_of_page_and_hinkley(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 300)) + np.repeat([0.0, 0.8], 150)
    changes = page_hinkley(x, _PAGE)
    mean = np.cumsum(x, axis=-1) / np.arange(1, 301)
    for sums, sign in ((changes.up, 1.0), (changes.down, -1.0)):
        walk = np.cumsum(sign * (x - mean) - 0.2, axis=-1)
        lowest = np.minimum(np.minimum.accumulate(walk, axis=-1), 0.0)
        np.testing.assert_allclose(sums, walk - lowest, atol=1e-10)


def test_cusum_of_a_textbook_step_counts_by_hand() -> None:
    # z = 2 less k = 0.5 adds 1.5 a step: 1.5, 3.0, 4.5, 6.0 is beyond 5 at the fourth.
    changes = cusum(np.repeat([0.0, 2.0], [10, 4]), CusumConfig(target=0.0, sigma=1.0))
    assert changes.up[10:].tolist() == [1.5, 3.0, 4.5, 6.0]
    assert int(changes.first()) == 13
    assert int(changes.up_for[13]) == 4


@pytest.mark.parametrize(("shift", "field"), [(1.5, "rose"), (-1.5, "fell")])
def test_a_shift_of_the_mean_is_found_on_its_side(rng: np.random.Generator, shift: float, field: str) -> None:
    x = rng.standard_normal(400)
    x[200:] += shift
    for changes in (
        cusum(x, CusumConfig(target=0.0, sigma=1.0, slack=0.5, limit=8.0)),
        page_hinkley(x, PageHinkleyConfig(slack=0.5, limit=10.0)),
    ):
        at = int(changes.first())
        assert 200 <= at < 225
        assert bool(getattr(changes, field)[at])


def test_run_lengths_of_cusum_are_those_of_the_table(rng: np.random.Generator) -> None:
    config = CusumConfig(target=0.0, sigma=1.0, slack=0.5, limit=5.0)
    # In control: 465 (Montgomery, table 9.3), about geometric, so the mean of 1,000 runs deviates by 3 %.
    lengths = np.concatenate([cusum(rng.standard_normal((200, 6000)), config).first() + 1 for _ in range(5)])
    assert (lengths > 0).all()
    assert lengths.mean() == pytest.approx(465.0, rel=0.1)
    # A shift of one sigma: 10.4.
    shifted = cusum(rng.standard_normal((4000, 120)) + 1.0, config).first() + 1
    assert shifted.mean() == pytest.approx(10.4, rel=0.05)


def test_page_hinkley_declares_nothing_while_it_warms_up() -> None:
    x = np.repeat([0.0, 100.0], [2, 10])
    changes = page_hinkley(x, PageHinkleyConfig(slack=0.1, limit=1.0, warmup=8))
    assert int(changes.first()) == 7


@pytest.mark.parametrize(("kind", "config"), [(Cusum, _CUSUM), (PageHinkley, _PAGE)])
def test_a_snapshot_through_json_changes_nothing(rng: np.random.Generator, kind: Any, config: Any) -> None:
    x = rng.standard_normal(100) + np.repeat([0.0, 2.0], 50)
    whole, cut = kind(config), kind(config)
    for i, value in enumerate(x):
        if i % 9 == 0:
            cut = kind.restore(config, json.loads(json.dumps(cut.snapshot(), allow_nan=False)))
        assert cut.update(value) == whole.update(value)
    whole.reset()
    assert whole.snapshot() == kind(config).snapshot()
    with pytest.raises(ParameterError, match="no snapshot of a change detector"):
        kind.restore(config, {"counts": [1], "sums": [0.0, 0.0, 0.0]})
    with pytest.raises(ParameterError, match="no state that a change detector can be in"):
        kind.restore(config, {"counts": [1, 0, 0], "sums": [0.0, math.nan, 0.0]})


def test_an_empty_or_quiet_series_has_no_change() -> None:
    assert cusum(np.zeros((3, 0)), _CUSUM).first().tolist() == [-1, -1, -1]
    assert int(cusum(np.full(50, 0.3), _CUSUM).first()) == -1
    assert int(page_hinkley(np.full(50, 0.3), _PAGE).first()) == -1


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_values_that_are_no_numbers_are_refused(bad: float) -> None:
    for detector in (Cusum(_CUSUM), PageHinkley(_PAGE)):
        before = detector.snapshot()
        with pytest.raises(ParameterError, match="a finite one is wanted"):
            detector.update(bad)
        assert detector.snapshot() == before
    with pytest.raises(ParameterError, match="a series of shape"):
        cusum(np.array([0.0, bad]), _CUSUM)
    with pytest.raises(ParameterError, match="a series of shape"):
        page_hinkley(np.array([0.0, bad]), _PAGE)


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ParameterError, match="sigma > 0"):
        CusumConfig(target=0.0, sigma=0.0)
    with pytest.raises(ParameterError, match="a slack of -1"):
        CusumConfig(target=0.0, sigma=1.0, slack=-1.0)
    with pytest.raises(ParameterError, match="a limit of 0"):
        PageHinkleyConfig(slack=0.1, limit=0.0)
    with pytest.raises(ParameterError, match="a warm-up of 0"):
        PageHinkleyConfig(slack=0.1, limit=1.0, warmup=0)
