"""A whole Raceway in one file, and back: database, bundles, candidates, reports, each with its hash.

Refused is a file that was changed, and a place where something stands or a log would be written over what is put back.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import zstandard

from app.settings import Settings
from features.errors import RacewayError

__all__ = ["BackupError", "Contents", "back_up", "backs_up", "restore"]

_MANIFEST, _DATABASE = "manifest.json", "raceway.db"
_BUNDLES, _CANDIDATES, _REPORTS = _FOLDERS = "bundles", "candidates", "reports"
# Beside the database: what SQLite would write over whichever file stands at its name.
_LOGS = ("-wal", "-shm", "-journal")
_SQLITE = "sqlite:///"
_FORMAT = 1
_CHUNK = 1 << 20

Progress = Callable[[int, int], None]


class BackupError(RacewayError):
    """A backup cannot be made, read or put back."""


@dataclass(frozen=True)
class Contents:
    """What a backup holds: when it was made, by which version, and its files with their SHA-256."""

    made_ns: int
    version: str
    files: dict[str, str]


def backs_up(settings: Settings) -> bool:
    """Say whether this database is kept by `back_up`, as SQLite's alone is."""
    return settings.database.startswith(_SQLITE)


def back_up(settings: Settings, target: Path, *, progress: Progress) -> Contents:
    """Write database, bundles, candidates and reports into one file while the services go on.

    Parameters
    ----------
    settings : Settings
    target : Path
        A `.tar.zst`; it is there whole or not at all.
    progress : callable
        Told the files written and their number.

    Returns
    -------
    Contents

    Raises
    ------
    BackupError
        If the database is not SQLite, there is none, the target exists, or the disk fails.

    Notes
    -----
    The database is copied by SQLite's own online backup: one consistent state, whatever ingest writes meanwhile. A
    bundle or candidate never changes once it is there. Passwords and keys of the settings are not in it.
    """
    source = _database(settings)
    if target.exists():
        raise BackupError(f"{target} exists; give another name")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".raceway-backup-") as folder:
            copy = Path(folder) / _DATABASE
            _copy_database(source, copy)
            folders = _folders(settings) | {_REPORTS: Path(folder) / _REPORTS}
            if settings.reports.exists():
                # A report may be written anew, and would no longer hash to what the manifest says.
                shutil.copytree(settings.reports, folders[_REPORTS], ignore=shutil.ignore_patterns(".*"))
            members = {_DATABASE: copy}
            for name, place in folders.items():
                members |= _files(name, place)
            contents = Contents(
                time.time_ns(), metadata.version("raceway"), {name: _digest(path) for name, path in members.items()}
            )
            draft = Path(folder) / "draft"
            _pack(draft, members, contents, progress)
            draft.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"the backup {target} cannot be written: {error}") from error
    return contents


def restore(settings: Settings, source: Path, *, progress: Progress) -> Contents:
    """Put a backup into a data folder that has no database yet.

    Parameters
    ----------
    settings : Settings
        Where to.
    source : Path
        From `back_up`.
    progress : callable
        Told the files read and their number.

    Returns
    -------
    Contents

    Raises
    ------
    BackupError
        If there is a database, its log or a file of a folder already, or the file is damaged: then nothing is left
        behind.
    """
    target = _database(settings, wanted=False)
    _demand_empty(settings, target)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=settings.data_dir, prefix=".raceway-restore-") as folder:
            contents = _unpack(source, Path(folder), progress)
            _put(Path(folder), settings, target)
    except OSError as error:
        raise BackupError(f"the backup {source} cannot be put back: {error}") from error
    return contents


def _folders(settings: Settings) -> dict[str, Path]:
    """Folders that belong to the database, by their name in a backup."""
    return {_BUNDLES: settings.bundles, _CANDIDATES: settings.candidates, _REPORTS: settings.reports}


def _demand_empty(settings: Settings, target: Path) -> None:
    there = [name for name, place in _folders(settings).items() if place.exists() and any(place.iterdir())]
    if target.exists():
        there.insert(0, target.name)
    if there:
        raise BackupError(f"{settings.data_dir} holds {', '.join(there)} already; give an empty --data-dir")
    logs = [path.name for path in (target.with_name(target.name + end) for end in _LOGS) if path.exists()]
    if logs:
        raise BackupError(
            f"{target.parent} holds {', '.join(logs)} of a database that is gone; SQLite would write that over the "
            "restored one: remove it, with no service running, or give an empty --data-dir"
        )


