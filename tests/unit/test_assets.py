"""Machines are entered as YAML, there and back exactly, and hold over what points say of themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from app.access.audit import trail
from app.access.roles import ForbiddenError, User
from app.assets.document import AssetError, read_assets, write_assets
from app.assets.editing import put_in, take_in, take_out, take_over
from app.assets.model import MOUNTINGS, Machine, Point, changes
from app.assets.register import Difference, differences, enter, entered
from app.cli import _raceway
from app.codec import encode_about
from app.intake import Arrival
from app.pipeline import Pipeline
from app.settings import Settings, load_settings
from app.store import PointRow, point_rows, reading, save_point, writing
from app.wire import About, PointId
from features.bearing import BEARINGS, Bearing, bearing_named
from features.errors import ParameterError
from features.iso20816 import LIMITS

_PLANT = """\
sites:
  plant:
    areas:
      hall 2:
        machines:
          pump-1:
            name: Feed pump
            speed_rpm: 1480.0
            iso_group: group-2-rigid
            points:
              drive-end:
                bearing: 6205-2RS
                mounting: stud
              gear:
                name: Output shaft
                bearing:
                  name: special
                  balls: 8
                  ball_mm: 10.0
                  pitch_mm: 50.0
                  contact_deg: 0.0
                speed_rpm: 500.0
                alarming:
                  on_delay_s: 60.0
                  severity: none
