"""C features equal Python's on every window of real recordings; all builds give the same bits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from node_windows import Recorded, cwru_windows, femto_windows, server_features

from edge.compiler.host import run_on_host
from edge.emulator.running import run_on_m4
from edge.emulator.toolchain import find_toolchain
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
def cases(data_dir: Path) -> list[Recorded]:
    """The first window of each record."""
    records = cwru_windows(data_dir / "cwru", n=2048)
    return [Recorded(record.name, record.windows[:1], record.setup, record.shaft_hz) for record in records]


def packed(cases: list[Recorded]) -> np.ndarray:
    return np.concatenate([frontend_cases(r.windows, r.setup, shaft_hz=r.shaft_hz) for r in cases])


def on_host(frontend: HostFrontend, cases: list[Recorded]) -> np.ndarray:
    return np.concatenate([frontend.extract(r.windows, r.setup, shaft_hz=r.shaft_hz) for r in cases])


def test_the_sanitised_build_gives_the_same(cases: list[Recorded], frontend: HostFrontend, tmp_path: Path) -> None:
    library = frontend_library(tmp_path / "library", n=2048)
    status, features = read_features(run_on_host(library, packed(cases), tmp_path / "program", sanitise=True))
    assert (status == 0).all()
    np.testing.assert_array_equal(features.view(np.int32), on_host(frontend, cases).view(np.int32))


def test_the_emulated_node_gives_the_same(cases: list[Recorded], frontend: HostFrontend, tmp_path: Path) -> None:
    try:
        toolchain = find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")
    library = frontend_library(tmp_path / "library", n=2048)
    run = run_on_m4(library, packed(cases), toolchain=toolchain)
    status, features = read_features(run.outputs)
    assert (status == 0).all()
    np.testing.assert_array_equal(features.view(np.int32), on_host(frontend, cases).view(np.int32))
    # Another compiler may count otherwise; the page must not be off by more.
    page = (Path(__file__).parents[2] / "docs" / "FRONTEND.md").read_text(encoding="utf-8")
    (stated,) = re.findall(r"^\| 2048 \| [\d,]+ \| ([\d,]+) \| ([\d,]+) \|", page, flags=re.MULTILINE)
    assert [run.instructions, run.cycles] == pytest.approx([int(text.replace(",", "")) for text in stated], rel=0.03)
