"""Waiting for what processes bring about, and why it did not come, in the words of their logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 150.0
_STEP_S = 0.2
_TAIL = 800


def wait_until(what: str, done: Callable[[], Any], *, logs: Path, seconds: float = PATIENCE_S) -> Any:
    """Wait until `done` gives something true and give that; fail with the last lines of the logs in a folder."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < deadline:
        if found := done():
            return found
        pause.wait(_STEP_S)
    tails = "\n".join(f"{log.name}: {log.read_text(errors='replace')[-_TAIL:]}" for log in sorted(logs.glob("*.log")))
    pytest.fail(f"no {what} within {seconds:.0f} s\n{tails}")
