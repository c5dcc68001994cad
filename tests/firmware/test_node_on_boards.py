"""The node on the two emulated boards: recordings of CWRU over the sample port, verdicts as the service's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from noding import Line, Networks, Setting, build_for_board
from numpy.typing import NDArray
from watching import linear_autoencoder, write_networks

from edge.emulator.toolchain import Toolchain, find_toolchain
from edge.node.building import BOARDS, Firmware
from edge.node.qemu import emulated_node
from edge.node.reference import CHOSEN, Network, NodeConfig, State, reference_verdicts
from edge.node.running import sample_bytes
from features.contract import NODE
from features.errors import ToolchainError
from features.extraction import extract
from models.datasets import cwru
from models.scaler import Scaler

N, STEP_G = 512, 1.0 / 2048.0
CONFIG = NodeConfig(n_scale=20, n_tail=30)
SETTING = Setting(N, CONFIG.n_scale, CONFIG.n_tail)
POWER, REQUESTED = 0, 3


def features_of(windows: NDArray[np.int16]) -> NDArray[np.float32]:
    unaided = NODE.knowing()
    found = extract(windows.astype(np.float32) * np.float32(STEP_G), 12_000.0, profile=unaided, unit="g")
    return found[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]


def windows_of(record: cwru.Record, n: int) -> NDArray[np.int16]:
    steps = np.round(record.read().samples[0][: n * N] / STEP_G)
    return np.clip(steps, -32767, 32767).astype(np.int16).reshape(n, N)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> tuple[NDArray[np.int16], bytes, Networks]:
    """Sixty healthy windows, six of a damaged outer race, ten healthy ones; and a network that learned elsewhere."""
    from conftest import _DATA

    if not _DATA.is_dir():
        pytest.skip(f"the public data packs are not at {_DATA}; set RACEWAY_DATA")
    records = {r.name: r for r in cwru.records(_DATA / "cwru", rate_hz=12_000.0)}
    healthy = {r.load_hp: r for r in records.values() if r.kind == "normal"}
    damaged = next(r for name, r in sorted(records.items()) if r.kind == "outer" and r.load_hp == 0)
    first = windows_of(healthy[0], 70)
    windows = np.concatenate([first[:60], windows_of(damaged, 6), first[60:]])
    learned = features_of(windows_of(healthy[1], 100))
    health = linear_autoencoder(Scaler.learn(learned).apply(learned), n_code=8)
    return windows, health, write_networks(tmp_path_factory.mktemp("networks") / "of", health=health)


@pytest.fixture(scope="module", params=BOARDS)
def firmware(
    request: pytest.FixtureRequest,
    lives: tuple[NDArray[np.int16], bytes, Networks],
    toolchain: Toolchain,
    tmp_path_factory: pytest.TempPathFactory,
) -> Firmware:
    folder = tmp_path_factory.mktemp(request.param)
    return build_for_board(request.param, folder, SETTING, lives[2], toolchain=toolchain)


def test_a_damaged_bearing_raises_the_alarm_on_the_board_itself(
    firmware: Firmware, lives: tuple[NDArray[np.int16], bytes, Networks], toolchain: Toolchain, tmp_path: Path
) -> None:
    windows, health, _ = lives
    with emulated_node(firmware, tmp_path, toolchain=toolchain, deadline_s=200.0) as node:
        line = Line(node)
        reports = []
        for window in windows:  # one at a time: what the board says meanwhile must be read
            node.feed(sample_bytes(window))
            reports += line.reports(1)
        chunks = list(line.chunks)
        node.kill()
    features = features_of(windows)
    wanted = reference_verdicts(features, windows, health=Network(health), config=CONFIG)
    assert [v.change for v in wanted if v.change][:1] == ["raised"]
    assert [(r.verdict.state, r.verdict.change) for r in reports] == [(v.state, v.change) for v in wanted]
    found = np.stack([r.features for r in reports])[:, CHOSEN]
    np.testing.assert_allclose(found, features, rtol=1e-4, atol=1e-5)
    raised = next(i for i, v in enumerate(wanted) if v.change == "raised")
    np.testing.assert_array_equal(np.concatenate([c.samples for c in chunks]), windows[raised])
    with emulated_node(firmware, tmp_path, toolchain=toolchain) as node:
        line = Line(node)
        node.feed(sample_bytes(windows[0]))
        (report,) = line.reports(1)
    assert (report.verdict.state, report.boots, report.reset_reason) == (State.WATCHING, 2, POWER)


def test_it_fits_the_budget_of_memory(firmware: Firmware) -> None:
    """Of the smaller window that is tested here; the stand-ins of the port are counted as they are."""
    assert firmware.flash_bytes < 64 * 1024
    assert firmware.ram_bytes < 64 * 1024
