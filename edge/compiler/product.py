"""Weights of a dense layer or a convolution in the order and form in which the node's inner loops read them.

The forms are described in `edge/runtime/rw_product.h`; rows that do not fit them (sums beyond 24 bits, a multiplier of
one half or more, a weight of -128) are computed in 32 bits, see `edge/runtime/rw_exact.h`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.compiler.step import TILES
from edge.cycles import CycleTable, read_cycles
from features.errors import ArtifactError

__all__ = ["GROUP", "Band", "Product", "encode", "fits", "folded_bias", "grouped", "words"]

GROUP = 4
_TILE = 4
# What rw_expand.h adds to inputs of even and of odd places.
_EVEN, _ODD = 1, 129
# 256 times a sum is to fit int32.
_LARGEST_SUM = 1 << 23
# The right shift less one; beyond it, the zero point would be shifted out of int32.
_SHIFTS = range(1, 23)
_MOST_IN_A_BYTE = 255


@dataclass(frozen=True)
class Band:
    """Rows of a layer that are encoded alike.

    Attributes
    ----------
    first, rows : int
        Which rows of the layer.
    tile_rows : int
        Rows that are computed at once.
    weights : ndarray of uint32
        Words of four weights.
    counts, steps : ndarray of uint8, or None
        Of a sparse band: groups of each tile and segment, and how much further each lies.
    exact : bool
        Whether it is in the form of `edge/runtime/rw_exact.h`.
    """

    first: int
    rows: int
    tile_rows: int
    weights: NDArray[np.uint32]
    counts: NDArray[np.uint8] | None = None
    steps: NDArray[np.uint8] | None = None
    exact: bool = False

    @property
    def sparse(self) -> bool:
        """Whether groups of zeros are left out."""
        return self.steps is not None

    @property
    def n_bytes(self) -> int:
        """Bytes of weights and indices in flash."""
        return sum(part.nbytes for part in (self.weights, self.counts, self.steps) if part is not None)


@dataclass(frozen=True)
class Product:
    """All bands of a layer, with groups of inputs a segment."""

    bands: tuple[Band, ...]
    groups: int
    segments: int


def grouped(weights: NDArray[np.int8], *, each_tap: bool) -> NDArray[np.int8]:
    """Deal a layer's weights into groups of four inputs, padded with zeros.

    Parameters
    ----------
    weights : ndarray of int8, shape (outputs, kernel rows, taps, channels)
        As the file has them.
    each_tap : bool
        Whether groups begin anew at each tap; else at each kernel row.

    Returns
    -------
    ndarray of int8, shape (outputs, kernel rows, groups, 4)
    """
    outputs, rows, taps, channels = weights.shape
    spans = weights if each_tap else weights.reshape(outputs, rows, 1, taps * channels)
    short = -spans.shape[-1] % GROUP
    padded = np.pad(spans, [(0, 0), (0, 0), (0, 0), (0, short)])
    return padded.reshape(outputs, rows, -1, GROUP)


def words(groups: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Pack groups of four weights: two lanes of int16, `256 w1 + w0` and `256 w3 + w2`.

    Examples
    --------
    >>> [hex(word) for word in words(np.array([[1, 2, 3, 4], [-1, 2, 0, 0]], dtype=np.int8))]
    ['0x4030201', '0x1ff']
    """
    wide = groups.astype(np.int64)
    low = (256 * wide[..., 1] + wide[..., 0]) & 0xFFFF
    high = (256 * wide[..., 3] + wide[..., 2]) & 0xFFFF
    return (low | high << 16).astype(np.uint32)


