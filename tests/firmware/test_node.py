"""The node as a process: real recordings over its sample port, and what it does when things are lost."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from noding import Line, Report, Setting, build_for_host
from numpy.typing import NDArray
from watching import linear_autoencoder, write_networks

from edge.node.host import host_node
from edge.node.reference import CHOSEN, Network, NodeConfig, State, reference_verdicts
from edge.node.running import POWER_CUT, missing_samples, sample_bytes
from features.contract import NODE
from features.errors import ToolchainError
from features.extraction import extract
from models.scaler import Scaler

N, SCALE = 512, 1.0 / 2048.0
CONFIG = NodeConfig(n_scale=20, n_tail=30)
SETTING = Setting(N, CONFIG.n_scale, CONFIG.n_tail)
SAMPLES_FAULT, SUPPLY_FAULT = 1 << 0, 1 << 4
POWER, REQUESTED = 0, 3


def machine(rng: np.random.Generator, n: int, *, ringing: float = 0.0) -> NDArray[np.int16]:
    """Windows of a machine: two harmonics and noise; and, with a fault, short rings of a resonance."""
    t = np.arange(n * N) / 12_000.0
    x = 0.3 * np.sin(2 * np.pi * 29.0 * t) + 0.1 * np.sin(2 * np.pi * 58.0 * t + 1.0) + 0.05 * rng.normal(size=t.size)
    ring = np.exp(-(t % (1 / 107.0)) * 800.0) * np.sin(2 * np.pi * 3000.0 * t)
    return np.round((x + ringing * ring) / SCALE).astype(np.int16).reshape(n, N)


def python_features(windows: NDArray[np.int16]) -> NDArray[np.float32]:
    unaided = NODE.knowing()
    samples = windows.astype(np.float32) * np.float32(SCALE)
    found = extract(samples, 12_000.0, profile=unaided, unit="g")
    return found[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]


@pytest.fixture(scope="module")
def health() -> bytes:
    features = python_features(machine(np.random.default_rng(5), 80))
    return linear_autoencoder(Scaler.learn(features).apply(features), n_code=6)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, health: bytes) -> Callable[[Setting], Path]:
    folder = tmp_path_factory.mktemp("node")
    networks = write_networks(folder / "networks", health=health)
    return functools.cache(lambda setting: build_for_host(folder, setting, networks))


@pytest.fixture(scope="module")
def program(built: Callable[[Setting], Path]) -> Path:
    return built(SETTING)


def commissioned(line: Line, node: object, rng: np.random.Generator) -> list[Report]:
    windows = machine(rng, 50)
    node.feed(sample_bytes(windows.ravel()))  # type: ignore[attr-defined]
    return line.reports(50)


def test_a_fault_is_found_and_its_window_sent(
    program: Path, health: bytes, tmp_path: Path, rng: np.random.Generator
) -> None:
    windows = np.concatenate([machine(rng, 70), machine(rng, 10, ringing=0.5), machine(rng, 20)])
    with host_node(program, tmp_path) as node:
        line = Line(node)
        node.feed(sample_bytes(windows.ravel()))
        reports = line.reports(len(windows))
    wanted = reference_verdicts(python_features(windows), windows, health=Network(health), config=CONFIG)
    assert [r.number for r in reports] == list(range(100))
    assert [(r.verdict.state, r.verdict.change) for r in reports] == [(v.state, v.change) for v in wanted]
    assert [v.change for v in wanted if v.change] == ["raised", "cleared"]
    assert [r.number for r in reports if r.commissioned] == [49]
    assert {(r.faults, r.missing, r.dropped, r.boots) for r in reports} == {(0, 0, 0, 1)}
    raised = next(i for i, v in enumerate(wanted) if v.change == "raised")
    assert {(c.report, c.on_alarm, c.whole) for c in line.chunks} == {(raised, True, N)}
    np.testing.assert_array_equal(np.concatenate([c.samples for c in line.chunks]), windows[raised])


def test_features_are_the_contract_s(program: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    windows = machine(rng, 10, ringing=0.2)
    with host_node(program, tmp_path) as node:
        line = Line(node)
        node.feed(sample_bytes(windows.ravel()))
        reports = line.reports(10)
    found = np.stack([r.features for r in reports])[:, CHOSEN]
    wanted = python_features(windows)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max(axis=0).min())
    unknown = [i for i, feature in enumerate(NODE.features) if feature.needs]
    assert not np.stack([r.features for r in reports])[:, unknown].any()


def test_a_window_spans_no_gap_and_what_is_lost_is_counted(
    program: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    windows = machine(rng, 4)
    with host_node(program, tmp_path) as node:
        line = Line(node)
        node.feed(sample_bytes(windows[0]), sample_bytes(windows[1][:100]), missing_samples(77))
        node.feed(sample_bytes(windows[2]), sample_bytes(windows[3]))
        reports = line.reports(3)
    # The gap may have been read before the first window was worked on.
    assert [(r.missing, r.dropped) for r in reports] in (3 * [(77, 100)], [(0, 0), (77, 100), (77, 100)])
    wanted = python_features(windows[[0, 2, 3]])
    np.testing.assert_allclose(np.stack([r.features for r in reports])[:, CHOSEN][:, 1], wanted[:, 1], rtol=1e-4)


def test_a_baseline_outlives_the_loss_of_power(program: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    with host_node(program, tmp_path) as node:
        threshold = commissioned(Line(node), node, rng)[-1].verdict.threshold
        node.kill()
    with host_node(program, tmp_path) as node:
        line = Line(node)
        node.feed(sample_bytes(machine(rng, 4, ringing=0.5).ravel()))
        reports = line.reports(4)
    assert {r.verdict.threshold for r in reports} == {threshold}
    assert [r.verdict.state for r in reports] == [State.WATCHING] * 2 + [State.ALARM] * 2
    assert {(r.boots, r.reset_reason) for r in reports} == {(2, POWER)}


@pytest.mark.parametrize("operation", [1, 2, 3, 4, 5, 6])
def test_power_may_fail_in_any_write_of_commissioning(
    operation: int, program: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    """The count of starts is three operations, the baseline three more: it is learned anew, or it is there."""
    with host_node(program, tmp_path, arguments=[f"cut={operation}"]) as node:
        with suppress(ToolchainError):  # some end before they have taken anything
            node.feed(sample_bytes(machine(rng, 50).ravel()))
        assert node.wait(30.0) == POWER_CUT
    with host_node(program, tmp_path) as node:
        line = Line(node)
        reports = commissioned(line, node, rng)
        assert [r.number for r in reports if r.commissioned] == [49]
        assert reports[-1].faults == 0
        assert reports[-1].boots == (1 if operation <= 3 else 2)
        node.kill()
    with host_node(program, tmp_path) as node:
        line = Line(node)
        node.feed(sample_bytes(machine(rng, 1).ravel()))
        assert line.reports(1)[0].verdict.state == State.WATCHING


def test_another_version_of_the_network_learns_its_own_threshold(
    program: Path, built: Callable[[Setting], Path], tmp_path: Path, rng: np.random.Generator
) -> None:
    other = built(Setting(N, 20, 30, version=2))
    with host_node(program, tmp_path / "run") as node:
        commissioned(Line(node), node, rng)
    with host_node(other, tmp_path / "run") as node:
        line = Line(node)
        node.feed(sample_bytes(machine(rng, 31).ravel()))
        states = [r.verdict.state for r in line.reports(31)]
    assert states == [State.COMMISSIONING] * 29 + [State.WATCHING] * 2


def test_reports_wait_for_the_line_and_the_oldest_give_way(
    program: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    """Some forty reports fill line and memory; those of the alarm survive, and what gave way is counted."""
    with host_node(program, tmp_path) as node:
        line = Line(node)
        commissioned(line, node, rng)
        bad, good = machine(rng, 5, ringing=0.5), machine(rng, 2000)
        node.feed(sample_bytes(bad.ravel()), sample_bytes(good.ravel()))
        found = line.messages()
        reports = [next(found)]
        while reports[-1].number < 49 + 2005:
            reports.append(next(found))
    numbers = [r.number for r in reports]
    assert numbers == sorted(set(numbers))
    lost = 2005 - len(reports)
    assert reports[-1].reports_dropped <= lost + 0
    assert reports[-1].reports_dropped == lost
    assert [r.verdict.change for r in reports if r.verdict.change] == ["raised", "cleared"]


def test_silence_is_a_fault_until_samples_come_again(
    built: Callable[[Setting], Path], tmp_path: Path, rng: np.random.Generator
) -> None:
    program = built(Setting(N, 20, 30, silence_ms=300))
    with host_node(program, tmp_path / "run") as node:
        line = Line(node)
        silent = line.reports(1)[0]
        assert (silent.faults, silent.verdict.state, silent.has_features) == (SAMPLES_FAULT, State.FAULT, False)
        node.feed(sample_bytes(machine(rng, 1).ravel()))
        found = line.messages()
        while not (report := next(found)).has_features:
            assert report.faults == SAMPLES_FAULT
        assert (report.faults, report.verdict.state) == (0, State.COMMISSIONING)


def test_a_period_leaves_windows_out(
    built: Callable[[Setting], Path], tmp_path: Path, rng: np.random.Generator
) -> None:
    program = built(Setting(N, 20, 30, period_ms=200))
    machine(rng, 4).ravel().astype("<i2").tofile(tmp_path / "replay.i16")
    arguments = [f"replay={tmp_path / 'replay.i16'}", "rate=12000"]
    with host_node(program, tmp_path / "run", lines=["link"], arguments=arguments) as node:
        line = Line(node)
        # Between the first and the last: a host under load is late with one, and early with the next.
        times = [report.time_ms for report in line.reports(10)][1:]
        assert abs((times[-1] - times[0]) / (len(times) - 1) - 200) < 40
        line.tell(b"p" + (0).to_bytes(4, "little"))
        faster = line.reports(8)
        assert np.median(np.diff([r.time_ms for r in faster])[3:]) < 100


def test_a_waveform_comes_when_it_is_asked_for(program: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    windows = machine(rng, 3)
    with host_node(program, tmp_path) as node:
        line = Line(node)
        node.feed(sample_bytes(windows[0]))
        assert line.reports(1)[0].number == 0
        line.tell(b"w")
        node.feed(sample_bytes(windows[1:].ravel()))
        chunks = line.chunks_of_window()
    assert {(c.on_alarm, c.whole) for c in chunks} == {(False, N)}
    samples = np.concatenate([c.samples for c in chunks])
    np.testing.assert_array_equal(samples, windows[chunks[0].report])


def test_with_a_low_supply_the_baseline_waits_and_verdicts_go_on(
    built: Callable[[Setting], Path], tmp_path: Path, rng: np.random.Generator
) -> None:
    """The supply is low in the process's first second; commissioning ends within it."""
    program = built(SETTING)
    with host_node(program, tmp_path / "run", arguments=["low=0"]) as node:
        line = Line(node)
        reports = commissioned(line, node, rng)
        low = [r for r in reports if r.faults]
        assert {r.faults for r in low} <= {SUPPLY_FAULT}
        assert reports[0].faults == SUPPLY_FAULT
        assert reports[0].verdict.state == State.COMMISSIONING
        found = line.messages()
        while True:
            node.feed(sample_bytes(machine(rng, 1).ravel()))
            if next(found).faults == 0:
                break
        node.kill()
    with host_node(program, tmp_path / "run") as node:
        line = Line(node)
        node.feed(sample_bytes(machine(rng, 1).ravel()))
        assert line.reports(1)[0].verdict.state == State.WATCHING