"""
_EDDA = User("edda", "engineer")
_DRIVE_END = PointId("plant", "pump-1", "drive-end")

_text = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="+#/"), min_size=1, max_size=12)
_speed = st.none() | st.floats(1e-3, 1e6)
_bearings = (
    st.none()
    | st.sampled_from(sorted(BEARINGS.values(), key=lambda one: one.name))
    | st.builds(Bearing, _text, st.integers(3, 40), st.floats(1.0, 9.0), st.floats(10.0, 900.0), st.floats(0.0, 80.0))
)
_alarming = st.fixed_dictionaries(
    {},
    optional={
        "on_delay_s": st.floats(0.0, 1e6),
        "clear_after": st.integers(1, 1000),
        "severity": st.sampled_from(["C", "D", "none"]),
        "rise_of": st.sampled_from(["score", "velocity"]),
    },
)
_points = st.builds(Point, st.none() | _text, _bearings, _speed, st.none() | st.sampled_from(MOUNTINGS), _alarming)
_machines = st.lists(
    st.builds(
        Machine,
        _text,
        _text,
        _text,
        st.none() | _text,
        _speed,
        st.none() | st.sampled_from(sorted(LIMITS)),
        st.dictionaries(_text, _points, max_size=3),
    ),
    max_size=4,
    unique_by=lambda machine: machine.id,
)


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    return store


@pytest.fixture
def run(settings: Settings, engine: sa.Engine) -> object:
    del engine

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "assets", *arguments])

    return call


@bounded(max_examples=60, deadline=None)
@given(_machines)
def test_any_machines_come_back_from_yaml_as_they_were(machines: list[Machine]) -> None:
    assert read_assets(write_assets(machines)) == sorted(machines, key=lambda machine: machine.id)


def test_machines_come_back_from_the_store_as_they_were(engine: sa.Engine) -> None:
    machines = read_assets(_PLANT)
    with writing(engine) as connection:
        enter(connection, machines)
        assert entered(connection) == machines
        rows = {row.id: row for row in point_rows(connection)}
    assert rows["plant/pump-1/drive-end"].name == "Feed pump drive-end"
    assert rows["plant/pump-1/drive-end"].nominal_shaft_hz == 1480.0 / 60.0
    assert rows["plant/pump-1/gear"].name == "Output shaft"
    assert rows["plant/pump-1/gear"].nominal_shaft_hz == 500.0 / 60.0
    assert write_assets(machines) == _PLANT


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("6205-2RS", "6205-XX", "line 12: no bearing named '6205-XX'; known are "),
        ("group-2-rigid", "group-9", "line 9: no limits named 'group-9'; known are "),
        ("1480.0", "fast", "line 8: speed_rpm of machine 'pump-1' is 'fast'; a number is wanted"),
        ("1480.0", "-3", "line 7: a speed of -3.0 rpm is none; a positive one is wanted"),
        ("balls: 8", "balls: .nan", "line 18: balls of point 'gear' is '.nan'; a number is wanted"),
        ("balls: 8", "balls: nan", "line 18: balls of point 'gear' is 'nan'; a number is wanted"),
        ("ball_mm: 10.0", "ball_mm: inf", "line 19: ball_mm of point 'gear' is 'inf'; a number is wanted"),
        ("mounting: stud", "mounting: glue", "line 12: mounting 'glue' is none; one of stud, "),
        ("mounting: stud", "mount: stud", "line 13: point 'drive-end' has an unknown key 'mount'; known are name, "),
        ("              gear:", "              drive-end:", "line 14: points of 'pump-1' has 'drive-end' twice"),
        ("balls: 8", "balls: 8.5", "line 18: the bearing of point 'gear' has 8.5 balls; a whole number is wanted"),
        ("ball_mm: 10.0", "ball_mm: 60.0", "line 17: bearing 'special' has a ball of 60.0 mm"),
        ("                  pitch_mm: 50.0\n", "", "line 17: the bearing of point 'gear' lacks 'pitch_mm'"),
        ("name: Feed pump", "name: [a]", "line 7: name of machine 'pump-1' is no text"),
        ("pump-1:", "pump+1:", "line 7: 'pump+1' names no site, asset or point"),
        (
            "on_delay_s: 60.0",
            "on_delay: 60.0",
            "line 24: alarming of point 'gear' has an unknown key 'on_delay'; known ",
        ),
        ("on_delay_s: 60.0", "on_delay_s: -1", "line 24: on_delay_s is -1.0; 0 or more is wanted"),
        ("severity: none", "severity: E", "line 25: severity is 'E'; one of C, D, none is wanted"),
        ("on_delay_s: 60.0", "raise_after: 1.5", "line 24: raise_after is 1.5; a whole number is wanted"),
        ("sites:", "places:", "line 1: the document has an unknown key 'places'; known are sites"),
        ("sites:", "sites: {", "line 3: this is no YAML"),
        (_PLANT, "", "line 1: the document is empty; `sites` is wanted"),
    ],
)
def test_a_fault_is_said_with_its_line(old: str, new: str, fault: str) -> None:
    with pytest.raises(AssetError) as refused:
        read_assets(_PLANT.replace(old, new, 1))
    assert any(one.startswith(fault) for one in refused.value.faults), refused.value.faults


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(AssetError) as refused:
        read_assets(_PLANT.replace("6205-2RS", "none").replace("group-2-rigid", "none"))
    assert [one.split(":")[0] for one in refused.value.faults] == ["line 9", "line 12"]


def test_a_machine_in_two_areas_is_refused() -> None:
    areas = "sites: {s: {areas: {one: {machines: {m: }}, two: {machines: {m: }}}}}"
    with pytest.raises(AssetError, match="machine 's/m' stands in area 'one' too"):
        read_assets(areas)


def test_changes_are_said_for_each_machine_and_point() -> None:
    before = read_assets(_PLANT)
    text = _PLANT.replace("1480.0", "2960.0").replace("6205-2RS", "6203").replace("gear:", "fan-end:")
    assert changes(before, read_assets(text.replace("6203", "6205-2RS"))) == [
        "plant/pump-1: speed_rpm 1480 -> 2960",
        "plant/pump-1/fan-end: new",
        "plant/pump-1/gear: taken out",
    ]


def test_what_was_entered_holds_over_what_a_point_says(engine: sa.Engine, settings: Settings) -> None:
    with writing(engine) as connection:
        enter(connection, read_assets(_PLANT))
    said = About(_DRIVE_END, "P1", Bearing("odd", 7, 5.0, 30.0), 24.0, "class-I")
    _say(Pipeline(engine, settings), said)
    with reading(engine) as connection:
        row = _row(connection)
        assert (row.name, row.bearing) == ("Feed pump drive-end", bearing_named("6205-2RS"))
        assert (row.nominal_shaft_hz, row.iso_group) == (1480.0 / 60.0, "group-2-rigid")
        assert differences(connection) == [
            Difference(str(_DRIVE_END), "bearing", "6205-2RS", "odd"),
            Difference(str(_DRIVE_END), "speed", "1480 rpm", "1440 rpm"),
            Difference(str(_DRIVE_END), "ISO group", "group-2-rigid", "class-I"),
        ]
    # What is taken out again is what the point says.
    with writing(engine) as connection:
        enter(connection, [])
        row = _row(connection)
        assert (row.name, row.bearing, row.nominal_shaft_hz, row.iso_group) == ("P1", said.bearing, 24.0, "class-I")


def test_a_running_ingest_takes_what_is_entered_meanwhile(engine: sa.Engine, settings: Settings) -> None:
    pipeline = Pipeline(engine, settings)
    said = About(_DRIVE_END, "P1", None, 24.0)
    _say(pipeline, said)
    with writing(engine) as connection:
        enter(connection, read_assets(_PLANT))
    _say(pipeline, said)
    with reading(engine) as connection:
        row = _row(connection)
        assert (row.name, row.nominal_shaft_hz) == ("Feed pump drive-end", 1480.0 / 60.0)
        assert differences(connection) == [Difference(str(_DRIVE_END), "speed", "1480 rpm", "1440 rpm")]


def _say(pipeline: Pipeline, about: About) -> None:
    arrival = Arrival(about.point.topic("about"), encode_about(about), 1_000)
    pipeline.process(pipeline.prepare([arrival]), now_ns=1_000)


def _row(connection: sa.Connection) -> PointRow:
    return next(row for row in point_rows(connection) if row.id == str(_DRIVE_END))


def test_import_says_what_changes_and_export_gives_it_back(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "plant.yaml"
    source.write_text(_PLANT)
    lines = "plant/pump-1: new\nplant/pump-1/drive-end: new\nplant/pump-1/gear: new\n"
    assert run("import", str(source), "--dry-run").output == lines
    assert "nothing was entered yet" in run("list").output
    assert run("import", str(source)).output == lines
    assert run("import", str(source)).output == "nothing changed\n"
    assert run("export").output == _PLANT
    assert "1480 rpm" in run("list").output
    assert json.loads(run("list", "--json").output)["machines"][0]["points"]["drive-end"]["mounting"] == "stud"


def test_import_leaves_other_machines_unless_it_replaces(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(_PLANT)
    two.write_text(_PLANT.replace("pump-1", "pump-2"))
    assert run("import", str(one)).exit_code == run("import", str(two)).exit_code == 0
    assert "pump-1" in run("list").output
    assert "plant/pump-1: taken out" in run("import", str(two), "--replace").output
    assert "pump-1" not in run("list").output


def test_a_faulty_import_changes_nothing(run, engine: sa.Engine, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with writing(engine) as connection:
        save_point(connection, PointRow("a/b/c", "pump"), new=True)
    source = tmp_path / "plant.yaml"
    source.write_text(_PLANT.replace("mounting: stud", "mounting: glue"))
    refused = run("import", str(source))
    assert refused.exit_code == 2
    assert "line 12: mounting 'glue' is none" in refused.output
    with reading(engine) as connection:
        assert [row.id for row in point_rows(connection)] == ["a/b/c"]


def test_the_page_shows_a_document_that_is_taken() -> None:
    page = (Path(__file__).parents[2] / "docs" / "ASSETS.md").read_text(encoding="utf-8")
    (document,) = [part.split("```")[0] for part in page.split("```yaml\n")[1:]]
    assert document == _PLANT
    assert "`, `".join(MOUNTINGS) in page


def test_the_library_of_the_plant_is_known_by_name_and_written_by_name(settings: Settings, tmp_path: Path) -> None:
    library = tmp_path / "bearings.toml"
    library.write_text('[[bearing]]\nname = "ours"\nballs = 8\nball_mm = 10.0\npitch_mm = 50.0\n')
    source = tmp_path / "plant.yaml"
    source.write_text(_PLANT.replace("bearing: 6205-2RS", "bearing: ours"))
    own = settings.model_copy(update={"bearing_library": library})
    given = ["--data-dir", str(settings.data_dir), "assets"]
    refused = CliRunner().invoke(_raceway, [*given, "import", str(source)])
    assert "line 12: no bearing named 'ours'" in refused.output
    environment = {"RACEWAY_BEARING_LIBRARY": str(library)}
    assert CliRunner().invoke(_raceway, [*given, "import", str(source)], env=environment).exit_code == 0
    assert CliRunner().invoke(_raceway, [*given, "export"], env=environment).output == source.read_text()
    assert own.bearings()["ours"].balls == 8
    with pytest.raises(ParameterError, match="bearings cannot be read from"):
        load_settings(bearing_library=tmp_path / "none.toml")


def test_what_is_entered_changed_and_taken_out_is_in_the_trail(engine: sa.Engine) -> None:
    (pump,) = read_assets(_PLANT)
    faster = replace(pump, speed_rpm=1500.0)
    with writing(engine) as connection:
        assert len(put_in(connection, _EDDA, pump, seen=None, now_ns=1)) == 3
        assert put_in(connection, _EDDA, faster, seen=pump, now_ns=2, why="new motor") == [
            "plant/pump-1: speed_rpm 1480 -> 1500"
        ]
        assert put_in(connection, _EDDA, faster, seen=faster, now_ns=3) == []
        assert len(take_out(connection, _EDDA, "plant/pump-1", now_ns=4)) == 3
    with reading(engine) as connection:
        done = [
            (one.at_ns, one.who, one.action, one.target, one.why) for one in trail(connection, target="plant/pump-1")
        ]
        assert entered(connection) == []
    assert done == [
        (4, "edda", "edit assets", "plant/pump-1", "taken out"),
        (2, "edda", "edit assets", "plant/pump-1", "speed_rpm 1480 -> 1500: new motor"),
        (1, "edda", "edit assets", "plant/pump-1", "new"),
    ]


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(engine: sa.Engine) -> None:
    (pump,) = read_assets(_PLANT)
    with writing(engine) as connection:
        put_in(connection, _EDDA, pump, seen=None, now_ns=1)
        for seen, words in ((None, "is there already"), (replace(pump, name="x"), "changed by somebody else")):
            with pytest.raises(ParameterError, match=words):
                put_in(connection, _EDDA, replace(pump, name="mine"), seen=seen, now_ns=2)
        with pytest.raises(ParameterError, match="no machine plant/fan was entered"):
            take_out(connection, _EDDA, "plant/fan", now_ns=2)
        assert entered(connection) == [pump]


def test_operators_do_not_edit_assets(engine: sa.Engine) -> None:
    (pump,) = read_assets(_PLANT)
    otto = User("otto", "operator")
    with writing(engine) as connection:
        for deed in (
            lambda: put_in(connection, otto, pump, seen=None, now_ns=1),
            lambda: take_out(connection, otto, pump.id, now_ns=1),
            lambda: take_in(connection, otto, [pump], replace_all=True, now_ns=1),
            lambda: take_over(connection, otto, pump.ids[0], "speed", now_ns=1),
        ):
            with pytest.raises(ForbiddenError, match="otto is operator and may not edit assets"):
                deed()
        assert trail(connection) == []


def test_what_a_point_says_of_itself_is_taken_over(engine: sa.Engine, settings: Settings) -> None:
    (pump,) = read_assets(_PLANT)
    about = About(_DRIVE_END, "P1", bearing_named("6203-2RS"), 24.0, "class-I")
    with writing(engine) as connection:
        enter(connection, [pump])
    pipeline = Pipeline(engine, settings)
    pipeline.process(pipeline.prepare([Arrival(_DRIVE_END.topic("about"), encode_about(about), 0)]), now_ns=0)
    with writing(engine) as connection:
        assert [one.what for one in differences(connection)] == ["bearing", "speed", "ISO group"]
        for what in ("bearing", "speed", "ISO group"):
            take_over(connection, _EDDA, str(_DRIVE_END), what, now_ns=1)
        assert differences(connection) == []
        (after,) = entered(connection)
        with pytest.raises(ParameterError, match="plant/pump-1/gear says no bearing of itself"):
            take_over(connection, _EDDA, "plant/pump-1/gear", "bearing", now_ns=1)
        with pytest.raises(ParameterError, match="nothing was entered of plant/pump-1/far-end"):
            take_over(connection, _EDDA, "plant/pump-1/far-end", "bearing", now_ns=1)
    assert (after.iso_group, after.points["drive-end"].speed_rpm) == ("class-I", 1440.0)
    assert after.points["drive-end"].bearing == bearing_named("6203-2RS")
    # The machine's own speed and the other point stay.
    assert (after.speed_rpm, after.points["gear"]) == (1480.0, pump.points["gear"])
