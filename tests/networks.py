"""Random small networks, one operator after another; shapes, scales and options come from a generator of numbers.

Each function appends one operator that fits what is there; what it drew stands in the network's label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tflite_making import RELU, RELU6, SAME, VALID, Made, Node, Value, constant, value, write_tflite

__all__ = ["KERNELS", "Draft", "chain", "convolution", "dense", "max_pool", "one_kernel"]

_ITEMS = 3
# The standard deviation of int8 that is drawn uniformly.
_SPREAD = 74.0


@dataclass
class Draft:
    """A network under construction; the next operator reads the tensor `at`."""

    rng: np.random.Generator
    values: list[Value]
    nodes: list[Node] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    at: int = 0

    @property
    def last(self) -> Value:
        return self.values[self.at]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.last.shape

    def pick(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def count(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float = 0.5) -> bool:
        return bool(self.rng.random() < share)

    def scale(self) -> float:
        return float(np.exp(self.rng.uniform(-6, -2)))

    def zero(self) -> int:
        """Anywhere in int8, its ends now and then."""
        return int(self.pick(-128, 0, 127, *self.rng.integers(-128, 128, 5)))

    def activation(self) -> int:
        return int(self.pick(0, 0, RELU, RELU6))

    def like(self, shape: Sequence[int]) -> Value:
        """A tensor of the scale of what is there."""
        return value(shape, self.last.scales[0], self.last.zero_points[0])

    def put(self, item: Value) -> int:
        self.values.append(item)
        return len(self.values) - 1

    def then(self, name: str, result: Value, *others: int, first: int | None = None, **options: Any) -> int:
        """Append an operator that reads what is there, then others; its result is what is there."""
        begin = self.at if first is None else first
        self.at = self.put(result)
        self.nodes.append(Node(name, (begin, *others), (self.at,), options))
        self.labels.append(f"{name} {self.values[begin].shape} -> {result.shape} {options or ''}".rstrip())
        return self.at

    def made(self) -> Made:
        model = write_tflite(self.values, self.nodes, inputs=[0], outputs=[self.at])
        entry = self.values[0]
        shape = (_ITEMS, *(entry.shape[1:] if entry.shape[:1] == (1,) else entry.shape))
        numbers = self.rng.integers(-128, 128, shape).astype(np.int8)
        # Now and then all at the ends, where sums are largest.
        if self.chance(1 / 8):
            numbers = np.where(numbers < 0, -128, 127).astype(np.int8)
        return Made("; ".join(self.labels), model, numbers if entry.dtype == "int8" else _floats(self, shape))


def _floats(draft: Draft, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Some beyond the range, some half way between two steps, and what is no number."""
    scale = draft.values[1].scales[0]
    numbers = draft.rng.normal(0, 80 * scale, shape).astype(np.float32)
    halves = ((draft.rng.integers(-300, 300, shape) + np.float32(0.5)) * np.float32(scale)).astype(np.float32)
    return np.where(draft.rng.random(shape) < 0.3, halves, numbers)


