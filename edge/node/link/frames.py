"""Frames of the link as bytes, twin of `rw_frame.c`; refuses bytes that are damaged or of another form."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from edge.node.link import cbor, cobs
from features.errors import ParameterError, ProtocolError

__all__ = [
    "ACK",
    "BODY_BYTES",
    "FIRST_KIND",
    "FRAME_BYTES",
    "LAST_KIND",
    "NAME_BYTES",
    "SYNC",
    "Frame",
    "decode",
    "encode",
]

BODY_BYTES = 1000
NAME_BYTES = 32
_PAYLOAD_BYTES = 1024
_CRC_BYTES = 4
_PLAIN_BYTES = _PAYLOAD_BYTES + _CRC_BYTES
FRAME_BYTES = _PLAIN_BYTES + _PLAIN_BYTES // 254 + 1  # without the zero
# Kinds of the link itself, and where those of messages begin and end.
ACK, SYNC, FIRST_KIND, LAST_KIND = 0, 1, 2, 255


@dataclass(frozen=True, slots=True)
class Frame:
    """What one frame says.

    Attributes
    ----------
    kind : int
        0 to 255.
    session, peer : int
        Of the sender, and of the receiver as the sender knows it (0: not yet).
    sequence : int
        Number of the message in this session; 0 for kinds of the link itself.
    acknowledged : int
        Number of the last message that the sender has taken.
    body : bytes
        A map in the form of `edge.node.link.cbor`.
    """

    kind: int
    session: int
    peer: int
    sequence: int
    acknowledged: int
    body: bytes


def encode(frame: Frame) -> bytes:
    """Write a frame with the zero that ends it.

    Parameters
    ----------
    frame : Frame

    Returns
    -------
    bytes

    Raises
    ------
    ParameterError
        If the body is longer than `BODY_BYTES`.
    """
    if len(frame.body) > BODY_BYTES:
        raise ParameterError(f"a body of {len(frame.body)} bytes was given; {BODY_BYTES} are the most")
    numbers = (frame.kind, frame.session, frame.peer, frame.sequence, frame.acknowledged)
    payload = b"\x86" + b"".join(cbor.encode(number) for number in numbers) + frame.body
    return cobs.encode(payload + zlib.crc32(payload).to_bytes(_CRC_BYTES, "little")) + b"\0"


def decode(encoded: bytes) -> Frame:
    """Read the bytes before a zero.

    Parameters
    ----------
    encoded : bytes
        Without the zero.

    Returns
    -------
    Frame

    Raises
    ------
    ProtocolError
        Reason ``malformed`` or, where the CRC differs, ``damaged``.

    Examples
    --------
    >>> frame = Frame(kind=5, session=7, peer=9, sequence=1, acknowledged=0, body=cbor.encode({1: 2}))
    >>> decode(encode(frame)[:-1]) == frame
    True
    """
    plain = cobs.decode(encoded)
    payload, crc = plain[:-_CRC_BYTES], plain[-_CRC_BYTES:]
    if len(plain) > _PLAIN_BYTES or zlib.crc32(payload).to_bytes(_CRC_BYTES, "little") != crc:
        raise ProtocolError("damaged", f"a frame of {len(plain)} bytes has another CRC than it says")
    match cbor.decode(payload):
        case [int(kind), int(session), int(peer), int(sequence), int(acknowledged), dict()] as fields:
            numbers = (kind, session, peer, sequence, acknowledged)
        case _:
            raise ProtocolError("malformed", "a frame is no array of five numbers and a map")
    if any(isinstance(field, bool) for field in fields) or not all(0 <= number < 2**32 for number in numbers):
        raise ProtocolError("malformed", f"a frame has the numbers {numbers}; five of 32 bits are wanted")
    body = payload[1 + sum(len(cbor.encode(number)) for number in numbers) :]
    if kind > LAST_KIND or session == 0 or len(body) > BODY_BYTES:
        raise ProtocolError("malformed", f"a frame of kind {kind}, session {session}, {len(body)} bytes of body")
    return Frame(*numbers, body=body)
