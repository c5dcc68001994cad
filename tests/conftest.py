"""Fixtures of all tests: one seeded generator, the public data, and settings in a temporary folder."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from argon2 import PasswordHasher
from postgresql import SERVER, emptied_database
from sqlalchemy import Engine

from app.access import passwords
from app.settings import Settings, load_settings
from app.store import PointRow, open_store, save_point, writing

# Children and TensorFlow say less, and take one core each, so that two tests' processes do not starve each other.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_DATA = Path(os.environ.get("RACEWAY_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))


def pytest_collection_finish() -> None:
    """Leave thousands of tests out of every search for garbage."""
    gc.freeze()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261123)


@pytest.fixture
def data_dir() -> Path:
    if not _DATA.is_dir():
        pytest.skip(f"the public data packs are not at {_DATA}; set RACEWAY_DATA")
    return _DATA.resolve()


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed at next to no cost."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._of_nobody.cache_clear()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Settings:
    """Settings of a fresh data folder, untouched by the environment and the working folder.

    Where a PostgreSQL is served for the tests, the store is there, but of those that ask how SQLite works.
    """
    server = os.environ.get(SERVER)
    for name in list(os.environ):
        if name.startswith("RACEWAY_") and name != "RACEWAY_DATA":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    if server and request.node.get_closest_marker("sqlite") is None:
        monkeypatch.setenv("RACEWAY_DATABASE_URL", emptied_database(server))
    return load_settings(data_dir=tmp_path / "raceway-data", baseline_windows=40)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store of today's form, made once: every migration takes its time."""
    path = tmp_path_factory.mktemp("store") / "raceway.db"
    open_store(f"sqlite:///{path}", migrate=True).dispose()
    return path


@pytest.fixture
def store(settings: Settings, empty_store: Path) -> Engine:
    """An empty store where the settings say."""
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty_store, settings.data_dir / "raceway.db")
    return open_store(settings.database)


@pytest.fixture
def engine(store: Engine) -> Engine:
    """A store with the point `a/b/c`; where a test file wants other points, it has an `engine` of its own."""
    with writing(store) as connection:
        save_point(connection, PointRow("a/b/c", "pump"), new=True)
    return store


@pytest.fixture
def console(store: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An empty store, which the console's pages open."""
    import streamlit as st  # a second that other tests need not spend

    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    st.cache_resource.clear()
    return store
