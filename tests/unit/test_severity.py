"""Broad-band velocity of a stretch of samples: closed forms of sines, the span it rests on, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.severity import broad_band, lower_edge_hz, span_wanted_s, zone_of
from features.errors import ParameterError
from features.iso20816 import limits_named

RATE_HZ = 12_800.0


def _sine(frequency_hz: float, *, span_s: float, rate_hz: float = RATE_HZ, peak: float = 1.0) -> NDArray[np.float32]:
    t = np.arange(round(span_s * rate_hz)) / rate_hz
    return (peak * np.sin(2.0 * np.pi * frequency_hz * t + 0.3)).astype(np.float32)[None, :]


@pytest.mark.parametrize("span_s", [0.4, 0.64, 2.0])
@pytest.mark.parametrize(("unit", "per_mm"), [("g", 9806.65), ("m/s2", 1000.0)])
def test_a_sine_of_acceleration_reads_its_velocity(unit: str, per_mm: float, span_s: float) -> None:
    measured = broad_band(_sine(29.3, span_s=span_s), RATE_HZ, unit=unit, shaft_hz=29.3)
    closed = per_mm / (2.0 * np.pi * 29.3) / np.sqrt(2.0)
    assert measured.velocity_mm_s == pytest.approx(closed, rel=0.01)
    assert (measured.low_hz, measured.high_hz, measured.displacement_um) == (10.0, 1000.0, None)


def test_samples_of_velocity_are_judged_themselves_and_only_inside_the_band() -> None:
    inside, outside = _sine(60.0, span_s=1.0, peak=3.0), _sine(1800.0, span_s=1.0, peak=50.0)
    measured = broad_band(inside + outside + 7.0, RATE_HZ, unit="mm/s", shaft_hz=None)
    assert measured.velocity_mm_s == pytest.approx(3.0 / np.sqrt(2.0), rel=1e-4)


@pytest.mark.parametrize(("unit", "per_mm"), [("g", 9806.65), ("m/s2", 1000.0), ("mm/s", None)])
def test_a_slow_machine_is_judged_from_2_hz_and_by_displacement(unit: str, per_mm: float | None) -> None:
    turning = 2.0 * np.pi * 4.0
    peak = 1.0 * turning if per_mm is None else turning**2 / per_mm
    measured = broad_band(_sine(4.0, span_s=10.0, peak=peak), RATE_HZ, unit=unit, shaft_hz=4.0)
    assert measured.slow
    assert measured.low_hz == 2.0
    assert measured.displacement_um == pytest.approx(1000.0 / np.sqrt(2.0), rel=0.01)
    assert measured.velocity_mm_s == pytest.approx(turning / np.sqrt(2.0), rel=0.01)


def test_displacement_decides_where_it_is_the_worse_and_has_limits() -> None:
    # 50 um RMS at 4 Hz is 1.26 mm/s.
    turning = 2.0 * np.pi * 4.0
    x = _sine(4.0, span_s=10.0, peak=0.05 * np.sqrt(2.0) * turning)
    measured = broad_band(x, RATE_HZ, unit="mm/s", shaft_hz=4.0)
    by_both = zone_of(measured, limits_named("group-2-rigid"))
    assert (by_both.zone, by_both.quantity) == ("C", "displacement")
    by_velocity = zone_of(measured, limits_named("class-III"))
    assert (by_velocity.zone, by_velocity.quantity) == ("A", "velocity")
    short = broad_band(x[:, : round(3.0 * RATE_HZ)], RATE_HZ, unit="mm/s", shaft_hz=4.0)
    assert short.displacement_um is None
    assert zone_of(short, limits_named("group-2-rigid")).zone == "A"


def test_the_channel_that_shakes_most_is_named() -> None:
    x = np.concatenate([_sine(50.0, span_s=1.0, peak=peak) for peak in (0.1, 0.3, 0.2)])
    measured = broad_band(x, RATE_HZ, unit="g", shaft_hz=50.0)
    alone = broad_band(x[1:2], RATE_HZ, unit="g", shaft_hz=50.0)
    assert (measured.channel, measured.velocity_mm_s) == (1, pytest.approx(alone.velocity_mm_s))


def test_silence_has_no_velocity() -> None:
    silent = broad_band(np.zeros((1, 64_000), np.float32), RATE_HZ, unit="g", shaft_hz=4.0)
    assert (silent.velocity_mm_s, silent.displacement_um) == (0.0, 0.0)
    assert zone_of(silent, limits_named("class-I")).zone == "A"


@pytest.mark.parametrize(
    ("span_s", "rate_hz", "shaft_hz", "match"),
    [
        (0.39, RATE_HZ, 30.0, r"0\.39 s of samples .* from 10 Hz on wants 0\.4 s"),
        (1.9, RATE_HZ, 5.0, r"from 2 Hz on wants 2 s"),
        (2.0, 1000.0, 30.0, r"1000\.0 Hz at a rate of 1000\.0 Hz"),
    ],
)
def test_what_cannot_be_given_is_said(span_s: float, rate_hz: float, shaft_hz: float, match: str) -> None:
    for unit in ("g", "mm/s"):
        with pytest.raises(ParameterError, match=match):
            broad_band(_sine(30.0, span_s=span_s, rate_hz=rate_hz), rate_hz, unit=unit, shaft_hz=shaft_hz)


def test_the_span_is_twenty_periods_of_the_lower_edge_and_bounded() -> None:
    assert (lower_edge_hz(None), lower_edge_hz(10.0), lower_edge_hz(9.9)) == (10.0, 10.0, 2.0)
    assert span_wanted_s(None, rate_hz=RATE_HZ, n_channels=1) == 2.0
    assert span_wanted_s(5.0, rate_hz=1e6, n_channels=4) * 4e6 <= 1 << 20
