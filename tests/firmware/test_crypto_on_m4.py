"""The node's crypto on the emulated Cortex-M4: a fixed set of signatures, and what one verification costs there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from c_programs import DRIVERS, FIRMWARE
from numpy.typing import NDArray

from edge.compiler.library import Library
from edge.emulator.running import M4Run, run_on_m4
from edge.emulator.toolchain import Toolchain, find_toolchain
from features.errors import ToolchainError

_MESSAGE_BYTES = 1023
_INPUT_BYTES, _OUTPUT_BYTES = 32 + 64 + 2 + _MESSAGE_BYTES, 65

_HEADER = f"""
#include <stdint.h>
#define RW_CHECK_ARENA_BYTES {_INPUT_BYTES + _OUTPUT_BYTES}u
#define RW_CHECK_INPUT_BYTES {_INPUT_BYTES}u
#define RW_CHECK_OUTPUT_BYTES {_OUTPUT_BYTES}u
int8_t *rw_check_input(void *arena);
void rw_check_run(void *arena);
const int8_t *rw_check_output(const void *arena);
"""
# Key, signature, length of the message, message; then verdict and digest.
_SOURCE = """
#include "rw_check.h"
#include "rw_crypto.h"
#define MESSAGE 98u
__attribute__((noinline)) static void rw_check_op_00(uint8_t *a)
{
    struct rw_sha512 hash;
    rw_sha512_begin(&hash);
    rw_sha512_add(&hash, a + MESSAGE, (size_t)(a[96] | a[97] << 8));
    a[RW_CHECK_INPUT_BYTES] = rw_sha512_end(&hash, a + RW_CHECK_INPUT_BYTES + 1) ? 0 : 9;
}
__attribute__((noinline)) static void rw_check_op_01(uint8_t *a)
{
    a[RW_CHECK_INPUT_BYTES] += rw_ed25519_verify(a, a + MESSAGE, (size_t)(a[96] | a[97] << 8), a + 32) ? 1 : 0;
}
int8_t *rw_check_input(void *arena) { return arena; }
void rw_check_run(void *arena)
{
    rw_check_op_00(arena);
    rw_check_op_01(arena);
}
const int8_t *rw_check_output(const void *arena) { return (const int8_t *)arena + RW_CHECK_INPUT_BYTES; }
"""


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


def _cases() -> list[tuple[bytes, bytes, bytes]]:
    """The vectors of the RFC, then each with a bit of key, R, S and message turned over."""
    vectors = json.loads((DRIVERS / "data" / "ed25519_rfc8032.json").read_text())["vectors"]
    cases = [tuple(bytes.fromhex(v[part]) for part in ("public", "signature", "message")) for v in vectors]
    for place, at in ((0, 3), (1, 5), (1, 40), (2, 0)):
        for case in cases[1:5]:
            parts = [bytearray(part) for part in case]
            parts[place][at] ^= 0x10
            cases.append(tuple(map(bytes, parts)))
    return cases  # type: ignore[return-value]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain) -> M4Run:
    place = tmp_path_factory.mktemp("check")
    for path in (FIRMWARE / "crypto").glob("*.[ch]"):
        shutil.copy(path, place)
    (place / "rw_check.h").write_text(_HEADER)
    (place / "rw_check.c").write_text(_SOURCE)
    library = Library(
        place, "check", _INPUT_BYTES, _OUTPUT_BYTES, _INPUT_BYTES + _OUTPUT_BYTES, 0, ("SHA-512", "Ed25519")
    )
    rows: list[NDArray[np.int8]] = []
    for key, signature, message in _cases():
        given = key + signature + len(message).to_bytes(2, "little") + message.ljust(_MESSAGE_BYTES, b"\xee")
        rows.append(np.frombuffer(given, np.int8))
    return run_on_m4(library, np.stack(rows), toolchain=toolchain)


def test_the_node_says_what_the_host_says(run: M4Run) -> None:
    assert run.outputs[:, 0].tolist() == [1] * 5 + [0] * 16
    for row, (_, _, message) in zip(run.outputs, _cases(), strict=True):
        assert row[1:].tobytes() == hashlib.sha512(message).digest()


def test_a_verification_costs_what_the_page_says(run: M4Run) -> None:
    """The run that executes most has the longest message: 9 blocks for itself, 9 more behind R and A."""
    sha512, ed25519 = run.operators
    page = (FIRMWARE.parents[1] / "docs" / "UPDATES.md").read_text()
    (row,) = re.findall(r"^\| Ed25519 and SHA-512 \| (.+?) \|$", page, flags=re.MULTILINE)
    said = [int(cell.replace(",", "")) for cell in row.split(" | ")]
    assert said == [ed25519.instructions, ed25519.cycles, sha512.instructions // 9, run.flash_bytes, run.stack_bytes]
