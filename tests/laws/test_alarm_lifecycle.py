"""Alarms take no step that ISA-18.2 does not know, each step is written down, and the trail alone tells the state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.alarms.lifecycle import ACTIONS, SYSTEM, AlarmState, Entry, LifecycleError, due, stepped

# By hand from the diagram of the standard: (state, step) and where it leads with the condition present and gone.
_HIDDEN = {"shelve": "shelved", "suppress": "suppressed by design", "take out of service": "out of service"}
_ENDS = {"unshelve": "shelved", "unsuppress": "suppressed by design", "return to service": "out of service"}
_DIAGRAM = {
    ("normal", "raise"): "unacknowledged",
    ("unacknowledged", "acknowledge"): "acknowledged",
    ("unacknowledged", "clear"): "returned",
    ("acknowledged", "clear"): "normal",
    ("returned", "acknowledge"): "normal",
    ("returned", "raise"): "unacknowledged",
    **{(shown, step): hidden for shown in ("normal", "unacknowledged", "acknowledged", "returned")
       for step, hidden in _HIDDEN.items()},
    ("shelved", "shelve"): "shelved",
    ("shelved", "suppress"): "suppressed by design",
    ("shelved", "take out of service"): "out of service",
    ("suppressed by design", "take out of service"): "out of service",
    ("out of service", "suppress"): "suppressed by design",
    **{(hidden, step): hidden for hidden in _HIDDEN.values() for step in ("raise", "clear")},
}  # fmt: skip


def _wanted(state: str, active: bool, action: str) -> str | None:
    if (action == "raise" and active) or (action == "clear" and not active):
        return None
    if action == "comment":
        return state
    if action in _ENDS:
        return ("unacknowledged" if active else "normal") if state == _ENDS[action] else None
    return _DIAGRAM.get((state, action))


class Lifecycle(RuleBasedStateMachine):
    """Any steps of operators and of the plant, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.alarm, self.trail, self.now_ns = AlarmState(), list[Entry](), 0

    @rule(action=st.sampled_from(ACTIONS), passed=st.integers(0, 1000), shelf=st.integers(1, 2000))
    def step(self, action: Any, passed: int, shelf: int) -> None:
        self.now_ns += passed
        before = self.alarm
        wanted = _wanted(before.state, before.active, action)
        more = {"until_ns": self.now_ns + shelf} if action == "shelve" else {}
        if wanted is None:
            with pytest.raises(LifecycleError):
                stepped(before, action, now_ns=self.now_ns, who="anna", why="because", **more)
            return
        self.alarm, entry = stepped(before, action, now_ns=self.now_ns, who="anna", why="because", **more)
        self.trail.append(entry)
        assert (entry.before, entry.after) == (before.state, self.alarm.state)
        assert self.alarm.state == wanted
        assert self.alarm.active == {"raise": True, "clear": False}.get(action, before.active)

    @rule(passed=st.integers(0, 3000))
    def time_passes(self, passed: int) -> None:
        self.now_ns += passed
        before, ended = self.alarm, due(self.alarm, now_ns=self.now_ns)
        if before.state == "shelved" and before.until_ns is not None and self.now_ns >= before.until_ns:
            assert ended is not None
            self.alarm, entry = ended
            self.trail.append(entry)
            assert entry.who == SYSTEM
            assert self.alarm.state == ("unacknowledged" if before.active else "normal")
        else:
            assert ended is None

    @invariant()
    def the_trail_tells_the_state(self) -> None:
        """A restart that reads nothing but the trail is where the alarm was."""
        again = AlarmState()
        for entry in self.trail:
            again, repeated = stepped(
                again, entry.action, now_ns=entry.at_ns, who=entry.who, why=entry.why, until_ns=entry.until_ns
            )
            assert repeated == entry
        assert again == self.alarm

    @invariant()
    def states_and_conditions_agree(self) -> None:
        alarm = self.alarm
        assert (alarm.until_ns is not None) == (alarm.state == "shelved")
        if alarm.state in ("unacknowledged", "acknowledged"):
            assert alarm.active
        if alarm.state in ("normal", "returned"):
            assert not alarm.active
        assert alarm.wants_attention == (alarm.state in ("unacknowledged", "returned"))


Lifecycle.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestLifecycle = Lifecycle.TestCase


@pytest.mark.parametrize(
    ("action", "given", "reason"),
    [
        ("acknowledge", {"who": " "}, "nobody is named"),
        ("comment", {"why": ""}, "no reason was given"),
        ("shelve", {"why": ""}, "no reason was given"),
        ("shelve", {"why": "noise"}, "end that lies ahead"),
        ("shelve", {"why": "noise", "until_ns": 5}, "end that lies ahead"),
        ("acknowledge", {"until_ns": 50}, "only a shelf has an end"),
    ],
)
def test_a_step_without_what_it_wants_is_refused(action: Any, given: dict[str, Any], reason: str) -> None:
    alarm = AlarmState("unacknowledged", active=True)
    with pytest.raises(LifecycleError, match=reason):
        stepped(alarm, action, now_ns=5, **{"who": "anna", **given})


def test_a_shelf_that_is_renewed_begins_anew() -> None:
    alarm, _ = stepped(AlarmState(), "shelve", now_ns=10, who="anna", why="works going on", until_ns=20)
    alarm, _ = stepped(alarm, "shelve", now_ns=15, who="anna", why="works take longer", until_ns=90)
    assert (alarm.since_ns, alarm.until_ns) == (15, 90)
    assert due(alarm, now_ns=89) is None
