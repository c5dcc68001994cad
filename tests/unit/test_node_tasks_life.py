"""The network of remaining life measured on a node: engines in one part each, windows without a later cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.node_tasks import life
from models.node_tasks.life import build_life, life_task, trailing_means
from models.node_tasks.macs import multiply_accumulates

_UNITS, _TESTED = 10, 4


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Ten engines that wear for 150 cycles and four that were cut short, their sensors in whole counts."""
    rng = np.random.default_rng(8)
    columns = np.array(["unit", "cycle", *(f"setting{i}" for i in range(3)), *(f"sensor{i}" for i in range(1, 22))])

    def rows(unit: int, cycles: int) -> np.ndarray:
        cycle = np.arange(1, cycles + 1)
        sensors = 500 + 2 * cycle[:, None] + rng.integers(-20, 20, (cycles, 21))
        sensors[:, [0, 4, 9, 15, 17, 18]] = 500
        return np.column_stack([np.full(cycles, unit), cycle, np.zeros((cycles, 3)), sensors]).astype(np.int32)

    train = np.concatenate([rows(unit, 150) for unit in range(1, _UNITS + 1)])
    test = np.concatenate([rows(unit, 20 + 30 * unit) for unit in range(1, _TESTED + 1)])
    rul = np.array([130, 70, 40, 10])
    np.savez(tmp_path / "FD001.npz", train=train, test=test, rul=rul, scale=1.0, columns=columns)
    return tmp_path


def test_trailing_means_know_no_later_row(rng: np.random.Generator) -> None:
    values = rng.standard_normal((25, 3))
    expected = np.stack([values[max(i - 6, 0) : i + 1].mean(axis=0) for i in range(25)])
    np.testing.assert_allclose(trailing_means(values, of=7), expected, atol=1e-12)


def test_engines_are_in_one_part_and_validation_is_cut_as_the_test_is(pack: Path) -> None:
    made = life_task(pack)
    trained, validated = (set(part.sources.tolist()) for part in (made.training, made.validation))
    assert trained | validated == {f"training unit {n}" for n in range(1, _UNITS + 1)}
    assert not trained & validated
    assert len(validated) == _UNITS // 5
    assert made.training.inputs.shape == (150 * len(trained), 1, 30, 14)
    assert len(made.validation) == 10 * len(validated)
    assert made.test.sources.tolist() == [f"test unit {n}" for n in range(1, _TESTED + 1)]
    # 130 cycles are left of the first: more than the cap.
    np.testing.assert_allclose(made.test.targets[:, 0] * 125.0, [125.0, 70.0, 40.0, 10.0], rtol=1e-6)


def test_the_score_is_in_cycles_within_the_cap(pack: Path) -> None:
    made = life_task(pack)
    assert made.score(made.test.targets, made.test) == pytest.approx(0.0, abs=1e-5)
    far = made.test.targets + np.array([[9.0], [0.08], [0.0], [0.0]])
    assert made.score(far, made.test) == pytest.approx(10.0 / 2.0, rel=1e-5)


def test_a_window_ends_at_its_row(pack: Path) -> None:
    made = life_task(pack)
    first = made.training.inputs[:150, 0]
    np.testing.assert_array_equal(first[100, :-1], first[99, 1:])
    assert float(np.abs(made.training.inputs).max()) <= 5.0
    assert float(made.training.targets.max()) == 1.0
    assert first.shape[1:] == (life.N_CYCLES, life.N_SENSORS)


def test_the_network_is_no_lighter_than_the_peers() -> None:
    model = build_life(0)
    macs = multiply_accumulates(model)
    assert macs == 30 * 42 * 32 + 15 * 96 * 32 + 7 * 96 * 32 + 224 * 24 + 24
    assert macs >= 85_000
    assert model.input_shape == (None, 1, 30, 14)
