"""Wavelet denoising, and the wavelets that are admitted; refuses windows that divide unevenly."""

from __future__ import annotations

import numpy as np
import pywt
from numpy.typing import NDArray

from features.errors import ParameterError
from features.samples import check_finite

__all__ = ["denoised", "orthogonal_wavelet"]

# Median of the absolute values of a standard Gaussian: what makes a median deviation a standard deviation.
_MAD_OF_GAUSSIAN = 0.6744897501960817


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
    check_finite(x)
    n = x.shape[-1]
    if not scale >= 0.0:
        raise ParameterError(f"a threshold was scaled by {scale}; 0 or more is wanted")
    if level < 1 or n < 2**level or n % 2**level:
        raise ParameterError(
            f"a window of {n} samples has no wavelet transform of level {level}; "
            f"give a level from 1 on and a multiple of {2 ** max(level, 1)}"
        )
    filters = orthogonal_wavelet(wavelet)
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


def orthogonal_wavelet(name: str) -> pywt.Wavelet:
    """Look a wavelet up by its name.

    Raises
    ------
    ParameterError
        If PyWavelets has no such wavelet or it is not orthogonal.
    """
    try:
        chosen = pywt.Wavelet(name)
    except ValueError as error:
        raise ParameterError(f"no wavelet named {name!r}; such as db4 or db8 is wanted") from error
    if not chosen.orthogonal:
        raise ParameterError(f"wavelet {name!r} is not orthogonal; such as db4 or db8 is wanted")
    return chosen
