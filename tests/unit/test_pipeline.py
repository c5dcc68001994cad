"""From messages to committed rows: once, whole, and the same after any interruption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from making import NOW_NS, POINT, RATE_HZ, arrival, arrivals, block

import app.intake
import app.pipeline
import models.serving
from app.access.audit import trail
from app.access.roles import User
from app.alarms.register import SEVERITY, journal, tags
from app.assets.model import Machine, Point
from app.assets.register import enter
from app.codec import encode_about
from app.commissioning import outdated, relearn
from app.doctor import examine
from app.intake import Arrival
from app.labels.records import give
from app.learner import learn_point, waiting_points
from app.pipeline import Outcome, Pipeline
from app.schema import alarms, asset_points, blocks, quarantine, windows
from app.settings import Settings
from app.store import StaleError, change_state, features_from_blob, point_rows, reading, writing
from app.wire import About
from features.bearing import bearing_named
from features.contract import WATCHED
from features.errors import ArtifactError
from features.extraction import extract
from models.bundle import load_bundle


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    return store


@pytest.fixture
def pipeline(engine: sa.Engine, settings: Settings) -> Pipeline:
    return Pipeline(engine, settings)


def _take(pipeline: Pipeline, messages: list[Arrival], *, now_ns: int = NOW_NS) -> Outcome:
    return pipeline.process(pipeline.prepare(messages), now_ns=now_ns)


def _rows(engine: sa.Engine, table: sa.Table) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(table).order_by(table.c.id)))


def _stands(engine: sa.Engine) -> tuple[str, bool]:
    with reading(engine) as connection:
        (tag,) = tags(connection)
    return tag.alarm.state, tag.alarm.active


def _point(engine: sa.Engine) -> Any:
    with reading(engine) as connection:
        return point_rows(connection)[0]


def test_blocks_become_the_features_of_the_cut_signal(pipeline: Pipeline, engine: sa.Engine) -> None:
    outcome = _take(pipeline, arrivals(0, 6), now_ns=NOW_NS)
    assert (outcome.stored, outcome.windows, outcome.refused) == (6, 5, 0)
    signal = np.concatenate([block(i).physical()[0] for i in range(6)])
    cut = np.stack([signal[a : a + 4096] for a in range(0, signal.size - 4095, 2048)])
    expected = extract(cut, RATE_HZ, profile=WATCHED, unit="g")
    stored = np.stack([features_from_blob(row.features) for row in _rows(engine, windows)])
    np.testing.assert_allclose(stored, expected, rtol=1e-5)


def test_a_redelivery_changes_nothing(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, arrivals(0, 6), now_ns=NOW_NS)
    before = _rows(engine, windows)
    outcome = _take(pipeline, arrivals(0, 6), now_ns=NOW_NS)
    assert (outcome.stored, outcome.duplicates, outcome.windows) == (0, 6, 0)
    assert _rows(engine, windows) == before


def test_doubles_within_a_batch_are_stored_once(pipeline: Pipeline, engine: sa.Engine) -> None:
    outcome = _take(pipeline, arrivals(0, 3) + arrivals(0, 3), now_ns=NOW_NS)
    assert (outcome.stored, outcome.duplicates) == (3, 3)
    assert len(_rows(engine, blocks)) == 3


def test_a_second_stream_under_one_identity_is_set_aside(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, arrivals(0, 4), now_ns=NOW_NS)
    same_key = arrival(block(2, seed=99))
    same_time = arrival(block(1, start_ns=block(2).start_ns + 1_000, seed=98))
    outcome = _take(pipeline, [same_key, same_time], now_ns=NOW_NS)
    assert (outcome.stored, outcome.refused) == (0, 2)
    assert [row.reason for row in _rows(engine, quarantine)] == ["conflict", "conflict"]


def test_a_clock_set_back_in_a_stream_that_counts_on_is_accepted(pipeline: Pipeline) -> None:
    _take(pipeline, arrivals(0, 4), now_ns=NOW_NS)
    outcome = _take(pipeline, [arrival(block(4, start_ns=NOW_NS + 1_000_000))], now_ns=NOW_NS)
    assert (outcome.stored, outcome.refused) == (1, 0)


def test_another_rate_is_set_aside_until_the_point_learns_anew(
    pipeline: Pipeline, engine: sa.Engine, settings: Settings
) -> None:
    _take(pipeline, arrivals(0, 2), now_ns=NOW_NS)
    other = arrival(block(2, rate_hz=25_600.0, start_ns=NOW_NS + 10**10))
    assert _take(pipeline, [other], now_ns=NOW_NS).refused == 1
    assert _rows(engine, quarantine)[0].reason == "rate_changed"
    relearn(engine, User("anna", "engineer"), str(POINT), now_ns=NOW_NS)
    assert _take(pipeline, [other], now_ns=NOW_NS).stored == 1
    assert _point(engine).rate_hz == 25_600.0
    assert settings.baseline_windows > 0


def test_a_repair_ends_the_alarm_that_is_retained_at_the_broker(pipeline: Pipeline, engine: sa.Engine) -> None:
    def said(first: int, now_ns: int) -> list[bool]:
        outcome = _take(pipeline, arrivals(first, 2), now_ns=now_ns)
        alarms_ = [one for one in outcome.publications if one.topic == POINT.topic("alarm")]
        return [json.loads(one.payload)["active"] for one in alarms_]

    # A new point has no alarm that could stand.
    assert said(0, NOW_NS) == []
    with writing(engine) as connection:
        change_state(connection, point_rows(connection)[0], state="watching")
    assert said(2, NOW_NS) == []
    with writing(engine) as connection:
        give(connection, User("kim", "operator"), str(POINT), "repair", now_ns=NOW_NS)
    assert said(4, NOW_NS) == [False]
    assert said(6, NOW_NS + 10**10) == []


def test_a_failed_commit_leaves_nothing_and_can_be_repeated(
    pipeline: Pipeline, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(pipeline, arrivals(0, 3), now_ns=NOW_NS)
    full = sa.exc.OperationalError("insert", {}, Exception("database or disk is full"))

    def fail(*_: object) -> None:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(app.pipeline, "count", fail)
        with pytest.raises(sa.exc.OperationalError, match="disk is full"):
            _take(pipeline, arrivals(3, 3), now_ns=NOW_NS)
    assert len(_rows(engine, blocks)) == 3
    assert _take(pipeline, arrivals(3, 3), now_ns=NOW_NS).stored == 3
    # Windows across the seam are there: the state went back to the last commit.
    assert [row.start_ns for row in _rows(engine, windows)] == [NOW_NS + i * 160_000_000 for i in range(5)]


def test_a_message_that_finds_a_fault_of_ours_is_set_aside_and_the_others_are_stored(
    pipeline: Pipeline, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = app.pipeline.extract

    def faulty(x: np.ndarray, *args: Any, **kwargs: Any) -> Any:
        # Block 3 fills the second half of the window that begins with block 2.
        if np.array_equal(x[-1, 0, -2048:], block(3).physical()[0]):
            raise ZeroDivisionError("made up")
        return real(x, *args, **kwargs)

    monkeypatch.setattr(app.pipeline, "extract", faulty)
    about = Arrival(POINT.topic("about"), encode_about(About(POINT, "Pump")), NOW_NS)
    outcome = _take(pipeline, [about, *arrivals(0, 4)], now_ns=NOW_NS)
    assert (outcome.stored, outcome.refused, outcome.windows) == (3, 1, 2)
    (aside,) = _rows(engine, quarantine)
    assert (aside.reason, aside.detail, aside.payload) == (
        "internal",
        "ZeroDivisionError: made up",
        arrival(block(3)).payload,
    )
    assert _point(engine).name == "Pump"
    assert _take(pipeline, arrivals(4, 2), now_ns=NOW_NS).stored == 2


def test_a_payload_that_finds_a_fault_of_the_decoder_is_set_aside(
    pipeline: Pipeline, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object, **__: object) -> None:
        raise KeyError("made up")

    monkeypatch.setattr(app.intake, "decode_about", faulty)
    about = Arrival(POINT.topic("about"), encode_about(About(POINT, "Pump")), NOW_NS)
    outcome = _take(pipeline, [about, *arrivals(0, 2)], now_ns=NOW_NS)
    assert (outcome.stored, outcome.refused) == (2, 1)
    assert _rows(engine, quarantine)[0].reason == "internal"


def test_a_restart_at_any_block_changes_no_window(engine: sa.Engine, settings: Settings) -> None:
    for one in arrivals(0, 9):
        _take(Pipeline(engine, settings), [one])
    assert [row.start_ns for row in _rows(engine, windows)] == [NOW_NS + i * 160_000_000 for i in range(8)]


def test_a_description_names_the_point(pipeline: Pipeline, engine: sa.Engine) -> None:
    about = About(POINT, "Cooling pump", bearing_named("6205-2RS"), 29.5, "group-2-rigid")
    message = Arrival(POINT.topic("about"), encode_about(about), NOW_NS)
    _take(pipeline, [message, *arrivals(0, 2)], now_ns=NOW_NS)
    point = _point(engine)
    assert (point.name, point.bearing, point.nominal_shaft_hz) == ("Cooling pump", about.bearing, 29.5)
    assert point.iso_group == "group-2-rigid"


def test_health_is_published_on_change_and_at_most_once_a_second(pipeline: Pipeline) -> None:
    topics = [
        [publication.topic for publication in _take(pipeline, arrivals(i, 1), now_ns=NOW_NS + ms * 10**6).publications]
        for i, ms in ((0, 0), (1, 400), (2, 1100))
    ]
    assert topics == [[POINT.topic("health")], [], [POINT.topic("health")]]


def test_a_state_changed_by_another_process_is_noticed(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, arrivals(0, 3), now_ns=NOW_NS)
    with writing(engine) as connection:
        change_state(connection, point_rows(connection)[0], state="failed", failure="by hand")
    _take(pipeline, arrivals(3, 3), now_ns=NOW_NS)
    assert (_point(engine).state, _point(engine).failure) == ("failed", "by hand")


def test_a_point_learns_is_watched_and_raises_its_alarm(
    pipeline: Pipeline, engine: sa.Engine, settings: Settings
) -> None:
    _take(pipeline, arrivals(0, 50), now_ns=NOW_NS)
    (waiting,) = waiting_points(engine)
    stricter = settings.model_copy(update={"false_alarm_rate": 1e-4})
    learned = learn_point(engine, stricter, waiting, now_ns=NOW_NS)
    assert learned.state == "watching"
    assert load_bundle(settings.bundles / str(learned.bundle)).manifest.metrics["false_alarm_rate"] == 1e-4

    calm = _take(pipeline, arrivals(50, 10), now_ns=NOW_NS)
    health = json.loads(calm.publications[0].payload)
    assert (health["state"], health["alarm"]) == ("watching", False)
    assert 0.0 < health["ratio"] < 1.0
    loud = [block(i) for i in range(60, 66)]
    struck = [
        block(
            b.sequence,
            samples=(b.samples * (1 + 20 * (np.arange(2048) % 400 < 3))).clip(-32768, 32767).astype(np.int16),
        )
        for b in loud
    ]
    outcome = _take(pipeline, [arrival(b) for b in struck], now_ns=NOW_NS)
    assert POINT.topic("alarm") in [publication.topic for publication in outcome.publications]
    (alarm,) = _rows(engine, alarms)
    assert alarm.cleared_ns is None
    assert alarm.ratio > 1.0
    assert _stands(engine) == ("unacknowledged", True)
    judged = [row for row in _rows(engine, windows) if row.start_ns == alarm.window_start_ns]
    assert judged[0].bundle == _point(engine).bundle
    _take(pipeline, arrivals(66, 30), now_ns=NOW_NS)
    assert _rows(engine, alarms)[0].cleared_ns is not None
    assert _stands(engine) == ("returned", False)


def test_a_machine_that_shakes_alarms_before_it_has_a_baseline_until_its_options_say_otherwise(
    engine: sa.Engine, settings: Settings
) -> None:
    pipeline = Pipeline(engine, settings.model_copy(update={"alarm_severity_on_delay_s": 1.0}))
    about = Arrival(POINT.topic("about"), encode_about(About(POINT, "Pump", None, 29.5, "group-2-rigid")), NOW_NS)
    # 0.326 g at 100 Hz: 3.6 mm/s, in zone C (2.8 to 4.5 mm/s). Blocks hold whole periods; windows end 0.16 s apart.
    tone = np.round(326.0 * np.sin(2.0 * np.pi * 100.0 * np.arange(2048) / RATE_HZ)).astype(np.int16)[None, :]
    _take(pipeline, [about, *arrivals(0, 7, samples=tone)])
    with reading(engine) as connection:
        assert tags(connection) == []
    outcome = _take(pipeline, arrivals(7, 4, samples=tone))
    assert [name for name, _ in outcome.events] == ["alarm raised"]
    # The topic `alarm` and the table of verdicts are those of the score.
    assert [one.topic for one in outcome.publications if one.topic.endswith("/alarm")] == []
    assert _rows(engine, alarms) == []
    with reading(engine) as connection:
        (tag,) = tags(connection)
        (raised,) = journal(connection)
    assert (tag.tag, tag.priority, tag.alarm.state) == (SEVERITY, "medium", "unacknowledged")
    assert raised.entry.why.endswith("% of where zone C begins, at 3.6 mm/s")
    # The first window ends 0.32 s after the start, the one that raises it a second or more later.
    assert raised.entry.at_ns == NOW_NS + 1_440_000_000
    quiet = Machine("site", "hall", "pump", points={"drive-end": Point(alarming={"severity": "D"})})
    with writing(engine) as connection:
        enter(connection, [quiet])
    _take(pipeline, arrivals(11, 1, samples=tone))
    assert _stands(engine) == ("returned", False)


def test_alarm_options_that_nobody_could_enter_stop_no_stream(engine: sa.Engine, settings: Settings) -> None:
    with writing(engine) as connection:
        enter(connection, [Machine("site", "hall", "pump", points={"drive-end": Point()})])
        connection.execute(asset_points.update().values(alarming='{"on_delay": 1}'))
    assert _take(Pipeline(engine, settings), arrivals(0, 2)).stored == 2


@pytest.fixture
def alarmed(pipeline: Pipeline, engine: sa.Engine, settings: Settings) -> Path:
    """The bundle of a point that was taught by 50 blocks, and whose alarm stands since the next six."""
    _take(pipeline, arrivals(0, 50))
    learned = learn_point(engine, settings, waiting_points(engine)[0], now_ns=NOW_NS)
    shocks = 1 + 20 * (np.arange(2048) % 400 < 3)
    struck = [(block(i).samples * shocks).clip(-32768, 32767).astype(np.int16) for i in range(50, 56)]
    _take(pipeline, [arrival(block(50 + i, samples=samples)) for i, samples in enumerate(struck)])
    assert _stands(engine) == ("unacknowledged", True)
    return settings.bundles / str(learned.bundle)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the pipeline logs."""
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(app.pipeline, "log", lambda level, event, **_: said.append((level, event)))
    return said


