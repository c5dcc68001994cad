"""Every function of the two emulated boards, tried by the probe over their serial lines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from probing import Probe

from edge.emulator.toolchain import Toolchain, find_toolchain
from edge.node.building import BOARDS, PORT, Firmware, Source, build_firmware
from edge.node.qemu import emulated_node
from edge.node.running import POWER_CUT, RunningNode, missing_samples, sample_bytes
from features.errors import ParameterError, ToolchainError

REFUSED, FAILED = -1, -2
POWER, PIN, WATCHDOG, REQUESTED, FAULT = range(5)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


@pytest.fixture(scope="module", params=BOARDS)
def firmware(
    request: pytest.FixtureRequest, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Firmware:
    folder = tmp_path_factory.mktemp(request.param)
    return build_firmware(request.param, [Source(PORT / "probe" / "rw_probe.c")], folder, toolchain=toolchain)


@pytest.fixture
def node(firmware: Firmware, toolchain: Toolchain, tmp_path: Path) -> Iterator[RunningNode]:
    with emulated_node(firmware, tmp_path / "node", toolchain=toolchain) as running:
        yield running


def probe_of(node: RunningNode) -> Probe:
    return Probe(node.link.sendall, node.link.recv)


def test_bytes_of_every_value_come_back_in_order(node: RunningNode, rng: np.random.Generator) -> None:
    probe = probe_of(node).greeted()
    for _ in range(30):
        data = rng.integers(0, 256, 255, dtype=np.uint8).tobytes()
        assert probe.echo(data) == data


def test_more_commands_than_the_rings_hold_are_answered(node: RunningNode) -> None:
    """What the board has not read yet waits in the line, and what the line does not take waits in the board."""
    probe = probe_of(node).greeted()
    probe.tell(b"e\x10" + bytes(range(16)) + b"?" * 4000)
    assert probe.read(16) == bytes(range(16))
    assert probe.read(4000) == b"?" * 4000


def test_every_sample_arrives_while_the_line_talks(node: RunningNode, rng: np.random.Generator) -> None:
    probe = probe_of(node).greeted()
    x = rng.integers(-32767, 32768, 20_000).astype(np.int16)
    for part in np.split(x, 10):
        node.feed(sample_bytes(part))
        assert probe.echo(b"between") == b"between"
    seen = probe.samples_when(lambda s: s.taken >= x.size)
    assert (seen.taken, seen.missing, seen.total) == (x.size, 0, int(x.sum()) % 2**32)


def test_missing_samples_are_told_where_they_are_missing(node: RunningNode) -> None:
    probe = probe_of(node).greeted()
    node.feed(sample_bytes(np.array([5, 6], np.int16)), missing_samples(70), sample_bytes(np.array([7], np.int16)))
    seen = probe.samples_when(lambda s: s.taken >= 3)
    assert (seen.taken, seen.missing, seen.total) == (3, 70, 18)


def test_a_sink_without_room_keeps_the_rest_waiting(node: RunningNode) -> None:
    probe = probe_of(node).greeted()
    x = np.arange(1, 3001, dtype=np.int16)
    probe.tell(b"b" + (1000).to_bytes(4, "little"))
    assert probe.echo(b"set") == b"set"
    node.feed(sample_bytes(x))
    seen = probe.samples_when(lambda s: s.full > 0)
    assert (seen.taken, seen.total) == (1000, 1000 * 1001 // 2)
    probe.tell(b"u")
    seen = probe.samples_when(lambda s: s.taken >= x.size)
    assert (seen.taken, seen.missing, seen.total) == (x.size, 0, int(x.sum(dtype=np.int64)))


def test_a_board_without_work_sleeps_and_a_byte_wakes_it(node: RunningNode) -> None:
    """It sleeps for 20 ms at a time: where it slept more often than time has room for, bytes woke it.

    How many commands find it asleep is a matter of the processors that QEMU gets.
    """
    probe = probe_of(node).greeted()
    before = seen = probe.state()
    asked, deadline = 1, time.monotonic() + 60.0
    while seen.sleeps - before.sleeps < (seen.now_ms - before.now_ms) / 20 + 20 and time.monotonic() < deadline:
        time.sleep(0.002)
        probe.echo(b"a")
        seen, asked = probe.state(), asked + 2
    slept, elapsed_ms = seen.sleeps - before.sleeps, seen.now_ms - before.now_ms
    assert slept >= elapsed_ms / 20 + 20
    assert slept <= elapsed_ms / 20 + 3 * asked, "it woke without a byte"
    assert (before.reset_reason, before.supply_low) == (POWER, 0)


def test_flash_keeps_the_rules_of_flash(node: RunningNode) -> None:
    probe = probe_of(node).greeted()
    size, sector, unit = probe.geometry()
    first, second = bytes(range(16)), bytes(range(16, 32))
    assert probe.flash(0) == b"\xff" * 16
    assert probe.write(sector, first) == 0
    assert probe.write(sector, first) == 0, "the same bytes may be written again"
    assert probe.write(sector, second) == FAILED, "a unit is written once"
    assert probe.flash(sector) == first
    assert probe.write(sector + 4, second) == REFUSED, f"not a multiple of {unit}"
    assert probe.write(size - 8, second) == REFUSED
    assert probe.erase(size // sector) == REFUSED
    assert probe.erase(1) == 0
    assert probe.flash(sector) == b"\xff" * 16
    assert probe.write(size - 16, second) == 0
    assert probe.flash(size - 16) == second


def test_flash_outlives_the_loss_of_power(firmware: Firmware, toolchain: Toolchain, tmp_path: Path) -> None:
    data = bytes(range(16))
    with emulated_node(firmware, tmp_path, toolchain=toolchain) as node:
        assert probe_of(node).greeted().write(4096, data) == 0
        node.kill()
    with emulated_node(firmware, tmp_path, toolchain=toolchain) as node:
        probe = probe_of(node).greeted()
        assert probe.flash(4096) == data
        assert probe.state().reset_reason == POWER


def test_the_supply_fails_in_the_operation_that_it_is_told(
    firmware: Firmware, toolchain: Toolchain, tmp_path: Path
) -> None:
    """Of 16 bytes in units of 8, one unit is written, and half of the next."""
    data = bytes(range(16))
    with emulated_node(firmware, tmp_path, toolchain=toolchain, cut_at=2) as node:
        probe = probe_of(node).greeted()
        assert probe.erase(0) == 0
        probe.tell(b"W" + bytes(4) + data)
        assert node.wait(10.0) == POWER_CUT
    with emulated_node(firmware, tmp_path, toolchain=toolchain) as node:
        assert probe_of(node).greeted().flash(0) == data[:12] + b"\xff" * 4


@pytest.mark.parametrize(("command", "reason"), [(b"x", REQUESTED), (b"f", FAULT), (b"h", WATCHDOG)])
def test_a_board_starts_again_and_says_why(command: bytes, reason: int, node: RunningNode) -> None:
    probe = probe_of(node).greeted()
    probe.tell(command)
    assert probe.greeted().state().reset_reason == reason
    assert ("fault at" in node.errors()) == (reason == FAULT)


def test_a_line_may_be_closed_and_opened_again(node: RunningNode) -> None:
    probe_of(node).greeted()
    node.disconnect("link")
    node.reconnect("link")
    assert probe_of(node).echo(b"again") == b"again"


def test_a_board_is_ended_at_its_deadline(firmware: Firmware, toolchain: Toolchain, tmp_path: Path) -> None:
    with emulated_node(firmware, tmp_path, toolchain=toolchain, deadline_s=0.7) as node:
        probe_of(node).greeted()
        with pytest.raises(ToolchainError, match=r"was ended after 0\.7 s"):
            node.wait(20.0)


def test_what_cannot_be_built_or_fed_is_refused(toolchain: Toolchain, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.c"
    wrong.write_text("int rw_program(")
    with pytest.raises(ParameterError, match="there is no board 'nrf'"):
        build_firmware("nrf", [], tmp_path, toolchain=toolchain)
    with pytest.raises(ToolchainError, match=r"wrong\.c does not compile: .*error"):
        build_firmware("stm32f405", [Source(wrong)], tmp_path, toolchain=toolchain)
    with pytest.raises(ToolchainError, match=r"for stm32f405 does not link: .*rw_program"):
        build_firmware("stm32f405", [], tmp_path, toolchain=toolchain)
    with pytest.raises(ParameterError, match="without -32768"):
        sample_bytes(np.array([-32768], np.int16))
    with pytest.raises(ParameterError, match="a gap of 65536"):
        missing_samples(65536)
