"""The retraining job on a point that has run for a while: drift, gate, promotion, undo, and a kill at every step."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from making import NOW_NS, POINT
from retraining import clock_ns, commission, feed, killed_at, laid_once, learn_by_copying, point_name, run_job
from sqlalchemy import Engine

import app.retraining.steps as steps
from app.access.roles import User
from app.commissioning import relearn
from app.labels.records import give
from app.pipeline import Pipeline
from app.retraining import frozen
from app.retraining.job import retrain
from app.retraining.lock import LockLostError
from app.retraining.promotion import JOB, OvertakenError, promotions_of, undo
from app.retraining.records import Options, Run, Task, runs, tasks_of, unfinished_run
from app.retraining.selection import Amounts, NotReadyError, features_of, places_of, select
from app.schema import alarms, frozen_windows, retraining_lock, windows
from app.settings import Settings, load_settings
from app.store import PointRow, open_store, point_rows, reading, writing
from features.errors import ParameterError
from models.bundle import load_bundle, write_bundle

_SIZES = {"baseline_windows": 48, "retrain_windows": 144, "retrain_judged_windows": 40, "retrain_alarm_margin_s": 5.0}
_AMOUNTS = Amounts(144, 40, 5.0)
_STANDS = "an alarm stands; what is healthy cannot be told while it does"
# Where a job with one model that is promoted can be broken off.
_PLACES = [
    "run begun",
    *(f"baseline {POINT} {step} {how}" for step in steps.STEPS for how in ("begun", "worked", "kept")),
    "report written",
    "run ended",
]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of a point that learned and ran on, unchanged at first and then a little louder."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("plant") / "data", **_SIZES)
    engine = commission(settings)
    feed(engine, settings, 60, 160)
    engine.dispose()
    return settings.data_dir


@pytest.fixture(scope="module", autouse=True)
def _laid_once() -> Iterator[None]:
    """Most of a job on this plant is the laying of faults over the same windows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "_faulty", laid_once(frozen._faulty))
        yield


@pytest.fixture
def settings(plant: Path, tmp_path: Path, settings: Settings) -> Settings:
    shutil.copytree(plant, tmp_path / "data")
    return settings.model_copy(update={"data_dir": tmp_path / "data", **_SIZES})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_store(settings.database)
    yield opened
    opened.dispose()


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_learn", learn_by_copying)


def _point(engine: Engine) -> PointRow:
    with reading(engine) as connection:
        return point_rows(connection)[0]


def _task(engine: Engine, run: Run) -> Task:
    with reading(engine) as connection:
        (task,) = tasks_of(connection, run.id)
    return task


def _reasons(task: Task) -> str:
    return "; ".join(task.findings["reasons"])


def test_what_did_not_drift_stays_and_is_not_looked_at_twice(engine: Engine, settings: Settings) -> None:
    champion = _point(engine).bundle
    task = _task(engine, run_job(engine, settings))
    assert (task.outcome, _reasons(task)) == ("unchanged", "nothing drifted")
    assert task.findings["drift"]["share"] < 0.2
    again = _task(engine, retrain(engine, settings, options=Options(), clock_ns=lambda: clock_ns() + 1_000_000))
    assert (again.outcome, _reasons(again)) == ("unchanged", f"no window came since the run {task.run_id}")
    assert _point(engine).bundle == champion


def test_what_drifted_is_retrained_serves_and_is_taken_back(engine: Engine, settings: Settings) -> None:
    champion = _point(engine)
    feed(engine, settings, 220, 150, gain=1.08)
    run = run_job(engine, settings)
    task = _task(engine, run)
    assert task.findings["drift"]["drifted"]
    assert (task.outcome, task.champion) == ("promoted", champion.bundle)
    served = _point(engine)
    assert (served.bundle, served.revision) == (task.challenger, champion.revision + 1)
    manifest = load_bundle(settings.bundles / str(task.challenger)).manifest
    assert manifest.provenance["window_ids"] == task.findings["select"]["learned"]
    assert manifest.metrics["tail_share"] > 0.2

    # Ingest takes it with the next batch; a window says who judged it.
    feed(engine, settings, 370, 2, gain=1.08)
    with reading(engine) as connection:
        last = connection.execute(sa.select(windows.c.bundle).order_by(windows.c.id.desc()).limit(1)).scalar()
        promoted = promotions_of(connection)
    assert last == task.challenger

    _looks_like_a_report(settings.reports / f"retraining-{run.id}.html", task)
    with writing(engine) as connection:
        undo(connection, JOB, promoted, there=lambda _: True, why="by hand", now_ns=NOW_NS)
    assert _point(engine).bundle == champion.bundle
    waits = _task(engine, retrain(engine, settings, options=Options(), clock_ns=lambda: clock_ns() + 1_000_000))
    assert waits.outcome == "waiting"
    assert "its last promotion was undone (by hand)" in _reasons(waits)


