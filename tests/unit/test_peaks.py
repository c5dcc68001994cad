"""Lines between bins against sines of known frequency, the parabola and the modulation identity."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from features.errors import ParameterError
from features.peaks import harmonics, peaks, sidebands
from features.spectral import amplitude_spectrum

_N = 4096
_T = np.arange(_N) / _N


def _sine(hz: float, amplitude: float = 1.0, phase: float = 0.3) -> NDArray[np.float64]:
    return np.asarray(amplitude * np.sin(2 * np.pi * hz * _T + phase))


def _spectrum(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.floating]]:
    return amplitude_spectrum(x, float(_N))


@pytest.mark.parametrize("offset", np.linspace(-0.5, 0.5, 21))
def test_a_sine_between_bins_is_read_within_its_bound(offset: float) -> None:
    x = np.stack([_sine(20.0 + offset, 2.0, phase) for phase in np.linspace(0.0, np.pi, 7)])
    hz, amplitude = peaks(*_spectrum(x), count=1)
    np.testing.assert_allclose(hz[:, 0], 20.0 + offset, atol=2e-6)
    np.testing.assert_allclose(amplitude[:, 0], 2.0, rtol=2e-5)


def test_low_sines_are_read_within_their_bound() -> None:
    for hz in np.linspace(4.5, 5.5, 11):
        found, amplitude = peaks(*_spectrum(np.stack([_sine(hz, 1.0, p) for p in (0.0, 0.8, 1.6, 2.4)])), count=1)
        np.testing.assert_allclose(found[:, 0], hz, atol=3e-4)
        np.testing.assert_allclose(amplitude[:, 0], 1.0, rtol=1e-3)


def test_the_parabola_on_logarithms_agrees_within_its_own_error() -> None:
    f, a = _spectrum(_sine(333.25))
    k = int(a.argmax())
    before, middle, after = np.log(a[k - 1 : k + 2])
    parabola = f[k] + 0.5 * (before - after) / (before - 2 * middle + after)
    assert peaks(f, a, count=1)[0][0] == pytest.approx(parabola, abs=0.017)


def test_peaks_fall_in_amplitude_and_fewer_are_filled_with_zero() -> None:
    x = np.stack([_sine(100.4, 0.5) + _sine(700.1, 2.0) + _sine(1500.0, 1.0), np.zeros(_N)])
    hz, amplitude = peaks(*_spectrum(x), count=3)
    np.testing.assert_allclose(hz, [[700.1, 1500.0, 100.4], [0.0, 0.0, 0.0]], atol=1e-3)
    np.testing.assert_allclose(amplitude, [[2.0, 1.0, 0.5], [0.0, 0.0, 0.0]], rtol=1e-3)
    hz, amplitude = peaks(np.arange(5.0), np.array([0.0, 1.0, 0.0, 0.0, 0.0]), count=6)
    assert hz.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert amplitude.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_harmonics_are_found_off_their_nominal_place() -> None:
    x = _sine(50.3, 1.0) + _sine(100.6, 0.5) + _sine(150.9, 0.25)
    hz, amplitude = harmonics(*_spectrum(x), fundamental_hz=50.0, count=4, tolerance=0.02)
    np.testing.assert_allclose(hz[:3], [50.3, 100.6, 150.9], atol=1e-3)
    np.testing.assert_allclose(amplitude[:3], [1.0, 0.5, 0.25], rtol=1e-3)
    assert amplitude[3] < 1e-4


def test_harmonics_of_a_batch_take_one_speed_each_and_agree_with_one_by_one(rng: np.random.Generator) -> None:
    speeds = np.array([[31.0, 47.5], [29.2, 60.0]])
    x = rng.standard_normal((2, 2, _N))
    f, a = _spectrum(x)
    hz, amplitude = harmonics(f, a, fundamental_hz=speeds, count=5, tolerance=0.03)
    for i in np.ndindex(2, 2):
        alone_hz, alone = harmonics(f, a[i], fundamental_hz=speeds[i], count=5, tolerance=0.03)
        np.testing.assert_allclose(hz[i], alone_hz)
        np.testing.assert_allclose(amplitude[i], alone)
        for k in range(5):
            nominal = (k + 1) * speeds[i]
            reach = max(0.03 * nominal, 1.0)
            near = (f >= nominal - reach) & (f <= nominal + reach)
            assert alone[k] >= a[i][near].max() * (1 - 1e-12)
            assert abs(alone_hz[k] - f[near][a[i][near].argmax()]) <= 0.5


def test_harmonics_beyond_the_spectrum_are_zero() -> None:
    hz, amplitude = harmonics(*_spectrum(_sine(900.0)), fundamental_hz=900.0, count=3)
    assert hz[2] == 2700.0
    assert amplitude[2] == 0.0
    assert amplitude[0] == pytest.approx(1.0, rel=1e-3)


def test_the_skirt_of_a_stronger_line_is_no_line_of_its_own() -> None:
    f, a = _spectrum(_sine(98.7))
    # Bins 101 to 103 are searched; the largest rises on towards 99, so that nothing is interpolated there.
    hz, amplitude = harmonics(f, a, fundamental_hz=102.0, count=1, tolerance=0.0)
    assert (hz[0], amplitude[0]) == (101.0, a[101])


def test_the_reach_ends_halfway_to_the_next_harmonic() -> None:
    # A tenth of 200 Hz would reach the line at 214 Hz, which is nearer to 220 than to 200.
    x = _sine(214.0, 5.0) + _sine(200.0, 0.1)
    _, amplitude = harmonics(*_spectrum(x), fundamental_hz=20.0, count=10, tolerance=0.1)
    assert amplitude[9] == pytest.approx(0.1, rel=1e-2)


def test_sidebands_of_a_modulation_are_half_its_depth() -> None:
    depth = np.array([0.2, 0.6])
    x = (1.0 + depth[:, None] * np.cos(2 * np.pi * 29.7 * _T)) * np.sin(2 * np.pi * 1000.4 * _T)
    hz, amplitude = sidebands(*_spectrum(x), carrier_hz=1000.0, modulation_hz=29.7, count=2, reach_hz=1.0)
    assert hz.shape == (2, 2, 2)
    np.testing.assert_allclose(hz[:, 0], np.broadcast_to([1000.4 - 29.7, 1000.4 + 29.7], (2, 2)), atol=1e-2)
    np.testing.assert_allclose(amplitude[:, 0], np.stack([depth / 2, depth / 2], axis=-1), rtol=1e-3)
    assert (amplitude[:, 1] < 1e-3).all()


def test_sidebands_below_dc_are_zero_and_carriers_may_differ() -> None:
    x = np.stack([_sine(50.0), _sine(150.0)])
    hz, amplitude = sidebands(*_spectrum(x), carrier_hz=[100.0, 200.0], modulation_hz=[50.0, 50.0], count=3)
    np.testing.assert_allclose(amplitude[:, 0, 0], 1.0, rtol=1e-3)
    np.testing.assert_allclose(hz[0, :, 0], [50.0, 0.0, -50.0], atol=1e-3)
    assert amplitude[0, 1:, 0].tolist() == [0.0, 0.0]


def test_lines_too_close_and_impossible_questions_are_refused() -> None:
    f, a = _spectrum(_sine(50.0))
    with pytest.raises(ParameterError, match=r"fundamental of 3\.9 Hz .* from 4 Hz"):
        harmonics(f, a, fundamental_hz=3.9, count=2)
    with pytest.raises(ParameterError, match="modulation of nan Hz"):
        sidebands(f, a, carrier_hz=100.0, modulation_hz=np.nan, count=1)
    with pytest.raises(ParameterError, match=r"carrier of -1\.0 Hz"):
        sidebands(f, a, carrier_hz=-1.0, modulation_hz=10.0, count=1)
    with pytest.raises(ParameterError, match="within -1"):
        sidebands(f, a, carrier_hz=100.0, modulation_hz=10.0, count=1, reach_hz=-1.0)
    with pytest.raises(ParameterError, match=r"within 0\.6"):
        harmonics(f, a, fundamental_hz=50.0, count=1, tolerance=0.6)
    with pytest.raises(ParameterError, match="0 harmonics"):
        harmonics(f, a, fundamental_hz=50.0, count=0)
    with pytest.raises(ParameterError, match="0 peaks"):
        peaks(f, a, count=0)
    with pytest.raises(ParameterError, match=r"shape \(4,\) came with frequencies of shape \(5,\)"):
        peaks(np.arange(5.0), np.ones(4), count=1)
