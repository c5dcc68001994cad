"""Faults fainter than those learned from are named by their lines, and the level alone says whether there is one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from features.bearing import bearing_named
from features.errors import ParameterError
from models.bearing.ours import N_SAMPLES, EvidenceClassifier, evidence_and_level, ours
from models.bearing.windows import BearingWindows

_RATE_HZ, _SHAFT_HZ = 12_000.0, 29.0
_BEARING = bearing_named("6205-2RS").orders
_ORDER = {"outer": _BEARING.bpfo, "inner": _BEARING.bpfi}


def _window(rng: np.random.Generator, kind: str, *, size: float) -> NDArray[np.float64]:
    """Noise; of faults louder, with impacts on a resonance of 3 kHz at the order of the race."""
    x = 0.02 * rng.standard_normal(N_SAMPLES)
    if kind == "normal":
        return x
    x *= 4.0
    if kind in _ORDER:
        period = _RATE_HZ / (_ORDER[kind] * _SHAFT_HZ)
        hits = np.arange(rng.uniform(0.0, period), N_SAMPLES, period).astype(int)
        impulses = np.zeros(N_SAMPLES)
        impulses[hits] = size
        t = np.arange(60) / _RATE_HZ
        x += np.convolve(impulses, np.exp(-1500.0 * t) * np.sin(2.0 * np.pi * 3000.0 * t))[:N_SAMPLES]
    return x


def _windows(rng: np.random.Generator, *, size: float) -> tuple[BearingWindows, NDArray[np.str_]]:
    labels = np.repeat(["normal", "inner", "outer", "ball"], 4)
    x = np.stack([_window(rng, str(kind), size=size) for kind in labels]).astype(np.float32)
    return BearingWindows(x, _RATE_HZ, np.full(labels.size, _SHAFT_HZ), _BEARING), labels


def test_faults_of_another_size_are_named(rng: np.random.Generator) -> None:
    train, labels = _windows(rng, size=2.0)
    fainter, truth = _windows(rng, size=0.7)
    system = ours().fit(train, labels, seed=0)
    named = system.predict(fainter)
    assert np.mean(named == truth) > 0.8
    assert (named[truth == "normal"] == "normal").all()


def test_thresholds_lie_between_what_was_seen(rng: np.random.Generator) -> None:
    train, labels = _windows(rng, size=2.0)
    x = evidence_and_level(train)
    learned = EvidenceClassifier().fit(x, labels)
    assert x[labels == "normal", -1].max() < learned.level_db < x[labels != "normal", -1].min()
    assert all(lead_db >= 0.0 for lead_db in learned.leads_db)


def test_louder_races_do_not_move_the_thresholds(rng: np.random.Generator) -> None:
    labels = np.repeat(["normal", "inner", "outer", "ball"], 5)
    x = np.zeros((20, 11))
    x[:, -1] = np.where(labels == "normal", -40.0, -20.0)
    x[:, :2] = rng.uniform(-0.5, 0.5, (20, 2))
    x[labels == "inner", 1] = 5.0
    once = EvidenceClassifier().fit(x, labels)
    x[labels == "inner", 1] = 50.0
    assert EvidenceClassifier().fit(x, labels).leads_db == once.leads_db


def test_level_is_that_of_a_tone_in_the_band() -> None:
    t = np.arange(N_SAMPLES) / _RATE_HZ
    x = np.sin(2.0 * np.pi * np.array([[3000.0], [300.0]]) * t).astype(np.float32)
    level = evidence_and_level(BearingWindows(x, _RATE_HZ, np.full(2, _SHAFT_HZ), _BEARING))[:, -1]
    assert level[0] == pytest.approx(10.0 * np.log10(0.5), abs=0.01)
    assert level[1] < -30.0


def test_nothing_is_learned_without_healthy_windows() -> None:
    with pytest.raises(ParameterError, match="0 of 2 windows are healthy"):
        EvidenceClassifier().fit(np.zeros((2, 11)), np.array(["inner", "outer"]))


def test_short_windows_are_refused() -> None:
    short = BearingWindows(np.ones((1, 1024), np.float32), _RATE_HZ, np.full(1, _SHAFT_HZ), _BEARING)
    with pytest.raises(ParameterError, match="give a longer signal"):
        evidence_and_level(short)