def _out_size(size: int, padding: Any, kernel: int, stride: int, dilation: int = 1) -> int:
    return -(-size // stride) if padding == SAME else -(-(size - (kernel - 1) * dilation) // stride)


def _weights(draft: Draft, shape: tuple[int, ...], *, axis: int = 0, one_scale: bool = False) -> tuple[Value, Value]:
    """Weights and a bias whose channels lie along an axis."""
    rng, channels = draft.rng, shape[axis]
    scales = draft.scale() * np.exp(rng.uniform(-1, 1, 1 if one_scale else channels))
    bias = rng.integers(-8_000, 8_000, channels)
    of_bias = (draft.last.scales[0] * scales).tolist()
    numbers = rng.integers(-127, 128, shape)
    return constant(numbers, scales.tolist(), axis=axis), constant(bias, of_bias, dtype=np.int32)


def _spread(draft: Draft, shape: Sequence[int], weights: Value, fan_in: float) -> Value:
    """A scale under which outputs spread over int8, or, seldom, saturate or vanish."""
    spread = draft.pick(20.0, 60.0, 60.0, 60.0, 400.0, 1.0)
    deviation = draft.last.scales[0] * float(np.mean(weights.scales)) * _SPREAD * _SPREAD * np.sqrt(fan_in)
    return value(shape, deviation / spread, draft.zero())


def sparse(draft: Draft, weights: Value, *, tile: int, kept: float) -> Value:
    """Weights with blocks of zeros: so many outputs by four inputs, each kept with a probability."""
    assert weights.data is not None
    rows = weights.data.reshape(len(weights.data), -1)
    mask = draft.rng.random((-(-rows.shape[0] // tile), -(-rows.shape[1] // 4))) < kept
    mask = np.repeat(np.repeat(mask, tile, axis=0), 4, axis=1)[: rows.shape[0], : rows.shape[1]]
    return constant((rows * mask).reshape(weights.shape), weights.scales, axis=weights.axis)


def dense(draft: Draft, *, outputs: int | None = None, tile: int = 1, kept: float = 1.0, per_row: bool = False) -> None:
    inputs, outputs = draft.shape[-1], outputs or draft.count(1, 20)
    weights, bias = _weights(draft, (outputs, inputs), one_scale=not per_row)
    weights = sparse(draft, weights, tile=tile, kept=kept)
    result = _spread(draft, (*draft.shape[:-1], outputs), weights, inputs)
    others = draft.put(weights), draft.put(bias)
    draft.then("FULLY_CONNECTED", result, *others, fusedActivationFunction=draft.activation())


def convolution(
    draft: Draft,
    *,
    outputs: int | None = None,
    kernel: tuple[int, int] | None = None,
    stride: tuple[int, int] | None = None,
    dilation: tuple[int, int] = (1, 1),
    tile: int = 1,
    kept: float = 1.0,
) -> None:
    _, height, width, channels = draft.shape
    outputs, stride = outputs or draft.count(1, 10), stride or (draft.count(1, 2), draft.count(1, 3))
    kernel = kernel or (draft.count(1, min(height, 3)), draft.count(1, min(width, 5)))
    weights, bias = _weights(draft, (outputs, *kernel, channels))
    weights = sparse(draft, weights, tile=tile, kept=kept)
    out, options = _windows(draft, kernel, stride, dilation)
    result = _spread(draft, (1, *out, outputs), weights, kernel[0] * kernel[1] * channels)
    options |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    draft.then("CONV_2D", result, draft.put(weights), draft.put(bias), **options)


def _windows(
    draft: Draft, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[list[int], dict[str, Any]]:
    """Height and width of the outputs, and what an operator of windows says beside its tensors."""
    sizes = draft.shape[1:3]
    fits = all(size > d * (k - 1) for size, k, d in zip(sizes, kernel, dilation, strict=True))
    padding = draft.pick(SAME, VALID) if fits else SAME
    windows = zip(sizes, kernel, stride, dilation, strict=True)
    out = [_out_size(size, padding, k, s, d) for size, k, s, d in windows]
    options = {"padding": padding, "strideH": stride[0], "strideW": stride[1]}
    return out, {**options, "fusedActivationFunction": draft.activation()}


def depthwise(draft: Draft) -> None:
    _, height, width, channels = draft.shape
    multiplier = draft.pick(1, 1, 1, 2, 3)
    kernel = draft.count(1, min(height + 1, 4)), draft.count(1, min(width + 2, 7))
    stride = draft.count(1, 3), draft.count(1, 3)
    dilation = draft.pick((1, 1), (1, 1), (1, 2), (2, 1), (3, 2))
    weights, bias = _weights(draft, (1, *kernel, channels * multiplier), axis=3, one_scale=draft.chance(1 / 3))
    out, options = _windows(draft, kernel, stride, dilation)
    result = _spread(draft, (1, *out, channels * multiplier), weights, kernel[0] * kernel[1])
    options |= {"depthMultiplier": multiplier, "dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    draft.then("DEPTHWISE_CONV_2D", result, draft.put(weights), draft.put(bias), **options)


def max_pool(
    draft: Draft,
    *,
    size: tuple[int, int] | None = None,
    stride: tuple[int, int] | None = None,
    activation: int | None = None,
) -> None:
    _pool(draft, "MAX_POOL_2D", size or _size(draft), stride, activation)


def average_pool(draft: Draft) -> None:
    _pool(draft, "AVERAGE_POOL_2D", _size(draft), None, None)


def _pool(
    draft: Draft, name: str, size: tuple[int, int], stride: tuple[int, int] | None, activation: int | None
) -> None:
    out, options = _windows(draft, size, stride or (draft.count(1, 3), draft.count(1, 4)))
    options |= {"filterHeight": size[0], "filterWidth": size[1]}
    if activation is not None:
        options["fusedActivationFunction"] = activation
    draft.then(name, draft.like((1, *out, draft.shape[-1])), **options)


def _size(draft: Draft) -> tuple[int, int]:
    _, height, width, _ = draft.shape
    return draft.count(1, min(height, 4)), draft.count(1, min(width, 9))


def mean(draft: Draft, *, axes: tuple[int, ...] | None = None, keep: bool | None = None) -> None:
    rank = len(draft.shape)
    if axes is None:
        chosen = [axis for axis in range(1, rank) if draft.chance()] or [rank - 1]
        axes = tuple(axis - rank if draft.chance() else axis for axis in chosen)
    keep = draft.chance() if keep is None else keep
    averaged = {axis % rank for axis in axes}
    kept = [1 if i in averaged else n for i, n in enumerate(draft.shape)]
    shape = kept if keep else [n for i, n in enumerate(draft.shape) if i not in averaged]
    elements = np.prod([draft.shape[i] for i in averaged])
    scale = draft.last.scales[0] / float(draft.pick(1.0, 1.0, np.sqrt(elements), draft.rng.uniform(0.3, 3)))
    result = draft.pick(value(shape, scale, draft.zero()), draft.like(shape))
    draft.then("MEAN", result, draft.put(constant(axes, dtype=np.int32)), keepDims=keep)


def _binary(draft: Draft, name: str, result_scale: Callable[[float, float], float]) -> None:
    """With a constant, with itself in another scale, or with its own mean, in either order, repeated where need be."""
    first, other = draft.at, _other(draft)
    scale = result_scale(draft.values[first].scales[0], draft.values[other].scales[0])
    shape = np.broadcast_shapes(draft.values[first].shape, draft.values[other].shape)
    a, b = draft.pick((first, other), (other, first))
    draft.then(name, value(shape, scale, draft.zero()), b, first=a, fusedActivationFunction=draft.activation())


def _other(draft: Draft) -> int:
    first, kind = draft.at, draft.pick("constant", "constant", "self", "rescaled", "mean")
    if kind == "constant":
        numbers = draft.rng.integers(-128, 128, _repeated(draft))
        return draft.put(constant(numbers, draft.scale(), zero_point=draft.zero()))
    if kind == "mean" and len(draft.shape) == 4:
        mean(draft, axes=draft.pick((1, 2), (3,), (2,)), keep=True)
    elif kind != "self":
        draft.then("RELU", value(draft.shape, draft.scale(), draft.zero()))
    other, draft.at = draft.at, first
    return other


def _repeated(draft: Draft) -> tuple[int, ...]:
    """The shape of an operand: whole, of single dimensions, without the outer ones, or a single number."""
    shape = draft.shape
    kind = draft.pick("whole", "whole", "some", "inner", "one")
    if kind == "some":
        return tuple(draft.pick(1, n) for n in shape)
    if kind == "inner":
        return shape[draft.count(1, len(shape) - 1) :]
    return shape if kind == "whole" else (1,) * draft.count(1, len(shape))


def add(draft: Draft) -> None:
    factor = float(np.exp(draft.rng.uniform(-1.5, 1.5)))
    _binary(draft, "ADD", lambda a, b: factor * max(a, b))


def multiply(draft: Draft) -> None:
    spread = draft.pick(_SPREAD, _SPREAD, 10.0, 400.0)
    _binary(draft, "MUL", lambda a, b: a * b * spread)


def concatenation(draft: Draft) -> None:
    """Of a constant or what another operator makes, and now and then of three."""
    rank, first = len(draft.shape), draft.at
    axis = draft.count(1, rank - 1)
    parts = [first]
    for _ in range(draft.pick(1, 1, 2)):
        shape = (*draft.shape[:axis], draft.count(1, 5), *draft.shape[axis + 1 :])
        numbers = draft.rng.integers(-128, 128, shape)
        if draft.chance():
            parts.append(draft.put(constant(numbers, draft.last.scales[0], zero_point=draft.last.zero_points[0])))
        else:
            parts.append(draft.then("RELU6", draft.like(draft.shape)))
            draft.at = first
    draft.rng.shuffle(parts)
    total = sum(draft.values[part].shape[axis] for part in parts)
    result = draft.like((*draft.shape[:axis], total, *draft.shape[axis + 1 :]))
    draft.then("CONCATENATION", result, *parts[1:], first=parts[0], axis=draft.pick(axis, axis - rank))


def softmax(draft: Draft) -> None:
    draft.then("SOFTMAX", value(draft.shape, 1 / 256, -128), beta=float(draft.pick(1.0, 1.0, 0.3, 2.5)))


def logistic(draft: Draft) -> None:
    draft.then("LOGISTIC", value(draft.shape, 1 / 256, -128))


def tanh(draft: Draft) -> None:
    draft.then("TANH", value(draft.shape, 1 / 128, 0))


def relu(draft: Draft) -> None:
    scale = draft.last.scales[0] * float(np.exp(draft.rng.uniform(-2, 2)))
    draft.then("RELU", draft.pick(draft.like(draft.shape), value(draft.shape, scale, draft.zero())))


def relu6(draft: Draft) -> None:
    draft.then("RELU6", draft.like(draft.shape))


def quantise(draft: Draft) -> None:
    """Of floats where they are given, else of int8 to another scale."""
    scale = draft.scale()
    if draft.last.dtype == "int8":
        scale = draft.last.scales[0] * float(np.exp(draft.rng.uniform(-4, 4)))
    draft.then("QUANTIZE", value(draft.shape, scale, draft.zero()))


def dequantise(draft: Draft) -> None:
    draft.then("DEQUANTIZE", value(draft.shape, dtype=np.float32))


def reshape(draft: Draft) -> None:
    """The same numbers flat, in a dimension more, or in one less."""
    kind = draft.pick("RESHAPE", "EXPAND_DIMS", "SQUEEZE")
    ones = [i for i, n in enumerate(draft.shape) if n == 1 and i > 0]
    if kind == "EXPAND_DIMS" and len(draft.shape) < 5:
        axis = draft.count(1, len(draft.shape))
        result = draft.like((*draft.shape[:axis], 1, *draft.shape[axis:]))
        draft.then(kind, result, draft.put(constant([axis], dtype=np.int32)))
    elif kind == "SQUEEZE" and ones:
        axis = draft.pick(*ones)
        draft.then(kind, draft.like(draft.shape[:axis] + draft.shape[axis + 1 :]), squeezeDims=[int(axis)])
    else:
        result = draft.like((1, int(np.prod(draft.shape))))
        draft.then("RESHAPE", result, draft.put(constant(result.shape, dtype=np.int32)))


def _reshapes(draft: Draft) -> None:
    for _ in range(draft.count(1, 3)):
        reshape(draft)
    if draft.chance():
        relu(draft)


def _plane(rng: np.random.Generator) -> tuple[int, ...]:
    """Height, width and channels, small, about four channels a time."""
    return 1, int(rng.choice([1, 1, 2, 5, 9])), int(rng.integers(1, 20)), int(rng.choice([1, 2, 3, 4, 5, 8, 11, 16]))


def _row(rng: np.random.Generator) -> tuple[int, ...]:
    return 1, int(rng.integers(1, 40))


def _any(rng: np.random.Generator) -> tuple[int, ...]:
    shape = _plane(rng)
    return shape[: int(rng.choice([2, 3, 4, 4, 4]))]


def _long(rng: np.random.Generator) -> tuple[int, ...]:
    """Now and then of more elements than a lane of 16 bits can sum."""
    width = int(rng.integers(200, 1100))
    return (1, 1, width, int(rng.choice([1, 4, 6]))) if rng.random() < 0.2 else _plane(rng)


def _classes(rng: np.random.Generator) -> tuple[int, ...]:
    """Rows of numbers, now and then as many as are taken."""
    return int(rng.integers(1, 5)), int(rng.choice([1, 2, 10, 33, 100, 511]))


_Shape = Callable[[np.random.Generator], tuple[int, ...]]
KERNELS: Mapping[str, tuple[Callable[[Draft], None], _Shape]] = {
    "ADD": (add, _any),
    "AVERAGE_POOL_2D": (average_pool, _plane),
    "CONCATENATION": (concatenation, _any),
    "DEPTHWISE_CONV_2D": (depthwise, _plane),
    "DEQUANTIZE": (dequantise, _any),
    "LOGISTIC": (logistic, _any),
    "MAX_POOL_2D": (max_pool, _plane),
    "MEAN": (mean, _long),
    "MUL": (multiply, _any),
    "QUANTIZE": (quantise, _any),
    "QUANTIZE of floats": (quantise, _any),
    "RELU": (relu, _any),
    "RELU6": (relu6, _any),
    "RESHAPE, EXPAND_DIMS, SQUEEZE": (_reshapes, _any),
    "SOFTMAX": (softmax, _classes),
    "TANH": (tanh, _any),
}


def one_kernel(name: str, seed: int) -> Made:
    """A network of one of `KERNELS`, with what feeds it where it reads two tensors."""
    rng = np.random.default_rng(seed)
    append, shape = KERNELS[name]
    draft = Draft(rng, [])
    if name == "QUANTIZE of floats":
        draft.put(value(shape(rng), dtype=np.float32))
    else:
        draft.put(value(shape(rng), draft.scale(), draft.zero()))
    append(draft)
    return draft.made()


def chain(seed: int) -> Made:
    """A network of two to five layers, branches among them, now and then with a head that classifies."""
    rng = np.random.default_rng(seed)
    draft = Draft(rng, [])
    draft.put(value(_plane(rng), draft.scale(), draft.zero()))
    layers = (convolution, convolution, max_pool, average_pool, depthwise, add, multiply, concatenation, relu, logistic)
    for _ in range(draft.count(2, 5)):
        draft.pick(*layers)(draft)
    if draft.chance():
        draft.pick(reshape, mean)(draft)
        flat = draft.like((1, int(np.prod(draft.shape))))
        draft.then("RESHAPE", flat, draft.put(constant(flat.shape, dtype=np.int32)))
        dense(draft, tile=draft.pick(1, 2, 4), kept=draft.pick(1.0, 0.3))
        draft.pick(softmax, tanh, dequantise)(draft)
    return draft.made()
