"""What holds of the C front end for all windows: finite, within its memory, refusing what it must."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from node_windows import Recorded, in_single, server_features

from edge.compiler.host import build_host_program
from edge.node.frontend import HostFrontend, Setup, frontend_cases, frontend_library, load_frontend, read_features
from edge.node.parity import excess
from features.bearing import FaultOrders
from features.contract import NODE
from features.errors import ParameterError

ORDERS = FaultOrders(*map(in_single, (3.5848, 5.4152, 2.3567, 0.39828)))
SETUP = Setup(12_000.0, in_single(0.001), "g", ORDERS)
GUARD = 0x5A
# Of the shape of a rest that is nothing but rounding, nothing is asked but that it is finite.
_WHOLE = [i for i, feature in enumerate(NODE.features) if feature.unit == "x" or feature.name.startswith("packet_")]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return load_frontend(tmp_path_factory.mktemp("frontend"))


@pytest.fixture(scope="module")
def frontend(library: ctypes.CDLL) -> HostFrontend:
    return HostFrontend(library)


def spike(n: int, place: int, height: int, level: int) -> np.ndarray:
    window = np.full(n, level, dtype=np.int16)
    window[place] = height
    return window


full = st.integers(-32_768, 32_767)
lengths = st.sampled_from([256, 512, 1024, 2048, 4096])


@st.composite
def windows(draw: st.DrawFn) -> np.ndarray:
    """Noise of any level and offset, constants, spikes, square waves, clipped tones, and arrays of Hypothesis's own."""
    n = draw(lengths)
    kind = draw(st.sampled_from(["noise", "constant", "spike", "square", "clipped", "any"]))
    if kind == "noise":
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        made = draw(st.floats(0.3, 1e5)) * rng.standard_normal(n) + draw(full)
        return np.clip(np.round(made), -32_768, 32_767).astype(np.int16)
    if kind == "constant":
        return np.full(n, draw(full), dtype=np.int16)
    if kind == "spike":
        return spike(n, draw(st.integers(0, n - 1)), draw(full), draw(full))
    if kind == "square":
        half = draw(st.sampled_from([1, 2, 3, 8, 50]))
        return np.where(np.arange(n) // half % 2, draw(full), draw(full)).astype(np.int16)
    if kind == "clipped":
        turns = draw(st.floats(0.01, 0.5)) * np.arange(n)
        return np.clip(1e5 * np.sin(2 * np.pi * turns), -32_768, 32_767).astype(np.int16)
    return draw(arrays(np.int16, n, elements=full))


setups = st.builds(
    Setup,
    rate_hz=st.floats(1.0, 1e6, width=32),
    scale=st.floats(in_single(1e-9), 1e4, width=32),
    unit=st.sampled_from(["g", "m/s2", "mm/s"]),
    bearing=st.sampled_from([None, ORDERS, FaultOrders(1000.0, 1e-3, 500.0, 0.5)]),
)
speeds = st.one_of(st.just(0.0), st.floats(in_single(1e-3), 1e6, width=32))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(window=windows(), setup=setups, shaft_hz=speeds)
def test_every_feature_of_every_window_is_finite(
    frontend: HostFrontend, window: np.ndarray, setup: Setup, shaft_hz: float
) -> None:
    found = frontend.extract(window, setup, shaft_hz=shaft_hz)
    assert np.isfinite(found).all()
    absent = [
        i
        for i, feature in enumerate(NODE.features)
        if feature.needs and (shaft_hz == 0.0 or ("bearing" in feature.needs and setup.bearing is None))
    ]
    assert (found[absent] == 0.0).all()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    n=lengths,
    level=st.floats(2.0, 2e4),
    offset=st.integers(-30_000, 30_000),
    rate_hz=st.floats(100.0, 1e5, width=32),
    unit=st.sampled_from(["g", "m/s2", "mm/s"]),
    turns=st.floats(1e-3, 0.2),
)
def test_noise_of_any_level_and_offset_reads_as_in_python(
    frontend: HostFrontend, seed: int, n: int, level: float, offset: int, rate_hz: float, unit: str, turns: float
) -> None:
    noise = np.random.default_rng(seed).standard_normal(n)
    window = np.clip(np.round(level * noise + offset), -32_768, 32_767).astype(np.int16)
    record = Recorded("noise", window[None], replace(SETUP, rate_hz=rate_hz, unit=unit), in_single(turns * rate_hz))
    found = frontend.extract(record.windows, record.setup, shaft_hz=record.shaft_hz)
    over = excess(found, server_features(record), record.setup, n=n)[0]
    assert {name: share for name, share in zip(NODE.names, over, strict=True) if not share <= 1.0} == {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(window=windows())
def test_levels_and_packets_of_any_window_read_as_in_python(frontend: HostFrontend, window: np.ndarray) -> None:
    record = Recorded("any", window[None], SETUP, 29.5)
    found = frontend.extract(record.windows, SETUP, shaft_hz=record.shaft_hz)
    over = excess(found, server_features(record), SETUP, n=window.size)[0, _WHOLE]
    assert over.max() <= 1.0


def test_silence_is_what_the_definitions_say(frontend: HostFrontend) -> None:
    for level in (0, 17, -32_768, 32_767):
        window = np.full((1, 2048), level, dtype=np.int16)
        found = frontend.extract(window, SETUP, shaft_hz=29.5)
        wanted = server_features(Recorded("silence", window, SETUP, 29.5))
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_large_mean_takes_nothing_from_the_moments(frontend: HostFrontend, rng: np.random.Generator) -> None:
    near_zero = np.round(3.0 * rng.standard_normal(2048)).astype(np.int16)
    shapes = [NODE.index(name) for name in ("std", "skewness", "kurtosis", "hyperskewness", "hyperflatness")]
    found = frontend.extract(np.stack([near_zero, near_zero + 32_000]), SETUP)
    np.testing.assert_allclose(found[1, shapes], found[0, shapes], rtol=2e-6)


@pytest.mark.parametrize("n", [256, 2048, 4096])
def test_nothing_outside_its_memory_is_touched(library: ctypes.CDLL, rng: np.random.Generator, n: int) -> None:
    frontend = HostFrontend(library)
    size = frontend.bytes_for(SETUP, n)
    memory = np.full(size + 128, GUARD, dtype=np.uint8)
    features = np.full(4 * len(NODE.features) + 128, GUARD, dtype=np.uint8)
    start = 64 + -memory.ctypes.data % 8
    handle = ctypes.c_void_p()
    config = SETUP.packed(n)
    assert library.rw_frontend_init(memory.ctypes.data + start, size, config.ctypes.data, ctypes.byref(handle)) == 0
    window = rng.integers(-32_768, 32_768, n).astype(np.int16)
    kept = window.copy()
    for shaft_hz in (0.0, 30.0, 1e6):
        library.rw_frontend_extract(handle, window.ctypes.data, shaft_hz, features.ctypes.data + 64)
    np.testing.assert_array_equal(window, kept)
    assert (memory[:start] == GUARD).all()
    assert (memory[start + size :] == GUARD).all()
    assert (features[:64] == GUARD).all()
    assert (features[-64:] == GUARD).all()


def test_sanitisers_find_nothing_at_the_extremes(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, n = tmp_path_factory.mktemp("sanitised"), 256
    rows = [np.full(n, level, dtype=np.int16) for level in (0, -32_768, 32_767)] + [
        spike(n, place, 32_767, -32_768) for place in (0, 1, n - 1)
    ]
    rows.append(np.where(np.arange(n) % 2, -32_768, 32_767).astype(np.int16))
    cases = [
        frontend_cases(np.stack(rows), Setup(rate, scale, unit, bearing), shaft_hz=shaft_hz)
        for rate, scale in ((1.0, 1e-9), (12_000.0, 1e-3), (1e6, 1e4))
        for unit, bearing in (("g", None), ("mm/s", ORDERS), ("m/s2", FaultOrders(1000.0, 1e-30, 500.0, 0.5)))
        for shaft_hz in (0.0, 1e-30, 29.5, 1e6)
    ]
    refused = [
        frontend_cases(np.stack(rows[:1]), setup, shaft_hz=shaft_hz)
        for setup, shaft_hz in ((replace(SETUP, rate_hz=float("nan")), 0.0), (SETUP, float("nan")), (SETUP, -1.0))
    ]
    given_ = np.concatenate([*cases, *refused])
    program = build_host_program([frontend_library(folder / "library", n=n)], folder / "program", sanitise=True)
    status, features = read_features(program.run([given_])[0])
    assert (status[:-3] >= 0).all()
    assert np.isfinite(features[:-3]).all()
    assert status[-3:].tolist() == [-2, -7, -7]


@pytest.mark.parametrize(
    ("change", "n", "message"),
    [
        ({}, 128, "windows are not a power of two from 256 to 4096 samples"),
        ({}, 8192, "windows are not a power of two"),
        ({}, 1920, "windows are not a power of two"),
        ({"rate_hz": 0.5}, 256, "the sampling rate is not 1 Hz to 1 MHz"),
        ({"rate_hz": float("inf")}, 256, "the sampling rate"),
        ({"scale": 0.0}, 256, "the scale is not 1e-9 to 1e4 units a step"),
        ({"scale": float("nan")}, 256, "the scale"),
        ({"bearing": FaultOrders(3.0, 5.0, 0.0, 0.4)}, 256, "fault orders are neither all 0 nor all above 0"),
        ({"bearing": FaultOrders(3.0, 5.0, 2.0, 1001.0)}, 256, "fault orders"),
        ({"unit": "mil"}, 256, "a node was to sample 'mil'"),
    ],
)
def test_what_is_not_admissible_is_refused(
    frontend: HostFrontend, change: dict[str, object], n: int, message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        frontend.extract(np.zeros((1, n), dtype=np.int16), replace(SETUP, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("shaft_hz", [-1.0, float("nan"), 2e6])
def test_a_speed_that_is_none_is_refused(frontend: HostFrontend, shaft_hz: float) -> None:
    with pytest.raises(ParameterError, match="the shaft speed is not 0 to 1 MHz"):
        frontend.extract(np.zeros((1, 256), dtype=np.int16), SETUP, shaft_hz=shaft_hz)


def test_samples_of_another_type_are_refused(frontend: HostFrontend) -> None:
    with pytest.raises(ParameterError, match=r"windows of float64, shape \(1, 256\)"):
        frontend.extract(np.zeros((1, 256)), SETUP)


def test_memory_too_small_unaligned_or_missing_and_an_unknown_unit_are_refused(library: ctypes.CDLL) -> None:
    HostFrontend(library)
    size, handle = 56 + 256 // 16 * 15 * 8, ctypes.c_void_p()
    memory = np.zeros(size // 8 + 2, dtype=np.float64)
    config = SETUP.packed(256)

    def status(address: int | None, size: int) -> int:
        return int(library.rw_frontend_init(address, size, config.ctypes.data, ctypes.byref(handle)))

    assert status(memory.ctypes.data, size) == 0
    assert [status(memory.ctypes.data, size - 1), status(memory.ctypes.data + 4, size), status(None, size)] == [-6] * 3
    config["unit"] = 3
    assert status(memory.ctypes.data, size) == -4
    assert library.rw_frontend_bytes(config.ctypes.data) == 0
