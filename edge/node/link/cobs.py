"""Consistent overhead byte stuffing, twin of `rw_cobs.c`; refuses bytes that are no encoding."""

from __future__ import annotations

from features.errors import ProtocolError

__all__ = ["decode", "encode"]

_LONGEST = 254


def encode(data: bytes) -> bytes:
    """Write bytes without zeros, so that a zero can end them.

    Parameters
    ----------
    data : bytes
        Any.

    Returns
    -------
    bytes
        At most ``len(data) + len(data) // 254 + 1``.

    Notes
    -----
    Cheshire and Baker, IEEE/ACM Trans. Networking 7 (1999).

    Examples
    --------
    >>> encode(bytes([0x11, 0x22, 0x00, 0x33])).hex(" ")
    '03 11 22 02 33'
    """
    encoded = bytearray()
    pieces = data.split(b"\0")
    for piece in pieces:
        whole = max(0, len(piece) - 1) // _LONGEST if piece is pieces[-1] else len(piece) // _LONGEST
        for first in range(0, whole * _LONGEST, _LONGEST):
            encoded += b"\xff" + piece[first : first + _LONGEST]
        rest = piece[whole * _LONGEST :]
        encoded += bytes([len(rest) + 1]) + rest
    return bytes(encoded)


def decode(data: bytes) -> bytes:
    """Give what was encoded.

    Parameters
    ----------
    data : bytes
        Without the zero that ends it.

    Returns
    -------
    bytes

    Raises
    ------
    ProtocolError
        Reason ``malformed`` if it is empty, holds a zero, or a piece is cut short.

    Examples
    --------
    >>> decode(bytes([3, 0x11, 0x22, 2, 0x33])).hex(" ")
    '11 22 00 33'
    """
    if not data or 0 in data:
        raise ProtocolError("malformed", f"{len(data)} bytes are no stuffed frame: empty, or with a zero inside")
    decoded, at = bytearray(), 0
    while at < len(data):
        piece = data[at]
        if at + piece > len(data):
            raise ProtocolError("malformed", f"a stuffed frame of {len(data)} bytes ends within a piece of {piece}")
        decoded += data[at + 1 : at + piece]
        at += piece
        if piece <= _LONGEST and at < len(data):
            decoded.append(0)
    return bytes(decoded)
