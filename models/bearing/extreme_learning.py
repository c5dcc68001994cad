"""Extreme learning machines: random hidden layers, output weights by least squares; refuses to learn one class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError
from models.bearing.network import balanced_weights
from models.bearing.pretraining import Floats, logistic

__all__ = ["AutoencoderElm", "elm_code", "output_weights"]

_CODES = (100, 50)
_HIDDEN = 400
# Over windows of unit variance: little against their number, enough to keep the squares well conditioned.
_RIDGE = 1e-1


def output_weights(hidden: Floats, targets: Floats, *, ridge: float) -> NDArray[np.float64]:
    """Solve for the output weights of a machine.

    The minimum over b of ``|hidden b - targets|^2 + ridge |b|^2``.

    Parameters
    ----------
    hidden : ndarray, shape (windows, units)
    targets : ndarray, shape (windows, outputs)
    ridge : float
        Above 0.

    Returns
    -------
    ndarray, shape (units, outputs)

    Raises
    ------
    ParameterError
        If the ridge is not above 0.

    Examples
    --------
    >>> output_weights(np.eye(2), np.array([[2.0], [4.0]]), ridge=1.0).tolist()
    [[1.0], [2.0]]
    """
    if not ridge > 0.0:
        raise ParameterError(f"a ridge of {ridge} was given; above 0 is wanted")
    squares = hidden.T @ hidden + ridge * np.eye(hidden.shape[1])
    return np.asarray(np.linalg.solve(squares, hidden.T @ targets), dtype=np.float64)


def elm_code(x: Floats, units: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Learn the code of an autoencoder whose hidden layer is random.

    Parameters
    ----------
    x : ndarray, shape (windows, inputs)
        Standardised.
    units : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (inputs, units)
        The transposed output weights that give the input back: ``logistic(x @ code)`` is the code of x.

    Notes
    -----
    Kasun, Zhou, Huang and Vong, IEEE Intell. Syst. 28(6) (2013) 31-34: random weights and biases are orthogonal.
    """
    weights, bias = _orthogonal(x.shape[1], units, rng)
    return output_weights(logistic(x @ weights + bias), x, ridge=_RIDGE).T


class AutoencoderElm:
    """Codes of stacked extreme learning autoencoders, named by an extreme learning machine.

    Mao, He, Li and Yan, Proc. IMechE C 231 (2017) 1560-1578: autoencoders with random hidden layers, whose output
    weights are a least-squares solution, give the features; an extreme learning machine names the fault. Not taken from
    the paper: the sizes (codes of 100 and 50, 400 hidden units), the ridge, the logistic function, what goes in, and
    that classes weigh the same.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.classes: NDArray[np.str_] = np.empty(0, dtype=np.str_)
        self.codes: list[NDArray[np.float64]] = []
        self._scalers: list[Any] = []
        self._hidden: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
        self._output: NDArray[np.float64] = np.empty(0)

    def fit(self, x: Floats, labels: NDArray[np.str_]) -> AutoencoderElm:
        """Learn from measurements (windows, features) and the class of each; returns itself.

        Raises
        ------
        ParameterError
            If fewer than two classes occur.
        """
        self.classes, index = np.unique(labels, return_inverse=True)
        if self.classes.size < 2:
            raise ParameterError(f"windows of {self.classes.tolist()} alone were given; two classes are wanted")
        rng = np.random.default_rng(self.seed)
        coded = self._learn_codes(x, rng)
        self._hidden = _random_layer(coded.shape[1], _HIDDEN, rng)
        root = np.sqrt(balanced_weights(index).astype(np.float64))[:, None]
        targets = 2.0 * np.eye(self.classes.size)[index] - 1.0
        self._output = output_weights(root * self._random_units(coded), root * targets, ridge=_RIDGE)
        return self

    def predict(self, x: Floats) -> NDArray[np.str_]:
        """Name the class of each row of measurements."""
        for scaler, code in zip(self._scalers[:-1], self.codes, strict=True):
            x = logistic(scaler.transform(x) @ code)
        scores = self._random_units(self._scalers[-1].transform(x)) @ self._output
        return np.asarray(self.classes[scores.argmax(axis=1)])

    def _learn_codes(self, x: Floats, rng: np.random.Generator) -> Floats:
        """Learn code upon code; gives the last one, standardised."""
        from sklearn.preprocessing import StandardScaler

        self.codes, self._scalers = [], [StandardScaler().fit(x)]
        x = self._scalers[-1].transform(x)
        for units in _CODES:
            self.codes.append(elm_code(x, units, rng=rng))
            x = logistic(x @ self.codes[-1])
            self._scalers.append(StandardScaler().fit(x))
            x = self._scalers[-1].transform(x)
        return x

    def _random_units(self, x: Floats) -> Floats:
        weights, bias = self._hidden
        return logistic(x @ weights + bias)


def _random_layer(inputs: int, units: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw weights so that standardised inputs reach a unit with unit variance, and biases alike."""
    return rng.standard_normal((inputs, units)) / np.sqrt(inputs), rng.standard_normal(units)


def _orthogonal(inputs: int, units: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw weights with orthonormal columns, or rows where units are more than inputs, and a bias of unit length."""
    tall, _ = np.linalg.qr(rng.standard_normal((max(inputs, units), min(inputs, units))))
    bias = rng.standard_normal(units)
    return (tall if inputs >= units else tall.T), bias / np.linalg.norm(bias)
