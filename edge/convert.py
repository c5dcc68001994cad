"""Conversion of a Keras model to the `.tflite` form that gateways and nodes run."""

from __future__ import annotations

import tempfile
from typing import Any

__all__ = ["to_tflite"]


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
