"""What nodes said and the broker has not acknowledged yet, on disk; refuses nothing, and says when it is full.

One transaction takes everything that arrived at once; only then is it acknowledged to the nodes. What a node says again
after a restart of ours is recognised by its bytes.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Outbox", "Piece", "Publication", "Row"]

# Per node; more than can be under way on a link, which is what a node may say again.
_REMEMBERED = 256
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, digest BLOB NOT NULL,
    UNIQUE (node, digest));
CREATE INDEX IF NOT EXISTS seen_in_order ON seen (node, id);
CREATE TABLE IF NOT EXISTS pieces (node TEXT NOT NULL, boot INTEGER NOT NULL, burst INTEGER NOT NULL,
    first INTEGER NOT NULL, arrived_ns INTEGER NOT NULL, samples BLOB NOT NULL,
    PRIMARY KEY (node, boot, burst, first));
CREATE TABLE IF NOT EXISTS nodes (name TEXT PRIMARY KEY, hello TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS identity (store TEXT NOT NULL);
INSERT INTO identity SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM identity);
"""


@dataclass(frozen=True, slots=True)
class Publication:
    """A message for the broker."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A publication that is stored, by its number."""

    id: int
    publication: Publication


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a burst of samples."""

    first: int
    arrived_ns: int
    samples: bytes


class Outbox:
    """The store; used by one thread.

    Parameters
    ----------
    path : Path
        Of the SQLite file; its folder is made.
    most_bytes : int
        Payloads from which on it is full.

    Examples
    --------
    >>> import tempfile
    >>> box = Outbox(Path(tempfile.mkdtemp()) / "gateway.db", most_bytes=10)
    >>> with box.transaction():
    ...     box.add(Publication("a", b"hello"))
    >>> [(row.id, row.publication.payload) for row in box.rows(after=0, most=5)], box.full
    ([(1, b'hello')], False)
    """

    def __init__(self, path: Path, *, most_bytes: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)
        self._most_bytes = most_bytes
        self._said: Counter[str] = Counter()
        (self._store,) = self._connection.execute("SELECT store FROM identity").fetchone()
        (self._bytes,) = self._connection.execute("SELECT COALESCE(SUM(LENGTH(payload)), 0) FROM outbox").fetchone()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """Of the file, for what else is written in its transactions."""
        return self._connection

    @property
    def store(self) -> str:
        """Tells this store from any other: within it, no number of a publication is given out twice."""
        return str(self._store)

    @property
    def full(self) -> bool:
        """Whether nothing more should be taken in."""
        return bool(self._bytes >= self._most_bytes)

    @property
    def n_bytes(self) -> int:
        """Bytes of the payloads that wait."""
        return int(self._bytes)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends."""
        held = self._bytes
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            self._bytes = held
            raise
        self._connection.execute("COMMIT")

    def add(self, publication: Publication) -> None:
        """Keep a publication until it is forgotten."""
        self._connection.execute(
            "INSERT INTO outbox (topic, payload) VALUES (?, ?)", (publication.topic, publication.payload)
        )
        self._bytes += len(publication.payload)

    def rows(self, *, after: int, most: int) -> list[Row]:
        """Give what waits, oldest first, from behind a number on."""
        found = self._connection.execute(
            "SELECT id, topic, payload FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (after, most)
        )
        return [Row(number, Publication(topic, payload)) for number, topic, payload in found]

    def forget(self, ids: Iterable[int]) -> None:
        """Remove what the broker has acknowledged."""
        for number in ids:
            found = self._connection.execute("DELETE FROM outbox WHERE id = ? RETURNING LENGTH(payload)", (number,))
            self._bytes -= sum(length for (length,) in found.fetchall())

    def is_new(self, node: str, kind: int, body: bytes) -> bool:
        """Remember what a node said; False where it had said just that before."""
        digest = hashlib.blake2b(bytes([kind]) + body, digest_size=16).digest()
        done = self._connection.execute("INSERT OR IGNORE INTO seen (node, digest) VALUES (?, ?)", (node, digest))
        if done.rowcount == 0:
            return False
        self._said[node] += 1
        if self._said[node] % _REMEMBERED == 0:
            self._connection.execute(
                "DELETE FROM seen WHERE node = ?1 AND id <= "
                "(SELECT id FROM seen WHERE node = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                (node, _REMEMBERED),
            )
        return True

    def add_piece(self, node: str, boot: int, burst: int, piece: Piece) -> list[Piece]:
        """Keep a piece of a burst and give all of that burst, in order; pieces of the node's other bursts are dropped.

        A node sends its bursts one after the other, so that what another burst lacks will not come any more.
        """
        key = (node, boot, burst)
        self._connection.execute("DELETE FROM pieces WHERE node = ? AND (boot <> ? OR burst <> ?)", key)
        self._connection.execute(
            "INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?, ?, ?)",
            (*key, piece.first, piece.arrived_ns, piece.samples),
        )
        found = self._connection.execute(
            "SELECT first, arrived_ns, samples FROM pieces WHERE node = ? AND boot = ? AND burst = ? ORDER BY first",
            key,
        )
        return [Piece(*row) for row in found]

    def drop_pieces(self, node: str) -> None:
        """Forget the pieces of a burst that is whole."""
        self._connection.execute("DELETE FROM pieces WHERE node = ?", (node,))

    def keep_hello(self, node: str, hello: Mapping[str, Any]) -> None:
        """Remember who a node is."""
        self._connection.execute("INSERT OR REPLACE INTO nodes VALUES (?, ?)", (node, json.dumps(hello)))

    def hello_of(self, node: str) -> dict[str, Any]:
        """What a node last said of itself; empty where nothing is known."""
        found = self._connection.execute("SELECT hello FROM nodes WHERE name = ?", (node,)).fetchone()
        return {} if found is None else dict(json.loads(found[0]))

    def names(self) -> list[str]:
        """Nodes that have ever said who they are."""
        return [name for (name,) in self._connection.execute("SELECT name FROM nodes ORDER BY name")]
