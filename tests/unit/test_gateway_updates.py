"""Updates in the gateway's store: they outlive the gateway, give way to newer ones, and end with what the node says."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from updating_nodes import TRIAL, Slots, model_image

from app.gateway.node import Node
from app.gateway.outbox import Outbox
from app.gateway.translation import event_publication
from app.gateway.updates import Update, Updates, read_update, write_update
from app.wire import PointId
from edge.node.link import messages
from edge.node.link.session import Message
from features.errors import ProtocolError

_IMAGE = model_image(7)


class Desk:
    """A gateway's updates over a store in a folder, and one node on a wire that loses nothing."""

    def __init__(self, folder: Path, slots: Slots) -> None:
        self.box = Outbox(folder / "gateway.db", most_bytes=1 << 20)
        self.slots = slots
        self.queued: list[Message] = []
        self.node = Node("n", PointId("plant", "n", "node"), 0)
        self.node.wire = SimpleNamespace(link=SimpleNamespace(pending=0), send=self._send)  # type: ignore[assignment]
        self.updates = Updates(self.box, tell=self._tell)

    def _send(self, message: Message, *, lasting: bool) -> None:
        assert not lasting
        self.queued.append(message)

    def _tell(self, node: Node, kind: str, entries: Any) -> None:
        self.box.add(event_publication(node.point, kind, entries, node=node.name, now_ns=1))

    def go(self, most: int = 500) -> None:
        """Let the node and the gateway talk until nothing is left to be said."""
        for _ in range(most):
            self.updates.drive({"n": self.node})
            said, self.queued = self.queued[:1], self.queued[1:]
            for message in said:
                self.slots.take(message)
            status = self.slots.status()
            if status is not None:
                with self.box.transaction():
                    self.updates.heard(self.node, messages.decode(status)[1])
            if self.slots.restart:
                self.slots.start()
                self.updates.met(self.node)
            if not said and not self.queued and status is None:
                return

    @property
    def events(self) -> list[tuple[str, str | None, Any]]:
        said = [json.loads(row.publication.payload) for row in self.box.rows(after=0, most=99)]
        return [(one["kind"], one["id"], one.get("reason", one.get("version"))) for one in said]

    def end(self) -> None:
        self.box.close()


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    made = Desk(tmp_path, Slots())
    yield made
    made.end()


def test_an_update_is_taken_driven_and_told(desk: Desk) -> None:
    desk.updates.take(desk.node, write_update(Update("a", _IMAGE)))
    desk.go()
    assert desk.events == [("update_taken", "a", None), ("update_done", "a", 7)]
    assert (desk.slots.phase, desk.slots.running) == (TRIAL, 7)


def test_an_update_that_the_node_refuses_is_told_with_its_reason(desk: Desk) -> None:
    desk.updates.take(desk.node, write_update(Update("a", model_image(1))))
    desk.go()
    assert desk.events == [("update_taken", "a", None), ("update_refused", "a", "version")]
    desk.updates.drive({"n": desk.node})
    assert desk.queued == []


def test_an_update_outlives_the_gateway(tmp_path: Path) -> None:
    first = Desk(tmp_path, Slots())
    first.updates.take(first.node, write_update(Update("a", _IMAGE)))
    first.go(most=4)
    assert first.slots.content not in (b"", _IMAGE)
    first.end()
    second = Desk(tmp_path, first.slots)
    second.go()
    assert second.events[-1] == ("update_done", "a", 7)
    assert second.slots.content == _IMAGE
    second.end()
    third = Desk(tmp_path, first.slots)
    third.go()
    assert third.slots.heard == second.slots.heard
    third.end()


def test_a_newer_update_takes_the_place_and_the_same_one_again_changes_nothing(desk: Desk) -> None:
    for update in (Update("a", _IMAGE), Update("a", _IMAGE), Update("b", model_image(8))):
        desk.updates.take(desk.node, write_update(update))
        desk.go(most=3)
    desk.go()
    assert desk.events == [
        ("update_taken", "a", None),
        ("update_taken", "a", None),
        ("update_refused", "a", "superseded"),
        ("update_taken", "b", None),
        ("update_done", "b", 8),
    ]


def test_what_is_aborted_is_not_sent_any_more(desk: Desk) -> None:
    desk.updates.take(desk.node, write_update(Update("a", _IMAGE)))
    desk.updates.cancel(desk.node)
    desk.updates.cancel(desk.node)
    desk.go()
    assert desk.events == [("update_taken", "a", None), ("update_refused", "a", "aborted")]
    assert desk.slots.heard == []


def test_an_end_whose_transaction_is_undone_is_told_the_next_time(desk: Desk) -> None:
    desk.updates.take(desk.node, write_update(Update("a", _IMAGE)))
    status = {"slot": TRIAL, "image": desk.updates._under_way["n"].transfer.image_id, "offset": 0, "size": 0}
    status |= {"reason": 0, "version": 7, "candidate": 7}

    def hear_and_fail() -> None:
        with desk.box.transaction():
            desk.updates.heard(desk.node, status)
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        hear_and_fail()
    desk.updates.drive({"n": desk.node})
    with desk.box.transaction():
        desk.updates.heard(desk.node, status)
    assert desk.events == [("update_taken", "a", None), ("update_done", "a", 7)]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"{", "no JSON"),
        (b'{"v":2}', "no map with v = 1"),
        (b'{"v":1,"image":"AA=="}', "the id of an update"),
        (b'{"v":1,"id":"7","image":"*"}', "no base64"),
        (b'{"v":1,"id":"7"}', "has 0 bytes"),
    ],
)
def test_updates_that_are_none_are_refused(desk: Desk, payload: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        read_update(payload)
    desk.updates.take(desk.node, payload)
    assert [(kind, number) for kind, number, _ in desk.events] == [("update_refused", None)]
