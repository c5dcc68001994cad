"""From a node's messages to publications, and from commands to messages for nodes; refuses what fits no message."""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.codec import encode_block, encode_json
from app.gateway.outbox import Piece, Publication
from app.wire import VERSION, Block, PointId
from edge.node.link import messages
from edge.node.link.messages import CODES
from edge.node.link.session import Message
from features.errors import ParameterError, ProtocolError

__all__ = [
    "block_publication",
    "command_of",
    "event_publication",
    "numbered",
    "point_of",
    "readable",
    "report_publication",
]

_COMMANDS = tuple(kind.name for kind in messages.KINDS if kind.sender == "host" and kind.name != "time")
_LONGEST_ID = 64


def point_of(node: str, *, site: str, points: Mapping[str, PointId]) -> PointId:
    """Find the measuring point that a node is at.

    Parameters
    ----------
    node : str
        Its name on the link.
    site : str
        Of nodes that are not listed: ``asset/point`` is taken as it is, another name as an asset's only ``node``.
    points : mapping of str to PointId
        Of the nodes that are listed.

    Returns
    -------
    PointId

    Raises
    ------
    ProtocolError
        Reason ``name`` if that is no clean name.

    Examples
    --------
    >>> str(point_of("pump-1/drive-end", site="plant", points={}))
    'plant/pump-1/drive-end'
    >>> str(point_of("0A1B", site="plant", points={}))
    'plant/0A1B/node'
    """
    if node in points:
        return points[node]
    parts = node.split("/")
    return PointId(site, *parts) if len(parts) == 2 else PointId(site, node, "node")


