"""How NumPy is run in a service: small products on one thread, freed memory kept; leaves alone what is not there."""

from __future__ import annotations

import ctypes

__all__ = ["ENVIRONMENT", "keep_freed_memory"]

# Threads for products of a few hundred numbers only wait for each other, and keep a core busy while they do. Read when
# NumPy is imported, so it is set for child processes and before the import.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}

# malloc.h of glibc: parameter and value in bytes. 32 MB is the largest threshold that it takes.
_MALLOPT = {"M_MMAP_THRESHOLD": (-3, 1 << 25), "M_TRIM_THRESHOLD": (-1, 1 << 28), "M_TOP_PAD": (-2, 1 << 24)}


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
