"""The fault map puts a fault's harmonics into the same bins for any bearing and speed."""

from __future__ import annotations

import numpy as np
import pytest

from features.bearing import Bearing, bearing_named
from features.envelope import envelope_spectrum
from features.errors import ParameterError
from features.faultmap import CHANNELS, N_BINS, fault_map


def _bins_of(multiple: int) -> slice:
    bin_of = round((multiple - 0.25) * N_BINS / 4.0)
    return slice(bin_of - 1, bin_of + 1)


def _impacts(rng: np.random.Generator, hz: float, rate_hz: float, n: int) -> np.ndarray:
    x = 0.05 * rng.standard_normal(n)
    t = np.arange(n) / rate_hz
    for k in range(int(n / rate_hz * hz)):
        since = t - k / hz
        x += np.where(since >= 0, np.exp(-since * 800) * np.sin(2 * np.pi * 3000 * since), 0.0)
    return x


@pytest.mark.parametrize("bearing", [bearing_named("6205-2RS"), Bearing("other", 11, 8.0, 45.0, 15.0)])
@pytest.mark.parametrize("shaft_hz", [20.0, 31.0])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_harmonics_stand_in_the_same_bins(
    rng: np.random.Generator, bearing: Bearing, shaft_hz: float, channel: int
) -> None:
    orders = bearing.orders
    order = (orders.bpfo, orders.bpfi, orders.defect)[channel]
    x = _impacts(rng, order * shaft_hz, 12_800.0, 8192)
    table = fault_map(x, 12_800.0, shaft_hz=shaft_hz, orders=orders)
    assert table.shape == (N_BINS, len(CHANNELS))
    for harmonic in (1, 2, 3):
        own = table[_bins_of(harmonic), channel].max()
        assert own > 1.5 * np.median(table[:, channel])


def test_a_bin_is_the_largest_line_around_its_multiple(rng: np.random.Generator) -> None:
    orders = bearing_named("6205-2RS").orders
    x = rng.standard_normal((2, 4096))
    f, lines = envelope_spectrum(x, 12_000.0)
    table = fault_map(x, 12_000.0, shaft_hz=30.0, orders=orders)
    for bin_ in (5, 40, 90):
        position = (0.25 + (bin_ + 0.5) / 24.0) * orders.bpfi * 30.0 / f[1]
        reach = max(0.5, 0.02 * position)
        near = lines[0, round(position - reach) : round(position + reach) + 1].max()
        slow = np.log1p(near / np.median(lines[0, 1:]))
        assert table[0, bin_, 1] == pytest.approx(slow, rel=1e-5)


def test_silence_and_lines_beyond_the_spectrum_are_zero() -> None:
    orders = bearing_named("6205-2RS").orders
    assert not fault_map(np.zeros(1024), 12_800.0, shaft_hz=30.0, orders=orders).any()
    # At 400 Hz the shaft's faults lie beyond a quarter of Nyquist of a 1 kHz signal.
    assert not fault_map(np.ones(1024), 1000.0, shaft_hz=400.0, orders=orders)[:, 1].any()


def test_a_standing_shaft_is_refused() -> None:
    with pytest.raises(ParameterError, match="shaft speed of 0"):
        fault_map(np.ones(1024), 1000.0, shaft_hz=0.0, orders=bearing_named("6205-2RS").orders)
