"""In the store an alarm stands as its pure lifecycle says, each step is in the journal, a restart changes nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.alarms.lifecycle import ACTIONS, AlarmState, Entry, LifecycleError, due, stepped
from app.alarms.register import HEALTH, end_shelves, follow, journal, tags, take
from app.store import PointRow, open_store, reading, save_point, writing

_POINT = "a/b/c"


class Register(RuleBasedStateMachine):
    """Steps in the store beside the pure lifecycle, with restarts in between."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.url = f"sqlite:///{self.folder / 'raceway.db'}"
        self.engine = open_store(self.url, migrate=True)
        with writing(self.engine) as connection:
            save_point(connection, PointRow(_POINT, "pump"), new=True)
        self.model, self.trail, self.now_ns = AlarmState(), list[Entry](), 0

    @rule(action=st.sampled_from(ACTIONS), passed=st.integers(0, 1000), shelf=st.integers(1, 2000))
    def step(self, action: Any, passed: int, shelf: int) -> None:
        self.now_ns += passed
        given: dict[str, Any] = {"now_ns": self.now_ns, "who": "anna", "why": "because"}
        given |= {"until_ns": self.now_ns + shelf} if action == "shelve" else {}
        try:
            self.model, entry = stepped(self.model, action, **given)
        except LifecycleError:
            with pytest.raises(LifecycleError, match="an alarm"), writing(self.engine) as connection:
                take(connection, _POINT, HEALTH, action, **given)
            return
        self.trail.append(entry)
        with writing(self.engine) as connection:
            assert take(connection, _POINT, HEALTH, action, **given) == self.model

    @rule(active=st.booleans(), passed=st.integers(0, 1000))
    def the_condition_is(self, active: bool, passed: int) -> None:
        self.now_ns += passed
        with writing(self.engine) as connection:
            changed = follow(connection, _POINT, HEALTH, active=active, now_ns=self.now_ns)
        assert changed == (active != self.model.active)
        if changed:
            action: Any = "raise" if active else "clear"
            self.model, entry = stepped(self.model, action, now_ns=self.now_ns, who="raceway")
            self.trail.append(entry)

    @rule(passed=st.integers(0, 3000))
    def shelves_end(self, passed: int) -> None:
        self.now_ns += passed
        ended = due(self.model, now_ns=self.now_ns)
        with writing(self.engine) as connection:
            back = end_shelves(connection, now_ns=self.now_ns)
        assert bool(back) == (ended is not None)
        if ended is not None:
            self.model = ended[0]
            self.trail.append(ended[1])
            assert back[0].alarm == self.model

    @rule()
    def restart(self) -> None:
        self.engine.dispose()
        self.engine = open_store(self.url, migrate=True)

    @rule()
    def crash_within_a_step(self) -> None:
        """What is undone before its commit has never been."""
        with pytest.raises(KeyboardInterrupt):
            self._crashed()

    def _crashed(self) -> None:
        with writing(self.engine) as connection:
            take(connection, _POINT, HEALTH, "comment", now_ns=self.now_ns, who="anna", why="lost")
            raise KeyboardInterrupt

    @invariant()
    def the_store_says_the_same(self) -> None:
        if not hasattr(self, "engine"):
            return
        with reading(self.engine) as connection:
            stored, steps = tags(connection), journal(connection)
        assert [one.alarm for one in stored] == ([self.model] if self.trail else [])
        assert [row.entry for row in reversed(steps)] == self.trail

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            shutil.rmtree(self.folder)


Register.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestRegister = Register.TestCase
