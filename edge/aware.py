"""Fine-tuning of a Keras model that sees its own rounding to int8; refuses layers whose rounding it does not know.

Weights are rounded on the way forward, and learned as if they were not (straight-through). Activations are rounded in
the ranges that representative inputs give them. Batch normalisation stands still.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018, with weights rounded symmetrically, as TensorFlow Lite does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["tune_aware"]

# Told the epochs done and their number.
Progress = Callable[[int, int], None]

_WEIGHTS_MOST = 127.0
_LOWEST, _HIGHEST = -128.0, 127.0


def tune_aware(
    model: Any,
    inputs: NDArray[np.floating],
    targets: NDArray[Any],
    *,
    representative: NDArray[np.floating],
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    dense_per_channel: bool = True,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    progress: Progress | None = None,
) -> Any:
    """Fine-tune a copy of a model so that it loses less as int8.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, of one input and one output, compiled with its loss. Weights are known of Dense,
        Conv1D, Conv2D, DepthwiseConv2D and BatchNormalization layers.
    inputs : ndarray, shape (items, ...)
        Learned from.
    targets : ndarray, shape (items, ...)
        As the loss takes them.
    representative : ndarray, shape (items, ...)
        Inputs that the ranges of activations are taken from.
    epochs, batch_size : int
    learning_rate : float
        Of Adam.
    seed : int
        Of the order of the batches and of dropout.
    dense_per_channel : bool
        As in `edge.convert.to_tflite_int8`, which is to be called alike.
    masks : mapping of str to ndarray of bool, optional
        By name of the layer, of the shape of its kernel: weights where it is False are 0 and stay 0.
    progress : callable, optional
        Told the epochs done and their number.

    Returns
    -------
    keras.Model
        Of floats, to be converted; the given model is left as it was.

    Raises
    ------
    ParameterError
        If the model is not compiled, is no graph of layers, has a layer with weights that are not known here, or a mask
        fits no kernel.
    """
    import keras

    _refuse_unknown(model, masks or {})
    keras.utils.set_random_seed(seed)
    tuned = keras.models.clone_model(_functional(model))
    tuned.set_weights(model.get_weights())
    norms = [layer for layer in tuned.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.trainable = False
    kernels = _kernels(tuned, masks or {}, dense_per_channel=dense_per_channel)
    for kernel in kernels.values():
        kernel.drop()
    _descend(
        _rounding(tuned, _ranges(tuned, representative)),
        kernels,
        _on_grid(inputs, *_range_of(representative)),
        targets,
        loss=_loss(model),
        epochs=epochs,
        batch_size=batch_size,
        optimizer=keras.optimizers.Adam(learning_rate),
        rng=np.random.default_rng(seed),
        progress=progress or (lambda *_: None),
    )
    for layer in norms:
        layer.trainable = True
    tuned.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=model.loss)
    return tuned


class _Kernel:
    """The kernel of a layer, with its mask and the axes that share a scale."""

    def __init__(self, variable: Any, mask: NDArray[np.floating], axes: tuple[int, ...]) -> None:
        self.variable, self._mask, self._axes = variable, mask, axes

    def drop(self) -> None:
        """Set to 0 what the mask drops."""
        self.variable.assign(np.asarray(self.variable) * self._mask)

    def rounded(self) -> Any:
        """The kernel in steps of int8; its gradient is that of the unrounded one."""
        from keras import ops

        kept = self.variable * self._mask
        scale = ops.stop_gradient(ops.max(ops.abs(kept), axis=self._axes, keepdims=True)) / _WEIGHTS_MOST
        scale = ops.where(scale > 0.0, scale, 1.0)
        return kept + ops.stop_gradient(ops.round(kept / scale) * scale - kept)


def _refuse_unknown(model: Any, masks: Mapping[str, NDArray[np.bool_]]) -> None:
    import keras

    if not isinstance(model, keras.Sequential) and type(model).__name__ != "Functional":
        raise ParameterError(f"a model of class {type(model).__name__} was given; a graph of layers is wanted")
    if not getattr(model, "loss", None):
        raise ParameterError("a model without a loss was to be fine-tuned; compile it first")
    known = (*_kinds(), keras.layers.BatchNormalization)
    for layer in model.layers:
        # Subclasses such as SeparableConv2D or Conv2DTranspose hold other weights.
        if layer.weights and type(layer) not in known:
            raise ParameterError(
                f"layer {layer.name} is a {type(layer).__name__}, whose rounding is not known; "
                "fine-tune without it, or convert after training alone"
            )
    shapes = {layer.name: tuple(layer.kernel.shape) for layer in model.layers if type(layer) in _kinds()}
    for name, mask in masks.items():
        if shapes.get(name) != mask.shape:
            raise ParameterError(f"a mask of shape {mask.shape} was given for {name}; {shapes.get(name)} is wanted")


def _kinds() -> tuple[Any, ...]:
    from keras import layers

    return layers.Dense, layers.Conv1D, layers.Conv2D, layers.DepthwiseConv2D


def _functional(model: Any) -> Any:
    import keras

    return keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model


def _loss(model: Any) -> Any:
    import keras

    return keras.losses.get(model.loss)


def _kernels(model: Any, masks: Mapping[str, NDArray[np.bool_]], *, dense_per_channel: bool) -> dict[int, _Kernel]:
    """The kernels by identity of their variables."""
    import keras

    found = {}
    for layer in model.layers:
        if type(layer) not in _kinds():
            continue
        rank = len(layer.kernel.shape)
        # A depthwise kernel ends in (channels, multiplier), both of which are outputs.
        outputs = 2 if isinstance(layer, keras.layers.DepthwiseConv2D) else 1
        if isinstance(layer, keras.layers.Dense) and not dense_per_channel:
            outputs = 0
        mask = np.asarray(masks.get(layer.name, True), dtype=np.float32)
        found[id(layer.kernel)] = _Kernel(layer.kernel, mask, tuple(range(rank - outputs)))
    return found


def _range_of(values: NDArray[np.floating]) -> tuple[float, float]:
    """Least and greatest value, widened to hold 0, which has an integer of its own."""
    return min(float(values.min()), 0.0), max(float(values.max()), 0.0)


def _ranges(model: Any, representative: NDArray[np.floating]) -> dict[str, tuple[float, float]]:
    """Of the output of each layer, by its name."""
    import keras

    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    outputs = keras.Model(model.inputs, [layer.output for layer in layers]).predict(representative, verbose=0)
    listed = outputs if len(layers) > 1 else [outputs] if not isinstance(outputs, list) else outputs
    return {layer.name: _range_of(np.asarray(values)) for layer, values in zip(layers, listed, strict=True)}


def _on_grid(values: Any, low: float, high: float) -> Any:
    """Values in the steps of int8 that a range gives; the gradient is 1 within it and 0 beyond."""
    from keras import ops

    scale = (high - low) / (_HIGHEST - _LOWEST) or 1.0
    zero = float(np.rint(_LOWEST - low / scale))
    held = ops.clip(values, scale * (_LOWEST - zero), scale * (_HIGHEST - zero))
    return held + ops.stop_gradient(ops.round(held / scale) * scale - held)


def _rounding(model: Any, ranges: Mapping[str, tuple[float, float]]) -> Any:
    """The model of the same layers that rounds what passes from one to the next where an int8 network does.

    The converter fuses batch normalisation and ReLU into the layer before; pooling by maximum and changes of shape keep
    the steps of what they take. The output is not rounded: the loss is to say how far it is off.
    """
    import keras
    from keras import layers

    keeping = (layers.InputLayer, layers.Flatten, layers.Reshape, layers.MaxPooling1D, layers.MaxPooling2D)

    def rounded(tensor: Any) -> Any:
        origin = tensor._keras_history.operation
        return tensor if isinstance(origin, keeping) else _on_grid(tensor, *ranges[origin.name])

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        if not _fused(layer):
            arguments = tuple(keras.tree.map_structure(rounded, argument) for argument in arguments)
        return layer(*arguments, **options)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


def _fused(layer: Any) -> bool:
    """Whether what comes in was not rounded yet, because it is computed together with the layer before."""
    from keras import activations, layers

    if isinstance(layer, layers.Activation):
        return layer.activation in (activations.relu, activations.relu6, activations.linear)
    return isinstance(layer, layers.BatchNormalization | layers.ReLU | layers.Dropout)


def _descend(
    model: Any,
    kernels: Mapping[int, _Kernel],
    inputs: NDArray[np.floating],
    targets: NDArray[Any],
    *,
    loss: Any,
    epochs: int,
    batch_size: int,
    optimizer: Any,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    """Learn pass by pass, batches in random order, and keep masks."""
    import tensorflow as tf

    learned, held = model.trainable_variables, model.non_trainable_variables
    optimizer.build(learned)

    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            values = [kernels[id(v)].rounded() if id(v) in kernels else v for v in learned]
            given, _ = model.stateless_call(values, held, x, training=True)
            error = tf.reduce_mean(loss(y, given))
        optimizer.apply(tape.gradient(error, [v.value for v in learned]), learned)

    compiled = tf.function(step, reduce_retracing=True)
    for epoch in range(epochs):
        order = rng.permutation(len(inputs))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            compiled(tf.convert_to_tensor(np.asarray(inputs)[chosen]), tf.convert_to_tensor(targets[chosen]))
            for kernel in kernels.values():
                kernel.drop()
        progress(epoch + 1, epochs)
