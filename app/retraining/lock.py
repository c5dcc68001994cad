"""The lock of the retraining job, in the store: one holder at a time, and none that has died holds it for long."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.schema import retraining_lock
from app.store import reading, writing
from features.errors import RacewayError

__all__ = ["BusyError", "Lock", "LockLostError", "held_lock", "is_held"]

_NAME = "retraining"


class BusyError(RacewayError):
    """Another job retrains."""


class LockLostError(RacewayError):
    """The job was taken for dead and another one has its lock; nothing of it counts any more."""


@dataclass(frozen=True)
class Lock:
    """A lock that is held.

    Attributes
    ----------
    holder : str
        Host, process and a name that no other ever has.
    clock_ns : callable
    """

    holder: str
    clock_ns: Callable[[], int]

    def hold(self, connection: Connection) -> None:
        """Beat, and refuse to go on without the lock; in the transaction of whatever rests on it.

        Raises
        ------
        LockLostError
            If another has taken it.
        """
        own = (retraining_lock.c.name == _NAME) & (retraining_lock.c.holder == self.holder)
        if connection.execute(retraining_lock.update().where(own).values(beat_ns=self.clock_ns())).rowcount != 1:
            raise LockLostError(
                "the lock of this retraining was taken over by another job, which goes on; if both run by themselves, "
                "raise retrain_stale_s"
            )


@contextlib.contextmanager
def held_lock(engine: Engine, *, stale_s: float, clock_ns: Callable[[], int]) -> Iterator[Lock]:
    """Hold the lock for the time of a block, beating all the while.

    Parameters
    ----------
    engine : Engine
    stale_s : float
        Seconds without a beat after which a holder counts as dead. One of this host whose process is gone is dead at
        once.
    clock_ns : callable
        Nanoseconds since the epoch.

    Raises
    ------
    BusyError
        If another holds it.
    """
    lock = Lock(f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}", clock_ns)
    _take(engine, lock, stale_ns=round(stale_s * 1e9))
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(engine, lock, ended, stale_s / 4.0), daemon=True)
    beating.start()
    try:
        yield lock
    finally:
        ended.set()
        beating.join()
        with writing(engine) as connection:
            own = (retraining_lock.c.name == _NAME) & (retraining_lock.c.holder == lock.holder)
            connection.execute(retraining_lock.update().where(own).values(holder="", beat_ns=0))


def is_held(connection: Connection, *, stale_s: float, now_ns: int) -> bool:
    """Whether another job would be refused now: one holds the lock that beats and is not known to be gone."""
    return _is_alive(_found(connection), stale_ns=round(stale_s * 1e9), now_ns=now_ns)


def _found(connection: Connection) -> sa.Row[Any]:
    return connection.execute(sa.select(retraining_lock).where(retraining_lock.c.name == _NAME)).one()


def _is_alive(found: sa.Row[Any], *, stale_ns: int, now_ns: int) -> bool:
    return bool(found.holder) and found.beat_ns > now_ns - stale_ns and not _is_dead(found.holder)


def _take(engine: Engine, lock: Lock, *, stale_ns: int) -> None:
    with reading(engine) as connection:
        found = _found(connection)
    now_ns = lock.clock_ns()
    if _is_alive(found, stale_ns=stale_ns, now_ns=now_ns):
        who, ago_s = found.holder.rsplit(":", 1)[0], (now_ns - found.beat_ns) / 1e9
        raise BusyError(f"another retraining runs ({who}, last heard of {ago_s:.0f} s ago); one at a time")
    same = (retraining_lock.c.name == _NAME) & (retraining_lock.c.holder == found.holder)
    same &= retraining_lock.c.beat_ns == found.beat_ns
    with writing(engine) as connection:
        taken = connection.execute(retraining_lock.update().where(same).values(holder=lock.holder, beat_ns=now_ns))
    if taken.rowcount != 1:
        raise BusyError("another retraining began at the same moment; one at a time")


def _is_dead(holder: str) -> bool:
    """Whether a holder was a process of this host that is gone; of others nothing is known."""
    host, process, _ = holder.split(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _beat(engine: Engine, lock: Lock, ended: threading.Event, every_s: float) -> None:
    while not ended.wait(every_s):
        try:
            with writing(engine) as connection:
                lock.hold(connection)
        except LockLostError:
            return
        except sa.exc.SQLAlchemyError:
            # The store is busy or away; the next beat or the next step will tell.
            continue
