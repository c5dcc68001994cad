"""Training cut down to one pass, step by step: for what holds of any network, whatever it has learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from models.bearing import hierarchy, interference

__all__ = ["one_pass"]


class _Untraced:
    """Stands in for what `tf.function` makes of a function: a concrete function is traced in any case."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *given: Any) -> Any:
        return self.function(*given)

    def get_concrete_function(self, *given: Any) -> Any:
        del given
        return self.function


@contextmanager
def one_pass() -> Iterator[pytest.MonkeyPatch]:
    """Let every network pass over its windows once, without a graph; gives what else can be patched meanwhile."""
    import keras
    import tensorflow as tf

    fit, traced = keras.Model.fit, tf.function

    def function(of: Any = None, **named: Any) -> Any:
        # Keras names options and heeds the switch below.
        return traced(of, **named) if named or of is None else _Untraced(of)

    def once(self: Any, *given: Any, **named: Any) -> Any:
        return fit(self, *given, **(named | {"epochs": 1}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", once)
        patch.setattr(tf, "function", function)
        for module in (hierarchy, interference):
            patch.setattr(module, "_TRAINING", dataclasses.replace(module._TRAINING, epochs=1))
        # Tracing a graph takes seconds, a step on a few windows takes none.
        tf.config.run_functions_eagerly(run_eagerly=True)
        try:
            yield patch
        finally:
            tf.config.run_functions_eagerly(run_eagerly=False)