def _put(unpacked: Path, settings: Settings, target: Path) -> None:
    """Put everything in its place, or nothing: the database last, since without it the backup can be put back again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # It may be on another disk than the folder: what is left for the end is a change of name.
    staged = target.with_name(f".{target.name}.restored")
    moved: list[Path] = []
    try:
        shutil.move(unpacked / _DATABASE, staged)
        for name, place in _folders(settings).items():
            if (unpacked / name).exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.exists():
                    place.rmdir()
                moved.append(place)
                shutil.move(unpacked / name, place)
        staged.replace(target)
    except BaseException:
        staged.unlink(missing_ok=True)
        for place in moved:
            shutil.rmtree(place, ignore_errors=True)
        raise


def _database(settings: Settings, *, wanted: bool = True) -> Path:
    if not backs_up(settings):
        raise BackupError(
            "the database is not SQLite; back it up with its own tools, such as pg_dump; copy the folders"
        )
    path = Path(settings.database.removeprefix(_SQLITE))
    if wanted and not path.exists():
        raise BackupError(f"there is no database at {path}; nothing to back up")
    return path


def _copy_database(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        # In one step: between two, SQLite would begin anew whenever somebody has written, which ingest always has.
        old.backup(new)
        # The copy is one file: its log would not be in the backup.
        new.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = new.execute("PRAGMA quick_check").fetchone()
    if verdict != "ok":
        raise BackupError(f"the database {source} is damaged ({verdict}); see `raceway doctor`")


def _files(name: str, folder: Path) -> dict[str, Path]:
    """Files of a folder, by their name in a backup."""
    # What begins with a dot is being written.
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    places = ((path.relative_to(folder), path) for path in found)
    return {
        f"{name}/{place.as_posix()}": path
        for place, path in places
        if not any(part.startswith(".") for part in place.parts)
    }


def _pack(draft: Path, members: dict[str, Path], contents: Contents, progress: Progress) -> None:
    manifest = json.dumps({"format": _FORMAT} | vars(contents), indent=1).encode()
    with (
        draft.open("wb") as raw,
        zstandard.ZstdCompressor(level=3).stream_writer(raw) as stream,
        tarfile.open(fileobj=stream, mode="w|") as archive,
    ):
        entry = tarfile.TarInfo(_MANIFEST)
        entry.size = len(manifest)
        archive.addfile(entry, io.BytesIO(manifest))
        for i, (name, path) in enumerate(members.items()):
            archive.add(path, arcname=name, recursive=False)
            progress(i + 1, len(members))


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with (
            source.open("rb") as raw,
            zstandard.ZstdDecompressor().stream_reader(raw) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            yield archive
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise BackupError(f"{source} is no whole backup of Raceway ({error}); nothing was put back") from error


def _unpack(source: Path, folder: Path, progress: Progress) -> Contents:
    """Unpack into a folder what the manifest names, and nothing else."""
    contents: Contents | None = None
    left: dict[str, str] = {}
    with _opened(source) as archive:
        for entry in archive:
            content = archive.extractfile(entry)
            if contents is None:
                contents = _contents(entry.name, content)
                left = dict(contents.files)
                continue
            if content is None or entry.name not in left or not _inside(entry.name):
                raise BackupError(f"{source} holds {entry.name!r}, which its manifest does not name")
            if _write(content, folder / entry.name) != left.pop(entry.name):
                raise BackupError(f"{entry.name} in {source} was changed or damaged; nothing was put back")
            progress(len(contents.files) - len(left), len(contents.files))
    if contents is None or left:
        raise BackupError(f"{source} ends too early; nothing was put back")
    return contents


def _contents(name: str, content: IO[bytes] | None) -> Contents:
    try:
        if name != _MANIFEST or content is None:
            raise ValueError("it does not begin with a manifest")
        entries: dict[str, Any] = json.loads(content.read())
        if entries.pop("format") != _FORMAT:
            raise ValueError("it is of another format")
        contents = Contents(**entries)
        if _DATABASE not in contents.files:
            raise ValueError("it names no database")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"this is no backup of Raceway: {error}") from error
    return contents


def _inside(name: str) -> bool:
    first, *others = Path(name).parts
    return name == _DATABASE or (first in _FOLDERS and bool(others) and ".." not in others)


def _write(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
