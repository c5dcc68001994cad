"""C features equal Python's on every window of real recordings; all builds give the same bits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from node_windows import Recorded, cwru_windows, femto_windows, server_features

from edge.compiler.host import run_on_host
from edge.emulator.running import run_on_m4
from edge.emulator.toolchain import Toolchain, find_toolchain
from edge.node.frontend import HostFrontend, build_host_frontend, frontend_cases, frontend_library, read_features
from edge.node.parity import excess
from features.contract import NODE
from features.errors import ToolchainError


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> HostFrontend:
    return build_host_frontend(tmp_path_factory.mktemp("frontend"))


def too_far(frontend: HostFrontend, record: Recorded) -> list[str]:
    found = frontend.extract(record.windows, record.setup, shaft_hz=record.shaft_hz)
    over = excess(found, server_features(record), record.setup, n=record.windows.shape[-1])
    return [
        f"{record.name}: {name} differs {share:.2f} times as much as allowed"
        for name, share in zip(NODE.names, over.max(axis=0), strict=True)
        if not share <= 1.0
    ]


def test_every_window_of_cwru(frontend: HostFrontend, data_dir: Path) -> None:
    n_windows, found = 0, []
    for record in cwru_windows(data_dir / "cwru", n=2048):
        n_windows += len(record.windows)
        found += too_far(frontend, record)
    assert found == []
    assert n_windows > 3500


@pytest.mark.parametrize(
    ("n", "rate_hz", "unit"),
    [(256, 12_000.0, "m/s2"), (512, 3_000.0, "g"), (1024, 48_000.0, "g"), (4096, 12_000.0, "mm/s")],
)
def test_windows_of_other_lengths_rates_and_units(
    frontend: HostFrontend, data_dir: Path, n: int, rate_hz: float, unit: str
) -> None:
    records = list(cwru_windows(data_dir / "cwru", n=n, rate_hz=rate_hz, unit=unit))[::5]
    assert [line for record in records for line in too_far(frontend, record)] == []


@pytest.mark.parametrize("n", [512, 2048])
def test_windows_of_whole_bearing_lives(frontend: HostFrontend, data_dir: Path, n: int) -> None:
    records = list(femto_windows(data_dir / "femto", n=n, every=20))
    assert len(records) == 6
    assert [line for record in records for line in too_far(frontend, record)] == []


@pytest.fixture
def records(data_dir: Path) -> list[Recorded]:
    return list(cwru_windows(data_dir / "cwru", n=2048))


@pytest.fixture
def firsts(records: list[Recorded]) -> list[Recorded]:
    """The first window of each record."""
    return [Recorded(r.name, r.windows[:1], r.setup, r.shaft_hz) for r in records]


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


def packed(records: list[Recorded]) -> np.ndarray:
    return np.concatenate([frontend_cases(r.windows, r.setup, shaft_hz=r.shaft_hz) for r in records])


def assert_same_bits(outputs: np.ndarray, frontend: HostFrontend, records: list[Recorded]) -> None:
    status, features = read_features(outputs)
    wanted = np.concatenate([frontend.extract(r.windows, r.setup, shaft_hz=r.shaft_hz) for r in records])
    assert (status == 0).all()
    np.testing.assert_array_equal(features.view(np.int32), wanted.view(np.int32))


def test_the_sanitised_build_gives_the_same(firsts: list[Recorded], frontend: HostFrontend, tmp_path: Path) -> None:
    library = frontend_library(tmp_path / "library", n=2048)
    outputs = run_on_host(library, packed(firsts), tmp_path / "program", sanitise=True)
    assert_same_bits(outputs, frontend, firsts)


def test_the_emulated_node_gives_the_same_for_every_window(
    records: list[Recorded], frontend: HostFrontend, toolchain: Toolchain, tmp_path: Path
) -> None:
    # Of every fourth record: all of them take a busy machine minutes.
    some, library = records[::4], frontend_library(tmp_path, n=2048)
    assert_same_bits(run_on_m4(library, packed(some), count=False, toolchain=toolchain).outputs, frontend, some)


def test_the_emulated_node_takes_what_the_page_says(
    firsts: list[Recorded], toolchain: Toolchain, tmp_path: Path
) -> None:
    run = run_on_m4(frontend_library(tmp_path, n=2048), packed(firsts), toolchain=toolchain)
    page = (Path(__file__).parents[2] / "docs" / "FRONTEND.md").read_text(encoding="utf-8")
    (stated,) = re.findall(r"^\| 2048 \| [\d,]+ \| ([\d,]+) \| ([\d,]+) \|", page, flags=re.MULTILINE)
    # Another compiler may count otherwise; the page must not be off by more.
    assert [run.instructions, run.cycles] == pytest.approx([int(text.replace(",", "")) for text in stated], rel=0.03)
    assert run.stack_bytes <= 600
    assert run.flash_bytes <= 16_384
