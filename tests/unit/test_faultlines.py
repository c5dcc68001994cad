"""Fault families in envelope spectra of known lines, against slow twins and the geometry of bearings."""

from __future__ import annotations

import numpy as np
import pytest

from features.bearing import FaultOrders, bearing_named
from features.errors import ParameterError
from features.faultlines import FAMILIES, HARMONICS, FaultLines, fault_lines, strongest_family

ORDERS = bearing_named("6205-2RS").orders
SHAFT_HZ = 25.0
STEP_HZ = 0.1
HZ = np.arange(6000) * STEP_HZ
OUTER, INNER, SPIN, BALL_SPIN, CAGE = range(5)


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Rayleigh amplitudes: what the lines of an envelope without periodicity look like."""
    return rng.rayleigh(1.0, (*shape, HZ.size))


def with_lines(a: np.ndarray, orders: list[float], *, height: float = 30.0) -> np.ndarray:
    a = a.copy()
    a[..., np.rint(np.array(orders) * SHAFT_HZ / STEP_HZ).astype(int)] = height
    return a


def found(a: np.ndarray, *, shaft_hz: float = SHAFT_HZ, orders: FaultOrders = ORDERS) -> FaultLines:
    return fault_lines(HZ, a, shaft_hz=shaft_hz, orders=orders)


def verdict(a: np.ndarray) -> str:
    return strongest_family(found(a)).kind


def test_the_families_are_in_the_order_of_their_names() -> None:
    for i, order in enumerate((ORDERS.bpfo, ORDERS.bpfi, ORDERS.defect, ORDERS.bsf, ORDERS.ftf)):
        lines = found(with_lines(np.ones(HZ.size), [k * order for k in (1, 2, 3)]))
        assert lines.evidence_db.argmax() == i, FAMILIES[i]


def test_a_line_is_measured_over_the_noise_around_it(rng: np.random.Generator) -> None:
    # Slow and obvious: the power of the line over the mean power of its neighbours, which are its noise.
    a = with_lines(noise(rng), [ORDERS.bpfo], height=40.0)
    at = round(ORDERS.bpfo * SHAFT_HZ / STEP_HZ)
    around = np.concatenate([a[at - 100 : at], a[at + 1 : at + 101]])
    expected = 10 * np.log10(40.0**2 / np.mean(around**2))
    assert found(a).harmonics_db[OUTER, 0] == pytest.approx(expected, abs=1.0)


def test_heights_do_not_depend_on_the_unit(rng: np.random.Generator) -> None:
    a = with_lines(noise(rng), [ORDERS.bpfi, 2 * ORDERS.bpfi])
    np.testing.assert_allclose(found(1e-6 * a).evidence_db, found(a).evidence_db, atol=1e-9)


@pytest.mark.parametrize("slip", [-0.018, -0.005, 0.0, 0.013])
def test_the_harmonics_share_one_slip(rng: np.random.Generator, slip: float) -> None:
    lines = found(with_lines(noise(rng), [k * ORDERS.bpfo * (1 + slip) for k in (1, 2, 3)]))
    # A bin of the third harmonic is 0.0004 of it, and the search is content with a neighbour.
    assert lines.slip[OUTER] == pytest.approx(slip, abs=0.0012)
    assert lines.harmonics_db[OUTER].min() > 25.0


def test_harmonics_of_different_slips_are_no_family(rng: np.random.Generator) -> None:
    common = [k * ORDERS.bpfo * 1.01 for k in (1, 2, 3)]
    apart = [ORDERS.bpfo * 1.015, 2 * ORDERS.bpfo * 0.985, 3 * ORDERS.bpfo * 1.002]
    a = noise(rng)
    together, scattered = (found(with_lines(a, lines)).evidence_db[OUTER] for lines in (common, apart))
    assert together > 18.0
    assert scattered < 0.6 * together


def test_lines_beyond_the_slip_are_no_family(rng: np.random.Generator) -> None:
    assert found(with_lines(noise(rng), [k * ORDERS.bpfo * 1.03 for k in (1, 2, 3)])).evidence_db[OUTER] < 3.0


def test_noise_gives_no_evidence_on_average(rng: np.random.Generator) -> None:
    evidence = found(noise(rng, 60)).evidence_db
    assert np.abs(evidence.mean(axis=0)).max() < 0.5
    assert np.abs(evidence).max() < 6.0


@pytest.mark.parametrize(("family", "order", "side"), [(INNER, ORDERS.bpfi, 1.0), (SPIN, ORDERS.defect, ORDERS.ftf)])
def test_sidebands_are_measured_and_add_to_the_evidence(
    rng: np.random.Generator, family: int, order: float, side: float
) -> None:
    harmonics = [k * order for k in (1, 2, 3)]
    a = noise(rng)
    bare = found(with_lines(a, harmonics))
    rich = found(with_lines(a, [h + s for h in harmonics for s in (-side, 0.0, side)]))
    assert rich.sidebands_db[family].min() > 22.0
    assert bare.sidebands_db[family].max() < 15.0
    assert rich.evidence_db[family] > bare.evidence_db[family] + 2.0


def test_evidence_is_the_mean_height_less_that_of_shifted_combs(rng: np.random.Generator) -> None:
    a = with_lines(noise(rng), [k * ORDERS.bpfo for k in (1, 2, 3)])
    lines = found(a)
    # The median of ten searches where there is nothing: each the best mean of three among some hundred trials.
    chance = lines.harmonics_db[OUTER].mean() - lines.evidence_db[OUTER]
    shifted = [
        found(a, orders=FaultOrders(ORDERS.bpfo * (1 + s), ORDERS.bpfi, ORDERS.bsf, ORDERS.ftf))
        for s in (-0.2, -0.16, -0.12, -0.08, -0.05, 0.05, 0.08, 0.12, 0.16, 0.2)
    ]
    assert chance == pytest.approx(np.median([s.harmonics_db[OUTER].mean() for s in shifted]), abs=0.3)


def test_multiples_of_the_shaft_are_no_fault(rng: np.random.Generator) -> None:
    # An outer race of order 3.02: looseness gives lines within its slip.
    orders = FaultOrders(bpfo=3.02, bpfi=4.98, bsf=2.0, ftf=0.3775)
    looseness = with_lines(noise(rng), [float(k) for k in range(1, 20)], height=60.0)
    shaft = found(looseness, orders=orders).evidence_db
    assert np.abs(shaft).max() < 3.5
    spall = with_lines(looseness, [k * 3.045 for k in (1, 2, 3)])
    assert found(spall, orders=orders).evidence_db[OUTER] > 15.0


def test_harmonics_beyond_the_spectrum_do_not_count_against_a_family(rng: np.random.Generator) -> None:
    a = with_lines(noise(rng), [ORDERS.bpfi])[..., :2200]
    lines = fault_lines(HZ[:2200], a, shaft_hz=SHAFT_HZ, orders=ORDERS)
    np.testing.assert_array_equal(lines.harmonics_db[INNER, 1:], 0.0)
    assert lines.evidence_db[INNER] > 8.0
    high = FaultOrders(bpfo=100.0, bpfi=120.0, bsf=50.0, ftf=0.45)
    beyond = fault_lines(HZ[:2200], a, shaft_hz=SHAFT_HZ, orders=high)
    np.testing.assert_array_equal(beyond.evidence_db[:4], 0.0)


def test_silence_has_no_lines() -> None:
    lines = found(np.zeros((2, HZ.size)))
    np.testing.assert_array_equal(lines.harmonics_db, np.zeros((2, 5, HARMONICS)))
    np.testing.assert_array_equal(lines.evidence_db, np.zeros((2, 5)))
    assert strongest_family(lines).kind == "undecided"


def test_a_batch_is_its_rows(rng: np.random.Generator) -> None:
    a = with_lines(noise(rng, 2, 3), [k * ORDERS.defect for k in (1, 2, 3)])
    batch, row = found(a), found(a[1, 2])
    assert batch.harmonics_db.shape == (2, 3, 5, HARMONICS)
    for name in ("slip", "harmonics_db", "sidebands_db", "evidence_db"):
        np.testing.assert_allclose(getattr(batch, name)[1, 2], getattr(row, name), err_msg=name)


# --- verdicts ---


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([], "undecided"),
        ([k * ORDERS.bpfo for k in (1, 2, 3)], "outer"),
        ([k * ORDERS.bpfi + s for k in (1, 2, 3) for s in (-1, 0, 1)], "inner"),
        ([k * ORDERS.defect + s * ORDERS.ftf for k in (1, 2, 3) for s in (-1, 0, 1)], "ball"),
        ([k * ORDERS.ftf for k in (1, 2, 3)], "ball"),
        # Balls of different load modulate the impacts of a race.
        ([k * ORDERS.bpfo for k in (1, 2, 3)] + [k * ORDERS.ftf for k in (1, 2, 3)], "outer"),
        ([float(k) for k in range(1, 20)], "undecided"),
    ],
)
def test_a_family_is_named_where_it_stands_out(rng: np.random.Generator, lines: list[float], kind: str) -> None:
    # Five looks, as five bands are; alone, noise would now and then pass for a faint family.
    a = noise(rng, 5)
    assert verdict(with_lines(a, lines) if lines else a) == kind


def test_of_two_families_alike_none_is_named(rng: np.random.Generator) -> None:
    a = noise(rng, 5)
    outer = with_lines(a, [k * ORDERS.bpfo for k in (1, 2, 3)], height=20.0)
    both = with_lines(outer, [k * ORDERS.bpfi + s for k in (1, 2, 3) for s in (-1, 0, 1)])
    assert verdict(outer) == "outer"
    assert verdict(both) == "undecided"


def test_looks_are_averaged(rng: np.random.Generator) -> None:
    a = noise(rng, 4)
    lines = found(a)
    whole = strongest_family(lines)
    assert whole.outer_db == pytest.approx(lines.evidence_db[:, OUTER].mean())
    assert whole.cage_db == pytest.approx(lines.evidence_db[:, CAGE].mean())
    assert whole.ball_db == pytest.approx(max(whole.spin_db, 0.0) + max(whole.cage_db, 0.0))


def evidence(outer: float, inner: float, spin: float, cage: float) -> FaultLines:
    """Evidence alone, the lines left out; that of BSF has no say."""
    empty = np.zeros((5, HARMONICS))
    return FaultLines(np.zeros(5), empty, empty, np.array([outer, inner, spin, 50.0, cage]), (3,) * 5)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((3.0, 0.0, 0.0, 0.0), "outer"),
        ((2.9, -5.0, -5.0, 0.0), "undecided"),
        ((6.0, 3.1, 0.0, 0.0), "undecided"),
        ((0.0, 9.0, 6.1, 0.0), "undecided"),
        ((1.0, 9.0, 2.0, 20.0), "inner"),
        ((0.0, 0.0, 1.5, 1.5), "ball"),
        ((1.0, 0.0, -4.0, 3.9), "undecided"),
    ],
)
def test_a_verdict_needs_a_level_and_a_lead(values: tuple[float, float, float, float], kind: str) -> None:
    assert strongest_family(evidence(*values), threshold_db=3.0).kind == kind


def test_what_cannot_be_measured_is_refused(rng: np.random.Generator) -> None:
    a = noise(rng)
    with pytest.raises(ParameterError, match=r"a shaft speed of 0\.0 Hz; a positive one"):
        found(a, shaft_hz=0.0)
    with pytest.raises(ParameterError, match=r"10\.0 bins to an order; at least 16"):
        found(a, shaft_hz=1.0)
    with pytest.raises(ParameterError, match=r"shape \(5,\) over \(6000,\) frequencies"):
        found(a[:5])
    with pytest.raises(ParameterError, match="stand out by 0 dB; more than 0"):
        strongest_family(found(a), threshold_db=0)
