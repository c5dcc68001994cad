"""What people say is kept with the verdict that it is about; a repair lets a point learn anew, whole or not at all."""

from __future__ import annotations

import os
import signal
from dataclasses import fields, replace

import pytest
import sqlalchemy as sa

from app.access.audit import trail
from app.access.roles import ForbiddenError, User
from app.alarms.register import HEALTH, NODE, follow, journal, tags
from app.commissioning import begin_anew
from app.labels.records import Label, give, labels_of, node_words, verdicts
from app.learner import _changed
from app.retention import thin_waveforms
from app.schema import alarms, blocks, labels, node_reports, nodes, windows
from app.settings import Settings
from app.store import PointRow, open_store, point_rows, reading, save_point, writing
from features.contract import WATCHED
from features.errors import ParameterError

_POINT, _KIM = "plant/pump/drive", User("kim", "operator")
_S = 1_000_000_000
_ROW = PointRow(
    _POINT,
    "pump",
    state="watching",
    rate_hz=12_800.0,
    unit="g",
    channels=("radial",),
    bundle="baseline-1",
    score=3.0,
    threshold=2.0,
    windower=b"state",
    alarm={"active": True, "above": 9, "below": 0},
    seen_ns=90 * _S,
)


def _window(start_s: int, *, score: float = 3.0, probabilities: str | None = '{"outer": 0.9, "normal": 0.1}') -> dict:
    return {
        "point_id": _POINT,
        "start_ns": start_s * _S,
        "end_ns": (start_s + 1) * _S,
        "rate_hz": 12_800.0,
        "rms": 1.0,
        "contract": WATCHED.hash,
        "features": b"",
        "score": score,
        "threshold": 2.0,
        "bundle": "baseline-1",
        "probabilities": probabilities,
        "diagnosis_bundle": "diagnosis-1",
    }


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    """A store of one point whose alarm, the first one, stands."""
    with writing(store) as connection:
        save_point(connection, _ROW, new=True)
        connection.execute(windows.insert(), [_window(second) for second in range(10, 15)])
        raised = {"point_id": _POINT, "raised_ns": 13 * _S, "window_start_ns": 12 * _S, "ratio": 1.5, "kind": "outer"}
        connection.execute(alarms.insert().values(**raised))
        follow(connection, _POINT, HEALTH, active=True, now_ns=13 * _S)
    return store


def _give(engine: sa.Engine, kind: str, *, at_s: int = 100, user: User = _KIM, **given: object) -> Label:
    with writing(engine) as connection:
        return give(connection, user, _POINT, kind, now_ns=at_s * _S, **given)  # type: ignore[arg-type]


def test_a_label_has_the_columns_of_its_table() -> None:
    assert [field.name for field in fields(Label)] == list(labels.c.keys())


def test_a_label_of_an_alarm_takes_its_verdict_along(engine: sa.Engine) -> None:
    given = _give(engine, "rename", alarm_id=1, named="inner", why="seen when it was opened")
    assert (given.first_ns, given.last_ns, given.said, given.fault) == (12 * _S, 100 * _S, "outer", "inner")
    assert (given.score, given.threshold, given.bundle) == (3.0, 2.0, "baseline-1")
    assert (given.diagnosis_bundle, given.contract, given.who) == ("diagnosis-1", WATCHED.hash, "kim")
    with reading(engine) as connection:
        assert labels_of(connection) == labels_of(connection, point_id=_POINT, first_ns=100 * _S) == [given]
        assert labels_of(connection, first_ns=100 * _S + 1) == labels_of(connection, point_id="plant/pump/other") == []
        (deed,) = trail(connection)
    assert (deed.who, deed.action, deed.target) == ("kim", "label rename", _POINT)
    assert deed.why == "alarm 1, outer is inner, seen when it was opened"


