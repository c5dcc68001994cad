"""The bench of features measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

from app import bench_features as bench
from features.contract import FULL


def test_the_figures_are_ratios_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second at each look: every run takes one, whatever the machine does."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(bench.time, "perf_counter", lambda: float(next(ticks)))
    monkeypatch.setattr(bench, "N_WINDOWS", 16)
    monkeypatch.setattr(bench, "_ROUNDS", 2)
    monkeypatch.setattr(bench, "_TSFEL_WINDOWS", 2)
    shown: list[int] = []
    figures = bench.bench_features(progress=shown.append)
    assert shown == [50, 100]
    assert figures["n_features"] == len(FULL.features) >= 60
    assert figures["cost_over_rfft"] == pytest.approx(1.0)
    assert figures["windows_per_s"] == pytest.approx(16.0)
    assert figures["speedup_over_tsfel"] == pytest.approx(16 / 2)
    assert figures["n_features_tsfel"] > 100


def test_what_is_measured_is_vibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "N_WINDOWS", 4)
    x = bench._windows()
    assert x.shape == (4, bench.N_SAMPLES)
    assert x.dtype == np.float32
    table = bench._extraction(x, FULL)()
    assert np.isfinite(table).all()
    assert (table[:, FULL.index("order_1")] > 0.0).all()
