"""People's labels challenge the network that names fault kinds; machines that judge are never learned from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from making import NOW_NS, RATE_HZ, arrival, block
from retraining import clock_ns

import app.retraining.faultkinds as faultkinds
from app.access.roles import User
from app.codec import encode_about
from app.intake import Arrival
from app.labels.records import give
from app.learner import DIAGNOSIS_WINDOWS
from app.pipeline import Pipeline
from app.retraining.faultkinds import FAULT_KIND_STEPS, _is_held_out, _machine
from app.retraining.job import foreseen, retrain
from app.retraining.promotion import promotions_of, undo
from app.retraining.records import DIAGNOSIS, Options, Task, tasks_of
from app.schema import alarms
from app.settings import Settings, load_settings
from app.store import bundle_of, open_store, reading, set_champion, writing
from app.wire import About, PointId
from edge.convert import to_tflite
from features.bearing import bearing_named
from models.bundle import load_bundle
from models.diagnosis import CLASSES, Diagnosis, write_diagnosis
from models.kindgate import KindPolicy, KindsJudged, gate_kinds

# By their names, the last two are held out.
_MACHINES = ("fan-0", "fan-1", "fan-3", "fan-8")
_STRETCH_NS = round(6 * 2048e9 / RATE_HZ)


def _write_stubborn(bundles: Path, kind: str, name: str) -> None:
    """Write a network that calls everything by one name."""
    import keras

    dense = keras.layers.Dense(len(CLASSES), "softmax")
    model = keras.Sequential([keras.layers.Input((96, 4)), keras.layers.Flatten(), dense])
    dense.set_weights([np.zeros((96 * 4, len(CLASSES))), np.where(np.array(CLASSES) == kind, 9.0, 0.0)])
    write_diagnosis(bundles, Diagnosis(to_tflite(model), model, {}), bundle_id=name, seed=1, n=1)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four machines with waveforms and bearings, and networks that call everything inner or normal."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("kinds") / "data", baseline_windows=40)
    engine = open_store(settings.database, migrate=True)
    pipeline = Pipeline(engine, settings)
    for name in _MACHINES:
        point = PointId("site", name, "drive")
        about = About(point, name, bearing_named("6205-2RS"), 29.5)
        messages = [Arrival(point.topic("about"), encode_about(about), NOW_NS)]
        messages += [arrival(block(i, point=point)) for i in range(6)]
        pipeline.process(pipeline.prepare(messages), now_ns=NOW_NS)
    for kind in ("inner", "normal"):
        _write_stubborn(settings.bundles, kind, f"all-{kind}")
    engine.dispose()
    return settings.data_dir


@pytest.fixture
def settings(plant: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(faultkinds, "DIAGNOSIS_EPOCHS", 1)
    monkeypatch.setattr(faultkinds, "_FROZEN_WINDOWS", 16)
    shutil.copytree(plant, tmp_path / "data")
    return settings.model_copy(update={"data_dir": tmp_path / "data", "retrain_kinds_simulated": 80})


def test_a_challenger_learns_from_as_many_simulated_windows_as_the_first_network() -> None:
    assert Settings.model_fields["retrain_kinds_simulated"].default == DIAGNOSIS_WINDOWS


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    opened = open_store(settings.database)
    yield opened
    opened.dispose()


def _say(engine: sa.Engine, kind: Any, machines: Any, *, named: str | None = None, last_ns: int = _STRETCH_NS) -> None:
    stretch = {"first_ns": NOW_NS, "last_ns": NOW_NS + last_ns}
    with writing(engine) as connection:
        for name in machines:
            user, point = User("kim", "operator"), f"site/{name}/drive"
            give(connection, user, point, kind, now_ns=NOW_NS, named=named, **stretch)


def _serve(engine: sa.Engine, name: str) -> None:
    with writing(engine) as connection:
        set_champion(connection, DIAGNOSIS, name, now_ns=NOW_NS)


def _run(engine: sa.Engine, settings: Settings, *, after: int = 0) -> Task | None:
    run = retrain(engine, settings, options=Options(), clock_ns=lambda: clock_ns() + after)
    with reading(engine) as connection:
        return next((task for task in tasks_of(connection, run.id) if task.role == DIAGNOSIS), None)


def _found(task: Task | None) -> tuple[str | None, list[str]]:
    assert task is not None
    return task.outcome, task.findings["reasons"]


def test_which_machines_judge_is_decided_by_their_names() -> None:
    assert [_is_held_out(f"site/{name}") for name in _MACHINES] == [False, False, True, True]
    assert _machine("site/fan-0/drive") == "site/fan-0"
    share = np.mean([_is_held_out(f"site/machine-{i}") for i in range(3000)])
    assert share == pytest.approx(1 / 3, abs=0.03)


def test_without_labels_nothing_is_looked_at_and_few_are_named(engine: sa.Engine, settings: Settings) -> None:
    assert _run(engine, settings) is None
    assert foreseen(engine, settings, options=Options(), now_ns=clock_ns()) == []
    _say(engine, "rename", _MACHINES[:2], named="inner")
    _say(engine, "reject", _MACHINES[2:3])
    task = _run(engine, settings, after=10**6)
    assert _found(task) == (
        "waiting",
        ["inner: 2 machines are labelled; 3 are wanted", "normal: 1 machines are labelled; 3 are wanted"],
    )
    (dry,) = foreseen(engine, settings, options=Options(), now_ns=clock_ns())
    assert (dry.role, dry.outcome) == (DIAGNOSIS, "unchanged")
    off = settings.model_copy(update={"retrain_kinds": False})
    assert foreseen(engine, off, options=Options(), now_ns=clock_ns()) == []


def test_labels_without_waveforms_or_without_machines_to_judge_are_no_use(
    engine: sa.Engine, settings: Settings
) -> None:
    assert faultkinds._unfit("inner", {f"site/fan-{i}": [1] for i in range(3)}) == (
        "inner: none of its 3 labelled machines is held out to judge; their names decide which are"
    )
    _say(engine, "rename", _MACHINES, named="inner")
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE blocks SET waveform = NULL"))
    assert _found(_run(engine, settings)) == ("waiting", ["no labelled window has its waveform and a bearing"])


def test_windows_of_an_alarm_that_came_after_it_was_judged_are_its_too(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn(context: Any, bundle_id: str, *_: Any) -> None:
        _write_stubborn(context.settings.bundles, "inner", bundle_id)

    monkeypatch.setattr(faultkinds, "_learn", learn)
    _serve(engine, "all-normal")
    with writing(engine) as connection:
        for number, name in enumerate(_MACHINES, start=1):
            point = f"site/{name}/drive"
            raised = {"point_id": point, "raised_ns": NOW_NS, "window_start_ns": NOW_NS, "ratio": 1.5, "kind": "inner"}
            connection.execute(alarms.insert().values(**raised))
            # In the moment of the alarm: no window of it has ended yet.
            give(connection, User("kim", "operator"), point, "confirm", now_ns=NOW_NS, alarm_id=number)
    task = _run(engine, settings)
    assert task is not None
    assert {machine: len(ids) for machine, ids in task.findings["select"]["kinds"]["inner"].items()} == dict.fromkeys(
        (f"site/{name}" for name in _MACHINES), 5
    )


def test_a_network_that_names_their_windows_better_serves_and_is_taken_back(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn(context: Any, bundle_id: str, chosen: Any, labelled: Any) -> None:
        assert {kind: maps.shape for kind, maps in labelled.items()} == {"inner": (10, 96, 4)}
        assert list(chosen["kinds"]) == ["inner"]
        _write_stubborn(context.settings.bundles, "inner", bundle_id)

    _serve(engine, "all-normal")
    _say(engine, "rename", _MACHINES, named="inner")
    monkeypatch.setattr(faultkinds, "_learn", learn)
    # Such a network names nothing else, and so it is refused:
    assert _found(_run(engine, settings)) == (
        "refused",
        ["normal: it names 0 % of simulated windows, the champion 100 %"],
    )
    # unless that may be lost.
    monkeypatch.setattr(faultkinds, "gate_kinds", partial(gate_kinds, policy=KindPolicy(loss=1.0)))
    _say(engine, "rename", _MACHINES[:1], named="inner")
    task = _run(engine, settings, after=10**6)
    assert _found(task)[0] == "promoted"
    assert task is not None
    assert task.findings["select"]["held_out"] == ["site/fan-3", "site/fan-8"]
    judged = task.findings["gate"]["kinds"]
    assert (judged["champion"]["labelled"], judged["challenger"]["labelled"]) == ({"inner": 0.0}, {"inner": 1.0})
    assert judged["challenger"]["simulated"] == {"normal": 0.0, "inner": 1.0, "outer": 0.0, "ball": 0.0}
    report = (settings.reports / f"retraining-{task.run_id}.html").read_text(encoding="utf-8")
    assert "inner, labelled (10 windows, 2 machines)" in report
    with writing(engine) as connection:
        assert bundle_of(connection, DIAGNOSIS) == task.challenger
        undo(
            connection,
            User("anna", "engineer"),
            promotions_of(connection),
            there=lambda _: True,
            why="no good",
            now_ns=NOW_NS,
        )
        assert bundle_of(connection, DIAGNOSIS) == "all-normal"
    outcome, reasons = _found(_run(engine, settings, after=2 * 10**6))
    assert outcome == "waiting"
    assert "its last promotion was undone (no good)" in reasons[0]


def test_labels_are_learned_from_and_what_names_them_no_better_is_refused(
    engine: sa.Engine, settings: Settings
) -> None:
    _serve(engine, "all-inner")
    _say(engine, "rename", _MACHINES, named="inner")
    _say(engine, "reject", _MACHINES[:1], last_ns=500_000_000)
    task = _run(engine, settings)
    outcome, reasons = _found(task)
    assert task is not None
    assert outcome == "refused"
    assert any("of the windows that people labelled, no more than the champion" in reason for reason in reasons)
    # One machine that was said to be healthy is too few to learn from, and is left out by name.
    assert task.findings["select"]["left_out"] == {
        "normal": "normal: 1 machines have labelled windows with a waveform; 3 are wanted"
    }
    manifest = load_bundle(settings.bundles / str(task.challenger)).manifest
    assert manifest.provenance["labelled"] == {"inner": ["site/fan-0", "site/fan-1"]}
    assert manifest.split["held_out"] == ["site/fan-3", "site/fan-8"]
    # Of the windows that were labelled twice, two of one machine, the later word counts.
    assert task.findings["train"]["windows"] == {"inner": 8}
    with reading(engine) as connection:
        assert bundle_of(connection, DIAGNOSIS) == "all-inner"
    again = _run(engine, settings, after=10**6)
    assert _found(again) == ("unchanged", [f"nothing was said since the run {task.run_id}"])


class _Broken(BaseException):
    """The job ends here, as if it were killed: nothing that runs after it may catch it."""


def test_a_job_that_ends_in_any_step_leaves_the_champion_and_the_next_run_completes(
    engine: sa.Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def learn(context: Any, bundle_id: str, chosen: Any, labelled: Any) -> None:
        del chosen, labelled
        _write_stubborn(context.settings.bundles, "inner", bundle_id)
        written.append(bundle_id)

    _serve(engine, "all-normal")
    _say(engine, "rename", _MACHINES, named="inner")
    monkeypatch.setattr(faultkinds, "_learn", learn)
    monkeypatch.setattr(faultkinds, "gate_kinds", partial(gate_kinds, policy=KindPolicy(loss=1.0)))
    places = [f"{DIAGNOSIS}  {step} {when}" for step in FAULT_KIND_STEPS for when in ("begun", "worked", "kept")]
    # After the last place the challenger serves already.
    for place in places[:-1]:

        def hook(at: str, place: str = place) -> None:
            if at == place:
                raise _Broken

        with pytest.raises(_Broken):
            retrain(engine, settings, options=Options(), clock_ns=clock_ns, hook=hook)
        with reading(engine) as connection:
            assert bundle_of(connection, DIAGNOSIS) == "all-normal", place
    task = _run(engine, settings)
    assert _found(task)[0] == "promoted"
    assert task is not None
    # It was one run all along, and what was learned once was not learned again.
    assert written == [task.challenger]
    with reading(engine) as connection:
        assert bundle_of(connection, DIAGNOSIS) == task.challenger


_GOOD = KindsJudged({"inner": 0.6, "outer": 0.8}, {"normal": 0.9, "inner": 0.9})


@pytest.mark.parametrize(
    ("labelled", "simulated", "reasons"),
    [
        ({"inner": 0.7, "outer": 0.8}, {"normal": 0.89, "inner": 0.9}, []),
        ({"inner": 0.6, "outer": 0.8}, {}, ["it names 70 % of the windows that people labelled, no more than"]),
        ({"inner": 0.9, "outer": 0.7}, {}, ["outer: it names 70 % of windows that people labelled, the champion 80 %"]),
        (
            {"inner": 0.9, "outer": 0.9},
            {"normal": 0.8},
            ["normal: it names 80 % of simulated windows, the champion 90"],
        ),
    ],
)
def test_each_loss_of_a_kind_is_a_reason(labelled: Any, simulated: Any, reasons: list[str]) -> None:
    found = gate_kinds(_GOOD, KindsJudged(labelled, {"normal": 0.9, "inner": 0.9} | simulated))
    assert len(found) == len(reasons)
    assert all(said.startswith(reason) for said, reason in zip(found, reasons, strict=True))
    assert gate_kinds(None, KindsJudged(labelled, simulated)) == ()
