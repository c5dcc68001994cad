"""Makes a signed image of a network of health by itself; refuses one that a node would not take or could not run.

What the manifest says of needs, memory and golden window comes from the packed model: it is read, and run on this
machine by the node's own loader and kernels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from edge.compiler.host import run_on_host
from edge.compiler.layouts import number_named
from edge.compiler.packed import PackedModel, describe, packed_library
from edge.compiler.packing import pack_model
from edge.node.package import make_image
from edge.node.reference import CHOSEN
from features.contract import NODE
from features.errors import ArtifactError, ContractError

__all__ = ["package_model"]

_SEED = 0


def package_model(
    model: bytes,
    *,
    version: int,
    name: str,
    key: Ed25519PrivateKey,
    contract: str = NODE.hash,
    golden_input: bytes | None = None,
    metrics: Mapping[str, float] | None = None,
) -> bytes:
    """Pack, describe and sign a network that rebuilds scaled features.

    Parameters
    ----------
    model : bytes
        An int8 `.tflite`, or what `edge.compiler.packing.pack_model` made of one.
    version : int
        Above all that nodes confirmed.
    name : str
        1 to 32 bytes.
    key : Ed25519PrivateKey
        Whose public half the nodes hold.
    contract : str
        Hash of the features that it was learned on.
    golden_input : bytes, optional
        A window of its input, int8; drawn over the whole range where none is given.
    metrics : mapping of str to float, optional
        For people.

    Returns
    -------
    bytes
        The image. The same arguments give the same bytes.

    Raises
    ------
    ContractError
        If it was learned on other features than nodes compute.
    ArtifactError
        If it is damaged, cannot be packed, or its ends are not int8 of as many values as a node watches features.
    ParameterError
        If a value is outside what a manifest holds.
    ToolchainError
        If there is no C compiler to run it with.
    """
    if contract != NODE.hash:
        raise ContractError(given=NODE.hash, wanted=contract)
    magic = number_named("RW_MODEL_MAGIC").to_bytes(4, "little")
    packed = model if model.startswith(magic) else pack_model(model)
    said = describe(packed)
    given = _golden_input(said, golden_input)
    return make_image(
        packed,
        version=version,
        contract=bytes.fromhex(contract),
        operators=said.needs,
        memory_bytes=said.memory_bytes + said.arena_bytes,
        golden_input=given.tobytes(),
        golden_output=_run(packed, given).tobytes(),
        name=name,
        metrics=dict(metrics or {}),
        key=key,
    )


def _golden_input(said: PackedModel, given: bytes | None) -> NDArray[np.int8]:
    """One window, once the model's ends are those of a network of health."""
    wanted = len(CHOSEN)
    if not (said.input.dtype == said.output.dtype == "int8" and said.input.n_bytes == said.output.n_bytes == wanted):
        raise ArtifactError(
            f"the model takes {said.input.n_bytes} bytes of {said.input.dtype} and gives {said.output.n_bytes} of "
            f"{said.output.dtype}; a node wants a network that rebuilds its {wanted} watched features in int8"
        )
    if given is None:
        return np.random.default_rng(_SEED).integers(-128, 128, (1, wanted), dtype=np.int8)
    if len(given) != wanted:
        raise ArtifactError(f"the golden window has {len(given)} bytes; {wanted} of the model's input are wanted")
    return np.frombuffer(given, np.int8).reshape(1, wanted)


def _run(packed: bytes, given: NDArray[np.int8]) -> NDArray[np.int8]:
    with tempfile.TemporaryDirectory(prefix="raceway-package-") as folder:
        library = packed_library(packed, name="golden", folder=Path(folder) / "library")
        return run_on_host(library, given, Path(folder) / "build", sanitise=False)