def _looks_like_a_report(path: Path, task: Task) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r"<script|javascript:|\bon\w+=|https?://", text) is None
    assert text.count("<svg") == 2
    shown = html.unescape(re.sub(r"<[^>]+>", " ", text))
    champion, challenger = (task.findings["gate"][who]["detected"]["outer"] for who in ("champion", "challenger"))
    assert f"{100 * champion:.0f} %  {100 * challenger:.0f} %" in shown
    assert f"{task.findings['drift']['features'][0]['psi']:.2f}" in shown


@pytest.mark.usefixtures("copying")
def test_every_place_is_told(engine: Engine, settings: Settings) -> None:
    told: list[str] = []
    run_job(engine, settings, force=True, hook=told.append)
    assert told == _PLACES


@pytest.mark.usefixtures("copying")
@pytest.mark.parametrize("place", _PLACES)
def test_a_kill_leaves_a_champion_and_a_second_run_completes(settings: Settings, place: str) -> None:
    champion = _champion(settings)
    assert killed_at(settings, place, force=True) == 9
    promoted = _PLACES.index(place) >= _PLACES.index(f"baseline {POINT} promote kept")
    engine = open_store(settings.database)
    assert (_point(engine).bundle == champion) != promoted
    # Who serves judges.
    feed(engine, settings, 220, 2)
    with reading(engine) as connection:
        judged = connection.execute(sa.select(windows).order_by(windows.c.id.desc()).limit(1)).one()
    assert judged.bundle == _point(engine).bundle
    assert judged.score is not None

    if place == "run ended":
        with reading(engine) as connection:
            assert unfinished_run(connection) is None
        return
    run = run_job(engine, settings, force=True)
    task = _task(engine, run)
    assert task.outcome == "promoted"
    assert _point(engine).bundle == task.challenger != champion
    with reading(engine) as connection:
        assert len(runs(connection, most=9)) == 1
        assert [one.bundle for one in promotions_of(connection)] == [task.challenger]
        healthy = sa.select(sa.func.count()).where(frozen_windows.c.kind == "healthy")
        assert connection.execute(healthy).scalar() == 40
    assert (settings.reports / f"retraining-{run.id}.html").exists()


def _champion(settings: Settings) -> str | None:
    engine = open_store(settings.database)
    champion = _point(engine).bundle
    engine.dispose()
    return champion


def test_a_kill_while_the_challenger_is_written_leaves_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = _champion(settings)

    def half(context: Any, row: Any, features: Any, bundle_id: str, chosen: Any) -> None:
        del features, chosen
        bundle = load_bundle(context.settings.bundles / row.bundle)

        def end(path: Path) -> None:
            path.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

        write_bundle(
            context.settings.bundles,
            replace(bundle.manifest, id=bundle_id),
            network=bundle.network,
            arrays=bundle.arrays,
            save_keras=end,
        )

    with monkeypatch.context() as patch:
        patch.setattr(steps, "_learn", half)
        assert killed_at(settings, "nowhere", force=True) == 9
    assert [path.name for path in settings.bundles.iterdir() if not path.name.startswith(".")] == [champion]
    monkeypatch.setattr(steps, "_learn", learn_by_copying)
    engine = open_store(settings.database)
    assert _task(engine, run_job(engine, settings, force=True)).outcome == "promoted"


@pytest.mark.usefixtures("copying")
def test_a_model_that_ends_the_job_again_and_again_is_given_up(settings: Settings) -> None:
    champion = _champion(settings)
    for _ in range(3):
        assert killed_at(settings, f"baseline {POINT} train begun", force=True) == 9
    engine = open_store(settings.database)
    task = _task(engine, run_job(engine, settings, force=True))
    assert (task.outcome, _reasons(task)) == ("failed", "the job was broken off 3 times in the step 'train'")
    assert _point(engine).bundle == champion


