"""Lowerings of every operator but dense layers and convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.compiler.step import Step
from edge.tflite.graph import Graph, Operator

__all__ = ["LOWERINGS"]

LOWERINGS: Mapping[str, Callable[[Graph, Operator], Step]] = {}
