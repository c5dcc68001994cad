"""CBOR in the one form that nodes speak, twin of `rw_cbor.c`; refuses everything that is not encoded in that form.

Integers of 64 bits, bytes, text, arrays, maps, booleans and float32, each in its shortest (deterministic) encoding.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from features.errors import ParameterError, ProtocolError

__all__ = ["DEPTH", "Value", "decode", "encode"]

DEPTH = 8  # RW_CBOR_DEPTH

Value: TypeAlias = bool | int | float | bytes | str | Sequence["Value"] | Mapping["int | str", "Value"]

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_FALSE, _TRUE, _FLOAT = 0xF4, 0xF5, 0xFA


def encode(value: Value) -> bytes:
    """Encode a value; floats are rounded to float32, keys are put in order.

    Parameters
    ----------
    value : bool, int, float, bytes, str, sequence or mapping
        Keys of mappings are integers or text.

    Returns
    -------
    bytes

    Raises
    ------
    ParameterError
        If the form does not hold it: another type, an integer beyond 64 bits, a float that is not finite, too deep.

    Notes
    -----
    RFC 8949, sections 3 and 4.2.1.

    Examples
    --------
    >>> encode({2: "g", 1: [1, -1, 0.5]}).hex(" ")
    'a2 01 83 01 20 fa 3f 00 00 00 02 61 67'
    """
    return _encoded(value, DEPTH)


def _encoded(value: Value, depth: int) -> bytes:
    if isinstance(value, bool):
        return bytes([_TRUE if value else _FALSE])
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(_TEXT, len(text)) + text
    if depth == 0:
        raise ParameterError(f"arrays and maps lie more than {DEPTH} deep in each other")
    if isinstance(value, Mapping):
        pairs = sorted((_key(key), _encoded(item, depth - 1)) for key, item in value.items())
        return _head(_MAP, len(pairs)) + b"".join(key + item for key, item in pairs)
    if isinstance(value, Sequence):
        return _head(_ARRAY, len(value)) + b"".join(_encoded(item, depth - 1) for item in value)
    raise ParameterError(f"a {type(value).__name__} has no form in a message; an integer, float, text or bytes has")


def _key(key: object) -> bytes:
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise ParameterError(f"a map has the key {key!r}; an integer or text is wanted")
    return _encoded(key, 0)


def _integer(value: int) -> bytes:
    if not -(2**63) <= value < 2**64:
        raise ParameterError(f"{value} does not fit into 64 bits")
    return _head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value)


def _float(value: float) -> bytes:
    try:
        packed = struct.pack(">f", value)
    except OverflowError as error:
        raise ParameterError(f"{value} does not fit into float32") from error
    if not math.isfinite(value):
        raise ParameterError(f"{value} has no form in a message; a finite number has")
    return bytes([_FLOAT]) + packed


def _head(kind: int, count: int) -> bytes:
    if count < 24:
        return bytes([kind << 5 | count])
    code = next(code for code in range(24, 28) if count < 1 << (8 << (code - 24)))
    return bytes([kind << 5 | code]) + count.to_bytes(1 << (code - 24), "big")


def decode(data: bytes) -> Value:
    """Decode bytes that are one item in the form and nothing else.

    Parameters
    ----------
    data : bytes
        Any.

    Returns
    -------
    bool, int, float, bytes, str, list or dict

    Raises
    ------
    ProtocolError
        Reason ``malformed``; the message says where.

    Examples
    --------
    >>> decode(bytes.fromhex("a2018301 20fa3f000000026167"))
    {1: [1, -1, 0.5], 2: 'g'}
    """
    reader = _Reader(data)
    value = reader.item(DEPTH)
    if reader.at != len(data):
        raise reader.refusal(f"{len(data) - reader.at} bytes follow the item")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def refusal(self, what: str) -> ProtocolError:
        return ProtocolError("malformed", f"at byte {self.at} of {len(self._data)}: {what}")

    def item(self, depth: int) -> Value:
        first = self._peek()
        kind = first >> 5
        if kind <= _NEGATIVE:
            return self._read_integer()
        if kind in (_BYTES, _TEXT):
            return self._read_string(kind)
        if kind in (_ARRAY, _MAP):
            if depth == 0:
                raise self.refusal(f"arrays and maps lie more than {DEPTH} deep in each other")
            return self._read_array(depth) if kind == _ARRAY else self._read_map(depth)
        if first == _FLOAT:
            return self._read_float()
        if first not in (_FALSE, _TRUE):
            raise self.refusal(f"a first byte of 0x{first:02x} is no item of the form")
        self.at += 1
        return first == _TRUE

    def _peek(self) -> int:
        if self.at >= len(self._data):
            raise self.refusal("an item is missing")
        return self._data[self.at]

    def _take(self, n: int) -> bytes:
        if self.at + n > len(self._data):
            raise self.refusal(f"{n} bytes are wanted")
        self.at += n
        return self._data[self.at - n : self.at]

    def _head(self) -> tuple[int, int]:
        kind, code = self._peek() >> 5, self._peek() & 31
        if code > 27:
            raise self.refusal("a length is indefinite or reserved")
        self.at += 1
        if code < 24:
            return kind, code
        count = int.from_bytes(self._take(1 << (code - 24)), "big")
        if len(_head(kind, count)) != 1 + (1 << (code - 24)):
            raise self.refusal(f"{count} is not written in the fewest bytes")
        return kind, count

    def _read_integer(self) -> int:
        kind, count = self._head()
        if kind == _NEGATIVE and count >= 2**63:
            raise self.refusal("an integer lies below those of 64 bits")
        return count if kind == _UINT else -1 - count

    def _read_string(self, kind: int) -> Value:
        taken = self._take(self._head()[1])
        if kind == _BYTES:
            return taken
        try:
            return taken.decode()
        except UnicodeDecodeError as error:
            raise self.refusal("text is no UTF-8") from error

    def _read_float(self) -> float:
        (value,) = struct.unpack(">f", self._take(5)[1:])
        if not math.isfinite(value):
            raise self.refusal("a float is not finite")
        return float(value)

    def _read_array(self, depth: int) -> list[Value]:
        return [self.item(depth - 1) for _ in range(self._head()[1])]

    def _read_map(self, depth: int) -> dict[int | str, Value]:
        entries: dict[int | str, Value] = {}
        last = b""
        for _ in range(self._head()[1]):
            first = self.at
            if self._peek() >> 5 not in (_UINT, _NEGATIVE, _TEXT):
                raise self.refusal("a key is neither integer nor text")
            key = self.item(0)
            if self._data[first : self.at] <= last:
                raise self.refusal(f"the key {key!r} is not in ascending order")
            last = self._data[first : self.at]
            assert isinstance(key, int | str)
            entries[key] = self.item(depth - 1)
        return entries
