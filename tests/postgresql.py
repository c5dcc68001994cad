"""A PostgreSQL of the tests' own, and databases in it that hold an empty store."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from app.broker import free_port
from app.schema import metadata
from app.store import open_store

__all__ = ["SERVER", "emptied_database", "new_database", "served_postgresql"]

# Where it is set, tests that do not ask how SQLite works keep their store there.
SERVER = "TEST_POSTGRESQL"
_given: list[str] = []
# What the migrations write themselves.
_rows: dict[str, list[dict[str, Any]]] = {}
_form: list[tuple[Any, ...]] = []


@contextmanager
def served_postgresql() -> Iterator[str]:
    """Serve an empty cluster and give its URL; the test is skipped where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    ours = shutil.which("initdb") or (str(found[-1]) if found else None)
    if ours is None:
        pytest.skip("PostgreSQL is not installed; `make packages` installs it as root")
    # PostgreSQL refuses to run as root; its Debian package brings a user.
    who = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="raceway-pg-") as name:
        folder, port = Path(name), free_port()
        if who:
            shutil.chown(folder, "postgres")
        data, tool = folder / "data", str(Path(ours).with_name("pg_ctl"))

        def run(*command: str) -> None:
            done = subprocess.run([*who, *command], cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        run(ours, "-D", str(data), "-A", "trust", "-U", "raceway", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(tool, "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://raceway@127.0.0.1:{port}"
        finally:
            run(tool, "-D", str(data), "-m", "immediate", "-w", "stop")


def new_database(server: str) -> str:
    """Make a database with an empty store of today's form, and give its URL."""
    name = f"store_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    open_store(f"{server}/{name}", migrate=True).dispose()
    return f"{server}/{name}"


def emptied_database(server: str) -> str:
    """Give the URL of a database with an empty store: the last one that was given, emptied, if it is whole.

    To make one anew takes ten times as long.
    """
    if not _given or not _is_emptied(_given[-1]):
        _given.append(new_database(server))
        _note_rows(_given[-1])
    return _given[-1]


def _is_emptied(url: str) -> bool:
    """Empty the tables, unless a test has changed what there is of them."""
    with psycopg.connect(url) as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(f"{others} AND pid <> pg_backend_pid()")
        found = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        if found != {*metadata.tables, "alembic_version"}:
            return False
        if connection.execute("SELECT version_num FROM alembic_version").fetchall() != _form:
            return False
        # Twenty times as fast as TRUNCATE where there are but a few rows; as a replica it asks for no foreign keys.
        connection.execute("SET session_replication_role = replica")
        for name in metadata.tables:
            connection.execute(f"DELETE FROM {name}")
        connection.execute("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'")
    engine = open_store(url)
    with engine.begin() as filling:
        for name, rows in _rows.items():
            filling.execute(metadata.tables[name].insert(), rows)
    engine.dispose()
    return True


def _note_rows(url: str) -> None:
    engine = open_store(url)
    with engine.connect() as connection:
        _form[:] = [tuple(row) for row in connection.execute(sa.text("SELECT version_num FROM alembic_version"))]
        for name, table in metadata.tables.items():
            if rows := [dict(row._mapping) for row in connection.execute(table.select())]:
                _rows[name] = rows
    engine.dispose()
