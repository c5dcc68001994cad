"""Energies of wavelet packets; refuses windows that the tree does not divide evenly."""

from __future__ import annotations

import functools

import numpy as np
import pywt
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["packet_energies"]


def packet_energies(x: NDArray[np.floating], *, wavelet: str, level: int) -> NDArray[np.float64]:
    """Energy of each terminal node of a wavelet packet tree, from the lowest to the highest frequency.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples; n divisible by 2**level.
    wavelet : str
        An orthogonal wavelet that PyWavelets knows, such as ``db4``.
    level : int
        Depth of the tree.

    Returns
    -------
    ndarray of float64, shape (..., 2**level)
        Unit squared: with periodic extension and an orthogonal wavelet they sum to the sum of squares.

    Raises
    ------
    ParameterError
        If n is not divisible by 2**level.

    Notes
    -----
    Coifman and Wickerhauser, IEEE Trans. Inf. Theory 38 (1992) 713-718. The tree is run as the one bank of filters that
    it is equal to (Noble identities): each node is a filter, taken every 2**level samples of the periodic signal, so
    that a batch costs one matrix product.
    """
    n, nodes = x.shape[-1], 2**level
    if n % nodes:
        raise ParameterError(f"a window of {n} samples has no packet tree of level {level}; give a multiple of {nodes}")
    bank, lead = _filter_bank(wavelet, level)
    taps = bank.shape[0]
    # Circular extension on both sides; a window shorter than the filters wraps more than once.
    after = taps - nodes - lead
    wrapped = np.take(x, np.arange(-lead, n + after) % n, axis=-1) if taps > n else _extended(x, lead, after)
    frames = np.lib.stride_tricks.sliding_window_view(wrapped, taps, axis=-1)[..., ::nodes, :]
    coefficients = frames @ bank.astype(x.dtype)
    energies: NDArray[np.float64] = np.einsum("...fk,...fk->...k", coefficients, coefficients).astype(np.float64)
    return energies


def _extended(x: NDArray[np.floating], lead: int, after: int) -> NDArray[np.floating]:
    return np.concatenate([x[..., x.shape[-1] - lead :], x, x[..., : max(after, 0)]], axis=-1)


@functools.lru_cache(maxsize=8)
def _filter_bank(wavelet: str, level: int) -> tuple[NDArray[np.float64], int]:
    """Filters equal to the nodes of a packet tree, shape (taps, nodes), by ascending frequency; and their lead.

    A filter after k halvings acts on the input as the filter with 2**k - 1 zeros between its taps. Each high-pass step
    mirrors the band below it, so the natural order of the tree is read in Gray code to ascend in frequency.
    """
    chosen = pywt.Wavelet(wavelet)
    filters = [np.ones(1)]
    for k in range(level):
        steps = []
        for taps in (chosen.dec_lo, chosen.dec_hi):
            spread = np.zeros((len(taps) - 1) * 2**k + 1)
            spread[:: 2**k] = taps
            steps.append(spread)
        filters = [np.convolve(node, step) for node in filters for step in steps]
    order = np.arange(2**level)
    # Correlation with the reversed filter is convolution. PyWavelets begins each level half a filter late; on the input
    # that is so many samples for each sample of the level: which phase of the signal is kept follows from it.
    lead = (chosen.dec_len // 2 - 1) * (2**level - 1)
    return np.stack([filters[i][::-1] for i in order ^ (order >> 1)], axis=-1), lead
