"""What asks for attention first, and the words of it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from app.alarms.lifecycle import AlarmState, State
from app.alarms.register import Priority, Tag
from app.attention import ACT, IN_ORDER, LEARNING, LEVELS, NOT_WATCHED, PLAN, WATCH, Facts, Level, Rise

DAY_NS = 86_400_000_000_000


def tag(
    name: str = "health", priority: Priority = "high", state: State = "unacknowledged", *, active: bool = True
) -> Tag:
    return Tag("a/b/c", name, priority, AlarmState(state, active))


# From what asks for attention most to what does least; each is above all that follow.
RANKED: list[tuple[Level, dict[str, Any]]] = [
    (ACT, {"alarms": (tag(priority="urgent"),)}),
    (ACT, {"alarms": (tag(),), "zone": "D"}),
    (ACT, {"alarms": (tag(),)}),
    (ACT, {"alarms": (tag(state="acknowledged"),)}),
    (ACT, {"zone": "D"}),
    (ACT, {"due_ns": (0, DAY_NS - 1, 9 * DAY_NS)}),
    (PLAN, {"zone": "C", "ratio": 1.2}),
    (PLAN, {"zone": "C"}),
    (PLAN, {"alarms": (tag(priority="medium", state="acknowledged"),)}),
    (PLAN, {"due_ns": (0, DAY_NS, 9 * DAY_NS)}),
    (PLAN, {"due_ns": (3 * DAY_NS, 5 * DAY_NS, 9 * DAY_NS)}),
    (PLAN, {"ratio": 1.5}),
    (PLAN, {"ratio": 1.1}),
    (NOT_WATCHED, {"unjudged_words": "nothing is judged: no bundle", "silent_words": "silent"}),
    (NOT_WATCHED, {"state": "failed"}),
    (NOT_WATCHED, {"silent_words": "last heard of 3 d ago"}),
    (WATCH, {"alarms": (tag(state="returned", active=False),)}),
    (WATCH, {"due_ns": (30 * DAY_NS, 50 * DAY_NS, 90 * DAY_NS)}),
    (WATCH, {"ratio": 0.9, "rise": Rise(0.4, 0.9, DAY_NS)}),
    (LEARNING, {"state": "learning"}),
    (IN_ORDER, {"ratio": 0.9}),
    (IN_ORDER, {"ratio": 0.2, "zone": "B"}),
]


@pytest.mark.parametrize(("level", "values"), RANKED, ids=str)
def test_each_has_its_level(level: Level, values: dict[str, Any]) -> None:
    assert Facts(**values).level(now_ns=0) is level


def test_what_is_worse_comes_first() -> None:
    ranks = [Facts(**values).rank(now_ns=0) for _, values in RANKED]
    assert all(worse > better for worse, better in itertools.pairwise(ranks))


def test_levels_have_words_and_symbols_of_their_own_beside_colours() -> None:
    assert len({level.word for level in LEVELS}) == len({level.symbol for level in LEVELS}) == len(LEVELS)
    assert [level.rank for level in LEVELS] == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"alarms": (tag(),), "kind": "outer"}, ["high alarm, new: outer race fault of the bearing"]),
        (
            {"alarms": (tag("no data", "medium", "acknowledged"),)},
            ["medium alarm, acknowledged: nothing comes"],
        ),
        # The alarm of the zone says what the zone would.
        (
            {"alarms": (tag("severity", "medium"),), "zone": "C"},
            ["medium alarm, new: shakes as in zone C of ISO 20816"],
        ),
        ({"ratio": 1.25}, ["score at 1.25 of its threshold"]),
        # A standing alarm says that the score is above.
        (
            {"ratio": 1.25, "alarms": (tag(),), "kind": "ball"},
            ["high alarm, new: rolling element fault of the bearing"],
        ),
        ({"rise": Rise(0.4, 0.7, 12 * DAY_NS)}, ["score rose from 0.40 to 0.70 of its threshold in 12 days"]),
        ({"rise": Rise(0.4, 0.7, DAY_NS // 2)}, ["score rose from 0.40 to 0.70 of its threshold in 12 hours"]),
        ({"rise": Rise(0.4, 0.7, DAY_NS // 240)}, ["score rose from 0.40 to 0.70 of its threshold in 6 minutes"]),
        ({"rise": Rise(0.2, 0.5, DAY_NS)}, []),
        ({"rise": Rise(0.6, 0.8, DAY_NS)}, []),
        ({"due_ns": (3 * DAY_NS, 5 * DAY_NS, 9 * DAY_NS)}, ["reaches its limit in about 5 days (3 to 9 days)"]),
        ({"due_ns": (3 * DAY_NS, 5 * DAY_NS, None)}, ["reaches its limit in about 5 days (3 or more days)"]),
        ({"due_ns": (-DAY_NS, -DAY_NS, 9 * DAY_NS)}, ["reaches its limit within a day (0 to 9 days)"]),
    ],
    ids=str,
)
def test_reasons_are_said(values: dict[str, Any], words: list[str]) -> None:
    assert [reason.words for reason in Facts(**values).reasons(now_ns=0)] == words
