"""The record that a node keeps in flash, with the supply cut in every operation of many writes."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge.node.building import FIRMWARE, PORT

OK, TOO_LONG, FLASH, PLACE = 0, -1, -2, -3
SECTOR, SECTORS = 64, 8
ERASED = b"\xff" * SECTOR * SECTORS


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("store") / "store.so"
    sources = [Path(__file__).parent / "storing.c", PORT / "rw_nor.c"]
    sources += [FIRMWARE / "node" / "rw_store.c", FIRMWARE / "link" / "rw_crc32.c"]
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fPIC", "-shared"]
    flags += ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
    flags += [f"-I{place}" for place in (PORT, FIRMWARE / "node", FIRMWARE / "link")]
    subprocess.run(["gcc", *flags, *map(str, sources), "-o", str(path)], check=True, timeout=60)
    loaded = ctypes.CDLL(str(path))
    loaded.make.argtypes, loaded.make.restype = [ctypes.c_char_p], ctypes.c_void_p
    loaded.memory.argtypes, loaded.memory.restype = [ctypes.c_void_p], ctypes.c_void_p
    loaded.end.argtypes = [ctypes.c_void_p]
    loaded.cut.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    loaded.opened.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    loaded.written.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    loaded.record.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return loaded


class Flashed:
    """A store over some content of flash."""

    def __init__(self, library: ctypes.CDLL, content: bytes = ERASED, *, sector: int = 1, sectors: int = 2) -> None:
        self._library, self._flashed = library, library.make(content)
        self.status = library.opened(self._flashed, sector, sectors)

    def cut(self, n: int) -> None:
        self._library.cut(self._flashed, n)

    def write(self, record: bytes) -> int:
        return int(self._library.written(self._flashed, record, len(record)))

    def record(self) -> bytes | None:
        buffer = ctypes.create_string_buffer(SECTOR * SECTORS)
        n = self._library.record(self._flashed, buffer)
        return None if n < 0 else buffer.raw[:n]

    def content(self) -> bytes:
        return ctypes.string_at(self._library.memory(self._flashed), SECTOR * SECTORS)


def test_the_newest_record_is_found_after_each_write(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    content = ERASED
    for size in (8, 0, 112, 64, 16, 8):
        flashed = Flashed(library, content)
        record = rng.bytes(size)
        assert flashed.write(record) == OK
        assert flashed.record() == record
        content = flashed.content()
        assert Flashed(library, content).record() == record
        assert content[:SECTOR] + content[5 * SECTOR :] == ERASED[: 4 * SECTOR], "it writes within its sectors alone"


def test_nothing_is_found_where_nothing_was_written(library: ctypes.CDLL) -> None:
    assert Flashed(library).record() is None
    assert Flashed(library, bytes(SECTOR * SECTORS)).record() is None


def test_a_cut_in_any_operation_leaves_the_old_record_or_the_new_one(
    library: ctypes.CDLL, rng: np.random.Generator
) -> None:
    """Two sectors are erased, record and head written: four operations. And the next write succeeds."""
    old, new, next_one = (rng.bytes(n) for n in (104, 112, 48))
    before = Flashed(library)
    assert before.write(rng.bytes(56)) == before.write(old) == OK
    left = []
    for operation in range(1, 5):
        flashed = Flashed(library, before.content())
        flashed.cut(operation)
        assert flashed.write(new) == FLASH
        assert flashed.record() == old, "what was open goes on with the old one"
        after = Flashed(library, flashed.content())
        left.append(after.record())
        assert after.write(next_one) == OK
        assert Flashed(library, after.content()).record() == next_one
    assert left == [old] * 4
    flashed = Flashed(library, before.content())
    flashed.cut(5)
    assert (flashed.write(new), flashed.record()) == (OK, new)


def test_any_damaged_byte_of_the_newest_record_gives_the_one_before(
    library: ctypes.CDLL, rng: np.random.Generator
) -> None:
    old, new = rng.bytes(40), rng.bytes(40)
    flashed = Flashed(library)
    assert flashed.write(old) == flashed.write(new) == OK
    content = flashed.content()
    start = 3 * SECTOR
    for at in range(start, start + 16 + 40):
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        assert Flashed(library, bytes(damaged)).record() == old


@pytest.mark.parametrize(("sector", "sectors", "status"), [(4, 2, OK), (5, 2, PLACE), (0, 0, PLACE), (0, 2**31, PLACE)])
def test_places_lie_in_the_flash(sector: int, sectors: int, status: int, library: ctypes.CDLL) -> None:
    assert Flashed(library, sector=sector, sectors=sectors).status == status


@pytest.mark.parametrize("size", [113, 120, 12])
def test_a_record_that_does_not_fit_is_refused(size: int, library: ctypes.CDLL) -> None:
    flashed = Flashed(library)
    assert flashed.write(bytes(8)) == OK
    assert flashed.write(bytes(size)) == TOO_LONG
    assert flashed.record() == bytes(8)
