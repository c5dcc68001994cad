"""Masks over the kernels of a Keras model, by layer or under one threshold; refuses sparsities outside 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.pruning.blocks import Block, block_scores, block_sizes, spread
from features.errors import ParameterError

__all__ = ["Masks", "apply_masks", "global_masks", "kernels_of", "layer_masks", "masks_of", "prunable", "sparsity_of"]

# By name of the layer: which weights of its kernel stay.
Masks = dict[str, NDArray[np.bool_]]


def prunable(model: Any) -> list[Any]:
    """List the layers whose kernels can be pruned in blocks: dense layers and convolutions, in their order."""
    import keras

    kinds = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def kernels_of(model: Any) -> dict[str, NDArray[np.float32]]:
    """Give the kernels of the layers that can be pruned, by layer name."""
    return {layer.name: np.asarray(layer.kernel) for layer in prunable(model)}


def masks_of(model: Any) -> Masks:
    """Give the masks that keep what is not 0 in a model."""
    return {name: kernel != 0 for name, kernel in kernels_of(model).items()}


def apply_masks(model: Any, masks: Masks) -> None:
    """Set the weights that masks drop to 0, in place."""
    for layer in prunable(model):
        if layer.name in masks:
            layer.kernel.assign(np.asarray(layer.kernel) * masks[layer.name])


def sparsity_of(model: Any) -> float:
    """Share of the weights of all kernels that is exactly 0."""
    kernels = kernels_of(model).values()
    return 1.0 - sum(np.count_nonzero(kernel) for kernel in kernels) / sum(kernel.size for kernel in kernels)


def layer_masks(
    kernels: Mapping[str, NDArray[np.floating]], blocks: Mapping[str, Block], sparsity: Mapping[str, float]
) -> Masks:
    """Drop the weakest blocks of each layer, up to a share of its weights.

    Parameters
    ----------
    kernels : mapping of ndarray
        By layer name, as Keras keeps them.
    blocks, sparsity : mapping
        By layer name; a layer that either lacks is left alone. The sparsity is the largest share of weights to drop.

    Returns
    -------
    Masks

    Raises
    ------
    ParameterError
        If a sparsity is not from 0 to below 1.

    Examples
    --------
    >>> kernel = np.array([[3.0], [1.0], [2.0], [4.0]])
    >>> layer_masks({"a": kernel}, {"a": Block(1, 1)}, {"a": 0.5})["a"].T.tolist()
    [[True, False, False, True]]
    """
    masks = {}
    for name, kernel in kernels.items():
        if name in blocks and name in sparsity:
            block = blocks[name]
            sizes = block_sizes(kernel.shape, block)
            kept = _strongest(block_scores(kernel, block).ravel(), sizes.ravel(), _checked(sparsity[name]))
            masks[name] = spread(kept.reshape(sizes.shape), kernel.shape, block)
    return masks


def global_masks(
    kernels: Mapping[str, NDArray[np.floating]],
    blocks: Mapping[str, Block],
    sparsity: float,
    *,
    most: float = 0.98,
) -> Masks:
    """Drop the weakest blocks of all layers together, each measured against the root mean square of its layer.

    Parameters
    ----------
    kernels : mapping of ndarray
        By layer name, as Keras keeps them.
    blocks : mapping of Block
        By layer name; a layer that it lacks is left alone.
    sparsity : float
        Largest share of the weights of these layers to drop.
    most : float
        Largest share of the weights of one layer to drop, so that none falls silent.

    Returns
    -------
    Masks

    Raises
    ------
    ParameterError
        If a sparsity is not from 0 to below 1.

    Notes
    -----
    The measure of a layer is that of the weights that are left in it, so that a layer does not look strong for having
    been pruned.
    """
    _checked(sparsity)
    chosen = {name: kernel for name, kernel in kernels.items() if name in blocks}
    floors = layer_masks(chosen, blocks, dict.fromkeys(chosen, most))
    scores, sizes = [], []
    for name, kernel in chosen.items():
        # What the layer may not lose stands above everything else.
        safe = block_sizes(kernel.shape, blocks[name]), block_scores(floors[name].astype(np.float64), blocks[name])
        measure = float(np.sqrt(np.mean(np.square(kernel[kernel != 0])))) if kernel.any() else 1.0
        scores.append(np.where(safe[1] > 0, np.inf, 0.0).ravel() + block_scores(kernel, blocks[name]).ravel() / measure)
        sizes.append(safe[0].ravel())
    kept = _strongest(np.concatenate(scores), np.concatenate(sizes), sparsity)
    parts = np.split(kept, np.cumsum([len(part) for part in sizes])[:-1])
    shapes = {name: block_sizes(kernel.shape, blocks[name]).shape for name, kernel in chosen.items()}
    return {
        name: spread(part.reshape(shapes[name]), kernel.shape, blocks[name])
        for (name, kernel), part in zip(chosen.items(), parts, strict=True)
    }


def _strongest(scores: NDArray[np.float64], sizes: NDArray[np.int64], sparsity: float) -> NDArray[np.bool_]:
    """Keep all but the weakest blocks, which together hold at most this share of the weights."""
    order = np.argsort(scores, kind="stable")
    dropped = np.cumsum(sizes[order]) <= sparsity * sizes.sum() + 1e-9
    kept = np.ones(len(scores), dtype=bool)
    kept[order[dropped]] = False
    kept[np.isposinf(scores)] = True
    return kept


def _checked(sparsity: float) -> float:
    if not 0.0 <= sparsity < 1.0:
        raise ParameterError(f"a sparsity of {sparsity:g} was given; from 0 to below 1 is wanted")
    return sparsity
