"""Drives the node's update in C over a simulated flash, from images that tests make."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from c_programs import DRIVERS, FIRMWARE, build_program, run_program
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.node.package import image_id, make_image

CONTRACT = bytes(range(8))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
OPERATORS = (3, 9, 20, 4_000_000_000)
MEMORY_BYTES = 4096

# Fates of the driver's law.
KEPT, UNCONFIRMED, LEFT_OFF, GIVEN_UP, REFUSED = range(5)


@dataclass(frozen=True)
class Flash:
    """What the simulated flash is like."""

    unit: int = 8
    sector: int = 256
    slot_bytes: int = 1024
    rewritable: bool = False
    erased_byte: int = 0xFF
    unstable: bool = False


class Place(NamedTuple):
    running: int
    version: int
    phase: int
    reason: int
    highest: int
    boots: int


NO_SLOT = 0xFF
EMPTY, RECEIVING, STAGED, TRIAL, CONFIRMED = range(5)


def driver(folder: Path) -> Path:
    sources = [
        *sorted((FIRMWARE / "update").glob("*.c")),
        *sorted((FIRMWARE / "crypto").glob("*.c")),
        *(FIRMWARE / "link" / name for name in ("rw_cbor.c", "rw_crc32.c")),
        *(DRIVERS / name for name in ("flash_simulator.c", "update_driver.c")),
    ]
    return build_program(sources, folder, flags=["-Wl,--wrap=rw_ed25519_verify"])


def image(version: int, *, model_bytes: int = 230, key: Ed25519PrivateKey = KEY, **changed: object) -> bytes:
    """An image of the driver's toy of a model, which adds its first byte to its input."""
    model = bytes([version % 251 + 1]) + bytes((version * 7 + i * 31) % 256 for i in range(model_bytes - 1))
    window = bytes([1, 2, 250])
    values: dict[str, object] = {
        "contract": CONTRACT,
        "operators": (3, 20),
        "memory_bytes": MEMORY_BYTES,
        "golden_input": window,
        "golden_output": bytes((value + model[0]) % 256 for value in window),
        "name": f"toy {version}",
        "metrics": {"auc": 0.5},
    }
    return make_image(model, version=version, key=key, **{**values, **changed})  # type: ignore[arg-type]


@dataclass
class Node:
    """Commands for one run of the driver, and what each of their answers is."""

    program: Path
    flash: Flash = field(default_factory=Flash)
    trial_boots: int = 2
    keys: Sequence[Ed25519PrivateKey] = (KEY,)
    _given: list[bytes] = field(default_factory=list)
    _answers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        f = self.flash
        numbers = (f.unit, f.sector, f.slot_bytes, int(f.rewritable), f.erased_byte, int(f.unstable))
        self._given.append(struct.pack("=6I", *numbers) + CONTRACT)
        self._given.append(struct.pack("=4I", MEMORY_BYTES, self.trial_boots, len(self.keys), len(OPERATORS)))
        self._given += [key.public_key().public_bytes_raw() for key in self.keys]
        self._given.append(struct.pack(f"={len(OPERATORS)}I", *OPERATORS))

    def _add(self, given: bytes, answers: str) -> Node:
        self._given.append(given)
        self._answers.append(answers)
        return self

    def start(self) -> Node:
        return self._add(b"o", "I")._add(b"b", "7I")

    def begin(self, content: bytes, *, n: int | None = None, identity: bytes | None = None) -> Node:
        identity = identity or image_id(content)
        return self._add(b"B" + identity + struct.pack("=I", len(content) if n is None else n), "2I")

    def write(self, content: bytes, *, start: int = 0, end: int | None = None, piece: int = 100) -> Node:
        end = len(content) if end is None else end
        for at in range(start, end, piece):
            part = content[at : min(at + piece, end)]
            self._add(b"w" + struct.pack("=II", at, len(part)) + part, "2I")
        return self

    def finish(self) -> Node:
        return self._add(b"f", "I")

    def switch(self) -> Node:
        return self._add(b"s", "7I")

    def confirm(self) -> Node:
        return self._add(b"c", "7I")

    def give_up(self, reason: int) -> Node:
        return self._add(b"g" + struct.pack("=I", reason), "7I")

    def fail_flash(self, steps: int) -> Node:
        return self._add(b"F" + struct.pack("=I", steps), "")

    def put(self, at: int, content: bytes) -> Node:
        return self._add(b"p" + struct.pack("=II", at, len(content)) + content, "")

    def parse(self, content: bytes) -> Node:
        return self._add(b"m" + struct.pack("=I", len(content)) + content, "m")

    def check(self, content: bytes) -> Node:
        return self._add(b"i" + struct.pack("=I", len(content)) + content, "I")

    def law(self, images: Sequence[tuple[int, bytes]], *, every: int = 0, seeds: int = 1) -> Node:
        given = b"L" + struct.pack("=I", len(images))
        given += b"".join(struct.pack("=II", fate, len(content)) + content for fate, content in images)
        return self._add(given + struct.pack("=II", every, seeds), "2I")

    def install(self, content: bytes) -> Node:
        return self.begin(content).write(content).finish().switch().confirm()

    def run(self) -> list[tuple[int, ...]]:
        """One tuple for each command that answers."""
        found = run_program(self.program, b"".join(self._given), limit_s=300)
        at, answers = 0, []
        for kind in filter(None, self._answers):
            parts = "=I" if kind == "m" else f"={kind}"
            values = struct.unpack_from(parts, found, at)
            at += struct.calcsize(parts)
            if kind == "m" and values[0]:
                values += struct.unpack_from("=8I", found, at)
                at += 32 + 8 + 64
            answers.append(values)
        assert at == len(found)
        return answers


def place(answer: tuple[int, ...]) -> Place:
    return Place(*answer[1:])


def another(flash: Flash, **changed: object) -> Flash:
    return replace(flash, **changed)  # type: ignore[arg-type]
