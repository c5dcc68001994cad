"""Gearbox states from inputs without a time axis: what a rate and a gain may not say, and loads kept apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import ParameterError
from models import gear_state
from models.datasets.gearbox import LOADS, STATES, GearboxRecord
from models.gear_state import RATE_FREE, SYSTEMS, GearSystem, gear_windows, gearbox_states, rate_free_features


def _record(state: str, load: int) -> GearboxRecord:
    rng = np.random.default_rng(LOADS.index(load) + 100 * STATES.index(state))
    turned = 0.03 * np.arange(16_384) * (1.0 - 0.0005 * load)
    mesh = np.sin(2 * np.pi * turned) * (1.0 + 0.01 * load)
    once = np.maximum(np.cos(2 * np.pi * turned / 18.0), 0.0) ** 40 if state == "broken_tooth" else 0.0
    x = mesh * (1.0 + 3.0 * once) + 0.3 * rng.standard_normal((4, turned.size))
    return GearboxRecord(state, load, x.astype(np.float32))


def _silent(done: int, total: int) -> None:
    del done, total


@pytest.mark.parametrize("level_free", [False, True])
def test_features_are_those_of_each_sensor(level_free: bool) -> None:
    samples = _record("healthy", 30).samples
    found = rate_free_features(samples, level_free=level_free)
    assert found.shape == (7, 4 * len(RATE_FREE.features))
    alone = rate_free_features(samples[2:3], level_free=level_free)
    np.testing.assert_allclose(
        found[:, 2 * len(RATE_FREE.features) :][:, : alone.shape[1]], alone, rtol=1e-4, atol=1e-6
    )


def test_shapes_do_not_hear_a_gain_and_levels_do() -> None:
    samples = _record("healthy", 30).samples
    shapes = [rate_free_features(gain * samples, level_free=True) for gain in (1.0, 7.0)]
    np.testing.assert_allclose(shapes[1], shapes[0], rtol=2e-3, atol=1e-4)
    rms = RATE_FREE.index("rms")
    levels = [rate_free_features(gain * samples, level_free=False)[:, rms] for gain in (1.0, 7.0)]
    np.testing.assert_allclose(levels[1], 7.0 * levels[0], rtol=1e-5)


def test_nothing_rests_on_a_rate() -> None:
    assert {feature.unit for feature in RATE_FREE.features} == {"x", "1", "Hz"}
    assert not RATE_FREE.needs


def test_chen_sees_each_sensor_as_a_plane_without_its_gain() -> None:
    samples = _record("healthy", 30).samples
    front = SYSTEMS["Chen 2015"].front
    shapes = [front(gear_windows(gain * samples, level_free=True)) for gain in (1.0, 7.0)]
    assert shapes[0].shape == (7, 16, 16, 4)
    np.testing.assert_allclose(shapes[1], shapes[0], rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(shapes[0][:, 0, 0], 1.0, rtol=1e-5)
    alone = front(gear_windows(samples[2:3], level_free=True))
    np.testing.assert_allclose(shapes[0][..., 2:3], alone, rtol=1e-4, atol=1e-6)


def test_every_system_beats_chance_on_generated_gears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gear_state, "gearbox_record", lambda _, *, state, load_percent: _record(state, load_percent))
    monkeypatch.setattr(gear_state, "PROTOCOLS", {"one load out": ((20,),)})
    shown: list[tuple[int, int]] = []
    found = gearbox_states(Path(), seeds=[1], progress=lambda done, total: shown.append((done, total)))
    assert len(found["rows"]) == 2 * len(SYSTEMS)
    assert shown[-1] == (2 * len(SYSTEMS), 2 * len(SYSTEMS))
    for row in found["rows"]:
        assert row["mean"] > 0.8, row
        assert row["least"] <= row["mean"]
        assert row["spread"] is None


def test_figures_are_over_folds_and_seeds() -> None:
    """Two seeds of two folds."""
    assert gear_state._summary(np.array([[1.0, 0.5], [0.9, 0.6]])) == {
        "mean": pytest.approx(0.75),
        "spread": pytest.approx(0.0),
        "least": pytest.approx(0.55),
    }


def test_tested_loads_are_never_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that carry their load as a feature; a system that notes what it saw."""
    measured = {(state, load): np.full((2, 1), load, np.float32) for state in STATES for load in LOADS}
    seen: list[tuple[set[float], set[float]]] = []

    class Noting:
        def fit(self, x: np.ndarray, labels: np.ndarray) -> Noting:
            self.learned, self.labels = set(x[:, 0].tolist()), labels
            return self

        def predict(self, x: np.ndarray) -> np.ndarray:
            seen.append((self.learned, set(x[:, 0].tolist())))
            return np.full(len(x), "healthy")

    monkeypatch.setitem(gear_state.SYSTEMS, "noting", GearSystem(lambda x: x, lambda _: Noting()))
    for folds in gear_state.PROTOCOLS.values():
        for tested in folds:
            # One state is always named: half of both is right.
            assert gear_state._accuracy(measured, "noting", tested, 1) == 0.5
            learned, judged = seen[-1]
            assert judged == set(map(float, tested))
            assert learned == set(map(float, LOADS)) - judged


def test_unknown_systems_are_refused() -> None:
    with pytest.raises(ParameterError, match="systems oracle were asked for; known are ours, ridge"):
        gearbox_states(Path(), seeds=[1], progress=_silent, systems=["oracle"])
