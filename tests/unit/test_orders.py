"""Angular resampling against closed forms of ramps, order lines against loops, guessed speeds against records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import ParameterError
from features.orders import (
    AngleSignal,
    order_amplitudes,
    order_amplitudes_from_spectrum,
    order_spectrum,
    phase_from_pulses,
    phase_from_speed,
    resample_angle,
    tacho_pulses,
)
from features.spectral import amplitude_spectrum
from features.speed import CLEAR, SpeedEstimate, estimate_shaft_hz
from models.datasets.cwru import records

_RATE_HZ = 10_000.0
_T = np.arange(60_000) / _RATE_HZ
_SPAN_S = float(_T[-1])


def _turned(low_hz: float, high_hz: float) -> np.ndarray:
    """Revolutions at each sample of a straight ramp."""
    return low_hz * _T + 0.5 * (high_hz - low_hz) * _T**2 / _SPAN_S


_SPEEDS = [(25.0, 25.0), (20.0, 40.0), (33.3, 12.0)]


def test_pulses_of_a_sine_tacho_stand_where_it_crosses() -> None:
    turned = _turned(20.0, 40.0)
    pulses = tacho_pulses(np.sin(2 * np.pi * turned), _RATE_HZ, threshold=0.0, hysteresis=0.5)
    expected = np.interp(np.arange(1, pulses.size + 1), turned, _T)
    np.testing.assert_allclose(pulses, expected, atol=1e-7)


def test_hysteresis_keeps_noise_from_counting_twice(rng: np.random.Generator) -> None:
    tacho = np.sin(2 * np.pi * _turned(25.0, 25.0)) + 0.1 * rng.standard_normal(_T.size)
    # 150 turns, of which the first begins above the level that arms it.
    assert tacho_pulses(tacho, _RATE_HZ, threshold=0.2, hysteresis=0.0).size > 200
    assert tacho_pulses(tacho, _RATE_HZ, threshold=0.2, hysteresis=1.0).size == 149


def test_a_tacho_is_armed_only_below_its_hysteresis() -> None:
    tacho = np.array([2.0, 0.8, 2.0, 0.4, 0.8, 2.0, 0.6, 2.0])
    # 0.8 and 0.6 do not arm, 0.4 does; what the first sample rose from was not seen.
    assert tacho_pulses(tacho, 1.0, threshold=1.0, hysteresis=0.5).tolist() == pytest.approx([4.0 + 0.2 / 1.2])
    assert tacho_pulses(np.ones(5), 1.0, threshold=1.0, hysteresis=0.5).size == 0


@pytest.mark.parametrize("pulses_per_rev", [1, 4, 60])
def test_phase_of_pulses_is_exact_under_constant_acceleration(pulses_per_rev: int) -> None:
    turned = _turned(20.0, 40.0)
    marks = np.arange(int(turned[-1]) * pulses_per_rev) / pulses_per_rev
    slope = 20.0 / _SPAN_S
    times = (-20.0 + np.sqrt(400.0 + 2.0 * slope * marks)) / slope
    phase = phase_from_pulses(times, pulses_per_rev=pulses_per_rev)
    inside = _T[phase.end_s > _T]
    np.testing.assert_allclose(phase.revolutions(inside), turned[: inside.size], atol=1e-8)
    np.testing.assert_allclose(phase.shaft_hz(inside), 20.0 + slope * inside, rtol=1e-8)
    np.testing.assert_allclose(phase.times_s(phase.revolutions(inside)), inside, atol=1e-10)


def test_phase_of_ragged_pulses_never_turns_back(rng: np.random.Generator) -> None:
    # An interval of half, then of one and a half: a cubic spline overshoots there.
    times = np.cumsum(rng.choice([0.06, 0.1], size=200))
    phase = phase_from_pulses(times, pulses_per_rev=1)
    assert (phase.shaft_hz(np.linspace(phase.start_s, phase.end_s, 5000)) >= 0.0).all()
    np.testing.assert_allclose(phase.revolutions(times), np.arange(200), atol=1e-9)
    wanted = np.linspace(0.0, 199.0, 977)
    np.testing.assert_allclose(phase.revolutions(phase.times_s(wanted)), wanted, atol=1e-9)


@pytest.mark.parametrize(("low_hz", "high_hz"), _SPEEDS)
@pytest.mark.parametrize("samples_per_rev", [32, 64, 256])
def test_one_g_of_an_order_reads_one_g(low_hz: float, high_hz: float, samples_per_rev: int) -> None:
    turned = _turned(low_hz, high_hz)
    x = np.cos(4 * np.pi * turned + 0.3) + 0.5 * np.cos(2 * np.pi * 7.0 * turned) + 3.0
    pulses = tacho_pulses(np.cos(2 * np.pi * turned), _RATE_HZ, threshold=0.3, hysteresis=0.5)
    profile = phase_from_speed(np.array([0.0, _SPAN_S]), np.array([low_hz, high_hz]))
    for phase in (phase_from_pulses(pulses, pulses_per_rev=1), profile):
        signal = resample_angle(x, _RATE_HZ, phase=phase, samples_per_rev=samples_per_rev)
        assert signal.samples.size == signal.n_revolutions * samples_per_rev
        np.testing.assert_allclose(order_amplitudes(signal, np.array([2.0, 7.0])), [1.0, 0.5], rtol=2e-4)
        orders, amplitudes = order_spectrum(signal)
        assert orders[1:][amplitudes[1:].argmax()] == 2.0
        assert amplitudes[1:].max() == pytest.approx(1.0, rel=2e-4)


def test_samples_stand_at_their_angles() -> None:
    turned = _turned(20.0, 40.0)
    profile = phase_from_speed(np.array([0.0, _SPAN_S]), np.array([20.0, 40.0]))
    signal = resample_angle(np.sin(2 * np.pi * turned), _RATE_HZ, phase=profile, samples_per_rev=512)
    expected = np.sin(2 * np.pi * np.arange(signal.samples.size) / 512)
    np.testing.assert_allclose(signal.samples[512:-512], expected[512:-512], atol=2e-4)


@pytest.mark.parametrize("samples_per_rev", [16, 32, 64])
def test_nothing_folds_back_below_half_of_the_samples_per_revolution(samples_per_rev: int) -> None:
    # 2,600 to 4,000 Hz is order 65 and more at all speeds: beyond half of the samples, so it must be gone.
    x = sum(np.cos(2 * np.pi * hz * _T) for hz in (2600.0, 3111.0, 4000.0))
    profile = phase_from_speed(np.array([0.0, _SPAN_S]), np.array([20.0, 40.0]))
    signal = resample_angle(x, _RATE_HZ, phase=profile, samples_per_rev=samples_per_rev)
    # The mirrored ends are left out.
    assert np.abs(signal.samples[64:-64]).max() < 1e-3
    # Without the guard it would fold at nearly its full height.
    naive = np.interp(profile.times_s(np.arange(100 * samples_per_rev) / samples_per_rev), _T, x)
    assert np.abs(naive).max() > 1.0


def test_orders_up_to_three_eighths_of_the_samples_are_flat() -> None:
    turned = _turned(20.0, 40.0)
    x = np.stack([np.cos(2 * np.pi * order * turned) for order in (1.0, 6.0, 11.5)])
    profile = phase_from_speed(np.array([0.0, _SPAN_S]), np.array([20.0, 40.0]))
    signal = resample_angle(x, _RATE_HZ, phase=profile, samples_per_rev=32)
    read = order_amplitudes(signal, np.array([1.0, 6.0, 11.5]))
    np.testing.assert_allclose(np.diag(read), 1.0, rtol=1e-3)


def test_batches_are_resampled_like_their_rows(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4000)).astype(np.float32)
    profile = phase_from_speed(np.array([-1.0, 9.0]), np.array([18.0, 30.0]))
    signal = resample_angle(x, 2000.0, phase=profile, samples_per_rev=48, start_s=0.5)
    row = resample_angle(x[1, 2], 2000.0, phase=profile, samples_per_rev=48, start_s=0.5)
    np.testing.assert_allclose(signal.samples[1, 2], row.samples, atol=1e-12)


def test_order_amplitudes_equal_the_spectrum_on_its_bins(rng: np.random.Generator) -> None:
    signal = AngleSignal(rng.standard_normal((3, 20 * 32)), 32)
    orders, amplitudes = order_spectrum(signal)
    np.testing.assert_allclose(order_amplitudes(signal, orders[1:-1]), amplitudes[:, 1:-1], atol=1e-6)
    with pytest.raises(ParameterError, match="0 < order < half"):
        order_amplitudes(signal, np.array([16.0]))


def test_broken_pulse_trains_are_refused() -> None:
    times = np.arange(40) / 25.0
    with pytest.raises(ParameterError, match="3 pulses at 1 a revolution"):
        phase_from_pulses(times[:3], pulses_per_rev=1)
    with pytest.raises(ParameterError, match="40 pulses at 60 a revolution"):
        phase_from_pulses(times, pulses_per_rev=60)
    with pytest.raises(ParameterError, match="pulse times do not rise"):
        phase_from_pulses(np.r_[times[:10], times[8:]], pulses_per_rev=1)
    with pytest.raises(ParameterError, match=r"missing or doubled after 0\.36 s"):
        phase_from_pulses(np.delete(times, 10), pulses_per_rev=1)
    with pytest.raises(ParameterError, match=r"missing or doubled after 0\.4 s"):
        phase_from_pulses(np.insert(times, 11, 0.401), pulses_per_rev=1)


def test_profiles_that_are_none_are_refused() -> None:
    with pytest.raises(ParameterError, match="a speed of 0"):
        phase_from_speed(np.array([0.0, 1.0]), np.array([0.0, 10.0]))
    with pytest.raises(ParameterError, match="profile times do not rise"):
        phase_from_speed(np.array([0.0, 0.0]), np.array([10.0, 10.0]))
    with pytest.raises(ParameterError, match="two of each"):
        phase_from_speed(np.array([0.0]), np.array([10.0]))


def test_signals_that_the_phase_does_not_cover_are_refused() -> None:
    x = np.zeros(10_000)
    profile = phase_from_speed(np.array([0.0, 0.9]), np.array([25.0, 25.0]))
    with pytest.raises(ParameterError, match=r"known from 0 to 0\.9 s of a signal from 0 to 0\.9999 s"):
        resample_angle(x, 10_000.0, phase=profile, samples_per_rev=64)
    pulses = phase_from_pulses(0.01 + np.arange(25) / 25.0, pulses_per_rev=1)
    assert resample_angle(x, 10_000.0, phase=pulses, samples_per_rev=64).n_revolutions == 24
    with pytest.raises(ParameterError, match="give one that covers it"):
        resample_angle(np.zeros(20_000), 10_000.0, phase=pulses, samples_per_rev=64)
    slow = phase_from_speed(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    with pytest.raises(ParameterError, match="no whole revolution"):
        resample_angle(x, 10_000.0, phase=slow, samples_per_rev=64)
    stopping = phase_from_speed(np.array([0.0, 1.0]), np.array([50.0, 0.1]))
    with pytest.raises(ParameterError, match="cut the standstill off"):
        resample_angle(x, 10_000.0, phase=stopping, samples_per_rev=64)
    with pytest.raises(ParameterError, match="finite samples"):
        resample_angle(np.full(10_000, np.nan), 10_000.0, phase=pulses, samples_per_rev=64)


def _nearest_by_loop(amplitude: np.ndarray, bin_hz: float, shaft_hz: np.ndarray, orders: np.ndarray) -> np.ndarray:
    out = np.zeros((len(amplitude), len(orders)))
    frequency = np.arange(amplitude.shape[-1]) * bin_hz
    for i, row in enumerate(amplitude):
        for k, order in enumerate(orders):
            line_hz = order * shaft_hz[i]
            near = np.abs(frequency - line_hz) <= max(bin_hz, 0.01 * line_hz) + 1e-9 * bin_hz
            near[0] = False
            out[i, k] = row[near].max() if line_hz <= frequency[-1] and near.any() else 0.0
    return out


def test_order_lines_of_many_windows_equal_a_loop(rng: np.random.Generator) -> None:
    amplitude = rng.random((64, 400)) + 0.1
    shaft_hz = rng.uniform(0.2, 60.0, size=64)
    shaft_hz[0] = 25.0
    orders = np.array([0.4, 1.0, 2.0, 3.5848, 16.0, 120.0])
    ours = order_amplitudes_from_spectrum(amplitude, 1.25, shaft_hz, orders)
    np.testing.assert_array_equal(ours, _nearest_by_loop(amplitude, 1.25, shaft_hz, orders))
    assert (ours == 0.0).any()
    folded = order_amplitudes_from_spectrum(amplitude.reshape(8, 8, 400), 1.25, shaft_hz.reshape(8, 8), orders)
    np.testing.assert_array_equal(folded.reshape(64, -1), ours)
    one = order_amplitudes_from_spectrum(amplitude[0].astype(np.float32), 1.25, 25.0, orders)
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, ours[0], rtol=1e-6)


def test_order_lines_of_no_windows_are_none() -> None:
    assert order_amplitudes_from_spectrum(np.zeros((0, 50)), 1.0, np.zeros(0), np.array([1.0, 2.0])).shape == (0, 2)


@pytest.mark.parametrize("speed", [0.0, -1.0, np.nan])
def test_order_lines_of_a_shaft_at_rest_are_refused(speed: float) -> None:
    with pytest.raises(ParameterError, match="leave windows at rest out"):
        order_amplitudes_from_spectrum(np.ones((2, 50)), 1.0, np.array([10.0, speed]), np.array([1.0]))


@pytest.mark.parametrize("shaft_hz", [21.37, 24.9, 29.95])
def test_a_guess_finds_harmonics_in_noise(rng: np.random.Generator, shaft_hz: float) -> None:
    t = np.arange(12_000) / 6000.0
    x = sum(a * np.cos(2 * np.pi * k * shaft_hz * t + k) for k, a in ((1, 0.2), (2, 0.4), (3, 0.2), (5, 0.3)))
    _, amplitude = amplitude_spectrum(x + 0.3 * rng.standard_normal(t.size), 6000.0)
    guess = estimate_shaft_hz(amplitude, 0.5, low_hz=20.0, high_hz=34.0)
    assert guess is not None
    assert guess.clear
    assert guess.shaft_hz == pytest.approx(shaft_hz, rel=2e-3)


def test_a_guess_from_noise_is_not_clear(rng: np.random.Generator) -> None:
    clear = 0
    for _ in range(50):
        _, amplitude = amplitude_spectrum(rng.standard_normal(12_000), 6000.0)
        guess = estimate_shaft_hz(amplitude, 0.5, low_hz=20.0, high_hz=34.0)
        assert guess is not None
        clear += guess.clear
    assert clear <= 2


def test_a_guess_from_silence_is_none() -> None:
    assert estimate_shaft_hz(np.zeros(1000), 0.5, low_hz=20.0, high_hz=34.0) is None


def test_a_guess_says_that_it_is_one() -> None:
    guess = SpeedEstimate(shaft_hz=25.0, confidence=CLEAR)
    assert guess.estimated
    assert guess.clear
    assert not SpeedEstimate(shaft_hz=25.0, confidence=0.99 * CLEAR).clear
    with pytest.raises(TypeError, match="estimated"):
        SpeedEstimate(shaft_hz=25.0, confidence=1.0, estimated=False)  # type: ignore[call-arg]


def test_a_guess_beyond_the_spectrum_or_its_resolution_is_refused() -> None:
    for low_hz, high_hz in ((1.0, 30.0), (30.0, 20.0), (20.0, 600.0)):
        with pytest.raises(ParameterError, match="at least 4 bins above 0"):
            estimate_shaft_hz(np.ones(1000), 0.5, low_hz=low_hz, high_hz=high_hz)
    with pytest.raises(ParameterError, match="one of finite lines"):
        estimate_shaft_hz(np.full(1000, np.nan), 0.5, low_hz=20.0, high_hz=30.0)


def test_guesses_on_cwru_are_right_nine_times_in_ten_and_more_where_clear(data_dir: Path) -> None:
    right, clear = [], []
    for record in records(data_dir / "cwru", rate_hz=12_000.0):
        recording = record.read()
        frequencies, amplitude = amplitude_spectrum(recording.samples[0].astype(np.float64), 12_000.0)
        guess = estimate_shaft_hz(amplitude, float(frequencies[1]), low_hz=20.0, high_hz=40.0)
        assert guess is not None
        right.append(abs(guess.shaft_hz * 60.0 / record.rpm - 1.0) < 0.01)
        clear.append(guess.clear)
    assert len(right) == 64
    assert np.mean(right) > 0.9
    assert np.mean(clear) > 0.85
    assert np.mean(np.array(right)[clear]) > 0.97
