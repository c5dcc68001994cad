"""The window refuses what is no measurement."""

from __future__ import annotations

import numpy as np
import pytest

from features.errors import ParameterError
from features.window import Window, cut


def _window(**changes: object) -> Window:
    values: dict[str, object] = {
        "samples": np.zeros((1, 16), dtype=np.float32),
        "rate_hz": 1000.0,
        "unit": "g",
        "start_ns": 5,
        "point": "a/b/c",
    }
    return Window(**(values | changes))  # type: ignore[arg-type]


def test_end_follows_from_rate() -> None:
    assert _window().end_ns == 5 + 16_000_000


def test_samples_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        _window().samples[0, 0] = 1.0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"samples": np.zeros(16)}, "shape"),
        ({"samples": np.array([[1.0, np.nan]])}, "NaN"),
        ({"samples": np.array([[1.0, np.inf]])}, "NaN"),
        ({"rate_hz": 0.0}, "rate of 0.0"),
        ({"rate_hz": float("nan")}, "rate of nan"),
        ({"unit": "volts"}, "unit 'volts'"),
    ],
)
def test_what_is_no_measurement_is_refused(changes: dict[str, object], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        _window(**changes)


def test_large_finite_samples_are_accepted() -> None:
    assert _window(samples=np.full((1, 16), 3e38, dtype=np.float32)).n_samples == 16


def test_windows_are_cut_until_none_fits() -> None:
    x = np.arange(100, dtype=np.float32)
    windows = cut(x, n=32, hop=16)
    np.testing.assert_array_equal(windows, [x[i : i + 32] for i in range(0, 69, 16)])
    assert cut(x, n=100, hop=7).shape == (1, 100)
    with pytest.raises(ParameterError, match="100 samples were to be cut into windows of 101"):
        cut(x, n=101, hop=1)
