"""A backup made while rows are written is one state; it comes back whole or not at all."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import zstandard
from click.testing import CliRunner

from app.access.audit import trail
from app.backup import BackupError, back_up, restore
from app.cli import _raceway
from app.schema import quarantine
from app.settings import Settings, load_settings
from app.store import PointRow, count, open_store, point_rows, reading, save_point, writing


def _silent(done: int, of: int) -> None:
    assert 0 < done <= of


@pytest.fixture
def engine(settings: Settings, store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        save_point(connection, PointRow("a/b/c", "pump"), new=True)
    bundle = settings.bundles / "baseline-1"
    bundle.mkdir(parents=True)
    (bundle / "model.tflite").write_bytes(bytes(range(256)) * 40)
    candidate = settings.candidates / "node-health-1"
    candidate.mkdir(parents=True)
    (candidate / "golden-input.bin").write_bytes(b"window")
    settings.reports.mkdir()
    (settings.reports / "retraining-1.html").write_text("report")
    (settings.reports / ".retraining-2.html.draft").write_text("half")
    (settings.bundles / ".draft").mkdir()
    (settings.bundles / ".draft" / "half").write_bytes(b"half")
    return store


@pytest.fixture
def kept(settings: Settings, engine: sa.Engine, tmp_path: Path) -> Path:
    del engine
    target = tmp_path / "kept.tar.zst"
    back_up(settings, target, progress=_silent)
    return target


def _elsewhere(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "elsewhere")


def test_what_was_backed_up_comes_back(settings: Settings, kept: Path, tmp_path: Path) -> None:
    there = _elsewhere(tmp_path)
    contents = restore(there, kept, progress=_silent)
    names = {"bundles/baseline-1/model.tflite", "candidates/node-health-1/golden-input.bin"}
    names |= {"raceway.db", "reports/retraining-1.html"}
    assert set(contents.files) == names
    assert {
        path.relative_to(there.data_dir).as_posix() for path in there.data_dir.rglob("*") if path.is_file()
    } == names
    with reading(open_store(there.database)) as connection:
        assert [row.id for row in point_rows(connection)] == ["a/b/c"]
    for same in names - {"raceway.db"}:
        assert (there.data_dir / same).read_bytes() == (settings.data_dir / same).read_bytes()


def test_a_backup_beside_writers_is_one_state(settings: Settings, engine: sa.Engine, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        # Both counters in one transaction: a copy in between would see them apart.
        while not stop.is_set():
            with writing(engine) as connection:
                count(connection, {("a/b/c", "one"): 1})
                count(connection, {("a/b/c", "other"): 1})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for i in range(3):
            back_up(settings, tmp_path / f"{i}.tar.zst", progress=_silent)
    finally:
        stop.set()
        writer.join()
    for i in range(3):
        there = load_settings(data_dir=tmp_path / f"there{i}")
        restore(there, tmp_path / f"{i}.tar.zst", progress=_silent)
        with sqlite3.connect(there.data_dir / "raceway.db") as database:
            rows = dict(database.execute("SELECT name, value FROM counters").fetchall())
        assert rows.get("one") == rows.get("other")


def test_a_backup_of_a_large_store_ends_while_others_write(
    settings: Settings, engine: sa.Engine, tmp_path: Path
) -> None:
    row = {"arrived_ns": 1, "topic": "t", "reason": "r", "detail": "", "size": 1, "sha256": "", "complete": True}
    with writing(engine) as connection:
        connection.execute(quarantine.insert(), [row | {"payload": bytes(1 << 20)}] * 48)
    ended, until_s = threading.Event(), time.monotonic() + 30.0

    def write() -> None:
        while not ended.wait(0.001) and time.monotonic() < until_s:
            with writing(engine) as connection:
                count(connection, {("a/b/c", "one"): 1})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        back_up(settings, tmp_path / "kept.tar.zst", progress=_silent)
        assert writer.is_alive()
    finally:
        ended.set()
        writer.join()


def _members(kept: Path) -> list[tuple[str, bytes]]:
    with (
        zstandard.ZstdDecompressor().stream_reader(kept.open("rb")) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        return [(entry.name, archive.extractfile(entry).read()) for entry in archive]  # type: ignore[union-attr]


def _packed(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with (
        path.open("wb") as raw,
        zstandard.ZstdCompressor().stream_writer(raw) as stream,
        tarfile.open(fileobj=stream, mode="w|") as archive,
    ):
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def _tampered(how: str, kept: Path, path: Path) -> Path:
    members = _members(kept)
    manifest: dict[str, Any] = json.loads(members[0][1])
    if how == "truncated":
        path.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
        return path
    if how == "a changed byte":
        members[-1] = (members[-1][0], members[-1][1][:-1] + b"x")
    if how == "a file more":
        members.append(("bundles/more", b"x"))
    if how == "a file less":
        del members[-1]
    if how == "a way out":
        manifest["files"]["bundles/../../out"] = manifest["files"].pop(members[-1][0])
        members[-1] = ("bundles/../../out", members[-1][1])
    if how == "another format":
        manifest["format"] = 2
    if how == "no manifest":
        del members[0]
    else:
        members[0] = (members[0][0], json.dumps(manifest).encode())
    return _packed(path, members)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("truncated", "no whole backup|ends too early"),
        ("a changed byte", "was changed or damaged"),
        ("a file more", "does not name"),
        ("a file less", "ends too early"),
        ("a way out", "does not name"),
        ("another format", "of another format"),
        ("no manifest", "does not begin with a manifest"),
    ],
)
def test_a_file_that_was_changed_leaves_nothing_behind(how: str, reason: str, kept: Path, tmp_path: Path) -> None:
    there = _elsewhere(tmp_path)
    with pytest.raises(BackupError, match=reason):
        restore(there, _tampered(how, kept, tmp_path / "tampered"), progress=_silent)
    assert list(there.data_dir.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_not_overwritten(settings: Settings, kept: Path) -> None:
    with pytest.raises(BackupError, match=r"holds raceway\.db, bundles, candidates, reports already"):
        restore(settings, kept, progress=_silent)
    with pytest.raises(BackupError, match="exists; give another name"):
        back_up(settings, kept, progress=_silent)


@pytest.mark.parametrize("log", ["raceway.db-wal", "raceway.db-shm"])
def test_a_log_of_a_database_that_is_gone_is_not_written_over_the_restored_one(
    log: str, kept: Path, tmp_path: Path
) -> None:
    there = _elsewhere(tmp_path)
    there.data_dir.mkdir()
    (there.data_dir / log).write_bytes(b"stale")
    with pytest.raises(BackupError, match=f"holds {log} of a database that is gone.*remove it"):
        restore(there, kept, progress=_silent)
    assert [path.name for path in there.data_dir.iterdir()] == [log]


def test_what_was_put_back_goes_again_if_the_last_step_fails(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = _elsewhere(tmp_path)

    def fail(self: Path, target: Path) -> None:
        raise OSError(f"no room for {target.name} of {self.name}")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(BackupError, match="no room for raceway"):
            restore(there, kept, progress=_silent)
    assert list(there.data_dir.iterdir()) == []
    restore(there, kept, progress=_silent)
    assert (there.data_dir / "raceway.db").is_file()


def test_a_database_elsewhere_than_the_folders_is_put_back(kept: Path, tmp_path: Path) -> None:
    there = load_settings(data_dir=tmp_path / "data", database_url=f"sqlite:///{tmp_path / 'other' / 'plant.db'}")
    restore(there, kept, progress=_silent)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["plant.db"]
    with reading(open_store(there.database)) as connection:
        assert [row.id for row in point_rows(connection)] == ["a/b/c"]


def test_other_databases_have_their_own_tools(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="such as pg_dump"):
        back_up(load_settings(database_url="postgresql://plant/raceway"), tmp_path / "x", progress=_silent)
    with pytest.raises(BackupError, match="no database at"):
        back_up(_elsewhere(tmp_path), tmp_path / "x", progress=_silent)


def test_the_commands(settings: Settings, engine: sa.Engine, tmp_path: Path) -> None:
    target = tmp_path / "by-command.tar.zst"
    made = CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "backup", str(target)])
    assert made.exit_code == 0, made.output
    assert "4 files in" in made.output
    with reading(engine) as connection:
        (deed,) = trail(connection, target="backup")
    assert (deed.action, deed.why) == ("back up", "by-command.tar.zst")
    done = CliRunner().invoke(_raceway, ["--data-dir", str(tmp_path / "new"), "restore", str(target)])
    assert done.exit_code == 0, done.output
    assert "4 files of 20" in done.output
    with reading(open_store(f"sqlite:///{tmp_path / 'new' / 'raceway.db'}")) as connection:
        assert [(deed.action, deed.target, deed.why) for deed in trail(connection)] == [
            ("restore", "store", "by-command.tar.zst")
        ]
    again = CliRunner().invoke(_raceway, ["--data-dir", str(tmp_path / "new"), "restore", str(target)])
    assert again.exit_code == 2
