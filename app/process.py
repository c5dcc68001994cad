"""Child processes that never outlive their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from app.numerics import ENVIRONMENT

__all__ = ["ended", "spawn", "stop"]

_PR_SET_PDEATHSIG = 1
_GRACE_S = 8.0
_POLL_S = 0.02


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, so that Ctrl-C reaches only the parent; it dies if the parent does.

    Parameters
    ----------
    command : sequence of str
    environment : mapping of str to str, optional
        Added to this process's own.
    log : Path, optional
        File that its output is appended to; without it the output is inherited.
    """
    output: IO[bytes] | None = None
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        output = log.open("ab")
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True)

    def tie_to_parent() -> None:
        # Linux sends the signal when the parent ends however it ends; the check closes the gap before the call.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    try:
        return subprocess.Popen(
            list(command),
            env={**ENVIRONMENT, **os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            preexec_fn=tie_to_parent,  # noqa: PLW1509  # no threads exist yet where children are started
        )
    finally:
        if output is not None:
            output.close()


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Say whether a child has ended; the first look that finds it so ends what it left behind.

    Whatever a child started lives in its session: a console or broker may leave workers that keep its port. Look with
    this alone: a child that `poll` or `wait` saw end has given its number back, which may be another's by now.
    """
    if process.returncode is None and _is_over(process.pid):
        # Not waited for yet, so that no other process can have its number.
        _kill(process)
        process.wait()
    return process.returncode is not None


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask children to end, last started first, then make them; returns when all have ended."""
    for process in reversed(processes):
        if ended(process):
            continue
        os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while not ended(process) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if not ended(process):
            _kill(process)
            process.wait()


def _is_over(number: int) -> bool:
    try:
        return os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
