"""Fixtures of all tests: one seeded generator, the public data, and settings in a temporary folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from app.settings import Settings, load_settings

# Children and TensorFlow say less, and take one core each, so that two tests' processes do not starve each other.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_DATA = Path(os.environ.get("RACEWAY_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261123)


@pytest.fixture
def data_dir() -> Path:
    if not _DATA.is_dir():
        pytest.skip(f"the public data packs are not at {_DATA}; set RACEWAY_DATA")
    return _DATA.resolve()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a fresh data folder, untouched by the environment and the working folder."""
    for name in list(os.environ):
        if name.startswith("RACEWAY_") and name != "RACEWAY_DATA":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return load_settings(data_dir=tmp_path / "raceway-data", baseline_windows=40)
