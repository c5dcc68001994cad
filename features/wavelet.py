"""Wavelet packet energies, their entropy and image, and wavelet denoising; refuses windows that divide unevenly."""

from __future__ import annotations

import functools

import numpy as np
import pywt
import scipy.special
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["denoised", "packet_energies", "packet_entropy", "packet_image"]

# Median of the absolute values of a standard Gaussian: what makes a median deviation a standard deviation.
_MAD_OF_GAUSSIAN = 0.6744897501960817


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


def packet_entropy(energies: NDArray[np.floating]) -> NDArray[np.float64]:
    """Shannon entropy of the shares of energy over the logarithm of the number of nodes; 0 for silence.

    Parameters
    ----------
    energies : ndarray, shape (..., nodes)
        From `packet_energies`, at least two nodes.

    Returns
    -------
    ndarray of float64, shape (...)
        0 where one node holds all, 1 where all hold the same.

    Raises
    ------
    ParameterError
        If there are fewer than two nodes.

    Notes
    -----
    Rosso et al., "Wavelet entropy", J. Neurosci. Methods 105 (2001) 65-75, on packets and normalised.

    Examples
    --------
    >>> packet_entropy(np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 3.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0]])).tolist()
    [1.0, 0.5, 0.0]
    """
    nodes = energies.shape[-1]
    if nodes < 2:
        raise ParameterError(f"the entropy of {nodes} node was asked; at least 2 are wanted")
    total = energies.sum(axis=-1, keepdims=True, dtype=np.float64)
    shares = energies / np.where(total > 0.0, total, 1.0)
    entropy = scipy.special.entr(shares).sum(axis=-1) / np.log(nodes)
    return np.asarray(np.clip(entropy, 0.0, 1.0), dtype=np.float64)


