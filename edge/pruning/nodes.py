"""Removal of whole neurons and filters, giving a smaller dense model; refuses models whose layers form no chain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.pruning.descent import Lesson
from edge.pruning.gradual import Gauge, Progress, Recipe, fine_tune, ramp
from edge.pruning.masks import prunable
from features.errors import ParameterError

__all__ = ["chain_of", "node_scores", "prune_nodes", "strongest", "without_nodes"]

_PASSING = (
    "Activation", "AveragePooling1D", "AveragePooling2D", "Dropout", "GaussianNoise", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "LeakyReLU", "MaxPooling1D", "MaxPooling2D",
    "ReLU", "SpatialDropout1D", "SpatialDropout2D", "Winners", "ZeroPadding1D", "ZeroPadding2D",
)  # fmt: skip


def chain_of(model: Any) -> list[Any]:
    """Give the layers of a model that form a chain, the input left out.

    Raises
    ------
    ParameterError
        If a layer feeds two others, takes two inputs or is a model itself.
    """
    import keras

    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    before = model.inputs[0]
    for layer in layers:
        # A sequence that was loaded has been built twice, and its layers remember the first time.
        follows = isinstance(model, keras.Sequential) or layer.input is before
        if isinstance(layer, keras.Model) or not follows:
            raise ParameterError(f"layer {layer.name} does not follow the one before it alone; a plain chain is wanted")
        before = layer.output
    return layers


def node_scores(model: Any) -> dict[str, NDArray[np.float64]]:
    """Score the nodes of the layers that have a successor.

    Returns
    -------
    dict of ndarray, shape (nodes,)
        By layer name: root mean square of the weights into a node, scaled as a batch normalisation after it scales
        them, times that of the weights out of it.

    Notes
    -----
    Scalpel learns a factor for each node instead. The product of both sides is the size of the path through the node;
    weights into it alone would be blind to the free scale between two layers with a ReLU between them.
    """
    layers = chain_of(model)
    weighted = prunable(model)
    return {
        this.name: _incoming(this, layers) * _outgoing(this, following)
        for this, following in itertools.pairwise(weighted)
    }


def without_nodes(model: Any, kept: Mapping[str, NDArray[np.bool_]]) -> Any:
    """Build the smaller model that lacks nodes.

    Parameters
    ----------
    model : keras.Model
        A chain of dense layers, convolutions, batch normalisation, activations, pooling and flattening.
    kept : mapping of ndarray of bool, shape (nodes,)
        By name of a dense layer or convolution. Not of the last: outputs of the network stay, as its inputs do.

    Returns
    -------
    keras.Sequential
        Compiled with the same loss. It computes what the model does with the weights out of these nodes at 0.

    Raises
    ------
    ParameterError
        If the model is no chain or has a layer of another kind, outputs of the network are to go, or a layer would
        keep no node.
    """
    import keras

    _check(model, kept)
    layers = chain_of(model)
    inputs = np.ones(model.input_shape[-1], dtype=bool)
    made, weights = [keras.layers.Input(model.input_shape[1:])], []
    for layer in layers:
        smaller, values, inputs = _without(layer, inputs, kept)
        made.append(smaller)
        weights += values
    built = keras.Sequential(made, name=model.name)
    built.set_weights(weights)
    built.compile(optimizer="adam", loss=model.loss)
    return built


def prune_nodes(
    model: Any,
    lesson: Lesson,
    *,
    share: Mapping[str, float] | float,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    gauge: Gauge | None = None,
) -> Any:
    """Remove the weakest nodes in rounds, with training between them and after.

    Parameters
    ----------
    model : keras.Model
        Trained, compiled with its loss; it is not changed.
    lesson : Lesson
        What it learned from.
    share : float or mapping of float
        Share of the nodes to remove, from 0 to below 1: of each layer but the last, or by layer name.
    recipe : Recipe
        Its rises are the rounds.
    seed : int
        Of the order of the rows.
    progress : callable
        Told what was reached.
    gauge : Gauge, optional
        Where given, the best pass of the last fine-tuning is kept.

    Returns
    -------
    keras.Sequential

    Raises
    ------
    ParameterError
        As `without_nodes` says.
    """
    shares = dict(share) if isinstance(share, Mapping) else dict.fromkeys(node_scores(model), share)
    wanted = {layer.name: layer.kernel.shape[-1] for layer in prunable(model)}
    between = Recipe(ramp_epochs=0, tune_epochs=max(recipe.ramp_epochs // recipe.rises, 1), rate=recipe.rate)
    for rise in range(1, recipe.rises + 1):
        left = {
            name: wanted[name] - round(wanted[name] * ramp(rise / recipe.rises, final=shares[name])) for name in shares
        }
        model = without_nodes(model, {name: strongest(node_scores(model)[name], left[name]) for name in shares})
        progress(f"round {rise} of {recipe.rises}: {sum(left.values())} nodes left")
        if rise < recipe.rises:
            model = fine_tune(model, lesson, recipe=between, seed=seed + rise, progress=progress)
    return fine_tune(model, lesson, recipe=recipe, seed=seed, progress=progress, gauge=gauge)


def strongest(scores: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Keep the nodes of the highest scores, at least one.

    Examples
    --------
    >>> strongest(np.array([0.2, 0.9, 0.5]), 2).tolist()
    [False, True, True]
    """
    kept = np.zeros(len(scores), dtype=bool)
    kept[np.argsort(-scores, kind="stable")[: max(count, 1)]] = True
    return kept


