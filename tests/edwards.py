"""The curve of Ed25519 in plain integers: slow, obvious, and free to make signatures that no honest signer makes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
_ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


class Point(NamedTuple):
    """Affine."""

    x: int
    y: int


NEUTRAL = Point(0, 1)


def add(a: Point, b: Point) -> Point:
    product = D * a.x * b.x * a.y * b.y
    x = (a.x * b.y + b.x * a.y) * pow(1 + product, -1, P)
    y = (a.y * b.y + a.x * b.x) * pow(1 - product, -1, P)
    return Point(x % P, y % P)


def times(scalar: int, point: Point) -> Point:
    total = NEUTRAL
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def x_of(y: int) -> int | None:
    """The even of both roots, None off the curve."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if x % 2 else x


def encode(point: Point) -> bytes:
    return (point.y | (point.x & 1) << 255).to_bytes(32, "little")


def _base() -> Point:
    y = 4 * pow(5, -1, P) % P
    x = x_of(y)
    assert x is not None
    return Point(x, y)


BASE = _base()


def small_order() -> Iterator[Point]:
    """The eight points whose order divides eight: L times any point, until one of order eight is found."""
    y, found = 2, NEUTRAL
    while times(4, found) == NEUTRAL:
        y += 1
        x = x_of(y)
        found = NEUTRAL if x is None else times(L, Point(x, y))
    for k in range(8):
        yield times(k, found)


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


def sign(secret: int, nonce: int, message: bytes, *, key: bytes, r: bytes | None = None) -> bytes:
    """R and S for a key that is claimed to be [secret]B, whatever it is."""
    r = encode(times(nonce, BASE)) if r is None else r
    s = (nonce + challenge(r, key, message) * secret) % L
    return r + s.to_bytes(32, "little")
