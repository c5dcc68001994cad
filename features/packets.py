"""Wavelet packet energies, decimated or not, their entropy and image; refuses windows that divide unevenly."""

from __future__ import annotations

import functools

import numpy as np
import pywt
import scipy.special
from numpy.typing import NDArray

from features.errors import ParameterError
from features.samples import check_finite
from features.wavelet import orthogonal_wavelet

__all__ = ["packet_energies", "packet_entropy", "packet_image", "packet_powers"]


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
    check_finite(x)
    n, nodes = x.shape[-1], 2**level
    _refuse_uneven(n, level)
    bank, lead = _filter_bank(wavelet, level)
    taps = bank.shape[0]
    # Circular extension on both sides; a window shorter than the filters wraps more than once.
    after = taps - nodes - lead
    wrapped = np.take(x, np.arange(-lead, n + after) % n, axis=-1) if taps > n else _extended(x, lead, after)
    frames = np.lib.stride_tricks.sliding_window_view(wrapped, taps, axis=-1)[..., ::nodes, :]
    coefficients = frames @ bank.astype(x.dtype)
    energies: NDArray[np.float64] = np.einsum("...fk,...fk->...k", coefficients, coefficients).astype(np.float64)
    return energies


def packet_powers(power: NDArray[np.floating], n: int, *, wavelet: str, level: int) -> NDArray[np.float64]:
    """Mean square of each terminal node of the undecimated (maximal-overlap) wavelet packet tree, from a spectrum.

    Parameters
    ----------
    power : ndarray, shape (..., n // 2 + 1)
        From `features.spectral.bin_power`.
    n : int
        Samples that were transformed, at least 2**level.
    wavelet : str
        An orthogonal wavelet that PyWavelets knows, such as ``db4``.
    level : int
        Depth of the tree.

    Returns
    -------
    ndarray of float64, shape (..., 2**level)
        Unit squared, from the lowest to the highest frequency; they sum to the mean square of the samples.

    Raises
    ------
    ParameterError
        If n is below 2**level, or the spectrum is not one of n samples.

    Notes
    -----
    Percival and Walden, Wavelet Methods for Time Series Analysis (2000), section 6.6 (MODWPT). The decimated tree of
    `packet_energies` keeps every 2**level-th coefficient, and which ones follows from where the window begins; this is
    the mean over all beginnings, so it does not change as the samples move round, nor with time run backwards. Without
    decimation nothing aliases: a node's power is the power of the bins weighted by its squared response.

    Examples
    --------
    >>> from features.spectral import bin_power
    >>> x = np.random.default_rng(1).standard_normal(256)
    >>> found = packet_powers(bin_power(np.fft.rfft(x), 256), 256, wavelet="db4", level=4)
    >>> begun = [packet_energies(np.roll(x, k), wavelet="db4", level=4) for k in range(16)]
    >>> bool(np.allclose(found, np.mean(begun, axis=0) / 256))
    True
    """
    if n < 2**level:
        raise ParameterError(f"a window of {n} samples has no packets of level {level}; give at least {2**level}")
    if power.shape[-1] != n // 2 + 1:
        raise ParameterError(f"a spectrum of {power.shape[-1]} bins was given as that of {n} samples")
    return np.asarray(power @ _squared_responses(n, wavelet, level, power.dtype.name), dtype=np.float64)


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
    check_finite(x)
    n, nodes = x.shape[-1], 2**level if 1 <= level <= 10 else 0
    if not nodes:
        raise ParameterError(f"a packet image of level {level} was asked; 1 to 10 is wanted")
    if n < nodes or n % nodes:
        raise ParameterError(
            f"a window of {n} samples has no packet image of level {level}; give a multiple of {nodes}"
        )
    filters = orthogonal_wavelet(wavelet)
    tree = x[..., None, :]
    for _ in range(level):
        children = np.stack(pywt.dwt(tree, filters, mode="periodization", axis=-1), axis=-2)
        tree = children.reshape(*x.shape[:-1], -1, children.shape[-1])
    energies = np.einsum("...nk,...nk->...n", tree, tree).astype(np.float64)[..., _by_frequency(nodes)]
    return np.asarray(energies.reshape(*x.shape[:-1], 2 ** (level // 2), -1))


def _refuse_uneven(n: int, level: int) -> None:
    nodes = 2**level
    if n < nodes or n % nodes:
        raise ParameterError(f"a window of {n} samples has no packet tree of level {level}; give a multiple of {nodes}")


def _extended(x: NDArray[np.floating], lead: int, after: int) -> NDArray[np.floating]:
    return np.concatenate([x[..., x.shape[-1] - lead :], x, x[..., : max(after, 0)]], axis=-1)


@functools.lru_cache(maxsize=8)
def _filter_bank(wavelet: str, level: int) -> tuple[NDArray[np.float64], int]:
    """Filters equal to the nodes of a packet tree, shape (taps, nodes), by ascending frequency; and their lead.

    A filter after k halvings acts on the input as the filter with 2**k - 1 zeros between its taps. Each high-pass step
    mirrors the band below it, so the natural order of the tree is read in Gray code to ascend in frequency.
    """
    chosen = orthogonal_wavelet(wavelet)
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


@functools.lru_cache(maxsize=8)
def _squared_responses(n: int, wavelet: str, level: int, dtype: str) -> NDArray[np.floating]:
    """Share of the power of each bin that each node keeps, shape (n // 2 + 1, nodes); read-only, rows sum to 1."""
    bank, _ = _filter_bank(wavelet, level)
    turns = np.arange(n // 2 + 1)[:, None] * np.arange(bank.shape[0]) % n / n
    shares: NDArray[np.floating] = (np.abs(np.exp(-2j * np.pi * turns) @ bank) ** 2 / bank.shape[1]).astype(dtype)
    shares.flags.writeable = False
    return shares
