"""The simulated machine: its lines stand where the physics puts them, healthy is healthy, and blocks join."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from features.bearing import bearing_named
from features.errors import ParameterError
from models.plant import (
    FAULTS,
    KINDS,
    Condition,
    Machine,
    MachineSignal,
    Mode,
    labelled_windows,
    random_bearing,
    random_machine,
)

Samples = NDArray[np.float64]

RATE_HZ = 12_800.0
SHAFT_HZ = 25.0
SEED = 7
MACHINE = Machine(
    name="pump",
    bearing=bearing_named("6205-2RS"),
    shaft_hz=SHAFT_HZ,
    modes=(Mode(2500.0, 0.03, 0.7), Mode(4100.0, 0.03, 0.3)),
    unbalance_g=0.1,
    misalignment_g=0.05,
    slip=0.005,
)
# Nothing sounds but what the test adds.
SILENT = replace(
    MACHINE, unbalance_g=0.0, misalignment_g=0.0, noise_g=0.0, rolling_g=0.0, roughness=0.0, rotating_load=0.0
)


def signal_of(machine: Machine, *, seed: int = SEED, rate_hz: float = RATE_HZ) -> MachineSignal:
    return MachineSignal(machine, rate_hz=rate_hz, rng=np.random.default_rng(seed))


def sound(machine: Machine, condition: Condition, *, seconds: float = 8.0, seed: int = SEED) -> Samples:
    x = signal_of(machine, seed=seed).block(int(seconds * RATE_HZ), condition)[0]
    return x.astype(np.float64)


def amplitude(x: Samples, hz: float, *, rate_hz: float = RATE_HZ, width: float = 0.01) -> float:
    """Amplitude of the line near a frequency: power within 1 % of it, by Parseval (the shaft's speed wanders)."""
    line = np.abs(np.fft.rfftfreq(x.size, 1.0 / rate_hz) - hz) <= width * hz
    power = 2.0 * np.sum(np.abs(np.fft.rfft(x)[line]) ** 2) / x.size**2
    return float(np.sqrt(2.0 * power))


def squared_envelope(x: Samples, *, rate_hz: float = RATE_HZ) -> Samples:
    """Squared magnitude of the analytic signal above 1.5 kHz, by zeroing a spectrum; without its mean."""
    spectrum = np.fft.fft(x)
    hz = np.fft.fftfreq(x.size, 1.0 / rate_hz)
    spectrum[hz < 1500.0] = 0.0
    envelope = np.abs(2.0 * np.fft.ifft(spectrum)) ** 2
    return np.asarray(envelope - envelope.mean())


def contrast(envelope: Samples, hz: float, *, rate_hz: float = RATE_HZ) -> float:
    """Peak of the envelope's spectrum within 2 % of a frequency, over the median from half to twice of it."""
    magnitude = np.abs(np.fft.rfft(envelope * np.hanning(envelope.size)))
    grid = np.fft.rfftfreq(envelope.size, 1.0 / rate_hz)
    line = np.abs(grid - hz) <= max(0.02 * hz, rate_hz / envelope.size)
    around = (grid >= 0.5 * hz) & (grid <= 2.0 * hz)
    return float(magnitude[line].max() / np.median(magnitude[around]))


# --- tones ---


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_unbalance_grows_with_the_square_of_speed(ratio: float) -> None:
    x = sound(replace(SILENT, unbalance_g=0.1), Condition(SHAFT_HZ * ratio))
    assert amplitude(x, SHAFT_HZ * ratio) == pytest.approx(0.1 * ratio**2, rel=0.02)


@pytest.mark.parametrize(("fault", "order", "other"), [("unbalance", 1, 2), ("misalignment", 2, 1)])
def test_a_shaft_fault_raises_its_own_harmonic_only(fault: str, order: int, other: int) -> None:
    healthy = sound(MACHINE, Condition(SHAFT_HZ))
    faulty = sound(MACHINE, Condition(SHAFT_HZ, fault=fault, severity=1.0))
    assert amplitude(faulty, order * SHAFT_HZ) > 8.0 * amplitude(healthy, order * SHAFT_HZ)
    assert amplitude(faulty, other * SHAFT_HZ) == pytest.approx(amplitude(healthy, other * SHAFT_HZ), rel=0.1)


def test_gears_mesh_at_teeth_times_shaft_with_sidebands() -> None:
    x = sound(replace(SILENT, mesh_g=0.2, teeth=31), Condition(SHAFT_HZ))
    mesh_hz = 31 * SHAFT_HZ
    assert amplitude(x, mesh_hz) == pytest.approx(0.2, rel=0.03)
    # Amplitude modulation of depth 0.2 gives sidebands of a tenth.
    for side in (-1, 1):
        assert amplitude(x, mesh_hz + side * SHAFT_HZ) == pytest.approx(0.02, rel=0.1)


def test_blades_pass_at_their_number_times_shaft() -> None:
    x = sound(replace(SILENT, blade_g=0.1, blades=7), Condition(SHAFT_HZ))
    assert amplitude(x, 7 * SHAFT_HZ) == pytest.approx(0.1, rel=0.03)


def test_tones_beyond_nyquist_are_left_out_and_not_folded() -> None:
    machine = replace(SILENT, mesh_g=0.5, teeth=50)
    x = signal_of(machine, rate_hz=2000.0).block(8000, Condition(SHAFT_HZ))
    np.testing.assert_array_equal(x, 0.0)


def test_load_raises_the_mesh() -> None:
    machine = replace(SILENT, mesh_g=0.2, teeth=31)
    idle, full = (amplitude(sound(machine, Condition(SHAFT_HZ, load=load)), 31 * SHAFT_HZ) for load in (0.0, 1.0))
    assert idle == pytest.approx(0.3 * full, rel=0.02)


# --- bearing faults ---


@pytest.mark.parametrize("roughness", [0.0, 0.7])
@pytest.mark.parametrize("fault", ["inner", "outer", "ball", "gear"])
def test_the_envelope_shows_the_fault_frequency(fault: str, roughness: float) -> None:
    orders = MACHINE.bearing.orders
    order = {"inner": orders.bpfi, "outer": orders.bpfo, "ball": orders.defect, "gear": 1.0}[fault]
    machine = replace(MACHINE, roughness=roughness, rotating_load=0.0)
    faulty = squared_envelope(sound(machine, Condition(SHAFT_HZ, fault=fault, severity=0.8)))
    healthy = squared_envelope(sound(machine, Condition(SHAFT_HZ)))
    assert contrast(faulty, order * SHAFT_HZ) > 8.0
    assert contrast(faulty, order * SHAFT_HZ) > 2.5 * contrast(healthy, order * SHAFT_HZ)


def test_outer_impacts_repeat_at_bpfo_and_its_harmonics_without_shaft_sidebands() -> None:
    bpfo_hz = MACHINE.bearing.orders.bpfo * SHAFT_HZ
    machine = replace(SILENT, slip=0.0)
    envelope = squared_envelope(sound(machine, Condition(SHAFT_HZ, fault="outer", severity=1.0)))
    lines = [amplitude(envelope, k * bpfo_hz) for k in (1, 2, 3)]
    sides = [amplitude(envelope, bpfo_hz + side * SHAFT_HZ) for side in (-1, 1)]
    assert min(lines) > 5.0 * max(sides)


@pytest.mark.parametrize(("fault", "order"), [("inner", 1.0), ("ball", MACHINE.bearing.orders.ftf)])
def test_a_turning_spall_has_sidebands_at_the_speed_it_is_carried(fault: str, order: float) -> None:
    orders = MACHINE.bearing.orders
    centre_hz = {"inner": orders.bpfi, "ball": orders.defect}[fault] * SHAFT_HZ
    envelope = squared_envelope(sound(replace(SILENT, slip=0.0), Condition(SHAFT_HZ, fault=fault, severity=1.0)))
    line = amplitude(envelope, centre_hz)
    for side in (-1, 1):
        assert amplitude(envelope, centre_hz + side * order * SHAFT_HZ) > 0.3 * line


def test_a_turning_load_gives_outer_faults_sidebands_at_the_shaft_speed() -> None:
    bpfo_hz = MACHINE.bearing.orders.bpfo * SHAFT_HZ
    machine = replace(SILENT, slip=0.0, rotating_load=0.9)
    envelope = squared_envelope(sound(machine, Condition(SHAFT_HZ, fault="outer", severity=1.0)))
    sides = [amplitude(envelope, bpfo_hz + side * SHAFT_HZ) for side in (-1, 1)]
    assert min(sides) > 0.3 * amplitude(envelope, bpfo_hz)


def test_slip_smears_the_harmonics_of_the_strikes() -> None:
    bpfo_hz = MACHINE.bearing.orders.bpfo * SHAFT_HZ
    condition = Condition(SHAFT_HZ, fault="outer", severity=1.0)
    firm, loose = (
        contrast(squared_envelope(sound(replace(SILENT, slip=slip), condition)), 5 * bpfo_hz) for slip in (0.0, 0.03)
    )
    assert firm > 3.0 * loose


def test_impacts_ring_at_the_resonances() -> None:
    x = sound(SILENT, Condition(SHAFT_HZ, fault="outer", severity=1.0))
    # Too coarse to part the harmonics of the strikes.
    hz, power = scipy.signal.welch(x, RATE_HZ, nperseg=128)
    peaks = hz[scipy.signal.find_peaks(power, prominence=0.02 * power.max())[0]]
    np.testing.assert_allclose(peaks, [2500.0, 4100.0], atol=100.0)


def test_severity_raises_the_impacts_in_proportion() -> None:
    low, high = (
        float(np.std(sound(SILENT, Condition(SHAFT_HZ, fault="inner", severity=severity)))) for severity in (0.2, 0.8)
    )
    assert high == pytest.approx(4.0 * low, rel=1e-4)


@pytest.mark.parametrize("fault", FAULTS)
def test_severity_zero_is_healthy(rng: np.random.Generator, fault: str) -> None:
    machine = random_machine(rng)
    healthy, faulty = (
        signal_of(machine).block(4096, Condition(SHAFT_HZ, fault=name, severity=0.0)) for name in ("none", fault)
    )
    np.testing.assert_array_equal(healthy, faulty)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "none"])