def test_a_bundle_of_another_contract_lets_the_point_learn_anew_as_a_repair_does(
    engine: sa.Engine, settings: Settings, alarmed: Path, heard: list[tuple[str, str]]
) -> None:
    manifest = alarmed / "manifest.json"
    manifest.write_text(manifest.read_text().replace(WATCHED.hash, "0" * 16))
    outcome = _take(Pipeline(engine, settings), arrivals(56, 2))
    point = _point(engine)
    assert (point.state, point.bundle, point.score, point.threshold) == ("learning", None, None, None)
    # No window has samples of before.
    assert point.baseline_have == 1
    assert "contract" in str(point.failure)
    assert heard == [("warning", "point learns anew")]
    # What was alarmed was alarmed by what is gone.
    assert _rows(engine, alarms)[0].cleared_ns is not None
    assert _stands(engine)[1] is False
    (said,) = [one for one in outcome.publications if one.topic == POINT.topic("alarm")]
    assert json.loads(said.payload)["active"] is False
    with reading(engine) as connection:
        (deed,) = trail(connection, target=str(POINT))
    assert (deed.who, deed.action) == ("ingest", "learn anew")
    assert "contract" in deed.why


def test_a_point_that_was_taught_meanwhile_does_not_learn_anew(pipeline: Pipeline, engine: sa.Engine) -> None:
    _take(pipeline, arrivals(0, 2))
    read = _point(engine)
    with writing(engine) as connection:
        change_state(connection, read, state="watching", bundle="of today")
    with pytest.raises(StaleError, match="changed by another process"):
        outdated(engine, read, now_ns=NOW_NS, why="made up")
    assert (_point(engine).state, _point(engine).bundle) == ("watching", "of today")


