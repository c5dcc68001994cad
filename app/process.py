"""Child processes that never outlive their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from app.numerics import ENVIRONMENT

__all__ = ["spawn", "stop"]

_PR_SET_PDEATHSIG = 1
_GRACE_S = 8.0


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


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask children to end, last started first, then make them; returns when all have ended."""
    for process in reversed(processes):
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
        # Whatever a child started lives in its session; a console or broker may leave workers behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
