"""After a repair a node is told to learn anew, until it has taken that; nobody is told for a repair before its time."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from app.access.roles import User
from app.fleet.nodes import Node
from app.fleet.repairs import relearn_orders
from app.fleet.service import publication_of
from app.fleet.stepping import Order
from app.gateway.translation import command_of
from app.labels.records import give
from app.schema import node_events, node_reports, nodes
from app.store import PointRow, save_point, writing
from edge.node.link.messages import decode

_POINT, _S, _DAY = "plant/pump/node", 1_000_000_000, 86_400
_START_S = 20 * _DAY


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    """A point with a node that has reported, and one that the server watches."""
    with writing(store) as connection:
        for name in (_POINT, "plant/fan/drive"):
            save_point(connection, PointRow(name, name), new=True)
        connection.execute(nodes.insert().values(**vars(Node(_POINT, "n1", online=True))))
        report = {column.name: 0 for column in node_reports.c if not column.nullable and column.name != "id"}
        report |= {"point_id": _POINT, "node": "n1", "at_ns": _START_S * _S, "state": "watching", "alarm": True}
        connection.execute(node_reports.insert().values(**report | {"features": b"", "known": b"", "digest": b""}))
    return store


def _repair(engine: sa.Engine, point: str = _POINT, *, at_s: int) -> int:
    with writing(engine) as connection:
        return give(connection, User("kim", "operator"), point, "repair", now_ns=at_s * _S).id


def _say(engine: sa.Engine, kind: str, **entries: Any) -> None:
    with writing(engine) as connection:
        digest = json.dumps([kind, entries]).encode()[-16:]
        row = {"point_id": _POINT, "node": "n1", "at_ns": 0, "kind": kind, "entries": json.dumps(entries)}
        connection.execute(node_events.insert().values(**row, digest=digest))


def _orders(engine: sa.Engine, *, at_s: int) -> list[Order]:
    with writing(engine) as connection:
        return relearn_orders(connection, now_ns=at_s * _S)


def test_a_node_is_told_until_it_has_taken_it(engine: sa.Engine) -> None:
    assert _orders(engine, at_s=_START_S + 10) == []
    number = _repair(engine, at_s=_START_S + 10)
    _repair(engine, "plant/fan/drive", at_s=_START_S + 10)
    (order,) = _orders(engine, at_s=_START_S + 20)
    topic, payload = publication_of(order)
    assert topic == "raceway/v1/plant/pump/node/command"
    named, message = command_of(payload)
    assert (named, decode(message)) == (f"repair-{number}", ("configure", {"relearn": True}))
    # Others' commands, and a gateway that could not reach it, settle nothing.
    _say(engine, "delivered", id="repair-999")
    _say(engine, "refused", id=order.update_id, reason="offline")
    assert _orders(engine, at_s=_START_S + 30) == [order]
    _say(engine, "delivered", id=order.update_id)
    assert _orders(engine, at_s=_START_S + 40) == []
    again = _repair(engine, at_s=_START_S + 50)
    assert [one.update_id for one in _orders(engine, at_s=_START_S + 60)] == [f"repair-{again}"]
    _say(engine, "refused", id=f"repair-{again}", reason="version")
    assert _orders(engine, at_s=_START_S + 70) == []


def test_a_node_that_is_away_too_long_or_came_later_is_not_told(engine: sa.Engine) -> None:
    _repair(engine, at_s=_START_S + 10)
    with writing(engine) as connection:
        connection.execute(nodes.update().values(online=False))
    assert _orders(engine, at_s=_START_S + 20) == []
    with writing(engine) as connection:
        connection.execute(nodes.update().values(online=True))
    assert len(_orders(engine, at_s=_START_S + 6 * _DAY)) == 1
    assert _orders(engine, at_s=_START_S + 8 * _DAY) == []
    with writing(engine) as connection:
        connection.execute(nodes.update().values(name="n2"))
    assert _orders(engine, at_s=_START_S + 20) == []
