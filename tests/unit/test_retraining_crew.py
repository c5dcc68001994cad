"""Several processes come to what one comes to; they end with their job, and it survives their end.

That they learn challengers, which are promoted and refused, the scripted day shows.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from making import NOW_NS, POINT
from retrained import watched
from retraining import feed, run_job
from sqlalchemy import Engine

from app.learner import learn_point, waiting_points
from app.retraining.job import retrain
from app.retraining.records import BASELINE, DIAGNOSIS, Options, Run, Task, tasks_of, unfinished_run
from app.retraining.steps import Done
from app.retraining.taking import Crew, CrewLostError, crew
from app.settings import Settings, load_settings
from app.store import open_store, reading
from app.wire import PointId

_OTHER = PointId("lab", "fan-2", "drive-end")
_SIZES = {"baseline_windows": 48, "retrain_windows": 96, "retrain_judged_windows": 32, "retrain_alarm_margin_s": 5.0}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of two points that learned and ran on."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("plant") / "data", **_SIZES)
    engine = open_store(settings.database, migrate=True)
    for point in (POINT, _OTHER):
        feed(engine, settings, 0, 60, point=point)
    for row in waiting_points(engine):
        learn_point(engine, settings, row, now_ns=NOW_NS)
    for point in (POINT, _OTHER):
        feed(engine, settings, 60, 130, point=point)
    engine.dispose()
    return settings.data_dir


@pytest.fixture
def copied(plant: Path, settings: Settings, tmp_path: Path) -> Callable[[str, int], tuple[Engine, Settings]]:
    def copy(name: str, processes: int) -> tuple[Engine, Settings]:
        shutil.copytree(plant, tmp_path / name)
        own = settings.model_copy(
            update={"data_dir": tmp_path / name, "retrain_processes": processes, "retrain_kinds": False, **_SIZES}
        )
        return open_store(own.database), own

    return copy


def _tasks(engine: Engine, run: Run) -> list[Task]:
    with reading(engine) as connection:
        return tasks_of(connection, run.id)


def _crew() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid is not None]


def _killed_at_work(settings: Settings, told: Path) -> int:
    """Run a job in a process that is killed when the first step was taken by others; the signal that ended it."""

    def kill(place: str) -> None:
        if place.endswith("drift worked"):
            told.write_text(" ".join(map(str, _crew())))
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        try:
            run_job(open_store(settings.database), settings, hook=kill)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _is_gone(process: int, *, within_s: float = 60.0) -> bool:
    """Whether a process ends; a zombie that nobody has waited for is gone too."""
    ended = multiprocessing.Event()
    for _ in range(round(within_s / 0.1)):
        stat = Path(f"/proc/{process}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        ended.wait(0.1)
    return False


def test_two_processes_come_to_what_one_comes_to_also_after_a_kill(
    copied: Callable[[str, int], tuple[Engine, Settings]], tmp_path: Path
) -> None:
    engine, alone = copied("alone", 1)
    expected = _tasks(engine, run_job(engine, alone))
    assert {task.point_id: task.outcome for task in expected} == dict.fromkeys((str(POINT), str(_OTHER)), "unchanged")
    engine, together = copied("together", 2)
    assert _killed_at_work(together, tmp_path / "crew") == signal.SIGKILL
    crew = [int(one) for one in (tmp_path / "crew").read_text().split()]
    assert len(crew) == 2
    assert all(_is_gone(one) for one in crew)
    with reading(engine) as connection:
        left = unfinished_run(connection)
    run = run_job(engine, together)
    assert left is not None
    assert run.id == left.id
    found = _tasks(engine, run)
    assert [_found(task) for task in found] == [_found(task) for task in expected]
    assert _crew() == []


@pytest.mark.parametrize("own", [None, "3"])
def test_each_of_a_crew_is_given_one_core_before_it_imports_anything(
    store: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, own: str | None
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if own is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", own)
    run = Run("1", NOW_NS, None, "running", Options())
    with crew(store, settings.model_copy(update={"retrain_processes": 2})) as by:
        assert by.take(run, Task("1", BASELINE, "no/such/point"), NOW_NS).outcome == "waiting"
        # What a process was started with, whatever it set itself since; until it is, it has its parent's.
        processes = [Path(f"/proc/{one}") for one in _crew()]
        started = [process for process in processes if b"spawn_main" in (process / "cmdline").read_bytes()]
        environments = [(process / "environ").read_bytes().split(b"\0") for process in started]
    assert environments
    for environment in environments:
        assert f"OPENBLAS_NUM_THREADS={own or 1}".encode() in environment
        assert b"TF_NUM_INTRAOP_THREADS=1" in environment
    assert os.environ.get("OPENBLAS_NUM_THREADS") == own


def _found(task: Task) -> tuple[str, str | None, object]:
    return task.point_id, task.outcome, task.findings["drift"]


def test_a_run_whose_process_was_killed_is_gone_on_with(copied: Callable[[str, int], tuple[Engine, Settings]]) -> None:
    engine, settings = copied("short of memory", 2)

    began, killed = list[str](), threading.Event()

    def kill(place: str) -> None:
        if place.endswith("drift begun"):
            began.append(place)
            if len(began) == 2:
                killed.wait(60.0)
        if place.endswith("drift worked") and not killed.is_set():
            os.kill(_crew()[0], signal.SIGKILL)
            killed.set()

    with pytest.raises(CrewLostError, match=r"was killed \(is memory short\?\); the next run goes on with it"):
        run_job(engine, settings, hook=kill)
    with reading(engine) as connection:
        left = unfinished_run(connection)
    assert left is not None
    run = run_job(engine, settings.model_copy(update={"retrain_processes": 1}))
    assert run.id == left.id
    assert {task.outcome for task in _tasks(engine, run)} == {"unchanged"}
    assert DIAGNOSIS not in {task.role for task in _tasks(engine, run)}


def test_who_ends_a_crew_again_and_again_is_blamed_alone(store: Engine, settings: Settings) -> None:
    """Of two models in hand when a process is killed, nobody knows which it was; one after the other tells."""
    guilty, other = "site/fan/a", "site/pump/b"
    watched(store, settings, (guilty, other))
    both, in_hand, began = threading.Barrier(2), set[str](), list[str]()

    def take(run: Run, task: Task, now_ns: int) -> Done:
        del run, now_ns
        began.append(task.point_id)
        in_hand.add(task.point_id)
        if len(began) <= 2:
            both.wait(30.0)
        if guilty in in_hand:
            raise CrewLostError("gone")
        return Done.ended("unchanged", "seen")

    for _ in range(3):
        with pytest.raises(CrewLostError):
            retrain(store, settings, options=Options(), clock_ns=lambda: NOW_NS, by=Crew(take, 2))
        in_hand.clear()
    run = retrain(store, settings, options=Options(), clock_ns=lambda: NOW_NS, by=Crew(take, 2))
    assert {task.point_id: task.outcome for task in _tasks(store, run)} == {guilty: "failed", other: "unchanged"}
    assert sorted(began[:2]) == [guilty, other]
    assert began[2:] == [guilty, guilty, other]
