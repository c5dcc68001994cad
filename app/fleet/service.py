"""The service that takes roll-outs through and lets nodes learn anew after repairs: publishes what nodes are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Engine

from app.codec import encode_json
from app.fleet.repairs import relearn_orders
from app.fleet.stepping import Order, step
from app.gateway.updates import Update, write_update
from app.logs import log
from app.mqtt import BrokerError, broker_of
from app.publisher import Publisher
from app.settings import Settings
from app.store import open_store, writing
from app.wire import VERSION, PointId

__all__ = ["Dispatcher", "publication_of", "run_fleet"]

_EVERY_S = 2.0
_AGAIN_S = 30.0
_RETRY_S = 5.0


def publication_of(order: Order) -> tuple[str, bytes]:
    """Give topic and payload of an order.

    Examples
    --------
    >>> publication_of(Order("abort", "plant/pump/node", "rollout-1-1", 2, b""))
    ('raceway/v1/plant/pump/node/command', b'{"v":1,"id":"rollout-1-1","kind":"update_abort"}')
    """
    point = PointId.parse(order.point_id)
    if order.kind == "update":
        return point.topic("update"), write_update(Update(order.update_id, order.image))
    if order.kind == "relearn":
        told = {"v": VERSION, "id": order.update_id, "kind": "configure", "relearn": True}
        return point.topic("command"), encode_json(told)
    command = {"v": VERSION, "id": order.update_id, "kind": f"update_{order.kind}"}
    if order.kind == "confirm":
        command["version"] = order.version
    return point.topic("command"), encode_json(command)


class Dispatcher:
    """Publishes orders, and those that still stand again after a while.

    Parameters
    ----------
    publish : callable
        Given topic and payload.
    """

    def __init__(self, publish: Callable[[str, bytes], None]) -> None:
        self._publish = publish
        self._said_s: dict[tuple[str, str, str], float] = {}

    def send(self, orders: list[Order], *, now_s: float) -> None:
        """Publish what was not published within the last half minute; `now_s` is of a clock that never goes back."""
        standing = {(order.kind, order.point_id, order.update_id): order for order in orders}
        self._said_s = {key: said_s for key, said_s in self._said_s.items() if key in standing}
        for key, order in standing.items():
            if now_s - self._said_s.get(key, -_AGAIN_S) >= _AGAIN_S:
                self._publish(*publication_of(order))
                self._said_s[key] = now_s
                log("info", f"node told to {order.kind}", point=order.point_id, id=order.update_id)


def run_fleet(settings: Settings, *, stopped: threading.Event) -> None:
    """Take roll-outs through until the event is set; waits for a broker or a store that is away."""
    engine = open_store(settings.database, migrate=True)
    while not stopped.is_set():
        try:
            with Publisher(broker_of(settings), client_id="raceway-fleet") as publisher:
                log("info", "fleet tended", broker=str(broker_of(settings)))
                _tend(engine, Dispatcher(publisher.raw), stopped)
        except BrokerError as error:
            log("error", "broker not reached", error=str(error), retry_s=_RETRY_S)
            stopped.wait(_RETRY_S)


def _tend(engine: Engine, dispatcher: Dispatcher, stopped: threading.Event) -> None:
    while not stopped.wait(_EVERY_S):
        try:
            with writing(engine) as connection:
                orders = step(connection, now_ns=time.time_ns()) + relearn_orders(connection, now_ns=time.time_ns())
        except sa.exc.SQLAlchemyError as error:
            log("error", "roll-outs not stepped", error=str(getattr(error, "orig", error)))
        else:
            dispatcher.send(orders, now_s=time.monotonic())
