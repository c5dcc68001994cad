"""Layers learned one after another without labels, as autoencoders; refuses inputs outside 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = [
    "Adam",
    "Autoencoder",
    "Layer",
    "Recipe",
    "autoencoder_loss",
    "batches",
    "divergence",
    "encode",
    "first_weights",
    "greedy",
    "learn_autoencoder",
    "logistic",
    "unit_interval",
]

Floats = NDArray[np.floating]
Parameters = tuple[Floats, Floats, Floats, Floats]


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer with the logistic function.

    Attributes
    ----------
    weights : ndarray, shape (inputs, units)
    bias : ndarray, shape (units,)
    """

    weights: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        """Map inputs (..., inputs) to units (..., units), each between 0 and 1."""
        return logistic(x @ self.weights + self.bias)


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A layer that codes and one that gives the input back."""

    encoder: Layer
    decoder: Layer

    def reconstruct(self, x: Floats) -> Floats:
        """Code inputs (..., inputs) and give them back; adds no noise."""
        return self.decoder(self.encoder(x))


@dataclass(frozen=True)
class Recipe:
    """How an autoencoder of one layer is learned.

    Attributes
    ----------
    epochs, batch : int
        Passes, and windows in a step.
    rate : float
        Of Adam.
    decay : float
        Weight of half the sum of squared weights in the loss.
    target, penalty : float
        Mean activity wanted of each unit, between 0 and 1, and the weight of the divergence from it; a penalty of 0
        asks for none.
    noise : float
        Standard deviation of the Gaussian noise that is added to each unit before its logistic function.
    """

    epochs: int = 20
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-5
    target: float = 0.1
    penalty: float = 0.0
    noise: float = 0.0


Learn = Callable[[Floats, int], Layer]


class Adam:
    """Descent by Adam with its published constants, in place (Kingma and Ba, ICLR 2015).

    Parameters
    ----------
    parameters : sequence of ndarray
        What is moved.
    """

    _BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, parameters: Sequence[Floats]) -> None:
        self._parameters = parameters
        self._means = [np.zeros_like(p) for p in parameters]
        self._squares = [np.zeros_like(p) for p in parameters]
        self._step = 0

    def descend(self, gradients: Sequence[Floats], *, rate: float) -> None:
        """Take one step against the gradients."""
        self._step += 1
        size = rate * np.sqrt(1.0 - self._BETA_2**self._step) / (1.0 - self._BETA_1**self._step)
        for p, g, mean, square in zip(self._parameters, gradients, self._means, self._squares, strict=True):
            mean[...] += (1.0 - self._BETA_1) * (g - mean)
            square[...] += (1.0 - self._BETA_2) * (g * g - square)
            p[...] -= size * mean / (np.sqrt(square) + self._EPSILON)


def logistic(x: Floats) -> Floats:
    """Map numbers to between 0 and 1 without overflow: (1 + tanh(x / 2)) / 2."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def divergence(activity: Floats, *, target: float) -> float:
    """Sum the Kullback-Leibler divergences of units' mean activities from the wanted one.

    Parameters
    ----------
    activity : ndarray, shape (units,)
        Between 0 and 1, ends excluded.
    target : float
        Between 0 and 1, ends excluded.

    Returns
    -------
    float
        In nats; 0 where every activity is the target.

    Examples
    --------
    >>> bool(np.isclose(divergence(np.array([0.5, 0.25]), target=0.5), 0.5 * np.log(4 / 3)))
    True
    """
    wanted = target * np.log(target / activity) + (1.0 - target) * np.log((1.0 - target) / (1.0 - activity))
    return float(wanted.sum())


