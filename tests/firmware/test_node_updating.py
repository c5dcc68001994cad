"""A node that is updated over its link: taken, tried, confirmed, refused, given up, and cut off in the middle of it.

The models are a stand-in that adds a number to its inputs; what is tried here is the way of an image, not its network.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from node_hosting import NodeHost
from tflite_making import Node, value, write_tflite
from watching import write_networks

from edge.node.building import NODE_FOLDERS, Source, node_sources
from edge.node.host import build_host_firmware, host_node
from edge.node.package import generate_key, image_id, make_image, read_private_key, render_key_header
from edge.node.reference import CHOSEN
from edge.node.running import POWER_CUT, RunningNode
from features.contract import NODE
from features.errors import ToolchainError

K = len(CHOSEN)
EMPTY, RECEIVING, STAGED, TRIAL, CONFIRMED = range(5)
SIGNATURE, DIGEST, VERSION, CONTRACT, GOLDEN, UNCONFIRMED, ABORTED = 9, 11, 12, 13, 16, 17, 18
FAKE = Path(__file__).parent / "fake_model"
CHUNK = 300


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return read_private_key(generate_key())


@pytest.fixture(scope="module")
def program(key: Ed25519PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("updating")
    identity = write_tflite(
        [value((1, K), 0.1), value((1, K), 0.1)], [Node("RELU", (0,), (1,))], inputs=[0], outputs=[1]
    )
    written, places = write_networks(folder / "networks", health=identity)
    (folder / "keys").mkdir()
    (folder / "keys" / "rw_update_keys.h").write_text(render_key_header([key.public_key()]))
    main = ("RW_NODE_RATE_HZ=12000.0f", "RW_NODE_SCALE=1e-3f", "RW_NODE_SAMPLES=256u", "RW_NODE_UPDATES=1")
    sources = [
        Source(path, definitions=main if path.name == "rw_main.c" else ()) for path in node_sources(updates=True)
    ]
    sources += [Source(FAKE / "rw_model.c"), *(Source(path, "model") for path in written)]
    includes = [*places, *NODE_FOLDERS, FAKE, folder / "keys"]
    return build_host_firmware(sources, folder / "build", includes=includes, sanitise=True)


Make = Callable[..., bytes]


@pytest.fixture(scope="module")
def make(key: Ed25519PrivateKey) -> Make:
    def made(
        version: int, *, added: int = 1, golden: int = 1, contract: str = NODE.hash, signer: object = key
    ) -> bytes:
        given = np.arange(K, dtype=np.int8)
        return make_image(
            b"FAKE" + bytes([K, added]) + bytes(2000),
            version=version,
            contract=bytes.fromhex(contract),
            operators=[1],
            memory_bytes=1024,
            golden_input=given.tobytes(),
            golden_output=(given + np.int8(golden)).tobytes(),
            name=f"fake {version}",
            metrics={},
            key=signer,  # type: ignore[arg-type]
        )

    return made


def status_after(host: NodeHost, kind: str, **entries: object) -> dict[str, int]:
    seen = len(host.of("update_status"))
    host.tell(kind, **entries)
    host.until(lambda: len(host.of("update_status")) > seen, limit_s=20.0)
    return host.of("update_status")[-1]


def send(host: NodeHost, image: bytes) -> dict[str, int]:
    """The image, from where the node wants it on; its answer to the last piece, or to the first that it refused."""
    begun = status_after(host, "update_begin", size=len(image), image=image_id(image))
    seen = len(host.of("update_status"))
    for at in range(begun["offset"], len(image), CHUNK):
        host.tell("update_chunk", offset=at, data=image[at : at + CHUNK])
    host.until(lambda: len(host.of("update_status")) > seen, limit_s=20.0)
    return host.of("update_status")[seen]


def hello_of_boot(host: NodeHost, boot: int) -> dict[str, int]:
    host.until(lambda: any(hello["boot"] == boot for hello in host.of("hello")), limit_s=30.0)
    return next(hello for hello in host.of("hello") if hello["boot"] == boot)


def connected(node: RunningNode) -> NodeHost:
    host = NodeHost(node)
    host.until(lambda: bool(host.of("hello")), limit_s=20.0)
    return host


def update(host: NodeHost, image: bytes, *, boot: int) -> None:
    """Take, try and confirm."""
    assert (send(host, image)["slot"], host.of("update_status")[-1]["reason"]) == (STAGED, 0)
    host.tell("update_try")
    hello = hello_of_boot(host, boot)
    assert hello["slot"] == TRIAL
    assert status_after(host, "update_confirm", version=hello["model"])["slot"] == CONFIRMED


def test_a_model_is_taken_tried_and_confirmed_and_stays(program: Path, make: Make, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = connected(node)
        assert (host.of("hello")[0]["model"], host.of("hello")[0]["slot"]) == (0, EMPTY)
        update(host, make(5), boot=2)
        update(host, make(6), boot=3)
        node.kill()
    with host_node(program, tmp_path) as node:
        assert connected(node).of("hello")[0]["model"] == 6


def test_what_must_not_run_is_refused_with_its_reason(program: Path, make: Make, tmp_path: Path) -> None:
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
        ):
            assert send(host, image)["reason"] == reason
        assert send(host, make(7, golden=2))["slot"] == STAGED
        host.tell("update_try")
        assert hello_of_boot(host, 3)["model"] == 5
        assert status_after(host, "update_query")["reason"] == GOLDEN


def test_a_model_that_nobody_confirms_is_given_up(program: Path, make: Make, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = connected(node)
        update(host, make(5), boot=2)
        send(host, make(6))
        host.tell("update_try")
        models = [hello_of_boot(host, 3)["model"]]
        for boot in (4, 5, 6, 7):
            host.tell("configure", reset=True)
            models.append(hello_of_boot(host, boot)["model"])
        assert models[0] == 6
        assert models[-1] == 5
        assert sorted(models, reverse=True) == models
        assert status_after(host, "update_query")["reason"] == UNCONFIRMED


def test_a_trial_can_be_aborted(program: Path, make: Make, tmp_path: Path) -> None:
    with host_node(program, tmp_path) as node:
        host = connected(node)
        send(host, make(6))
        host.tell("update_try")
        assert hello_of_boot(host, 2)["model"] == 6
        host.tell("update_abort")
        assert hello_of_boot(host, 3)["model"] == 0
        assert status_after(host, "update_query")["reason"] == ABORTED


@pytest.mark.parametrize("operation", [1, 4, 5, 8, 30, 61, 62, 63, 64, 100, 200, 290, 300, 305, 310, 315])
def test_power_may_fail_in_the_middle_of_an_update(operation: int, program: Path, make: Make, tmp_path: Path) -> None:
    """The node comes back with the old model or the new one, whole, and takes the new one then."""
    with host_node(program, tmp_path) as node:
        update(connected(node), make(5), boot=2)
        node.kill()
    with host_node(program, tmp_path, arguments=[f"cut={operation}"]) as node:
        try:
            update(connected(node), make(6), boot=4)
            node.kill()
        except (AssertionError, BrokenPipeError, ConnectionResetError, ToolchainError):
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
