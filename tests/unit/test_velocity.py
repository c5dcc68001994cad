"""Velocity and displacement against closed forms of sines, Parseval and slow integration."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

from features.errors import ParameterError
from features.spectral import band_rms, bin_power, hann_power
from features.velocity import (
    band_bins,
    displacement_peak_to_peak_um,
    displacement_rms_um,
    displacement_um,
    lowest_hz,
    velocity_mm_s,
    velocity_rms_mm_s,
)

_RATE_HZ = 12_800.0


def _sines(hz: float, n: int, rate_hz: float = _RATE_HZ) -> NDArray[np.float64]:
    """One row for each of eight phases, peak 1."""
    phases = np.arange(8.0)[:, None] * np.pi / 4
    return np.asarray(np.sin(2 * np.pi * hz * np.arange(n) / rate_hz + phases))


def _bin(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return bin_power(scipy.fft.rfft(x), x.shape[-1])


def _hann(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return hann_power(scipy.fft.rfft(x), x.shape[-1])


def test_one_g_at_an_angular_frequency_of_a_thousand() -> None:
    # 159.15 Hz: 9.80665 m/s2 over 1000 / s is 9.80665 mm/s peak, over sqrt(2) 6.9343 RMS; twice 9.80665 um in all.
    rate_hz = 1000.0 / (2 * np.pi) * 50
    x = _sines(1000.0 / (2 * np.pi), 5000, rate_hz)
    band = {"n": 5000, "unit": "g", "low_hz": 10.0}
    assert velocity_rms_mm_s(_bin(x), rate_hz, **band) == pytest.approx(9.80665 / np.sqrt(2), rel=1e-9)
    assert displacement_rms_um(_bin(x), rate_hz, **band) == pytest.approx(9.80665 / np.sqrt(2), rel=1e-9)
    pp = displacement_peak_to_peak_um(x, rate_hz, unit="g", low_hz=10.0)
    np.testing.assert_allclose(pp, 2 * 9.80665, rtol=0.005)


def test_units_and_orders_of_integration_agree() -> None:
    x = _sines(80.0, 12_800)
    acceleration = {"n": 12_800, "low_hz": 10.0}
    in_g = velocity_rms_mm_s(_bin(x / 9.80665), _RATE_HZ, unit="g", **acceleration)
    in_si = velocity_rms_mm_s(_bin(x), _RATE_HZ, unit="m/s2", **acceleration)
    np.testing.assert_allclose(in_g, in_si, rtol=1e-12)
    np.testing.assert_allclose(in_si, 1e3 / (2 * np.pi * 80.0) / np.sqrt(2), rtol=1e-9)
    twice = displacement_rms_um(_bin(x), _RATE_HZ, unit="m/s2", **acceleration)
    once = displacement_rms_um(_bin(1e3 / (2 * np.pi * 80.0) * x), _RATE_HZ, unit="mm/s", **acceleration)
    np.testing.assert_allclose(once, twice, rtol=1e-9)
    np.testing.assert_allclose(twice, 1e6 / (2 * np.pi * 80.0) ** 2 / np.sqrt(2), rtol=1e-9)


def test_band_edges_belong_to_the_band() -> None:
    x = sum(_sines(hz, 12_800)[0] * 2 * np.pi * hz for hz in (9.0, 10.0, 1000.0, 1001.0))
    # Each sine is 1000 mm/s peak; those on the edges count, those one bin beyond do not.
    given = {"n": 12_800, "unit": "m/s2"}
    inside = velocity_rms_mm_s(_bin(x), _RATE_HZ, low_hz=10.0, **given)
    assert inside == pytest.approx(1000.0, rel=1e-9)
    assert velocity_rms_mm_s(_bin(x), _RATE_HZ, low_hz=9.0, high_hz=1001.0, **given) == pytest.approx(
        1000.0 * np.sqrt(2.0), rel=1e-9
    )


@pytest.mark.parametrize("rate_hz", [12_800.0, 12_000.0, 25_600.0, 20_480.0, 8192.0, 51_200.0 / 3])
@pytest.mark.parametrize("n", [4096, 4097, 12_000, 20_480])
def test_bins_of_a_band_are_those_whose_frequency_is_in_it(rate_hz: float, n: int) -> None:
    first, after = band_bins(rate_hz, n, 10.0, 1000.0)
    f = np.arange(n // 2 + 1) * rate_hz / n
    np.testing.assert_array_equal(np.flatnonzero((f > 10.0 - 1e-6) & (f < 1000.0 + 1e-6)), np.arange(first, after))


def test_rms_is_the_sum_over_bins(rng: np.random.Generator) -> None:
    power = rng.exponential(size=(3, 5, 1025)).astype(np.float32)
    ours = velocity_rms_mm_s(power, _RATE_HZ, n=2048, unit="m/s2", low_hz=10.0)
    slow = np.zeros((3, 5))
    for k in range(1025):
        hz = k * 6.25
        if 10.0 <= hz <= 1000.0:
            slow += power[..., k].astype(float) * (1e3 / (2 * np.pi * hz)) ** 2
    np.testing.assert_allclose(ours, np.sqrt(slow), rtol=1e-5)
    assert ours.dtype == np.float32


def test_velocity_of_velocity_is_the_band_rms_of_its_bins() -> None:
    velocity = _sines(120.0, 12_800)
    np.testing.assert_allclose(
        band_rms(_bin(velocity), np.array(band_bins(_RATE_HZ, 12_800, 10.0, 1000.0)))[..., 0], np.sqrt(0.5), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("least_bin", "velocity", "displacement"), [(4, 0.035, 0.13), (8, 0.008, 0.028), (16, 0.002, 0.007)]
)
def test_under_a_hann_window_sines_between_bins_stay_in_the_stated_bounds(
    least_bin: int, velocity: float, displacement: float
) -> None:
    n, df = 2048, 6.25
    for offset in np.linspace(0.0, 1.0, 9):
        hz = (least_bin + offset) * df
        power = _hann(_sines(hz, n))
        v = velocity_rms_mm_s(power, _RATE_HZ, n=n, unit="m/s2", low_hz=10.0)
        d = displacement_rms_um(power, _RATE_HZ, n=n, unit="m/s2", low_hz=10.0)
        np.testing.assert_allclose(v, 1e3 / (2 * np.pi * hz) / np.sqrt(2), rtol=velocity)
        np.testing.assert_allclose(d, 1e6 / (2 * np.pi * hz) ** 2 / np.sqrt(2), rtol=displacement)


def test_sway_below_the_band_leaks_without_a_window_and_not_with_one() -> None:
    t = np.arange(12_800) / _RATE_HZ
    x = 0.1 * np.sin(2 * np.pi * 50 * t) + np.sin(2 * np.pi * 1.3 * t + 0.5)
    true = 0.1 * 9806.65 / (2 * np.pi * 50) / np.sqrt(2)
    given = {"n": 12_800, "unit": "g", "low_hz": 10.0}
    assert velocity_rms_mm_s(_hann(x), _RATE_HZ, **given) == pytest.approx(true, rel=1e-3)
    assert velocity_rms_mm_s(_bin(x), _RATE_HZ, **given) == pytest.approx(2.87, abs=0.01)


def test_time_signals_are_the_integrals_of_sines_between_the_fades() -> None:
    n, cut = 12_800, 1280
    t = np.arange(n) / _RATE_HZ
    hz = 47.3
    x = 9.80665 * np.sin(2 * np.pi * hz * t + 0.4) + 3.0 + 5.0 * t
    omega = 2 * np.pi * hz
    v = velocity_mm_s(x, _RATE_HZ, unit="m/s2", low_hz=10.0)
    d = displacement_um(x, _RATE_HZ, unit="m/s2", low_hz=10.0)
    middle = slice(cut, -cut)
    wanted_v = -9806.65 / omega * np.cos(omega * t + 0.4)
    wanted_d = -9.80665e6 / omega**2 * np.sin(omega * t + 0.4)
    np.testing.assert_allclose(v[middle], wanted_v[middle], atol=0.005 * 9806.65 / omega)
    np.testing.assert_allclose(d[middle], wanted_d[middle], atol=0.015 * 9.80665e6 / omega**2)
    again = displacement_um(wanted_v, _RATE_HZ, unit="mm/s", low_hz=10.0)
    np.testing.assert_allclose(again[middle], wanted_d[middle], atol=0.01 * 9.80665e6 / omega**2)


def test_time_signal_and_spectrum_give_one_rms(rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 51_200)).astype(np.float32)
    v = velocity_mm_s(x, _RATE_HZ, unit="g", low_hz=10.0)
    assert v.dtype == np.float32
    middle = np.sqrt((v[:, 1280:-1280].astype(float) ** 2).mean())
    rms = velocity_rms_mm_s(_hann(x), _RATE_HZ, n=51_200, unit="g", low_hz=10.0)
    assert np.sqrt((rms**2).mean()) == pytest.approx(middle, rel=0.15)


@pytest.mark.parametrize(("hz", "within"), [(12.0, 0.15), (25.0, 0.025), (47.3, 0.01), (50.0, 0.005), (500.0, 0.001)])
def test_peak_to_peak_of_sines_on_a_drift(hz: float, within: float) -> None:
    x = _sines(hz, 6400) + 3.0 + np.linspace(0.0, 5.0, 6400)
    pp = displacement_peak_to_peak_um(x, _RATE_HZ, unit="m/s2", low_hz=10.0)
    np.testing.assert_allclose(pp, 2e6 / (2 * np.pi * hz) ** 2, rtol=within)


def test_a_straight_line_has_no_velocity() -> None:
    x = np.stack([3.0 + 5.0 * np.arange(6400.0), np.full(6400, -2.0)])
    assert np.abs(velocity_mm_s(x, _RATE_HZ, unit="m/s2", low_hz=10.0)).max() < 1e-6


def test_silence_has_no_velocity() -> None:
    assert not velocity_rms_mm_s(np.zeros((2, 1025)), _RATE_HZ, n=2048, unit="g", low_hz=10.0).any()
    assert not velocity_mm_s(np.zeros((2, 4096)), _RATE_HZ, unit="g", low_hz=10.0).any()


def test_slow_machines_are_judged_from_two_hertz() -> None:
    assert [lowest_hz(rpm / 60.0) for rpm in (120.0, 599.0, 600.0, 3000.0)] == [2.0, 2.0, 10.0, 10.0]
    with pytest.raises(ParameterError, match=r"machine at 0\.0 Hz"):
        lowest_hz(0.0)


def test_samples_of_velocity_are_taken_as_they_are(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 4096))
    ours = velocity_rms_mm_s(bin_power(np.fft.rfft(x), 4096), _RATE_HZ, n=4096, unit="mm/s", low_hz=10.0)
    spectrum = np.fft.fft(x)
    frequency = np.abs(np.fft.fftfreq(4096, 1.0 / _RATE_HZ))
    spectrum[:, (frequency < 10.0) | (frequency > 1000.0)] = 0.0
    np.testing.assert_allclose(ours, np.sqrt(np.mean(np.fft.ifft(spectrum).real ** 2, axis=-1)), rtol=1e-10)
    tone = np.sin(2 * np.pi * 100.0 * np.arange(4096) / _RATE_HZ)
    limited = velocity_mm_s(tone, _RATE_HZ, unit="mm/s", low_hz=10.0)
    np.testing.assert_allclose(limited[1300:-1300], tone[1300:-1300], atol=0.01)


def test_unknown_units_are_refused() -> None:
    with pytest.raises(ParameterError, match="displacement was asked of samples in 'um'"):
        displacement_rms_um(np.ones(1025), _RATE_HZ, n=2048, unit="um", low_hz=10.0)
    with pytest.raises(ParameterError, match="velocity was asked of samples in 'in/s'"):
        velocity_rms_mm_s(np.ones(1025), _RATE_HZ, n=2048, unit="in/s", low_hz=10.0)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"low_hz": 10.0, "high_hz": 7000.0}, r"<= 6400 Hz is wanted"),
        ({"low_hz": 0.0}, "0 < low"),
        ({"low_hz": 2000.0}, "0 < low < high"),
        ({"low_hz": 2.0}, r"shorter than one period of 2\.0 Hz; give at least 6400"),
        ({"low_hz": 7.0, "high_hz": 8.0}, r"no bin of 6\.25 Hz"),
    ],
)
def test_impossible_bands_are_refused(given: dict[str, float], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        velocity_rms_mm_s(np.ones(1025), _RATE_HZ, n=2048, unit="g", **given)


def test_spectra_of_another_length_and_windows_all_fade_are_refused() -> None:
    with pytest.raises(ParameterError, match="1025 bins was given as that of 4096 samples"):
        velocity_rms_mm_s(np.ones(1025), _RATE_HZ, n=4096, unit="g", low_hz=10.0)
    with pytest.raises(ParameterError, match=r"shorter than three periods .* at least 3840"):
        velocity_mm_s(np.ones(2048), _RATE_HZ, unit="g", low_hz=10.0)
    with pytest.raises(ParameterError, match=r"rate of 0\.0 Hz"):
        band_bins(0.0, 2048, 10.0, 1000.0)
