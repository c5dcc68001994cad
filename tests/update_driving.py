"""Drives the node's update in C over a simulated flash, from images that tests make."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pytest
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
_STATUSES = (FIRMWARE / "update" / "rw_update_status.h").read_text()
REASON = {name: int(code) for name, code in re.findall(r"X\((\w+), (\d+), \"", _STATUSES)}
EMPTY, RECEIVING, STAGED, TRIAL, CONFIRMED = range(5)


def driver(factory: pytest.TempPathFactory) -> Path:
    """Built once for all test files of a session."""
    folder = factory.getbasetemp() / "update-driver"
    if (folder / "program").exists():
        return folder / "program"
    folder.mkdir(exist_ok=True)
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


Command = tuple[bytes, str]  # what the driver reads, and the form of what it answers
_OPEN, _FINISH, _SWITCH, _CONFIRM = (b"o", "I"), (b"f", "I"), (b"s", "7I"), (b"c", "7I")


@dataclass
class Node:
    """Commands for one run of the driver, and what each of their answers is."""

    program: Path
    flash: Flash = field(default_factory=Flash)
    trial_boots: int = 2
    keys: Sequence[Ed25519PrivateKey] = (KEY,)
    _given: list[bytes] = field(default_factory=list)
    _calls: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        f = self.flash
        numbers = (f.unit, f.sector, f.slot_bytes, int(f.rewritable), f.erased_byte, int(f.unstable))
        self._given.append(struct.pack("=6I", *numbers) + CONTRACT)
        self._given.append(struct.pack("=4I", MEMORY_BYTES, self.trial_boots, len(self.keys), len(OPERATORS)))
        self._given += [key.public_key().public_bytes_raw() for key in self.keys]
        self._given.append(struct.pack(f"={len(OPERATORS)}I", *OPERATORS))

    def _call(self, *commands: Command) -> Node:
        self._given += [given for given, _ in commands]
        self._calls.append([answer for _, answer in commands if answer])
        return self

    def open(self) -> Node:
        return self._call(_OPEN)

    def start(self) -> Node:
        """Opens and boots: two answers."""
        return self._call(_OPEN, (b"b", "7I"))

    def begin(self, content: bytes, *, n: int | None = None) -> Node:
        return self._call(_begin(content, n=n))

    def write(self, content: bytes, *, start: int = 0, end: int | None = None, piece: int = 100) -> Node:
        """An answer for each piece."""
        return self._call(*_write(content, start=start, end=end, piece=piece))

    def finish(self) -> Node:
        return self._call(_FINISH)

    def switch(self) -> Node:
        return self._call(_SWITCH)

    def confirm(self) -> Node:
        return self._call(_CONFIRM)

    def install(self, content: bytes) -> Node:
        """From begin to confirm."""
        return self._call(_begin(content), *_write(content), _FINISH, _SWITCH, _CONFIRM)

    def give_up(self, reason: int) -> Node:
        return self._call((b"g" + struct.pack("=I", reason), "7I"))

    def fail_flash(self, steps: int) -> Node:
        return self._call((b"F" + struct.pack("=I", steps), ""))

    def put(self, at: int, content: bytes) -> Node:
        return self._call((b"p" + struct.pack("=II", at, len(content)) + content, ""))

    def parse(self, content: bytes) -> Node:
        return self._call((b"m" + struct.pack("=I", len(content)) + content, "m"))

    def check(self, content: bytes) -> Node:
        return self._call((b"i" + struct.pack("=I", len(content)) + content, "I"))

    def law(self, images: Sequence[tuple[int, bytes]], *, every: int = 0, seeds: int = 1) -> Node:
        given = b"L" + struct.pack("=I", len(images))
        given += b"".join(struct.pack("=II", fate, len(content)) + content for fate, content in images)
        return self._call((given + struct.pack("=II", every, seeds), "2I"))

    def run(self) -> list[list[tuple[int, ...]]]:
        """For each call its answers."""
        found = run_program(self.program, b"".join(self._given))
        at, calls = 0, []
        for call in self._calls:
            answers = []
            for kind in call:
                values, at = _answer(found, at, kind)
                answers.append(values)
            calls.append(answers)
        assert at == len(found)
        return calls


def _begin(content: bytes, *, n: int | None = None) -> Command:
    return b"B" + image_id(content) + struct.pack("=I", len(content) if n is None else n), "2I"


def _write(content: bytes, *, start: int = 0, end: int | None = None, piece: int = 100) -> list[Command]:
    end = len(content) if end is None else end
    parts = [(at, content[at : min(at + piece, end)]) for at in range(start, end, piece)]
    return [(b"w" + struct.pack("=II", at, len(part)) + part, "2I") for at, part in parts]


def _answer(found: bytes, at: int, kind: str) -> tuple[tuple[int, ...], int]:
    form = "=I" if kind == "m" else f"={kind}"
    values = struct.unpack_from(form, found, at)
    at += struct.calcsize(form)
    if kind == "m" and values[0]:
        values += struct.unpack_from("=8I", found, at)
        at += 8 * 4 + 8 + 64  # numbers, contract, digest
    return values, at


def place(answer: tuple[int, ...]) -> Place:
    return Place(*answer[1:])


def another(flash: Flash, **changed: object) -> Flash:
    return replace(flash, **changed)  # type: ignore[arg-type]
