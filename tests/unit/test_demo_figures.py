"""Figures of the scripted day from made-up runs, limits beside velocities counted by hand, an account that finds."""

from __future__ import annotations

import json
import re
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import sqlalchemy as sa
from making import NOW_NS, POINT, arrivals

from app.access.audit import note
from app.access.roles import User
from app.alarms.register import HEALTH, follow, take
from app.demo import account, report
from app.demo.day import Day
from app.demo.figures import FaultTime, Watching, by_kind, row_of
from app.demo.limits import LimitAlarms
from app.demo.page import render_page
from app.demo.report import findings, summed_up, words
from app.demo.world import N_SAMPLES, RATE_HZ
from app.labels.records import give
from app.pipeline import Pipeline
from app.schema import alarm_journal, alarms, blocks, promotions, retraining_runs, retraining_tasks, windows
from app.settings import Settings
from app.store import open_store, reading, writing
from features.errors import ParameterError, RacewayError
from features.iso20816 import limits_named
from models.alarm import AlarmConfig

_FAULTS = [
    FaultTime("a", "outer", 100.0, 340.0, 200.0),
    FaultTime("b", "outer", 100.0, 220.0, 220.0),
    FaultTime("c", "gear", 600.0, 900.0, 720.0),
]


def test_an_alarm_speaks_of_a_fault_from_its_onset_to_its_end() -> None:
    raised = [("a", 99.0), ("a", 100.0), ("a", 150.0), ("a", 201.0), ("b", 220.0), ("d", 300.0)]
    watching = Watching("x", "X", _FAULTS, raised, 1440.0)
    assert watching.false() == [("a", 99.0), ("a", 201.0), ("d", 300.0)]
    row = row_of(watching, run_h=720.0, operator_h=360.0)
    assert (row["found"], row["missed"], row["open"]) == (2, 0, 1)
    # Ten days from the first alarm of a to the failure as drawn, none from that of b.
    assert (row["median_lead_d"], row["worst_lead_d"]) == (5.0, 0.0)
    assert row["false_a_month"] == pytest.approx(3 / 2)
    assert row["alarms_an_operator_hour"] == pytest.approx(6 / 360)


def test_a_fault_without_alarm_is_missed_once_it_failed_and_open_before() -> None:
    row = row_of(Watching("x", "X", _FAULTS, [], 1440.0), run_h=720.0, operator_h=360.0)
    assert (row["found"], row["missed"], row["open"], row["median_lead_d"]) == (0, 2, 1, None)


def test_no_time_is_refused() -> None:
    with pytest.raises(ParameterError, match="some of both are wanted"):
        row_of(Watching("x", "X", _FAULTS, [], 0.0), run_h=720.0, operator_h=360.0)


def test_kinds_are_counted_for_every_system() -> None:
    ours = Watching("raceway", "Raceway", _FAULTS, [("a", 100.0), ("c", 700.0)], 1440.0)
    theirs = Watching("zone_c", "ISO", _FAULTS, [("b", 150.0)], 1440.0)
    assert by_kind([ours, theirs]) == [
        {"kind": "gear", "faults": 1, "raceway": 1, "zone_c": 0, "median_lead_d": pytest.approx(200 / 24)},
        {"kind": "outer", "faults": 2, "raceway": 1, "zone_c": 1, "median_lead_d": 10.0},
    ]


def test_limits_raise_after_three_windows_above_them_in_a_row() -> None:
    limits = limits_named("class-I")
    alarms_of = LimitAlarms(limits, AlarmConfig(), learned=4)
    # Acceleration in g peak of a sine at 100 Hz, an integral number of turns of the window, for 1 mm/s RMS.
    g = np.sqrt(2.0) * 2.0 * np.pi * 100.0 / 9806.65
    sine = np.sin(2.0 * np.pi * 100.0 * np.arange(N_SAMPLES) / RATE_HZ)[None, :]
    wanted = [0.5] * 4 + [1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 5.0]
    for hour, level in enumerate(wanted):
        x = (level * g * sine).astype(np.float32)
        found = alarms_of.update(x, float(hour), shaft_hz=25.0, healthy=hour < 5)
        assert found == pytest.approx(level, rel=0.01)
    # 0.5 + a quarter of 1.8 is 0.95: windows 7, 8, 9; zone C begins at 1.8, zone D at 4.5.
    assert alarms_of.raised_h == {"baseline": [9.0], "zone_c": [12.0], "zone_d": [15.0]}
    assert alarms_of.watched == {"baseline": 1, "zone_c": 5, "zone_d": 5}


