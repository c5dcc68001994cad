"""A node whose networks run in a TFLite Micro library: built by CMake, here against a stand-in with its interface."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from node_hosting import NodeHost
from tflm_stand_in import stand_in
from updating_firmware import K, autoencoder

from app.cli import _raceway
from edge.node.building import FIRMWARE, NODE_FOLDERS, Source, node_sources
from edge.node.factory import write_tflm_factory
from edge.node.host import build_host_firmware, host_node
from edge.node.running import sample_bytes
from features.errors import ArtifactError

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("gcc", "g++", "cmake")), reason="no gcc, g++ or cmake here"
)

N, N_SCALE, N_TAIL = 256, 4, 30
COMMISSIONING, WATCHING, ALARM, FAULT = range(4)
DEFINITIONS = (
    "RW_NODE_RATE_HZ=12000.0f",
    "RW_NODE_SCALE=1e-3f",
    f"RW_NODE_SAMPLES={N}u",
    f"RW_NODE_N_SCALE={N_SCALE}u",
    f"RW_NODE_N_TAIL={N_TAIL}u",
    "RW_NODE_PERIOD_MS=0u",
)


def _cmake(folder: Path, root: Path, *options: str) -> Path:
    """Configure and build; the folder of the libraries."""
    build = folder / "build"
    places = [f"-DRW_FIRMWARE={FIRMWARE}", f"-DTFLM_ROOT={root}", *options]
    for command in (["cmake", "-S", str(folder), "-B", str(build), *places], ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return build


def _states(build: Path, folder: Path, rng: np.random.Generator) -> list[tuple[int, bool]]:
    """States that a node with these libraries reports from its commissioning on, and whether it scored."""
    sources = [Source(path, definitions=DEFINITIONS if path.name == "rw_main.c" else ()) for path in node_sources()]
    libraries = [build / "librw_networks.a", build / "health" / "librw_health.a", "-lstdc++"]
    program = build_host_firmware(sources, folder, includes=NODE_FOLDERS, libraries=libraries)
    windows = rng.integers(-1000, 1000, (N_SCALE + N_TAIL + 4, N)).astype(np.int16)
    with host_node(program, folder / "run") as node:
        host = NodeHost(node)
        for i, window in enumerate(windows):
            node.feed(sample_bytes(window))
            host.reports(i + 1)
    return [(one["state"], "score" in one) for one in host.of("report")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in(tmp_path_factory.mktemp("tflm"), input_bytes=K, output_bytes=K)


def test_a_node_judges_by_a_network_of_tflite_micro(root: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "health.tflite").write_bytes(autoencoder(1))
    asked = ["node", "networks", str(tmp_path / "networks"), "--health", str(tmp_path / "health.tflite")]
    done = CliRunner().invoke(_raceway, [*asked, "--runtime", "tflm"])
    assert done.exit_code == 0, done.output
    found = _states(_cmake(tmp_path / "networks", root), tmp_path / "node", rng)
    assert found[0] == (COMMISSIONING, False)
    assert found[-1] == (WATCHING, True)
    again = CliRunner().invoke(_raceway, [*asked, "--runtime", "tflm"])
    assert (again.exit_code, "is not empty" in again.output) == (2, True)


def test_without_memory_for_the_interpreter_it_says_that_it_cannot_judge(
    root: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = write_tflm_factory(tmp_path / "networks", health=autoencoder(1))
    build = _cmake(folder, root, "-DCMAKE_C_FLAGS=-DRW_HEALTH_INTERPRETER_BYTES=0u")
    assert set(_states(build, tmp_path / "node", rng)) == {(FAULT, False)}


def test_without_the_library_or_the_firmware_cmake_says_so(tmp_path: Path) -> None:
    folder = write_tflm_factory(tmp_path / "networks", health=autoencoder(1))
    for option, sentence in ((f"-DRW_FIRMWARE={FIRMWARE}", "TFLM_ROOT is not set"), ("-DA=1", "RW_FIRMWARE is ''")):
        command = ["cmake", "-S", str(folder), "-B", str(tmp_path / option[:5]), option]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert sentence in " ".join(done.stderr.split())


def test_both_runtimes_refuse_a_damaged_network(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        write_tflm_factory(tmp_path / "networks", health=b"none")
    assert not (tmp_path / "networks").exists()
