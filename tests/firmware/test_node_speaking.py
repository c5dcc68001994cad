"""The whole node with its link, as a process and on the emulated boards: what it says and what it does when told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from node_hosting import NodeHost
from numpy.typing import NDArray
from watching import linear_autoencoder, write_networks

from edge.emulator.toolchain import Toolchain, find_toolchain
from edge.node.building import BOARDS, NODE_FOLDERS, Source, build_firmware, node_sources
from edge.node.host import build_host_firmware, host_node
from edge.node.qemu import emulated_node
from edge.node.reference import CHOSEN, Network, NodeConfig, reference_verdicts
from edge.node.running import RunningNode, missing_samples, sample_bytes
from features.contract import NODE
from features.errors import ToolchainError
from features.extraction import extract
from models.scaler import Scaler

N, SCALE, RATE_HZ = 256, 1.0 / 2048.0, 12_000.0
CONFIG = NodeConfig(n_scale=10, n_tail=30)
DEFINITIONS = (
    f"RW_NODE_RATE_HZ={RATE_HZ.hex()}f",
    f"RW_NODE_SCALE={SCALE.hex()}f",
    f"RW_NODE_SAMPLES={N}u",
    f"RW_NODE_N_SCALE={CONFIG.n_scale}u",
    f"RW_NODE_N_TAIL={CONFIG.n_tail}u",
    "RW_NODE_PERIOD_MS=0u",
    "RW_NODE_SILENCE_MS=60000u",
)
TIME_MS = 1_800_000_000_000
Run = Callable[[Path], RunningNode]


def machine(rng: np.random.Generator, n: int, *, ringing: float = 0.0) -> NDArray[np.int16]:
    """Windows of a machine: two harmonics and noise; and, with a fault, short rings of a resonance."""
    t = np.arange(n * N) / RATE_HZ
    x = 0.3 * np.sin(2 * np.pi * 29.0 * t) + 0.1 * np.sin(2 * np.pi * 58.0 * t + 1.0) + 0.05 * rng.normal(size=t.size)
    ring = np.exp(-(t % (1 / 107.0)) * 800.0) * np.sin(2 * np.pi * 3000.0 * t)
    return np.round((x + ringing * ring) / SCALE).astype(np.int16).reshape(n, N)


def python_features(windows: NDArray[np.int16]) -> NDArray[np.float32]:
    unaided = NODE.knowing()
    found = extract(windows.astype(np.float32) * np.float32(SCALE), RATE_HZ, profile=unaided, unit="g")
    return found[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]


@pytest.fixture(scope="module")
def health() -> bytes:
    features = python_features(machine(np.random.default_rng(5), 80))
    return linear_autoencoder(Scaler.learn(features).apply(features), n_code=6)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, health: bytes) -> tuple[list[Source], list[Path]]:
    written, places = write_networks(tmp_path_factory.mktemp("networks") / "of", health=health)
    own = [Source(path, definitions=DEFINITIONS if path.name == "rw_main.c" else ()) for path in node_sources()]
    return [*own, *(Source(path, "model") for path in written)], [*places, *NODE_FOLDERS]


@pytest.fixture(scope="module")
def program(sources: tuple[list[Source], list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    files, places = sources
    return build_host_firmware(files, tmp_path_factory.mktemp("host"), includes=places, sanitise=True)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


def feed_and_read(node: RunningNode, host: NodeHost, windows: NDArray[np.int16]) -> None:
    """One window at a time: what the node says meanwhile must be read."""
    for window in windows:
        wanted = len(host.of("report")) + 1
        node.feed(sample_bytes(window))
        host.until(lambda n=wanted: len(host.of("report")) >= n)  # type: ignore[misc]


def check_a_life(run: Run, folder: Path, health: bytes, rng: np.random.Generator) -> list[dict[str, object]]:
    """Commissioning, a fault and its window; the reports are returned."""
    windows = np.concatenate([machine(rng, 44), machine(rng, 6, ringing=0.5), machine(rng, 4)])
    with run(folder) as node:
        host = NodeHost(node, time_ms=TIME_MS)
        host.until(lambda: bool(host.of("hello")))
        feed_and_read(node, host, windows)
        host.until(lambda: sum(len(c["samples"]) for c in host.of("waveform")) == 2 * N)
    wanted = reference_verdicts(python_features(windows), windows, health=Network(health), config=CONFIG)
    reports = host.of("report")
    assert [r["number"] for r in reports] == list(range(len(windows)))
    assert [r["state"] for r in reports] == [int(v.state) for v in wanted]
    raised = next(i for i, v in enumerate(wanted) if v.change == "raised")
    found = np.stack([np.frombuffer(r["features"], "<f4") for r in reports])[:, CHOSEN]
    np.testing.assert_allclose(found, python_features(windows), rtol=1e-4, atol=1e-4)
    samples = np.frombuffer(b"".join(c["samples"] for c in host.of("waveform")), "<i2")
    np.testing.assert_array_equal(samples, windows[raised])
    hello = host.of("hello")[0]
    assert (hello["boot"], hello["reset"], hello["model"], hello["window"]) == (1, 0, 0, N)
    assert hello["contract"].hex() == NODE.hash
    return reports


def test_a_life_as_a_process(program: Path, health: bytes, tmp_path: Path, rng: np.random.Generator) -> None:
    reports = check_a_life(lambda folder: host_node(program, folder), tmp_path, health, rng)
    last = reports[-1]
    known = int.from_bytes(last["known"], "little")  # type: ignore[arg-type]
    assert [bool(known >> i & 1) for i in range(len(NODE.features))] == [not f.needs for f in NODE.features]
    assert abs(int(last["time_ms"]) - TIME_MS) < 60_000  # type: ignore[call-overload]


@pytest.mark.parametrize("board", BOARDS)
def test_a_life_on_an_emulated_board(
    board: str,
    sources: tuple[list[Source], list[Path]],
    health: bytes,
    toolchain: Toolchain,
    tmp_path: Path,
    rng: np.random.Generator,
) -> None:
    firmware = build_firmware(board, sources[0], tmp_path / "build", includes=sources[1], toolchain=toolchain)
    assert firmware.ram_bytes <= 64 * 1024
    check_a_life(
        lambda folder: emulated_node(firmware, folder, toolchain=toolchain, deadline_s=250.0),
        tmp_path / "run",
        health,
        rng,
    )


def test_frames_and_samples_that_are_lost(program: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    """Of ten thousand bytes three are lost each way, in one of ten frames: all reports arrive, once and in order."""
    arguments = ["lose-ppm=300", "seed=4"]
    with host_node(program, tmp_path, arguments=arguments) as node:
        host = NodeHost(node)
        host.until(lambda: bool(host.of("hello")))
        feed_and_read(node, host, machine(rng, 40))
        node.feed(missing_samples(9))
        feed_and_read(node, host, machine(rng, 1))
    reports = host.of("report")
    assert [r["number"] for r in reports] == list(range(41))
    assert reports[-1]["lost"] == 9
    assert host.link.counts.damaged > 0


def test_reports_of_a_link_that_was_away_come_later(program: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    with host_node(program, tmp_path) as node:
        host = NodeHost(node)
        host.until(lambda: bool(host.of("hello")))
        feed_and_read(node, host, machine(rng, 3))
        node.disconnect("link")
        node.feed(sample_bytes(machine(rng, 6).ravel()))
        node.reconnect("link")
        reports = host.reports(9)
    assert [r["number"] for r in reports] == list(range(9))


def test_what_the_host_configures(program: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    with host_node(program, tmp_path) as node:
        host = NodeHost(node)
        host.until(lambda: bool(host.of("hello")))
        feed_and_read(node, host, machine(rng, 41))
        host.tell("configure", shaft_hz=29.0, threshold=1e5)
        host.until(lambda: len(host.of("hello")) == 2)
        feed_and_read(node, host, machine(rng, 5, ringing=0.5))
        last = host.of("report")[-1]
        assert (last["shaft_hz"], last["threshold"], last["alarm"]) == (29.0, 1e5, False)
        known = int.from_bytes(last["known"], "little")
        assert [bool(known >> i & 1) for i in range(61)] == ["bearing" not in f.needs for f in NODE.features]
        host.tell("configure", relearn=True)
        host.until(lambda: len(host.of("hello")) == 3)
        feed_and_read(node, host, machine(rng, 1))
        assert host.of("report")[-1]["state"] == 0
        host.tell("request_waveform", samples=N)
        host.tell("configure", period_ms=0, reset=True)
        host.until(lambda: host.of("hello")[-1]["boot"] == 2)
        assert host.of("hello")[-1]["reset"] == 3


def test_updates_are_refused_without_slots(program: Path, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = NodeHost(node)
        host.tell("update_begin", size=1000, image=bytes(16))
        host.until(lambda: bool(host.of("update_status")))
    assert host.of("update_status")[0]["reason"] == 1
