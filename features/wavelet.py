"""Energies of wavelet packets; refuses windows that the tree does not divide evenly."""

from __future__ import annotations

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
    Coifman and Wickerhauser, IEEE Trans. Inf. Theory 38 (1992) 713-718. Each high-pass step mirrors the band below
    it, so the natural order is read in Gray code to ascend in frequency.
    """
    n = x.shape[-1]
    if n % 2**level:
        raise ParameterError(
            f"a window of {n} samples has no packet tree of level {level}; give a multiple of {2**level}"
        )
    nodes = [x]
    for _ in range(level):
        nodes = [half for node in nodes for half in pywt.dwt(node, wavelet, mode="periodization", axis=-1)]
    energies = np.stack([np.einsum("...i,...i->...", node, node) for node in nodes], axis=-1).astype(np.float64)
    order = np.arange(2**level)
    return energies[..., order ^ (order >> 1)]
