"""From a trained network to the int8 form of a node, fine-tuned where rounding costs too much; refuses to guess ranges.

The int8 forms are measured in the TFLite Micro interpreter. What is chosen is chosen by the score given: measured on
what validates, never on what is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.convert import to_tflite, to_tflite_int8
from edge.oracle import run_numbers

__all__ = ["ALLOWED_LOSS", "Form", "Quantised", "Score", "forms_beside", "quantise"]

# Half a point of a score that is a fraction of 1.
ALLOWED_LOSS = 0.005

# From the outputs for the inputs that are scored to a figure.
Score = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True)
class Form:
    """One form of a network beside others.

    Attributes
    ----------
    name : str
        Such as ``float``, ``int8`` or ``pruned int8``.
    metric : float
        What the score says of its outputs in TFLite Micro.
    n_bytes : int
        Of its `.tflite`.
    """

    name: str
    metric: float
    n_bytes: int


@dataclass(frozen=True, eq=False)
class Quantised:
    """An int8 network and what it is measured against.

    Attributes
    ----------
    model : bytes
        The `.tflite`.
    network : keras.Model
        What it was converted from.
    tuned : bool
        Whether that was fine-tuned.
    forms : tuple of Form
        ``float``, ``int8`` and, where it was fine-tuned, ``int8 tuned``.
    """

    model: bytes
    network: Any
    tuned: bool
    forms: tuple[Form, ...]


def quantise(
    network: Any,
    representative: NDArray[np.floating],
    *,
    inputs: NDArray[np.floating],
    score: Score,
    larger_is_better: bool = True,
    allowed_loss: float = ALLOWED_LOSS,
    tune: Callable[[], Any] | None = None,
    dense_per_channel: bool = True,
) -> Quantised:
    """Convert a network to int8 after training, and where that loses too much, fine-tune it and convert again.

    Parameters
    ----------
    network : keras.Model
        Of one input and one output.
    representative : ndarray, shape (items, ...)
        Inputs that ranges are taken from, of those learned from.
    inputs : ndarray, shape (items, ...)
        What the score is of; of validation.
    score : callable
        From outputs to a figure.
    larger_is_better : bool
        Of the figure.
    allowed_loss : float
        By how much the figure may be worse than that of the float form; by default half a point of a fraction of 1.
    tune : callable, optional
        Gives the fine-tuned network, see `edge.aware.tune_aware`; called only where too much is lost. Without it there
        is no second try.
    dense_per_channel : bool
        As in `edge.convert.to_tflite_int8`.

    Returns
    -------
    Quantised
        The better of the int8 forms.

    Raises
    ------
    ParameterError
        If there is no representative input.
    ArtifactError
        If TFLite Micro refuses a form.
    """
    sign = 1.0 if larger_is_better else -1.0
    whole = to_tflite(network)
    plain = to_tflite_int8(network, representative, dense_per_channel=dense_per_channel)
    forms = forms_beside({"float": whole, "int8": plain}, inputs, score)
    if tune is None or sign * (forms[0].metric - forms[1].metric) <= allowed_loss:
        return Quantised(plain, network, tuned=False, forms=forms)
    learned = tune()
    again = to_tflite_int8(learned, representative, dense_per_channel=dense_per_channel)
    forms += forms_beside({"int8 tuned": again}, inputs, score)
    if sign * (forms[2].metric - forms[1].metric) > 0.0:
        return Quantised(again, learned, tuned=True, forms=forms)
    return Quantised(plain, network, tuned=False, forms=forms)


def forms_beside(models: Mapping[str, bytes], inputs: NDArray[np.floating], score: Score) -> tuple[Form, ...]:
    """Measure forms of one network side by side in TFLite Micro.

    Parameters
    ----------
    models : mapping of str to bytes
        `.tflite` files by the names of the forms, floats or integers.
    inputs : ndarray, shape (items, ...)
        As numbers.
    score : callable
        From outputs to a figure.

    Returns
    -------
    tuple of Form
        In the order given.

    Raises
    ------
    ArtifactError
        If TFLite Micro refuses a form.
    """
    return tuple(Form(name, float(score(run_numbers(model, inputs))), len(model)) for name, model in models.items())
