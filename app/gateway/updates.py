"""Images on their way to nodes: kept in the gateway's store, driven whenever a node is there, told as events.

Refused are payloads that are no update. One image at a time goes to a node: a newer one takes the older one's place.
"""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.codec import encode_json
from app.fleet.words import update_reason
from app.gateway.node import Node
from app.gateway.outbox import Outbox
from app.gateway.transfer import DISPLACED, Outcome, Transfer
from app.logs import log
from app.wire import VERSION
from features.errors import ProtocolError

__all__ = ["Update", "UpdateStore", "Updates", "read_update", "write_update"]

_LONGEST_ID = 64
_LARGEST = 8 << 20
# Pieces and questions that wait in a node's link at once; commands find room behind them.
_UNDER_WAY = 8
_SCHEMA = """
CREATE TABLE IF NOT EXISTS images (image BLOB PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS updates (node TEXT PRIMARY KEY, id TEXT NOT NULL, image BLOB NOT NULL,
    begun INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Update:
    """An image for a node, under a name that events about it bear."""

    id: str
    image: bytes


def write_update(update: Update) -> bytes:
    """Write an update as it is published for a node.

    Examples
    --------
    >>> read_update(write_update(Update("7", b"an image")))
    Update(id='7', image=b'an image')
    """
    return encode_json({"v": VERSION, "id": update.id, "image": base64.b64encode(update.image).decode()})


def read_update(payload: bytes) -> Update:
    """Read an update.

    Raises
    ------
    ProtocolError
        Reason ``malformed`` or ``version``, with what is wrong.
    """
    try:
        given = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("malformed", f"an update is no JSON ({error})") from error
    if not isinstance(given, dict) or given.get("v") != VERSION:
        raise ProtocolError("version", f"an update is no map with v = {VERSION}")
    number, image = given.get("id"), given.get("image")
    if not isinstance(number, str) or not 1 <= len(number) <= _LONGEST_ID:
        raise ProtocolError("malformed", f"the id of an update is no text of 1 to {_LONGEST_ID} letters")
    try:
        content = base64.b64decode(image, validate=True) if isinstance(image, str) else b""
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("malformed", f"the image of an update is no base64 ({error})") from error
    if not 0 < len(content) <= _LARGEST:
        raise ProtocolError("malformed", f"the image of an update has {len(content)} bytes; 1 to {_LARGEST} are wanted")
    return Update(number, content)


class UpdateStore:
    """Updates under way, in the gateway's store; an image that goes to many nodes is kept once.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the outbox, whose transactions these changes are part of.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_SCHEMA)

    def all(self) -> dict[str, tuple[Update, bool]]:
        """Give what is under way by node, and whether the node had begun to take it."""
        images = dict(self._connection.execute("SELECT image, content FROM images").fetchall())
        found = self._connection.execute("SELECT node, id, image, begun FROM updates")
        return {node: (Update(number, images[image]), bool(begun)) for node, number, image, begun in found}

    def keep(self, node: str, update: Update, image: bytes) -> None:
        """Keep an update in place of the node's former one."""
        self._connection.execute("INSERT OR IGNORE INTO images VALUES (?, ?)", (image, update.image))
        self._connection.execute("INSERT OR REPLACE INTO updates VALUES (?, ?, ?, 0)", (node, update.id, image))
        self._drop_images()

    def holds(self, node: str) -> bool:
        """Whether an update of a node is under way."""
        return self._connection.execute("SELECT 1 FROM updates WHERE node = ?", (node,)).fetchone() is not None

    def begin(self, node: str) -> None:
        """Remember that the node has begun to take its update."""
        self._connection.execute("UPDATE updates SET begun = 1 WHERE node = ?", (node,))

    def forget(self, node: str) -> None:
        """Forget a node's update."""
        self._connection.execute("DELETE FROM updates WHERE node = ?", (node,))
        self._drop_images()

    def _drop_images(self) -> None:
        self._connection.execute("DELETE FROM images WHERE image NOT IN (SELECT image FROM updates)")


@dataclass(eq=False)
class _UnderWay:
    update: Update
    transfer: Transfer


