"""Scales as the integers that TensorFlow Lite's kernels multiply by, and the range that an activation leaves."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.tflite.graph import Operator, Tensor
from features.errors import ArtifactError

__all__ = ["activation_range", "quantised_multiplier", "requantise"]

# ActivationFunctionType of the schema.
_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = 0, 1, 2, 3
_ACTIVATIONS = {_NONE: (None, None), _RELU: (0.0, None), _RELU_N1_TO_1: (-1.0, 1.0), _RELU6: (0.0, 6.0)}


def quantised_multiplier(scale: float) -> tuple[int, int]:
    """Write a positive scale as `multiplier * 2**(shift - 31)`.

    Parameters
    ----------
    scale : float
        Ratio of scales, in double precision.

    Returns
    -------
    multiplier : int
        In [2**30, 2**31), or 0 for a scale too small to be one.
    shift : int
        In [-31, 30].

    Notes
    -----
    Source: `QuantizeMultiplier` of TensorFlow Lite.

    Examples
    --------
    >>> quantised_multiplier(0.5)
    (1073741824, 0)
    >>> quantised_multiplier(0.003)
    (1649267442, -8)
    """
    if scale == 0.0:
        return 0, 0
    fraction, shift = math.frexp(scale)
    # Half away from zero, as C's round; Python's goes to even.
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return (1 << 31) - 1, 30
    return multiplier, shift


def requantise(
    x: NDArray[np.int64], multiplier: NDArray[np.int64] | np.int64, shift: NDArray[np.int64] | np.int64
) -> NDArray[np.int64]:
    """Multiply integers by quantised scales, as `edge/runtime/rw_fixed.h` does; arrays broadcast.

    Parameters
    ----------
    x : ndarray of int64
        Within int32, also after a shift to the left.
    multiplier, shift : ndarray of int64
        From `quantised_multiplier`.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> requantise(np.array([-6, -5, 5, 6]), np.array(1 << 30), np.array(-1)).tolist()
    [-2, -1, 2, 2]
    """
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    product = ((x << left) * multiplier + (1 << 30)) >> 31
    mask = (np.int64(1) << right) - 1
    away = (product & mask) > (mask >> 1) + (product < 0)
    return np.asarray((product >> right) + away)


def activation_range(operator: Operator, output: Tensor) -> tuple[int, int]:
    """Return the least and the largest integer that an operator writes after its fused activation.

    Raises
    ------
    ArtifactError
        If the activation is none that an integer kernel clamps to.
    """
    activation = int(operator.options.get("fusedActivationFunction", _NONE))
    if activation not in _ACTIVATIONS:
        raise ArtifactError(f"{operator.name} with activation {activation} is not computed; use ReLU, ReLU6 or none")
    lowest, highest = -128, 127
    low, high = _ACTIVATIONS[activation]
    if low is not None:
        lowest = max(lowest, _integer(low, output))
    if high is not None:
        highest = min(highest, _integer(high, output))
    return lowest, highest


def _integer(number: float, output: Tensor) -> int:
    """In float32, as the kernels compute it; half away from zero."""
    steps = np.float32(number) / output.quantised.scales[0]
    return output.quantised.zero_point + int(math.copysign(math.floor(abs(float(steps)) + 0.5), float(steps)))
