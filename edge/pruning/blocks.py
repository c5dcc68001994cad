"""Blocks of weights that the compiled kernels keep or skip as one; refuses shapes that no kernel knows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["ELEMENT", "SHAPES", "Block", "block_of", "block_scores", "block_sizes", "kept_blocks", "rows_of", "spread"]


@dataclass(frozen=True)
class Block:
    """A block of weights.

    Attributes
    ----------
    outputs : int
        Consecutive outputs, aligned to multiples of it.
    inputs : int
        Consecutive inputs, aligned to multiples of it from the start of each segment of the row.
    """

    outputs: int
    inputs: int

    @property
    def name(self) -> str:
        """Outputs x inputs, as in 4x4."""
        return f"{self.outputs}x{self.inputs}"


ELEMENT = Block(1, 1)
SHAPES = {block.name: block for block in (ELEMENT, Block(1, 4), Block(2, 4), Block(4, 4))}
_GROUP = 4


def block_of(name: str) -> Block:
    """Give the block of a name.

    Raises
    ------
    ParameterError
        If no kernel knows the shape.

    Examples
    --------
    >>> block_of("2x4")
    Block(outputs=2, inputs=4)
    """
    if name not in SHAPES:
        raise ParameterError(f"blocks of {name} were asked for; one of {', '.join(SHAPES)} is wanted")
    return SHAPES[name]


def rows_of(kernel: NDArray[np.generic]) -> NDArray[np.generic]:
    """Give a kernel in the order in which the converted network keeps it.

    Parameters
    ----------
    kernel : ndarray, shape (inputs, outputs), (width, channels, outputs) or (height, width, channels, outputs)
        As Keras keeps it.

    Returns
    -------
    ndarray, shape (outputs, segments, length)
        Groups of inputs start anew at each segment: the whole row of a dense layer, a kernel row of a convolution, or
        a tap of it where its channels are 4 or more and no multiple of 4.

    Examples
    --------
    >>> rows_of(np.arange(6).reshape(3, 2)).tolist()
    [[[0, 2, 4]], [[1, 3, 5]]]
    """
    taps = _as_taps(kernel.shape)
    return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], *taps)


def block_scores(kernel: NDArray[np.floating], block: Block) -> NDArray[np.float64]:
    """Root mean square of the weights of each block, those beyond the kernel's edge left out.

    Parameters
    ----------
    kernel : ndarray
        As Keras keeps it.
    block : Block

    Returns
    -------
    ndarray, shape (tiles of outputs, segments, groups of inputs)

    References
    ----------
    .. [1] J. Yu et al., Scalpel: Customizing DNN pruning to the underlying hardware parallelism, ISCA 2017.

    Examples
    --------
    >>> block_scores(np.array([[3.0], [4.0], [0.0], [0.0], [2.0]]), Block(1, 4)).round(6).tolist()
    [[[2.5, 2.0]]]
    """
    squares = _in_blocks(rows_of(np.square(kernel, dtype=np.float64)), block).sum(axis=(1, 4))
    return np.asarray(np.sqrt(squares / block_sizes(kernel.shape, block)), dtype=np.float64)


def block_sizes(shape: tuple[int, ...], block: Block) -> NDArray[np.int64]:
    """Count the weights that each block of a kernel of this shape has, shape (tiles, segments, groups)."""
    return np.asarray(_in_blocks(rows_of(np.ones(shape, dtype=np.int64)), block).sum(axis=(1, 4)), dtype=np.int64)


def kept_blocks(kernel: NDArray[np.generic], block: Block) -> NDArray[np.bool_]:
    """Tell which blocks hold a weight that is not 0, shape (tiles, segments, groups)."""
    return np.asarray(_in_blocks(rows_of(kernel != 0), block).any(axis=(1, 4)))


def spread(kept: NDArray[np.bool_], shape: tuple[int, ...], block: Block) -> NDArray[np.bool_]:
    """Spread what is kept of blocks over the weights.

    Parameters
    ----------
    kept : ndarray of bool, shape (tiles, segments, groups)
    shape : tuple of int
        Of the kernel as Keras keeps it.
    block : Block

    Returns
    -------
    ndarray of bool, of this shape

    Examples
    --------
    >>> spread(np.array([[[False, True]]]), (5, 2), Block(2, 4)).astype(int).T.tolist()
    [[0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
    """
    _, length = _as_taps(shape)
    rows = np.repeat(np.repeat(kept, block.outputs, axis=0), block.inputs, axis=2)[: shape[-1], :, :length]
    return np.moveaxis(rows.reshape(shape[-1], *shape[:-1]), 0, -1)


def _as_taps(shape: tuple[int, ...]) -> tuple[int, int]:
    """Segments of a row and their length."""
    if len(shape) == 2:
        return 1, shape[0]
    channels, width, height = shape[-2], shape[-3], math.prod(shape[:-3])
    if channels >= _GROUP and channels % _GROUP:
        return height * width, channels
    return height, width * channels


def _in_blocks(rows: NDArray[np.generic], block: Block) -> NDArray[np.generic]:
    """Fold rows into blocks, shape (tiles, outputs, segments, groups, inputs), zeros beyond the edges."""
    outputs, segments, length = rows.shape
    padded = np.pad(rows, ((0, -outputs % block.outputs), (0, 0), (0, -length % block.inputs)))
    return padded.reshape(-1, block.outputs, segments, padded.shape[2] // block.inputs, block.inputs)
