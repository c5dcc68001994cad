"""Gear indicators against closed forms and made-up gears whose faults are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from features.errors import ParameterError
from features.gears import (
    QuarticTrend,
    difference_signal,
    fm0,
    fm4,
    mesh_envelope,
    residual_signal,
    sideband_index,
    sideband_level_factor,
    synchronous_average,
)

_N, _TEETH = 1024, 25
_TURN = np.arange(_N) / _N


def _mesh(*, scale: float = 1.0) -> np.ndarray:
    """A mesh with three harmonics, whose amplitudes add up to 1.75 times the scale."""
    return scale * sum(a * np.cos(2 * np.pi * k * _TEETH * _TURN + k) for k, a in ((1, 1.0), (2, 0.5), (3, 0.25)))


def _bump(*, height: float, at: float = 0.4, teeth: float = 1.0) -> np.ndarray:
    """A resonance struck by so many teeth around a place of the turn."""
    return height * np.exp(-(((_TURN - at) * _TEETH / teeth) ** 2)) * np.cos(2 * np.pi * 110.5 * (_TURN - at))


def test_average_of_a_periodic_signal_is_one_period(rng: np.random.Generator) -> None:
    turn = rng.standard_normal((2, 64))
    np.testing.assert_allclose(synchronous_average(np.tile(turn, 7), samples_per_rev=64), turn, rtol=1e-13)


@pytest.mark.parametrize("order", [3.5, 7.25, 10.03])
@pytest.mark.parametrize("n", [8, 50])
def test_average_suppresses_a_foreign_tone_by_the_comb(order: float, n: int) -> None:
    t = np.arange(n * 256) / 256
    left = synchronous_average(np.exp(2j * np.pi * order * t).real, samples_per_rev=256)
    quadrature = synchronous_average(np.exp(2j * np.pi * order * t).imag, samples_per_rev=256)
    comb = abs(np.sin(np.pi * n * order) / (n * np.sin(np.pi * order)))
    np.testing.assert_allclose(np.hypot(left, quadrature), comb, atol=1e-12)


def test_average_suppresses_noise_by_the_root_of_the_revolutions(rng: np.random.Generator) -> None:
    left = synchronous_average(rng.standard_normal((20, 64 * 100)), samples_per_rev=64)
    # 1,280 values of deviation 0.1: theirs is known to 2 %.
    assert left.std() == pytest.approx(0.1, rel=0.08)


@pytest.mark.parametrize("n", [1024, 1023])
def test_residual_and_difference_lose_exactly_their_orders(rng: np.random.Generator, n: int) -> None:
    x = rng.standard_normal((3, n))
    for signal, sidebands in ((residual_signal(x, teeth=25), 0), (difference_signal(x, teeth=25), 1)):
        left = np.abs(np.fft.rfft(signal)) > 1e-9
        order = np.arange(left.shape[-1])
        away = np.abs(order - 25 * np.rint(order / 25))
        np.testing.assert_array_equal(left, np.broadcast_to((away > sidebands) & (order > 2), left.shape))
        # What is taken off is orthogonal to what is left.
        np.testing.assert_allclose((signal * (x - signal)).sum(axis=-1), 0.0, atol=1e-9)


def test_fm0_is_peak_to_peak_over_the_mesh_harmonics() -> None:
    x = _mesh() + 0.3 * np.cos(2 * np.pi * 7 * _TURN)
    assert float(fm0(x, teeth=_TEETH)) == pytest.approx(np.ptp(x) / 1.75, rel=1e-12)


def test_fm0_rises_with_uniform_wear_and_fm4_does_not() -> None:
    # Wear takes energy from the mesh and spreads it over the turn.
    rough = 0.4 * np.cos(2 * np.pi * 60 * _TURN) + 0.3 * np.cos(2 * np.pi * 87 * _TURN + 1.0)
    new, worn = _mesh() + 0.1 * rough, _mesh(scale=0.6) + rough
    assert fm0(worn, teeth=_TEETH) > 1.4 * fm0(new, teeth=_TEETH)
    assert fm4(worn, teeth=_TEETH) == pytest.approx(float(fm4(new, teeth=_TEETH)), rel=1e-9)
    assert fm4(worn, teeth=_TEETH) < 3.0


def test_fm4_rises_with_a_fault_of_one_tooth_and_falls_when_it_spreads(rng: np.random.Generator) -> None:
    sound = _mesh() + 0.02 * rng.standard_normal(_N)
    faults = np.stack([sound, sound + _bump(height=0.2), sound + _bump(height=0.2, teeth=9.0)])
    healthy, local, spread = fm4(faults, teeth=_TEETH)
    assert healthy == pytest.approx(3.0, abs=0.4)
    assert local > 10.0
    assert spread < 0.5 * local


def test_fm4_is_scipys_kurtosis_of_the_difference(rng: np.random.Generator) -> None:
    x = _mesh() + 0.1 * rng.standard_normal((4, _N)) ** 3
    expected = scipy.stats.kurtosis(difference_signal(x, teeth=_TEETH), axis=-1, fisher=False)
    np.testing.assert_allclose(fm4(x, teeth=_TEETH), expected, rtol=1e-10)


@pytest.mark.parametrize("depth", [0.1, 0.6])
def test_sidebands_of_a_modulated_mesh_follow_the_closed_form(depth: float) -> None:
    x = (1.0 + depth * np.cos(2 * np.pi * _TURN)) * np.cos(2 * np.pi * _TEETH * _TURN)
    deviation = np.sqrt(0.5 + depth**2 / 4)
    assert float(sideband_index(x, teeth=_TEETH)) == pytest.approx(depth / 2, rel=1e-12)
    assert float(sideband_level_factor(x, teeth=_TEETH)) == pytest.approx(depth / deviation, rel=1e-12)


def test_mesh_envelope_is_the_modulation(rng: np.random.Generator) -> None:
    modulation = 1.0 + 0.5 * np.cos(2 * np.pi * 2 * _TURN) + 0.2 * np.sin(2 * np.pi * 5 * _TURN)
    x = modulation * np.cos(2 * np.pi * _TEETH * _TURN) + 0.4 * np.cos(2 * np.pi * 60 * _TURN)
    np.testing.assert_allclose(mesh_envelope(x, teeth=_TEETH, sidebands=8), modulation, atol=1e-12)
    noise = rng.standard_normal(_N)
    spectrum = np.fft.rfft(noise)
    spectrum[: _TEETH - 8] = spectrum[_TEETH + 9 :] = 0.0
    expected = np.abs(scipy.signal.hilbert(np.fft.irfft(spectrum)))
    np.testing.assert_allclose(mesh_envelope(noise, teeth=_TEETH, sidebands=8), expected, atol=1e-12)


def test_na4_equals_its_definition_at_every_record(rng: np.random.Generator) -> None:
    records = rng.standard_normal((12, 256)) * np.linspace(1.0, 3.0, 12)[:, None]
    trend = QuarticTrend()
    for m, record in enumerate(records, start=1):
        centred = records[:m] - records[:m].mean(axis=-1, keepdims=True)
        quartic = 256 * (centred[-1] ** 4).sum()
        expected = quartic / ((centred**2).sum(axis=-1).mean()) ** 2
        assert trend.update(record) == pytest.approx(expected, rel=1e-12)
    assert trend.n_records == 12


def test_na4_keeps_growing_where_fm4_falls_back(rng: np.random.Generator) -> None:
    trend = QuarticTrend()
    for _ in range(50):
        healthy = trend.update(residual_signal(_mesh() + 0.02 * rng.standard_normal(_N), teeth=_TEETH))
    local = _mesh() + _bump(height=0.2) + 0.02 * rng.standard_normal(_N)
    spread = _mesh() + sum(_bump(height=0.3, at=k / 12) for k in range(1, 12)) + 0.02 * rng.standard_normal(_N)
    first, later = (trend.update(residual_signal(x, teeth=_TEETH)) for x in (local, spread))
    assert healthy == pytest.approx(3.0, abs=0.5)
    assert later > first > 10.0
    assert fm4(spread, teeth=_TEETH) < fm4(local, teeth=_TEETH)


def test_a_snapshot_of_na4_through_json_changes_nothing(rng: np.random.Generator) -> None:
    records = rng.standard_normal((10, 64))
    whole, cut = QuarticTrend(), QuarticTrend()
    for record in records:
        cut = QuarticTrend.restore(json.loads(json.dumps(cut.snapshot())))
        assert cut.update(record) == whole.update(record)
    whole.reset()
    assert whole.snapshot() == QuarticTrend().snapshot()
    with pytest.raises(ParameterError, match="no snapshot of a quartic trend"):
        QuarticTrend.restore({"records": 1})
    with pytest.raises(ParameterError, match="no state that a quartic trend can be in"):
        QuarticTrend.restore({"records": 1, "mean_variance": float("nan")})


@pytest.mark.parametrize("level", [0.0, 0.1, -3.7])
def test_silence_and_constants_have_defined_values(level: float) -> None:
    still = np.full((2, _N), level)
    assert fm0(still, teeth=_TEETH).tolist() == [0.0, 0.0]
    assert fm4(still, teeth=_TEETH).tolist() == [3.0, 3.0]
    assert sideband_level_factor(still, teeth=_TEETH).tolist() == [0.0, 0.0]
    assert QuarticTrend().update(still[0]) == 3.0


def test_an_average_without_any_mesh_has_no_fm0() -> None:
    assert float(fm0(np.cos(2 * np.pi * 3 * _TURN), teeth=_TEETH)) == 0.0


def test_a_pure_mesh_leaves_no_difference_to_judge() -> None:
    assert float(fm4(_mesh(), teeth=_TEETH)) == 3.0


def test_what_is_not_resolved_is_refused() -> None:
    with pytest.raises(ParameterError, match="100 samples are no whole revolutions of 64"):
        synchronous_average(np.zeros(100), samples_per_rev=64)
    for indicator in (fm0, fm4, residual_signal, difference_signal, sideband_index, sideband_level_factor):
        with pytest.raises(ParameterError, match="31 teeth in an average of 64 samples"):
            indicator(np.zeros(64), teeth=31)
    with pytest.raises(ParameterError, match="3 teeth in an average"):
        fm4(np.zeros(64), teeth=3)
    with pytest.raises(ParameterError, match="20 sidebands of 20 teeth"):
        mesh_envelope(np.zeros(256), teeth=20, sidebands=20)
    trend = QuarticTrend()
    with pytest.raises(ParameterError, match="a finite one of shape"):
        trend.update(np.array([0.0, np.nan]))
    assert trend.n_records == 0
