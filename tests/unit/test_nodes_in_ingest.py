"""What nodes say on its way into the store: once, whole, in the same transaction, and their alarms with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from making import NOW_NS, arrival, arrivals, block
from telling import GATEWAY, NODE_POINT, SECOND_NS, alarming, event, gateway_state, report, state, update_status

import app.pipeline
from app.access.roles import User
from app.alarms.register import HEALTH, NO_DATA, NODE, NODE_FAULT, follow, journal, tags
from app.alarms.tending import tend
from app.backup import back_up, restore
from app.commissioning import relearn
from app.fleet.nodes import Node, events_of, node_at, nodes_of, reports_of
from app.intake import Arrival
from app.pipeline import Outcome, Pipeline
from app.retention import thin_reports, trim_events
from app.schema import alarms, blocks, counters, node_events, node_reports, nodes, quarantine, windows
from app.settings import Settings, load_settings
from app.store import open_store, point_rows, reading, writing
from app.wire import PointId

_KEY = str(NODE_POINT)


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    return store


@pytest.fixture
def pipeline(engine: sa.Engine, settings: Settings) -> Pipeline:
    return Pipeline(engine, settings)


def _take(pipeline: Pipeline, *messages: Arrival, now_ns: int = NOW_NS) -> Outcome:
    return pipeline.process(pipeline.prepare(messages), now_ns=now_ns)


def _all(engine: sa.Engine, *, without: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """Every row of what nodes write."""
    found = {}
    with reading(engine) as connection:
        for table in (nodes, node_reports, node_events, alarms):
            columns = [column for column in table.c if column.name not in without]
            found[table.name] = [tuple(row) for row in connection.execute(sa.select(*columns).order_by(*columns[:3]))]
    return found


def _count(engine: sa.Engine, table: sa.Table) -> int:
    with reading(engine) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _node(engine: sa.Engine, key: str = _KEY) -> Node:
    with reading(engine) as connection:
        found = node_at(connection, key)
    assert found is not None
    return found


def _stands(engine: sa.Engine) -> dict[str, tuple[str, bool]]:
    with reading(engine) as connection:
        return {tag.tag: (tag.alarm.state, tag.alarm.active) for tag in tags(connection)}


def test_a_point_that_only_a_node_speaks_for_is_there_without_blocks(pipeline: Pipeline, engine: sa.Engine) -> None:
    outcome = _take(pipeline, state("online"), event("hello", boot=3, model=2), report(0), report(1, score=1.0))
    assert (outcome.reports, outcome.stored, outcome.refused) == (2, 0, 0)
    with reading(engine) as connection:
        (row,) = point_rows(connection)
        found = reports_of(connection, _KEY, most=9)
    assert (row.id, row.score, row.threshold) == (_KEY, 1.0, 2.0)
    assert row.seen_ns == row.window_start_ns == NOW_NS + SECOND_NS
    assert [one.number for one in found] == [0, 1]
    np.testing.assert_array_equal(found[0].features, np.array([1.0, np.nan, 0.25], np.float32))
    node = _node(engine)
    assert (node.name, node.gateway, node.online, node.boot, node.model) == ("n7", GATEWAY, True, 3, 2)
    assert (node.number, node.state, node.ratio, node.seen_ns) == (1, "watching", 0.5, NOW_NS + SECOND_NS)


def test_the_same_again_changes_nothing(pipeline: Pipeline, engine: sa.Engine) -> None:
    said = [state("online"), event("log", level="info", text="up"), report(0), alarming(1), report(2)]
    _take(pipeline, *said)
    before = _all(engine)
    outcome = _take(pipeline, *said, now_ns=NOW_NS + 60 * SECOND_NS)
    assert (outcome.reports, outcome.duplicates) == (0, 4)
    assert _all(engine) == before


def test_doubles_within_a_batch_are_stored_once(pipeline: Pipeline, engine: sa.Engine) -> None:
    outcome = _take(pipeline, report(0), report(0), report(0, arrived_ns=NOW_NS + 5))
    assert (outcome.reports, outcome.duplicates) == (1, 2)
    assert _count(engine, node_reports) == 1


_SAID = [
    state("online"),
    event("hello", boot=3, model=2),
    *(report(i) for i in range(3)),
    *(alarming(i) for i in range(3, 6)),
    gateway_state("offline", now_ns=NOW_NS + 6 * SECOND_NS),
    report(6),
    update_status(500, now_ns=NOW_NS + 7 * SECOND_NS),
    event("hello", boot=4, now_ns=NOW_NS + 8 * SECOND_NS),
    *(report(i, boot=4, now_ns=NOW_NS + (9 + i) * SECOND_NS) for i in range(3)),
]


@given(cuts=st.sets(st.integers(1, len(_SAID) - 1)), again=st.booleans(), restart=st.booleans())
@examples(max_examples=15, deadline=None)
def test_however_it_comes_in_batches_the_store_holds_the_same(
    tmp_path_factory: pytest.TempPathFactory, empty_store: Path, cuts: set[int], again: bool, restart: bool
) -> None:
    """Batches cut anywhere, each delivered twice if need be, a process killed between any two."""
    stores = []
    for ends in ([len(_SAID)], [*sorted(cuts), len(_SAID)]):
        folder = tmp_path_factory.mktemp("store")
        own = Settings(data_dir=folder)
        shutil.copy(empty_store, folder / "raceway.db")
        engine = open_store(own.database)
        pipeline = Pipeline(engine, own)
        for first, end in zip([0, *ends], ends, strict=False):
            for _ in range(2 if again and len(ends) > 1 else 1):
                pipeline = Pipeline(engine, own) if restart else pipeline
                # States may be told again at any time; gateways' wills end their nodes anew, which changes nothing.
                _take(pipeline, *_SAID[first:end])
        stores.append(_all(engine, without=("id",)) | {"stands": [*_stands(engine).items()]})
        engine.dispose()
    assert stores[0] == stores[1]


def test_a_node_that_cannot_keep_its_count_of_starts_loses_nothing(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, *(report(i) for i in range(5)))
    later = [report(i, now_ns=NOW_NS + (60 + i) * SECOND_NS, uptime_ms=1000 * i + 7) for i in range(2)]
    outcome = _take(pipeline, *later, alarming(2, now_ns=NOW_NS + 62 * SECOND_NS))
    assert outcome.reports == 3
    assert _count(engine, node_reports) == 8
    assert _stands(engine)[NODE] == ("unacknowledged", True)


def test_a_report_that_comes_late_is_stored_and_changes_no_verdict(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, report(0), alarming(2))
    outcome = _take(pipeline, report(1))
    assert outcome.reports == 1
    assert _stands(engine)[NODE] == ("unacknowledged", True)
    assert _node(engine).number == 2


def test_reports_that_never_came_are_counted_within_a_start(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, report(0), report(4), report(0, boot=4, now_ns=NOW_NS + 9 * SECOND_NS))
    with reading(engine) as connection:
        counted = {row.name: row.value for row in connection.execute(sa.select(counters))}
    assert counted == {"reports": 3, "reports missing": 3}


@pytest.mark.parametrize("time_ns", [0, NOW_NS // 2, 3 * NOW_NS, None])
def test_a_clock_that_jumps_loses_nothing(pipeline: Pipeline, engine: sa.Engine, time_ns: int | None) -> None:
    _take(pipeline, report(0), alarming(1, time_ns=time_ns), report(2, time_ns=time_ns))
    with reading(engine) as connection:
        found = reports_of(connection, _KEY, most=9)
        steps = [row.entry.action for row in journal(connection)]
    assert [(one.number, one.at_ns - NOW_NS) for one in found] == [(0, 0), (1, SECOND_NS), (2, 2 * SECOND_NS)]
    assert [one.time_ns for one in found[1:]] == [time_ns, time_ns]
    assert steps == ["clear", "raise"]


def test_a_gateways_clock_that_is_not_believed_gives_way_to_ours(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, report(0, time_ns=None, arrived_ns=5))
    with reading(engine) as connection:
        (found,) = reports_of(connection, _KEY, most=9)
    assert (found.at_ns, found.arrived_ns) == (NOW_NS, NOW_NS)


def test_an_alarm_within_a_clock_set_back_ends_no_earlier_than_it_began(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, alarming(0), report(1, time_ns=NOW_NS - 3600 * SECOND_NS))
    with reading(engine) as connection:
        row = connection.execute(sa.select(alarms)).one()
    assert (row.raised_ns, row.cleared_ns) == (NOW_NS, NOW_NS)


def test_a_nodes_alarm_is_raised_named_and_cleared(pipeline: Pipeline, engine: sa.Engine) -> None:
    outcome = _take(pipeline, report(0), alarming(1), alarming(2, diagnosis="inner"))
    with reading(engine) as connection:
        (alarm,) = connection.execute(sa.select(alarms)).all()
        (step,) = journal(connection, point_id=_KEY)
    assert (alarm.tag, alarm.kind, alarm.ratio, alarm.raised_ns) == (NODE, "inner", 2.5, NOW_NS + SECOND_NS)
    assert (step.tag, step.entry.action) == (NODE, "raise")
    assert step.entry.why == "outer race fault of the bearing (90 %), score 2.50 times the threshold"
    assert _stands(engine) == {NODE: ("unacknowledged", True)}
    health, published = (json.loads(one.payload) for one in outcome.publications)
    assert (health["by"], health["state"], health["alarm"], health["kind"]) == ("node", "watching", True, "inner")
    assert (published["by"], published["active"], published["kind"]) == ("node", True, "outer")
    _take(pipeline, report(3))
    assert _stands(engine) == {NODE: ("returned", False)}
    with reading(engine) as connection:
        assert connection.execute(sa.select(alarms.c.cleared_ns)).scalar() == NOW_NS + 3 * SECOND_NS


def test_a_node_that_cannot_judge_is_an_alarm_of_its_own(pipeline: Pipeline, engine: sa.Engine) -> None:
    outcome = _take(pipeline, report(0, state="fault", score=None, threshold=None, model=0))
    assert _stands(engine) == {NODE_FAULT: ("unacknowledged", True)}
    assert json.loads(outcome.publications[0].payload)["state"] == "failed"
    _take(pipeline, report(1))
    assert _stands(engine) == {NODE_FAULT: ("returned", False)}


def test_silence_of_a_node_is_no_data_and_its_report_ends_it(pipeline: Pipeline, engine: sa.Engine) -> None:
    def pass_by(seconds: int, *, stale_s: int = 60) -> None:
        tend(engine, [], now_ns=NOW_NS + seconds * SECOND_NS, stale_ns=stale_s * SECOND_NS, quiet_ns=0)

    _take(pipeline, report(0))
    pass_by(59)
    assert _stands(engine) == {}
    pass_by(61)
    assert _stands(engine)[NO_DATA] == ("unacknowledged", True)
    _take(pipeline, report(62))
    pass_by(63)
    assert _stands(engine)[NO_DATA] == ("returned", False)
    _take(pipeline, event("hello", period_ms=600_000, now_ns=NOW_NS + 64 * SECOND_NS))
    pass_by(64 + 1790)
    assert _stands(engine)[NO_DATA] == ("returned", False)
    pass_by(64 + 1810)
    assert _stands(engine)[NO_DATA] == ("unacknowledged", True)


def test_the_server_neither_learns_from_bursts_nor_alarms_beside_the_node(
    pipeline: Pipeline, engine: sa.Engine, settings: Settings
) -> None:
    _take(pipeline, *arrivals(0, 3))
    key = "site/pump/drive-end"
    point = PointId.parse(key)
    with writing(engine) as connection:
        follow(connection, key, HEALTH, active=True, now_ns=NOW_NS)
        row = {"point_id": key, "raised_ns": NOW_NS, "window_start_ns": NOW_NS, "ratio": 2.0}
        connection.execute(alarms.insert().values(**row))
    _take(pipeline, report(0, point=point))
    assert _stands(engine) == {HEALTH: ("returned", False)}
    with reading(engine) as connection:
        assert connection.execute(sa.select(alarms.c.cleared_ns)).scalar() == NOW_NS
        have = point_rows(connection)[0].baseline_have
    _take(pipeline, *(arrival(block(i), now_ns=NOW_NS) for i in range(3, 60)))
    with reading(engine) as connection:
        (found,) = point_rows(connection)
    assert (found.state, found.baseline_have, found.score) == ("learning", have, 0.5)
    assert _count(engine, blocks) == 60
    assert _count(engine, windows) == 59
    assert settings.baseline_windows < 59


def test_learning_anew_leaves_the_nodes_alarm(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, alarming(0))
    relearn(engine, User("anna", "engineer"), _KEY, now_ns=NOW_NS + SECOND_NS)
    assert _stands(engine) == {NODE: ("unacknowledged", True)}
    with reading(engine) as connection:
        assert connection.execute(sa.select(alarms.c.cleared_ns)).scalar() is None


def test_a_gateway_that_is_gone_takes_its_nodes_with_it(pipeline: Pipeline, engine: sa.Engine) -> None:
    other = PointId("plant", "fan-1", "node")
    elsewhere = state("online", point=other, node="n1", gateway="plant/gw2/gateway")
    _take(pipeline, gateway_state("online"), state("online"), elsewhere)
    _take(pipeline, gateway_state("offline", now_ns=NOW_NS + 5))
    assert (_node(engine).online, _node(engine).since_ns) == (False, NOW_NS + 5)
    assert _node(engine, str(other)).online
    # What it left behind says nothing, in whichever order a broker gives it.
    _take(pipeline, state("online"))
    assert not _node(engine).online
    _take(pipeline, gateway_state("online", now_ns=NOW_NS + 9), state("online", now_ns=NOW_NS + 10))
    assert _node(engine).online
    with reading(engine) as connection:
        assert {row.id for row in point_rows(connection)} == {_KEY, str(other)}


def test_a_state_newer_than_its_gateways_end_is_believed(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, gateway_state("offline"), state("online", now_ns=NOW_NS + 1))
    assert _node(engine).online


def test_a_node_that_is_on_another_gateway_is_not_ended_by_the_former(pipeline: Pipeline, engine: sa.Engine) -> None:
    second = "plant/gw2/gateway"
    _take(pipeline, state("online"), state("online", gateway=second, now_ns=NOW_NS + 1))
    _take(pipeline, state("offline", now_ns=NOW_NS + 8))
    assert (_node(engine).gateway, _node(engine).online) == (second, True)


def test_a_node_that_moves_leaves_its_point_and_its_reports(pipeline: Pipeline, engine: sa.Engine) -> None:
    elsewhere = PointId("plant", "fan-1", "node")
    _take(pipeline, state("online"), report(0))
    outcome = _take(pipeline, state("online", point=elsewhere, now_ns=NOW_NS + 9))
    assert [name for name, _ in outcome.events] == ["node moved"]
    # What is still retained at the place before comes again and changes nothing.
    _take(pipeline, state("offline", now_ns=NOW_NS + 8))
    with reading(engine) as connection:
        assert [node.point_id for node in nodes_of(connection)] == [str(elsewhere)]
    assert _count(engine, node_reports) == 1


def test_another_node_at_a_point_takes_the_place_of_the_one_before(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, state("online"), alarming(0), update_status(100))
    outcome = _take(pipeline, report(0, node="n8"))
    assert outcome.reports == 1
    assert next(name for name, _ in outcome.events) == "node replaced"
    node = _node(engine)
    assert (node.name, node.update_size, node.gateway) == ("n8", 0, None)
    assert _stands(engine)[NODE] == ("returned", False)


def test_an_update_under_way_is_seen_with_its_percent_and_its_refusal(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, state("online"), update_status(250))
    assert (_node(engine).received, _node(engine).candidate) == (0.25, 3)
    _take(pipeline, update_status(1000, slot="empty", reason=16, now_ns=NOW_NS + 1))
    assert (_node(engine).received, _node(engine).update_reason) == (None, "golden")
    with reading(engine) as connection:
        assert [one.kind for one in events_of(connection, _KEY, most=9)] == ["update_status"] * 2


def test_what_is_malformed_is_set_aside_and_the_others_are_stored(pipeline: Pipeline, engine: sa.Engine) -> None:
    bad = Arrival(NODE_POINT.topic("report"), b'{"v":1}', NOW_NS)
    outcome = _take(pipeline, report(0), bad, report(1))
    assert (outcome.reports, outcome.refused) == (2, 1)
    with reading(engine) as connection:
        (aside,) = connection.execute(sa.select(quarantine)).all()
    assert (aside.reason, bytes(aside.payload)) == ("malformed", b'{"v":1}')


def test_a_failed_commit_leaves_nothing_and_can_be_repeated(
    pipeline: Pipeline, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(pipeline, state("online"), report(0))
    before = _all(engine)

    def fail(*_: object) -> None:
        raise sa.exc.OperationalError("insert", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(app.pipeline, "count", fail)
        with pytest.raises(sa.exc.OperationalError, match="disk is full"):
            _take(pipeline, alarming(1))
    assert _all(engine) == before
    assert _stands(engine) == {}
    assert _take(pipeline, alarming(1)).reports == 1


def test_a_report_that_finds_a_fault_of_ours_is_set_aside_alone(
    pipeline: Pipeline, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = app.pipeline.hear

    def faulty(batch: Any, *args: Any, **kwargs: Any) -> Any:
        if any(getattr(one.said, "number", None) == 1 for one in batch):
            raise ZeroDivisionError("made up")
        return real(batch, *args, **kwargs)

    monkeypatch.setattr(app.pipeline, "hear", faulty)
    outcome = _take(pipeline, report(0), report(1), report(2))
    assert (outcome.reports, outcome.refused) == (2, 1)
    assert _count(engine, quarantine) == 1


def test_old_reports_are_thinned_to_one_an_hour_but_around_alarms(pipeline: Pipeline, engine: sa.Engine) -> None:
    minute_ns, hour_ns = 60 * SECOND_NS, 3600 * SECOND_NS
    begin_ns = -(-NOW_NS // hour_ns) * hour_ns
    said = [report(i, now_ns=begin_ns + 10 * i * minute_ns) for i in range(18)]
    said[8] = alarming(8, now_ns=begin_ns + 80 * minute_ns)
    _take(pipeline, *said)
    with writing(engine) as connection:
        assert thin_reports(connection, now_ns=begin_ns + 3 * hour_ns, keep_h=3.0).dropped == 0
        assert thin_reports(connection, now_ns=begin_ns + 4 * hour_ns, keep_h=2.0).dropped > 0
    with reading(engine) as connection:
        left = [one.number for one in reports_of(connection, _KEY, most=99)]
    # The first of both hours, the alarm's with the report that ended it, and all of the last hour.
    assert left == [0, 6, 8, 9, *range(12, 18)]


def test_old_events_are_dropped(pipeline: Pipeline, engine: sa.Engine) -> None:
    hour_ns = 3600 * SECOND_NS
    _take(pipeline, *(event("log", text=str(i), now_ns=NOW_NS + i * hour_ns) for i in range(4)))
    with writing(engine) as connection:
        assert trim_events(connection, now_ns=NOW_NS + 3 * hour_ns, keep_h=2.0) == 1
    assert _count(engine, node_events) == 3


@pytest.mark.sqlite
def test_a_backup_holds_what_nodes_said(
    pipeline: Pipeline, engine: sa.Engine, settings: Settings, tmp_path: Path
) -> None:
    _take(pipeline, *_SAID)
    there = load_settings(data_dir=tmp_path / "elsewhere")
    back_up(settings, tmp_path / "kept.tar.zst", progress=lambda *_: None)
    restore(there, tmp_path / "kept.tar.zst", progress=lambda *_: None)
    assert _all(open_store(there.database)) == _all(engine)
