"""Laws that every registered feature obeys: made from the registry, so that an entry is tested by being registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.fft

import features.contract
import features.extraction
from features.bearing import bearing_named
from features.contract import BASELINE, FULL, NODE, REGISTRY, WATCHED, Feature, Profile
from features.errors import ParameterError
from features.extraction import extract
from features.signals import Signals

RATE_HZ, N = 12_800.0, 4096
SHAFT_HZ = np.array([38.0, 40.0, 41.5, 44.0])
ORDERS = bearing_named("6205-2RS").orders

each_feature = pytest.mark.parametrize("feature", REGISTRY, ids=lambda feature: feature.name)


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    """A machine with unbalance, an outer-race fault and noise, at four speeds."""
    t = np.arange(N) / RATE_HZ
    turned = SHAFT_HZ[:, None] * t
    shaft = sum(a * np.sin(2 * np.pi * k * turned + k) for k, a in ((0.5, 0.1), (1, 0.3), (2, 0.2), (3, 0.05)))
    impacts = 1.0 + np.cos(2 * np.pi * ORDERS.bpfo * turned) + 0.2 * np.cos(2 * np.pi * ORDERS.ftf * turned)
    return shaft + impacts * 0.2 * np.sin(2 * np.pi * 3100.0 * t) + 0.1 * rng.standard_normal((4, N)) ** 3 + 0.02


def value(feature: Feature, x: np.ndarray, **other: object) -> np.ndarray:
    return feature.compute(replace(Signals(x, RATE_HZ, "g", SHAFT_HZ.reshape(x.shape[:-1]), ORDERS), **other))


def one(feature: Feature) -> Profile:
    return Profile(feature.name, (feature,))


def extracted(feature: Feature, x: np.ndarray) -> np.ndarray:
    return extract(x, RATE_HZ, profile=one(feature), unit="g", shaft_hz=40.0, bearing=ORDERS)[..., 0]


@each_feature
@pytest.mark.parametrize("gain", [10.0, 0.003])
def test_a_gain_scales_levels_and_leaves_shapes(feature: Feature, x: np.ndarray, gain: float) -> None:
    wanted = value(feature, x) * gain**feature.laws.growth
    np.testing.assert_allclose(value(feature, gain * x), wanted, rtol=1e-8, atol=1e-12)


@each_feature
def test_an_offset_does_what_the_entry_says(feature: Feature, x: np.ndarray) -> None:
    before, after = value(feature, x), value(feature, x + 2.0)
    if feature.laws.offset == "counted":
        assert (np.abs(after - before) > 1e-3 * np.abs(before)).all()
    else:
        added = 2.0 if feature.laws.offset == "added" else 0.0
        np.testing.assert_allclose(after, before + added, rtol=1e-8, atol=1e-12)


@each_feature
def test_time_run_backwards_does_what_the_entry_says(feature: Feature, x: np.ndarray) -> None:
    backwards = x[..., ::-1].copy()
    before = value(feature, x)
    same = [
        np.isclose(value(feature, turned), before, rtol=1e-8, atol=1e-12).all()
        for turned in (backwards, np.roll(backwards, 1, axis=-1))
    ]
    assert any(same) == feature.laws.reversible


@each_feature
def test_samples_moved_round_do_what_the_entry_says(feature: Feature, x: np.ndarray) -> None:
    before = value(feature, x)
    moved = [
        np.isclose(value(feature, np.roll(x, k, axis=-1)), before, rtol=1e-8, atol=1e-12).all() for k in (16, 1040)
    ]
    assert all(moved) == feature.laws.cyclic


@each_feature
def test_a_batch_is_its_windows(feature: Feature, x: np.ndarray) -> None:
    batch = value(feature, x.reshape(2, 2, -1), shaft_hz=SHAFT_HZ.reshape(2, 2))
    assert batch.shape == (2, 2)
    single = [feature.compute(Signals(x[i], RATE_HZ, "g", SHAFT_HZ[i], ORDERS)) for i in range(4)]
    np.testing.assert_allclose(batch.ravel(), single, rtol=1e-8, atol=1e-12)


@each_feature
def test_single_precision_stays_within_the_stated_tolerance(feature: Feature, x: np.ndarray) -> None:
    single = x.astype(np.float32)
    wanted = value(feature, single.astype(np.float64))
    scale = np.maximum(np.abs(wanted), 0.01 * np.abs(wanted).max())
    assert (np.abs(value(feature, single) - wanted) <= feature.laws.tolerance * scale).all()


@each_feature
@pytest.mark.parametrize("level", [0.0, 0.1, -3.7, 1e9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_is_defined_and_as_silent_as_silence(feature: Feature, level: float, dtype: type) -> None:
    found = extracted(feature, np.full((3, 1024), level, dtype=dtype))
    assert np.isfinite(found).all()
    if feature.laws.offset == "ignored":
        np.testing.assert_array_equal(found, extracted(feature, np.zeros((3, 1024), dtype=dtype)))
    if feature.laws.growth and feature.laws.offset == "ignored":
        np.testing.assert_array_equal(found, 0.0)


def _spike(rng: np.random.Generator) -> np.ndarray:
    del rng
    return np.eye(1, 1024, 500)


def _clipped(rng: np.random.Generator) -> np.ndarray:
    return np.clip(rng.standard_normal((1, 1024)), -0.1, 0.1)


def _square(rng: np.random.Generator) -> np.ndarray:
    del rng
    return np.tile([1.0, -1.0], (1, 512))


def _least(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((1, 128))


def _coarse(rng: np.random.Generator) -> np.ndarray:
    """One step of the converter, on and off."""
    return (rng.random((1, 1024)) > 0.5) / 2**15


@each_feature
@pytest.mark.parametrize("make", [_spike, _clipped, _square, _least, _coarse])
@pytest.mark.parametrize("gain", [1.0, 1e-9, 1e8])
def test_odd_windows_have_defined_values(
    feature: Feature, make: Callable[[np.random.Generator], np.ndarray], gain: float, rng: np.random.Generator
) -> None:
    found = extracted(feature, (gain * make(rng)).astype(np.float32))
    assert np.isfinite(found).all()


@each_feature
@pytest.mark.parametrize("rate_hz", [10.0, 500.0, 12_800.0, 1e6])
def test_every_rate_has_defined_values(feature: Feature, rate_hz: float, x: np.ndarray) -> None:
    found = extract(x, rate_hz, profile=one(feature), unit="m/s2", shaft_hz=SHAFT_HZ, bearing=ORDERS)
    assert np.isfinite(found).all()


@each_feature
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e9])
def test_what_is_no_measurement_is_refused(feature: Feature, x: np.ndarray, bad: float) -> None:
    x[2, 7] = bad
    with pytest.raises(ParameterError, match=r"window 2 holds a sample of .* quarantine"):
        extracted(feature, x)


@each_feature
@pytest.mark.parametrize("n", [0, 1, 64, 1000])
def test_windows_too_short_or_uneven_are_refused(feature: Feature, n: int) -> None:
    with pytest.raises(ParameterError, match=f"window of {n} samples has no features; a multiple of 16 from 128 on"):
        extracted(feature, np.zeros((1, n)))


@each_feature
def test_entries_are_complete(feature: Feature) -> None:
    assert feature.name == feature.name.lower()
    assert feature.unit in {"x", "1", "Hz", "mm/s", "um"}
    assert (feature.unit in {"x", "mm/s", "um"}) == (feature.laws.growth == 1)
    assert len(feature.definition) > 5
    assert len(feature.source) > 5
    assert set(feature.needs) <= {"speed", "bearing"}


@each_feature
def test_an_entry_uses_what_it_says_it_needs(feature: Feature, x: np.ndarray) -> None:
    bare = Signals(x, RATE_HZ, "g")
    if feature.needs:
        with pytest.raises(ParameterError, match="were asked of windows without a"):
            feature.compute(bare)
    else:
        np.testing.assert_array_equal(feature.compute(bare), value(feature, x))


def test_extraction_is_the_features_in_order(x: np.ndarray) -> None:
    table = extract(x, RATE_HZ, profile=FULL, unit="g", shaft_hz=SHAFT_HZ, bearing=ORDERS)
    assert table.dtype == np.float32
    for i, feature in enumerate(FULL.features):
        np.testing.assert_allclose(table[:, i], value(feature, x), rtol=1e-6)


def test_large_batches_equal_small_ones(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = rng.standard_normal((100, 512)).astype(np.float32)
    whole = extract(x, 1000.0, profile=BASELINE, unit="g")
    monkeypatch.setattr(features.extraction, "_CHUNK_SAMPLES", 7 * 512)
    np.testing.assert_allclose(extract(x, 1000.0, profile=BASELINE, unit="g"), whole, rtol=1e-3, atol=1e-5)


def test_no_windows_have_no_features() -> None:
    assert extract(np.zeros((0, 1024)), 1000.0, profile=BASELINE, unit="g").shape == (0, len(BASELINE.features))


def test_profiles_are_parts_of_each_other() -> None:
    assert len(set(FULL.names)) == len(FULL.names)
    assert set(NODE.names) < set(FULL.names)
    assert set(BASELINE.names) < set(FULL.knowing("speed").names) < set(FULL.names)
    assert not BASELINE.needs
    assert set(BASELINE.names) - set(WATCHED.names) == {"dominant_frequency", "envelope_line_frequency"}
    assert FULL.knowing("speed", "bearing").names == FULL.names
    assert len({p.hash for p in (FULL, NODE, BASELINE, WATCHED, FULL.knowing("speed"))}) == 5


def test_the_hash_follows_definitions_and_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = Profile("full", (*REGISTRY[:-1], replace(REGISTRY[-1], definition="Another one")))
    assert renamed.hash != FULL.hash
    before = Profile("full", REGISTRY).hash
    monkeypatch.setitem(features.contract.CONSTANTS, "wavelet", "db8")
    assert Profile("full", REGISTRY).hash != before == FULL.hash


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"rate_hz": 0.0}, "rate of 0"),
        ({"rate_hz": np.nan}, "rate of nan"),
        ({"unit": "in/s"}, "samples in 'in/s'; one of g, m/s2, mm/s"),
        ({"shaft_hz": None}, "profile full needs speed"),
        ({"bearing": None}, "profile full needs bearing"),
        ({"shaft_hz": 0.0}, "shaft speed of 0"),
        ({"shaft_hz": np.array([25.0, np.nan, 25.0, 25.0])}, "shaft speed of nan"),
        ({"shaft_hz": np.array([25.0, 24.0])}, r"speeds of shape \(2,\) for windows of shape \(4,\)"),
    ],
)
def test_what_extraction_cannot_use_is_refused(x: np.ndarray, given: dict[str, object], match: str) -> None:
    call = {"rate_hz": RATE_HZ, "profile": FULL, "unit": "g", "shaft_hz": SHAFT_HZ, "bearing": ORDERS} | given
    with pytest.raises(ParameterError, match=match):
        extract(x, **call)


def test_whole_numbers_and_unknown_names_are_refused(x: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="samples are of type int64"):
        extract((1000 * x).astype(np.int64), RATE_HZ, profile=BASELINE, unit="g")
    with pytest.raises(ParameterError, match="has no feature 'nonsense'"):
        FULL.index("nonsense")


def test_one_transform_of_the_samples_serves_all(monkeypatch: pytest.MonkeyPatch, x: np.ndarray) -> None:
    """The samples are transformed once, their band once back to the envelope, and the envelope once."""
    calls: list[tuple[str, int]] = []

    def counted(module: object, name: str) -> Callable[..., np.ndarray]:
        real = getattr(module, name)

        def call(a: np.ndarray, *args: object, **options: object) -> np.ndarray:
            calls.append((name, a.shape[-1]))
            return np.asarray(real(a, *args, **options))

        return call

    for module in (scipy.fft, np.fft):
        for name in ("rfft", "irfft", "fft", "ifft", "hfft", "rfftn", "fftn", "rfft2", "fft2"):
            monkeypatch.setattr(module, name, counted(module, name))
    extract(x, RATE_HZ, profile=FULL, unit="g", shaft_hz=SHAFT_HZ, bearing=ORDERS)
    assert [name for name, _ in calls] == ["rfft", "ifft", "rfft"]
    assert calls[0] == ("rfft", N)
    assert calls[2][1] < N


def test_nothing_shared_is_computed_twice(monkeypatch: pytest.MonkeyPatch, x: np.ndarray) -> None:
    counts: dict[str, int] = {}
    for name in ("moments", "bin_power", "hann_power", "centroid_spread_hz", "flatness_entropy", "relative_envelope"):
        real = getattr(features.signals, name)

        def call(*args: object, _name: str = name, _real: Callable[..., object] = real, **options: object) -> object:
            counts[_name] = counts.get(_name, 0) + 1
            return _real(*args, **options)

        monkeypatch.setattr(features.signals, name, call)
    extract(x, RATE_HZ, profile=FULL, unit="g", shaft_hz=SHAFT_HZ, bearing=ORDERS)
    # The shape of a spectrum is asked of that of the samples and of that of the envelope.
    assert counts.pop("flatness_entropy") == 2
    assert set(counts.values()) == {1}
    assert len(counts) == 5
