"""What falls due: which advice, by when, and as table and calendar."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.alarms.lifecycle import AlarmState
from app.alarms.register import Priority, Tag
from app.attention import Facts
from app.maintenance import ADVICE, WITHIN_DAYS, Duty, calendar_text, duties_of, table_text

DAY_NS = 86_400_000_000_000
NOW_NS = 1_795_000_000_000_000_000


def tag(name: str = "health", priority: Priority = "high", *, active: bool = True) -> Tag:
    return Tag("a/b/c", name, priority, AlarmState("unacknowledged" if active else "returned", active))


def made(**values: Any) -> list[Duty]:
    return duties_of("a/b/c", "Pump", "Hall", Facts(**values), now_ns=NOW_NS)


@pytest.mark.parametrize(
    ("values", "keys", "days"),
    [
        ({}, [], []),
        ({"zone": "B", "ratio": 0.9}, [], []),
        ({"alarms": (tag(),), "kind": "outer"}, ["outer"], [7]),
        ({"alarms": (tag(),), "kind": None}, ["unknown"], [7]),
        ({"alarms": (tag("node alarm", "urgent"),), "kind": "inner"}, ["inner"], [1]),
        ({"alarms": (tag(active=False),)}, [], []),
        # The alarm of a zone and the zone are one duty, the more urgent one.
        ({"alarms": (tag("severity", "low"),), "zone": "C"}, ["zone C"], [30]),
        ({"zone": "D", "silent_words": "last heard of 3 d ago"}, ["zone D", "signal"], [1, 30]),
        ({"alarms": (tag("no data", "medium"),), "offline_words": "node n: offline"}, ["signal"], [30]),
        ({"state": "failed", "state_words": "no baseline"}, ["baseline"], [7]),
        ({"unjudged_words": "its baseline cannot be read"}, ["bundle"], [7]),
        ({"alarms": (tag("rising", "low"),)}, ["rising"], [90]),
    ],
    ids=str,
)
def test_each_cause_has_its_advice_and_its_time(values: dict[str, Any], keys: list[str], days: list[int]) -> None:
    found = made(**values)
    assert [one.advice for one in found] == [ADVICE[key] for key in keys]
    assert [(one.likely_ns - NOW_NS) / DAY_NS for one in found] == days
    assert all((one.earliest_ns, one.latest_ns, one.forecast) == (NOW_NS, one.likely_ns, False) for one in found)


def test_a_forecast_brings_its_own_interval() -> None:
    due = (NOW_NS + 3 * DAY_NS, NOW_NS + 5 * DAY_NS, None)
    (one,) = made(due_ns=due, due_words="velocity RMS reaches zone D of its ISO group")
    assert (one.earliest_ns, one.likely_ns, one.latest_ns, one.forecast) == (*due, True)
    assert one.why == "velocity RMS reaches zone D of its ISO group"


def test_more_urgent_is_due_sooner_and_every_advice_says_what_it_rests_on() -> None:
    assert list(WITHIN_DAYS.values()) == sorted(WITHIN_DAYS.values())
    assert list(WITHIN_DAYS) == ["urgent", "high", "medium", "low"]
    assert all(one.what and one.steps and one.source for one in ADVICE.values())


def test_the_table_holds_what_is_due_and_no_formula() -> None:
    (duty,) = made(alarms=(tag(),), kind="outer")
    text = table_text([replace(duty, name='=HYPERLINK("x")')])
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["machine"] == '\'=HYPERLINK("x")'
    assert (row["point"], row["what"], row["from a trend"]) == ("a/b/c", "Plan a bearing change", "no")
    assert row["likely"] == datetime.fromtimestamp(duty.likely_ns / 1e9, UTC).date().isoformat()


def test_the_calendar_has_an_event_for_each_day_and_folds_its_lines() -> None:
    (duty,) = made(alarms=(tag(),), kind="outer")
    long = replace(duty, name="Pümpe, " * 20, latest_ns=None)
    text = calendar_text([duty, long], now_ns=NOW_NS)
    lines = text.split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    assert max(len(line.encode()) for line in lines) <= 75
    assert "\n" not in text.replace("\r\n", "")
    # Unfolded as RFC 5545 says it.
    unfolded = text.replace("\r\n ", "").split("\r\n")
    day = datetime.fromtimestamp(duty.likely_ns / 1e9, UTC)
    assert unfolded.count(f"DTSTART;VALUE=DATE:{day:%Y%m%d}") == 2
    assert "SUMMARY:" + r"Pümpe\, " * 20 + ": Plan a bearing change" in unfolded
    assert any("latest not known (UTC)." in line for line in unfolded)
    # The same duty is the same event, so that it is moved and not doubled.
    assert len({line for line in unfolded if line.startswith("UID:")}) == 1
