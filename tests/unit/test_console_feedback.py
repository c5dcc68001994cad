"""What people say on the machine's page is kept with their name; who may not say anything sees what was said."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pages import drawn
from streamlit.testing.v1 import AppTest

from app.access.roles import User
from app.alarms.register import HEALTH, NO_DATA, NODE_FAULT, RISING, SEVERITY, SEVERITY_HIGH, follow, tags
from app.labels.records import Label, labels_of
from app.labels.workorders import orders
from app.schema import alarms, windows
from app.settings import Settings
from app.store import PointRow, point_rows, reading, save_point, writing

_POINT, _S = "plant/pump/drive", 1_000_000_000


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        save_point(connection, PointRow(_POINT, "pump", state="watching", bundle="b"), new=True)
        raised = {"point_id": _POINT, "raised_ns": 4 * _S, "window_start_ns": 3 * _S, "ratio": 1.5, "kind": "outer"}
        connection.execute(alarms.insert().values(**raised))
        follow(connection, _POINT, HEALTH, active=True, now_ns=4 * _S)
    return store


def _draw(database, settings, user):  # type: ignore[no-untyped-def]  # Streamlit runs the text of it alone
    from app.console.feedback import feedback_section
    from app.store import open_store, point_rows, reading

    engine = open_store(database)
    with reading(engine) as connection:
        (row,) = point_rows(connection)
    feedback_section(engine, settings, row, user, now_ns=90_000_000_000)


def _section(settings: Settings, user: User) -> AppTest:
    return drawn(_draw, settings.database, settings, user)


def _press(page: AppTest, key: str) -> None:
    page.button(key=key).click().run()
    assert not page.exception


def _labels(engine: sa.Engine) -> list[Label]:
    with reading(engine) as connection:
        return labels_of(connection)


def test_an_operator_says_what_an_alarm_was_worth(engine: sa.Engine, settings: Settings) -> None:
    page = _section(settings, User("kim", "operator"))
    (first, _), latest = page.selectbox[0].options[:2], page.selectbox[0].options[-1]
    assert (first, latest) == ("health alarm of 1970-01-01 00:00:04.000 UTC", "the latest window")
    assert page.caption[0].value == "Said: outer race. It stands; nothing was said of it."
    assert page.button(key="note").disabled
    page.text_input[0].input("a forklift").run()
    _press(page, "reject")
    assert page.success[0].value == "Kept: rejected as no fault."
    # The reason is gone from the field, so that it is not given twice.
    assert page.text_input[0].value == ""
    page.selectbox(key="named").select("ball").run()
    _press(page, "rename")
    page.text_input[0].input("look again").run()
    _press(page, "note")
    said = [(label.kind, label.who, label.alarm_id, label.named, label.why) for label in _labels(engine)]
    assert said == [
        ("note", "kim", 1, None, "look again"),
        ("rename", "kim", 1, "ball", ""),
        ("reject", "kim", 1, None, "a forklift"),
    ]
    assert page.caption[0].value == "Said: outer race. It stands; renamed by kim as rolling element."
    assert page.dataframe[0].value["Said"].tolist() == ["note", "renamed rolling element", "rejected as no fault"]
    # Of a point that was never judged there is no latest window to confirm.
    page.selectbox[0].select_index(1).run()
    _press(page, "confirm")
    assert page.error[0].value == "Refused: nothing was judged at plant/pump/drive yet."


def test_the_alarm_that_was_chosen_stays_chosen_while_others_come_and_it_ends(
    engine: sa.Engine, settings: Settings
) -> None:
    page = _section(settings, User("kim", "operator"))
    page.selectbox[0].select_index(0).run()
    with writing(engine) as connection:
        connection.execute(alarms.update().values(cleared_ns=5 * _S, kind="inner"))
        raised = {"point_id": _POINT, "raised_ns": 80 * _S, "window_start_ns": 79 * _S, "ratio": 1.5}
        connection.execute(alarms.insert().values(**raised))
    page.text_input[0].input("the old one").run()
    _press(page, "reject")
    (label,) = _labels(engine)
    assert (label.alarm_id, label.why, label.last_ns) == (1, "the old one", 5 * _S)


def test_a_repair_is_asked_for_twice(engine: sa.Engine, settings: Settings) -> None:
    page = _section(settings, User("kim", "operator"))
    assert page.button(key="repair").disabled
    page.checkbox[0].check().run()
    _press(page, "repair")
    assert page.success[0].value == "Kept: repaired. The point learns anew from now on."
    assert not page.checkbox[0].value
    assert [label.kind for label in _labels(engine)] == ["repair"]
    with reading(engine) as connection:
        assert point_rows(connection)[0].state == "learning"
        assert not tags(connection)[0].alarm.active


def test_work_is_asked_for_and_its_state_is_shown(engine: sa.Engine, settings: Settings) -> None:
    page = _section(settings, User("kim", "operator"))
    assert "workorder_webhook is empty" in page.button(key="work").help
    page.text_input[0].input("it roars").run()
    _press(page, "work")
    with reading(engine) as connection:
        (order,) = orders(connection)
    assert (order.alarm_id, order.who, order.why) == (1, "kim", "it roars")
    assert page.caption[1].value == "Work was asked for: waiting."
    assert "work" not in [button.key for button in page.button]
    assert page.dataframe[0].value.iloc[0]["State"] == "waiting"


@pytest.mark.usefixtures("engine")
def test_a_viewer_sees_what_was_said_and_has_no_buttons(settings: Settings) -> None:
    page = _section(settings, User("lee", "viewer"))
    assert (len(page.button), len(page.selectbox)) == (0, 0)
    assert [caption.value for caption in page.caption] == [
        "Whoever is operator or more may confirm and reject verdicts here, and ask for work.",
        "Nothing was said of this machine yet.",
    ]


def _draw_controls(database, marked, user):  # type: ignore[no-untyped-def]
    from app.console.feedback import label_controls
    from app.store import open_store

    label_controls(open_store(database), marked, user, why="seen", now_ns=90_000_000_000)


def test_marked_alarms_are_labelled_together(engine: sa.Engine, settings: Settings) -> None:
    with reading(engine) as connection:
        marked = tags(connection)
    page = drawn(_draw_controls, settings.database, marked, User("kim", "operator"))
    _press(page, "label confirm")
    assert page.success[0].value == "Kept: confirmed."
    (label,) = _labels(engine)
    assert (label.kind, label.alarm_id, label.why) == ("confirm", 1, "seen")


@pytest.mark.parametrize("tag", [NO_DATA, SEVERITY, SEVERITY_HIGH, RISING, NODE_FAULT])
def test_an_alarm_that_is_no_verdict_labels_no_window(engine: sa.Engine, settings: Settings, tag: str) -> None:
    """What was said of silence was kept of the latest window, which a rejection lets models learn from."""
    with writing(engine) as connection:
        row = {"start_ns": 3 * _S, "end_ns": 4 * _S, "rate_hz": 1e4, "rms": 1.0, "contract": "c", "features": b""}
        connection.execute(windows.insert().values(point_id=_POINT, **row))
        follow(connection, _POINT, tag, active=True, now_ns=5 * _S)
    with reading(engine) as connection:
        marked = tags(connection)
    assert {one.tag for one in marked} == {HEALTH, tag}
    page = drawn(_draw_controls, settings.database, marked, User("kim", "operator"))
    _press(page, "label reject")
    words = f"Refused: the alarm {tag!r} of {_POINT} is no verdict to be judged; unmark it."
    assert page.error[0].value == words
    assert _labels(engine) == []
