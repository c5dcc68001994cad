"""What a node's verdicts are to be: the service's own scaler, tail and alarm around int8 networks; refuses short ones.

The node learns window by window in single precision, this at once in double; the verdicts are the same, scores and
thresholds within what single precision rounds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edge.oracle import ends_of, run_tflm
from edge.tflite.graph import Quantisation, Tensor
from edge.tflite.reading import read_tflite
from features.contract import NODE, WATCHED
from features.errors import ArtifactError, ParameterError
from models.alarm import Alarm, AlarmConfig
from models.scaler import Scaler
from models.serving import reconstruction_error
from models.tail import FALSE_ALARM_RATE, Tail

__all__ = ["CHOSEN", "Network", "NodeConfig", "State", "Verdict", "chosen", "reference_verdicts"]

# Places in the node's profile of what health is learned from: what needs no speed and jumps between no peaks.
CHOSEN = tuple(NODE.index(name) for name in NODE.names if name in WATCHED.names)
# Windows whose class probabilities are averaged, as the service does.
_AVERAGED = 8


class State(IntEnum):
    """States of a node, as numbered on its link."""

    COMMISSIONING = 0
    WATCHING = 1
    ALARM = 2
    FAULT = 3


@dataclass(frozen=True)
class NodeConfig:
    """How a node learns and when it raises an alarm.

    Attributes
    ----------
    n_scale, n_tail : int
        Windows of commissioning: for means and deviations, then for the threshold.
    false_alarm_rate : float
        Share of healthy windows that may pass the threshold.
    alarm : AlarmConfig
        Hysteresis, in windows.
    """

    n_scale: int = 64
    n_tail: int = 64
    false_alarm_rate: float = FALSE_ALARM_RATE
    alarm: AlarmConfig = field(default_factory=AlarmConfig)


@dataclass(frozen=True)
class Verdict:
    """What a node says of one window.

    Attributes
    ----------
    state : State
        After the window.
    score, threshold : float or None
        None while there is none.
    change : str or None
        ``raised`` or ``cleared``.
    kind : int
        The leading class of an abnormal window; -1 where it is not known.
    probability : float
        Of it.
    """

    state: State
    score: float | None = None
    threshold: float | None = None
    change: str | None = None
    kind: int = -1
    probability: float = 0.0


class Network:
    """An int8 network over numbers, as the node runs it.

    Parameters
    ----------
    model : bytes
        An int8 `.tflite` of one input and one output.

    Raises
    ------
    ArtifactError
        If it is damaged, or its ends are not int8.
    """

    def __init__(self, model: bytes) -> None:
        self._model = model
        given, output = ends_of(read_tflite(model))
        self._shape = given.shape[1:]
        self.n_inputs = given.size
        self.input_as, self.output_as = _quantisation(given), _quantisation(output)

    def __call__(self, numbers: NDArray[np.float32]) -> NDArray[np.float64]:
        """Run rows of numbers, shape (items, inputs), to rows of outputs."""
        given = self.input_as.integers(numbers)
        found = run_tflm(self._model, given.reshape(len(given), *self._shape))
        return self.output_as.numbers(found.reshape(len(found), -1))


def _quantisation(tensor: Tensor) -> Quantisation:
    if tensor.quantisation is None or tensor.dtype != np.int8:
        raise ArtifactError(f"a network of {tensor.dtype} was given; int8 inputs and outputs are wanted")
    return tensor.quantisation


def chosen(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take what health is learned from out of features of the node's profile, shape (..., features).

    Examples
    --------
    >>> chosen(np.zeros((2, len(NODE.features)), np.float32)).shape
    (2, 50)
    """
    return features[..., CHOSEN]


def reference_verdicts(
    features: NDArray[np.float32],
    windows: NDArray[np.int16],
    *,
    health: Network,
    kinds: Network | None = None,
    config: NodeConfig,
) -> list[Verdict]:
    """Commission a node on the first windows and judge the others.

    Parameters
    ----------
    features : ndarray of float32, shape (windows, inputs of health)
        In time order, from `chosen`.
    windows : ndarray of int16, shape (windows, n)
        Their samples.
    health : Network
        Rebuilds scaled features.
    kinds : Network, optional
        Tells classes from the first samples of a window.
    config : NodeConfig

    Returns
    -------
    list of Verdict
        One a window.

    Raises
    ------
    ParameterError
        If there are fewer windows than commissioning takes, or their scores set no threshold.
    """
    learned = config.n_scale + config.n_tail
    if len(features) < learned or len(features) != len(windows):
        raise ParameterError(
            f"{len(features)} features of {len(windows)} windows were given; {learned} are learned from"
        )
    scaler = Scaler.learn(features[: config.n_scale])
    scaled = scaler.apply(features)
    scores = reconstruction_error(scaled, health(scaled))
    threshold = Tail.learn(scores[config.n_scale : learned]).level(config.false_alarm_rate)
    verdicts = [Verdict(State.COMMISSIONING) for _ in range(config.n_scale)]
    verdicts += [Verdict(State.COMMISSIONING, float(score)) for score in scores[config.n_scale : learned - 1]]
    verdicts.append(Verdict(State.WATCHING, float(scores[learned - 1]), threshold))
    return verdicts + _judged(scores[learned:], windows[learned:], threshold, kinds, config)


def _judged(
    scores: NDArray[np.float64],
    windows: NDArray[np.int16],
    threshold: float,
    kinds: Network | None,
    config: NodeConfig,
) -> list[Verdict]:
    abnormal = scores > threshold
    named = iter(_probabilities(kinds, windows[abnormal]))
    alarm, recent = Alarm(), deque[NDArray[np.float64]](maxlen=_AVERAGED)
    verdicts = []
    for score, is_abnormal in zip(scores.tolist(), abnormal.tolist(), strict=True):
        kind, probability = -1, 0.0
        if is_abnormal and (own := next(named)) is not None:
            recent.append(own)
            averaged = np.mean(recent, axis=0)
            kind, probability = int(averaged.argmax()), float(averaged.max())
        change = alarm.update(score / threshold, config=config.alarm)
        if change == "cleared":
            recent.clear()
        state = State.ALARM if alarm.active else State.WATCHING
        verdicts.append(Verdict(state, score, threshold, change, kind, probability))
    return verdicts


def _probabilities(kinds: Network | None, windows: NDArray[np.int16]) -> list[NDArray[np.float64] | None]:
    """Of each window; None where nobody tells, or all its samples are alike."""
    if kinds is None or not len(windows):
        return [None] * len(windows)
    first = windows[:, : kinds.n_inputs].astype(np.float64)
    deviation = first.std(axis=-1, keepdims=True)
    standard = (first - first.mean(axis=-1, keepdims=True)) / np.where(deviation > 0.0, deviation, 1.0)
    found = kinds(standard.astype(np.float32))
    return [row if moved else None for row, moved in zip(found, (deviation > 0.0).ravel().tolist(), strict=True)]
