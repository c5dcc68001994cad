"""The parts of the C front end against second sources: NumPy's transforms and median, the search of lines in Python."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from edge.node.frontend import load_frontend
from features.orders import order_amplitudes_from_spectrum


class Pair(ctypes.Structure):
    _fields_ = (("high", ctypes.c_float), ("low", ctypes.c_float))


class Range(ctypes.Structure):
    _fields_ = (("first", ctypes.c_size_t), ("last", ctypes.c_size_t), ("inside", ctypes.c_bool))


def pair(value: float) -> Pair:
    return Pair(value, value - float(np.float32(value)))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    loaded = load_frontend(tmp_path_factory.mktemp("frontend"))
    loaded.rw_lines_near.restype = Range
    loaded.rw_lines_near.argtypes = [Pair, Pair, ctypes.c_size_t]
    loaded.rw_lines_median.restype = ctypes.c_float
    return loaded


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("n", [2**k for k in range(2, 12)])
def test_complex_transforms_are_those_of_numpy(
    library: ctypes.CDLL, rng: np.random.Generator, n: int, blocks: int
) -> None:
    given = (rng.standard_normal((blocks, n)) + 1j * rng.standard_normal((blocks, n))).astype(np.complex64)
    found = given.copy()
    library.rw_fft(ctypes.c_void_p(found.ctypes.data), ctypes.c_size_t(n), ctypes.c_size_t(blocks))
    wanted = np.fft.fft(given.astype(np.complex128))
    assert np.abs(found - wanted).max() < 4e-7 * np.abs(given).max() * np.sqrt(n) * np.log2(n)


@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("n", [2**k for k in range(3, 13)])
def test_real_transforms_are_those_of_numpy(
    library: ctypes.CDLL, rng: np.random.Generator, n: int, blocks: int
) -> None:
    given = rng.standard_normal((blocks, n)).astype(np.float32)
    found = given.copy()
    library.rw_fft_real(ctypes.c_void_p(found.ctypes.data), ctypes.c_size_t(n), ctypes.c_size_t(blocks))
    bins = found.view(np.complex64)
    unpacked = np.concatenate([bins[:, :1].real, bins[:, 1:], bins[:, :1].imag], axis=1)
    wanted = np.fft.rfft(given.astype(np.float64))
    assert np.abs(unpacked - wanted).max() < 4e-7 * np.abs(given).max() * np.sqrt(n) * np.log2(n)


@pytest.mark.parametrize("n", [1, 2, 3, 32, 33, 256, 511])
@pytest.mark.parametrize("kind", ["random", "equal", "few", "rising", "falling"])
def test_the_median_is_that_of_numpy(library: ctypes.CDLL, rng: np.random.Generator, n: int, kind: str) -> None:
    made = {
        "random": rng.random(n),
        "equal": np.full(n, 0.25),
        "few": rng.integers(0, 3, n),
        "rising": np.arange(n),
        "falling": np.arange(n)[::-1],
    }
    values = made[kind].astype(np.float32)
    wanted = np.median(values)
    kept = np.sort(values)
    assert library.rw_lines_median(ctypes.c_void_p(values.ctypes.data), ctypes.c_size_t(n)) == wanted
    np.testing.assert_array_equal(np.sort(values), kept)


@pytest.mark.parametrize("share", [0.01, 0.02])
def test_bins_near_a_place_are_those_of_the_search_in_python(
    library: ctypes.CDLL, rng: np.random.Generator, share: float
) -> None:
    bins = 257
    lines, order = np.eye(bins), np.ones(1)
    # Whole places, and those a millionth beside them, stand on the limits.
    whole = np.arange(1.0, 262.0)
    beside = [whole + 1e-6, whole - 1e-6, whole * 0.98, whole / 1.02, rng.uniform(0.01, 260.0, 500)]
    for place in np.concatenate([whole, *beside]):
        found = library.rw_lines_near(pair(place), pair(share), bins)
        # The search over spectra of one line each finds it where that is near.
        near = order_amplitudes_from_spectrum(lines, 1.0, np.full(bins, place), order, tolerance=share)[:, 0]
        chosen = list(range(found.first, found.last + 1)) if found.inside else []
        assert chosen == np.flatnonzero(near).tolist(), place
