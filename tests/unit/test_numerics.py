"""Services run NumPy on one thread and keep freed memory, where the C library can."""

from __future__ import annotations

import ctypes
import platform
import sys

import pytest

from app import numerics
from app.process import spawn


def test_glibc_takes_the_settings() -> None:
    assert numerics.keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not numerics.keep_freed_memory()


@pytest.mark.parametrize(("own", "wanted"), [(None, "1"), ("2", "2")])
def test_children_get_one_thread_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, own: str | None, wanted: str
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if own is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", own)
    asks = f"import os, sys; sys.exit(os.environ['OPENBLAS_NUM_THREADS'] != {wanted!r})"
    assert spawn([sys.executable, "-c", asks]).wait(30) == 0