def _stored(settings: Settings) -> tuple[sa.Engine, list[tuple[str, int, int]]]:
    engine = open_store(settings.database, migrate=True)
    pipeline = Pipeline(engine, settings)
    pipeline.process(pipeline.prepare(arrivals(0, 6, n=4096)), now_ns=NOW_NS)
    with reading(engine) as connection:
        rows = connection.execute(sa.select(blocks.c.point_id, blocks.c.sequence, blocks.c.start_ns))
        return engine, [tuple(row) for row in rows]  # type: ignore[misc]


def test_the_account_finds_what_is_lost_and_what_nobody_sent(settings: Settings) -> None:
    engine, sent = _stored(settings.model_copy(update={"overlap": 0.0}))
    with reading(engine) as connection:
        whole = account.bursts(connection, sent)
        assert (whole["sent"], whole["stored"], whole["lost"], whole["strange"]) == (6, 6, 0, 0)
        assert (whole["doubled"], whole["windows_too_many"]) == (0, 0)
        one_more = account.bursts(connection, [*sent, (str(POINT), 99, 5)])
        assert (one_more["lost"], one_more["strange"]) == (1, 0)
        assert account.bursts(connection, sent[1:])["strange"] == 1


def test_the_account_finds_a_journal_that_was_tampered_with(settings: Settings) -> None:
    engine, _ = _stored(settings)
    with writing(engine) as connection:
        for at_ns, active in ((1, True), (3_600_000_000_000 * 2, False)):
            follow(connection, str(POINT), HEALTH, active=active, now_ns=at_ns)
            if active:
                row = {"point_id": str(POINT), "raised_ns": at_ns, "window_start_ns": 0, "ratio": 2.0}
                connection.execute(alarms.insert().values(**row))
                take(connection, str(POINT), HEALTH, "acknowledge", now_ns=3_600_000_000_001, who="kim")
    with reading(engine) as connection:
        assert account.journal(connection) == {"steps": 3, "broken": 0, "astray": 0, "unmatched": 0}
        assert account.acknowledged_h(connection) == [1.0]
    with writing(engine) as connection:
        connection.execute(alarm_journal.delete().where(alarm_journal.c.action == "raise"))
    with reading(engine) as connection:
        found = account.journal(connection)
    assert (found["broken"], found["unmatched"]) == (1, 1)


def test_the_account_finds_windows_without_the_model_they_should_have_had(settings: Settings) -> None:
    engine, _ = _stored(settings)
    with writing(engine) as connection:
        ids = connection.execute(sa.select(windows.c.id).order_by(windows.c.id)).scalars().all()
        for one in (*ids[:2], *ids[3:]):
            connection.execute(windows.update().where(windows.c.id == one).values(bundle="baseline-1", score=1.0))
    with reading(engine) as connection:
        found = account.champions(connection)
    assert found == {"judged": len(ids) - 1, "while_learning": 1, "unserved": 1, "unexplained": 0}


@pytest.mark.parametrize(
    ("happened", "unexplained"),
    [
        ("nothing", 1),
        ("promoted", 0),
        ("promoted elsewhere", 1),
        ("taken back", 0),
        ("promoted the other way", 1),
        ("learned anew", 0),
        ("learned anew before", 1),
        ("repaired", 0),
    ],
)
def test_the_account_finds_a_model_that_nobody_let_serve(settings: Settings, happened: str, unexplained: int) -> None:
    engine, _ = _stored(settings)
    with writing(engine) as connection:
        rows = connection.execute(sa.select(windows.c.id, windows.c.start_ns).order_by(windows.c.id)).all()
        for i, row in enumerate(rows):
            bundle = "baseline-1" if i < 3 else "baseline-2"
            connection.execute(windows.update().where(windows.c.id == row.id).values(bundle=bundle, score=1.0))
        _happens(connection, happened, at_ns=rows[3].start_ns, before_ns=rows[1].start_ns)
    with reading(engine) as connection:
        found = account.champions(connection)
    assert (found["unserved"], found["unexplained"]) == (0, unexplained)


