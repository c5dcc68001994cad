"""Work orders: asked for once, sent until they are taken, closed once, with a code that becomes a label.

What is asked for stands in the store before anybody is told, and is sent again with the same key until a maintenance
system takes it: a crash in between sends twice what the key tells apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from app.access.audit import note
from app.access.roles import User, demand
from app.alarms.posting import DeliveryError, host_of, post
from app.commissioning import known_point
from app.kinds import kind_text
from app.labels.closures import Closure
from app.labels.records import Kind, Label, give
from app.logs import log
from app.schema import alarms, points, work_orders
from app.store import reading, writing
from features.errors import ParameterError

__all__ = ["Closed", "NoOrderError", "OrderHook", "Receiver", "WorkOrder", "ask", "close", "orders", "send_orders"]

_FIRST_PAUSE_NS, _LONGEST_PAUSE_NS = 30_000_000_000, 3_600_000_000_000
_LONGEST, _LONGEST_CODE = 200, 64
# Orders in one round, so that the other things that are tended do not wait long.
_AT_ONCE = 5


class NoOrderError(ParameterError):
    """There is no work order of that key."""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """Work that was asked for.

    Attributes
    ----------
    key : str
        The same for the same alarm while its order is open.
    point_id : str
    alarm_id : int or None
    asked_ns : int
    who, why : str
    state : str
        ``waiting`` to be taken, ``sent``, ``closed``.
    attempts : int
        That failed since it was asked for.
    next_ns : int
        When it is tried again.
    failure : str or None
        Of the last attempt.
    number : str or None
        Of the maintenance system, where it gave one.
    closed_ns : int or None
    closure : str or None
        The code that it was closed with.
    """

    key: str
    point_id: str
    alarm_id: int | None
    asked_ns: int
    who: str
    why: str
    state: Literal["waiting", "sent", "closed"]
    attempts: int
    next_ns: int
    failure: str | None
    number: str | None
    closed_ns: int | None
    closure: str | None


@dataclass(frozen=True)
class Closed:
    """What closing came to: the order as it stands, the labels that were given, and what is to be said."""

    order: WorkOrder
    labels: tuple[Label, ...]
    words: str


class Receiver(Protocol):
    """Who takes work orders."""

    @property
    def name(self) -> str:
        """For the log; without a secret."""

    def send(self, entries: Mapping[str, Any], *, key: str) -> bytes:
        """Give the order over and return the answer; raises `DeliveryError`. The same key may come again."""


@dataclass(frozen=True)
class OrderHook:
    """Posts orders as JSON to a web address."""

    url: str

    def __repr__(self) -> str:
        return f"OrderHook({self.name})"

    @property
    def name(self) -> str:
        """The host."""
        return f"webhook {host_of(self.url)}"

    def send(self, entries: Mapping[str, Any], *, key: str) -> bytes:
        """Post an order, with its key as `Idempotency-Key`."""
        return post(self.url, entries, key=key)


def ask(
    connection: Connection, user: User, point_id: str, *, now_ns: int, alarm_id: int | None = None, why: str = ""
) -> WorkOrder:
    """Ask for work, in the caller's transaction; the same again, while it is open, is the same order.

    Raises
    ------
    ForbiddenError
        If the user may not work on alarms.
    ParameterError
        If there is no such point or alarm.
    """
    demand(user, "work alarms")
    known_point(connection, point_id)
    same = (work_orders.c.point_id == point_id) & work_orders.c.alarm_id.is_not_distinct_from(alarm_id)
    earlier = _read(connection, sa.select(work_orders).where(same))
    still_open = [order for order in earlier if order.state != "closed"]
    if still_open:
        return still_open[0]
    if alarm_id is not None:
        own = sa.select(alarms.c.id).where(alarms.c.id == alarm_id, alarms.c.point_id == point_id)
        if connection.execute(own).first() is None:
            raise ParameterError(f"{point_id} has no alarm {alarm_id}; `raceway labels alarms` lists them")
    # Counted, so that an alarm that was worked on and still stands may be asked about again.
    named = f"{point_id}\n{alarm_id}\n{len(earlier)}"
    key = hashlib.sha256(named.encode()).hexdigest()[:32]
    order = WorkOrder(key, point_id, alarm_id, now_ns, user.name, why, "waiting", 0, now_ns, None, None, None, None)
    connection.execute(work_orders.insert().values(**asdict(order)))
    note(connection, user, "ask for work", target=point_id, why=why, now_ns=now_ns)
    return order


def orders(
    connection: Connection, *, point_id: str | None = None, only_open: bool = False, most: int = 1000
) -> list[WorkOrder]:
    """List the latest orders, newest first: of one point or of all."""
    query = sa.select(work_orders).order_by(work_orders.c.asked_ns.desc(), work_orders.c.key).limit(most)
    if point_id is not None:
        query = query.where(work_orders.c.point_id == point_id)
    if only_open:
        query = query.where(work_orders.c.state != "closed")
    return _read(connection, query)


def close(
    connection: Connection,
    user: User,
    key: str,
    *,
    code: str,
    closures: Mapping[str, Closure],
    now_ns: int,
    why: str = "",
) -> Closed:
    """Close an order with a code, and give the labels that the code stands for, in the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of a writing transaction.
    user : User
    key : str
        Of the order.
    code : str
        One of the table's; another is kept as a note, and said to be.
    closures : mapping of str to Closure
    now_ns : int
    why : str
        What the maintenance system says beside the code.

    Returns
    -------
    Closed
        An order that is closed already stays as it is, whatever the code.

    Raises
    ------
    ForbiddenError
        If the user may not label.
    NoOrderError
        If there is no such order.
    ParameterError
        If the code is empty or too long.
    """
    demand(user, "label")
    if not code.strip() or len(code) > _LONGEST_CODE:
        raise ParameterError(f"closure code {code[:70]!r} is none; one of 1 to 64 letters is wanted")
    found = _read(connection, sa.select(work_orders).where(work_orders.c.key == key).with_for_update())
    if not found:
        raise NoOrderError(f"there is no work order {key[:70]!r}; `raceway workorders list` shows them")
    order = found[0]
    if order.state == "closed":
        return Closed(order, (), f"it was closed already, with the code {order.closure}")
    given, words = _labelled(connection, user, order, code, closures.get(code), now_ns=now_ns, why=why)
    values = {"state": "closed", "closed_ns": now_ns, "closure": code, "failure": None}
    connection.execute(work_orders.update().where(work_orders.c.key == key).values(**values))
    note(connection, user, "close work", target=order.point_id, why=f"{key}: {code}", now_ns=now_ns)
    (closed,) = _read(connection, sa.select(work_orders).where(work_orders.c.key == key))
    return Closed(closed, given, words)


def _labelled(
    connection: Connection, user: User, order: WorkOrder, code: str, closure: Closure | None, *, now_ns: int, why: str
) -> tuple[tuple[Label, ...], str]:
    said = f"closed with {code}{f': {why}' if why else ''}"
    origin = f"work order {order.number or order.key}"[:_LONGEST]

    def label(kind: Kind, **about: Any) -> Label:
        given = {"alarm_id": order.alarm_id, "why": said, "origin": origin, "now_ns": now_ns}
        return give(connection, user, order.point_id, kind, **given | about)

    if closure is None:
        return (label("note"),), f"the code {code} is in no table of closure codes; it was kept as a note"
    given = [_verdict(connection, order, closure, label)]
    if closure.repair:
        given.append(label("repair"))
    about = "; the order is about no alarm" if order.alarm_id is None and closure.label != "note" else ""
    return tuple(given), f"the code {code} was taken as {' and '.join(one.kind for one in given)}{about}"


def _verdict(connection: Connection, order: WorkOrder, closure: Closure, label: Callable[..., Label]) -> Label:
    """The label of a code; an order about no alarm has nothing to confirm or to reject, and its code is a note."""
    if order.alarm_id is None or closure.label == "note":
        return label("note")
    said = connection.execute(sa.select(alarms.c.kind).where(alarms.c.id == order.alarm_id)).scalar()
    if closure.label == "reject":
        return label("reject")
    return label("confirm") if closure.kind in (None, said) else label("rename", named=closure.kind)


def send_orders(engine: Engine, receiver: Receiver, *, now_ns: int) -> int:
    """Give waiting orders to a maintenance system, the oldest first, until one fails.

    Parameters
    ----------
    engine : Engine
    receiver : Receiver
    now_ns : int

    Returns
    -------
    int
        How many were taken.

    Notes
    -----
    An order that fails is tried again after half a minute, doubling up to an hour, for as long as it is open; others
    that wait come first then. An answer that is a JSON object with a ``number`` names the order there.
    """
    due = (work_orders.c.state == "waiting") & (work_orders.c.next_ns <= now_ns)
    with reading(engine) as connection:
        waiting = _read(connection, sa.select(work_orders).where(due).order_by(work_orders.c.next_ns).limit(_AT_ONCE))
        bodies = [_body(connection, order) for order in waiting]
    for i, (order, body) in enumerate(zip(waiting, bodies, strict=True)):
        try:
            answer = receiver.send(body, key=order.key)
        except DeliveryError as error:
            pause_ns = min(_FIRST_PAUSE_NS << min(order.attempts, 16), _LONGEST_PAUSE_NS)
            attempts, next_ns = order.attempts + 1, now_ns + pause_ns
            _keep(engine, order, attempts=attempts, next_ns=next_ns, failure=str(error))
            log("error", "work order not taken", key=order.key, to=receiver.name, error=str(error))
            return i
        _keep(engine, order, state="sent", number=_number(answer), failure=None)
        log("info", "work order taken", key=order.key, to=receiver.name)
    return len(waiting)


def _keep(engine: Engine, order: WorkOrder, **values: str | int | None) -> None:
    # One that was closed meanwhile stays closed.
    still = (work_orders.c.key == order.key) & (work_orders.c.state == "waiting")
    with writing(engine) as connection:
        connection.execute(work_orders.update().where(still).values(**values))


def _body(connection: Connection, order: WorkOrder) -> dict[str, Any]:
    """What a maintenance system is told."""
    name = connection.execute(sa.select(points.c.name).where(points.c.id == order.point_id)).scalar()
    columns = [alarms.c[name] for name in ("raised_ns", "cleared_ns", "ratio", "kind")]
    alarm = connection.execute(sa.select(*columns).where(alarms.c.id == order.alarm_id)).first()
    return {
        "v": 1,
        "key": order.key,
        "point": order.point_id,
        "name": name,
        "why": order.why,
        "asked_by": order.who,
        "asked_ns": order.asked_ns,
        "alarm": None if alarm is None else dict(alarm._mapping) | {"fault": kind_text(alarm.kind)},
    }


def _number(answer: bytes) -> str | None:
    """The number that an answer gives, or None where it is anything else."""
    try:
        said = json.loads(answer)
    except ValueError:
        return None
    number = said.get("number") if isinstance(said, dict) else None
    return str(number)[:_LONGEST] if isinstance(number, str | int) and not isinstance(number, bool) else None


def _read(connection: Connection, query: sa.Select[Any]) -> list[WorkOrder]:
    return [WorkOrder(**row._mapping) for row in connection.execute(query)]