def fits(
    weights: NDArray[np.int8],
    bias: NDArray[np.int64],
    zero_point: int,
    multipliers: NDArray[np.int64],
    shifts: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Tell which rows the packed form computes exactly.

    Parameters
    ----------
    weights : ndarray of int8, shape (outputs, ...)
        Of the layer.
    bias, multipliers, shifts : ndarray, shape (outputs,)
        Shifts to the left.
    zero_point : int
        Of the inputs.

    Returns
    -------
    ndarray of bool, shape (outputs,)
    """
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    above, below = np.clip(rows, 0, None).sum(axis=1), np.clip(rows, None, 0).sum(axis=1)
    highest = above * (127 - zero_point) + below * (-128 - zero_point) + bias
    lowest = above * (-128 - zero_point) + below * (127 - zero_point) + bias
    within = (highest < _LARGEST_SUM) & (lowest >= -_LARGEST_SUM)
    shifted = (-shifts >= _SHIFTS.start) & (-shifts < _SHIFTS.stop)
    return np.asarray(within & shifted & (multipliers > 0) & (rows.min(axis=1, initial=0) > -128))


def folded_bias(groups: NDArray[np.int8], bias: NDArray[np.int64], zero_point: int) -> NDArray[np.int32]:
    """Return 256 times the bias with the inputs' zero point and the expansion's offsets taken out, modulo 2**32.

    Parameters
    ----------
    groups : ndarray of int8, shape (outputs, kernel rows, groups, 4)
        From `grouped`.
    bias : ndarray of int64, shape (outputs,)
    zero_point : int
    """
    offsets = np.array([_EVEN, _ODD, _EVEN, _ODD]) + zero_point
    folded = bias - (groups.astype(np.int64) * offsets).sum(axis=(1, 2, 3))
    return np.asarray((folded * 256).astype(np.uint32).astype(np.int32))


def encode(
    groups: NDArray[np.int8], packed: NDArray[np.bool_] | None = None, *, tiles: Set[tuple[int, bool]] = TILES
) -> Product | None:
    """Choose for a layer the form that costs least, of those its zeros allow.

    Parameters
    ----------
    groups : ndarray of int8, shape (outputs, kernel rows, groups, 4)
        From `grouped`.
    packed : ndarray of bool, shape (outputs,), optional
        From `fits`; the tile of a row that does not fit is computed in 32 bits. All fit where it is not given.
    tiles : set of (int, bool)
        Of `TILES`, what may be chosen.

    Returns
    -------
    Product or None
        Whole tiles first; rows that are left over have a band of their own. None where rows of 32 bits have too many
        groups for their form.

    Raises
    ------
    ArtifactError
        If rows fit none of the tiles.
    """
    outputs, segments, n_groups, _ = groups.shape
    bands: list[Band] = []
    for first, rows, fast in _runs(np.ones(outputs, dtype=bool) if packed is None else packed):
        if fast:
            bands.extend(_packed_bands(groups, first, rows, tiles))
            continue
        band = _sparse(groups[first : first + rows], first, 1, exact=True)
        if band is None:
            return None
        bands.append(band)
    return Product(tuple(bands), n_groups, segments)


def _runs(packed: NDArray[np.bool_]) -> list[tuple[int, int, bool]]:
    """Neighbouring tiles of a kind: first row, rows, and whether all of them fit."""
    tiles = np.logical_and.reduceat(packed, np.arange(0, len(packed), _TILE))
    changes = np.flatnonzero(np.diff(tiles)) + 1
    edges = [0, *(changes * _TILE).tolist(), len(packed)]
    return [(a, b - a, bool(tiles[a // _TILE])) for a, b in itertools.pairwise(edges)]


def _packed_bands(groups: NDArray[np.int8], first: int, rows: int, tiles: Set[tuple[int, bool]]) -> list[Band]:
    bands: list[Band] = []
    end = first + rows
    for size in (_TILE, 2, 1):
        whole = (end - first) // size * size
        if whole:
            bands.extend(_cheapest(groups, first, whole, size, tiles))
        first += whole
    return bands


def _cheapest(groups: NDArray[np.int8], first: int, rows: int, size: int, tiles: Set[tuple[int, bool]]) -> list[Band]:
    part = groups[first : first + rows]
    # Two rows left over are no dense tile: there is none of two.
    able = [(tile, sparse) for tile, sparse in sorted(tiles, reverse=True) if size % tile == 0]
    candidates = [_dense(part, first, tile) for tile, sparse in able if not sparse]
    candidates += [band for tile, sparse in able if sparse and (band := _sparse(part, first, tile))]
    if not candidates:
        raise ArtifactError(f"{rows} rows in tiles of at most {size} have no form")
    return [min(candidates, key=lambda band: (_cycles(band, part), band.n_bytes))]


def _cycles(band: Band, part: NDArray[np.int8]) -> float:
    """What is apart between forms; outputs and inputs cost the same in all."""
    table = _table()
    groups, tiles = len(band.weights) / band.tile_rows, band.rows // band.tile_rows * part.shape[1]
    if band.sparse:
        shape = table.groups[f"{band.tile_rows}x{GROUP}"]
        return float(shape.per_group * groups + shape.per_tile * tiles)
    per_mac = table.dense_row_per_mac if band.tile_rows == 1 else table.dense_per_mac
    return float(per_mac * GROUP * len(band.weights))


@functools.lru_cache(maxsize=1)
def _table() -> CycleTable:
    return read_cycles()


def _dense(part: NDArray[np.int8], first: int, tile: int) -> Band:
    rows, segments, n_groups, _ = part.shape
    tiles = words(part).reshape(rows // tile, tile, segments, n_groups)
    return Band(first, rows, tile, np.ascontiguousarray(tiles.transpose(0, 2, 3, 1)).reshape(-1))


def _sparse(part: NDArray[np.int8], first: int, tile: int, *, exact: bool = False) -> Band | None:
    rows, segments, n_groups, _ = part.shape
    tiles = part.reshape(rows // tile, tile, segments, n_groups, GROUP)
    packed = _plain_words(tiles) if exact else words(tiles)
    kept = np.any(tiles != 0, axis=(1, 4))
    counts, steps, weights = [], [], []
    for t in range(len(tiles)):
        for s in range(segments):
            places = _with_stops(np.flatnonzero(kept[t, s]))
            counts.append(len(places))
            steps.append(np.diff(places, prepend=0))
            weights.append(packed[t, :, s, places].reshape(-1))
    if max(counts) > _MOST_IN_A_BYTE:
        return None
    return Band(
        first,
        rows,
        tile,
        np.concatenate(weights).astype(np.uint32),
        np.array(counts, dtype=np.uint8),
        np.concatenate(steps).astype(np.uint8),
        exact,
    )


def _plain_words(groups: NDArray[np.int8]) -> NDArray[np.uint32]:
    """Groups of four weights as the bytes of a word."""
    return np.ascontiguousarray(groups).view("<u4")[..., 0].astype(np.uint32)


def _with_stops(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where a step would not fit a byte, a group of zeros is kept on the way."""
    stops = list(places)
    at = 0
    for place in places:
        while place - at > _MOST_IN_A_BYTE:
            at += _MOST_IN_A_BYTE
            stops.append(at)
        at = int(place)
    return np.array(sorted(stops), dtype=np.intp)