class Updates:
    """What the gateway does about updates.

    Parameters
    ----------
    outbox : Outbox
    tell : callable
        Given a node, the kind of an event and its entries, keeps the event; called within a transaction.
    """

    def __init__(self, outbox: Outbox, *, tell: Callable[[Node, str, Mapping[str, Any]], None]) -> None:
        self._outbox = outbox
        self._store = UpdateStore(outbox.connection)
        self._tell = tell
        self._under_way = {
            node: _UnderWay(update, Transfer(update.image, begun=begun))
            for node, (update, begun) in self._store.all().items()
        }

    def take(self, node: Node, payload: bytes) -> None:
        """Take an update that has arrived from the broker; the same one again changes nothing."""
        try:
            with self._outbox.transaction():
                made = self._taken(node, payload)
        except sqlite3.Error as error:
            # Nobody was told that it is taken: it comes again.
            log("error", "store does not take an update", node=node.name, error=str(error))
            return
        if made is not None:
            log("info", "update taken", node=node.name, id=made.update.id, bytes=len(made.update.image))
            self._under_way[node.name] = made

    def _taken(self, node: Node, payload: bytes) -> _UnderWay | None:
        """Within a transaction: what is under way from now on, where that is something new."""
        try:
            update = read_update(payload)
        except ProtocolError as error:
            log("warning", "update refused", node=node.name, reason=error.reason, detail=str(error))
            self._tell(node, "update_refused", {"id": None, "reason": error.reason, "detail": str(error)})
            return None
        former, made = self._of(node), None
        if former is None or former.update != update:
            if former is not None:
                self._end(node, former, {"reason": "superseded"})
            made = _UnderWay(update, Transfer(update.image))
            self._store.keep(node.name, update, made.transfer.image_id)
        self._tell(node, "update_taken", {"id": update.id})
        return made

    def cancel(self, node: Node) -> None:
        """Give up what is under way to a node, since somebody wants it aborted."""
        found = self._of(node)
        if found is None:
            return
        try:
            with self._outbox.transaction():
                self._end(node, found, {"reason": "aborted"})
        except sqlite3.Error as error:
            log("error", "store does not forget an update", node=node.name, error=str(error))
        else:
            del self._under_way[node.name]

    def met(self, node: Node) -> None:
        """A session with a node was taken up."""
        found = self._of(node)
        if found is not None:
            found.transfer.met()

    def heard(self, node: Node, status: Mapping[str, Any]) -> None:
        """Take an `update_status`, within a transaction; one that fails hears the same again."""
        found = self._of(node)
        if found is None:
            return
        outcome = found.transfer.heard(status)
        if outcome is not None:
            self._end(node, found, _told(outcome))
        elif found.transfer.begun:
            self._store.begin(node.name)

    def drive(self, nodes: Mapping[str, Node]) -> None:
        """Queue what nodes that are there are to be told next; called between transactions."""
        # Where the transaction of an end was undone, the node says again what ended it.
        ended = [name for name, found in self._under_way.items() if found.transfer.outcome is not None]
        for name in ended:
            if not self._store.holds(name):
                del self._under_way[name]
        for name, found in self._under_way.items():
            wire = nodes[name].wire if name in nodes else None
            while wire is not None and wire.link.pending < _UNDER_WAY:
                message = found.transfer.next()
                if message is None:
                    break
                wire.send(message, lasting=False)

    def _of(self, node: Node) -> _UnderWay | None:
        return self._under_way.get(node.name)

    def _end(self, node: Node, found: _UnderWay, how: Mapping[str, Any]) -> None:
        kind = "update_refused" if "reason" in how else "update_done"
        image = found.transfer.image_id.hex()
        log("info", kind.replace("_", " "), node=node.name, id=found.update.id, **how)
        self._tell(node, kind, {"id": found.update.id, "image": image, **how})
        self._store.forget(node.name)


def _told(outcome: Outcome) -> dict[str, Any]:
    if outcome.reason == 0:
        return {"version": outcome.version}
    return {"reason": "displaced" if outcome.reason == DISPLACED else update_reason(outcome.reason)}
