"""Where TSFEL defines the same quantity, it gives the same number."""

from __future__ import annotations

import numpy as np
import pytest
import tsfel

from features.contract import BASELINE
from features.extraction import extract

RATE_HZ = 1000.0

_SAME = {
    "mean": tsfel.calc_mean,
    "std": tsfel.calc_std,
    "rms": tsfel.rms,
    "minimum": tsfel.calc_min,
    "maximum": tsfel.calc_max,
    "peak_to_peak": tsfel.pk_pk_distance,
    "skewness": tsfel.skewness,
}


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.gamma(2.0, size=(3, 1024)) - 1.5


def _ours(name: str, x: np.ndarray) -> np.ndarray:
    return extract(x, RATE_HZ, profile=BASELINE, unit="g")[:, BASELINE.index(name)]


@pytest.mark.parametrize("name", _SAME)
def test_ours_is_theirs(name: str, x: np.ndarray) -> None:
    np.testing.assert_allclose(_ours(name, x), [_SAME[name](row) for row in x], rtol=1e-5)


def test_their_kurtosis_is_fishers_and_ours_pearsons(x: np.ndarray) -> None:
    np.testing.assert_allclose(_ours("kurtosis", x), [tsfel.kurtosis(row) + 3.0 for row in x], rtol=1e-5)


def test_they_count_zero_crossings_and_ours_is_a_share(x: np.ndarray) -> None:
    np.testing.assert_allclose(_ours("zero_crossing_rate", x), [tsfel.zero_cross(row) / 1023 for row in x], rtol=1e-5)


def test_the_largest_line_is_theirs(rng: np.random.Generator) -> None:
    x = np.sin(2 * np.pi * 125.0 * np.arange(1024) / RATE_HZ) + 0.1 * rng.standard_normal((2, 1024))
    np.testing.assert_allclose(
        _ours("dominant_frequency", x), [tsfel.fundamental_frequency(row, RATE_HZ) for row in x], rtol=1e-6
    )