def autoencoder_loss(
    parameters: Parameters, x: Floats, *, recipe: Recipe, noise: Floats | float = 0.0
) -> tuple[float, Parameters]:
    """Evaluate the loss of an autoencoder of one layer and its gradients.

    Half the squared error, summed over inputs and averaged over windows; plus ``decay`` times half the squared weights;
    plus ``penalty`` times `divergence` of the mean activities.

    Parameters
    ----------
    parameters : tuple of ndarray
        Weights (inputs, units) and bias of the encoder, weights (units, inputs) and bias of the decoder.
    x : ndarray, shape (windows, inputs)
        From 0 to 1.
    recipe : Recipe
    noise : ndarray, shape (windows, units)
        What is added before the logistic function of the encoder.

    Returns
    -------
    tuple of float and tuple of ndarray
        Loss, and its gradient for each of the parameters.
    """
    w, b, v, c = parameters
    n = len(x)
    h = logistic(x @ w + b + noise)
    y = logistic(h @ v + c)
    loss = 0.5 * float(((y - x) ** 2).sum()) / n + 0.5 * recipe.decay * float((w**2).sum() + (v**2).sum())
    dy = (y - x) * y * (1.0 - y) / n
    dh = dy @ v.T
    if recipe.penalty:
        # A unit that never or always fires has no finite divergence.
        activity = np.clip(h.mean(axis=0), 1e-6, 1.0 - 1e-6)
        loss += recipe.penalty * divergence(activity, target=recipe.target)
        dh = dh + recipe.penalty / n * ((1.0 - recipe.target) / (1.0 - activity) - recipe.target / activity)
    dz = dh * h * (1.0 - h)
    return loss, (x.T @ dz + recipe.decay * w, dz.sum(axis=0), h.T @ dy + recipe.decay * v, dy.sum(axis=0))


def learn_autoencoder(x: Floats, units: int, *, recipe: Recipe, rng: np.random.Generator) -> Autoencoder:
    """Learn an autoencoder of one layer by Adam.

    Parameters
    ----------
    x : ndarray, shape (windows, inputs)
        From 0 to 1.
    units : int
    recipe : Recipe
    rng : numpy.random.Generator
        Of the first weights, the order of windows and the noise.

    Returns
    -------
    Autoencoder
        In float32.

    Raises
    ------
    ParameterError
        If an input is outside 0 to 1, where the decoder cannot follow.
    """
    x = unit_interval(x)
    parameters = (*first_weights(x.shape[1], units, rng), *first_weights(units, x.shape[1], rng))
    adam = Adam(parameters)
    for _ in range(recipe.epochs):
        for rows in batches(len(x), recipe.batch, rng):
            noise = recipe.noise * rng.standard_normal((rows.size, units), dtype=np.float32) if recipe.noise else 0.0
            _, gradients = autoencoder_loss(parameters, x[rows], recipe=recipe, noise=noise)
            adam.descend(gradients, rate=recipe.rate)
    w, b, v, c = parameters
    return Autoencoder(Layer(w, b), Layer(v, c))


def greedy(x: Floats, sizes: Sequence[int], *, learn: Learn) -> tuple[Layer, ...]:
    """Learn layers from the bottom up, each on what the one below it gives.

    Parameters
    ----------
    x : ndarray, shape (windows, inputs)
        From 0 to 1.
    sizes : sequence of int
        Units of each layer.
    learn : callable
        From inputs and a number of units to a layer.

    Returns
    -------
    tuple of Layer
    """
    layers: list[Layer] = []
    for units in sizes:
        layers.append(learn(x, units))
        x = layers[-1](x)
    return tuple(layers)


def encode(x: Floats, layers: Sequence[Layer]) -> Floats:
    """Pass inputs (..., inputs) through layers, the first one first."""
    for layer in layers:
        x = layer(x)
    return x


def unit_interval(x: Floats) -> NDArray[np.float32]:
    """Give inputs in float32; refuse what is not between 0 and 1."""
    if x.min() < 0.0 or x.max() > 1.0:
        raise ParameterError(f"inputs from {x.min():.3g} to {x.max():.3g} were given; 0 to 1 is wanted")
    return x.astype(np.float32)


def first_weights(inputs: int, units: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw weights evenly over +-sqrt(6 / (inputs + units)) (Glorot and Bengio, AISTATS 2010), with biases of 0."""
    reach = np.sqrt(6.0 / (inputs + units))
    return rng.uniform(-reach, reach, (inputs, units)).astype(np.float32), np.zeros(units, dtype=np.float32)


def batches(n: int, size: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Deal the indices of n windows into batches, in an order drawn anew."""
    order = rng.permutation(n)
    return [order[i : i + size] for i in range(0, n, size)]
