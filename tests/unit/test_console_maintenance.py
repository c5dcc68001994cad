"""The page of maintenance: what falls due, filtered, drawn, and asked for by those who may."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa
from pages import acting_as, mark, opened

from app.access.roles import User
from app.alarms.register import HEALTH, set_priority, take
from app.assets.model import Machine, Point
from app.assets.register import enter
from app.attention import Facts
from app.console import maintenance
from app.console.gantt import due_chart
from app.labels.workorders import orders
from app.maintenance import duties_of
from app.schema import alarms, points
from app.store import reading, writing

DAY_NS = 86_400_000_000_000
BAD, DEAF = "works/bad/drive-end", "works/deaf/drive-end"


@pytest.fixture
def plant(console: sa.Engine) -> sa.Engine:
    """A machine with a bearing fault, and one in another area from which nothing ever came."""
    now_ns = time.time_ns()
    with writing(console) as connection:
        enter(
            connection,
            [
                Machine("works", area, name, points={"drive-end": Point()})
                for area, name in (("hall 1", "bad"), ("hall 2", "deaf"))
            ],
        )
        connection.execute(points.update().where(points.c.id == BAD).values(seen_ns=now_ns, state="watching"))
        take(connection, BAD, HEALTH, "raise", now_ns=now_ns, who="raceway")
        row = {"point_id": BAD, "raised_ns": now_ns, "window_start_ns": 0, "ratio": 1.5, "kind": "outer"}
        connection.execute(alarms.insert().values(**row))
    return console


def test_what_falls_due_is_listed_by_area_and_time(plant: sa.Engine) -> None:
    assert plant is not None
    page = opened("maintenance")
    assert [metric.value for metric in page.metric] == ["0", "1", "2", "0"]
    listed = page.dataframe[0].value
    assert list(listed["What to do"]) == ["Plan a bearing change", "See to the measuring chain"]
    page.selectbox(key="maintenance area").set_value("works · hall 2").run()
    assert list(page.dataframe[0].value["Point"]) == [DEAF]
    page.selectbox(key="maintenance span").set_value("1 week").run()
    assert page.success[0].value == "Nothing falls due in this time."


def test_work_is_asked_for_once_and_by_operators_only(plant: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_listed", lambda shown, _: [one for one in shown if one.point_id == BAD])
    acting_as(monkeypatch, User("Vera", "viewer"))
    assert opened("maintenance").button(key="ask").disabled
    acting_as(monkeypatch, User("Otto", "operator"))
    page = opened("maintenance")
    assert any(text.value.startswith("**bad drive-end: Plan a bearing change.** ") for text in page.markdown)
    page.button(key="ask").click().run()
    assert not page.exception
    with reading(plant) as connection:
        (order,) = orders(connection)
    why = "Plan a bearing change: high alarm: outer race fault of the bearing"
    assert (order.point_id, order.who, order.why) == (BAD, "Otto", why)
    assert page.button(key="ask").disabled
    assert page.metric[3].value == "1"


def test_a_mark_is_of_a_duty_and_not_of_its_place(plant: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    acting_as(monkeypatch, User("Otto", "operator"))
    page = mark(opened("maintenance"), 0, 0)
    assert not page.button(key="ask").disabled
    with writing(plant) as connection:
        set_priority(connection, User("Edda", "engineer"), BAD, HEALTH, "low", now_ns=time.time_ns())
    page.button(key="ask").click().run()
    assert page.warning[0].value == "The list changed; mark again."
    with reading(plant) as connection:
        assert not orders(connection)


def test_bars_end_at_the_edge_where_no_end_is_known() -> None:
    due = (3 * DAY_NS, 5 * DAY_NS, None)
    found = duties_of("a/b/c", "Pump", "Hall", Facts(zone="D", due_ns=due), now_ns=0)
    again = [replace(one, name="Other") for one in found]
    figure = due_chart([*found, *again], now_ns=0, until_ns=30 * DAY_NS)
    bar = figure.data[0]
    assert bar.x[:2] == ("1970-01-04T00:00:00.000", "1970-01-31T00:00:00.000")
    assert list(figure.layout.yaxis.categoryarray) == ["4. Other", "3. Other", "2. Pump", "1. Pump"]
    assert {trace.name for trace in figure.data if trace.name} == {
        "forecast: earliest to latest, likely",
        "to be done by",
    }
