"""Children: what they leave behind ends with them, and no number is signalled that may be another's by now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

import app.process
from app.process import ended, spawn, stop

# A child with a child of its own, whose number it writes down.
_PARENT = """
import pathlib, subprocess, sys, time
left = subprocess.Popen(["sleep", "600"])
pathlib.Path(sys.argv[1]).with_suffix(".new").write_text(str(left.pid))
pathlib.Path(sys.argv[1]).with_suffix(".new").rename(sys.argv[1])
time.sleep(float(sys.argv[2]))
"""
_DEAF = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"


def _parent(path: Path, *, seconds: float) -> tuple[subprocess.Popen[bytes], int]:
    parent = spawn([sys.executable, "-c", _PARENT, str(path), str(seconds)])
    wait_until("child of the child", path.exists, logs=path.parent)
    return parent, int(path.read_text())


def _runs(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_what_a_child_leaves_behind_ends_when_its_end_is_seen(tmp_path: Path) -> None:
    parent, left = _parent(tmp_path / "left", seconds=0.0)
    assert _runs(left)
    wait_until("end of the child", lambda: ended(parent), logs=tmp_path)
    wait_until("end of what it left", lambda: not _runs(left), logs=tmp_path)
    assert parent.returncode == 0


def test_a_child_that_is_asked_to_end_takes_what_it_started_along(tmp_path: Path) -> None:
    parent, left = _parent(tmp_path / "left", seconds=600.0)
    assert not ended(parent)
    stop([parent])
    assert parent.returncode == -signal.SIGTERM
    wait_until("end of what it started", lambda: not _runs(left), logs=tmp_path)


def test_a_number_that_was_given_back_gets_no_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, waited = (spawn([sys.executable, "-c", ""]) for _ in range(2))
    wait_until("end", lambda: ended(seen), logs=tmp_path)
    waited.wait()
    signalled: list[tuple[int, int]] = []
    for name in ("kill", "killpg"):
        monkeypatch.setattr(os, name, lambda number, sign: signalled.append((number, sign)))
    assert ended(seen)
    assert ended(waited)
    stop([seen, waited])
    assert signalled == []


def test_a_child_that_will_not_end_is_made_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.process, "_GRACE_S", 0.1)
    log = tmp_path / "log"
    deaf = spawn([sys.executable, "-c", _DEAF], log=log)
    wait_until("child", log.read_bytes, logs=tmp_path)
    stop([deaf])
    assert deaf.returncode == -signal.SIGKILL
