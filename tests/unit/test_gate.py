"""The gate: what each reason rests on, beside a second source, and faults laid over healthy windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from features.bearing import bearing_named
from features.envelope import envelope_spectrum
from features.errors import ParameterError
from models.alarm import AlarmConfig
from models.gate import CALIBRATED, Judged, Share, gate, judge, share_above
from models.injection import KINDS, fault_vibration, with_fault
from models.tail import Tail

_GOOD = Judged(
    threshold=2.0,
    frozen=Share(0, 120, 0.0),
    recent=Share(1, 120, 0.0001),
    alarms=0,
    calibration={0.1: Share(12, 120, 0.05), 0.05: Share(7, 120, 0.02)},
    detected={"outer": 0.8, "inner": 0.7},
    seen={"outer": 1.0},
    rejected=Share(3, 9, 0.1),
)


def test_the_lower_limit_is_the_level_at_which_so_many_would_be_a_surprise(rng: np.random.Generator) -> None:
    scores = rng.permutation(np.arange(100.0))
    scores = np.stack([np.sort(scores)[:50], np.sort(scores)[:49:-1]], axis=1).ravel()  # neighbours never alike
    share = share_above(scores, 94.5, confidence=0.95)
    assert (share.passed, share.windows, share.value) == (5, 100, 0.05)
    assert scipy.stats.binom.sf(4, 100, share.low) == pytest.approx(0.05, rel=1e-6)


def test_windows_that_are_alike_prove_less(rng: np.random.Generator) -> None:
    scores = rng.random(40)
    once, often = (share_above(x, 0.7, confidence=0.95) for x in (scores, np.repeat(scores, 5)))
    assert often.value == once.value
    assert often.low < once.low * 1.25


def test_a_challenger_as_good_as_the_champion_passes() -> None:
    assert gate(_GOOD, _GOOD, rate=1e-3) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frozen": Share(9, 120, 0.03)}, "9 of 120 frozen healthy windows"),
        ({"recent": Share(9, 120, 0.03)}, "9 of 120 recent healthy windows"),
        ({"alarms": 1}, "raise 1 alarms, the champion's 0"),
        (
            {"calibration": {0.1: Share(40, 120, 0.2)}},
            "33 % of recent healthy windows pass the level that stands for 10",
        ),
        ({"detected": {"outer": 0.8, "inner": 0.59}}, "inner: it sees 59 % of windows with a fault laid over them"),
        ({"rejected": Share(4, 9, 0.1)}, "4 of 9 windows of alarms that people rejected pass"),
        ({"seen": {"outer": 0.5}}, "outer: it sees 50 % of windows of past alarms, the champion 100 %"),
    ],
)
def test_each_loss_is_a_reason_of_its_own(changes: dict[str, object], reason: str) -> None:
    (said,) = gate(_GOOD, replace(_GOOD, **changes), rate=1e-3)  # type: ignore[arg-type]
    assert reason in said


def test_cost_and_missing_faults_are_reasons() -> None:
    assert gate(_GOOD, _GOOD, rate=1e-3, over_budget=["9 flash bytes too many"]) == ("9 flash bytes too many",)
    blind = replace(_GOOD, detected={}, seen={})
    assert gate(blind, blind, rate=1e-3) == ("no windows with faults are there to judge it on",)


def test_a_model_is_judged_by_counting(rng: np.random.Generator) -> None:
    frozen, recent, outer, alarmed = (rng.random((n, 1)).astype(np.float32) for n in (50, 60, 40, 30))
    tail = Tail(start=0.7, share=0.2, shape=0.0, scale=0.1)
    found = judge(
        lambda features: features[:, 0].astype(np.float64),
        threshold=0.8,
        tail=tail,
        frozen=frozen,
        recent=recent,
        frozen_ns=np.arange(50),
        recent_ns=np.arange(60),
        faults={"outer": outer},
        alarmed={"inner": alarmed},
        rejected=recent[:20],
        alarm=AlarmConfig(raise_after=1, clear_after=1, clear_ratio=1.0),
    )
    assert found.frozen.passed == sum(x > 0.8 for x in frozen.ravel().tolist())
    assert found.detected == {"outer": np.mean([x > 0.8 for x in outer.ravel().tolist()])}
    assert found.seen == {"inner": np.mean([x > 0.8 for x in alarmed.ravel().tolist()])}
    assert found.rejected is not None
    assert found.rejected.passed == sum(x > 0.8 for x in recent[:20].ravel().tolist())
    above = [[x > 0.8 for x in part.ravel().tolist()] for part in (frozen, recent)]
    rises = sum(now and not before for part in above for before, now in zip([False, *part], part, strict=False))
    assert found.alarms == rises
    for rate in CALIBRATED:
        assert found.calibration[rate].passed == sum(x > tail.level(rate) for x in recent.ravel().tolist())


def test_alarms_of_a_plant_with_delays_are_counted_in_the_time_of_the_windows() -> None:
    def alarms(alarm: AlarmConfig, *, apart_s: int) -> int:
        ratios = np.array([0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0, 2.0, 2.0], np.float32).reshape(-1, 1)
        ends_ns = np.arange(9) * apart_s * 10**9
        return judge(
            lambda features: features[:, 0].astype(np.float64),
            threshold=1.0,
            tail=None,
            frozen=ratios,
            recent=np.zeros_like(ratios),
            frozen_ns=ends_ns,
            recent_ns=ends_ns,
            faults={},
            alarmed={},
            alarm=alarm,
        ).alarms

    # By hand: three bursts; one window long, two, three. With an hour between windows the last two last long enough.
    at_once = AlarmConfig(raise_after=1, clear_after=1)
    assert alarms(at_once, apart_s=1) == 3
    assert alarms(replace(at_once, on_delay_s=1800.0), apart_s=3600) == 2
    assert alarms(replace(at_once, on_delay_s=7200.0), apart_s=3600) == 1
    assert alarms(replace(at_once, on_delay_s=1800.0), apart_s=1) == 0
    # A single window below does not clear: what follows is the same alarm.
    assert alarms(replace(at_once, off_delay_s=1800.0), apart_s=1) == 1


def test_no_windows_give_no_share() -> None:
    with pytest.raises(ParameterError, match="one or more are wanted"):
        share_above(np.empty(0), 1.0, confidence=0.95)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_laid_over_at_its_level(rng: np.random.Generator, kind: str) -> None:
    healthy = rng.standard_normal((3, 2, 4096)).astype(np.float32) * 0.2 + 1.0
    faulty = with_fault(healthy, rng, kind=kind, level=0.5, rate_hz=12_800.0, shaft_hz=29.5, bearing=None)
    added = np.sqrt(np.mean((faulty - healthy) ** 2, axis=-1))
    np.testing.assert_allclose(added, 0.5 * healthy.std(axis=-1), rtol=1e-3)


def test_the_line_of_an_outer_race_stands_in_the_envelope(rng: np.random.Generator) -> None:
    bearing = bearing_named("6205-2RS")
    x = fault_vibration(rng, "outer", n=1 << 16, rate_hz=12_800.0, shaft_hz=30.0, bearing=bearing)
    frequencies, lines = envelope_spectrum(x, 12_800.0)
    bpfo = bearing.orders.bpfo * 30.0
    near = (frequencies > 50.0) & (frequencies < 160.0)
    assert frequencies[near][np.argmax(lines[near])] == pytest.approx(bpfo, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_a_slow_machine_hold_a_strike(rng: np.random.Generator, kind: str) -> None:
    """At 30 turns a minute two strikes are up to half a second apart, and a window of 4096 samples lasts 0.16 s."""
    for _ in range(20):
        x = fault_vibration(rng, kind, n=4096, rate_hz=25_600.0, shaft_hz=0.5, bearing=None)
        assert np.isfinite(x).all()
        assert float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) == pytest.approx(1.0, rel=1e-3)
        if kind in ("inner", "outer", "ball"):
            assert np.abs(x).max() > 4.0, "a strike stands out of what follows it"


def test_an_unknown_fault_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ParameterError, match="one of inner, outer"):
        fault_vibration(rng, "rust", n=4096, rate_hz=12_800.0, shaft_hz=None, bearing=None)