def packet_image(x: NDArray[np.floating], *, wavelet: str, level: int) -> NDArray[np.float64]:
    """Energies of all nodes of a deep packet tree as an image for convolutional networks.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples; n divisible by 2**level, 2**level itself included: each node then holds one coefficient.
    wavelet : str
        An orthogonal wavelet that PyWavelets knows, such as ``db8``.
    level : int
        Depth of the tree, 1 to 10.

    Returns
    -------
    ndarray of float64, shape (..., 2**(level // 2), 2**(level - level // 2))
        Unit squared, ascending in frequency along each row and from row to row; they sum to the sum of squares.

    Raises
    ------
    ParameterError
        If the level is not 1 to 10, or n is not divisible by 2**level.

    Notes
    -----
    Ding and He, "Energy-fluctuated multiscale feature mining based on wavelet packet energy image and deep ConvNet for
    spindle bearing fault diagnosis", IEEE Trans. Instrum. Meas. 66 (2017) 1926-1935. Node by node, since the bank of
    filters of `packet_energies` grows with 4**level. PyWavelets advises against levels at which the filter is longer
    than what it filters; with periodic extension the transform stays orthogonal there, but nodes are no longer well
    parted in frequency.

    Examples
    --------
    >>> image = packet_image(np.sin(2 * np.pi * 100 * np.arange(1024) / 1024.0), wavelet="db8", level=5)
    >>> image.shape, int(image.argmax())
    ((4, 8), 6)
    """
    n, nodes = x.shape[-1], 2**level if 1 <= level <= 10 else 0
    if not nodes:
        raise ParameterError(f"a packet image of level {level} was asked; 1 to 10 is wanted")
    if n < nodes or n % nodes:
        raise ParameterError(
            f"a window of {n} samples has no packet image of level {level}; give a multiple of {nodes}"
        )
    filters = _wavelet(wavelet)
    tree = x[..., None, :]
    for _ in range(level):
        children = np.stack(pywt.dwt(tree, filters, mode="periodization", axis=-1), axis=-2)
        tree = children.reshape(*x.shape[:-1], -1, children.shape[-1])
    energies = np.einsum("...nk,...nk->...n", tree, tree).astype(np.float64)[..., _by_frequency(nodes)]
    return np.asarray(energies.reshape(*x.shape[:-1], 2 ** (level // 2), -1))


def denoised(
    x: NDArray[np.floating], *, wavelet: str, level: int, scale: float = 1.0, per_level: bool = False
) -> NDArray[np.floating]:
    """Shrink the details of a wavelet transform by the universal threshold (VisuShrink).

    Parameters
    ----------
    x : ndarray, shape (..., n)
        Samples; n divisible by 2**level.
    wavelet : str
        An orthogonal wavelet that PyWavelets knows, such as ``db8``.
    level : int
        Depth of the transform, at least 1; its coarsest approximation, Nyquist / 2**level, is kept as it is.
    scale : float
        Factor on the threshold, 0 or more; 0 gives the samples back.
    per_level : bool
        Whether each level has its own estimate of the noise (coloured noise) instead of that of the finest (white).

    Returns
    -------
    ndarray, shape (..., n)
        Unit of the samples.

    Raises
    ------
    ParameterError
        If the level or the scale is not admissible, or n is not divisible by 2**level.

    Notes
    -----
    Soft threshold sigma sqrt(2 ln n), sigma the median absolute detail over 0.6745: Donoho and Johnstone, "Ideal
    spatial adaptation by wavelet shrinkage", Biometrika 81 (1994) 425-455. Made to look smooth: amplitudes of what is
    kept are lowered by the threshold, so that levels are to be read from the samples, not from this.

    Examples
    --------
    >>> x = np.sin(2 * np.pi * np.arange(512) / 128.0)
    >>> noisy = x + 0.2 * np.random.default_rng(1).standard_normal(512)
    >>> bool(np.std(denoised(noisy, wavelet="db8", level=4) - x) < 0.5 * np.std(noisy - x))
    True
    """
    n = x.shape[-1]
    if not scale >= 0.0:
        raise ParameterError(f"a threshold was scaled by {scale}; 0 or more is wanted")
    if level < 1 or n < 2**level or n % 2**level:
        raise ParameterError(
            f"a window of {n} samples has no wavelet transform of level {level}; "
            f"give a level from 1 on and a multiple of {2 ** max(level, 1)}"
        )
    filters = _wavelet(wavelet)
    approximation, details = x, []
    for _ in range(level):
        approximation, detail = pywt.dwt(approximation, filters, mode="periodization", axis=-1)
        details.append(detail)
    universal = scale * np.sqrt(2.0 * np.log(n)) / _MAD_OF_GAUSSIAN
    noise = np.median(np.abs(details[0]), axis=-1, keepdims=True)
    for detail in reversed(details):
        own = np.median(np.abs(detail), axis=-1, keepdims=True) if per_level else noise
        shrunk = np.sign(detail) * np.maximum(np.abs(detail) - (universal * own).astype(detail.dtype), 0.0)
        approximation = pywt.idwt(approximation, shrunk, filters, mode="periodization", axis=-1)
    return np.asarray(approximation)


def _extended(x: NDArray[np.floating], lead: int, after: int) -> NDArray[np.floating]:
    return np.concatenate([x[..., x.shape[-1] - lead :], x, x[..., : max(after, 0)]], axis=-1)


@functools.lru_cache(maxsize=8)
def _filter_bank(wavelet: str, level: int) -> tuple[NDArray[np.float64], int]:
    """Filters equal to the nodes of a packet tree, shape (taps, nodes), by ascending frequency; and their lead.

    A filter after k halvings acts on the input as the filter with 2**k - 1 zeros between its taps. Each high-pass step
    mirrors the band below it, so the natural order of the tree is read in Gray code to ascend in frequency.
    """
    chosen = _wavelet(wavelet)
    filters = [np.ones(1)]
    for k in range(level):
        steps = []
        for taps in (chosen.dec_lo, chosen.dec_hi):
            spread = np.zeros((len(taps) - 1) * 2**k + 1)
            spread[:: 2**k] = taps
            steps.append(spread)
        filters = [np.convolve(node, step) for node in filters for step in steps]
    # Correlation with the reversed filter is convolution. PyWavelets begins each level half a filter late; on the input
    # that is so many samples for each sample of the level: which phase of the signal is kept follows from it.
    lead = (chosen.dec_len // 2 - 1) * (2**level - 1)
    return np.stack([filters[i][::-1] for i in _by_frequency(2**level)], axis=-1), lead


def _by_frequency(nodes: int) -> NDArray[np.intp]:
    """Places of the nodes of a tree in its natural order, by ascending frequency: the Gray code."""
    order = np.arange(nodes)
    return order ^ (order >> 1)


def _wavelet(name: str) -> pywt.Wavelet:
    try:
        chosen = pywt.Wavelet(name)
    except ValueError as error:
        raise ParameterError(f"no wavelet named {name!r}; such as db4 or db8 is wanted") from error
    if not chosen.orthogonal:
        raise ParameterError(f"wavelet {name!r} is not orthogonal; such as db4 or db8 is wanted")
    return chosen
