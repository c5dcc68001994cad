"""Conversion of a Keras model to the `.tflite` forms that gateways and nodes run; refuses to guess its ranges."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import ParameterError

__all__ = ["to_tflite", "to_tflite_int8"]


def to_tflite(model: Any) -> bytes:
    """Convert a Keras model to a float32 `.tflite` flatbuffer.

    Parameters
    ----------
    model : keras.Model
        Of one input and one output.

    Returns
    -------
    bytes
        The flatbuffer.
    """
    import tensorflow as tf

    # Through a saved model: the converter's Keras path leaves variables behind under Keras 3.
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        return bytes(converter.convert())


def to_tflite_int8(model: Any, representative: NDArray[np.floating], *, dense_per_channel: bool = True) -> bytes:
    """Convert a Keras model to an all-integer `.tflite` flatbuffer, int8 in and out.

    Parameters
    ----------
    model : keras.Model
        Of one input and one output.
    representative : ndarray, shape (items, ...)
        Inputs that the ranges of all tensors are taken from; at least one, of those learned from.
    dense_per_channel : bool
        Whether each output of a dense layer has a scale of its own, which is finer and takes 12 bytes more, or
        a layer has one. Convolutions always have one a channel.

    Returns
    -------
    bytes
        The flatbuffer; scale and zero point of input and output stand in it.

    Raises
    ------
    ParameterError
        If there is no representative input.
    """
    if not len(representative):
        raise ParameterError("an int8 network was asked for without representative inputs; at least one is wanted")
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        # One item at a time: with an open batch, a flattening becomes four operators that compute a shape.
        one = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)]
        model.export(folder, format="tf_saved_model", verbose=False, input_signature=one)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([item[None].astype(np.float32)] for item in representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter._experimental_disable_per_channel_quantization_for_dense_layers = not dense_per_channel
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())
