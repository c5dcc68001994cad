"""The console's work list: what waits is shown, worked on with a name and a reason, and gone from the list after."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa
from pages import acting_as, button, mark, opened, press
from streamlit.testing.v1 import AppTest

from app.access.roles import ForbiddenError, User
from app.alarms.flood import SPAN_NS, alarm_rate
from app.alarms.register import HEALTH, NO_DATA, act, follow, journal, set_priority, tags
from app.assets.model import Machine, Point
from app.assets.register import enter
from app.console import alarms
from app.labels.records import labels_of
from app.schema import alarms as alarm_rows
from app.store import PointRow, reading, save_point, writing

_POINT = "a/pump/drive-end"


@pytest.fixture
def engine(console: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    acting_as(monkeypatch, User("Anna", "operator"))
    with writing(console) as connection:
        save_point(connection, PointRow(_POINT, "Pump"), new=True)
        save_point(connection, PointRow("a/fan/far-end", "Fan"), new=True)
    return console


def _raise(engine: sa.Engine, point: str = _POINT, tag: str = HEALTH, *, at_ns: int | None = None) -> None:
    with writing(engine) as connection:
        follow(connection, point, tag, active=True, now_ns=at_ns or time.time_ns())


def _page() -> AppTest:
    return opened("alarms")


def _marked(monkeypatch: pytest.MonkeyPatch, *rows: int) -> None:
    """What a browser's clicks in the first column say; the test's page has no browser."""
    table = alarms._table

    def marking(listed: Any, names: Any, **given: Any) -> Any:
        table(listed, names, **given)
        return [listed[i] for i in rows if i < len(listed)]

    monkeypatch.setattr(alarms, "_table", marking)


def _states(engine: sa.Engine) -> dict[str, str]:
    with reading(engine) as connection:
        return {f"{one.point_id} {one.tag}": one.alarm.state for one in tags(connection)}


def test_nothing_waits_in_a_quiet_plant(engine: sa.Engine) -> None:
    assert engine is not None
    page = _page()
    assert page.success[0].value == "Nothing waits."
    assert [metric.value for metric in page.metric] == ["0", "0", "0", "0", "0", "0", "0.0 %", "0"]


def test_an_alarm_is_acknowledged_by_somebody(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _raise(engine)
    _marked(monkeypatch, 0)
    page = _page()
    row = page.dataframe[0].value.iloc[0]
    assert (row["Priority"], row["State"], row["Condition"]) == ("high", "▲ new", "present")
    assert button(page, "Shelve").disabled
    press(page, "Acknowledge")
    assert _states(engine) == {f"{_POINT} {HEALTH}": "acknowledged"}
    with reading(engine) as connection:
        assert journal(connection, most=1)[0].entry.who == "Anna"
    assert page.dataframe[0].value.iloc[0]["State"] == "● acknowledged"


def test_an_alarm_is_shelved_for_a_reason_and_found_on_its_shelf(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _raise(engine)
    _raise(engine, tag=NO_DATA)
    _marked(monkeypatch, 0, 1)
    page = _page()
    page.text_input(key="why").set_value("works going on").run()
    press(page, "Shelve")
    assert set(_states(engine).values()) == {"shelved"}
    assert page.success[0].value == "Nothing waits."
    page.button_group[0].set_value("Shelved").run()
    assert list(page.dataframe[0].value["State"]) == ["shelved", "shelved"]
    assert all(page.dataframe[0].value["Until"])
    press(page, "Bring back")
    assert set(_states(engine).values()) == {"unacknowledged"}


def test_what_has_moved_on_meanwhile_is_said_and_the_rest_is_done(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _raise(engine, at_ns=1)
    _raise(engine, "a/fan/far-end", at_ns=2)
    _marked(monkeypatch, 0, 1)
    page = _page()
    press(page, "Acknowledge")
    acting_as(monkeypatch, User("Otto", "operator"))
    press(page, "Acknowledge")
    assert "only new and returned ones are" in page.warning[0].value
    with reading(engine) as connection:
        assert {row.entry.who for row in journal(connection)} == {"raceway", "Anna"}


def test_a_mark_is_of_an_alarm_and_not_of_its_place(engine: sa.Engine) -> None:
    """A deed that was meant for one alarm was done to whatever had taken its place in the list meanwhile."""
    now_ns = time.time_ns()
    _raise(engine, at_ns=now_ns - 2)
    _raise(engine, "a/fan/far-end", at_ns=now_ns - 1)
    page = mark(_page(), 0, 0)
    assert "1 marked" in [one.value for one in page.caption]
    page.text_input(key="why").set_value("a belt").run()
    assert "1 marked" in [one.value for one in page.caption]
    with writing(engine) as connection:
        act(connection, User("Otto", "operator"), _POINT, HEALTH, "acknowledge", now_ns=now_ns)
    changed = "The list changed; mark again."
    press(page, "Shelve")
    assert _states(engine) == {f"{_POINT} {HEALTH}": "acknowledged", f"a/fan/far-end {HEALTH}": "unacknowledged"}
    assert changed in [one.value for one in page.warning]
    press(mark(page, 0, 0), "Acknowledge")
    assert set(_states(engine).values()) == {"acknowledged"}
    # That it has moved with what was done to it asks for no other mark, and there is none of what stands there now.
    assert changed not in [one.value for one in page.warning]
    assert not [one for one in page.caption if "marked" in one.value]


def test_who_may_only_look_does_not_work_on_alarms(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _raise(engine)
    _marked(monkeypatch, 0)
    acting_as(monkeypatch, User("Vera", "viewer"))
    page = _page()
    assert button(page, "Acknowledge").disabled
    with writing(engine) as connection, pytest.raises(ForbiddenError, match="Vera is viewer and may not work alarms"):
        act(connection, User("Vera", "viewer"), _POINT, HEALTH, "acknowledge", now_ns=time.time_ns())
    assert _states(engine) == {f"{_POINT} {HEALTH}": "unacknowledged"}


def test_a_flood_is_said_with_its_machine(engine: sa.Engine) -> None:
    now_ns = time.time_ns()
    with writing(engine) as connection:
        save_point(connection, PointRow("a/*mill*/x", "Mill"), new=True)
    for i in range(11):
        _raise(engine, "a/*mill*/x", f"alarm {i}", at_ns=now_ns)
    _raise(engine, "a/fan/far-end", at_ns=now_ns)
    page = _page()
    # Names are no Markdown.
    words = r"Flood: 12 new alarms in ten minutes. Most of the day's are of a/\*mill\* (11)."
    assert page.error[0].value == words
    assert page.metric[3].value == "12"


def test_new_alarms_are_counted_by_tens_of_minutes_that_end_now(engine: sa.Engine) -> None:
    now_ns = 100 * SPAN_NS
    for i, at_ns in enumerate((now_ns, now_ns - SPAN_NS + 1, now_ns - SPAN_NS, now_ns - 3 * SPAN_NS + 1, now_ns + 1)):
        _raise(engine, tag=f"alarm {i}", at_ns=at_ns)
    _raise(engine, tag="old", at_ns=now_ns - 3 * SPAN_NS)
    with reading(engine) as connection:
        rate = alarm_rate(connection, now_ns=now_ns, spans=3)
    assert rate.per_span == (1, 1, 2)
    assert rate.by_machine == (("a/pump", 4),)
    assert (rate.now, rate.flood) == (2, False)


def test_the_list_is_narrowed_by_area_priority_and_text(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        enter(connection, [Machine("a", "hall 2", "fan", name="Fan", points={"far-end": Point()})])
    _raise(engine)
    _raise(engine, tag=NO_DATA)
    _raise(engine, "a/fan/far-end")

    def listed(page: AppTest) -> list[str]:
        table = page.dataframe[0].value
        return [
            f"{machine.split('#')[1]} {alarm}" for machine, alarm in zip(table["Machine"], table["Alarm"], strict=True)
        ]

    page = _page()
    assert sorted(listed(page)) == ["Fan far-end health", "Pump health", "Pump no data"]
    page.text_input(key="find").set_value("PUMP").run()
    assert sorted(listed(page)) == ["Pump health", "Pump no data"]
    page.text_input(key="find").set_value("")
    page.multiselect(key="area").set_value(["hall 2"]).run()
    assert listed(page) == ["Fan far-end health"]
    page.multiselect(key="priority").set_value(["low"]).run()
    assert page.success[0].value == "Nothing waits."
    assert not page.exception


def test_an_engineer_says_how_urgent_an_alarm_is(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _raise(engine)
    _marked(monkeypatch, 0)
    assert not [button for button in _page().button if button.label == "Set priority"]
    acting_as(monkeypatch, User("Edda", "engineer"))
    page = _page()
    page.selectbox(key="new priority").set_value("low")
    press(page, "Set priority")
    assert page.dataframe[0].value.iloc[0]["Priority"] == "low"
    with writing(engine) as connection, pytest.raises(ForbiddenError, match="may not edit assets"):
        set_priority(connection, User("Anna", "operator"), _POINT, HEALTH, "high", now_ns=1)


def test_an_alarm_is_rejected_from_the_list(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _raise(engine)
    with writing(engine) as connection:
        row = {"raised_ns": 1, "window_start_ns": 0, "ratio": 2.0, "tag": HEALTH, "kind": "outer"}
        connection.execute(alarm_rows.insert().values(point_id=_POINT, **row))
    _marked(monkeypatch, 0)
    page = _page()
    page.text_input(key="why").set_value("a forklift").run()
    press(page, "Reject")
    with reading(engine) as connection:
        (label,) = labels_of(connection, point_id=_POINT)
    assert (label.kind, label.who, label.why) == ("reject", "Anna", "a forklift")


def test_figures_stand_below_the_list(engine: sa.Engine) -> None:
    now_ns = time.time_ns()
    _raise(engine, at_ns=now_ns - 3 * 86_400 * 10**9)
    _raise(engine, "a/fan/far-end", at_ns=now_ns - 10**9)
    page = _page()
    assert [metric.label for metric in page.metric][4:] == [
        "Per operator and hour",
        "Per day",
        "In flood",
        "Chattering",
    ]
    frequent, lasting = page.dataframe[-3].value, page.dataframe[-2].value
    assert list(frequent["Share"]) == ["50 %", "50 %"]
    assert list(lasting["Machine"]) == ["Pump"]
    assert list(lasting["Raised"]) == ["3 d ago"]
