"""The C front end on this machine, and in the form that emulator and sanitisers run; refuses what the C code refuses.

What it computes stands in `edge/firmware/frontend/`, what it must equal in `features.extraction`.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.compiler.library import Library
from edge.node.contract import FRONTEND
from features.bearing import FaultOrders
from features.contract import NODE
from features.errors import ParameterError, ToolchainError
from features.window import UNITS

__all__ = [
    "HostFrontend",
    "Setup",
    "build_host_frontend",
    "frontend_cases",
    "frontend_library",
    "load_frontend",
    "read_features",
]

_FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
_BUILD_LIMIT_S = 120


@dataclass(frozen=True)
class Setup:
    """What the samples of a node are.

    Attributes
    ----------
    rate_hz : float
        Sampling rate.
    scale : float
        Unit of a step of int16.
    unit : str
        ``g``, ``m/s2`` or ``mm/s``.
    bearing : FaultOrders or None
        Of the bearing, where known.
    """

    rate_hz: float
    scale: float
    unit: str
    bearing: FaultOrders | None = None

    def packed(self, n: int) -> NDArray[np.void]:
        """Give `struct rw_frontend_config` for windows of n samples."""
        if self.unit not in UNITS:
            raise ParameterError(f"a node was to sample {self.unit!r}; one of {', '.join(UNITS)} is wanted")
        bearing = self.bearing
        orders = (bearing.bpfo, bearing.bpfi, bearing.bsf, bearing.ftf) if bearing else (0.0, 0.0, 0.0, 0.0)
        return np.array((self.rate_hz, self.scale, n, UNITS.index(self.unit), orders), dtype=_CONFIG)


_CONFIG = np.dtype([("rate_hz", "<f4"), ("scale", "<f4"), ("n", "<u4"), ("unit", "<u4"), ("orders", "<f4", 4)])
_FEATURES = np.dtype([("status", "<i4"), ("features", "<f4", len(NODE.features))])


class HostFrontend:
    """The front end as functions of this machine; `build_host_frontend` makes it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.rw_frontend_bytes.restype = ctypes.c_size_t
        library.rw_frontend_bytes.argtypes = [ctypes.c_void_p]
        library.rw_frontend_init.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        library.rw_frontend_extract.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p]

    def bytes_for(self, setup: Setup, n: int) -> int:
        """Give the bytes of memory that the front end takes for windows of n samples; 0 if it refuses the set-up."""
        return int(self._library.rw_frontend_bytes(setup.packed(n).ctypes.data))

    def extract(
        self, windows: NDArray[np.int16], setup: Setup, *, shaft_hz: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Compute the features of windows.

        Parameters
        ----------
        windows : ndarray of int16, shape (..., n)
            n a power of two from 256 to 4096.
        setup : Setup
            What the samples are.
        shaft_hz : float or ndarray, shape (...), optional
            Speed of all windows or of each; 0 where it is not known.

        Returns
        -------
        ndarray of float32, shape (..., features)
            In the order of `features.contract.NODE`; 0 where the speed or the bearing that a feature needs is not
            known.

        Raises
        ------
        ParameterError
            If the front end refuses the set-up, the windows or a speed.
        """
        if windows.dtype != np.int16 or windows.ndim < 1:
            raise ParameterError(
                f"windows of {windows.dtype}, shape {windows.shape}; int16 of shape (..., n) is wanted"
            )
        n = windows.shape[-1]
        rows = np.ascontiguousarray(windows).reshape(-1, n)
        speeds = np.broadcast_to(np.asarray(0.0 if shaft_hz is None else shaft_hz, np.float32), windows.shape[:-1])
        memory = np.empty(max(self.bytes_for(setup, n), 8) // 8, dtype=np.float64)
        frontend = ctypes.c_void_p()
        status = self._library.rw_frontend_init(
            memory.ctypes.data, memory.nbytes, setup.packed(n).ctypes.data, ctypes.byref(frontend)
        )
        _refuse(status)
        out = np.empty((len(rows), len(NODE.features)), dtype=np.float32)
        for window, speed, features in zip(rows, speeds.reshape(-1), out, strict=True):
            _refuse(self._library.rw_frontend_extract(frontend, window.ctypes.data, float(speed), features.ctypes.data))
        return out.reshape(*windows.shape[:-1], len(NODE.features))


def build_host_frontend(folder: Path) -> HostFrontend:
    """Compile the front end for this machine.

    Parameters
    ----------
    folder : Path
        Takes the library.

    Returns
    -------
    HostFrontend

    Raises
    ------
    ToolchainError
        As `load_frontend`.
    """
    return HostFrontend(load_frontend(folder))


def load_frontend(folder: Path) -> ctypes.CDLL:
    """Compile the front end into a shared library and load it: all of its functions.

    Parameters
    ----------
    folder : Path
        Takes the library.

    Returns
    -------
    CDLL
        Functions without declared arguments.

    Raises
    ------
    ToolchainError
        If there is no C compiler, or it refuses the code; warnings are errors.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise ToolchainError("no C compiler was found on this machine; install gcc", tool="gcc")
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "librw_frontend.so"
    command = [compiler, *_FLAGS, *map(str, sorted(FRONTEND.glob("*.c"))), "-o", str(library), "-lm"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_BUILD_LIMIT_S)
    if done.returncode:
        raise ToolchainError(f"the front end does not compile: {done.stderr.strip()[-2000:]}", tool=compiler)
    return ctypes.CDLL(str(library))


def frontend_library(folder: Path, *, n: int) -> Library:
    """Write the front end as a library of the form that `edge.emulator` and `edge.compiler.host` run.

    Parameters
    ----------
    folder : Path
        Takes the sources.
    n : int
        Samples of a window.

    Returns
    -------
    Library
        Its inputs are `frontend_cases`, its outputs are for `read_features`; one run is init and one window. The memory
        of the front end is the last in its arena.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(FRONTEND.glob("rw_*.[ch]")):
        shutil.copy(source, folder)
    input_bytes, output_bytes = _case(n).itemsize, _FEATURES.itemsize
    arena = -(-(input_bytes + output_bytes) // 8) * 8
    frontend_bytes = 56 + n // 16 * 15 * 8
    sizes = {"ARENA": arena + frontend_bytes, "INPUT": input_bytes, "OUTPUT": output_bytes}
    (folder / "rw_features.h").write_text(
        "".join(f"#define RW_FEATURES_{name}_BYTES {size}u\n" for name, size in sizes.items()) + _HEADER
    )
    (folder / "rw_features.c").write_text(_SOURCE % {"n": n, "memory": arena, "bytes": frontend_bytes})
    return Library(
        folder,
        "features",
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        arena_bytes=arena + frontend_bytes,
        model_bytes=0,
        operators=(),
    )


def frontend_cases(windows: NDArray[np.int16], setup: Setup, *, shaft_hz: ArrayLike = 0.0) -> NDArray[np.int8]:
    """Pack windows as inputs of `frontend_library`.

    Parameters
    ----------
    windows : ndarray of int16, shape (m, n)
    setup : Setup
        Of all of them.
    shaft_hz : float or ndarray, shape (m,)
        0 where not known.

    Returns
    -------
    ndarray of int8, shape (m, bytes)
    """
    cases = np.zeros(len(windows), dtype=_case(windows.shape[-1]))
    cases["config"], cases["shaft_hz"], cases["window"] = setup.packed(windows.shape[-1]), shaft_hz, windows
    return cases.view(np.int8).reshape(len(windows), -1)


def read_features(outputs: NDArray[np.int8]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Part outputs of `frontend_library`.

    Parameters
    ----------
    outputs : ndarray of int8, shape (m, bytes)

    Returns
    -------
    status : ndarray of int32, shape (m,)
    features : ndarray of float32, shape (m, features)
    """
    found = np.ascontiguousarray(outputs).view(_FEATURES).reshape(len(outputs))
    return found["status"], found["features"]


def _case(n: int) -> np.dtype[np.void]:
    return np.dtype([("config", _CONFIG), ("shaft_hz", "<f4"), ("window", "<i2", n)])


def _refuse(status: int) -> None:
    if status < 0:
        text = (FRONTEND / "rw_frontend.h").read_text(encoding="utf-8")
        meanings = {int(value): meaning for value, meaning in re.findall(r"X\(\w+, (-?\d+), \"(.*?)\"\)", text)}
        raise ParameterError(f"the front end refuses: {meanings[status]}")


_HEADER = """\
#include <stdint.h>
int8_t *rw_features_input(void *arena);
void rw_features_run(void *arena);
const int8_t *rw_features_output(const void *arena);
"""
_SOURCE = """\
#include "rw_features.h"

#include "rw_frontend.h"

struct arena {
    struct {
        struct rw_frontend_config config;
        float shaft_hz;
        int16_t window[%(n)d];
    } input;
    struct {
        int32_t status;
        float features[RW_N_FEATURES];
    } output;
    _Alignas(8) unsigned char memory[%(bytes)d];
};
_Static_assert(_Alignof(struct arena) == 8 && sizeof(struct arena) == RW_FEATURES_ARENA_BYTES, "arena");

int8_t *rw_features_input(void *arena)
{
    return (int8_t *)&((struct arena *)arena)->input;
}

void rw_features_run(void *arena)
{
    struct arena *a = arena;
    struct rw_frontend *frontend;
    a->output.status = rw_frontend_init(a->memory, sizeof a->memory, &a->input.config, &frontend);
    if (a->output.status == RW_FRONTEND_OK) {
        a->output.status = rw_frontend_extract(frontend, a->input.window, a->input.shaft_hz, a->output.features);
    }
}

const int8_t *rw_features_output(const void *arena)
{
    return (const int8_t *)&((const struct arena *)arena)->output;
}
"""
