"""Writing of an import's packs: beside the data folder's own, then renamed; refuses to overwrite unasked."""

from __future__ import annotations

import csv
import fcntl
import filecmp
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from features.errors import RecordingError
from models.datasets.catalogue import data_set_named
from models.datasets.importing.plan import Made, Plan

__all__ = ["Imported", "import_data_set"]

# What an incomplete source is missing is named up to this many.
_NAMED = 5
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    folder : Path
        Where the packs lie.
    n_packs : int
    n_missing : int
        Files of a complete data set that the source had not; 0 unless an incomplete one was allowed.
    n_left_out : int
        Files of the publisher that are no part of the packs.
    changed : bool
        False where the same packs were there already.
    """

    folder: Path
    n_packs: int
    n_missing: int
    n_left_out: int
    changed: bool


def import_data_set(
    name: str, source: Path, root: Path, *, partial: bool = False, replace: bool = False, progress: Progress
) -> Imported:
    """Read what a publisher distributes and write the packs that ``models.datasets`` reads.

    The packs are written into a hidden folder beside their own, flushed to the disk, and renamed together: a killed
    import leaves the data folder as it was, and the next one clears away what it left. The same source gives the same
    bytes.

    Parameters
    ----------
    name : str
        A name of ``models.datasets.catalogue.DATA_SETS``.
    source : Path
        Folder of the publisher's files, at any depth.
    root : Path
        The data folder; made where it is missing.
    partial : bool, optional
        Import what is there although files are missing.
    replace : bool, optional
        Put the packs in the place of others; files that are no packs are kept.
    progress : callable
        Told source files read, and how many there are.

    Returns
    -------
    Imported

    Raises
    ------
    RecordingError
        If the source is missing, empty, incomplete or damaged, other packs are there already, another import of this
        data folder runs, or the data folder cannot be written.
    """
    data_set = data_set_named(name)
    if not source.is_dir():
        raise RecordingError(f"no folder at {source}; give the folder of {data_set.files}")
    plan: Plan = import_module(f"models.datasets.importing.{name}").plan(source)
    if not plan.packs:
        raise RecordingError(f"{source} holds nothing of {name}; {data_set.files} are wanted, from {data_set.url}")
    if plan.missing and not partial:
        more = f" and {len(plan.missing) - _NAMED} more" if len(plan.missing) > _NAMED else ""
        raise RecordingError(
            f"{source} lacks {', '.join(plan.missing[:_NAMED])}{more}; fetch them ({data_set.url}) or give --partial"
        )
    folder = root / data_set.folder
    try:
        with _alone(root):
            _recover(folder)
            try:
                _write(plan, _beside(folder, "importing"), progress)
                changed = _put(_beside(folder, "importing"), folder, replace=replace)
            finally:
                shutil.rmtree(_beside(folder, "importing"), ignore_errors=True)
    except OSError as error:
        raise RecordingError(f"{folder} cannot be written ({error}); give another folder (--to)") from error
    return Imported(folder, len(plan.packs), len(plan.missing), plan.left_out, changed)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the data folder's lock; the system lets go of it when the process ends, however it ends."""
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecordingError(f"another import into {root} runs; wait for its end") from error
        yield
    finally:
        os.close(handle)


def _beside(folder: Path, state: str) -> Path:
    return folder.with_name(f".{folder.name}.{state}")


def _recover(folder: Path) -> None:
    """Clear what a killed import left; packs that were moved aside go back if the new ones did not come."""
    aside = _beside(folder, "replaced")
    if aside.is_dir() and not folder.exists():
        aside.rename(folder)
    for left in (aside, _beside(folder, "importing")):
        if left.exists():
            shutil.rmtree(left)


def _write(plan: Plan, folder: Path, progress: Progress) -> None:
    folder.mkdir()
    total, read, rows = sum(pack.n_sources for pack in plan.packs), 0, []

    def advance() -> None:
        nonlocal read
        read += 1
        progress(read, total)

    for pack in plan.packs:
        made = pack.make(advance)
        _flushed(folder / pack.file, _packed(made))
        rows.append(made.row)
    if plan.columns:
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, plan.columns)
        table.writeheader()
        table.writerows(rows)
        _flushed(folder / "index.csv", text.getvalue().encode())
    _sync(folder)


def _packed(made: Made) -> bytes:
    packed = io.BytesIO()
    save: Callable[..., None] = np.savez_compressed
    save(packed, **made.arrays)
    return packed.getvalue()


def _flushed(path: Path, content: bytes) -> None:
    with path.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put(new: Path, folder: Path, *, replace: bool) -> bool:
    """Rename the new packs into place; False where the same are there."""
    if folder.exists():
        old = sorted(path.name for path in folder.iterdir() if _is_pack(path))
        if old == sorted(path.name for path in new.iterdir()) and not any(
            filecmp.cmpfiles(folder, new, old, shallow=False)[1:]
        ):
            return False
        if old and not replace:
            raise RecordingError(f"{folder} holds other packs; give --replace to put these in their place, or --to")
        _carry_over(folder, new)
        folder.rename(_beside(folder, "replaced"))
    new.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(_beside(folder, "replaced"), ignore_errors=True)
    return True


def _is_pack(path: Path) -> bool:
    return path.suffix == ".npz" or path.name == "index.csv"


def _carry_over(folder: Path, new: Path) -> None:
    """Keep what else lies in the folder, such as its README."""
    for path in folder.iterdir():
        if _is_pack(path):
            continue
        if path.is_dir():
            shutil.copytree(path, new / path.name)
        else:
            shutil.copy2(path, new / path.name)
