"""Packed models for nodes that are updated over their link, what such a node is built of, and the host's part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from node_hosting import NodeHost
from watching import linear_autoencoder, write_networks

from edge.compiler.layouts import RUNTIME
from edge.compiler.packed import describe
from edge.compiler.packing import pack_model
from edge.node.building import NODE_FOLDERS, Source, loader_sources, node_sources
from edge.node.package import image_id, make_image, render_key_header
from edge.node.reference import CHOSEN
from edge.node.running import RunningNode
from edge.oracle import run_tflm
from features.contract import NODE

__all__ = [
    "CHUNK",
    "CONFIRMED",
    "EMPTY",
    "STAGED",
    "TRIAL",
    "K",
    "ModelMaker",
    "autoencoder",
    "connected",
    "hello_of_boot",
    "send",
    "status_after",
    "update",
    "updating_sources",
]

K = len(CHOSEN)
CHUNK = 300
EMPTY, _, STAGED, TRIAL, CONFIRMED = range(5)


def autoencoder(seed: int) -> bytes:
    """A network of health as a `.tflite`, that of another seed being another one; it has learned nothing."""
    return linear_autoencoder(np.random.default_rng(seed).normal(size=(80, K)).astype(np.float32), n_code=6)


@dataclass(frozen=True)
class ModelMaker:
    """Makes images of packed models, whose golden outputs are what TFLite Micro gives."""

    key: Ed25519PrivateKey

    def packed(self, version: int) -> tuple[bytes, bytes, bytes]:
        """A model of its own for each version, a golden window, and what that must give."""
        network = autoencoder(version)
        given = np.random.default_rng(version).integers(-128, 128, (1, K), dtype=np.int8)
        return pack_model(network), given.tobytes(), run_tflm(network, given).tobytes()

    def __call__(
        self,
        version: int,
        *,
        golden_step: int = 0,
        contract: str = NODE.hash,
        operators: Sequence[int] | None = None,
        signer: Ed25519PrivateKey | None = None,
    ) -> bytes:
        packed, given, wanted = self.packed(version)
        said = describe(packed)
        return make_image(
            packed,
            version=version,
            contract=bytes.fromhex(contract),
            operators=said.needs if operators is None else operators,
            memory_bytes=said.memory_bytes + said.arena_bytes,
            golden_input=given,
            golden_output=bytes([(wanted[0] + golden_step) % 256]) + wanted[1:],
            name=f"model {version}",
            metrics={},
            key=signer or self.key,
        )


def updating_sources(
    folder: Path, key: Ed25519PrivateKey, definitions: Sequence[str], *, health: bytes | None = None
) -> tuple[list[Source], list[Path]]:
    """What a node is built of that takes models signed by a key; until then `health` judges, or what knows nothing."""
    written, places = write_networks(folder / "networks", health=health or autoencoder(0))
    (folder / "keys").mkdir()
    (folder / "keys" / "rw_update_keys.h").write_text(render_key_header([key.public_key()]))
    sources = [Source(path) for path in node_sources(updates=True)]
    main = ("RW_NODE_UPDATES=1", *definitions)
    sources = [replace(s, definitions=main) if s.path.name == "rw_main.c" else s for s in sources]
    sources += [Source(path, "model") for path in written] + loader_sources(written)
    return sources, [*places, *NODE_FOLDERS, RUNTIME, folder / "keys"]


def connected(node: RunningNode) -> NodeHost:
    host = NodeHost(node)
    host.until(lambda: bool(host.of("hello")), limit_s=60.0)
    return host


def status_after(host: NodeHost, kind: str, **entries: object) -> dict[str, int]:
    seen = len(host.of("update_status"))
    host.tell(kind, **entries)
    host.until(lambda: len(host.of("update_status")) > seen, limit_s=60.0)
    return host.of("update_status")[-1]


def send(host: NodeHost, image: bytes) -> dict[str, int]:
    """The image, from where the node wants it on; its answer to the last piece, or to the first that it refused."""
    begun = status_after(host, "update_begin", size=len(image), image=image_id(image))
    seen = len(host.of("update_status"))
    for at in range(begun["offset"], len(image), CHUNK):
        host.tell("update_chunk", offset=at, data=image[at : at + CHUNK])
    host.until(lambda: len(host.of("update_status")) > seen, limit_s=60.0)
    return host.of("update_status")[seen]


def hello_of_boot(host: NodeHost, boot: int) -> dict[str, int]:
    host.until(lambda: any(hello["boot"] == boot for hello in host.of("hello")), limit_s=60.0)
    return next(hello for hello in host.of("hello") if hello["boot"] == boot)


def update(host: NodeHost, image: bytes, *, boot: int) -> None:
    """Take, try and confirm."""
    assert (send(host, image)["slot"], host.of("update_status")[-1]["reason"]) == (STAGED, 0)
    assert (status_after(host, "update_try")["slot"], host.of("update_status")[-1]["reason"]) == (TRIAL, 0)
    hello = hello_of_boot(host, boot)
    assert hello["slot"] == TRIAL
    assert status_after(host, "update_confirm", version=hello["model"])["slot"] == CONFIRMED
