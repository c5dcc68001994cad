"""An emulated node that takes a packed model over its UART: it judges with it, and keeps what was confirmed alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from node_hosting import NodeHost
from updating_firmware import (
    CONFIRMED,
    STAGED,
    TRIAL,
    ModelMaker,
    connected,
    hello_of_boot,
    send,
    status_after,
    updating_sources,
)

from edge.emulator.toolchain import Toolchain, find_toolchain
from edge.node.building import Firmware, build_firmware
from edge.node.package import generate_key, read_private_key
from edge.node.qemu import emulated_node
from edge.node.running import RunningNode, sample_bytes
from features.errors import ToolchainError

N, UNCONFIRMED = 256, 17
DEFINITIONS = (
    "RW_NODE_RATE_HZ=12000.0f",
    "RW_NODE_SCALE=1e-3f",
    f"RW_NODE_SAMPLES={N}u",
    "RW_NODE_PERIOD_MS=0u",
    "RW_NODE_SILENCE_MS=60000u",
)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    try:
        return find_toolchain()
    except ToolchainError as error:
        pytest.skip(f"no emulated Cortex-M4: {error}")


@pytest.fixture(scope="module")
def make() -> ModelMaker:
    return ModelMaker(read_private_key(generate_key()))


@pytest.fixture(scope="module")
def firmware(make: ModelMaker, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    folder = tmp_path_factory.mktemp("updating")
    sources, includes = updating_sources(folder, make.key, DEFINITIONS)
    return build_firmware("mps2_an386", sources, folder / "build", includes=includes, toolchain=toolchain)


def try_model(host: NodeHost, image: bytes, *, boot: int) -> None:
    assert send(host, image)["slot"] == STAGED
    assert status_after(host, "update_try")["slot"] == TRIAL
    assert hello_of_boot(host, boot)["slot"] == TRIAL


def model_of_a_report(node: RunningNode, host: NodeHost, *, boot: int) -> int:
    """Which model a window is reported under, in a start."""
    window = np.random.default_rng(boot).integers(-1000, 1000, N).astype(np.int16)
    node.feed(sample_bytes(window))
    host.until(lambda: any(r["boot"] == boot for r in host.of("report")))
    return int(host.of("report")[-1]["model"])


def test_a_confirmed_model_stays_and_one_that_nobody_confirms_does_not(
    firmware: Firmware, make: ModelMaker, toolchain: Toolchain, tmp_path: Path
) -> None:
    with emulated_node(firmware, tmp_path, toolchain=toolchain, deadline_s=280.0) as node:
        host = connected(node)
        assert model_of_a_report(node, host, boot=1) == 0, "the factory's"
        try_model(host, make(5), boot=2)
        assert model_of_a_report(node, host, boot=2) == 5
        assert status_after(host, "update_confirm", version=5)["slot"] == CONFIRMED
        node.kill()
    with emulated_node(firmware, tmp_path, toolchain=toolchain, deadline_s=280.0) as node:
        host = connected(node)
        assert (host.of("hello")[0]["boot"], model_of_a_report(node, host, boot=3)) == (3, 5)
        try_model(host, make(6), boot=4)
        assert model_of_a_report(node, host, boot=4) == 6
        for boot in (5, 6):
            host.tell("configure", reset=True)
            assert hello_of_boot(host, boot)["model"] == 6
        host.tell("configure", reset=True)
        assert hello_of_boot(host, 7)["model"] == 5
        assert status_after(host, "update_query")["reason"] == UNCONFIRMED
        assert model_of_a_report(node, host, boot=7) == 5
