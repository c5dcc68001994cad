"""Laws of an alarm's conditions: delays and dead-band are kept, however the stream is cut and whenever it restarts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.alarms.conditions import Change, Conditions, Seen, Standing
from app.alarms.register import HEALTH, RISING, SEVERITY, SEVERITY_HIGH
from features.errors import ParameterError
from models.alarm import Alarm, AlarmConfig
from models.rise import Rise, slope_per_day

_S = 1_000_000_000
_DAY = 86_400
_configs = st.builds(
    AlarmConfig,
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([0.5, 0.8, 1.0]),
    st.sampled_from([0.0, 1.0, 10.0, 5400.0]),
    st.sampled_from([0.0, 1.0, 10.0, 5400.0]),
)
# Streams, bursts an hour apart, and now and then a clock that is set back.
_steps = st.lists(
    st.tuples(st.sampled_from([0.0, 0.6, 0.9, 1.0, 1.5]), st.sampled_from([0, 1, 4, 9, 3600, 3600, -7])), max_size=60
)


def _timed(steps: list[tuple[float, int]]) -> list[tuple[float, int]]:
    at_s, timed = 100, []
    for ratio, passed in steps:
        at_s = max(0, at_s + passed)
        timed.append((ratio, at_s * _S))
    return timed


def _unbroken(timed: list[tuple[float, int]], last: int, speaks: Any) -> tuple[int, float]:
    """Windows up to one that speak for a change in a row, and how long, by a clock that was not set back."""
    first = last
    while first and speaks(timed[first - 1][0]):
        first -= 1
    began = last
    while began > first and timed[began - 1][1] <= timed[began][1]:
        began -= 1
    return last - first + 1, (timed[last][1] - timed[began][1]) / _S


@settings(max_examples=300, deadline=None)
@given(_steps, _configs)
@example([(1.5, 3600), (1.5, 3600), (0.9, 1), (1.5, 3600)], AlarmConfig(1, 1, 0.8, 5400.0, 0.0))
def test_an_alarm_changes_where_its_counts_and_delays_are_met_and_nowhere_else(
    steps: list[tuple[float, int]], config: AlarmConfig
) -> None:
    timed, alarm = _timed(steps), Alarm()
    for i, (ratio, at_ns) in enumerate(timed):
        before = alarm.active
        # Through JSON, as the store keeps it: a restart at any step changes nothing.
        alarm = Alarm.restore(json.loads(json.dumps(alarm.snapshot())))
        change = alarm.update(ratio, config=config, at_ns=at_ns)
        above, above_s = _unbroken(timed, i, lambda one: one > 1.0) if ratio > 1.0 else (0, 0.0)
        below, below_s = (
            _unbroken(timed, i, lambda one: one < config.clear_ratio) if ratio < config.clear_ratio else (0, 0.0)
        )
        if before:
            met = below >= config.clear_after and below_s >= config.off_delay_s
            assert change == ("cleared" if met else None)
        else:
            met = above >= config.raise_after and above_s >= config.on_delay_s
            assert change == ("raised" if met else None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.8, 1.0), min_size=1, max_size=100), st.booleans())
def test_nothing_chatters_within_the_dead_band(ratios: list[float], active: bool) -> None:
    alarm, config = Alarm(active=active), AlarmConfig(1, 1, 0.8)
    assert [alarm.update(ratio, config=config, at_ns=i) for i, ratio in enumerate(ratios)] == [None] * len(ratios)


_seen = st.builds(
    lambda ratio, velocity, zone: (ratio, velocity, None if velocity is None else (zone, 0.6 * zone)),
    st.none() | st.floats(0.0, 3.0),
    st.none() | st.floats(0.0, 20.0),
    st.floats(0.0, 3.0),
)
_conditions = st.builds(
    Conditions,
    raise_after=st.integers(1, 3),
    clear_after=st.integers(1, 3),
    dead_band=st.sampled_from([0.0, 0.2]),
    on_delay_s=st.sampled_from([0.0, 60.0]),
    off_delay_s=st.sampled_from([0.0, 60.0]),
    severity=st.sampled_from(["C", "D", "none"]),
    rise_of=st.sampled_from(["score", "velocity"]),
    rise_limit=st.sampled_from([0.0, 0.1]),
    rise_span_s=st.sampled_from([600.0, 86_400.0]),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(_seen, st.sampled_from([0, 1, 30, 300, 3600, -7, -7200])), max_size=80), _conditions, st.data()
)
def test_a_restart_between_any_two_windows_changes_nothing(
    stream: list[tuple[Any, int]], conditions: Conditions, data: st.DataObject
) -> None:
    whole, cut, at_ns = Standing(), Standing(), 10**18
    stood = dict.fromkeys((HEALTH, SEVERITY, SEVERITY_HIGH, RISING), False)
    for (ratio, velocity, zones), passed in stream:
        at_ns += passed * _S
        seen = Seen(at_ns, ratio, velocity, zones, "bundle")
        if data.draw(st.booleans()):
            cut = Standing.restore(json.loads(json.dumps(cut.snapshot())))
        changes = whole.update(seen, conditions=conditions, grouped=True)
        assert cut.update(seen, conditions=conditions, grouped=True) == changes
        for change in changes:
            # Raised and cleared in turn, and only what is watched.
            assert stood[change.tag] == (change.change == "cleared")
            stood[change.tag] = change.change == "raised"
    assert conditions.severity == "C" or not stood[SEVERITY]
    assert conditions.severity != "none" or not stood[SEVERITY_HIGH]
    assert conditions.rise_limit or not stood[RISING]


@settings(max_examples=60, deadline=None)
@given(st.floats(-5.0, 5.0), st.lists(st.integers(0, 23), max_size=3, unique=True), st.integers(1, 40))
def test_a_slope_is_found_beside_strange_parts(slope: float, strange: list[int], each: int) -> None:
    rise, found, hour = Rise(), [], _DAY // 24
    for part in range(25):
        for i in range(each):
            at_s = part * hour + i * hour // each
            value = 1e3 if part in strange else slope * part / 24
            found.append(rise.update(value, at_ns=at_s * _S, span_s=float(_DAY)))
    slopes = [one for one in found if one is not None]
    assert slopes[-1] == pytest.approx(slope, abs=1e-6 + 0.35 * abs(slope) * bool(strange))
    # One verdict at the end of each part, none before half of the span is known.
    assert len(slopes) == 25 - 13
    assert len(json.dumps(rise.snapshot())) < 2500


def test_the_slope_of_a_straight_line_is_its_own() -> None:
    days = [0, 1, 2, 5, 9]
    assert slope_per_day([day * _DAY * _S for day in days], [3.0 - 0.25 * day for day in days]) == pytest.approx(-0.25)


def test_a_score_that_rises_is_told_and_one_of_another_model_begins_anew() -> None:
    conditions = Conditions(rise_limit=0.1, rise_span_s=float(_DAY))
    standing, changes = Standing(), list[Change]()
    for hour in range(72):
        seen = Seen(hour * 3600 * _S, 0.3 + 0.2 * min(hour, 24) / 24, bundle="a")
        changes += standing.update(seen, conditions=conditions, grouped=False)
    assert [(one.tag, one.change) for one in changes] == [(RISING, "raised"), (RISING, "cleared")]
    assert changes[0].why == "+0.2 thresholds a day over 1 days"
    assert changes[0].priority == "medium"
    assert len(standing.rise.medians) > 20
    standing.update(Seen(72 * 3600 * _S, 5.0, bundle="b"), conditions=conditions, grouped=False)
    assert standing.rise.medians == []


@pytest.mark.parametrize("later_days", [1.0, 30.0])
def test_a_span_that_is_changed_begins_anew(later_days: float) -> None:
    # A rise of 0.01 a day, of which 0.05 is admitted.
    standing, changes = Standing(), list[Change]()
    for hour in range(24 * 21):
        span_s = _DAY * (7.0 if hour < 24 * 14 + 5 else later_days)
        seen = Seen(hour * 3600 * _S, 0.3 + 0.01 * hour / 24, bundle="a")
        changes += standing.update(seen, conditions=Conditions(rise_limit=0.05, rise_span_s=span_s), grouped=False)
    assert changes == []


def test_what_is_watched_no_more_is_cleared() -> None:
    standing, watched = Standing(), Conditions(raise_after=1, severity_on_delay_s=0.0)
    changes = standing.update(Seen(0, velocity=9.0, zones=(3.2, 2.0)), conditions=watched, grouped=True)
    assert [(one.tag, one.change, one.priority) for one in changes] == [
        (SEVERITY, "raised", "medium"),
        (SEVERITY_HIGH, "raised", "urgent"),
    ]
    assert changes[0].why == "320 % of where zone C begins, at 9 mm/s"
    for conditions, grouped in ((Conditions(severity="none"), True), (watched, False)):
        again = Standing.restore(standing.snapshot())
        ended = again.update(Seen(1), conditions=conditions, grouped=grouped)
        assert [(one.tag, one.change) for one in ended] == [(SEVERITY, "cleared"), (SEVERITY_HIGH, "cleared")]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"on_delay": 3}, "unknown alarm option 'on_delay'; known are raise_after, clear_after, dead_band"),
        ({"raise_after": 2.5}, "raise_after is 2.5; a whole number is wanted"),
        ({"raise_after": True}, "raise_after is True; a whole number is wanted"),
        ({"raise_after": 0}, "0 and 10 windows are to raise and clear"),
        ({"on_delay_s": "long"}, "on_delay_s is 'long'; a number is wanted"),
        ({"on_delay_s": -1}, "on_delay_s is -1.0; 0 or more is wanted"),
        ({"off_delay_s": float("nan")}, "off_delay_s is nan; 0 or more is wanted"),
        ({"rise_span_s": 0}, "rise_span_s is 0.0; a positive number is wanted"),
        ({"dead_band": 1.0}, "dead_band is 1.0; 0 to below 1 is wanted"),
        ({"severity": "E"}, "severity is 'E'; one of C, D, none is wanted"),
        ({"rise_of": 1}, "rise_of is 1; a word is wanted"),
    ],
)
def test_options_that_cannot_be_met_are_refused(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(ParameterError, match=fault):
        Conditions().changed(given)


def test_delays_want_a_time() -> None:
    with pytest.raises(ParameterError, match="without a time"):
        Alarm().update(2.0, config=AlarmConfig(on_delay_s=1.0))
