"""The node's SHA-512 and Ed25519 beside hashlib, the RFC's vectors and the `cryptography` package, under sanitisers."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import edwards
import pytest
from c_programs import DRIVERS, FIRMWARE, build_program, run_program
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Case = tuple[bytes, bytes, bytes]  # key, signature, message

_VECTORS = json.loads((DRIVERS / "data" / "ed25519_rfc8032.json").read_text())["vectors"]
_N_KEYS = 60


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = [*sorted((FIRMWARE / "crypto").glob("*.c")), DRIVERS / "crypto_driver.c"]
    return build_program(sources, tmp_path_factory.mktemp("crypto"))


def node_says(program: Path, cases: Sequence[Case]) -> list[bool]:
    parts = (b"v" + struct.pack("=I", len(message)) + key + signature + message for key, signature, message in cases)
    return [bool(byte) for byte in run_program(program, b"".join(parts))]


def package_says(case: Case) -> bool:
    key, signature, message = case
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def flipped(content: bytes, bit: int) -> bytes:
    return (int.from_bytes(content, "little") ^ 1 << bit).to_bytes(len(content), "little")


def honest(rng: random.Random, n: int) -> list[Case]:
    cases = []
    for _ in range(n):
        secret = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        message = rng.randbytes(rng.choice([0, 1, 31, 47, 48, 63, 64, 65, 191, 192, rng.randrange(700)]))
        cases.append((secret.public_key().public_bytes_raw(), secret.sign(message), message))
    return cases


def test_the_vectors_of_the_rfc(program: Path) -> None:
    cases = [tuple(bytes.fromhex(vector[part]) for part in ("public", "signature", "message")) for vector in _VECTORS]
    assert len(cases) == 5
    assert node_says(program, cases) == [True] * 5
    others = [(key, signature, message + b"\0") for key, signature, message in cases]
    assert node_says(program, others) == [False] * 5


def test_digests_of_all_lengths_and_pieces(program: Path, rng_of_bytes: random.Random) -> None:
    messages = [rng_of_bytes.randbytes(n) for n in (*range(300), 1000, 4096, 70_000)]
    pieces = [rng_of_bytes.choice([1, 7, 64, 127, 128, 129, 1_000_000]) for _ in messages]
    given = [
        b"h" + struct.pack("=II", len(message), piece) + message
        for message, piece in zip(messages, pieces, strict=True)
    ]
    found = run_program(program, b"".join(given))
    assert [found[i : i + 64] for i in range(0, len(found), 64)] == [hashlib.sha512(m).digest() for m in messages]


@pytest.fixture
def rng_of_bytes() -> random.Random:
    return random.Random(8032)


def test_honest_signatures_and_every_part_damaged(program: Path, rng_of_bytes: random.Random) -> None:
    """Thousands of cases; both must say the same, and only what was not touched is accepted."""
    rng, cases = rng_of_bytes, []
    for key, signature, message in honest(rng, _N_KEYS):
        cases.append((key, signature, message))
        cases += [(flipped(key, rng.randrange(256)), signature, message) for _ in range(8)]
        cases += [(key, flipped(signature, rng.randrange(256)), message) for _ in range(8)]
        cases += [(key, flipped(signature, 256 + rng.randrange(256)), message) for _ in range(8)]
        cases += [(key, signature, flipped(message, rng.randrange(8 * len(message)))) for _ in range(8) if message]
        cases += [(key, signature, message + b"\0"), (key, signature, message[:-1] or b"\1")]
        cases.append((key, rng.randbytes(64), message))
    found = node_says(program, cases)
    assert found == [package_says(case) for case in cases]
    assert sum(found) == _N_KEYS
    assert len(cases) > 2000


def test_a_scalar_that_is_not_reduced_is_refused(program: Path, rng_of_bytes: random.Random) -> None:
    cases = []
    for key, signature, message in honest(rng_of_bytes, 20):
        s = int.from_bytes(signature[32:], "little")
        cases += [
            (key, signature[:32] + (s + k * edwards.L).to_bytes(32, "little"), message)
            for k in range(1, 16)
            if s + k * edwards.L < 2**256
        ]
        cases += [
            (key, signature[:32] + s.to_bytes(32, "little"), message)
            for s in (edwards.L - 1, edwards.L, edwards.L + 1, 2**252, 2**253 - 1, 2**256 - 1)
        ]
    found = node_says(program, cases)
    assert len(cases) > 300
    assert not any(found)
    assert [package_says(case) for case in cases] == found


def test_the_ends_of_the_scalar_are_admitted(program: Path) -> None:
    """R decides h, so S cannot be chosen for an honest key; for the neutral point as key it can, as [h]A is neutral."""
    key = edwards.encode(edwards.NEUTRAL)
    cases = [
        (key, edwards.encode(edwards.times(s, edwards.BASE)) + s.to_bytes(32, "little"), b"any")
        for s in (0, 1, 2**252 - 1, 2**252, edwards.L - 1)
    ]
    assert node_says(program, cases) == [True] * len(cases)
    assert all(package_says(case) for case in cases)


def test_keys_and_points_of_small_order_as_the_package_has_them(program: Path, rng_of_bytes: random.Random) -> None:
    """Keys of small order, honest keys with a small part, R of small order: accepted or refused as OpenSSL does."""
    rng, cases = rng_of_bytes, []
    small = list(edwards.small_order())
    assert len(set(small)) == 8
    secret = rng.randrange(edwards.L)
    plain = edwards.times(secret, edwards.BASE)
    for point in small:
        mixed = edwards.encode(edwards.add(plain, point))
        for trial in range(8):
            message, nonce = bytes([trial]), rng.randrange(edwards.L)
            nonce_point = edwards.times(nonce, edwards.BASE)
            cases.append((edwards.encode(point), edwards.sign(0, nonce, message, key=edwards.encode(point)), message))
            cases.append((mixed, edwards.sign(secret, nonce, message, key=mixed), message))
            for key, known in ((mixed, secret), (edwards.encode(plain), secret), (edwards.encode(point), 0)):
                r = edwards.encode(edwards.add(nonce_point, small[trial]))
                cases.append((key, edwards.sign(known, nonce, message, key=key, r=r), message))
                r = edwards.encode(small[trial])
                cases.append((key, edwards.sign(known, 0, message, key=key, r=r), message))
    found = node_says(program, cases)
    assert found == [package_says(case) for case in cases]
    assert 0 < sum(found) < len(found)


def _wrongly_encoded() -> list[tuple[bytes, edwards.Point]]:
    """Every encoding whose y is not below p, and every one of x = 0 with a sign, with the point it would stand for."""
    found = []
    for y in range(19):
        x = edwards.x_of(y)
        if x is not None:
            for sign in (0, 1):
                point = edwards.Point((edwards.P - x) % edwards.P if sign else x, y)
                found.append(((edwards.P + y | sign << 255).to_bytes(32, "little"), point))
    for y in (1, edwards.P - 1):
        found.append(((y | 1 << 255).to_bytes(32, "little"), edwards.Point(0, y)))
    return found


def test_points_that_are_not_encoded_as_the_rfc_says_are_refused(program: Path) -> None:
    """As a key each would verify, were it decoded all the same; as an R no encoder writes it.

    The package takes some such keys. They are the only cases in which the node refuses what it accepts.
    """
    keys, nonces = [], []
    plain = edwards.times(99, edwards.BASE)
    for encoded, point in _wrongly_encoded():
        order_divides_eight = edwards.times(8, point) == edwards.NEUTRAL
        for trial in range(16):
            message = bytes([trial])
            if order_divides_eight:
                keys.append((encoded, edwards.sign(0, 5, message, key=encoded), message))
                nonces.append(
                    (edwards.encode(plain), edwards.sign(99, 0, message, key=edwards.encode(plain), r=encoded), message)
                )
            keys.append((encoded, bytes(64), message))
    assert not any(node_says(program, keys))
    assert not any(node_says(program, nonces))
    assert not any(package_says(case) for case in nonces)
    assert any(package_says(case) for case in keys)


def test_keys_off_the_curve_are_refused(program: Path, rng_of_bytes: random.Random) -> None:
    ys = [y for y in (rng_of_bytes.randrange(edwards.P) for _ in range(100)) if edwards.x_of(y) is None]
    cases = [(y.to_bytes(32, "little"), rng_of_bytes.randbytes(32) + bytes(32), b"") for y in ys]
    assert len(cases) > 30
    assert not any(node_says(program, cases))
    assert not any(package_says(case) for case in cases)
