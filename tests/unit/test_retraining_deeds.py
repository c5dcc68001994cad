"""What people do with models: ask for a retraining, overrule the gate, take back; by right, with reasons, audited."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from retrained import NOW_NS, SECOND_NS, ran, watched
from sqlalchemy import Engine

import app.retraining.taking as taking
from app.access.audit import trail
from app.access.roles import ForbiddenError, User
from app.retraining.asking import ask, open_asks
from app.retraining.forcing import force
from app.retraining.job import retrain, retrain_asked
from app.retraining.lock import held_lock
from app.retraining.promotion import OvertakenError, latest_promotion, undo
from app.retraining.records import (
    BASELINE,
    DIAGNOSIS,
    NODE_HEALTH,
    Options,
    Outcome,
    Task,
    begin_run,
    runs,
    save_task,
    still_stands,
    tasks_of,
    unfinished_run,
)
from app.retraining.report import report_path
from app.retraining.standing import outcomes_of, progress_of, standings
from app.retraining.steps import Context, Done
from app.schema import points, retraining_tasks
from app.settings import Settings
from app.store import point_rows, reading, writing
from features.errors import ParameterError

_A, _B = "site/fan/a", "site/pump/b"
_KIM, _OP = User("kim", "engineer"), User("olga", "operator")


@pytest.fixture
def engine(settings: Settings, store: Engine) -> Engine:
    watched(store, settings, (_A, _B))
    return store


def _only_task(engine: Engine, point: str) -> Task:
    with reading(engine) as connection:
        found = runs(connection, most=1)[0]
        return next(task for task in tasks_of(connection, found.id) if task.point_id == point)


def _serving(engine: Engine) -> list[str | None]:
    with reading(engine) as connection:
        return [row.bundle for row in point_rows(connection)]


def test_a_refused_challenger_serves_on_an_engineers_word_and_is_not_removed(
    engine: Engine, settings: Settings
) -> None:
    ran(engine, settings, 0, {_A: "refused", _B: "unchanged"})
    there = lambda bundle: (settings.bundles / bundle).is_dir()  # noqa: E731
    task = _only_task(engine, _A)
    with pytest.raises(ForbiddenError, match="olga is operator and may not change models"), writing(engine) as c:
        force(c, _OP, task, there=there, why="it is right", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="for a reason only"), writing(engine) as c:
        force(c, _KIM, task, there=there, why=" ", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="refused no challenger here"), writing(engine) as c:
        force(c, _KIM, _only_task(engine, _B), there=there, why="x", now_ns=NOW_NS)
    with pytest.raises(OvertakenError, match="is gone; retrain the model"), writing(engine) as c:
        force(c, _KIM, task, there=lambda _: False, why="x", now_ns=NOW_NS)
    assert _serving(engine) == ["first", "first"]
    with writing(engine) as c:
        force(c, _KIM, task, there=there, why="it is right", now_ns=NOW_NS)
    assert _serving(engine) == ["challenger-0", "first"]
    forced = _only_task(engine, _A)
    assert (forced.outcome, forced.findings["forced"]["who"]) == ("promoted", "kim")
    with pytest.raises(OvertakenError, match="somebody else has decided"), writing(engine) as c:
        force(c, _KIM, task, there=there, why="again", now_ns=NOW_NS)
    with reading(engine) as c:
        (deed,) = trail(c)
    assert (deed.who, deed.action, deed.target) == ("kim", "promote", f"baseline of {_A}")
    assert deed.why == "challenger-0: in spite of the gate: it is right"

    # The next run removes what an earlier one refused; this one serves.
    with writing(engine) as c:
        c.execute(retraining_tasks.update().where(retraining_tasks.c.point_id == _B).values(outcome="refused"))
    retrain(engine, settings, options=Options(), clock_ns=lambda: NOW_NS + SECOND_NS)
    assert (settings.bundles / "challenger-0").is_dir()

    with reading(engine) as c:
        last = latest_promotion(c, BASELINE, _A)
    assert last is not None
    with pytest.raises(ForbiddenError, match="may not change models"), writing(engine) as c:
        undo(c, _OP, [last], there=there, why="x", now_ns=NOW_NS)
    with writing(engine) as c:
        undo(c, _KIM, [last], there=there, why="alarms all night", now_ns=NOW_NS)
    assert _serving(engine) == ["first", "first"]
    with reading(engine) as c:
        assert trail(c, most=1)[0].why == "challenger-0: alarms all night"


def test_a_challenger_that_is_being_removed_cannot_be_let_serve_and_the_other_way_round(
    engine: Engine, settings: Settings
) -> None:
    ran(engine, settings, 0, {_A: "refused"})
    task, there = _only_task(engine, _A), (settings.bundles / "challenger-0").is_dir
    with writing(engine) as c:
        assert still_stands(c, task)
    with writing(engine) as c:
        force(c, _KIM, task, there=lambda _: there(), why="it is right", now_ns=NOW_NS)
        assert not still_stands(c, task)
    ran(engine, settings, 1, {_B: "refused"})
    monday = _only_task(engine, _B)
    retrain(engine, settings, options=Options((_B,)), clock_ns=lambda: NOW_NS + 2 * SECOND_NS)
    assert not (settings.bundles / "challenger-1").exists()
    assert list(settings.bundles.glob(".draft-*")) == []
    with pytest.raises(OvertakenError, match="is gone"), writing(engine) as c:
        force(c, _KIM, monday, there=lambda name: (settings.bundles / name).is_dir(), why="x", now_ns=NOW_NS)
    with reading(engine) as c:
        refused = runs(c, most=2)[1]
        assert tasks_of(c, refused.id)[0].outcome == "refused"


def test_what_somebody_asks_for_is_retrained_first_and_once(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, bool]] = []

    def drift(context: Context, task: Task) -> Done:
        done.append((task.point_id, context.run.options.force))
        return Done.ended("unchanged", "seen")

    monkeypatch.setattr(taking, "ROLES", {BASELINE: {"drift": drift}})
    with pytest.raises(ForbiddenError, match="may not change models"), writing(engine) as c:
        ask(c, _OP, _B, why="", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="x/y/z is unknown; only a point that is watched"), writing(engine) as c:
        ask(c, _KIM, "x/y/z", why="", now_ns=NOW_NS)
    clock = iter(range(NOW_NS, NOW_NS + 10**15, SECOND_NS))
    assert retrain_asked(engine, settings, clock_ns=lambda: next(clock)) is None
    with writing(engine) as c:
        ask(c, _KIM, _B, why="new coupling", now_ns=NOW_NS)
    with pytest.raises(ParameterError, match="is asked for already"), writing(engine) as c:
        ask(c, _KIM, _B, why="", now_ns=NOW_NS)
    retrain(engine, settings, options=Options(), clock_ns=lambda: next(clock))
    assert done == [(_B, True), (_A, False), (_B, False)]
    with reading(engine) as c:
        assert open_asks(c) == []
        assert [run.options for run in runs(c, most=9)] == [Options(), Options((_B,), force=True)]
        assert trail(c)[0].action == "ask for retraining"
    with writing(engine) as c:
        ask(c, _KIM, _A, why="", now_ns=NOW_NS)
    asked = retrain_asked(engine, settings, clock_ns=lambda: next(clock))
    assert asked is not None
    assert asked.options.points == (_A,)


def test_what_nobody_foresaw_of_one_model_leaves_the_others(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drift(context: Context, task: Task) -> Done:
        del context
        if task.point_id == _A:
            raise KeyError("a node of the graph")
        return Done.ended("unchanged", "seen")

    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(taking, "log", lambda *_, **fields: logged.append(fields))
    monkeypatch.setattr(taking, "ROLES", {BASELINE: {"drift": drift}})
    run = retrain(engine, settings, options=Options(), clock_ns=lambda: NOW_NS)
    with reading(engine) as c:
        a, b = tasks_of(c, run.id)
    assert (run.state, a.outcome, b.outcome) == ("done", "failed", "unchanged")
    assert a.findings["reasons"] == ["the step 'drift' met what was not foreseen: KeyError: 'a node of the graph'"]
    (failure,) = logged
    assert (failure["point"], failure["step"]) == (_A, "drift")
    assert "in drift" in failure["trace"]


@pytest.mark.parametrize("error", [MemoryError("full"), sa.exc.OperationalError("SELECT 1", {}, OSError("gone"))])
def test_what_is_of_the_job_and_not_of_a_model_breaks_the_run_off(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def drift(context: Context, task: Task) -> Done:
        del context, task
        raise error

    monkeypatch.setattr(taking, "ROLES", {BASELINE: {"drift": drift}})
    with pytest.raises(type(error)):
        retrain(engine, settings, options=Options(), clock_ns=lambda: NOW_NS)
    with reading(engine) as c:
        assert unfinished_run(c) is not None


def test_how_models_stand_is_the_latest_word_on_each(engine: Engine, settings: Settings) -> None:
    ran(engine, settings, 0, {_A: "refused", _B: "promoted"})
    ran(engine, settings, 1, {_A: "unchanged"})
    left = ran(engine, settings, 2, {_A: "failed"}, ended=False)
    with reading(engine) as c:
        a, b = standings(c)
        counts = outcomes_of(c, [run.id for run in runs(c, most=2)])
        c.execute(sa.text("SELECT 1"))
        progress = progress_of(c, left)
    assert (a.point_id, a.task and a.task.outcome, a.promotion, a.undoable) == (_A, "failed", None, False)
    assert (b.point_id, b.task and b.task.outcome, b.bundle, b.undoable) == (_B, "promoted", "challenger-0", True)
    assert [dict(count) for count in counts.values()] == [{"failed": 1}, {"unchanged": 1}]
    assert (progress.done, progress.total, progress.at, progress.beat_ns) == (1, 1, "", None)


def test_progress_names_what_is_in_hand_in_the_order_of_the_job(engine: Engine) -> None:
    def at(*tasks: Task) -> str:
        with held_lock(engine, stale_s=60.0, clock_ns=lambda: NOW_NS) as lock, writing(engine) as c:
            save_task(c, lock, tasks)
        with reading(engine) as c:
            return progress_of(c, run).at

    with held_lock(engine, stale_s=60.0, clock_ns=lambda: NOW_NS) as lock, writing(engine) as c:
        run = begin_run(c, lock, Options(), now_ns=NOW_NS)
    a, kinds, nodes = (
        Task(run.id, role, point) for role, point in ((BASELINE, _A), (DIAGNOSIS, ""), (NODE_HEALTH, ""))
    )
    assert at(nodes, a, kinds) == "diagnosis, step drift"
    begun = {"attempts": {"drift": 1}}
    # Of what has begun the first step and not the second, another is at work.
    assert (
        at(replace(kinds, step="select", findings=begun), replace(a, findings=begun)) == f"baseline of {_A}, step drift"
    )
    learning = replace(kinds, step="train", findings={"attempts": {"drift": 1, "select": 1, "train": 2}})
    others = [Task(run.id, BASELINE, f"x/y/{i}", findings=begun) for i in range(3)]
    assert at(learning) == f"diagnosis, step train; baseline of {_A}, step drift"
    assert at(*others) == f"diagnosis, step train; baseline of {_A}, step drift; baseline of x/y/0, step drift; 2 more"
    assert at(replace(learning, outcome="promoted"), *(replace(one, outcome="failed") for one in (a, *others))) == (
        "node-health, step drift"
    )


def test_of_a_model_that_learned_anew_nothing_of_the_former_one_is_said(engine: Engine, settings: Settings) -> None:
    ran(engine, settings, 0, {_A: "promoted", _B: "promoted"})
    there = lambda bundle: (settings.bundles / bundle).is_dir()  # noqa: E731
    with writing(engine) as c:
        last = latest_promotion(c, BASELINE, _B)
        assert last is not None
        undo(c, _KIM, [last], there=there, why="alarms all night", now_ns=NOW_NS)
        a, b = standings(c)
        assert (a.bundle, a.promotion and a.promotion.bundle, a.undoable) == ("challenger-0", "challenger-0", True)
        assert (b.bundle, b.promotion and b.promotion.undone_why, b.undoable) == ("first", "alarms all night", False)
        assert (a.task and a.task.outcome, b.task and b.task.outcome) == ("promoted", "promoted")
        # As after a repair.
        c.execute(points.update().values(bundle="learned-anew"))
        assert [(one.task, one.promotion, one.drifted) for one in standings(c)] == [(None, None, False)] * 2
    # What is found of the new one is said of it.
    ran(engine, settings, 1, {_A: "unchanged"}, champion="learned-anew")
    with reading(engine) as c:
        a, b = standings(c)
    assert (a.task and a.task.outcome, a.promotion, b.task) == ("unchanged", None, None)


def test_half_written_bundles_of_killed_runs_are_removed_and_young_ones_left(
    engine: Engine, settings: Settings
) -> None:
    old, young = settings.bundles / ".draft-1", settings.bundles / ".draft-2"
    for folder, age_s in ((old, 7200), (young, 60)):
        folder.mkdir()
        (folder / "model.tflite").write_bytes(b"half")
        os.utime(folder, ns=(NOW_NS - age_s * SECOND_NS,) * 2)
    assert retrain_asked(engine, settings, clock_ns=lambda: NOW_NS) is None
    assert not old.exists()
    assert young.is_dir()
    assert Path(settings.bundles / "first").is_dir()


@pytest.mark.parametrize("outcome", ["failed", "waiting", "overtaken"])
def test_a_challenger_that_never_served_goes_with_the_next_run(
    outcome: Outcome, engine: Engine, settings: Settings
) -> None:
    ran(engine, settings, 0, {_B: "refused"})
    task = replace(_only_task(engine, _B), outcome=outcome)
    with held_lock(engine, stale_s=60.0, clock_ns=lambda: NOW_NS) as lock, writing(engine) as c:
        save_task(c, lock, [task])
    retrain(engine, settings, options=Options((_B,)), clock_ns=lambda: NOW_NS + SECOND_NS)
    assert not (settings.bundles / "challenger-0").exists()


def test_pages_of_old_runs_go_and_their_figures_stay(engine: Engine, settings: Settings) -> None:
    old, strange = report_path(settings.reports, "20200101T020000000000"), report_path(settings.reports, "mine")
    options = Options((_A,))
    first = retrain(engine, settings, options=options, clock_ns=lambda: NOW_NS)
    for path in (old, strange):
        path.write_text("<p>old</p>")
    kept_ns = round(settings.keep_retraining_reports_d * 86_400e9)
    second = retrain(engine, settings, options=options, clock_ns=lambda: NOW_NS + kept_ns - SECOND_NS)
    shown = {report_path(settings.reports, run.id) for run in (first, second)}
    assert set(settings.reports.glob("*.html")) == {*shown, strange}
    retrain(engine, settings, options=options, clock_ns=lambda: NOW_NS + kept_ns + 2 * SECOND_NS)
    assert not report_path(settings.reports, first.id).exists()
    with reading(engine) as c:
        assert first.id in [run.id for run in runs(c, most=9)]
