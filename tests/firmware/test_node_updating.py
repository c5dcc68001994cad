"""A node that is updated over its link: taken, tried, confirmed, refused, given up, and cut off in the middle of it.

The models are packed networks of health, run by the kernels where they lie in the node's flash.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from updating_firmware import (
    CONFIRMED,
    EMPTY,
    STAGED,
    TRIAL,
    ModelMaker,
    autoencoder,
    connected,
    hello_of_boot,
    send,
    status_after,
    update,
    updating_sources,
)

from edge.node.host import build_host_firmware, host_node
from edge.node.package import generate_key, read_private_key
from edge.node.reference import CHOSEN, Network, NodeConfig, reference_verdicts
from edge.node.running import POWER_CUT, sample_bytes
from features.contract import NODE
from features.errors import ToolchainError
from features.extraction import extract

BUSY, NOT_BEGUN, SIGNATURE, DIGEST, VERSION, CONTRACT, OPERATOR = 3, 4, 9, 11, 12, 13, 14
GOLDEN, UNCONFIRMED, ABORTED = 16, 17, 18
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
NO_OPERATOR = 0x7FFF


@pytest.fixture(scope="module")
def make() -> ModelMaker:
    return ModelMaker(read_private_key(generate_key()))


@pytest.fixture(scope="module")
def program(make: ModelMaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("updating")
    sources, includes = updating_sources(folder, make.key, DEFINITIONS)
    return build_host_firmware(sources, folder / "build", includes=includes, sanitise=True)


def test_a_model_is_taken_tried_and_confirmed_and_stays(program: Path, make: ModelMaker, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = connected(node)
        assert (host.of("hello")[0]["model"], host.of("hello")[0]["slot"]) == (0, EMPTY)
        update(host, make(5), boot=2)
        update(host, make(6), boot=3)
        node.kill()
    with host_node(program, tmp_path) as node:
        assert connected(node).of("hello")[0]["model"] == 6


def test_what_must_not_run_is_refused_with_its_reason(program: Path, make: ModelMaker, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = connected(node)
        update(host, make(5), boot=2)
        whole = make(7)
        damaged = whole[:-1] + b"\x01"
        stranger = read_private_key(generate_key())
        for image, reason in (
            (damaged, DIGEST),
            (make(7, signer=stranger), SIGNATURE),
            (make(5), VERSION),
            (make(4), VERSION),
            (make(7, contract="00" * 8), CONTRACT),
            (make(7, operators=[NO_OPERATOR]), OPERATOR),
        ):
            assert send(host, image)["reason"] == reason
        assert [hello["boot"] for hello in host.of("hello")] == [1, 2]


def windows_of(rng: np.random.Generator, n: int) -> NDArray[np.int16]:
    t = np.arange(n * N) / RATE_HZ
    x = 0.3 * np.sin(2 * np.pi * 29.0 * t) + 0.1 * rng.normal(size=t.size)
    return np.round(x / SCALE).astype(np.int16).reshape(n, N)


def features_of(windows: NDArray[np.int16]) -> NDArray[np.float32]:
    unaided = NODE.knowing()
    found = extract(windows.astype(np.float32) * np.float32(SCALE), RATE_HZ, profile=unaided, unit="g")
    return found[:, [unaided.index(NODE.names[i]) for i in CHOSEN]]


def test_the_model_of_the_slot_judges_also_behind_one_that_fails_its_golden_window(
    program: Path, make: ModelMaker, tmp_path: Path, rng: np.random.Generator
) -> None:
    windows = windows_of(rng, 50)
    with host_node(program, tmp_path) as node:
        host = connected(node)
        update(host, make(5), boot=2)
        for i, window in enumerate(windows):
            if i == 45:
                assert send(host, make(7, golden_step=1))["slot"] == STAGED
                refused = status_after(host, "update_try")
                assert (refused["slot"], refused["reason"], refused["version"]) == (EMPTY, GOLDEN, 5)
            node.feed(sample_bytes(window))
            host.reports(i + 1)
        reports = [r for r in host.of("report") if r["boot"] == 2]
        assert status_after(host, "update_try")["reason"] == NOT_BEGUN
        assert len(host.of("hello")) == 2, "nothing was tried, so nothing starts anew"
    wanted = reference_verdicts(features_of(windows), windows, health=Network(autoencoder(5)), config=CONFIG)
    other = reference_verdicts(features_of(windows), windows, health=Network(autoencoder(0)), config=CONFIG)
    assert {r["model"] for r in reports} == {5}
    assert [r["state"] for r in reports] == [int(v.state) for v in wanted]
    scores = [r["score"] for r in reports[CONFIG.n_scale :]]
    assert scores == pytest.approx([v.score for v in wanted[CONFIG.n_scale :]], rel=1e-3)
    assert scores != pytest.approx([v.score for v in other[CONFIG.n_scale :]], rel=1e-2)


def test_a_model_that_nobody_confirms_is_given_up(program: Path, make: ModelMaker, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = connected(node)
        update(host, make(5), boot=2)
        send(host, make(6))
        host.tell("update_try")
        models = [hello_of_boot(host, 3)["model"]]
        for boot in (4, 5, 6):
            host.tell("configure", reset=True)
            models.append(hello_of_boot(host, boot)["model"])
        assert models == [6, 6, 6, 5], "three starts to be confirmed in"
        assert status_after(host, "update_query")["reason"] == UNCONFIRMED


def test_a_trial_can_be_aborted(program: Path, make: ModelMaker, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = connected(node)
        send(host, make(6))
        assert status_after(host, "update_try")["slot"] == TRIAL
        assert status_after(host, "update_confirm", version=6)["reason"] == BUSY, "it has not run yet"
        assert hello_of_boot(host, 2)["model"] == 6
        host.tell("update_abort")
        host.tell("update_begin", size=1000, image=bytes(16))
        host.until(lambda: host.of("update_status")[-1]["reason"] == BUSY)
        assert hello_of_boot(host, 3)["model"] == 0
        assert status_after(host, "update_query")["reason"] == ABORTED


@pytest.mark.parametrize("operation", [1, 3, 4, 5, 6, 8, 20, 40, 47, 50, 51, 52, 53, 54, 55, 56])
def test_power_may_fail_in_the_middle_of_an_update(
    operation: int, program: Path, make: ModelMaker, tmp_path: Path
) -> None:
    """The node comes back with the old model or the new one, whole, and takes the new one then."""
    with host_node(program, tmp_path) as node:
        update(connected(node), make(5), boot=2)
        node.kill()
    with host_node(program, tmp_path, arguments=[f"cut={operation}"]) as node:
        with pytest.raises((AssertionError, BrokenPipeError, ConnectionResetError, ToolchainError)):
            update(connected(node), make(6), boot=4)
        assert node.wait(10.0) == POWER_CUT
    with host_node(program, tmp_path) as node:
        host = connected(node)
        hello = host.of("hello")[0]
        assert hello["model"] in (5, 6)
        if hello["slot"] == TRIAL:
            assert status_after(host, "update_confirm", version=6)["slot"] == CONFIRMED
        elif hello["model"] == 5:
            update(host, make(6), boot=hello["boot"] + 1)
        node.kill()
    with host_node(program, tmp_path) as node:
        assert connected(node).of("hello")[0]["model"] == 6