def test_a_verdict_is_about_an_alarm_until_it_ended_whenever_it_was_given(engine: sa.Engine) -> None:
    _give(engine, "confirm", at_s=14, alarm_id=1)
    _give(engine, "note", at_s=14, alarm_id=1, why="it hums")
    alone = _give(engine, "reject", at_s=15, first_ns=10 * _S, last_ns=11 * _S)

    def lasting() -> list[tuple[int, int]]:
        with reading(engine) as connection:
            return [(label.first_ns, label.last_ns) for label in verdicts(connection, point_id=_POINT)]

    stretch = (alone.first_ns, alone.last_ns)
    # It stands: all that comes is of it.
    assert lasting() == [(12 * _S, 2**63 - 1), stretch]
    for cleared_s in (40, 13):
        with writing(engine) as connection:
            connection.execute(alarms.update().values(cleared_ns=cleared_s * _S))
        assert lasting() == [(12 * _S, cleared_s * _S), stretch]


def test_without_an_alarm_a_label_is_about_the_latest_window_or_the_stretch_given(engine: sa.Engine) -> None:
    latest = _give(engine, "reject")
    assert (latest.first_ns, latest.last_ns, latest.said, latest.score) == (14 * _S, 15 * _S, "outer", 3.0)
    earlier = _give(engine, "confirm", first_ns=0, last_ns=11 * _S - 1)
    assert (earlier.first_ns, earlier.last_ns, earlier.bundle) == (0, 11 * _S - 1, "baseline-1")
    with pytest.raises(ParameterError, match="nothing was judged at plant/pump/drive then"):
        _give(engine, "confirm", first_ns=20 * _S, last_ns=30 * _S)
    assert _give(engine, "note", first_ns=20 * _S, last_ns=30 * _S, why="greased").said is None


