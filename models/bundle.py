"""The folder that carries a trained model to where it serves; refuses what is damaged or of another contract."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, ContractError

__all__ = ["Bundle", "Manifest", "code_version", "drafted", "load_bundle", "write_bundle"]

_FORM = 1
_MANIFEST, _NETWORK, _ARRAYS, _KERAS = "manifest.json", "model.tflite", "arrays.npz", "model.keras"


@dataclass(frozen=True)
class Manifest:
    """What a reader must know of a bundle before trusting it.

    Attributes
    ----------
    id : str
        Unique name, also the folder's.
    role : str
        ``baseline`` or ``diagnosis``.
    contract : str
        Feature (or map) hash the model was learned on.
    seed : int
        Of the training.
    classes : tuple of str
        Class names in output order; empty for a baseline.
    thresholds, metrics : mapping of str to float
    provenance, split : mapping
        What it learned from, and how validation was kept apart.
    code : str
        Version of Raceway that made it.
    digest : str
        SHA-256 of the `.tflite` file.
    """

    id: str
    role: str
    contract: str
    seed: int
    classes: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    digest: str = ""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded bundle.

    Attributes
    ----------
    manifest : Manifest
    network : bytes
        The `.tflite` model.
    arrays : mapping of str to ndarray
        Scaler and whatever else the role needs.
    """

    manifest: Manifest
    network: bytes
    arrays: Mapping[str, NDArray[Any]]

    def require(self, *, role: str, contract: str) -> None:
        """Refuse to serve in another role or on another contract.

        Raises
        ------
        ArtifactError, ContractError
        """
        if self.manifest.role != role:
            raise ArtifactError(f"bundle {self.manifest.id} has the role {self.manifest.role}; {role} is wanted")
        if self.manifest.contract != contract:
            raise ContractError(given=contract, wanted=self.manifest.contract)


def code_version() -> str:
    """Version of the installed distribution."""
    return metadata.version("raceway")


def write_bundle(
    bundles: Path,
    manifest: Manifest,
    *,
    network: bytes,
    arrays: Mapping[str, NDArray[Any]],
    save_keras: Callable[[Path], None],
) -> Path:
    """Write a bundle to a temporary folder, then rename it into place.

    Parameters
    ----------
    bundles : Path
        Folder of bundles; made if missing.
    manifest : Manifest
        Its code version and digest are filled in here.
    network : bytes
        The `.tflite` model.
    arrays : mapping of str to ndarray
    save_keras : callable
        Saves the Keras model to the path it is given.

    Returns
    -------
    Path
        The bundle's folder.
    """
    with drafted(bundles / manifest.id) as draft:
        sealed = dataclasses.replace(manifest, code=code_version(), digest=hashlib.sha256(network).hexdigest())
        (draft / _NETWORK).write_bytes(network)
        save_keras(draft / _KERAS)
        np.savez(draft / _ARRAYS, **arrays)  # type: ignore[arg-type]  # numpy's stub admits no mapping here
        text = json.dumps({"form": _FORM, **dataclasses.asdict(sealed)}, indent=1, sort_keys=True)
        (draft / _MANIFEST).write_text(text, encoding="utf-8")
    return bundles / manifest.id


@contextmanager
def drafted(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary folder that takes the name of `folder` at the end, if nothing was raised until then.

    With `replace`, what stood at that name is removed, once the new one stands there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft, old = (folder.parent / f".{what}-{uuid.uuid4().hex}" for what in ("draft", "old"))
    draft.mkdir()
    try:
        yield draft
        for path in (*draft.rglob("*"), draft):
            _to_disk(path)
        if replace and folder.exists():
            folder.rename(old)
        draft.rename(folder)
        _to_disk(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _to_disk(path: Path) -> None:
    """Have a file or folder on the disk: a store that names it is, and may not name what a power cut took."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and check it against its manifest.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or the form is of another version.
    """
    try:
        entries = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        form = entries.pop("form")
        entries["classes"] = tuple(entries["classes"])
        manifest = Manifest(**entries)
        network = (folder / _NETWORK).read_bytes()
        with np.load(folder / _ARRAYS, allow_pickle=False) as stored:
            arrays = dict(stored)
    except (OSError, KeyError, TypeError, AttributeError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"bundle {folder.name} cannot be read ({error}); train it again") from error
    if form != _FORM:
        raise ArtifactError(f"bundle {folder.name} is of form {form}; {_FORM} is wanted; train it again")
    if hashlib.sha256(network).hexdigest() != manifest.digest:
        raise ArtifactError(
            f"bundle {folder.name} holds a model that is not the one it was sealed with; train it again"
        )
    return Bundle(manifest=manifest, network=network, arrays=arrays)
