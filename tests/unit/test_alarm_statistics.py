"""Figures of alarms against those counted by hand."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from app.alarms.register import HEALTH, NO_DATA, follow, take
from app.alarms.statistics import alarm_statistics
from app.cli import _raceway
from app.settings import Settings
from app.store import PointRow, reading, save_point, writing
from features.errors import ParameterError

_S = 1_000_000_000
_HOUR, _DAY = 3600, 86_400


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        for i in range(12):
            save_point(connection, PointRow(f"a/m{i:02d}/p", f"machine {i}"), new=True)
    return store


def _raised(engine: sa.Engine, point: str, *at_s: float, tag: str = HEALTH, clears: bool = True) -> None:
    with writing(engine) as connection:
        for at in at_s:
            follow(connection, point, tag, active=True, now_ns=round(at * _S))
            if clears:
                follow(connection, point, tag, active=False, now_ns=round(at * _S) + 1)


def test_alarms_are_counted_from_the_first_one_on(engine: sa.Engine) -> None:
    # Twelve at once are a flood, two of the others chatter or do not; 40 h pass since the first one.
    begin = 10 * _DAY
    for i in range(12):
        _raised(engine, f"a/m{i:02d}/p", begin)
    _raised(engine, "a/m00/p", begin + _HOUR, begin + _HOUR + 20, begin + _HOUR + 60)
    _raised(engine, "a/m01/p", begin + _HOUR, begin + _HOUR + 40, begin + _HOUR + 80)
    now_ns = (begin + 40 * _HOUR) * _S
    with reading(engine) as connection:
        found = alarm_statistics(connection, now_ns=now_ns, operators=2)
    assert (found.new, found.hours, found.most_in_ten_minutes) == (18, 40.0, 12)
    assert found.per_operator_hour == pytest.approx(18 / 40 / 2)
    assert found.per_day == pytest.approx(18 * 24 / 40)
    assert found.flooded == pytest.approx(1 / 240)
    assert (found.frequent[0].point_id, found.frequent[0].count, found.frequent[0].chatters) == ("a/m00/p", 4, True)
    assert (found.frequent[1].point_id, found.frequent[1].count, found.frequent[1].chatters) == ("a/m01/p", 4, False)
    assert len(found.frequent) == 10
    assert found.of_frequent == pytest.approx((4 + 4 + 8) / 18)
    assert (found.chattering, found.by_priority, found.manageable) == (1, {"high": 18}, True)
    with reading(engine) as connection:
        assert alarm_statistics(connection, now_ns=now_ns, days=1.0).new == 0


def test_what_stands_for_more_than_a_day_is_listed_though_it_was_acknowledged_later(engine: sa.Engine) -> None:
    _raised(engine, "a/m00/p", _DAY, clears=False)
    _raised(engine, "a/m01/p", 0, clears=False)
    _raised(engine, "a/m02/p", 2 * _DAY - 10, clears=False)
    _raised(engine, "a/m03/p", 0, tag=NO_DATA, clears=False)
    with writing(engine) as connection:
        take(connection, "a/m00/p", HEALTH, "acknowledge", now_ns=2 * _DAY * _S, who="anna")
        take(connection, "a/m03/p", NO_DATA, "suppress", now_ns=2 * _DAY * _S, who="anna", why="standstill")
    with reading(engine) as connection:
        found = alarm_statistics(connection, now_ns=(2 * _DAY + 1) * _S)
    # The latest is younger than a day, and nobody is shown what is suppressed.
    assert [(one.point_id, one.state, one.raised_ns) for one in found.lasting] == [
        ("a/m01/p", "unacknowledged", 0),
        ("a/m00/p", "acknowledged", _DAY * _S),
    ]
    assert found.n_lasting == 2


def test_no_time_and_nobody_are_refused(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        for given in ({"days": 0.0}, {"operators": 0}):
            with pytest.raises(ParameterError, match="a positive time and 1 or more are wanted"):
                alarm_statistics(connection, now_ns=0, **given)  # type: ignore[arg-type]


def test_the_figures_are_printed(engine: sa.Engine, settings: Settings) -> None:
    _raised(engine, "a/m00/p", 5.0, clears=False)
    options = ["--data-dir", str(settings.data_dir), "alarms", "statistics", "--days", "3650"]
    said = json.loads(CliRunner().invoke(_raceway, [*options, "--json"]).output)
    assert (said["new"], said["lasting"]) == (
        0,
        [{"point_id": "a/m00/p", "tag": HEALTH, "state": "unacknowledged", "raised_ns": 5 * _S}],
    )
    text = CliRunner().invoke(_raceway, options).output
    assert "0 new alarms in" in text
    assert "since 1970-01-01 00:00:05Z a/m00/p health: unacknowledged" in text
