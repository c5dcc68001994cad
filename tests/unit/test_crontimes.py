"""Times of cron, as the scheduler fires at them, beside the calendar; what is none is refused."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger

from app.crontimes import cron_fields
from app.settings import load_settings
from features.errors import ParameterError

_BEGIN = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
_WEEK = [calendar.MONDAY, calendar.TUESDAY, calendar.WEDNESDAY, calendar.THURSDAY, calendar.FRIDAY]


def _times(schedule: str, n: int) -> list[datetime]:
    trigger, found = CronTrigger(**cron_fields(schedule), timezone="UTC"), [_BEGIN]
    while len(found) <= n:
        found.append(trigger.get_next_fire_time(None, found[-1] + timedelta(seconds=1)))
    return found[1:]


def test_the_default_is_half_past_three_each_night() -> None:
    first, second = _times(load_settings().retrain_schedule, 2)
    assert first == datetime(2026, 11, 27, 3, 30, tzinfo=UTC)
    assert second - first == timedelta(days=1)


@pytest.mark.parametrize(
    ("weekdays", "wanted"),
    [
        ("0", [calendar.SUNDAY]),
        ("7", [calendar.SUNDAY]),
        ("sun", [calendar.SUNDAY]),
        ("1-5", _WEEK),
        ("Mon-Fri", _WEEK),
        ("0-2", [calendar.SUNDAY, calendar.MONDAY, calendar.TUESDAY]),
        ("5-7", [calendar.FRIDAY, calendar.SATURDAY, calendar.SUNDAY]),
        ("fri-sun", [calendar.FRIDAY, calendar.SATURDAY, calendar.SUNDAY]),
        ("6,0", [calendar.SATURDAY, calendar.SUNDAY]),
        ("1,3-4", [calendar.MONDAY, calendar.WEDNESDAY, calendar.THURSDAY]),
        ("1-5/2", [calendar.MONDAY, calendar.WEDNESDAY, calendar.FRIDAY]),
        ("*/2", [calendar.SUNDAY, calendar.TUESDAY, calendar.THURSDAY, calendar.SATURDAY]),
        ("0-7", [*_WEEK, calendar.SATURDAY, calendar.SUNDAY]),
    ],
)
def test_weekdays_are_those_of_cron(weekdays: str, wanted: list[int]) -> None:
    times = _times(f"30 3 * * {weekdays}", 14)
    assert {calendar.weekday(time.year, time.month, time.day) for time in times} == set(wanted)
    # All of them: two weeks or more have just as many of each.
    assert times[len(wanted)] - times[0] == timedelta(days=7)


def test_other_fields_are_lists_ranges_and_steps() -> None:
    assert [(time.hour, time.minute) for time in _times("*/40 1,22-23 * * *", 6)] == [
        (22, 0),
        (22, 40),
        (23, 0),
        (23, 40),
        (1, 0),
        (1, 40),
    ]
    assert [(time.month, time.day) for time in _times("0 0 1-31/15 feb,12 *", 5)] == [
        (12, 1),
        (12, 16),
        (12, 31),
        (2, 1),
        (2, 16),
    ]


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("daily", "has not the five fields of cron"),
        ("60 3 * * *", "'60' is no minute of cron; these are 0 to 59"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day"),
        ("0 0 * 13 *", "'13' is no month"),
        ("0 0 * mon *", "'mon' is no month"),
        ("0 0 * * 8", "'8' is no weekday of cron; these are 0 to 7"),
        ("0 0 * * 5-1", "'5-1' is no weekday"),
        ("0 0 * * 1,", "'' is no weekday"),
        ("0 0 * * -1", "'-1' is no weekday"),
        ("*/0 * * * *", "'[*]/0' is no minute"),
        ("*/ * * * *", "'[*]/' is no minute"),
        ("5/15 * * * *", "'5/15' is no minute"),
        ("0 0 last * *", "'last' is no day"),
        ("0 3 1 * 1", "names days of the month and weekdays; give one"),
    ],
)
def test_what_is_none_is_refused(schedule: str, why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        cron_fields(schedule)
