"""The lock of the retraining job: one holder, taken over from the dead, lost by those who were taken for dead."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from app.retraining.lock import BusyError, LockLostError, held_lock
from app.schema import retraining_lock
from app.store import reading, writing

_NOW_NS = 1_795_000_000_000_000_000


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    return store


def _clock_ns() -> int:
    return _NOW_NS


def _row(engine: sa.Engine) -> sa.Row[tuple[str, int]]:
    with reading(engine) as connection:
        return connection.execute(sa.select(retraining_lock.c.holder, retraining_lock.c.beat_ns)).one()


def _held_by(engine: sa.Engine, holder: str, *, beat_ns: int) -> None:
    with writing(engine) as connection:
        connection.execute(retraining_lock.update().values(holder=holder, beat_ns=beat_ns))


def test_a_second_one_is_refused_and_the_first_gives_it_back(engine: sa.Engine) -> None:
    with held_lock(engine, stale_s=60.0, clock_ns=_clock_ns):
        with (
            pytest.raises(BusyError, match="another retraining runs"),
            held_lock(engine, stale_s=60.0, clock_ns=_clock_ns),
        ):
            pass
        assert _row(engine).holder
    assert _row(engine).holder == ""


def test_the_lock_of_a_silent_host_is_taken_over_and_what_was_its_holder_cannot_go_on(engine: sa.Engine) -> None:
    with held_lock(engine, stale_s=60.0, clock_ns=_clock_ns) as first:
        _held_by(engine, "elsewhere:1:x", beat_ns=_NOW_NS - 59_000_000_000)
        with (
            pytest.raises(BusyError, match="elsewhere:1, last heard of 59 s ago"),
            held_lock(engine, stale_s=60.0, clock_ns=_clock_ns),
        ):
            pass
        _held_by(engine, "elsewhere:1:x", beat_ns=_NOW_NS - 61_000_000_000)
        with held_lock(engine, stale_s=60.0, clock_ns=_clock_ns) as second:
            with writing(engine) as connection:
                second.hold(connection)
            with pytest.raises(LockLostError, match="taken over"), writing(engine) as connection:
                first.hold(connection)


def test_the_lock_of_a_process_that_is_gone_is_taken_at_once(engine: sa.Engine) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    _held_by(engine, f"{socket.gethostname()}:{int(gone.stdout)}:x", beat_ns=_NOW_NS)
    with held_lock(engine, stale_s=60.0, clock_ns=_clock_ns):
        assert _row(engine).beat_ns == _NOW_NS


def test_it_beats_while_it_is_held(engine: sa.Engine) -> None:
    told, ticks = threading.Event(), iter(range(10**9))

    def clock_ns() -> int:
        tick = next(ticks)
        if tick >= 3:
            told.set()
        return _NOW_NS + tick

    with held_lock(engine, stale_s=0.02, clock_ns=clock_ns):
        assert told.wait(30.0)
