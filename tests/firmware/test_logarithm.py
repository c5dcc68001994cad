"""Logarithm and exponential of the node against NumPy's, over every exponent."""

from __future__ import annotations

import ctypes
import subprocess

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.node.building import FIRMWARE

FEW_ULP = 3e-7


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("logarithm") / "logarithm.so"
    source = FIRMWARE / "node" / "rw_logarithm.c"
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-fPIC", "-shared"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(path)], check=True, timeout=60)
    loaded = ctypes.CDLL(str(path))
    for name in ("rw_logarithm", "rw_exponential_less_1"):
        function = getattr(loaded, name)
        function.argtypes, function.restype = [ctypes.c_float], ctypes.c_float
    return loaded


def values(library: ctypes.CDLL, name: str, x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.array([getattr(library, name)(float(v)) for v in x])


def test_logarithms_of_every_magnitude(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    x = np.concatenate([np.exp2(rng.uniform(-126, 127.9, 4000)), rng.uniform(0.5, 2.0, 4000)]).astype(np.float32)
    x = np.concatenate(
        [x, np.float32([np.finfo(np.float32).tiny, 1.0, np.finfo(np.float32).max, 0.70710677, 1.4142135])]
    )
    wanted = np.log(x.astype(np.float64))
    np.testing.assert_allclose(values(library, "rw_logarithm", x), wanted, rtol=FEW_ULP, atol=2e-8)


def test_exponentials_less_1_even_near_0(library: ctypes.CDLL, rng: np.random.Generator) -> None:
    x = np.concatenate([rng.uniform(-80, 80, 4000), rng.normal(size=4000) * np.exp2(rng.uniform(-30, 0, 4000))])
    x = np.concatenate([x, [0.0, np.log(2) / 2, -np.log(2) / 2, np.log(2)]]).astype(np.float32)
    wanted = np.expm1(x.astype(np.float64))
    np.testing.assert_allclose(values(library, "rw_exponential_less_1", x), wanted, rtol=1e-6, atol=1e-12)