def test_a_nodes_alarm_is_labelled_by_its_report(engine: sa.Engine) -> None:
    report = {column.name: 0 for column in node_reports.c if not column.nullable and column.name != "id"}
    report |= {"point_id": _POINT, "node": "n1", "at_ns": 50 * _S, "state": "watching", "alarm": True, "model": 7}
    report |= {"score": 4.0, "threshold": 1.0, "features": b"", "known": b"", "digest": b""}
    with writing(engine) as connection:
        connection.execute(node_reports.insert().values(**report))
        raised = {"point_id": _POINT, "raised_ns": 50 * _S, "window_start_ns": 50 * _S, "ratio": 4.0}
        connection.execute(alarms.insert().values(**raised, tag=NODE, cleared_ns=60 * _S))
    given = _give(engine, "confirm", alarm_id=2)
    assert (given.score, given.bundle, given.last_ns, given.fault) == (4.0, "node model 7", 60 * _S, None)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("praise", {}, "label 'praise' is none"),
        ("rename", {}, "no fault kind was given to rename"),
        ("confirm", {"named": "inner"}, "the fault kind 'inner' was given to confirm"),
        ("rename", {"named": "normal"}, "fault kind 'normal' is none; .* or reject it"),
        ("note", {"why": " "}, "a note says nothing"),
        ("note", {"why": "x", "first_ns": 2, "last_ns": 1}, "a stretch from 2 to 1 is none"),
        ("note", {"why": "x", "first_ns": 2}, "a stretch from 2 to None is none"),
        ("reject", {"alarm_id": 9}, "plant/pump/drive has no alarm 9"),
        ("reject", {"alarm_id": 1, "first_ns": 1, "last_ns": 2}, "about an alarm or about a stretch of time"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(engine: sa.Engine, kind, given, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=said):
        _give(engine, kind, **given)
    with reading(engine) as connection:
        assert labels_of(connection) == trail(connection) == []


def test_a_viewer_may_not_label_and_an_unknown_point_is_named(engine: sa.Engine) -> None:
    with pytest.raises(ForbiddenError, match="lee is viewer and may not label"):
        _give(engine, "note", user=User("lee", "viewer"), why="x")
    with pytest.raises(ParameterError, match="no point 'a/b/c' is stored"), writing(engine) as connection:
        give(connection, _KIM, "a/b/c", "note", now_ns=1, why="x")


def test_a_repair_lets_the_point_learn_anew_and_ends_its_alarm(engine: sa.Engine) -> None:
    given = _give(engine, "repair", alarm_id=1, why="bearing changed")
    assert (given.first_ns, given.last_ns, given.said) == (100 * _S, 100 * _S, "outer")
    with reading(engine) as connection:
        (row,) = point_rows(connection)
        (tag,) = tags(connection)
        ended = journal(connection)[0].entry
        cleared_ns = connection.execute(sa.select(alarms.c.cleared_ns)).scalar()
    fresh = {"state": "learning", "bundle": None, "score": None, "threshold": None, "windower": None, "alarm": None}
    # Rate and unit stay, as the sensor did; what ingest wrote of the point does, too.
    assert row == replace(_ROW, **fresh, baseline_after=5, revision=1)
    assert (tag.alarm.active, tag.alarm.state, cleared_ns) == (False, "returned", 100 * _S)
    assert (ended.action, ended.who, ended.why) == ("clear", "kim", "repaired: bearing changed")


def test_a_baseline_that_was_being_learned_does_not_end_a_repair(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE points SET state = 'training'"))
        (training,) = point_rows(connection)
    assert _give(engine, "repair").kind == "repair"
    assert _changed(engine, training, state="watching", bundle="baseline-2").state == "learning"
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE points SET state = 'training'"))
        (training,) = point_rows(connection)
    assert _changed(engine, training, state="watching", bundle="baseline-2").bundle == "baseline-2"


def test_an_alarm_never_ends_before_it_began(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        begin_anew(connection, _POINT, now_ns=_S, who="kim", why="repaired")
    with reading(engine) as connection:
        assert connection.execute(sa.select(alarms.c.cleared_ns)).scalar() == 13 * _S


def test_a_repair_says_what_becomes_of_a_node(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        assert node_words(connection, _POINT) is None
        row = {column.name: 0 for column in nodes.c if not column.nullable}
        connection.execute(nodes.insert().values(**row | {"point_id": _POINT, "name": "n1"}))
        for tag in (NODE, "severity"):
            follow(connection, _POINT, tag, active=True, now_ns=50 * _S)
    assert _give(engine, "repair").kind == "repair"
    with reading(engine) as connection:
        words = node_words(connection, _POINT)
        stand = {one.tag: one.alarm.active for one in tags(connection)}
    assert stand == {HEALTH: False, "severity": False, NODE: True}
    assert words is not None
    assert words.startswith("The node n1 judges here by its own baseline: it is told to learn anew")


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_repair_that_is_killed_is_there_whole_or_not_at_all(
    engine: sa.Engine, settings: Settings, after_commit: bool
) -> None:
    child = os.fork()
    if not child:
        try:
            with writing(open_store(settings.database)) as connection:
                give(connection, _KIM, _POINT, "repair", now_ns=100 * _S)
                if not after_commit:
                    os.kill(os.getpid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    with reading(engine) as connection:
        (row,) = point_rows(connection)
        found = (len(labels_of(connection)), len(trail(connection)), row.state, len(journal(connection)))
    assert found == ((1, 1, "learning", 2) if after_commit else (0, 0, "watching", 1))


def test_waveforms_that_were_labelled_stay(engine: sa.Engine) -> None:
    same = {column.name: 1 for column in blocks.c if not column.nullable and column.name != "id"}
    same |= {"point_id": _POINT, "sample_type": "i2", "digest": b"", "waveform": b"x", "arrived_ns": 0}
    rows = [same | {"sequence": i, "start_ns": i * _S, "end_ns": (i + 1) * _S} for i in range(10, 20)]
    with writing(engine) as connection:
        connection.execute(alarms.delete())
        connection.execute(blocks.insert(), rows)
    _give(engine, "reject", first_ns=13 * _S + 1, last_ns=15 * _S)
    _give(engine, "note", first_ns=17 * _S, last_ns=18 * _S, why="greased")
    with writing(engine) as connection:
        assert thin_waveforms(connection, now_ns=3600 * _S, keep_h=0.5).dropped == 8
        kept = sa.select(blocks.c.sequence).where(blocks.c.waveform.is_not(None)).order_by(blocks.c.sequence)
        assert connection.execute(kept).scalars().all() == [13, 14]