def readable(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Give a message's entries as JSON can carry them: codes as words, bytes in hexadecimal.

    Parameters
    ----------
    entries : mapping of str to value
        From `edge.node.link.messages.decode`.

    Returns
    -------
    dict

    Examples
    --------
    >>> readable({"reset": 2, "contract": bytes(2)})
    {'reset': 'watchdog', 'contract': '0000'}
    """
    shown: dict[str, Any] = {}
    for name, value in entries.items():
        if isinstance(value, bytes):
            shown[name] = value.hex()
        else:
            shown[name] = CODES[name].get(value, value) if name in CODES else value
    return shown


def report_publication(
    point: PointId, entries: Mapping[str, Any], *, node: str, contract: str | None, arrived_ns: int
) -> Publication:
    """Make the publication of a report.

    Parameters
    ----------
    point : PointId
    entries : mapping of str to value
        Of the message.
    node : str
    contract : str or None
        Hash of the feature contract, in hexadecimal, as far as the node has said it.
    arrived_ns : int
        Nanoseconds since the epoch.

    Returns
    -------
    Publication

    Raises
    ------
    ProtocolError
        Reason ``length`` if the features are no whole numbers of float32.
    """
    said = dict(entries)
    features, known = _features(said.pop("features")), said.pop("known", None)
    if known is not None:
        bits = int.from_bytes(known, "little")
        features = [value if bits >> i & 1 else None for i, value in enumerate(features)]
    time_ms = said.pop("time_ms", None)
    payload = {
        "v": VERSION,
        "node": node,
        **readable(said),
        "time_ns": None if time_ms is None else time_ms * 1_000_000,
        "arrived_ns": arrived_ns,
        "feature_hash": contract,
        "features": features,
    }
    return Publication(point.topic("report"), encode_json(payload))


def _features(packed: bytes) -> list[float | None]:
    if len(packed) % 4:
        raise ProtocolError("length", f"features of {len(packed)} bytes are no whole numbers of float32")
    values = struct.unpack(f"<{len(packed) // 4}f", packed)
    # Nine digits give the same float32 again.
    return [float(f"{value:.9g}") if math.isfinite(value) else None for value in values]


def block_publication(point: PointId, entries: Mapping[str, Any], pieces: Sequence[Piece]) -> Publication | None:
    """Make the publication of a burst that is whole.

    Parameters
    ----------
    point : PointId
    entries : mapping of str to value
        Of the latest piece.
    pieces : sequence of Piece
        All that have come, in order.

    Returns
    -------
    Publication or None
        None where pieces are still missing.

    Raises
    ------
    ProtocolError
        Reason ``length`` if the pieces overlap or exceed what the burst is said to be.
    """
    samples = b"".join(piece.samples for piece in pieces)
    ends = [piece.first + len(piece.samples) // 2 for piece in pieces]
    fits = all(len(piece.samples) % 2 == 0 for piece in pieces) and ends[-1] <= entries["total"]
    if not fits or any(end > piece.first for end, piece in zip(ends, pieces[1:], strict=False)):
        raise ProtocolError("length", f"pieces of a burst of {entries['total']} samples overlap or exceed it")
    if len(samples) < 2 * entries["total"] or entries["total"] < 2:
        return None
    if not entries["rate_hz"] > 0.0:
        raise ProtocolError("rate", f"a burst of {entries['rate_hz']} Hz; a positive rate is wanted")
    duration_ns = round(entries["total"] * 1e9 / entries["rate_hz"])
    start_ns = entries["time_ms"] * 1_000_000 if "time_ms" in entries else pieces[0].arrived_ns - duration_ns
    block = Block(
        point=point,
        sequence=entries["burst"],
        start_ns=start_ns,
        rate_hz=entries["rate_hz"],
        unit=CODES["unit"].get(entries["unit"], str(entries["unit"])),
        channels=("acceleration",),
        samples=np.frombuffer(samples, dtype="<i2")[np.newaxis],
        scale=entries["scale"],
        shaft_hz=entries.get("shaft_hz") or None,
    )
    return Publication(point.topic("waveform"), encode_block(block))


def event_publication(point: PointId, kind: str, entries: Mapping[str, Any], *, node: str, now_ns: int) -> Publication:
    """Make the publication of what a node said beside reports and waveforms, or of what became of a command.

    Parameters
    ----------
    point : PointId
    kind : str
    entries : mapping of str to value
        As JSON can carry them.
    node : str
    now_ns : int

    Returns
    -------
    Publication
    """
    payload = {"v": VERSION, "node": node, "kind": kind, "time_ns": now_ns, **entries}
    return Publication(point.topic("event"), encode_json(payload))


def numbered(publication: Publication, *, store: str, serial: int) -> Publication:
    """Name a report or event, so that who hears it twice knows; a block is known by what it holds.

    Parameters
    ----------
    publication : Publication
    store : str
        Of the gateway's store.
    serial : int
        Of the publication within the store.

    Returns
    -------
    Publication

    Examples
    --------
    >>> numbered(Publication("raceway/v1/a/b/c/event", b'{"v":1}'), store="5e", serial=7).payload
    b'{"v":1,"store":"5e","serial":7}'
    """
    if not publication.topic.endswith(("/report", "/event")):
        return publication
    name = encode_json({"store": store, "serial": serial})
    return Publication(publication.topic, publication.payload[:-1] + b"," + name[1:])


def command_of(payload: bytes) -> tuple[str | None, Message]:
    """Read a command for a node.

    Parameters
    ----------
    payload : bytes
        JSON: ``v``, ``kind``, ``id`` (optional text) and the kind's entries; bytes in base64.

    Returns
    -------
    id : str or None
        To be named in the events about it.
    message : Message

    Raises
    ------
    ProtocolError
        Reason ``malformed`` or ``version``, with what is wrong.

    Examples
    --------
    >>> command_of(b'{"v":1,"id":"7","kind":"request_waveform","samples":4096}')
    ('7', Message(kind=7, body=b'\\xa1\\x01\\x19\\x10\\x00'))
    """
    try:
        given = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("malformed", f"a command is no JSON ({error})") from error
    if not isinstance(given, dict) or given.pop("v", None) != VERSION:
        raise ProtocolError("version", f"a command is no map with v = {VERSION}")
    name, number = given.pop("kind", None), given.pop("id", None)
    if name not in _COMMANDS:
        raise ProtocolError(
            "malformed", f"a command of kind {str(name)[:80]!r}; one of {', '.join(_COMMANDS)} is wanted"
        )
    if number is not None and not (isinstance(number, str) and len(number) <= _LONGEST_ID):
        raise ProtocolError("malformed", f"the id of a command is no text of up to {_LONGEST_ID} letters")
    types = {field.name: field.type for field in messages.kind_named(name).fields}
    try:
        entries = {key: _unpacked(value, types.get(key)) for key, value in given.items()}
        return number, messages.encode(name, entries)
    except (ParameterError, binascii.Error, ValueError) as error:
        raise ProtocolError("malformed", str(error)) from error


def _unpacked(value: Any, kind: str | None) -> Any:
    return base64.b64decode(value, validate=True) if kind == "bytes" and isinstance(value, str) else value