def test_every_fault_changes_the_signal(fault: str) -> None:
    faulty = sound(MACHINE, Condition(SHAFT_HZ, fault=fault, severity=1.0), seconds=2.0)
    healthy = sound(MACHINE, Condition(SHAFT_HZ), seconds=2.0)
    assert np.std(faulty) > 1.1 * np.std(healthy)


# --- blocks ---


def test_tones_have_no_jump_where_blocks_join() -> None:
    signal = signal_of(replace(SILENT, unbalance_g=0.1, misalignment_g=0.05, mesh_g=0.1, teeth=23))
    blocks = [signal.block(500, Condition(SHAFT_HZ))[0] for _ in range(40)]
    bend = np.abs(np.diff(np.concatenate(blocks).astype(np.float64), 2))
    seams = np.arange(500, 20_000, 500)
    assert bend[np.concatenate([seams - 2, seams - 1])].max() <= 1.02 * np.delete(bend, seams - 1).max()


def test_a_resonance_rings_on_across_the_seam() -> None:
    mode = Mode(2500.0, 0.01, 1.0)
    signal = signal_of(replace(SILENT, modes=(mode,)))
    # Half a spacing after a strike, so that the seam itself is not struck.
    struck = signal.block(5070, Condition(SHAFT_HZ, fault="outer", severity=1.0))[0]
    x = np.concatenate([struck[-2:], signal.block(200, Condition(SHAFT_HZ))[0]]).astype(np.float64)
    omega = 2.0 * np.pi * mode.hz / RATE_HZ
    radius = np.exp(-mode.damping * omega)
    # A free oscillation obeys its own recursion in every sample, the first of the new block included.
    np.testing.assert_allclose(x[2:], 2.0 * radius * np.cos(omega) * x[1:-1] - radius**2 * x[:-2], atol=1e-6)
    assert np.abs(x[2:20]).max() > 1e-3


