"""`raceway retrain` and what starts it: dry run, JSON, undo, refusals, the schedule, the files for schedulers."""

from __future__ import annotations

import configparser
import json
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from app.access.audit import trail
from app.access.roles import User
from app.cli import _raceway
from app.retraining.asking import ask
from app.retraining.lock import held_lock
from app.retraining.promotion import JOB, promote
from app.retraining.records import Options, Task, begin_run, end_run, save_task
from app.retraining.schedule import run_schedule
from app.schema import retraining_lock
from app.settings import Settings, load_settings
from app.store import PointRow, point_rows, reading, save_point, writing
from features.errors import ParameterError

# EX_TEMPFAIL of sysexits.h.
_BUSY = 75
_DEPLOY = Path(__file__).parents[2] / "deploy"
_NOW_NS = 1_795_000_000_000_000_000
_POINTS = ("site/fan/a", "site/pump/b")


@pytest.fixture
def engine(settings: Settings, store: Engine) -> Engine:
    """Two points that are watched."""
    with writing(store) as connection:
        for point in _POINTS:
            save_point(connection, PointRow(id=point, name=point, state="watching", bundle="first"), new=True)
    (settings.bundles / "first").mkdir(parents=True)
    return store


@pytest.fixture
def promoted(engine: Engine) -> str:
    """A run that promoted both, and an earlier one that promoted the first."""
    names = []
    for i, (points, former, bundle) in enumerate([(_POINTS[:1], "first", "second"), (_POINTS, None, "third")]):
        with held_lock(engine, stale_s=60.0, clock_ns=lambda: _NOW_NS) as lock, writing(engine) as connection:
            run = begin_run(connection, lock, Options(), now_ns=_NOW_NS + i * 10**9)
            for point in points:
                champion = former or ("second" if point == _POINTS[0] else "first")
                task = Task(run.id, "baseline", point, "promote", "promoted", champion, bundle, {"reasons": ["better"]})
                save_task(connection, lock, [task])
                promote(
                    connection,
                    JOB,
                    "baseline",
                    point,
                    champion=champion,
                    challenger=bundle,
                    run_id=run.id,
                    now_ns=_NOW_NS,
                )
            end_run(connection, lock, run, now_ns=_NOW_NS)
        names.append(run.id)
    return names[-1]


def _run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "retrain", *arguments])


def _serving(engine: Engine) -> list[str | None]:
    with reading(engine) as connection:
        return [row.bundle for row in point_rows(connection)]


def test_without_points_it_says_so_and_writes_its_report(settings: Settings) -> None:
    shown = _run(settings)
    assert shown.exit_code == 0
    assert "no point is watched yet" in shown.output
    (report,) = settings.reports.iterdir()
    assert str(report) in shown.output


def test_a_dry_run_changes_nothing_and_says_what_is_missing(engine: Engine, settings: Settings) -> None:
    shown = _run(settings, "--dry-run", "--json")
    models = json.loads(shown.stdout)["models"]
    assert [(one["point"], one["outcome"]) for one in models] == [(point, "failed") for point in _POINTS]
    assert "bundle first cannot be read" in models[0]["reasons"][0]
    assert shown.exit_code == 1
    assert not settings.reports.exists()
    assert "nothing was retrained yet" in _run(settings, "list").output
    assert _serving(engine) == ["first", "first"]


def test_only_the_points_named_are_looked_at(engine: Engine, settings: Settings) -> None:
    assert engine is not None
    shown = _run(settings, "--point", _POINTS[1], "--json")
    (model,) = json.loads(shown.stdout)["models"]
    assert (model["point"], model["outcome"]) == (_POINTS[1], "failed")
    refused = _run(settings, "--point", "a/b/c")
    assert refused.exit_code == 2
    assert "no point 'a/b/c' is stored" in refused.output


def test_a_second_one_is_refused_in_one_sentence(engine: Engine, settings: Settings) -> None:
    with writing(engine) as connection:
        connection.execute(retraining_lock.update().values(holder="elsewhere:7:x", beat_ns=time.time_ns()))
    for shown in (_run(settings), _run(settings, "--asked", "--json")):
        assert shown.exit_code == _BUSY
        assert shown.output.splitlines()[-1].startswith("Error: another retraining runs (elsewhere:7")
        assert "Traceback" not in shown.output


