"""Laws that every analysis on demand obeys, made from their list."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from features.analyses import ANALYSES, Analysis
from features.bearing import bearing_named
from features.errors import ParameterError
from features.measurement import TEETH, Measurement

RATE_HZ, N, SHAFT_HZ = 12_800.0, 8192, 40.0
ORDERS = bearing_named("6205-2RS").orders

each_analysis = pytest.mark.parametrize("analysis", ANALYSES, ids=lambda analysis: analysis.name)


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    """A gearbox with unbalance, an outer-race fault and noise."""
    turned = SHAFT_HZ * np.arange(N) / RATE_HZ
    mesh = (1.0 + 0.3 * np.cos(2 * np.pi * turned)) * np.sin(2 * np.pi * TEETH * turned)
    impacts = np.maximum(np.cos(2 * np.pi * ORDERS.bpfo * turned), 0.0) ** 8
    noise = 0.1 * rng.standard_normal((4, N))
    return 0.3 * np.sin(2 * np.pi * turned) + 0.2 * mesh + impacts * rng.standard_normal((4, N)) + noise + 0.02


def _of(x: np.ndarray) -> Measurement:
    return Measurement(x, RATE_HZ, "g", SHAFT_HZ, ORDERS)


@each_analysis
def test_a_gain_does_what_the_entry_says(analysis: Analysis, x: np.ndarray) -> None:
    before, after = analysis.apply(_of(x)), analysis.apply(_of(4.0 * x))
    assert np.isfinite(before).all()
    if analysis.growth is None:
        assert not np.allclose(after, before, rtol=1e-3, atol=1e-12)
    else:
        scale = np.abs(before).max() * 4.0**analysis.growth
        np.testing.assert_allclose(after, before * 4.0**analysis.growth, rtol=1e-7, atol=1e-9 * scale)


@each_analysis
def test_a_batch_is_its_windows(analysis: Analysis, x: np.ndarray) -> None:
    batch = analysis.apply(_of(x.reshape(2, 2, -1)))
    assert batch.shape[:2] == (2, 2)
    single = [analysis.apply(_of(row)) for row in x]
    np.testing.assert_allclose(batch.reshape(4, -1), np.reshape(single, (4, -1)), rtol=1e-7, atol=1e-12)


@each_analysis
@pytest.mark.parametrize("level", [0.0, 0.1, -3.7])
def test_a_constant_is_defined(analysis: Analysis, level: float) -> None:
    assert np.isfinite(analysis.apply(_of(np.full((2, N), level)))).all()


@each_analysis
def test_clipped_samples_are_defined(analysis: Analysis, x: np.ndarray) -> None:
    assert np.isfinite(analysis.apply(_of(np.clip(x, -0.1, 0.1)))).all()


@each_analysis
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_measurement_is_refused(analysis: Analysis, x: np.ndarray, bad: float) -> None:
    x[2, 7] = bad
    with pytest.raises(ParameterError):
        analysis.apply(_of(x))


@each_analysis
@pytest.mark.parametrize("n", [1, 3])
def test_a_sample_or_three_are_defined_or_refused(analysis: Analysis, n: int) -> None:
    with contextlib.suppress(ParameterError):
        assert np.isfinite(analysis.apply(_of(np.full((2, n), 0.5)))).all()


@each_analysis
def test_single_precision_is_near_double(analysis: Analysis, x: np.ndarray) -> None:
    single = x.astype(np.float32)
    wanted, found = analysis.apply(_of(single.astype(np.float64))), analysis.apply(_of(single))
    near = np.abs(found - wanted) <= 1e-3 * np.maximum(np.abs(wanted), np.abs(wanted).max(axis=-1, keepdims=True))
    assert near.mean() > 0.99


@each_analysis
def test_entries_are_complete(analysis: Analysis) -> None:
    assert len(analysis.definition) > 5
    assert len(analysis.source) > 5
    module, _, name = analysis.path.partition("s.")
    assert module == "feature"
    assert name


def test_names_are_unique() -> None:
    assert len({analysis.name for analysis in ANALYSES}) == len(ANALYSES)
    assert replace(ANALYSES[0], name="other") != ANALYSES[0]
