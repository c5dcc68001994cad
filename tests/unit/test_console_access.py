"""The pages of settings and audit, and who may see and do what on them."""

from __future__ import annotations

import csv
import io
import re
import time
from typing import Any

import pytest
import sqlalchemy as sa
from pages import acting_as, opened, press
from plans import plans_of
from streamlit.testing.v1 import AppTest

from app.access.accounts import add
from app.access.audit import note, note_refused, trail
from app.access.passwords import accounts_of, matches
from app.access.roles import RIGHTS, ROLES, Role, User
from app.access.timeline import Happening, timeline
from app.alarms.register import HEALTH, act, follow
from app.console.audit import csv_of
from app.console.pages import PAGES
from app.schema import alarm_journal, rollout_log, rollouts
from app.settings import Settings
from app.store import PointRow, reading, save_point, writing

_ADA, _KIM = User("ada", "admin"), User("kim", "operator")

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def engine(console: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    acting_as(monkeypatch, _ADA)
    return console


@pytest.fixture
def entered(engine: sa.Engine, settings: Settings) -> sa.Engine:
    with writing(engine) as connection:
        add(connection, settings.users, _ADA, "ada", "admin", "correct horse", now_ns=1)
        add(connection, settings.users, _ADA, "kim", "operator", "correct horse", now_ns=1)
    return engine


def _typed(page: AppTest, label: str, text: str) -> None:
    next(field for field in page.text_input if field.label == label).set_value(text)


def _chosen(page: AppTest, label: str, value: str) -> None:
    next(field for field in page.selectbox if field.label == label).set_value(value)


@pytest.mark.parametrize("role", ROLES)
def test_each_page_is_drawn_for_those_with_its_right_only(
    role: Role, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine is not None
    acting_as(monkeypatch, User("vera", role))
    for listed in PAGES:
        # All of them draw for somebody; those that everybody may look at are drawn in other tests.
        if listed.right == "look":
            continue
        page = opened(listed.page)
        refused = f"Refused: vera is {role} and may not {listed.right}; "
        assert [error.value.startswith(refused) for error in page.error] == (
            [] if listed.right in RIGHTS[role] else [True]
        )
        assert bool(page.title) is (listed.right in RIGHTS[role])


def test_the_first_admin_is_entered_on_the_page(engine: sa.Engine, settings: Settings) -> None:
    page = opened("settings")
    assert page.info[0].value.startswith("Nobody is entered.")
    assert "whoever uses this machine works as" in page.sidebar.warning[0].value
    _typed(page, "Name", "ada")
    _typed(page, "Password", "correct horse")
    page = press(page, "Enter")
    assert {name: one.role for name, one in accounts_of(settings.users).items()} == {"ada": "admin"}
    with reading(engine) as connection:
        assert trail(connection)[0].action == "add user"


def test_an_admin_changes_and_removes_others(entered: sa.Engine, settings: Settings) -> None:
    assert entered is not None
    page = opened("settings")
    assert list(page.dataframe[0].value["Name"]) == ["ada", "kim"]
    _chosen(page, "Who", "kim")
    page.run()
    _chosen(page, "New role", "engineer")
    page = press(page, "Set role")
    assert accounts_of(settings.users)["kim"].role == "engineer"
    _typed(page, "Their new password", "battery staple")
    page = press(page, "Set password")
    assert matches(accounts_of(settings.users)["kim"], "battery staple")
    press(page, "Remove")
    assert list(accounts_of(settings.users)) == ["ada"]
    page = opened("settings")
    assert "at least one user has to be admin" in press(page, "Remove").error[0].value


def test_others_see_their_own_account_only(
    entered: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entered is not None
    acting_as(monkeypatch, _KIM)
    page = opened("settings")
    assert not [text for text in page.markdown if text.value in ("##### Users", "##### In force")]
    assert "**kim**, operator: may label, look, work alarms." in [text.value for text in page.markdown]
    _chosen(page, "Velocity", "in/s")
    page.run()
    assert page.query_params["units"].startswith("g,in/s,")
    for old, new, done in (("wrong horse", "battery staple", False), ("correct horse", "battery staple", True)):
        _typed(page, "Old password", old)
        _typed(page, "New password", new)
        page = press(page, "Change")
        assert matches(accounts_of(settings.users)["kim"], new) is done


def test_settings_in_force_are_listed_without_secrets(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine is not None
    monkeypatch.setenv("RACEWAY_BROKER_PASSWORD", "s3cr3t")
    page = opened("settings")
    listed = next(table.value for table in page.dataframe if "Setting" in table.value).set_index("Setting")
    assert listed.loc["broker_password", "Value"] == "***"
    assert listed.loc["session_h", "Value"] == "12.0"
    assert "s3cr3t" not in listed.to_csv()
    zones = next(table.value for table in page.dataframe if "Group" in table.value).set_index("Group")
    assert zones.loc["group-2-rigid", "Velocity A/B/C, mm/s RMS"] == "1.4 / 2.8 / 4.5"


@pytest.fixture
def busy(engine: sa.Engine) -> int:
    """One deed, one refused log-in, two steps of an alarm and one of a roll-out; the time of the first."""
    now_ns = time.time_ns() - 60 * 10**9
    with writing(engine) as connection:
        save_point(connection, PointRow("a/b/c", "Pump"), new=True)
        follow(connection, "a/b/c", HEALTH, active=True, now_ns=now_ns)
        note(connection, _ADA, "edit assets", target="a/b", why="=1+1", now_ns=now_ns + 1)
        act(connection, _KIM, "a/b/c", HEALTH, "acknowledge", now_ns=now_ns + 2, why="going there")
        _roll_out(connection, now_ns + 3)
        note_refused(connection, "unknown", target="10.0.0.7", now_ns=now_ns + 4)
    return now_ns


def _roll_out(connection: sa.Connection, at_ns: int) -> None:
    """A roll-out with one step, whatever other columns there are."""
    values: dict[str, Any] = {}
    for column in rollouts.c:
        if not column.nullable and column.name != "id":
            values[column.name] = column.type.python_type()
    connection.execute(rollouts.insert().values(**values))
    row = {"rollout_id": 1, "at_ns": at_ns, "who": "ada", "action": "begin", "point_id": None, "why": ""}
    connection.execute(rollout_log.insert().values(**row))


def test_all_journals_stand_in_one_order_of_time(engine: sa.Engine, busy: int) -> None:
    with reading(engine) as connection:
        found = timeline(connection)
        assert [(one.at_ns - busy, one.who, one.kind, one.action) for one in found] == [
            (4, "unknown", "deed", "log-in refused"),
            (3, "ada", "roll-out", "begin"),
            (2, "kim", "alarm", "acknowledge"),
            (1, "ada", "deed", "edit assets"),
            (0, "raceway", "alarm", "raise"),
        ]
        assert [one.target for one in found] == ["10.0.0.7", "1", "a/b/c health", "a/b", "a/b/c health"]
        assert [one.kind for one in timeline(connection, who="ada")] == ["roll-out", "deed"]
        assert [one.action for one in timeline(connection, what="GOING")] == ["acknowledge"]
        assert timeline(connection, what="%") == []
        assert len(timeline(connection, since_ns=busy + 3)) == 2
        assert [one.action for one in timeline(connection, most=2)] == ["log-in refused", "begin"]


def test_the_trail_is_shown_filtered_and_exported(
    engine: sa.Engine, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert busy
    acting_as(monkeypatch, User("eve", "engineer"))
    page = opened("audit")
    assert list(page.dataframe[0].value["Who"]) == ["unknown", "ada", "kim", "ada (admin)", "raceway"]
    page.text_input(key="audit who").set_value("kim").run()
    assert list(page.dataframe[0].value["Why"]) == ["going there"]
    page.text_input(key="audit what").set_value("nothing of the kind").run()
    assert "Nothing of the kind" in page.info[0].value
    with reading(engine) as connection:
        rows = list(csv.reader(io.StringIO(csv_of(timeline(connection)))))
    assert len(rows) == 6
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", rows[1][0])
    assert rows[4][-1] == "'=1+1"


@pytest.mark.sqlite
def test_of_the_trail_of_a_year_the_latest_are_read(engine: sa.Engine) -> None:
    row = {"point_id": "a/b/c", "tag": HEALTH, "who": "raceway", "why": "", "before": "normal", "after": "normal"}
    with writing(engine) as connection:
        save_point(connection, PointRow("a/b/c", "Pump"), new=True)
        rows = [{**row, "action": "raise", "at_ns": i, "until_ns": None} for i in range(20_000)]
        connection.execute(alarm_journal.insert(), rows)
    with plans_of(engine) as plans, reading(engine) as connection:
        assert len(timeline(connection, most=300)) == 300
    # Read backwards by number, and no further than wanted.
    assert not any("TEMP B-TREE" in plan for plan in plans), plans


def test_a_spreadsheet_takes_nothing_for_a_formula() -> None:
    text = csv_of([Happening(0, "@kim", "", "deed", "-1", "+1", "=cmd")])
    assert text.splitlines()[1] == "1970-01-01T00:00:00.000+00:00,'@kim,,deed,'-1,'+1,'=cmd"
