"""What features share, against closed forms of sines and slow obvious twins."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from features.bearing import FaultOrders, bearing_named
from features.contract import FULL
from features.extraction import extract
from features.packets import packet_energies, packet_entropy
from features.velocity import STANDARD_GRAVITY

RATE_HZ, N = 12_800.0, 4096
T = np.arange(N) / RATE_HZ
ORDERS = bearing_named("6205-2RS").orders


def read(x: np.ndarray, *names: str, rate_hz: float = RATE_HZ, unit: str = "g", shaft_hz: float = 50.0) -> np.ndarray:
    table = extract(np.atleast_2d(x), rate_hz, profile=FULL, unit=unit, shaft_hz=shaft_hz, bearing=ORDERS)
    return table[..., [FULL.index(name) for name in names]].astype(np.float64)


@pytest.fixture
def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((3, N))


def test_one_g_at_a_thousand_radians_is_nine_point_eight_millimetres_a_second() -> None:
    """Closed form: peak velocity of a sine is its acceleration over its angular frequency."""
    hz = 50 * RATE_HZ / N
    velocity, slow, displacement = read(
        np.sin(2 * np.pi * hz * T), "velocity_rms", "velocity_rms_slow", "displacement_rms"
    )[0]
    omega = 2 * np.pi * hz
    assert velocity == pytest.approx(1e3 * STANDARD_GRAVITY / omega / np.sqrt(2), rel=1e-3)
    assert slow == pytest.approx(velocity, rel=1e-6)
    assert displacement == pytest.approx(1e6 * STANDARD_GRAVITY / omega**2 / np.sqrt(2), rel=3e-3)


def test_units_of_velocity_agree() -> None:
    x = np.sin(2 * np.pi * 100.0 * T)
    in_g, in_si, taken = (
        read(x * gain, "velocity_rms", unit=unit)[0, 0] for gain, unit in ((1, "g"), (9.80665, "m/s2"), (1, "mm/s"))
    )
    assert in_g == pytest.approx(in_si, rel=1e-5)
    assert taken == pytest.approx(1 / np.sqrt(2), rel=1e-3)


def test_two_hertz_is_velocity_for_slow_machines_only() -> None:
    rate_hz = 1024.0
    x = np.sin(2 * np.pi * 4.0 * np.arange(N) / rate_hz)
    fast, slow = read(x, "velocity_rms", "velocity_rms_slow", rate_hz=rate_hz, shaft_hz=4.0)[0]
    assert fast < 1e-3 * slow
    assert slow == pytest.approx(1e3 * STANDARD_GRAVITY / (2 * np.pi * 4.0) / np.sqrt(2), rel=5e-3)


def test_windows_that_hold_no_band_have_no_velocity() -> None:
    found = read(np.sin(T), "velocity_rms", "velocity_rms_slow", "displacement_rms", rate_hz=10.0, shaft_hz=1.0)
    assert ((found > 0.0) == [False, True, True]).all()
    assert (read(np.sin(T), "velocity_rms_slow", "displacement_rms", rate_hz=3.0, shaft_hz=1.0) == 0.0).all()


@pytest.mark.parametrize("shaft_hz", [50.0, 51.7, 99.1])
def test_order_amplitudes_are_those_of_the_sines(shaft_hz: float) -> None:
    wanted = {"order_half": 0.05, "order_1": 0.5, "order_2": 0.3, "order_3": 0.2, "order_4": 0.1}
    x = sum(
        a * np.cos(2 * np.pi * k * shaft_hz * T + k) for k, a in zip((0.5, 1, 2, 3, 4), wanted.values(), strict=True)
    )
    found = read(x + 0.7 * np.sin(2 * np.pi * 11.3 * shaft_hz * T), *wanted, shaft_hz=shaft_hz)[0]
    np.testing.assert_allclose(found, list(wanted.values()), rtol=0.03)
    (synchronous,) = read(x, "synchronous_rms", shaft_hz=shaft_hz)[0]
    assert synchronous == pytest.approx(np.sqrt(sum(a * a for a in list(wanted.values())[1:]) / 2), rel=0.02)


def test_orders_that_the_window_does_not_part_are_zero(noise: np.ndarray) -> None:
    """4096 samples at 12.8 kHz hold 4 revolutions at 12.5 Hz and 8 at 25 Hz."""
    names = ("order_half", "order_1", "synchronous_rms")
    assert (read(noise, *names, shaft_hz=12.4) == 0.0).all()
    assert ((read(noise, *names, shaft_hz=12.5) == 0.0) == [True, False, False]).all()
    assert (read(noise, *names, shaft_hz=25.0) > 0.0).all()


def test_the_spectral_shape_is_its_definition(noise: np.ndarray) -> None:
    f, power = scipy.signal.periodogram(noise, RATE_HZ, detrend="constant")
    f, power = f[1:], power[:, 1:]
    # Half of the power at Nyquist stands for its mirror image: neither SciPy nor ours doubles it.
    total = power.sum(axis=-1)
    found = read(noise, "rms_frequency", "roll_off", "dominant_frequency", "dominant_share", "spectral_entropy")
    np.testing.assert_allclose(found[:, 0], np.sqrt((power * f**2).sum(axis=-1) / total), rtol=1e-5)
    slow = [f[np.flatnonzero(np.cumsum(row) >= 0.95 * row.sum())[0]] for row in power]
    np.testing.assert_allclose(found[:, 1], slow, rtol=1e-6)
    np.testing.assert_allclose(found[:, 2], f[power.argmax(axis=-1)], rtol=1e-6)
    np.testing.assert_allclose(found[:, 3], power.max(axis=-1) / total, rtol=1e-5)
    entropy = scipy.stats.entropy(power, axis=-1) / np.log(power.shape[-1])
    np.testing.assert_allclose(found[:, 4], entropy, rtol=1e-4)


def test_the_envelope_is_that_of_the_hilbert_transform(noise: np.ndarray) -> None:
    """Band above a tenth of Nyquist by zeroed bins, analytic signal by SciPy, at the rate of the samples."""
    spectrum = np.fft.rfft(noise)
    spectrum[:, : int(0.1 * (N // 2))] = 0.0
    squared = np.abs(scipy.signal.hilbert(np.fft.irfft(spectrum, N))) ** 2
    names = ("envelope_rms", "envelope_kurtosis", "envelope_line", "envelope_line_frequency", "envelope_entropy")
    found = read(noise, *names)
    mean = squared.mean(axis=-1)
    np.testing.assert_allclose(found[:, 0], np.sqrt(mean), rtol=1e-3)
    np.testing.assert_allclose(found[:, 1], (squared**2).mean(axis=-1) / mean**2 - 2.0, atol=5e-3)
    lines = np.abs(np.fft.rfft(squared / mean[:, None]))[:, 1 : N // 8 + 1] * 2.0 / N
    np.testing.assert_allclose(found[:, 2], lines.max(axis=-1), rtol=5e-3)
    np.testing.assert_allclose(found[:, 3], (lines.argmax(axis=-1) + 1) * RATE_HZ / N, rtol=1e-6)
    entropy = scipy.stats.entropy(lines**2, axis=-1) / np.log(lines.shape[-1])
    np.testing.assert_allclose(found[:, 4], entropy, rtol=2e-3)
    # The largest value is read on another grid, that of the band.
    np.testing.assert_allclose(
        found[:, 0] * read(noise, "envelope_crest")[:, 0], np.sqrt(squared.max(axis=-1)), rtol=0.1
    )


def test_gaussian_noise_and_a_tone_have_the_envelopes_of_the_textbook(rng: np.random.Generator) -> None:
    gaussian = read(rng.standard_normal((64, N)), "envelope_kurtosis").mean()
    assert gaussian == pytest.approx(0.0, abs=0.03)
    tone = read(np.sin(2 * np.pi * 1000 * RATE_HZ / N * T), "envelope_kurtosis", "envelope_crest", "envelope_line")[0]
    np.testing.assert_allclose(tone, [-1.0, 1.0, 0.0], atol=1e-5)


def test_full_modulation_is_a_line_of_its_depth() -> None:
    """(1 + m cos)**2 over its mean 1 + m**2 / 2: its first line is 2 m over that."""
    m, hz = 0.4, 32 * RATE_HZ / N
    x = (1.0 + m * np.cos(2 * np.pi * hz * T)) * np.cos(2 * np.pi * 1000 * RATE_HZ / N * T)
    depth, at = read(x, "envelope_line", "envelope_line_frequency")[0]
    assert depth == pytest.approx(2 * m / (1 + m * m / 2), rel=1e-3)
    assert at == pytest.approx(hz)


@pytest.mark.parametrize("family", ["bpfo", "bpfi", "bsf", "ftf"])
def test_the_line_of_each_fault_stands_out_for_its_family(family: str, rng: np.random.Generator) -> None:
    orders: FaultOrders = ORDERS
    order = {"bpfo": orders.bpfo, "bpfi": orders.bpfi, "bsf": orders.defect, "ftf": orders.ftf}[family]
    shaft_hz, n = 50.0, 16_384
    t = np.arange(n) / RATE_HZ
    # 1.5 % of slip, and impacts that ring.
    phase = 2 * np.pi * order * 1.015 * shaft_hz * t
    x = np.maximum(np.cos(phase), 0.0) ** 6 * np.sin(2 * np.pi * 3000.0 * t) + 0.1 * rng.standard_normal(n)
    names = ("bpfo_contrast", "bpfi_contrast", "bsf_contrast", "ftf_contrast")
    found = read(x, *names, shaft_hz=shaft_hz)[0]
    assert names[int(found.argmax())] == f"{family}_contrast"
    assert found.max() > 3.0 * np.sort(found)[-2]


def test_fault_contrasts_are_their_definition(noise: np.ndarray) -> None:
    spectrum = np.fft.rfft(noise - noise.mean(axis=-1, keepdims=True))
    spectrum[:, : int(0.1 * (N // 2))] = 0.0
    squared = np.abs(scipy.signal.hilbert(np.fft.irfft(spectrum, N))) ** 2
    lines = np.abs(np.fft.rfft(squared / squared.mean(axis=-1, keepdims=True)))[:, : N // 8 + 1] * 2.0 / N
    shaft_hz = 50.0
    found = read(noise, "bpfo_contrast", "bpfi_contrast", shaft_hz=shaft_hz)
    for j, order in enumerate((ORDERS.bpfo, ORDERS.bpfi)):
        for row, value in zip(lines, found[:, j], strict=True):
            heights = []
            for k in (1, 2, 3):
                place = k * order * shaft_hz * N / RATE_HZ
                reach = max(1.0, 0.02 * place)
                heights.append(row[int(np.ceil(place - reach)) : int(np.floor(place + reach)) + 1].max())
            assert value == pytest.approx(np.mean(heights) / np.median(row[1:]), rel=2e-2)


def test_lines_of_which_the_window_holds_too_few_periods_are_zero(noise: np.ndarray) -> None:
    """At 23 Hz the cage turns 2.9 times in a window, at 24 Hz 3.06 times."""
    assert (read(noise, "ftf_contrast", shaft_hz=23.0) == 0.0).all()
    assert (read(noise, "ftf_contrast", shaft_hz=24.0) > 0.0).all()


def test_packets_are_the_mean_over_all_beginnings_of_the_window(noise: np.ndarray) -> None:
    moved = [
        packet_energies(np.roll(noise - noise.mean(axis=-1, keepdims=True), k, axis=-1), wavelet="db4", level=4)
        for k in range(16)
    ]
    energies = np.mean(moved, axis=0)
    found = read(noise + 3.0, *(f"packet_share_{i:02d}" for i in range(16)), "packet_entropy")
    np.testing.assert_allclose(found[:, :16], energies / energies.sum(axis=-1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(found[:, 16], packet_entropy(energies), rtol=1e-5)


def test_octaves_sum_to_the_variance(noise: np.ndarray) -> None:
    octaves = read(noise, *(f"octave_rms_{i}" for i in range(1, 8)))
    np.testing.assert_allclose(np.sqrt((octaves**2).sum(axis=-1)), noise.std(axis=-1), rtol=1e-5)
