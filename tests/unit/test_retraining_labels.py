"""What people said of alarms decides what retraining takes for health and for a fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from app.access.roles import User
from app.labels.records import give
from app.retraining.selection import Amounts, NotReadyError, Selection, _without, select
from app.schema import alarms, windows
from app.store import PointRow, point_rows, reading, save_point, writing
from features.contract import WATCHED

_POINT, _S, _KIM = "plant/pump/drive", 1_000_000_000, User("kim", "operator")
_AMOUNTS = Amounts(learned=400, judged=40, margin_s=5.0)
_PROVENANCE: dict[str, Any] = {"windows": 50}


def _add_windows(connection: sa.Connection, first: int, count: int) -> None:
    same = {"point_id": _POINT, "rate_hz": 1e4, "rms": 1.0, "contract": WATCHED.hash, "features": b"", "score": 1.0}
    rows = [same | {"start_ns": i * _S, "end_ns": (i + 1) * _S} for i in range(first, first + count)]
    connection.execute(windows.insert(), rows)


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    """A point with 500 windows, a second each, and an alarm over 60 of them."""
    with writing(store) as connection:
        save_point(connection, PointRow(_POINT, "pump", state="watching", bundle="b"), new=True)
        _add_windows(connection, 0, 500)
        raised = {"point_id": _POINT, "raised_ns": 202 * _S, "window_start_ns": 200 * _S, "ratio": 1.5}
        connection.execute(alarms.insert().values(**raised, kind="outer", cleared_ns=260 * _S))
    return store


def _say(engine: sa.Engine, kind: Any, **given: Any) -> None:
    with writing(engine) as connection:
        give(connection, _KIM, _POINT, kind, now_ns=600 * _S, **given)


def _select(engine: sa.Engine) -> Selection:
    nothing = np.empty(0, np.int64)
    with reading(engine) as connection:
        (row,) = point_rows(connection)
        return select(connection, row, provenance=_PROVENANCE, kept=nothing, carriers=nothing, amounts=_AMOUNTS)


def _seconds(ids: Any) -> set[int]:
    # Windows are numbered from one, in their order.
    return {int(one) - 1 for one in ids}


def test_an_alarm_that_was_rejected_is_health_and_its_later_half_judges(engine: sa.Engine) -> None:
    before = _select(engine)
    assert not _seconds(before.learned.ids) & set(range(195, 265))
    assert (_seconds(before.alarmed["outer"]) <= set(range(200, 260)), before.rejected.size) == (True, 0)
    _say(engine, "reject", alarm_id=1)
    after = _select(engine)
    assert _seconds(after.rejected) == set(range(230, 260))
    assert set(range(195, 230)) <= _seconds(after.learned.ids)
    # No window that judges shares a sample with one that is learned from.
    assert not _seconds(after.learned.ids) & set(range(230, 260))
    assert after.alarmed == {}
    # Whoever says later that it was one after all is believed.
    _say(engine, "confirm", alarm_id=1)
    assert _seconds(_select(engine).learned.ids) == _seconds(before.learned.ids)


def test_a_renamed_alarm_is_of_the_kind_that_people_say(engine: sa.Engine) -> None:
    _say(engine, "rename", alarm_id=1, named="ball")
    assert list(_select(engine).alarmed) == ["ball"]


def test_a_standing_alarm_holds_retraining_back_until_it_is_rejected(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(alarms.update().values(cleared_ns=None))
    with pytest.raises(NotReadyError, match="an alarm stands"):
        _select(engine)
    _say(engine, "reject", alarm_id=1)
    after = _select(engine)
    assert _seconds(after.rejected) <= set(range(200, 500))
    assert after.rejected.size == 40


def test_a_stretch_that_was_confirmed_is_a_fault_without_an_alarm(engine: sa.Engine) -> None:
    _say(engine, "confirm", first_ns=300 * _S, last_ns=350 * _S)
    _say(engine, "rename", first_ns=400 * _S, last_ns=410 * _S, named="inner")
    chosen = _select(engine)
    assert not (_seconds(chosen.learned.ids) | _seconds(chosen.recent.ids)) & {*range(295, 355), *range(395, 415)}
    assert _seconds(chosen.alarmed["unknown"]) <= set(range(300, 350))
    assert _seconds(chosen.alarmed["inner"]) == set(range(400, 410))


def test_a_stretch_that_was_rejected_is_health_over_what_was_said_before(engine: sa.Engine) -> None:
    _say(engine, "reject", first_ns=230 * _S, last_ns=300 * _S)
    chosen = _select(engine)
    # What is left of the alarm, with its margin, is learned from by nobody.
    assert _seconds(chosen.alarmed["outer"]) == set(range(200, 230))
    assert not (_seconds(chosen.learned.ids) | _seconds(chosen.rejected)) & set(range(195, 235))
    assert set(range(236, 260)) <= _seconds(chosen.learned.ids)
    # The later half judges.
    assert _seconds(chosen.rejected) == set(range(268, 300))
    # Whoever says later that there was a fault after all is believed, of as much as they say.
    _say(engine, "rename", first_ns=250 * _S, last_ns=280 * _S, named="ball")
    again = _select(engine)
    assert _seconds(again.alarmed["ball"]) == set(range(250, 280))
    assert not (_seconds(again.learned.ids) | _seconds(again.rejected)) & {*range(195, 235), *range(245, 285)}


def test_a_kind_that_was_said_of_a_part_of_an_alarm_is_that_parts(engine: sa.Engine) -> None:
    _say(engine, "rename", first_ns=240 * _S, last_ns=300 * _S, named="ball")
    chosen = _select(engine)
    assert _seconds(chosen.alarmed["outer"]) == set(range(200, 240))
    assert _seconds(chosen.alarmed["ball"]) <= set(range(240, 300))


def test_a_stretch_of_a_standing_alarm_that_was_rejected_leaves_it_standing(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(alarms.update().values(cleared_ns=None))
    _say(engine, "reject", first_ns=200 * _S, last_ns=300 * _S)
    with pytest.raises(NotReadyError, match="an alarm stands"):
        _select(engine)


@pytest.mark.parametrize(
    ("fault", "stretch", "rest"),
    [
        ((10, 20), (0, 30), []),
        ((10, 20), (10, 20), []),
        ((10, 20), (0, 15), [(15, 20)]),
        ((10, 20), (15, 30), [(10, 15)]),
        ((10, 20), (12, 15), [(10, 12), (15, 20)]),
        ((10, 20), (0, 5), [(10, 20)]),
        ((10, 20), (25, 30), [(10, 20)]),
        ((10, None), (12, 15), [(10, 12), (15, None)]),
        ((10, None), (12, None), [(10, 12)]),
        ((10, 20), (15, None), [(10, 15)]),
        ((10, None), (0, None), []),
    ],
)
def test_what_is_left_of_a_fault_is_what_no_later_stretch_covers(
    fault: tuple[int, int | None], stretch: tuple[int, int | None], rest: list[tuple[int, int | None]]
) -> None:
    assert _without((*fault, "inner"), *stretch) == [(*one, "inner") for one in rest]


def test_nothing_of_before_a_repair_is_chosen(engine: sa.Engine) -> None:
    _say(engine, "repair", alarm_id=1)
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE points SET state = 'watching', bundle = 'c'"))
        _add_windows(connection, 700, 300)
    chosen = _select(engine)
    everything = np.concatenate([chosen.start.ids, chosen.frozen.ids, chosen.learned.ids, chosen.recent.ids])
    assert everything.min() == 501
    assert chosen.alarmed == {}
