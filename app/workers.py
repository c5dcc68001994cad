"""Processes that measure side by side, one thread each; a job that fails in one fails the whole with its reason."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

from app.numerics import ENVIRONMENT

__all__ = ["workers"]

# TensorFlow reads these when it is imported, so they are set before a worker starts.
_ONE_THREAD = {**ENVIRONMENT, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


@contextlib.contextmanager
def workers(count: int) -> Iterator[Executor]:
    """Start processes for the time of a block.

    Parameters
    ----------
    count : int
        At least 1.

    Yields
    ------
    concurrent.futures.Executor
        Its jobs and their arguments must be picklable. Processes are started anew, not forked: TensorFlow does not
        survive a fork. What is not begun when the block is left by an error is dropped.
    """
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update({name: value for name, value in _ONE_THREAD.items() if before[name] is None})
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    finally:
        pool.shutdown(wait=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