def test_a_bundle_that_was_learned_from_another_point_is_not_taken(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = _point(engine).bundle

    def elsewhere(context: Any, row: Any, features: Any, bundle_id: str, chosen: Any) -> None:
        learn_by_copying(context, row, features, bundle_id, chosen)
        path = context.settings.bundles / bundle_id / "manifest.json"
        entries = json.loads(path.read_text())
        entries["provenance"]["point"] = "lab/fan/drive-end"
        path.write_text(json.dumps(entries))

    monkeypatch.setattr(steps, "_learn", elsewhere)
    task = _task(engine, run_job(engine, settings, force=True))
    assert task.outcome == "failed"
    assert f"was learned from lab/fan/drive-end, not from {POINT}" in _reasons(task)
    assert _point(engine).bundle == champion


def _deaf(**changes: float) -> Callable[..., None]:
    """A learner of challengers with other thresholds."""

    def learn(context: Any, row: Any, features: Any, bundle_id: str, chosen: Any) -> None:
        learn_by_copying(context, row, features, bundle_id, chosen)
        path = context.settings.bundles / bundle_id / "manifest.json"
        entries = json.loads(path.read_text())
        entries["thresholds"] = {name: changes[name] * value for name, value in entries["thresholds"].items()}
        path.write_text(json.dumps(entries))

    return learn


def test_a_challenger_that_sees_less_is_refused_and_says_what(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = _point(engine).bundle
    monkeypatch.setattr(steps, "_learn", _deaf(score=3.0))
    first = _task(engine, run_job(engine, settings, force=True))
    assert first.outcome == "refused"
    assert re.search(
        r"outer: it sees \d+ % of windows with a fault laid over them, the champion \d+ %", _reasons(first)
    )
    assert _point(engine).bundle == champion
    # It stays to be looked at until the next one.
    assert (settings.bundles / str(first.challenger)).exists()
    options = Options(force=True)
    second = _task(engine, retrain(engine, settings, options=options, clock_ns=lambda: clock_ns() + 1_000_000))
    assert not (settings.bundles / str(first.challenger)).exists()
    assert (settings.bundles / str(second.challenger)).exists()


@pytest.mark.usefixtures("copying")
def test_a_plant_whose_alarms_have_delays_is_retrained(engine: Engine, settings: Settings) -> None:
    delayed = settings.model_copy(update={"alarm_on_delay_s": 0.2, "alarm_off_delay_s": 0.5})
    task = _task(engine, run_job(engine, delayed, force=True))
    assert task.outcome == "promoted", _reasons(task)
    assert task.findings["gate"]["champion"]["alarms"] == 0


def test_a_challenger_that_alarms_in_health_is_refused(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_learn", _deaf(score=0.5))
    task = _task(engine, run_job(engine, settings, force=True))
    assert task.outcome == "refused"
    assert "frozen healthy windows pass its threshold" in _reasons(task)


@pytest.mark.usefixtures("copying")
def test_a_point_that_learns_anew_meanwhile_is_left_alone(engine: Engine, settings: Settings) -> None:
    def hook(place: str) -> None:
        if place == f"baseline {POINT} promote worked":
            relearn(engine, User("anna", "engineer"), point_name(), now_ns=NOW_NS)

    task = _task(engine, run_job(engine, settings, force=True, hook=hook))
    assert task.outcome == "overtaken"
    assert (_point(engine).state, _point(engine).bundle) == ("learning", None)


@pytest.mark.usefixtures("copying")
def test_a_job_that_was_taken_for_dead_promotes_nothing(engine: Engine, settings: Settings) -> None:
    champion = _point(engine).bundle

    def hook(place: str) -> None:
        if place == f"baseline {POINT} promote worked":
            with writing(engine) as connection:
                connection.execute(retraining_lock.update().values(holder="elsewhere:1:x", beat_ns=clock_ns()))

    with pytest.raises(LockLostError, match="taken over"):
        run_job(engine, settings, force=True, hook=hook)
    assert _point(engine).bundle == champion
    with reading(engine) as connection:
        assert promotions_of(connection) == []


def _alarm(engine: Engine, *, first: int, last: int | None, kind: str = "outer") -> None:
    """An alarm over windows by their place."""
    with writing(engine) as connection:
        places = places_of(connection, point_rows(connection)[0])
        row = {"point_id": point_name(), "window_start_ns": int(places.start_ns[first]), "ratio": 2.0, "kind": kind}
        row |= {
            "raised_ns": int(places.end_ns[first]),
            "cleared_ns": None if last is None else int(places.end_ns[last]),
        }
        connection.execute(alarms.insert().values(**row))


def test_while_an_alarm_stands_nothing_is_learned(engine: Engine, settings: Settings) -> None:
    _alarm(engine, first=150, last=None)
    task = _task(engine, run_job(engine, settings, force=True))
    assert (task.outcome, _reasons(task)) == ("waiting", _STANDS)


@pytest.mark.usefixtures("copying")
@pytest.mark.parametrize("step", ["select", "train", "gate"])
def test_a_run_that_is_gone_on_with_promotes_nothing_while_an_alarm_stands(settings: Settings, step: str) -> None:
    champion = _champion(settings)
    assert killed_at(settings, f"baseline {POINT} {step} kept", force=True) == 9
    engine = open_store(settings.database)
    _alarm(engine, first=210, last=None)
    task = _task(engine, run_job(engine, settings, force=True))
    assert (task.outcome, _reasons(task)) == ("waiting", _STANDS)
    assert _point(engine).bundle == champion


@pytest.mark.usefixtures("copying")
def test_an_alarm_of_the_last_moment_keeps_the_champion_and_a_rejected_one_does_not(
    engine: Engine, settings: Settings
) -> None:
    champion, settings = _point(engine).bundle, settings.model_copy(update={"retrain_kinds": False})

    def hook(place: str) -> None:
        if place == f"baseline {POINT} promote worked":
            _alarm(engine, first=210, last=None)

    task = _task(engine, run_job(engine, settings, force=True, hook=hook))
    assert (task.outcome, _reasons(task)) == ("waiting", _STANDS)
    assert _point(engine).bundle == champion
    with writing(engine) as connection:
        one = connection.execute(sa.select(alarms.c.id)).scalar_one()
        give(connection, User("kim", "operator"), point_name(), "reject", now_ns=NOW_NS, alarm_id=one)
    options = Options(force=True)
    again = _task(engine, retrain(engine, settings, options=options, clock_ns=lambda: clock_ns() + 1_000_000))
    assert again.outcome == "promoted", _reasons(again)


def test_no_two_parts_of_a_selection_share_a_sample(engine: Engine) -> None:
    row = _point(engine)
    with reading(engine) as connection:
        everything = places_of(connection, row)
    _alarm(engine, first=130, last=133)
    carriers = everything.ids[[105, 110]]
    amounts = replace(_AMOUNTS, judged=32, margin_s=0.3)
    with reading(engine) as connection:
        chosen = select(
            connection,
            row,
            provenance={"windows": 48},
            kept=np.empty(0, np.int64),
            carriers=carriers,
            amounts=amounts,
        )
        features = features_of(connection, chosen.recent.ids)
    assert features.shape[0] == len(chosen.recent) == len(chosen.frozen) == 32
    spans = {
        int(i): (int(a), int(b)) for i, a, b in zip(everything.ids, everything.start_ns, everything.end_ns, strict=True)
    }
    alarmed = chosen.alarmed["outer"]
    assert 1 <= alarmed.size <= 4
    parts = [chosen.learned.ids, chosen.frozen.ids, chosen.recent.ids, alarmed]
    for i, part in enumerate(parts):
        for other in (*parts[i + 1 :], *([carriers] if i == 0 else [])):
            for one in part.tolist():
                begin, end = spans[one]
                assert all(end <= spans[two][0] or begin >= spans[two][1] for two in other.tolist())
    assert set(chosen.start.ids.tolist()) <= set(chosen.learned.ids.tolist())
    near = [everything.ids[129], everything.ids[134]]
    healthy = np.concatenate([chosen.learned.ids, chosen.frozen.ids, chosen.recent.ids])
    assert not np.isin(near, healthy).any()


def test_what_no_model_judged_of_a_point_that_is_watched_is_left_out(engine: Engine) -> None:
    row = _point(engine)
    with reading(engine) as connection:
        before = places_of(connection, row)
    unjudged = before.ids[120:125].tolist()
    with writing(engine) as connection:
        connection.execute(windows.update().where(windows.c.id.in_(unjudged)).values(score=None, threshold=None))
        after = places_of(connection, row)
    # The healthy start was judged by nobody either, and stays.
    assert after.ids.tolist() == [one for one in before.ids.tolist() if one not in unjudged]


def test_a_young_point_waits(engine: Engine) -> None:
    with reading(engine) as connection, pytest.raises(NotReadyError, match="264 are wanted"):
        select(
            connection,
            _point(engine),
            provenance={"windows": 48},
            kept=np.empty(0, np.int64),
            carriers=np.empty(0, np.int64),
            amounts=replace(_AMOUNTS, judged=100),
        )


def test_an_unknown_point_is_refused(engine: Engine, settings: Settings) -> None:
    with pytest.raises(ParameterError, match="no point 'a/b/c' is stored"):
        retrain(engine, settings, options=Options(points=("a/b/c",)), clock_ns=clock_ns)


@pytest.mark.usefixtures("copying")
def test_a_promotion_is_undone_once_and_only_while_it_stands(engine: Engine, settings: Settings) -> None:
    run_job(engine, settings, force=True)
    with reading(engine) as connection:
        (promoted,) = promotions_of(connection)
    with pytest.raises(OvertakenError, match="no former model"), writing(engine) as connection:
        undo(connection, JOB, [promoted], there=lambda _: False, why="", now_ns=NOW_NS)
    relearn(engine, User("anna", "engineer"), point_name(), now_ns=NOW_NS)
    with pytest.raises(OvertakenError, match="another model serves by now"), writing(engine) as connection:
        undo(connection, JOB, [promoted], there=lambda _: True, why="", now_ns=NOW_NS)
    assert Pipeline(engine, settings) is not None
