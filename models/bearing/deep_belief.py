"""Features of several sensors fused by sparse autoencoders, named by a deep belief network; refuses one class alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contract import BASELINE
from features.extraction import extract
from models.bearing.finetuning import PretrainedClassifier
from models.bearing.network import Training
from models.bearing.pretraining import (
    Floats,
    Layer,
    Recipe,
    batches,
    encode,
    greedy,
    learn_autoencoder,
    logistic,
    unit_interval,
)

__all__ = ["Contrastive", "FusedBelief", "Rbm", "learn_rbm", "sensor_features"]

_FUSED = (48, 24)
_BELIEF = (48, 24)
_FUSING = Recipe(epochs=40, batch=32, target=0.1, penalty=0.1)
_TUNING = Training(epochs=60, batch=32, rate=3e-3)
_FIRST_SPREAD = 0.05


@dataclass(frozen=True, eq=False)
class Rbm:
    """A restricted Boltzmann machine of binary units.

    Attributes
    ----------
    weights : ndarray, shape (visible, hidden)
    visible_bias, hidden_bias : ndarray, shape (visible,), (hidden,)
    """

    weights: Floats
    visible_bias: Floats
    hidden_bias: Floats

    @property
    def layer(self) -> Layer:
        """The probabilities of hidden units as a layer."""
        return Layer(self.weights, self.hidden_bias)

    def reconstruct(self, x: Floats) -> Floats:
        """Give visible units (..., visible) back from the probabilities of the hidden ones."""
        return logistic(self.layer(x) @ self.weights.T + self.visible_bias)


@dataclass(frozen=True)
class Contrastive:
    """How a Boltzmann machine is learned.

    Attributes
    ----------
    epochs, batch : int
        Passes, and windows in a step.
    rate : float
        Of a step.
    momentum : float
        Share of the last step that goes on.
    """

    epochs: int = 30
    batch: int = 32
    rate: float = 0.1
    momentum: float = 0.5


def learn_rbm(x: Floats, units: int, *, recipe: Contrastive, rng: np.random.Generator) -> Rbm:
    """Learn a Boltzmann machine by contrastive divergence with one step of Gibbs sampling (CD-1).

    Parameters
    ----------
    x : ndarray, shape (windows, visible)
        From 0 to 1, taken as probabilities of visible units.
    units : int
        Hidden ones.
    recipe : Contrastive
    rng : numpy.random.Generator
        Of the first weights, the order of windows and the states.

    Returns
    -------
    Rbm
        In float32.

    Raises
    ------
    ParameterError
        If an input is outside 0 to 1.

    Notes
    -----
    Hinton, Neural Comput. 14 (2002) 1771-1800: hidden units take states drawn from the data; the visible ones given
    back, and the hidden ones of these, stay probabilities.
    """
    x = unit_interval(x)
    share = np.clip(x.mean(axis=0), 0.01, 0.99)
    # Visible biases start where the machine without weights gives the means back.
    w = (_FIRST_SPREAD * rng.standard_normal((x.shape[1], units))).astype(np.float32)
    a, b = np.log(share / (1.0 - share)), np.zeros(units, dtype=np.float32)
    steps = [np.zeros_like(p) for p in (w, a, b)]
    for _ in range(recipe.epochs):
        for rows in batches(len(x), recipe.batch, rng):
            for p, g, step in zip((w, a, b), _contrast(x[rows], Rbm(w, a, b), rng), steps, strict=True):
                step[...] = recipe.momentum * step + recipe.rate * g
                p[...] += step
    return Rbm(w, a, b)


def sensor_features(samples: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Measure time- and frequency-domain features of each sensor.

    Parameters
    ----------
    samples : ndarray, shape (windows, sensors, n)
        In g.
    rate_hz : float

    Returns
    -------
    ndarray of float32, shape (windows, sensors * features)
        Features of the contract that need neither speed nor bearing, sensor after sensor.
    """
    features = extract(samples, rate_hz, profile=BASELINE, unit="g")
    return features.reshape(len(features), -1)


class FusedBelief:
    """Sparse autoencoders fuse the features of all sensors; a deep belief network learns the classes of what they give.

    Chen and Li, IEEE Trans. Instrum. Meas. 66 (2017) 1693-1702: features of the time and the frequency domain from
    several accelerometers go through two-layer sparse autoencoders, whose codes a deep belief network names. Taken from
    the paper: this order, and two layers of fusion. Not taken from the paper: the sizes (48 and 24 units of fusion, 48
    and 24 of belief), rates, epochs, sparsity (0.1), and one autoencoder over the features of all sensors for its
    several. The fusion is learned without labels and then stays; the network is learned by CD-1, then with labels.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.fusion: tuple[Layer, ...] = ()
        self._scaler: Any = None
        self._belief: Any = None

    def fit(self, x: Floats, labels: NDArray[np.str_]) -> FusedBelief:
        """Learn from the features of any number of sensors (windows, sensors * features); returns itself.

        Raises
        ------
        ParameterError
            If fewer than two classes occur.
        """
        from sklearn.preprocessing import MinMaxScaler

        rng = np.random.default_rng(self.seed)
        self._scaler = MinMaxScaler(clip=True).fit(x)
        self.fusion = greedy(
            self._scaler.transform(x),
            _FUSED,
            learn=lambda x, units: learn_autoencoder(x, units, recipe=_FUSING, rng=rng).encoder,
        )
        self._belief = PretrainedClassifier(self.seed, pretrain=_belief, training=_TUNING).fit(self._fused(x), labels)
        return self

    def predict(self, x: Floats) -> NDArray[np.str_]:
        """Name the class of each row of features."""
        return np.asarray(self._belief.predict(self._fused(x)))

    def _fused(self, x: Floats) -> Floats:
        return encode(self._scaler.transform(x).astype(np.float32), self.fusion)


def _belief(x: Floats, rng: np.random.Generator) -> tuple[Layer, ...]:
    return greedy(x, _BELIEF, learn=lambda x, units: learn_rbm(x, units, recipe=Contrastive(), rng=rng).layer)


def _contrast(x: NDArray[np.float32], machine: Rbm, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Correlations in the data less those in what is given back: the ascent of weights and both biases."""
    hidden = machine.layer(x)
    states = (rng.random(hidden.shape, dtype=np.float32) < hidden).astype(np.float32)
    given = logistic(states @ machine.weights.T + machine.visible_bias)
    again = machine.layer(given)
    n = len(x)
    return (x.T @ hidden - given.T @ again) / n, (x - given).mean(axis=0), (hidden - again).mean(axis=0)
