"""A broker is told every step in order, at least once, and how alarms stand, whatever fails in between."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy as sa

from app.access.roles import User
from app.alarms.broadcast import CHANNEL, Broadcast
from app.alarms.register import HEALTH, NO_DATA, follow, set_priority, take
from app.mqtt import BrokerError
from app.schema import notice_channels
from app.store import PointRow, reading, save_point, writing

_S = 1_000_000_000
_A, _B = "plant/pump/de", "plant/fan/nde"


class _Broker:
    """Keeps what is retained and all that was published, and is away when it is told to be."""

    def __init__(self) -> None:
        self.away, self.opened, self.closed, self.connections = False, 0, 0, 0
        self.lost_while_flushing = False
        self.sent: list[tuple[str, Any]] = []
        self.retained: dict[str, Any] = {}

    def connect(self) -> Self:
        if self.away:
            raise BrokerError("no broker answers")
        self.opened += 1
        self.connections = 0
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    def raw(self, topic: str, payload: bytes, *, retain: bool) -> None:
        assert retain
        self.sent.append((topic, json.loads(payload)))

    def flush(self, *, timeout_s: float) -> None:
        assert timeout_s > 0
        if self.away:
            raise BrokerError("not acknowledged")
        self.connections = max(1, self.connections)
        self.retained |= dict(self.sent)
        if self.lost_while_flushing:
            self.replace()

    def replace(self) -> None:
        """Another takes its place, and the line connects to it by itself."""
        self.connections += 1
        self.sent, self.retained, self.lost_while_flushing = [], {}, False

    def numbers(self, topic: str) -> list[int]:
        return [step["number"] for sent, said in self.sent if sent == topic for step in said["steps"]]


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        for key in (_A, _B):
            save_point(connection, PointRow(key, key), new=True)
    return store


def _step(engine: sa.Engine, point: str, action: Any, at_s: int, *, tag: str = HEALTH, **given: Any) -> None:
    with writing(engine) as connection:
        take(connection, point, tag, action, now_ns=at_s * _S, **({"who": "anna", "why": "so"} | given))


def _topic(point: str) -> str:
    return f"raceway/v1/{point}/alarms"


def test_every_step_is_told_with_how_the_alarms_stand_then(engine: sa.Engine) -> None:
    broker = _Broker()
    broadcast = Broadcast(engine, broker.connect)
    assert broadcast.tell(now_ns=0) == 0
    assert broker.sent == []
    _step(engine, _A, "raise", 1, who="raceway", why="")
    _step(engine, _A, "raise", 2, tag=NO_DATA, who="raceway", why="silent")
    _step(engine, _B, "raise", 3, who="raceway", why="")
    assert broadcast.tell(now_ns=4 * _S) == 3
    _step(engine, _A, "shelve", 5, until_ns=90 * _S)
    with writing(engine) as connection:
        set_priority(connection, User("edda", "engineer"), _A, HEALTH, "low", now_ns=6 * _S)
    assert [broadcast.tell(now_ns=at * _S) for at in (7, 8)] == [2, 0]
    said = broker.retained[_topic(_A)]
    assert (said["v"], said["published_ns"]) == (1, 7 * _S)
    assert said["alarms"] == [
        {
            "tag": HEALTH,
            "priority": "low",
            "state": "shelved",
            "active": True,
            "since_ns": 5 * _S,
            "until_ns": 90 * _S,
            "who": "edda",
            "why": "priority is low from now on",
        },
        {
            "tag": NO_DATA,
            "priority": "medium",
            "state": "unacknowledged",
            "active": True,
            "since_ns": 2 * _S,
            "until_ns": None,
            "who": "raceway",
            "why": "silent",
        },
    ]
    assert [step["action"] for step in said["steps"]] == ["shelve", "comment"]
    assert broker.numbers(_topic(_A)) == [1, 2, 4, 5]
    assert broker.numbers(_topic(_B)) == [3]


def test_a_broker_that_is_away_is_told_all_later_in_order(engine: sa.Engine) -> None:
    broker = _Broker()
    broadcast = Broadcast(engine, broker.connect)
    broadcast.tell(now_ns=0)
    broker.away = True
    tried = []
    for at_s in range(1, 20):
        if at_s < 10:
            _step(engine, _A, "comment", at_s)
        before = _attempts(engine)
        assert broadcast.tell(now_ns=at_s * _S) == 0
        tried += [at_s] if _attempts(engine) > before else []
    # A second, then twice as long each time.
    assert tried == [1, 2, 4, 8, 16]
    broker.away = False
    assert [broadcast.tell(now_ns=at * _S) for at in (31, 32)] == [0, 9]
    assert broker.numbers(_topic(_A)) == list(range(1, 10))
    assert _attempts(engine) == 0


def test_what_was_not_acknowledged_is_told_again_over_another_line(engine: sa.Engine) -> None:
    broker = _Broker()
    broadcast = Broadcast(engine, broker.connect)
    _step(engine, _A, "raise", 0)
    broadcast.tell(now_ns=_S)
    assert broker.opened == 1
    _step(engine, _A, "acknowledge", 2)
    broker.away = True
    assert broadcast.tell(now_ns=2 * _S) == 0
    assert broker.closed == 1
    broker.away = False
    assert broadcast.tell(now_ns=3 * _S) == 1
    # The same number: who counts leaves the second out.
    assert broker.numbers(_topic(_A)) == [2, 2]
    assert broker.opened == 2


def test_a_service_that_starts_tells_how_all_stand_and_loses_no_step(engine: sa.Engine) -> None:
    broker = _Broker()
    first = Broadcast(engine, broker.connect)
    _step(engine, _A, "raise", 1)
    _step(engine, _B, "raise", 1)
    first.tell(now_ns=2 * _S)
    first.close()
    _step(engine, _A, "clear", 3)
    broker.sent.clear()
    assert Broadcast(engine, broker.connect).tell(now_ns=4 * _S) == 1
    assert {topic: len(said["steps"]) for topic, said in broker.sent} == {_topic(_A): 1, _topic(_B): 0}
    assert broker.retained[_topic(_A)]["alarms"][0]["state"] == "returned"


@pytest.mark.parametrize("while_flushing", [False, True])
def test_a_broker_that_was_replaced_is_told_how_all_stand(engine: sa.Engine, while_flushing: bool) -> None:
    broker = _Broker()
    broadcast = Broadcast(engine, broker.connect)
    _step(engine, _A, "raise", 1)
    _step(engine, _B, "raise", 1)
    broker.lost_while_flushing = while_flushing
    broadcast.tell(now_ns=2 * _S)
    if not while_flushing:
        assert broadcast.tell(now_ns=3 * _S) == 0
        assert len(broker.sent) == 2
        broker.replace()
    assert broker.retained == {}
    assert broadcast.tell(now_ns=4 * _S) == 0
    assert {topic: said["steps"] for topic, said in broker.retained.items()} == {_topic(_A): [], _topic(_B): []}
    # Once, over the same line.
    broadcast.tell(now_ns=5 * _S)
    assert (len(broker.sent), broker.opened, broker.closed) == (2, 1, 0)


def test_the_protocol_page_shows_what_is_published(engine: sa.Engine) -> None:
    broker = _Broker()
    broadcast = Broadcast(engine, broker.connect)
    broadcast.tell(now_ns=0)
    with writing(engine) as connection:
        follow(connection, _A, "severity", active=True, now_ns=_S)
    broadcast.tell(now_ns=2 * _S)
    page = (Path(__file__).parents[2] / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^## `alarms`.*?```json\n(.*?)```", page, flags=re.DOTALL | re.MULTILINE)

    def keys(said: Any) -> list[list[str]]:
        return [list(said), list(said["alarms"][0]), list(said["steps"][0])]

    assert keys(json.loads(shown)) == keys(broker.retained[_topic(_A)])


def _attempts(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        query = sa.select(notice_channels.c.attempts).where(notice_channels.c.channel == CHANNEL)
        return connection.execute(query).scalar_one()
