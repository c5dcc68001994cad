"""The convolutional network measured on a node: damaged bearings in one part each, and no level or filter to hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from node_tasks_making import cwru_pack

from features.errors import ParameterError
from models.datasets.cwru import KINDS
from models.node_tasks.convolutional import build_convolutional, convolutional_task
from models.node_tasks.macs import multiply_accumulates


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return cwru_pack(tmp_path)


@pytest.mark.parametrize(
    ("tested", "validated", "learned"), [(0.007, 0.014, 0.021), (0.014, 0.021, 0.007), (0.021, 0.007, 0.014)]
)
def test_a_size_and_a_healthy_run_are_in_one_part(tested: float, validated: float, learned: float, pack: Path) -> None:
    task = convolutional_task(pack, tested_in=tested, snr_db=20.0)
    for part, sizes, loads in (
        (task.training, (learned, 0.028), (0, 1)),
        (task.validation, (validated,), (2,)),
        (task.test, (tested,), (3,)),
    ):
        damaged = {f"{kind} {size:.3f}" for kind in KINDS[1:] for size in sizes}
        assert set(part.sources.tolist()) == damaged | {f"normal_L{load}" for load in loads}
        assert part.targets.tolist() == [int(not source.startswith("normal")) for source in part.sources]


def test_windows_say_nothing_of_level_or_of_what_lies_above_the_common_band(pack: Path) -> None:
    inputs = convolutional_task(pack, snr_db=60.0).test.inputs
    assert inputs.shape[1:] == (1, 1024, 1)
    np.testing.assert_allclose(inputs.std(axis=2), 1.0, rtol=1e-4)
    np.testing.assert_allclose(inputs.mean(axis=2), 0.0, atol=1e-5)
    power = (np.abs(np.fft.rfft(inputs[:, 0, :, 0] * np.hanning(1024))) ** 2).mean(axis=0)
    above, below = power[1024 * 5600 // 12_000 :].mean(), power[10 : 1024 * 4500 // 12_000].mean()
    assert above < 1e-4 * below


def test_noise_is_as_strong_as_stated(pack: Path) -> None:
    clean, noisy = (convolutional_task(pack, snr_db=snr_db).test.inputs for snr_db in (200.0, -10.0))
    # Signal and noise of powers 1 and 10 correlate with the signal as 1 to the root of 11.
    correlation = (clean * noisy).mean(axis=2)
    assert float(correlation.mean()) == pytest.approx(11**-0.5, abs=0.02)


def test_other_sizes_are_refused(pack: Path) -> None:
    with pytest.raises(ParameterError, match=r"faults of 0\.028 in were to be tested"):
        convolutional_task(pack, tested_in=0.028)


def test_the_convolutions_are_as_large_as_the_peers() -> None:
    model = build_convolutional(0)
    dense = 64 * 10
    assert multiply_accumulates(model) - dense == 425_984 == 128 * 64 * 16 + 64 * 48 * 32 + 32 * 96 * 64
    assert model.output_shape == (None, 10)


def test_the_score_weighs_healthy_and_damaged_alike(pack: Path) -> None:
    task = convolutional_task(pack)
    probabilities = np.zeros((len(task.test), 10))
    probabilities[:, 1] = 1.0
    assert task.score(probabilities, task.test) == 0.5
    healthy = np.flatnonzero(task.test.targets == 0)
    probabilities[healthy[: len(healthy) // 2], 0] = 2.0
    assert task.score(probabilities, task.test) == pytest.approx(0.5 + 0.5 * (len(healthy) // 2) / len(healthy))