def test_a_store_that_cannot_be_reached_is_not_taken_for_another_retraining(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RACEWAY_DATABASE_URL", "postgresql://127.0.0.1:1/plant")
    shown = _run(settings, "--json")
    assert shown.exit_code == 2
    assert "cannot be used" in shown.output


def test_undo_takes_back_the_latest_run_whole(engine: Engine, settings: Settings, promoted: str) -> None:
    assert f"{promoted}  2026-11-18 11:06:41Z  done     2 promoted" in _run(settings, "list").output
    assert _serving(engine) == ["third", "third"]
    (settings.bundles / "second").mkdir()
    shown = _run(settings, "undo", "--why", "noisy", "--json")
    assert [one["bundle"] for one in json.loads(shown.stdout)] == ["first", "second"]
    assert _serving(engine) == ["second", "first"]
    # What stands now is the promotion of the run before.
    assert f"baseline of {_POINTS[0]}: first serves again" in _run(settings, "undo").output
    assert _serving(engine) == ["first", "first"]
    nothing = _run(settings, "undo")
    assert nothing.exit_code == 2
    assert "no promotion is there to be undone" in nothing.output
    with reading(engine) as connection:
        undone = [deed for deed in trail(connection) if deed.action == "undo promotion"]
    assert [(deed.role, deed.why) for deed in undone[::-1]] == [
        ("admin", "third: noisy"),
        ("admin", "third: noisy"),
        ("admin", "second: by hand"),
    ]


@pytest.mark.usefixtures("promoted")
def test_an_undo_of_which_a_part_is_gone_changes_nothing(engine: Engine, settings: Settings) -> None:
    shown = _run(settings, "undo")
    assert shown.exit_code == 2
    assert f"there is no former model of the baseline of {_POINTS[0]}" in shown.output
    assert _serving(engine) == ["third", "third"]
    assert _run(settings, "undo", "--point", _POINTS[1]).exit_code == 0
    assert _serving(engine) == ["third", "first"]


def _touching(path: Path) -> tuple[str, ...]:
    return sys.executable, "-c", f"open({str(path)!r}, 'a').write('x')"


def _scheduled(
    settings: Settings, path: Path, *, seconds: float, until: Any, command: tuple[str, ...] | None = None
) -> None:
    """Run the schedule until something is so, or for so long."""
    stopped = threading.Event()
    called = {"stopped": stopped, "command": command or _touching(path)}
    running = threading.Thread(target=run_schedule, args=(settings,), kwargs=called)
    running.start()
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        stopped.wait(0.05)
    stopped.set()
    running.join(30.0)
    assert not running.is_alive()


def test_a_run_that_was_broken_off_is_gone_on_with_at_once(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    never = settings.model_copy(update={"retrain_schedule": "0 0 29 2 *"})
    path = tmp_path / "ran"
    _scheduled(never, path, seconds=1.0, until=lambda: False)
    assert not path.exists()
    with held_lock(engine, stale_s=60.0, clock_ns=lambda: _NOW_NS) as lock, writing(engine) as connection:
        begin_run(connection, lock, Options(), now_ns=_NOW_NS)
    _scheduled(never, path, seconds=60.0, until=path.exists)
    assert path.read_text() == "x"


# A job that takes what was asked for and is gone; the next one goes on with that.
_BREAKS_OFF = """
import sys
from app.retraining.asking import mark_taken, open_asks
from app.retraining.lock import held_lock
from app.retraining.records import Options, begin_run
from app.settings import load_settings
from app.store import open_store, writing
engine, now_ns = open_store(load_settings().database), 1_795_000_000_000_000_000
with held_lock(engine, stale_s=60.0, clock_ns=lambda: now_ns) as lock, writing(engine) as connection:
    asks = open_asks(connection)
    if asks:
        mark_taken(connection, asks, run_id=begin_run(connection, lock, Options(), now_ns=now_ns).id)
open(sys.argv[1], "a").write("begun" if asks else ", gone on with " + sys.argv[2])
"""


def test_a_run_that_breaks_off_while_the_schedule_runs_is_gone_on_with_too(
    engine: Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.retraining.schedule._AGAIN_S", 0.1)
    never = settings.model_copy(update={"retrain_schedule": "0 0 29 2 *"})
    path = tmp_path / "ran"
    with writing(engine) as connection:
        ask(connection, User("kim", "engineer"), _POINTS[0], why="", now_ns=_NOW_NS)

    def gone_on_with() -> bool:
        return path.exists() and "gone on" in path.read_text()

    command = (sys.executable, "-c", _BREAKS_OFF, str(path))
    _scheduled(never, path, seconds=30.0, until=gone_on_with, command=command)
    assert path.read_text().startswith("begun, gone on with --asked")


def test_a_run_that_another_job_is_at_is_left_to_it(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    never = settings.model_copy(update={"retrain_schedule": "0 0 29 2 *"})
    path = tmp_path / "ran"
    with held_lock(engine, stale_s=60.0, clock_ns=time.time_ns) as lock:
        with writing(engine) as connection:
            begin_run(connection, lock, Options(), now_ns=_NOW_NS)
        _scheduled(never, path, seconds=1.5, until=path.exists)
        assert not path.exists()
    with writing(engine) as connection:
        silent_ns = time.time_ns() - round(2e9 * settings.retrain_stale_s)
        connection.execute(retraining_lock.update().values(holder="elsewhere:7:x", beat_ns=silent_ns))
    _scheduled(never, path, seconds=60.0, until=path.exists)
    assert path.read_text() == "x"


def test_what_somebody_asks_for_is_begun_at_once(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    never = settings.model_copy(update={"retrain_schedule": "0 0 29 2 *"})
    path = tmp_path / "ran"
    with writing(engine) as connection:
        ask(connection, User("kim", "engineer"), _POINTS[0], why="", now_ns=_NOW_NS)
    # The job is told to take no more than that; one that cannot begin is not begun again at once.
    script = f"import sys; open({str(path)!r}, 'a').write(' '.join(sys.argv[1:]))"
    _scheduled(never, path, seconds=60.0, until=path.exists, command=(sys.executable, "-c", script))
    assert path.read_text() == "--asked"


def test_only_what_is_asked_for_goes_with_nothing_else(settings: Settings) -> None:
    assert "nothing was asked for" in _run(settings, "--asked").output
    refused = _run(settings, "--asked", "--force")
    assert refused.exit_code == 2
    assert "goes with none of --point, --force and --dry-run" in refused.output


def test_a_wrong_schedule_is_refused_where_it_is_read(settings: Settings) -> None:
    with pytest.raises(ParameterError, match=r"retrain_schedule: .*'daily' has not the five fields of cron"):
        load_settings(data_dir=settings.data_dir, retrain_schedule="daily")
    with pytest.raises(ParameterError, match="'61' is no minute of cron"):
        load_settings(data_dir=settings.data_dir, retrain_schedule="61 3 * * *")
    assert load_settings(data_dir=settings.data_dir, retrain_schedule="").retrain_schedule == ""
    wrong = settings.model_copy(update={"retrain_schedule": "61 3 * * *"})
    with pytest.raises(ParameterError, match="is no minute of cron"):
        run_schedule(wrong, stopped=threading.Event())


def test_the_files_for_schedulers_call_what_there_is() -> None:
    from apscheduler.triggers.cron import CronTrigger

    cron = next(line for line in (_DEPLOY / "cron/raceway-retrain").read_text().splitlines() if line[:1].isdigit())
    CronTrigger.from_crontab(" ".join(cron.split()[:5]), timezone="UTC")
    service, timer = (configparser.ConfigParser(strict=True, interpolation=None) for _ in range(2))
    service.read(_DEPLOY / "systemd/raceway-retrain.service")
    timer.read(_DEPLOY / "systemd/raceway-retrain.timer")
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert service["Service"]["SuccessExitStatus"] == str(_BUSY)
    kubernetes = (_DEPLOY / "kubernetes/retrain-cronjob.yaml").read_text()
    (schedule,) = re.findall(r'^  schedule: "(.*)"$', kubernetes, flags=re.MULTILINE)
    CronTrigger.from_crontab(schedule, timezone="UTC")
    (listed,) = re.findall(r"command: (\[.*\])", kubernetes)
    *shell, script = json.loads(listed)
    asked, tolerant = script.split(" || ")
    assert (shell, tolerant) == (["sh", "-c"], f"[ $? -eq {_BUSY} ]")
    # The settings' file is looked for in the working folder.
    folder = service["Service"]["WorkingDirectory"]
    assert f" cd {folder} && " in cron
    assert f"RACEWAY_DATA_DIR={folder}" == service["Service"]["Environment"]
    assert re.findall(r"workingDir: (.*)", kubernetes) == re.findall(r"mountPath: (.*)", kubernetes)
    called = [cron.split("/bin/raceway ")[1].split(" >>")[0], service["Service"]["ExecStart"].split("/bin/raceway ")[1]]
    called.append(asked.removeprefix("raceway "))
    for command in called:
        name, *flags = command.split()
        shown = CliRunner().invoke(_raceway, [name, "--help"])
        assert shown.exit_code == 0
        assert all(flag in shown.output for flag in flags)
    variables = set(re.findall(r"RACEWAY_(\w+)", cron + kubernetes + service["Service"]["Environment"]))
    assert {name.lower() for name in variables} <= set(Settings.model_fields)
    assert variables
