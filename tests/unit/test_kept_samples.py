"""Samples that are kept are found at whatever distance, by an index, and the nearest ones are the nearest."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
import sqlalchemy as sa
from plans import plans_of
from sqlalchemy import Engine

from app.console.history import kept_spans, nearest_kept
from app.schema import blocks
from app.store import insert_rows, writing

_S = 1_000_000_000
_POINT = "a/b/c"


def _insert(engine: Engine, seconds: Iterable[int], *, waveform: bytes | None = b"x") -> None:
    """Blocks of a second each, which begin at the given ones."""
    same = {"rate_hz": 1.0, "sample_type": "i2", "scale": 1.0, "n_samples": 1, "n_channels": 1, "digest": b""}
    same |= {"point_id": _POINT, "arrived_ns": 1, "waveform": waveform}
    times = [{"sequence": s, "start_ns": s * _S, "end_ns": (s + 1) * _S} for s in seconds]
    with writing(engine) as connection:
        insert_rows(connection, blocks, [same | one for one in times])


def test_kept_samples_are_found_beyond_any_number_of_blocks_without(engine: Engine) -> None:
    _insert(engine, range(10))
    _insert(engine, range(10, 25_010), waveform=None)
    assert nearest_kept(engine, _POINT) == 10 * _S
    assert nearest_kept(engine, _POINT, 20_000 * _S) == 10 * _S
    assert kept_spans(engine, _POINT, most=20) == [(s + 1) * _S for s in range(10)]
    assert kept_spans(engine, _POINT, since_ns=4 * _S, most=20) == [(s + 1) * _S for s in range(4, 10)]
    assert kept_spans(engine, _POINT, since_ns=10 * _S, most=20) == []


def test_the_nearest_samples_are_the_nearest(engine: Engine) -> None:
    _insert(engine, [0, 100, 101])
    wanted = {-5.0: 1, 1.0: 1, 50.4: 1, 50.5: 1, 50.6: 101, 100.0: 101, 100.7: 101, 101.0: 101, 101.5: 102, 900.0: 102}
    found = {at_s: nearest_kept(engine, _POINT, round(at_s * _S)) for at_s in wanted}
    assert found == {at_s: end_s * _S for at_s, end_s in wanted.items()}
    assert nearest_kept(engine, "another") is None
    assert nearest_kept(engine, "another", 5) is None


def test_spans_are_even_over_the_time_that_is_kept(engine: Engine) -> None:
    day_s = 86_400
    hours = [*range(90 * day_s, 90 * day_s + 6 * 3600)]
    _insert(engine, [*range(60), *hours])
    ends = kept_spans(engine, _POINT, most=30)
    assert len(ends) == 30
    assert ends[0] == _S, "a minute of three months ago is not overlooked"
    assert ends[-1] == (hours[-1] + 1) * _S
    gaps = [(after - before) / _S for before, after in itertools.pairwise(ends[1:])]
    assert max(gaps) <= 3 * 6 * 3600 / 28
    assert kept_spans(engine, _POINT, since_ns=day_s * _S, most=30)[0] == (hours[0] + 1) * _S


@pytest.mark.sqlite
def test_each_look_goes_by_the_index_of_what_is_kept(engine: Engine) -> None:
    _insert(engine, range(100))
    _insert(engine, range(100, 200), waveform=None)
    with plans_of(engine) as plans:
        nearest_kept(engine, _POINT)
        nearest_kept(engine, _POINT, 50 * _S)
        kept_spans(engine, _POINT, most=10)
    looks = [plan for plan in plans if "blocks" in plan]
    assert len(looks) >= 6
    assert all("kept_by_end (point_id=?" in plan for plan in looks), looks
    with writing(engine) as connection:
        connection.execute(sa.text("ANALYZE"))
    with plans_of(engine) as plans:
        nearest_kept(engine, _POINT, 50 * _S)
    assert all("kept_by_end" in plan for plan in plans if "blocks" in plan)


@pytest.mark.sqlite
def test_spans_cost_no_more_where_more_is_kept(engine: Engine) -> None:
    work: list[int] = []

    def begin(connection: Any, cursor: Any, *_: Any) -> None:
        del connection
        cursor.connection.set_progress_handler(lambda: work.append(1), 100)

    cost = []
    for seconds in (range(2_000), range(2_000, 20_000)):
        _insert(engine, seconds)
        sa.event.listen(engine, "before_cursor_execute", begin)
        work.clear()
        assert len(kept_spans(engine, _POINT, most=40)) == 40
        sa.event.remove(engine, "before_cursor_execute", begin)
        cost.append(len(work))
    assert cost[1] <= 2 * cost[0]
