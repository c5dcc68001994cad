"""How NumPy is run in a service: small products on one thread, freed memory kept; leaves alone what is not there."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping

__all__ = ["ENVIRONMENT", "ONE_THREAD", "handed_down", "keep_freed_memory"]

# Threads for products of a few hundred numbers only wait for each other, and keep a core busy while they do. Read when
# NumPy is imported, so it is set for child processes and before the import.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
# One core for a process that works beside others. TensorFlow reads its own when it is imported.
ONE_THREAD = {**ENVIRONMENT, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

# malloc.h of glibc: parameter and value in bytes. 32 MB is the largest threshold that it takes.
_MALLOPT = {"M_MMAP_THRESHOLD": (-3, 1 << 25), "M_TRIM_THRESHOLD": (-1, 1 << 28), "M_TOP_PAD": (-2, 1 << 24)}


@contextlib.contextmanager
def handed_down(environment: Mapping[str, str]) -> Iterator[None]:
    """Let processes that are started in a block have these variables from their beginning, where the user set none.

    Set in the child they are too late: what it is to run is imported first, and NumPy with it.
    """
    missing = {name: value for name, value in environment.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def keep_freed_memory() -> bool:
    """Let the C library keep the memory of freed arrays, instead of having it faulted in page by page for the next.

    Returns
    -------
    bool
        Whether it does; False where the C library is not glibc.

    Notes
    -----
    Features of a batch need some thirty arrays of a megabyte, one after the other. With glibc's defaults each is given
    back to the system when freed: moments of 64 windows of 4096 samples took 76 us each instead of 12.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*setting) == 1 for setting in _MALLOPT.values())
