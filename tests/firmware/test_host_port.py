"""The board that is a process: the same probe as on the emulated ones, and what can be made to go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from probing import Probe

from edge.node.building import PORT, Source
from edge.node.host import build_host_firmware, host_node
from edge.node.running import POWER_CUT, RunningNode, missing_samples, sample_bytes
from features.errors import ToolchainError

POWER, WATCHDOG, REQUESTED = 0, 2, 3
REFUSED, FAILED = -1, -2


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    return build_host_firmware([Source(PORT / "probe" / "rw_probe.c")], folder, sanitise=True)


@pytest.fixture
def node(program: Path, tmp_path: Path) -> Iterator[RunningNode]:
    with host_node(program, tmp_path) as running:
        yield running


def probe_of(node: RunningNode) -> Probe:
    return Probe(node.link.sendall, node.link.recv).greeted()


def test_bytes_and_samples_arrive(node: RunningNode, rng: np.random.Generator) -> None:
    probe = probe_of(node)
    data = bytes(range(255))
    assert probe.echo(data) == data
    x = rng.integers(-32767, 32768, 20_000).astype(np.int16)
    node.feed(sample_bytes(x[:9000]), missing_samples(12), sample_bytes(x[9000:]))
    seen = probe.samples_when(lambda s: s.taken >= x.size)
    assert (seen.taken, seen.missing, seen.total) == (x.size, 12, int(x.sum()) % 2**32)


def test_a_sink_without_room_keeps_the_rest_waiting(node: RunningNode) -> None:
    probe = probe_of(node)
    probe.tell(b"b" + (1000).to_bytes(4, "little"))
    assert probe.echo(b"set") == b"set"
    node.feed(sample_bytes(np.ones(3000, np.int16)))
    assert probe.samples_when(lambda s: s.full > 0).taken == 1000
    probe.tell(b"u")
    assert probe.samples_when(lambda s: s.taken >= 3000)[:3] == (3000, 0, 3000)


def test_flash_keeps_the_rules_of_flash_and_outlives_the_process(program: Path, tmp_path: Path) -> None:
    first, second = bytes(range(16)), bytes(range(16, 32))
    with host_node(program, tmp_path) as node:
        probe = probe_of(node)
        size, sector, _ = probe.geometry()
        assert (probe.write(sector, first), probe.write(sector, second)) == (0, FAILED)
        assert (probe.write(sector + 4, second), probe.erase(size // sector)) == (REFUSED, REFUSED)
        node.kill()
    with host_node(program, tmp_path) as node:
        probe = probe_of(node)
        assert (probe.flash(sector), probe.state().reset_reason) == (first, POWER)
        assert (probe.erase(1), probe.flash(sector)) == (0, b"\xff" * 16)


@pytest.mark.parametrize(("cut_at", "left"), [(1, b"\xff" * 16), (2, bytes(range(12)) + b"\xff" * 4)])
def test_the_supply_fails_in_the_operation_that_it_is_told(
    cut_at: int, left: bytes, program: Path, tmp_path: Path
) -> None:
    """Half of the sector is erased, or one unit is written and half of the next."""
    (tmp_path / "flash.bin").write_bytes(bytes(4096))
    with host_node(program, tmp_path, arguments=[f"cut={cut_at}"]) as node:
        probe = probe_of(node)
        probe.tell(b"E" + bytes(4) + b"W" + bytes(4) + bytes(range(16)))
        assert node.wait(10.0) == POWER_CUT
    with host_node(program, tmp_path) as node:
        probe = probe_of(node)
        assert probe.flash(0) == left
        assert probe.flash(4080) == (bytes(16) if cut_at == 1 else b"\xff" * 16)


@pytest.mark.parametrize(("command", "reason"), [(b"x", REQUESTED), (b"h", WATCHDOG)])
def test_a_board_starts_again_and_says_why(command: bytes, reason: int, node: RunningNode) -> None:
    probe = probe_of(node)
    probe.tell(command)
    assert probe.greeted().state().reset_reason == reason


def test_lost_samples_and_a_low_supply_are_made_at_will(program: Path, tmp_path: Path) -> None:
    with host_node(program, tmp_path, arguments=["lose-samples=100", "low=0"]) as node:
        probe = probe_of(node)
        assert probe.state().supply_low == 1
        replayed = np.full(500, 3, np.int16)
        node.feed(sample_bytes(replayed))
        seen = probe.samples_when(lambda s: s.taken + s.missing >= 500)
        assert seen[:3] == (495, 5, 3 * 495)


def test_a_replay_runs_at_its_rate_and_waits_for_nobody(program: Path, tmp_path: Path) -> None:
    np.arange(1, 101, dtype="<i2").tofile(tmp_path / "replay.i16")
    with host_node(program, tmp_path, lines=["link"], arguments=["replay=replay.i16", "rate=20000"]) as node:
        probe = probe_of(node)
        seen = probe.samples_when(lambda s: s.taken >= 4000)
        elapsed_ms = probe.state().now_ms
        whole, rest = divmod(seen.taken, 100)
        assert (seen.missing, seen.total) == (0, whole * 5050 + rest * (rest + 1) // 2)
        assert seen.taken <= 20 * (elapsed_ms + 1)
        probe.tell(b"b" + bytes(4))
        assert probe.samples_when(lambda s: s.missing > 50).full > 50


def test_bytes_are_lost_at_the_rate_that_is_asked_for(program: Path, tmp_path: Path) -> None:
    with host_node(program, tmp_path, arguments=["lose-ppm=100000", "seed=5"]) as node:
        node.link.settimeout(1.0)
        node.link.sendall(b"?" * 10_000)
        received = -1  # the greeting is not counted
        try:
            while part := node.link.recv(4096):
                received += len(part)
        except TimeoutError:
            pass
        # Each way takes a tenth; the deviation of the count is 40.
        assert abs(received - 8100) < 200


def test_frames_are_lost_whole_at_the_rate_that_is_asked_for(program: Path, tmp_path: Path) -> None:
    sent = [b"%04d" % i for i in range(4000)]
    with host_node(program, tmp_path, arguments=["lose-frames=100000", "seed=5"]) as node:
        node.link.settimeout(2.0)
        node.link.sendall(b"".join(b"e\x05" + one + b"\0" for one in sent))
        received = b""
        try:
            while part := node.link.recv(4096):
                received += part
        except TimeoutError:
            pass
    # The greeting leads the first one that comes back.
    frames = received.removeprefix(b"!").split(b"\0")[:-1]
    assert set(frames) <= set(sent)
    assert frames == sorted(frames)
    # Each way takes a tenth; the deviation of the count is 25.
    assert abs(len(frames) - 3240) < 125


def test_a_link_that_hangs_up_closes_its_line_and_serves_the_next_one(program: Path, tmp_path: Path) -> None:
    with host_node(program, tmp_path, arguments=["up=1000", "down=300", "hang=1"]) as node:
        node.link.settimeout(20.0)
        while node.link.recv(64):
            pass
        line = node.reconnect("link")
        line.settimeout(20.0)
        line.sendall(b"?")
        assert line.recv(1) == b"?"


def test_a_link_that_is_down_loses_everything(program: Path, tmp_path: Path) -> None:
    with host_node(program, tmp_path, arguments=["up=0", "down=1000"]) as node:
        node.link.settimeout(0.5)
        node.link.sendall(b"???")
        with pytest.raises(TimeoutError):
            node.link.recv(1)


def test_what_cannot_be_started_says_why(program: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"did not open its line link: rw_host: wrong=1"):
        host_node(program, tmp_path, arguments=["wrong=1"]).__enter__()
    wrong = tmp_path / "wrong.c"
    wrong.write_text("int rw_program(")
    with pytest.raises(ToolchainError, match=r"wrong\.c does not compile: .*error"):
        build_host_firmware([Source(wrong)], tmp_path)
