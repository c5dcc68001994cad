"""Maps as they arrive, opened, and their entries checked; what is not as wanted raises `ProtocolError` alone."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import Any

import cbor2

from app.wire import VERSION
from features.errors import ProtocolError

__all__ = ["LARGEST_INTEGER", "integer", "number", "opened", "short", "text", "truth"]

# What the store's integers hold.
LARGEST_INTEGER = 2**63 - 1


def opened(payload: bytes) -> dict[str, Any]:
    """Recognise and parse a map, CBOR or JSON, and check its version.

    Raises
    ------
    ProtocolError
        Reason ``malformed`` or ``version``.

    Examples
    --------
    >>> opened(b'{"v":1,"seq":7}')
    {'v': 1, 'seq': 7}
    """
    entries = _parsed(payload)
    if not isinstance(entries, dict):
        raise ProtocolError("malformed", f"payload holds a {type(entries).__name__}; a map is wanted")
    version = entries.get("v")
    if isinstance(version, bool) or version != VERSION:
        raise ProtocolError("version", f"protocol version {short(version)}; {VERSION} is wanted")
    return entries


def _parsed(payload: bytes) -> Any:
    # A CBOR map starts with a byte from 0xa0 on; JSON text with a brace or white space.
    if payload[:1] in (b"{", b" ", b"\t", b"\r", b"\n"):
        try:
            return json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise ProtocolError("malformed", f"payload is no JSON ({short(error)})") from error
    stream = io.BytesIO(payload)
    try:
        entries = cbor2.CBORDecoder(stream).decode()
    except Exception as error:  # tags run code of several types; whatever fails, the payload is bad
        raise ProtocolError("malformed", f"payload is no CBOR ({short(error)})") from error
    if stream.tell() != len(payload):
        raise ProtocolError("malformed", f"payload has {len(payload) - stream.tell()} bytes behind its map")
    return entries


def number(entries: Mapping[str, Any], key: str, *, low: float, high: float, optional: bool = False) -> Any:
    """Read a finite number within limits as a float; None where it may be left out and is.

    Raises
    ------
    ProtocolError
        Reason ``malformed``, ``not_finite`` or ``range``.
    """
    value = entries.get(key)
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError("malformed", f"{key} is {short(value)}; a number is wanted")
    if not isinstance(value, int) and not math.isfinite(value):
        raise ProtocolError("not_finite", f"{key} is {value}; a finite number is wanted")
    if not low <= value <= high:
        raise ProtocolError("range", f"{key} is {short(value)}; {low:g} to {high:g} is wanted")
    try:
        return float(value)
    except OverflowError as error:
        raise ProtocolError("range", f"{key} is too large a number") from error


def integer(entries: Mapping[str, Any], key: str, *, low: int = 0, high: int = LARGEST_INTEGER) -> int:
    """Read an integer within limits.

    Raises
    ------
    ProtocolError
        Reason ``malformed`` or ``range``.
    """
    value = entries.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProtocolError("malformed", f"{key} is {short(value)}; an integer is wanted")
    if not low <= value <= high:
        limit = "2**63 - 1" if high == LARGEST_INTEGER else high
        raise ProtocolError("range", f"{key} is {short(value)}; {low} to {limit} is wanted")
    return value


def text(entries: Mapping[str, Any], key: str, *, most: int) -> str:
    """Read a text of 1 to `most` printable letters.

    Raises
    ------
    ProtocolError
        Reason ``malformed`` for what is no text, ``range`` for one that is empty, too long or not printable.
    """
    value = entries.get(key)
    if not isinstance(value, str):
        raise ProtocolError("malformed", f"{key} is {short(value)}; a text is wanted")
    if not 1 <= len(value) <= most or not value.isprintable():
        raise ProtocolError("range", f"{key} is {short(value)}; 1 to {most} printable letters are wanted")
    return value


def truth(entries: Mapping[str, Any], key: str) -> bool:
    """Read a truth value.

    Raises
    ------
    ProtocolError
        Reason ``malformed``.
    """
    value = entries.get(key)
    if not isinstance(value, bool):
        raise ProtocolError("malformed", f"{key} is {short(value)}; true or false is wanted")
    return value


def short(value: object) -> str:
    """Give a value as a message can carry it.

    Examples
    --------
    >>> short("x" * 100)[-5:], short(None)
    ('xx...', 'None')
    """
    try:
        shown = repr(value) if not isinstance(value, BaseException) else str(value)
    except ValueError:
        # An integer of thousands of digits has no text by default.
        shown = f"a {type(value).__name__} too long to print"
    return shown if len(shown) <= 80 else shown[:77] + "..."