def _happens(connection: sa.Connection, what: str, *, at_ns: int, before_ns: int) -> None:
    row = {"role": "baseline", "point_id": str(POINT), "bundle": "baseline-2", "former": "baseline-1"}
    back = row | {"bundle": "baseline-1", "former": "baseline-2"}
    promoted = {
        "promoted": row,
        "promoted elsewhere": row | {"point_id": "site/pump/other-end"},
        "taken back": back | {"undone_ns": at_ns, "undone_why": "too many alarms"},
        "promoted the other way": back,
    }
    if what in promoted:
        connection.execute(promotions.insert().values(**promoted[what], at_ns=at_ns, run_id="r"))
    elif what == "repaired":
        give(connection, User("kim", "operator"), str(POINT), "repair", now_ns=at_ns)
    elif what.startswith("learned anew"):
        moment_ns = before_ns if what.endswith("before") else at_ns
        note(connection, User("kim", "engineer"), "learn anew", target=str(POINT), why="", now_ns=moment_ns)


def test_an_acknowledgement_of_another_batch_than_the_oldest_is_no_acknowledgement() -> None:
    def waiting(*numbers: int) -> Any:
        answers = iter([(1, 6, 2, 3)])
        ingest = SimpleNamespace(answer=lambda: next(answers))
        return SimpleNamespace(_flight=deque((n, [], None) for n in numbers), ingest=ingest, duplicates=0, refused=0)

    day = waiting(1, 2)
    Day._acknowledged(day, 1)
    assert ([batch[0] for batch in day._flight], day.duplicates, day.refused) == ([2], 2, 3)
    with pytest.raises(RacewayError, match="acknowledged batch 1, 2 is the oldest"):
        Day._acknowledged(waiting(2, 3), 1)


def test_the_network_of_fault_kinds_is_decided_on_for_no_machine(settings: Settings) -> None:
    engine, _ = _stored(settings)
    with writing(engine) as connection:
        run = {"id": "r", "started_ns": NOW_NS, "ended_ns": NOW_NS + 1, "state": "done", "options": "{}"}
        connection.execute(retraining_runs.insert().values(**run))
        task = {"run_id": "r", "step": "promote", "outcome": "promoted", "findings": '{"reasons": ["better"]}'}
        for role, point in (("diagnosis", ""), ("baseline", str(POINT))):
            connection.execute(retraining_tasks.insert().values(role=role, point_id=point, **task))
    fault = SimpleNamespace(kind="outer", onset_h=0.0, severity=lambda _: 0.5)
    spans = [SimpleNamespace(fault=fault, end_h=None)]
    day = SimpleNamespace(
        script=SimpleNamespace(begin_ns=NOW_NS), machines={str(POINT): SimpleNamespace(spans=spans)}, nights=1
    )
    with reading(engine) as connection:
        found = report._retraining(connection, cast(Any, day))
    assert {one["point"]: one["fault"] for one in found["decided"]} == {"": None, str(POINT): "outer"}
    assert found["promoted_on_a_fault"] == 1
    assert any("fault kinds" in line for line in report._decided(found["decided"], NOW_NS))


def _figures() -> dict[str, Any]:
    measured = Path(__file__).parents[2] / "docs" / "results" / "demo-day.json"
    if not measured.exists():
        pytest.skip("no scripted day was measured yet")
    figures: dict[str, Any] = json.loads(measured.read_text())
    return figures


def test_the_measured_day_lost_nothing_and_the_page_shows_it() -> None:
    figures = _figures()
    assert findings(figures) == []
    page = render_page(figures)
    assert not re.search(r"<script|https?://|onload", page)
    assert page.count("<polygon") == sum(len(machine["faults"]) for machine in figures["lived"])
    for row in figures["systems"]:
        assert row["system"] in page
    assert any(line.startswith("Bursts:") for line in words(figures))


def test_what_is_lost_is_said() -> None:
    figures = _figures()
    figures["account"]["bursts"]["lost"] = 3
    figures["retraining"]["outcomes"].pop("refused", None)
    figures["crashes"] = [crash for crash in figures["crashes"] if crash["what"] == "ingest"]
    assert findings(figures) == ["3 bursts are lost", "retraining was never killed", "no challenger was refused"]
    assert sum(line.startswith("NOT AS IT SHOULD BE") for line in words(figures)) == 3


def test_it_is_said_where_limits_do_better() -> None:
    figures = _figures()
    ours, zone_c, *_ = figures["systems"]
    zone_c |= {name: ours[name] for name in ("median_lead_d", "worst_lead_d", "false_a_month", "alarms")}
    zone_c["found"] = ours["found"] + 1
    summed = summed_up(figures)
    assert summed["systems"][0]["better"] == []
    assert summed["systems"][1]["better"] == ["finds more faults"]
    assert "Better than Raceway: ISO zone C entered finds more faults." in words(summed)
