"""Alarms are worked through on the command line, each step with its user and reason in the journal."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from app.access.roles import User
from app.alarms.lifecycle import LifecycleError
from app.alarms.register import HEALTH, follow, set_priority, tags
from app.cli import _raceway
from app.settings import Settings
from app.store import PointRow, reading, save_point, writing

_EDDA = User("edda", "engineer")


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        for i, point in enumerate(("a/b/c", "a/b/d")):
            save_point(connection, PointRow(point, "pump"), new=True)
            follow(connection, point, HEALTH, active=True, now_ns=1_000_000_000 * (5 - i))
    return store


@pytest.fixture
def run(settings: Settings, engine: sa.Engine) -> object:
    del engine

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "alarms", *arguments])

    return call


def test_an_alarm_is_listed_acknowledged_and_in_the_journal(run) -> None:  # type: ignore[no-untyped-def]
    listed = json.loads(run("list", "--json").output)
    assert [(one["point"], one["state"]) for one in listed] == [
        ("a/b/d", "unacknowledged"),
        ("a/b/c", "unacknowledged"),
    ]
    assert run("acknowledge", "a/b/c", "--user", "anna").output == "a/b/c health: acknowledged\n"
    waiting = run("list", "--waiting").output
    assert "a/b/d" in waiting
    assert "a/b/c" not in waiting
    assert "1970-01-01 00:00:04Z" in run("list").output
    steps = json.loads(run("journal", "--json", "--point", "a/b/c").output)
    assert [(step["who"], step["action"], step["after"]) for step in steps] == [
        ("anna", "acknowledge", "acknowledged"),
        ("raceway", "raise", "unacknowledged"),
    ]
    assert "a/b/c health: anna did acknowledge" in run("journal").output


def test_an_alarm_is_shelved_for_hours_with_a_reason(run) -> None:  # type: ignore[no-untyped-def]
    assert run("shelve", "a/b/c", "--hours", "2").exit_code == 2
    done = run("shelve", "a/b/c", "--hours", "2", "--why", "works going on", "--user", "anna")
    assert done.output == "a/b/c health: shelved\n"
    (shelved,) = [one for one in json.loads(run("list", "--json").output) if one["point"] == "a/b/c"]
    assert shelved["until_ns"] - shelved["since_ns"] == 7_200_000_000_000
    assert "until" in run("list").output
    assert run("unshelve", "a/b/c").output == "a/b/c health: unacknowledged\n"


@pytest.mark.parametrize(
    ("step", "state"),
    [("suppress", "suppressed by design"), ("out-of-service", "out of service")],
)
def test_an_alarm_is_hidden_and_brought_back(run, step: str, state: str) -> None:  # type: ignore[no-untyped-def]
    assert run(step, "a/b/c", "--why", "standstill").output == f"a/b/c health: {state}\n"
    back = {"suppress": "unsuppress", "out-of-service": "in-service"}[step]
    assert run(back, "a/b/c").output == "a/b/c health: unacknowledged\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("acknowledge", "x/y/z"), "no point 'x/y/z' is stored"),
        (("unshelve", "a/b/c"), "it is not shelved"),
        (("acknowledge", "a/b/c", "severity"), "only new and returned ones are"),
        (("shelve", "a/b/c", "helth", "--hours", "2", "--why", "works"), "there is no alarm 'helth'; one of health, "),
    ],
)
def test_steps_that_lead_nowhere_are_refused(run, arguments: tuple[str, ...], words: str) -> None:  # type: ignore[no-untyped-def]
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert {one["tag"] for one in json.loads(run("list", "--json").output)} == {HEALTH}


def test_a_step_before_the_first_raise_leaves_an_alarm_its_own_priority(run, engine: sa.Engine) -> None:  # type: ignore[no-untyped-def]
    assert run("comment", "a/b/c", "severity high", "--why", "new bearing").exit_code == 0
    with writing(engine) as connection:
        follow(connection, "a/b/c", "severity high", active=True, now_ns=9)
    assert run("list").output.startswith("urgent  a/b/c")


def test_a_priority_is_set_and_in_the_journal(run) -> None:  # type: ignore[no-untyped-def]
    assert run("priority", "a/b/c", "health", "low", "--user", "edda").output == "a/b/c health: low\n"
    assert run("list").output.splitlines()[-1].startswith("low     a/b/c")
    assert "edda did comment: priority is low from now on" in run("journal").output


def test_the_urgent_come_first(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        set_priority(connection, _EDDA, "a/b/c", HEALTH, "urgent", now_ns=9)
        with pytest.raises(LifecycleError, match="one of low, medium, high, urgent"):
            set_priority(connection, _EDDA, "a/b/c", HEALTH, "huge", now_ns=9)  # type: ignore[arg-type]
        with pytest.raises(LifecycleError, match="was never raised"):
            set_priority(connection, _EDDA, "a/b/c", "other", "low", now_ns=9)
    with reading(engine) as connection:
        assert [one.point_id for one in tags(connection)] == ["a/b/c", "a/b/d"]