def _check(model: Any, kept: Mapping[str, NDArray[np.bool_]]) -> None:
    names = [layer.name for layer in prunable(model)]
    for name, nodes in kept.items():
        if name not in names[:-1]:
            raise ParameterError(f"nodes of {name} are to go; one of {', '.join(names[:-1])} is wanted")
        if not nodes.any():
            raise ParameterError(f"all nodes of {name} are to go; at least one must stay")


def _without(
    layer: Any, inputs: NDArray[np.bool_], kept: Mapping[str, NDArray[np.bool_]]
) -> tuple[Any, list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Give a layer without what is not kept, its weights, and which of its outputs are left."""
    kind, config = type(layer).__name__, layer.get_config()
    values = [np.asarray(value) for value in layer.get_weights()]
    outputs = inputs
    if kind in ("Dense", "Conv1D", "Conv2D"):
        outputs = kept.get(layer.name, np.ones(values[0].shape[-1], dtype=bool))
        config["units" if kind == "Dense" else "filters"] = int(outputs.sum())
        values = [values[0][..., inputs, :][..., outputs], *(value[outputs] for value in values[1:])]
    elif kind == "BatchNormalization":
        values = [value[inputs] for value in values]
    elif kind == "DepthwiseConv2D":
        outputs = np.repeat(inputs, values[0].shape[-1])
        values = [values[0][:, :, inputs, :], *(value[outputs] for value in values[1:])]
    elif kind == "Flatten":
        outputs = np.tile(inputs, math.prod(layer.input.shape[1:-1]))
    elif kind not in _PASSING:
        raise ParameterError(f"layer {layer.name} is a {kind}, behind which removed nodes cannot be followed")
    return type(layer).from_config(config), values, outputs


def _incoming(layer: Any, layers: list[Any]) -> NDArray[np.float64]:
    kernel = np.asarray(layer.kernel, dtype=np.float64)
    size = np.sqrt(np.square(kernel).mean(axis=tuple(range(kernel.ndim - 1))))
    after = layers[layers.index(layer) + 1]
    if type(after).__name__ == "BatchNormalization" and after.scale:
        size *= np.abs(np.asarray(after.gamma)) / np.sqrt(np.asarray(after.moving_variance) + after.epsilon)
    return np.asarray(size, dtype=np.float64)


def _outgoing(layer: Any, following: Any) -> NDArray[np.float64]:
    """Root mean square of the weights out of each node, over all positions that a flattening lays side by side."""
    kernel = np.square(np.asarray(following.kernel, dtype=np.float64))
    nodes = layer.kernel.shape[-1]
    by_input = kernel.mean(axis=(*range(kernel.ndim - 2), kernel.ndim - 1))
    if by_input.size % nodes:
        raise ParameterError(
            f"the {by_input.size} inputs of {following.name} are no multiple of {nodes} nodes before it"
        )
    return np.asarray(np.sqrt(by_input.reshape(-1, nodes).mean(axis=0)), dtype=np.float64)
