"""The service that tends alarms: ends shelves, notices silence, tells people, sends work orders, renews forecasts."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import Engine

from app.alarms.broadcast import Broadcast
from app.alarms.channels import channels_of
from app.alarms.notices import Channel, tell
from app.alarms.register import NO_DATA, active_at, end_shelves, follow, shelves_over
from app.alarms.silence import is_silent
from app.assets.register import alarming
from app.forecast import renew
from app.labels.workorders import OrderHook, send_orders
from app.logs import log
from app.mqtt import broker_of
from app.publisher import Publisher
from app.schema import nodes, points
from app.settings import Settings
from app.store import open_store, reading, writing

__all__ = ["run_tending", "tend"]

_EVERY_S = 1.0
# Trends change slowly, and all points are read for them.
_FORECAST_EVERY_NS = 300_000_000_000


def tend(engine: Engine, channels: Sequence[Channel], *, now_ns: int, stale_ns: int, quiet_ns: int) -> None:
    """Go once through what time alone changes.

    Parameters
    ----------
    engine : Engine
    channels : sequence of Channel
    now_ns : int
    stale_ns : int
        Silence after which a point's `no data` is raised, or three periods of its node where that is longer; 0: never.
        What was entered of a point (`stale_after_s`) holds over it.
    quiet_ns : int
        As `tell` has it.
    """
    _end_shelves(engine, now_ns=now_ns)
    _follow_silences(engine, now_ns=now_ns, stale_s=stale_ns / 1e9)
    for channel in channels:
        tell(engine, channel, now_ns=now_ns, quiet_ns=quiet_ns)


def _end_shelves(engine: Engine, *, now_ns: int) -> None:
    with reading(engine) as connection:
        ripe = shelves_over(connection, now_ns=now_ns)
    if ripe:
        with writing(engine) as connection:
            for back in end_shelves(connection, now_ns=now_ns):
                log("info", "shelf ended", point=back.point_id, tag=back.tag, state=back.alarm.state)


def _follow_silences(engine: Engine, *, now_ns: int, stale_s: float) -> None:
    """Raise and clear `no data`; whoever writes waits for nobody where nothing changed, which is nearly always."""
    columns = (points.c.id, points.c.seen_ns, nodes.c.period_ms)
    with reading(engine) as connection:
        own, known = alarming(connection), active_at(connection, NO_DATA)
        rows = connection.execute(sa.select(*columns).outerjoin(nodes).where(points.c.seen_ns.is_not(None))).all()
    changed = [
        (row, silent)
        for row in rows
        for silent in [is_silent(row.seen_ns, own.get(row.id), stale_s=stale_s, period_ms=row.period_ms, now_ns=now_ns)]
        if silent != (row.id in known)
    ]
    if not changed:
        return
    with writing(engine) as connection:
        for row, silent in changed:
            # What came meanwhile ends a silence before it is said.
            if connection.execute(sa.select(points.c.seen_ns).where(points.c.id == row.id)).scalar() == row.seen_ns:
                _follow_silence(connection, row.id, row.seen_ns, silent=silent, now_ns=now_ns)


def _follow_silence(connection: sa.Connection, point_id: str, seen_ns: int, *, silent: bool, now_ns: int) -> None:
    why = f"nothing came for {(now_ns - seen_ns) / 1e9:.0f} s" if silent else ""
    if follow(connection, point_id, NO_DATA, active=silent, now_ns=now_ns, why=why):
        log("warning" if silent else "info", "point silent" if silent else "point speaks again", point=point_id)


def run_tending(settings: Settings, *, stopped: threading.Event) -> None:
    """Tend alarms until the event is set; what fails is tried again, and keeps nothing else from its turn."""
    engine = open_store(settings.database, migrate=True)
    channels = channels_of(settings)
    broadcast = _broadcast(engine, settings) if settings.notify_broker else None
    log("info", "alarms tended", channels=[channel.name for channel in channels])
    forecast_ns = 0
    while not stopped.wait(_EVERY_S):
        if time.time_ns() - forecast_ns >= _FORECAST_EVERY_NS:
            forecast_ns = time.time_ns()
            with _turn("forecasts"):
                renew(engine, settings, now_ns=forecast_ns)
        with _turn("conditions"):
            tend(engine, (), now_ns=time.time_ns(), stale_ns=round(settings.stale_after_s * 1e9), quiet_ns=0)
        for channel in channels:
            with _turn(channel.name):
                tell(engine, channel, now_ns=time.time_ns(), quiet_ns=round(settings.notify_quiet_s * 1e9))
        if broadcast is not None:
            with _turn("broker"):
                broadcast.tell(now_ns=time.time_ns())
        if settings.workorder_webhook:
            with _turn("work orders"):
                send_orders(engine, OrderHook(settings.workorder_webhook), now_ns=time.time_ns())
    if broadcast is not None:
        broadcast.close()


@contextmanager
def _turn(of: str) -> Iterator[None]:
    """Keep what fails in one turn from the others; it is tried again in the next round."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        log("error", "alarms not tended", turn=of, error=str(getattr(error, "orig", error)))
    except Exception as error:  # noqa: BLE001  a receiver's answer that finds a fault of ours must not silence the rest
        # Its kind and place alone: what it says may hold an address whose path is secret.
        place = traceback.extract_tb(error.__traceback__)[-1]
        log("error", "alarms not tended", turn=of, error=type(error).__name__, at=f"{place.name}:{place.lineno}")


def _broadcast(engine: Engine, settings: Settings) -> Broadcast:
    return Broadcast(engine, lambda: Publisher(broker_of(settings), client_id=f"{settings.client_id}-alarms"))
