"""What TFLite Micro with CMSIS-NN costs on the same emulated node, as measured; refuses a table it cannot read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from features.errors import ArtifactError

__all__ = ["PEER_FILE", "Peer", "PeerCost", "read_peer"]

PEER_FILE = Path(__file__).with_name("peer.toml")


@dataclass(frozen=True)
class PeerCost:
    """What one model costs the peer.

    Attributes
    ----------
    instructions, cycles : int
        Of an inference; cycles by the model in `edge.emulator.cycles`.
    arena_bytes : int
        RAM of tensors and of the interpreter's own structures.
    flash_bytes, model_bytes : int
        Interpreter, kernels and model; and of these, the model.
    """

    instructions: int
    cycles: int
    arena_bytes: int
    flash_bytes: int
    model_bytes: int


@dataclass(frozen=True)
class Peer:
    """The peer's figures.

    Attributes
    ----------
    source : str
        What was measured, and with which tools.
    models : mapping of str to PeerCost
        By model: M1, M2, M3.
    """

    source: str
    models: Mapping[str, PeerCost]


def read_peer(path: Path = PEER_FILE) -> Peer:
    """Read the peer's figures.

    Parameters
    ----------
    path : Path
        TOML with `source` and a table `[models.NAME]` for each model.

    Returns
    -------
    Peer

    Raises
    ------
    ArtifactError
        If the file cannot be read or lacks a figure.

    Examples
    --------
    >>> read_peer().models["M1"].instructions
    582483
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        costs = {name: PeerCost(**table) for name, table in tables["models"].items()}
        return Peer(str(tables["source"]), MappingProxyType(costs))
    except OSError as error:
        raise ArtifactError(f"the peer's figures {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"the peer's figures {path} cannot be read: {error!r}") from error
