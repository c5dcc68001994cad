"""Noise has the power asked for, and systems refuse what does not belong together."""

from __future__ import annotations

import numpy as np
import pytest

from features.bearing import bearing_named
from features.errors import ParameterError
from models.bearing.classical import classical
from models.bearing.windows import BearingWindows, with_noise

_ORDERS = bearing_named("6205-2RS").orders


@pytest.mark.parametrize("snr_db", [-4.0, 10.0])
def test_noise_has_the_power_asked_for_in_each_window(rng: np.random.Generator, snr_db: float) -> None:
    x = (rng.standard_normal((2, 50_000)) * [[1.0], [100.0]]).astype(np.float32)
    noise = with_noise(x, snr_db=snr_db, rng=rng) - x
    assert 10.0 * np.log10(x.var(axis=-1) / noise.var(axis=-1)) == pytest.approx([snr_db, snr_db], abs=0.15)
    assert abs(np.corrcoef(noise[0], x[0])[0, 1]) < 0.02


def test_an_offset_gets_no_noise(rng: np.random.Generator) -> None:
    assert (with_noise(np.full((1, 8), 3.0, np.float32), snr_db=0.0, rng=rng) == 3.0).all()


def test_each_window_needs_a_speed() -> None:
    with pytest.raises(ParameterError, match=r"\(windows,\) are wanted"):
        BearingWindows(np.zeros((2, 128), np.float32), 12_000.0, np.ones(3), _ORDERS)


def test_each_window_needs_a_label() -> None:
    with pytest.raises(ParameterError, match="2 windows were given with 1 labels"):
        classical()[0].fit_measured(np.zeros((2, 3)), np.array(["normal"]), seed=0)


def test_a_system_that_has_not_learned_names_nothing() -> None:
    with pytest.raises(ParameterError, match="Li 2000 was asked before it had learned"):
        classical()[0].predict_measured(np.zeros((2, 3)))
