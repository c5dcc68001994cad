"""Thinning goes by portions, looks at nothing twice, and finds what is to go by an index however much stays."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from plans import plans_of
from sqlalchemy import Connection, Engine

import app.ingest
from app.ingest import Ingest
from app.retention import Place, thin_reports, thin_waveforms
from app.schema import alarms, blocks, node_reports
from app.settings import Settings
from app.store import reading, writing

_S, _HOUR_NS = 1_000_000_000, 3_600_000_000_000
_POINT = "a/b/c"


def _insert(engine: Engine, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    same = {column.name: _filler(column) for column in table.c if not column.nullable and column.name != "id"}
    with writing(engine) as connection:
        connection.execute(table.insert(), [same | {"point_id": _POINT} | row for row in rows])


def _filler(column: sa.Column[Any]) -> Any:
    return {bytes: b"x", int: 1, float: 1.0, str: "x", bool: False}[column.type.python_type]


def _blocks(engine: Engine, n: int, *, first: int = 0, at_ns: int = 0, waveform: bytes | None = b"x") -> None:
    """Blocks of a second each, which arrive at their end."""
    rows = [
        {"sequence": i, "start_ns": at_ns + i * _S, "end_ns": at_ns + (i + 1) * _S, "arrived_ns": at_ns + (i + 1) * _S}
        for i in range(first, first + n)
    ]
    _insert(engine, blocks, [row | {"waveform": waveform} for row in rows])


def _kept(connection: Connection) -> list[int]:
    query = sa.select(blocks.c.sequence).where(blocks.c.waveform.is_not(None)).order_by(blocks.c.sequence)
    return list(connection.execute(query).scalars())


def test_waveforms_go_by_portions_and_what_stays_is_looked_at_once(engine: Engine) -> None:
    _blocks(engine, 10)
    _insert(engine, alarms, [{"raised_ns": 64 * _S, "cleared_ns": 65 * _S, "window_start_ns": 0, "tag": "health"}])
    with writing(engine) as connection:
        # From a minute before the alarm on: the blocks from the fifth.
        first = thin_waveforms(connection, now_ns=_HOUR_NS, keep_h=0.5, most=6)
        assert (first.dropped, first.more, _kept(connection)) == (4, True, [4, 5, 6, 7, 8, 9])
        second = thin_waveforms(connection, now_ns=_HOUR_NS, keep_h=0.5, most=6, after=first.after)
        assert (second.dropped, second.more) == (0, False)
        connection.execute(alarms.delete())
        again = thin_waveforms(connection, now_ns=_HOUR_NS, keep_h=0.5, most=6, after=second.after)
        assert (again.dropped, again.more, again.after) == (0, False, second.after)
        # A clock that was set back begins anew, or what arrives by it would never be found.
        anew = thin_waveforms(connection, now_ns=_HOUR_NS // 2 + 9 * _S, keep_h=0.5, after=second.after)
        assert (anew.dropped, _kept(connection)) == (4, [8, 9])


@pytest.mark.sqlite
def test_waveforms_are_found_by_an_index_among_blocks_without_any(engine: Engine) -> None:
    _blocks(engine, 50, waveform=None)
    _blocks(engine, 5, first=50)
    with plans_of(engine) as plans, writing(engine) as connection:
        assert thin_waveforms(connection, now_ns=_HOUR_NS, keep_h=0.5, after=Place(1, 1)).dropped == 5
    assert any("kept_by_arrival" in plan for plan in plans)
    assert not any(plan.startswith("SCAN blocks") or "TEMP B-TREE" in plan for plan in plans), plans


def _reports(engine: Engine, at_min: list[int], *, arrived_min: int | None = None) -> None:
    with reading(engine) as connection:
        last = connection.execute(sa.select(sa.func.max(node_reports.c.number))).scalar() or 0
    rows = [
        {
            "number": last + 1 + i,
            "at_ns": at * 60 * _S,
            "arrived_ns": (at if arrived_min is None else arrived_min) * 60 * _S,
            "digest": bytes(16),
        }
        for i, at in enumerate(at_min)
    ]
    _insert(engine, node_reports, rows)


def _reported(connection: Connection) -> list[int]:
    query = sa.select(node_reports.c.at_ns).order_by(node_reports.c.at_ns)
    return [at_ns // (60 * _S) for at_ns in connection.execute(query).scalars()]


def test_reports_go_by_portions_and_what_stays_is_looked_at_once(engine: Engine) -> None:
    _reports(engine, list(range(0, 180, 10)))
    after, looks = Place(), 0
    with writing(engine) as connection:
        more = True
        while more:
            portion = thin_reports(connection, now_ns=3 * _HOUR_NS, keep_h=1.0, after=after, most=5)
            after, more, looks = portion.after, portion.more, looks + 1
        assert _reported(connection) == [0, 60, *range(120, 180, 10)]
        assert looks == 3
    with writing(engine) as connection:
        portion = thin_reports(connection, now_ns=3 * _HOUR_NS, keep_h=1.0, after=after)
        assert (portion.dropped, portion.after) == (0, after)
    # One that comes late is thinned once it has been here as long, beside the one of its hour.
    _reports(engine, [15], arrived_min=180)
    with writing(engine) as connection:
        assert thin_reports(connection, now_ns=4 * _HOUR_NS - 1, keep_h=1.0, after=after).dropped == 5
        assert _reported(connection) == [0, 15, 60, 120]
        assert thin_reports(connection, now_ns=4 * _HOUR_NS + 1, keep_h=1.0, after=after).dropped == 1
        assert _reported(connection) == [0, 60, 120]


def test_a_report_of_a_clock_that_was_set_back_holds_no_other_up(engine: Engine) -> None:
    _reports(engine, [10_000])
    _reports(engine, [0, 10, 20])
    with writing(engine) as connection:
        portion = thin_reports(connection, now_ns=2 * _HOUR_NS, keep_h=1.0)
        assert (portion.dropped, _reported(connection)) == (2, [0, 10_000])
        # The last two numbers are free again, and given to the next that come.
        assert portion.after.id == 2


@pytest.mark.sqlite
def test_reports_are_found_by_their_indices(engine: Engine) -> None:
    _reports(engine, list(range(0, 60, 10)))
    with plans_of(engine) as plans, writing(engine) as connection:
        assert thin_reports(connection, now_ns=3 * _HOUR_NS, keep_h=1.0).dropped == 5
    assert not any(plan.startswith("SCAN node_reports") or "TEMP B-TREE" in plan for plan in plans), plans


def test_ingest_goes_on_with_the_next_portion_at_once_and_then_waits(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _blocks(engine, 1200)
    ingest = Ingest(engine, settings, clock_ns=lambda: 100 * _HOUR_NS)
    left = []
    for _ in range(3):
        ingest._thin()
        with reading(engine) as connection:
            left.append(len(_kept(connection)))
    assert left == [700, 200, 0]
    monkeypatch.setattr(app.ingest, "thin_waveforms", None)
    ingest._thin()
