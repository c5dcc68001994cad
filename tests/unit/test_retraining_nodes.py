"""The network of nodes: learned from some machines, judged on others, held to a budget, laid ready to be signed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from making import NOW_NS, POINT
from retraining import clock_ns, feed, learn_by_copying, run_job
from sqlalchemy import Engine

import app.retraining.nodes as nodes
import app.retraining.steps as steps
from app.access.roles import User
from app.cli import _raceway
from app.commissioning import relearn
from app.fleet.candidates import keep_image
from app.fleet.records import listed, one_rollout
from app.learner import healthy_start, waiting_points
from app.retraining.job import retrain
from app.retraining.records import NODE_HEALTH, Options, Run, Task, tasks_of
from app.retraining.steps import Context
from app.settings import Settings, load_settings
from app.store import bundle_of, change_state, open_store, reading, writing
from app.wire import PointId
from edge.compiler.packed import describe
from edge.convert import to_tflite
from edge.node.package import generate_key
from edge.oracle import ends_of, run_tflm
from edge.tflite.reading import read_tflite
from features.contract import WATCHED
from models.autoencoder import learn_baseline, write_baseline
from models.bundle import load_bundle, write_bundle
from models.gate import Judged, Share, pooled, share_above

_SIZES = {
    "baseline_windows": 48,
    "retrain_windows": 176,
    "retrain_judged_windows": 40,
    "retrain_nodes": True,
    "alarm_on_delay_s": 0.2,
}
_POINTS = (POINT, PointId("site", "fan", "drive-end"), PointId("site", "mill", "drive-end"))


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three machines of other bands that run on, with baselines that were hardly trained."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("nodes") / "data", **_SIZES)
    engine = open_store(settings.database, migrate=True)
    for i, point in enumerate(_POINTS):
        feed(engine, settings, 0, 260, point=point, hz=1500.0 + 500.0 * i)
    for row in waiting_points(engine):
        features = healthy_start(engine, row, n=48)
        baseline = learn_baseline(features, convert=to_tflite, seed=1, epochs=3)
        name = row.id.replace("/", "-")
        provenance = {"rate_hz": row.rate_hz, "windows": 48}
        write_baseline(settings.bundles, baseline, bundle_id=name, contract=WATCHED.hash, seed=1, provenance=provenance)
        with writing(engine) as connection:
            change_state(connection, row, state="watching", bundle=name)
    engine.dispose()
    return settings.data_dir


@pytest.fixture
def settings(plant: Path, tmp_path: Path, settings: Settings) -> Settings:
    shutil.copytree(plant, tmp_path / "data")
    return settings.model_copy(update={"data_dir": tmp_path / "data", **_SIZES})


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_store(settings.database)
    yield opened
    opened.dispose()


def _task(engine: Engine, run: Run) -> Task:
    with reading(engine) as connection:
        (task,) = (task for task in tasks_of(connection, run.id) if task.role == NODE_HEALTH)
    return task


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
    reason="the toolchain of the node is not installed; `make packages` installs it",
)
def test_a_network_of_all_machines_passes_is_laid_ready_and_may_not_cost_more(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_job(engine, settings)
    task = _task(engine, run)
    assert task.outcome == "promoted", task.findings["reasons"]
    chosen, verdict = task.findings["select"], task.findings["gate"]
    (held_out,) = chosen["held_out"]
    assert len(task.findings["train"]["points"]) == 2
    assert all(not point.startswith(f"{held_out}/") for point in task.findings["train"]["points"])
    assert verdict["challenger"]["frozen"]["windows"] == 40
    assert 0 < verdict["cost"]["cycles"] < 1_000_000
    with reading(engine) as connection:
        assert bundle_of(connection, NODE_HEALTH) == task.challenger
    folder = settings.candidates / str(task.challenger)
    said = describe((folder / "model.packed").read_bytes())
    network = load_bundle(settings.bundles / str(task.challenger)).network
    given, _ = ends_of(read_tflite(network))
    window = np.frombuffer((folder / "golden-input.bin").read_bytes(), np.int8).reshape(1, *given.shape[1:])
    assert run_tflm(network, window).tobytes() == (folder / "golden-output.bin").read_bytes()
    assert said.input.n_bytes == window.size
    with reading(engine) as connection:
        (waiting,) = listed(connection, most=9)
        stored = one_rollout(connection, waiting.id)
    assert (waiting.phase, waiting.bundle, waiting.states) == ("candidate", task.challenger, {})
    assert stored.image == (folder / "model.packed").read_bytes()
    # The command that stands beside the model makes the image that the candidate takes.
    words = shlex.split((folder / "package.txt").read_text().replace("NUMBER", "7"))[1:]
    (folder / "PRIVATE.pem").write_bytes(generate_key())
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(_raceway, words)
    assert done.exit_code == 0, done.output
    image = (folder / f"{task.challenger}.image").read_bytes()
    with writing(engine) as connection:
        signed = keep_image(connection, User("kim", "engineer"), waiting.id, image, why="", now_ns=NOW_NS)
    assert (signed.rollout.phase, signed.rollout.version) == ("signed", 7)
    assert "There was no champion" in (settings.reports / f"retraining-{run.id}.html").read_text()
    # Nothing drifted since: the network is not learned again.
    again = _task(engine, retrain(engine, settings, options=Options(), clock_ns=lambda: clock_ns() + 1_000_000))
    assert (again.outcome, again.findings["reasons"]) == ("unchanged", ["0 of 0 points drifted"])
    _refuses_one_that_costs_too_much(engine, settings, monkeypatch, champion=str(task.challenger))


def _refuses_one_that_costs_too_much(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, *, champion: str
) -> None:
    def copy(context: Context, scaled: Any, bundle_id: str, chosen: Any) -> None:
        del scaled, chosen
        bundle = load_bundle(context.settings.bundles / champion)
        manifest = replace(bundle.manifest, id=bundle_id)
        write_bundle(
            context.settings.bundles, manifest, network=bundle.network, arrays={}, save_keras=lambda path: path.touch()
        )

    monkeypatch.setattr(nodes, "_learn", copy)
    monkeypatch.setattr(steps, "_learn", learn_by_copying)
    monkeypatch.setattr(nodes, "_cost", lambda _: ({"cycles": 9}, ("it takes 9 cycles too many",)))
    options = Options(force=True)
    task = _task(engine, retrain(engine, settings, options=options, clock_ns=lambda: clock_ns() + 2_000_000))
    assert (task.outcome, task.findings["reasons"]) == ("refused", ["it takes 9 cycles too many"])
    with reading(engine) as connection:
        assert bundle_of(connection, NODE_HEALTH) == champion
    assert [path.name for path in settings.candidates.iterdir()] == [champion]
    report = (settings.reports / f"retraining-{task.run_id}.html").read_text()
    assert "it takes 9 cycles too many" in report


def test_two_machines_are_too_few(engine: Engine, settings: Settings) -> None:
    relearn(engine, User("anna", "engineer"), str(_POINTS[2]), now_ns=NOW_NS)
    task = _task(engine, run_job(engine, settings))
    assert (task.outcome, task.findings["reasons"]) == (
        "waiting",
        ["2 machines have enough healthy windows; 3 are wanted"],
    )


def test_shares_of_several_points_are_those_of_all_windows(rng: np.random.Generator) -> None:
    a, b = rng.random(50), rng.random(70)
    parts = [
        Judged(threshold, share, share, alarms, {0.1: share}, {"outer": seen}, {})
        for threshold, share, alarms, seen in (
            (1.0, share_above(a, 0.9, confidence=0.99), 1, 0.5),
            (3.0, share_above(b, 0.9, confidence=0.99), 2, 0.7),
        )
    ]
    found = pooled(parts)
    both = sum(x > 0.9 for x in [*a.tolist(), *b.tolist()])
    assert (found.frozen.passed, found.frozen.windows, found.alarms, found.threshold) == (both, 120, 3, 2.0)
    assert found.detected == {"outer": pytest.approx(0.6)}
    one = replace(parts[0], frozen=Share(5, 50, 0.0, 50.0), recent=parts[0].recent)
    other = replace(parts[1], frozen=Share(5, 50, 0.0, 50.0))
    alternating = np.tile([0.0, 1.0], 50)
    assert pooled([one, other]).frozen.low < share_above(alternating, 0.5, confidence=0.99).low