@pytest.mark.parametrize("n", [4, 16, 4096])
def test_no_strike_is_lost_where_blocks_join(n: int) -> None:
    # A strike between the last sample of a block and the first of the next one was once dropped.
    signal = signal_of(replace(SILENT, modes=(Mode(2500.0, 0.3, 1.0),), slip=0.0))
    condition = Condition(SHAFT_HZ, fault="outer", severity=1.0)
    seconds = 2.0
    x = np.concatenate([signal.block(n, condition)[0] for _ in range(int(seconds * RATE_HZ / n))])
    spacing = RATE_HZ / (MACHINE.bearing.orders.bpfo * SHAFT_HZ)
    strikes, _ = scipy.signal.find_peaks(np.abs(x), height=0.15 * np.abs(x).max(), distance=0.5 * spacing)
    assert strikes.size == pytest.approx(x.size / spacing, abs=2)


def test_a_seed_decides_the_signal() -> None:
    condition = Condition(SHAFT_HZ, fault="ball", severity=0.5)
    first, again, other = (sound(MACHINE, condition, seconds=0.5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("n", [1, 2, 777])
def test_blocks_have_one_channel_of_the_length_wanted(n: int) -> None:
    x = signal_of(MACHINE).block(n, Condition(SHAFT_HZ, fault="inner", severity=1.0))
    assert (x.shape, x.dtype) == ((1, n), np.float32)
    assert np.isfinite(x).all()


# --- refusals ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fault": "cage"}, "fault 'cage' is not modelled; one of none, "),
        ({"shaft_hz": 0.0}, "is no running machine"),
        ({"shaft_hz": float("nan")}, "is no running machine"),
        ({"load": -0.1}, "is no running machine"),
        ({"severity": 1.1}, "is no running machine"),
    ],
)
def test_an_impossible_condition_is_refused(arguments: dict[str, float | str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Condition(**{"shaft_hz": SHAFT_HZ, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(rate_hz: float) -> None:
    with pytest.raises(ParameterError, match="a positive rate is wanted"):
        signal_of(MACHINE, rate_hz=rate_hz)


def test_an_empty_block_is_refused() -> None:
    with pytest.raises(ParameterError, match="asked for 0 samples; at least 1 is wanted"):
        signal_of(MACHINE).block(0, Condition(SHAFT_HZ))


# --- random machines and their windows ---


def test_random_bearings_can_be_built(rng: np.random.Generator) -> None:
    for _ in range(300):
        bearing = random_bearing(rng)
        # Neighbouring balls do not touch.
        assert bearing.ball_mm < bearing.pitch_mm * np.sin(np.pi / bearing.balls)
        assert bearing.orders.bpfo + bearing.orders.bpfi == pytest.approx(bearing.balls)
        assert 0.25 < bearing.orders.ftf < 0.5


def test_windows_are_balanced_and_each_of_another_machine(rng: np.random.Generator) -> None:
    windows = labelled_windows(rng, n=80, n_samples=1024, rate_hz=RATE_HZ)
    assert (windows.samples.shape, windows.samples.dtype) == ((80, 1024), np.float32)
    assert np.isfinite(windows.samples).all()
    np.testing.assert_array_equal(np.bincount(windows.kind), [20] * len(KINDS))
    assert len({bearing.orders.bpfo for bearing in windows.bearings}) == 80
    assert np.unique(windows.shaft_hz).size == 80


def test_only_bearing_faults_have_a_severity(rng: np.random.Generator) -> None:
    windows = labelled_windows(rng, n=200, n_samples=64, rate_hz=RATE_HZ)
    normal = windows.kind == KINDS.index("normal")
    np.testing.assert_array_equal(windows.severity[normal], 0.0)
    faulty = windows.severity[~normal]
    assert faulty.min() >= 0.08
    assert faulty.max() <= 1.0
    # Log-uniform: the median is the geometric mean of the ends.
    assert np.median(faulty) == pytest.approx(np.sqrt(0.08), rel=0.3)


def test_windows_repeat_under_a_seed() -> None:
    first, again = (labelled_windows(np.random.default_rng(3), n=8, n_samples=512, rate_hz=RATE_HZ) for _ in range(2))
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.bearings == again.bearings


def test_normal_windows_are_more_than_gaussian_noise(rng: np.random.Generator) -> None:
    windows = labelled_windows(rng, n=200, n_samples=4096, rate_hz=RATE_HZ)
    x = windows.samples[windows.kind == KINDS.index("normal")].astype(np.float64)
    x -= x.mean(axis=1, keepdims=True)
    kurtosis = (x**4).mean(axis=1) / (x**2).mean(axis=1) ** 2
    # Tones below 3, shocks above it.
    assert (kurtosis < 2.5).mean() > 0.1
    assert (kurtosis > 4.0).mean() > 0.02


@pytest.mark.parametrize("kind", ["inner", "outer", "ball"])
def test_faults_range_from_hidden_to_dominant_in_the_envelope(rng: np.random.Generator, kind: str) -> None:
    windows = labelled_windows(rng, n=240, n_samples=8192, rate_hz=RATE_HZ)
    contrasts: dict[str, list[float]] = {name: [] for name in KINDS}
    for x, k, shaft_hz, bearing in zip(windows.samples, windows.kind, windows.shaft_hz, windows.bearings, strict=True):
        orders = bearing.orders
        order = {"inner": orders.bpfi, "outer": orders.bpfo, "ball": orders.defect}[kind]
        contrasts[KINDS[k]].append(contrast(squared_envelope(x.astype(np.float64)), order * float(shaft_hz)))
    healthy, faulty = np.array(contrasts["normal"]), np.array(contrasts[kind])
    assert np.median(faulty) > 1.5 * np.median(healthy)
    assert faulty.max() > 6.0
    assert faulty.min() < np.median(healthy)
