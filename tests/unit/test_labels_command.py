"""Labels on the command line: given, listed, and their windows exported for training."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from app.access.roles import User
from app.cli import _raceway
from app.commands.labels import _ns
from app.labels.export import COLUMNS
from app.labels.records import give
from app.schema import alarms, windows
from app.settings import Settings
from app.store import PointRow, reading, save_point, writing
from features.contract import WATCHED
from features.errors import ParameterError

_POINT, _S = "plant/pump/drive", 1_000_000_000
_FEATURES = np.arange(2 * len(WATCHED.names), dtype="<f4")


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    """A point of two channels with ten windows, an alarm over the middle ones, and one window of older features."""
    same = {"point_id": _POINT, "rate_hz": 1e4, "rms": 1.0, "score": 3.0, "threshold": 2.0, "bundle": "baseline-1"}
    with writing(store) as connection:
        save_point(connection, PointRow(_POINT, "pump", state="watching", channels=("x", "y")), new=True)
        rows = [
            same
            | {"start_ns": i * _S, "end_ns": (i + 1) * _S, "features": (_FEATURES + i).tobytes()}
            | {"contract": "older" if i == 5 else WATCHED.hash}
            for i in range(10)
        ]
        connection.execute(windows.insert(), rows)
        raised = {"point_id": _POINT, "raised_ns": 4 * _S, "window_start_ns": 3 * _S, "ratio": 1.5, "kind": "outer"}
        connection.execute(alarms.insert().values(**raised, cleared_ns=8 * _S))
    return store


@pytest.fixture
def run(settings: Settings, engine: sa.Engine) -> Any:
    del engine

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "labels", *arguments])

    return call


def test_labels_are_given_and_listed(run: Any) -> None:
    assert "no alarm was ever raised" in run("alarms", "--point", "a/b/c").output
    assert "outer          nothing said" in run("alarms").output
    given = run("give", _POINT, "reject", "--alarm", "last", "--user", "kim", "--why", "a forklift")
    assert given.output == f"{_POINT}: reject alarm 1: a forklift\n"
    assert run("give", _POINT, "rename", "--alarm", "1", "--as", "inner", "--user", "lee").exit_code == 0
    listed = json.loads(run("list", "--json").output)
    assert [(label["kind"], label["who"], label["origin"]) for label in listed] == [
        ("rename", "lee", "command line"),
        ("reject", "kim", "command line"),
    ]
    (held,) = json.loads(run("list", "--holding", "--json").output)
    assert (held["kind"], held["first_ns"], held["last_ns"]) == ("rename", 3 * _S, 8 * _S)
    assert f"{_POINT} rename alarm 1 as inner (lee, command line)" in run("list").output
    assert json.loads(run("alarms", "--json").output)[0]["label"]["named"] == "inner"
    assert "learns anew from now on" in run("give", _POINT, "repair").output


def test_what_cannot_be_said_is_refused(run: Any) -> None:
    for arguments, said in (
        (("give", _POINT, "confirm", "--alarm", "first"), "alarm 'first' is none"),
        (("give", _POINT, "confirm", "--alarm", "7"), "has no alarm 7; `raceway labels alarms` lists them"),
        (("give", _POINT, "note", "--why", "x", "--from", "noon", "--to", "noon"), "'noon' is no time"),
        (("give", "a/b/c", "confirm", "--alarm", "last"), "no alarm was ever raised at 'a/b/c'"),
        (("export", "labels.xlsx"), "labels.xlsx has the ending '.xlsx'"),
    ):
        refused = run(*arguments)
        assert refused.exit_code == 2
        assert said in refused.output


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert _ns("1970-01-01T00:00:01") == _ns("1970-01-01T01:00:01+01:00") == _S
    assert _ns("2026-03-01T08:00:00.000001Z") == 1_772_352_000_000_001_000
    with pytest.raises(ParameterError, match="is no time"):
        _ns("soon")


def test_labelled_windows_are_exported_alike_as_csv_and_parquet(run: Any, tmp_path: Path) -> None:
    run("give", _POINT, "confirm", "--alarm", "1", "--user", "kim", "--why", "seen, heard")
    # Of the two windows that both are about, the later label speaks.
    run("give", _POINT, "reject", "--from", "1970-01-01T00:00:06Z", "--to", "1970-01-01T00:00:09Z", "--user", "lee")
    said = run("export", str(tmp_path / "labels.csv")).output
    assert "5 windows of 2 labels written to" in said
    assert said.endswith("; 1 windows of another feature contract left out\n")
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*COLUMNS, *WATCHED.names]
    found = [(row["start_ns"], row["channel"], row["fault"], row["who"], row["why"]) for row in rows]
    assert found == [
        (str(second * _S), channel, fault, who, why)
        for seconds, fault, who, why in (((3, 4), "outer", "kim", "seen, heard"), ((6, 7, 8), "normal", "lee", ""))
        for second in seconds
        for channel in ("x", "y")
    ]
    second_channel = [float(rows[1][name]) for name in WATCHED.names]
    assert second_channel == (_FEATURES[len(WATCHED.names) :] + 3).tolist()
    run("export", str(tmp_path / "labels.parquet"), "--point", _POINT)
    table = pq.read_table(tmp_path / "labels.parquet")
    assert table.schema.metadata[b"raceway.contract"].decode() == WATCHED.hash
    for column, values in table.to_pydict().items():
        assert ["" if value is None else str(value) for value in values] == [row[column] for row in rows], column


def test_the_windows_of_an_alarm_are_exported_whole_whenever_it_was_judged(
    run: Any, engine: sa.Engine, tmp_path: Path
) -> None:
    def exported() -> set[int]:
        run("export", str(tmp_path / "labels.csv"))
        with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
            return {int(row["start_ns"]) // _S for row in csv.DictReader(file)}

    with writing(engine) as connection:
        connection.execute(alarms.update().values(cleared_ns=None))
        # Four windows of it had come by then.
        give(connection, User("kim", "operator"), _POINT, "confirm", now_ns=5 * _S, alarm_id=1)
    # The sixth window has features of another contract.
    assert exported() == {3, 4, 6, 7, 8, 9}
    with writing(engine) as connection:
        connection.execute(alarms.update().values(cleared_ns=8 * _S))
    assert exported() == {3, 4, 6, 7}


def test_nothing_said_is_an_empty_table(run: Any, tmp_path: Path, engine: sa.Engine) -> None:
    assert "0 windows of 0 labels" in run("export", str(tmp_path / "none.parquet")).output
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0
    with reading(engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(windows)).scalar() == 10
