"""The page of machines and points: entered, changed, taken out and taken over by engineers, looked at by others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from pages import acting_as, button, opened, press
from streamlit.testing.v1 import AppTest

from app.access.audit import trail
from app.access.roles import User
from app.alarms.conditions import CONDITIONS, Conditions
from app.assets.document import read_assets
from app.assets.model import Machine, Point
from app.assets.register import enter, entered, note_said
from app.console.pointforms import _CHOICES, _OPTIONS
from app.store import PointRow, reading, save_point, writing
from app.wire import About, PointId
from features.bearing import Bearing, bearing_named

_PUMP = Machine(
    "plant",
    "hall 2",
    "pump",
    name="Feed pump",
    speed_rpm=1480.0,
    iso_group="group-2-rigid",
    points={"de": Point(bearing=bearing_named("6205-2RS"), alarming={"on_delay_s": 60.0})},
)


@pytest.fixture
def engine(console: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    acting_as(monkeypatch, User("Edda", "engineer"))
    with writing(console) as connection:
        enter(connection, [_PUMP])
    return console


def _machines(engine: sa.Engine) -> dict[str, Machine]:
    with reading(engine) as connection:
        return {machine.id: machine for machine in entered(connection)}


def _field(page: AppTest, kind: str, label: str) -> Any:
    return next(one for one in getattr(page, kind) if one.label == label)


def test_a_machine_is_changed_in_its_fields_and_the_trail_has_it(engine: sa.Engine) -> None:
    page = opened("assets")
    assert button(page, "Keep machine").disabled
    assert list(page.dataframe[0].value["Bearing"]) == ["6205-2RS"]
    _field(page, "number_input", "Nominal speed, rpm").set_value(1500.0)
    _field(page, "text_input", "Area").set_value("hall 3").run()
    press(page, "Keep machine")
    assert page.success[0].value == "plant/pump: area hall 2 -> hall 3, speed_rpm 1480 -> 1500"
    assert (_machines(engine)["plant/pump"].area, _machines(engine)["plant/pump"].speed_rpm) == ("hall 3", 1500.0)
    assert _machines(engine)["plant/pump"].points == _PUMP.points
    with reading(engine) as connection:
        assert [(deed.who, deed.action) for deed in trail(connection)] == [("Edda", "edit assets")]


def test_what_cannot_be_taken_is_said_beside_its_field(engine: sa.Engine) -> None:
    page = opened("assets")
    _field(page, "text_input", "Area").set_value("x" * 201).run()
    assert "1 to 200 printable letters are wanted" in page.error[0].value
    _field(page, "number_input", _OPTIONS["dead_band"]).set_value(2.0).run()
    assert page.error[1].value == "dead_band is 2.0; 0 to below 1 is wanted"
    assert {button.label: button.disabled for button in page.button if button.label.startswith("Keep")} == {
        "Keep machine": True,
        "Keep point": True,
    }
    assert _machines(engine)["plant/pump"] == _PUMP


def test_a_name_that_cannot_be_taken_does_not_erase_the_one_that_stands(engine: sa.Engine) -> None:
    """A no-break space comes along with what is copied from elsewhere, and looks like any other."""
    named = replace(_PUMP, points={"de": replace(_PUMP.points["de"], name="Drive end")})
    with writing(engine) as connection:
        enter(connection, [named])
    page = opened("assets")
    for i, label in enumerate(("Keep machine", "Keep point")):
        field = [one for one in page.text_input if one.label == "Name for people"][i]
        field.set_value("Main pump").run()
        assert not button(page, label).disabled
        # As where one types on and clicks at once.
        [one for one in page.text_input if one.label == "Name for people"][i].set_value("Main\u00a0pump")
        press(page, label)
        assert button(page, label).disabled
        assert _machines(engine)["plant/pump"] == named
    assert ["1 to 200 printable letters are wanted" in one.value for one in page.error] == [True, True]
    # An empty one is taken: the name is gone on purpose.
    page = opened("assets")
    next(one for one in page.text_input if one.label == "Name for people").set_value("").run()
    press(page, "Keep machine")
    assert _machines(engine)["plant/pump"].name is None


def test_groups_stand_there_with_their_limits(engine: sa.Engine) -> None:
    del engine
    group = _field(opened("assets"), "selectbox", "ISO 20816 group, with where zones B, C and D begin")
    assert "group-2-rigid: 1.4, 2.8, 4.5 mm/s" in group.options
    assert group.value == "group-2-rigid"


def test_a_point_gets_a_bearing_of_its_own_and_its_alarms(engine: sa.Engine) -> None:
    page = opened("assets")
    _field(page, "selectbox", "Bearing").set_value("own geometry").run()
    for label, value in (
        ("Rolling elements", 8),
        ("Their diameter, mm", 10.0),
        ("Pitch diameter, mm", 50.0),
        (_OPTIONS["stale_after_s"], 600.0),
    ):
        _field(page, "number_input", label).set_value(value)
    _field(page, "text_input", "Designation").set_value("special")
    _field(page, "selectbox", _OPTIONS["severity"]).set_value("D").run()
    press(page, "Keep point")
    point = _machines(engine)["plant/pump"].points["de"]
    assert point.bearing == Bearing("special", 8, 10.0, 50.0, 0.0)
    assert point.alarming == {"on_delay_s": 60.0, "severity": "D", "stale_after_s": 600.0}
    # What was kept is what the fields show now.
    assert _field(page, "text_input", "Designation").value == "special"


def test_a_machine_and_a_point_are_entered_before_they_ever_spoke(engine: sa.Engine) -> None:
    page = opened("assets")
    page.selectbox(key="asset machine").set_value("a new machine").run()
    for label, text in (("Site, as in topics", "plant"), ("Machine, as in topics", "fan"), ("Area", "roof")):
        _field(page, "text_input", label).set_value(text)
    page.run()
    press(page, "Enter machine")
    assert page.selectbox(key="asset machine").value == "plant/fan"
    _field(page, "text_input", "Point, as in topics").set_value("a+b").run()
    assert "'a+b' names no site, asset or point" in page.error[0].value
    _field(page, "text_input", "Point, as in topics").set_value("nde").run()
    press(page, "Keep point")
    assert _machines(engine)["plant/fan"] == Machine("plant", "roof", "fan", points={"nde": Point()})
    page.checkbox[0].check().run()
    press(page, "Take point out")
    assert _machines(engine)["plant/fan"].points == {}


def test_a_machine_that_speaks_is_entered_with_its_points(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        save_point(connection, PointRow("plant/mill/p1", "Mill"), new=True)
        save_point(connection, PointRow("plant/mill/p2", "Mill"), new=True)
    page = opened("assets", machine="plant/mill")
    assert page.selectbox(key="asset machine").value == "plant/mill"
    _field(page, "text_input", "Area").set_value("hall 1").run()
    press(page, "Enter machine")
    assert _machines(engine)["plant/mill"].ids == ["plant/mill/p1", "plant/mill/p2"]


def test_a_machine_is_taken_out(engine: sa.Engine) -> None:
    page = opened("assets")
    page.checkbox(key=next(box.key for box in page.checkbox if box.label == "Yes")).check().run()
    press(page, "Take machine out")
    assert _machines(engine) == {}


def test_what_a_point_says_of_itself_is_taken_over(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        note_said(connection, About(PointId("plant", "pump", "de"), "P", bearing_named("6203-2RS"), None, None))
    page = opened("assets")
    assert "bearing entered **6205-2RS**, it says **6203-2RS**" in " ".join(one.value for one in page.markdown)
    press(page, "Take over")
    assert _machines(engine)["plant/pump"].points["de"].bearing == bearing_named("6203-2RS")


def test_names_are_no_markdown(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        enter(connection, [replace(_PUMP, asset="*pump*")])
        note_said(connection, About(PointId("plant", "*pump*", "de"), "P", bearing_named("6203-2RS"), None, None))
    assert any(one.value.startswith(r"**plant/\*pump\*/de**: ") for one in opened("assets").markdown)


def test_a_second_click_takes_over_nothing_else(engine: sa.Engine) -> None:
    """By its place, it took over what had moved up to where the first one stood."""
    with writing(engine) as connection:
        bearings = {"de": bearing_named("6205-2RS"), "nde": bearing_named("6205-2RS")}
        enter(connection, [replace(_PUMP, points={key: Point(bearing=one) for key, one in bearings.items()})])
        for key in bearings:
            note_said(connection, About(PointId("plant", "pump", key), "P", bearing_named("6203-2RS"), None, None))
    page, colleague = opened("assets"), opened("assets")
    press(colleague, "Take over")
    press(page, "Take over")
    points = _machines(engine)["plant/pump"].points
    assert [points[key].bearing for key in ("de", "nde")] == [bearing_named("6203-2RS"), bearing_named("6205-2RS")]


def test_a_file_is_previewed_and_then_entered(engine: sa.Engine) -> None:
    page = opened("assets")
    text = "sites: {plant: {areas: {roof: {machines: {fan: {speed_rpm: 900}}}}}}"
    page.text_area[0].set_value(text.replace("900", "fast")).run()
    assert "speed_rpm of machine 'fan' is 'fast'" in page.error[0].value
    page.text_area[0].set_value(text).run()
    assert page.code[0].value == "plant/fan: new"
    page.checkbox(key="asset replace").check().run()
    assert page.code[0].value.splitlines() == [
        "plant/fan: new",
        "plant/pump: taken out",
        "plant/pump/de: taken out",
    ]
    assert list(_machines(engine)) == ["plant/pump"]
    press(page, "Enter 3 changes")
    assert list(_machines(engine).values()) == read_assets(text)
    assert page.text_area[0].value == ""


def test_others_look_only(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    acting_as(monkeypatch, User("Otto", "operator"))
    page = opened("assets")
    assert len(page.dataframe[0].value) == 1
    assert not page.button
    assert engine is not None


def test_every_option_has_words_and_every_choice_is_one() -> None:
    assert list(_OPTIONS) == list(CONDITIONS)
    for name, choices in _CHOICES.items():
        for one in choices:
            assert getattr(Conditions().changed({name: one}), name) == one
