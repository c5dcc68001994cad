"""Raceway on PostgreSQL: the tests of what uses the store pass there, writers take turns, readers see one state."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from postgresql import SERVER, new_database, served_postgresql

from app.backup import backs_up
from app.retraining.lock import BusyError, held_lock
from app.schema import counters
from app.settings import load_settings
from app.store import StoreError, count, open_store, reading, writing

pytestmark = [pytest.mark.service, pytest.mark.timeout(600)]

_ROOT = Path(__file__).parents[2]
# What writes to the store, and a page of each kind; what copies SQLite's file is left out.
_UNITS = (
    "assets",
    "console_overview",
    "fleet_counting",
    "fleet_stepping",
    "kept_samples",
    "labels",
    "nodes",
    "nodes_in_ingest",
    "pipeline",
    "retention",
    "retraining_deeds",
    "store",
    "workorders",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served_postgresql() as url:
        yield url


@pytest.fixture
def engine(server: str) -> Iterator[sa.Engine]:
    engine = open_store(new_database(server))
    yield engine
    engine.dispose()


def test_what_holds_on_sqlite_holds_on_postgresql(server: str) -> None:
    files = [str(_ROOT / "tests" / "unit" / f"test_{name}.py") for name in _UNITS]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not sqlite", "-p", "no:cacheprovider", *files]
    environment = os.environ | {SERVER: server}
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 150
    # That they were there: one of them was run against it last, and those that change its form left theirs behind.
    with sa.create_engine(f"{server}/postgres").connect() as connection:
        used = "SELECT sum(xact_commit) FROM pg_stat_database WHERE datname LIKE 'store_%'"
        assert connection.execute(sa.text(used)).scalar_one() > 2000


def test_writers_take_turns(engine: sa.Engine) -> None:
    """So that no row of a journal is seen before one of a smaller number, and no change is lost."""
    with writing(engine) as connection:
        count(connection, {("", "n"): 0})
    begun = threading.Event()

    def add(_: int) -> None:
        with writing(engine) as connection:
            begun.set()
            own = sa.select(counters.c.value).where(counters.c.name == "n")
            found = connection.execute(own).scalar_one()
            # Time for another to read the same, if one could.
            connection.execute(sa.text("SELECT pg_sleep(0.01)"))
            connection.execute(counters.update().where(counters.c.name == "n").values(value=found + 1))

    threads = [threading.Thread(target=add, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert begun.is_set()
    with reading(engine) as connection:
        assert connection.execute(sa.select(counters.c.value).where(counters.c.name == "n")).scalar_one() == 20


def test_a_reader_sees_one_state_and_holds_no_writer_up(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        count(connection, {("", "n"): 1})
    value = sa.select(counters.c.value).where(counters.c.name == "n")
    with reading(engine) as before:
        assert before.execute(value).scalar_one() == 1
        with writing(engine) as connection:
            count(connection, {("", "n"): 1})
        assert before.execute(value).scalar_one() == 1
    with reading(engine) as after:
        assert after.execute(value).scalar_one() == 2


def test_services_that_start_at_once_make_one_store(server: str) -> None:
    with sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text("CREATE DATABASE fresh"))
    failed: list[Exception] = []

    def start() -> None:
        try:
            open_store(f"{server}/fresh", migrate=True).dispose()
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    open_store(f"{server}/fresh").dispose()


def test_the_lock_of_the_retraining_job_is_there_too(engine: sa.Engine) -> None:
    clock = {"stale_s": 60.0, "clock_ns": lambda: 10**18}
    with held_lock(engine, **clock), pytest.raises(BusyError), held_lock(engine, **clock):
        pass
    with held_lock(engine, **clock) as lock, writing(engine) as connection:
        lock.hold(connection)


def test_its_own_tools_back_it_up(server: str, tmp_path: Path) -> None:
    assert not backs_up(load_settings(data_dir=tmp_path, database_url=f"{server}/postgres"))
