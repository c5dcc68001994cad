"""Processes that measure side by side, one thread each; a job that fails in one fails the whole with its reason."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

from app.numerics import ONE_THREAD, handed_down

__all__ = ["workers"]


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
    with handed_down(ONE_THREAD):
        pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            pool.shutdown(wait=True)
