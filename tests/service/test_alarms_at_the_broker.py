"""A control system that comes later finds at a real broker how alarms stand, through a time without the broker."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from app.alarms import broadcast
from app.alarms.broadcast import Broadcast
from app.alarms.register import HEALTH, follow, take
from app.mqtt import broker_of
from app.process import stop
from app.publisher import Publisher
from app.store import PointRow, save_point, writing

pytestmark = pytest.mark.service

_POINT = "plant/pump/de"
_S = 1_000_000_000


def _retained(stack: Any) -> Any:
    """What somebody who subscribes now is told at once."""
    came, said = threading.Event(), list[tuple[str, bytes]]()

    def take_it(topic: str, payload: bytes) -> None:
        said.append((topic, payload))
        came.set()

    listen = ("raceway/v1/+/+/+/alarms",)
    with Publisher(broker_of(stack.settings), client_id="scada", on_result=take_it, listen=listen):
        assert came.wait(60.0)
    ((topic, payload),) = said
    assert topic == f"raceway/v1/{_POINT}/alarms"
    return json.loads(payload)


def test_alarms_are_retained_through_a_time_without_the_broker(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "_PATIENCE_S", 2.0)
    telling = Broadcast(stack.engine, lambda: stack.publisher("alarms"))
    with writing(stack.engine) as connection:
        save_point(connection, PointRow(_POINT, "Pump"), new=True)
        follow(connection, _POINT, HEALTH, active=True, now_ns=_S)
    telling.tell(now_ns=2 * _S)
    assert _retained(stack)["alarms"][0]["state"] == "unacknowledged"
    stop([stack.broker])
    with writing(stack.engine) as connection:
        take(connection, _POINT, HEALTH, "acknowledge", now_ns=3 * _S, who="anna")
        follow(connection, _POINT, HEALTH, active=False, now_ns=4 * _S)
    assert telling.tell(now_ns=5 * _S) == 0
    assert telling.tell(now_ns=6 * _S) == 0
    stack.start_broker()
    assert telling.tell(now_ns=60 * _S) == 2
    telling.close()
    said = _retained(stack)
    assert (said["alarms"][0]["state"], said["alarms"][0]["who"]) == ("normal", "raceway")
    assert [step["action"] for step in said["steps"]] == ["acknowledge", "clear"]
