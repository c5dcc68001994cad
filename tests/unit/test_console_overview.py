"""The overview: every machine of a plant in a few queries, worst first, by area, filtered."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa
from pages import opened
from plans import statements_of

from app.alarms.register import HEALTH, NO_DATA, take
from app.assets.model import Machine, Point
from app.assets.register import enter
from app.console import overview
from app.console.glance import glances, worst_by_machine
from app.console.words import plain, state_of
from app.schema import alarms, asset_points, points, windows
from app.settings import Settings
from app.store import insert_rows, writing
from features.contract import WATCHED

HOUR_NS = 3_600_000_000_000
WINDOWS = 100
NAMES = ("calm", "growing", "shaking", "silent", "young")


@pytest.fixture
def plant(console: sa.Engine) -> sa.Engine:
    """Five machines with hourly windows in two areas, one [with brackets]: each in another state."""
    now_ns = time.time_ns()
    machines = [
        Machine("works", "hall [1]" if name in ("calm", "growing") else "hall 2", name, name=f"{name} *fan*")
        for name in NAMES
    ]
    entered = [
        Machine(one.site, one.area, one.asset, one.name, None, "group-2-rigid", {"drive-end": Point()})
        for one in machines
    ]
    with writing(console) as connection:
        enter(connection, entered)
        for name in NAMES:
            _fill(connection, name, now_ns)
        take(connection, "works/growing/drive-end", HEALTH, "raise", now_ns=now_ns, who="raceway")
        take(connection, "works/silent/drive-end", NO_DATA, "raise", now_ns=now_ns, who="raceway")
        row = {"point_id": "works/growing/drive-end", "raised_ns": now_ns, "window_start_ns": 0, "ratio": 1.5}
        connection.execute(alarms.insert().values(kind="outer", **row))
    return console


def _fill(connection: sa.Connection, name: str, now_ns: int) -> None:
    features = np.zeros(len(WATCHED.features), dtype="<f4")
    features[WATCHED.index("velocity_rms")] = 3.5 if name == "shaking" else 1.0
    scores = np.linspace(0.5, 2.4 if name == "growing" else 0.6, WINDOWS)
    first_ns = now_ns - WINDOWS * HOUR_NS
    rows = [
        {
            "point_id": f"works/{name}/drive-end",
            "start_ns": first_ns + i * HOUR_NS,
            "end_ns": first_ns + i * HOUR_NS + 320_000_000,
            "rate_hz": 12_800.0,
            "shaft_hz": 25.0,
            "rms": 0.1,
            "contract": WATCHED.hash,
            "features": features.tobytes(),
            "score": float(scores[i]),
            "threshold": 2.0,
        }
        for i in range(WINDOWS)
    ]
    insert_rows(connection, windows, rows)
    values = {"state": "learning" if name == "young" else "watching", "score": float(scores[-1]), "threshold": 2.0}
    own = points.c.id == f"works/{name}/drive-end"
    connection.execute(points.update().where(own).values(seen_ns=now_ns, rate_hz=12_800.0, unit="g", **values))


@pytest.fixture
def statements(plant: sa.Engine) -> Iterator[list[str]]:
    with statements_of(plant) as said:
        yield said


def test_each_point_has_its_level_and_its_zone(plant: sa.Engine, settings: Settings) -> None:
    found = glances(plant, settings, now_ns=time.time_ns())
    levels = [(one.row.id.split("/")[1], one.level.word, one.facts.zone) for one in found]
    assert levels == [
        ("growing", "Act now", "A"),
        ("shaking", "Plan work", "C"),
        ("silent", "Not watched", "A"),
        ("young", "Learning", "A"),
        ("calm", "In order", "A"),
    ]


def test_the_line_lies_evenly_over_what_is_stored_and_ends_with_the_latest(
    plant: sa.Engine, settings: Settings
) -> None:
    line = glances(plant, settings, now_ns=time.time_ns())[0].line
    assert len(line) == 40
    # Linear in time: so are windows picked evenly from it, but for whole windows.
    np.testing.assert_allclose(line, np.linspace(0.25, 1.2, 40), atol=0.95 / (WINDOWS - 1) + 1e-3)
    assert line[-1] == pytest.approx(1.2)


def test_no_query_is_made_for_each_point(plant: sa.Engine, settings: Settings, statements: list[str]) -> None:
    glances(plant, settings, now_ns=time.time_ns())
    assert len(statements) < 12


@pytest.mark.sqlite
def test_windows_are_found_by_the_index(plant: sa.Engine, settings: Settings, statements: list[str]) -> None:
    glances(plant, settings, now_ns=time.time_ns())
    (line,) = (statement for statement in statements if "RECURSIVE" in statement)
    with plant.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {line}", tuple([1] * line.count("?"))).all()
    assert [row[3] for row in plan if "SCAN windows" in row[3]] == []
    assert any("USING COVERING INDEX windows_by_start" in row[3] for row in plan)


def test_a_point_is_silent_by_its_own_limit_where_it_has_one(plant: sa.Engine, settings: Settings) -> None:
    def words(now_ns: int) -> str:
        (calm,) = [one for one in glances(plant, settings, now_ns=now_ns) if one.row.id == "works/calm/drive-end"]
        return calm.facts.silent_words

    later_ns = time.time_ns() + 3 * HOUR_NS
    assert words(later_ns).startswith("last heard of")
    with writing(plant) as connection:
        own = asset_points.update().where(asset_points.c.point_id == "works/calm/drive-end")
        connection.execute(own.values(alarming='{"stale_after_s": 86400.0}'))
    assert words(later_ns) == ""


def test_a_point_that_nothing_judges_is_not_in_order(plant: sa.Engine, settings: Settings) -> None:
    """It had no score, and so looked healthy."""
    with writing(plant) as connection:
        own = points.update().where(points.c.id == "works/calm/drive-end")
        connection.execute(own.values(score=None, threshold=None, failure="bundle b cannot be read"))
    (calm,) = [one for one in glances(plant, settings, now_ns=time.time_ns()) if one.row.id == "works/calm/drive-end"]
    assert calm.level.word == "Not watched"
    said = "nothing is judged: bundle b cannot be read"
    assert [one.words for one in calm.facts.reasons(now_ns=time.time_ns())] == [said]
    assert state_of(calm.row, None, wanted=40)[:2] == ("✕", "Not judged")


def test_a_machine_counts_by_its_worst_point(plant: sa.Engine, settings: Settings) -> None:
    with writing(plant) as connection:
        row = connection.execute(sa.select(points).where(points.c.id == "works/calm/drive-end")).one()._mapping
        connection.execute(points.insert().values(**{**row, "id": "works/growing/other-end"}))
    found = glances(plant, settings, now_ns=time.time_ns())
    assert len(found) == 6
    assert next(one.row.id for one in worst_by_machine(found)) == "works/growing/drive-end"
    assert len(worst_by_machine(found)) == 5


def test_the_page_shows_what_asks_first_with_the_reason(plant: sa.Engine) -> None:
    assert plant is not None
    page = opened()
    assert [metric.value for metric in page.metric] == ["5", "1", "1", "1", "0", "1", "1"]
    said = [text.value for text in page.markdown]
    assert any(plain("high alarm, new: outer race fault of the bearing") in text for text in said)
    assert any("1 act now · ● 1 in order" in text for text in said)
    # Names are no Markdown.
    assert [button.label for button in page.button if "hall" in button.label] == [
        "works · hall \\[1\\]",
        "works · hall 2",
    ]
    assert opened("machine", point="works/calm/drive-end").title[0].value == "calm \\*fan\\* drive-end"


def test_the_list_is_filtered_by_area_state_and_words(plant: sa.Engine) -> None:
    assert plant is not None

    def listed() -> list[str]:
        assert not page.exception
        return [point.split("/")[1] for point in page.dataframe[0].value["Point"]]

    page = opened()
    assert listed() == ["growing", "shaking", "silent", "young", "calm"]
    next(button for button in page.button if "hall 2" in button.label).click().run()
    assert listed() == ["shaking", "silent", "young"]
    page.selectbox(key="area").set_value("Everywhere").run()
    page.text_input(key="search").set_value("Outer Race").run()
    assert listed() == ["growing"]
    page.text_input(key="search").set_value("no such").run()
    assert not page.dataframe
    assert page.info[0].value == "None is like that."


def test_a_long_list_is_cut_and_says_so(plant: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plant is not None
    monkeypatch.setattr(overview, "_ROWS", 3)
    monkeypatch.setattr(overview, "_CARDS", 1)
    page = opened()
    assert len(page.dataframe[0].value) == 3
    assert any("The first 3 of 5" in caption.value for caption in page.caption)
    assert any(caption.value.startswith("2 more below") for caption in page.caption)


def test_text_from_outside_is_shown_as_it_is() -> None:
    assert plain("[a](javascript:b) **c** $d$") == r"\[a\]\(javascript\:b\) \*\*c\*\* \$d\$"