def test_a_bundle_that_cannot_be_read_is_waited_for(
    engine: sa.Engine,
    settings: Settings,
    alarmed: Path,
    heard: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder that was not mounted, or an interpreter that was missing, let every point forget its baseline."""
    before, second_ns = _point(engine), 10**9

    def missing() -> None:
        raise ArtifactError("no TFLite interpreter is installed")

    with monkeypatch.context() as patch:
        patch.setattr(models.serving, "interpreter_class", missing)
        _take(Pipeline(engine, settings), arrivals(56, 1))
    assert (_point(engine).state, _point(engine).bundle) == ("watching", alarmed.name)
    assert heard.pop() == ("error", "baseline not read, nothing is judged by it")
    away = settings.bundles.rename(settings.data_dir / "away")
    pipeline = Pipeline(engine, settings)
    for i, after_s in enumerate((0, 10, 40)):
        _take(pipeline, arrivals(57 + i, 1), now_ns=NOW_NS + after_s * second_ns)
    point = _point(engine)
    assert (point.state, point.bundle, point.revision) == ("watching", alarmed.name, before.revision)
    assert (point.score, point.baseline_have) == (None, before.baseline_have)
    assert f"bundle {alarmed.name} cannot be read" in str(point.unjudged)
    (finding,) = [one for one in examine(settings) if one.what == "baselines"]
    assert (finding.verdict, "1 cannot be read" in finding.detail) == ("missing", True)
    assert [row.score for row in _rows(engine, windows)[-3:]] == [None] * 3
    assert heard == [("error", "baseline not read, nothing is judged by it")]
    # Nothing was judged, so that the alarm stands as it did.
    assert _stands(engine) == ("unacknowledged", True)
    away.rename(settings.bundles)
    for i, after_s in enumerate((50, 71, 72)):
        _take(pipeline, arrivals(60 + i, 1), now_ns=NOW_NS + after_s * second_ns)
    assert heard[1:] == [("info", "baseline read again")]
    assert [row.score is None for row in _rows(engine, windows)[-3:]] == [True, False, False]
    assert _point(engine).unjudged is None
    assert "ok" in [one.verdict for one in examine(settings) if one.what == "baselines"]
    assert _rows(engine, windows)[-1].bundle == alarmed.name
