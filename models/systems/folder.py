"""The folder that keeps a trained system for use; refuses what is damaged, or read by other code than it was made by.

A folder holds ``manifest.json``, what `models.systems.state` writes, and ``probe.npz``: generated inputs with what the
code between raw inputs and learning made of them. Loading measures the probe again, so that a system is not asked about
measurements of another kind than it learned from. Digests find damage, not forgery.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, ContractError
from models.bundle import code_version, drafted
from models.systems.registry import entry_named, family_named
from models.systems.state import STATE, read_state, write_state
from models.systems.trainable import Family, Lesson

__all__ = ["Convert", "SystemManifest", "TrainedSystem", "load_system", "refuse_taken", "save_system"]

# From a Keras model and inputs it was learned from to a file for a gateway or a node.
Convert = Callable[[Any, NDArray[np.floating]], bytes]

_FORM = 1
_MANIFEST, _PROBE = "manifest.json", "probe.npz"
# Sums of float32 in another order, on another machine; other measurements differ by more.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class SystemManifest:
    """What a reader must know of a trained system.

    Attributes
    ----------
    system, data_set, part : str
        What learned, and from what; the part is empty where the data set is one whole.
    seed : int
    classes : tuple of str
        Empty for estimates of remaining life.
    contract : str
        Hash of the feature contract it measures by, empty if it measures something else.
    split : mapping
        What was learned from and what was held out.
    metrics : mapping of str to float
        On what was held out; empty where everything was learned from.
    versions : mapping of str to str
        Of Python and of the packages that what was learned is made of.
    code : str
        Version of Raceway that made it.
    files : mapping of str to str
        SHA-256 of each other file.
    """

    system: str
    data_set: str
    part: str
    seed: int
    classes: tuple[str, ...]
    contract: str
    split: Mapping[str, Any]
    metrics: Mapping[str, float]
    versions: Mapping[str, str]
    code: str
    files: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class TrainedSystem:
    """A system that has learned.

    Attributes
    ----------
    manifest : SystemManifest
    learned : object
        Predicts from what the front of the system measured.
    family : Family
        Of its data set.
    """

    manifest: SystemManifest
    learned: Any
    family: Family

    def predict(self, inputs: Any) -> Any:
        """Say what the system says of raw inputs.

        Parameters
        ----------
        inputs : BearingWindows, ndarray, or sequence of Unit or RunToFailure
            For cwru `models.bearing.windows.BearingWindows`, for gearbox the samples of all sensors (4, n), for cmapss
            histories, `models.life.protocol.Unit`, for femto snapshots up to the moment of the estimate,
            `models.datasets.femto.RunToFailure`.

        Returns
        -------
        ndarray of str, Estimates or LifeEstimates
            The class of each window, or remaining lives.
        """
        return self.family.predict(self.manifest.system, self.learned, inputs)


def refuse_taken(folder: Path, *, replace: bool) -> None:
    """Refuse a folder that is there; with `replace` only one that is no trained system.

    Raises
    ------
    ArtifactError
    """
    if folder.exists() and not replace:
        raise ArtifactError(f"{folder} is there already; name another folder, or replace it with --replace")
    if folder.exists() and not (folder / STATE).is_file():
        raise ArtifactError(f"{folder} is no trained system, so it is not replaced; name another folder")


def save_system(
    folder: Path,
    lesson: Lesson,
    *,
    data_set: str,
    system: str,
    part: str = "",
    seed: int,
    convert: Mapping[str, Convert] | None = None,
    replace: bool = False,
) -> Path:
    """Write a trained system to a temporary folder, ask it again from there, then rename it into place.

    Parameters
    ----------
    folder : Path
    lesson : Lesson
    data_set, system, part : str
        What learned from what.
    seed : int
        Of the training.
    convert : mapping of str to callable, optional
        By file name; called where what was learned is one network.
    replace : bool
        Whether a trained system at this place is replaced.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ArtifactError
        If something else stands there, or what was written does not answer as what was learned.
    """
    refuse_taken(folder, replace=replace)
    family = family_named(data_set)
    name = entry_named(family, system).name
    with drafted(folder, replace=replace) as draft:
        networks = write_state(lesson.learned, draft)
        if len(networks) == 1 and convert:
            inputs = lesson.learned.inputs(lesson.seen)
            for file, into in convert.items():
                (draft / file).write_bytes(into(networks[0], inputs))
        probe = family.probe(name)
        np.savez(draft / _PROBE, probe=probe, response=family.respond(name, lesson.learned, probe))
        manifest = SystemManifest(
            system=name,
            data_set=data_set,
            part=part,
            seed=seed,
            classes=lesson.classes,
            contract=family.contract(name),
            split=lesson.split,
            metrics=lesson.metrics,
            versions=_versions(draft, networks=bool(networks)),
            code=code_version(),
            files={path.name: _digest(path) for path in sorted(draft.iterdir())},
        )
        text = json.dumps({"form": _FORM, **dataclasses.asdict(manifest)}, indent=1, sort_keys=True)
        (draft / _MANIFEST).write_text(text + "\n", encoding="utf-8")
        _refuse_changed(family, lesson, load_system(draft).learned)
    return folder


def load_system(folder: Path) -> TrainedSystem:
    """Read a trained system and check that it is whole and that its front measures as it did.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, of another form, or made with another scikit-learn.
    ContractError
        If the feature contract has changed.

    Notes
    -----
    Nothing in the folder is run: see `models.systems.state`.
    """
    manifest = _manifest(folder)
    family = family_named(manifest.data_set)
    contract = family.contract(entry_named(family, manifest.system).name)
    if manifest.contract != contract:
        raise ContractError(given=contract, wanted=manifest.contract)
    _refuse_other_versions(folder, manifest)
    learned = read_state(folder)
    _refuse_other_front(folder, manifest, family, learned)
    return TrainedSystem(manifest, learned, family)


def _manifest(folder: Path) -> SystemManifest:
    """The manifest, once every file that it lists is what it was sealed with."""
    try:
        entries = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        form = entries.pop("form")
        entries["classes"] = tuple(entries["classes"])
        manifest = SystemManifest(**entries)
        changed = [name for name, digest in manifest.files.items() if _digest(folder / Path(name).name) != digest]
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"{folder} holds no trained system that can be read ({error}); train it again") from error
    if form != _FORM:
        raise ArtifactError(f"{folder} is of form {form}; {_FORM} is wanted; train it again")
    if changed or STATE not in manifest.files:
        raise ArtifactError(f"{', '.join(changed) or STATE} in {folder} is not what it was sealed with; train it again")
    return manifest


def _refuse_changed(family: Family, lesson: Lesson, again: Any) -> None:
    before, after = (family.answer(learned, lesson.seen) for learned in (lesson.learned, again))
    if not np.array_equal(before, after):
        raise ArtifactError("what was written answers otherwise than what was learned; nothing was kept")


def _refuse_other_front(folder: Path, manifest: SystemManifest, family: Family, learned: Any) -> None:
    try:
        with np.load(folder / _PROBE, allow_pickle=False) as stored:
            probe, response = stored["probe"], stored["response"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{folder} cannot be read ({error}); train it again") from error
    now = family.respond(manifest.system, learned, probe)
    # Each measurement against its own size: beside frequencies in Hz a change of a shape factor is none.
    size = np.maximum(np.abs(response).max(axis=0), _TOLERANCE)
    if now.shape != response.shape or bool((np.abs(now - response) > _TOLERANCE * size).any()):
        raise ArtifactError(
            f"{manifest.system} measures otherwise than when {folder} was made (by Raceway {manifest.code}); "
            "train it again"
        )


def _refuse_other_versions(folder: Path, manifest: SystemManifest) -> None:
    """Estimators of scikit-learn are kept as what they consist of, which changes from one minor version to the next."""
    made = manifest.versions.get("scikit-learn")
    if made is None:
        return
    here = metadata.version("scikit-learn")
    if made.split(".")[:2] != here.split(".")[:2]:
        raise ArtifactError(f"{folder} was made with scikit-learn {made}, here is {here}; train it again")


def _versions(draft: Path, *, networks: bool) -> dict[str, str]:
    packages = ["numpy"]
    packages += ["scikit-learn"] if b"sklearn." in (draft / STATE).read_bytes() else []
    packages += ["keras", "tensorflow"] if networks else []
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
