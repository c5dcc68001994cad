"""Which function lowers which operator, beside convolutions, dense layers and changes of shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from edge.compiler.arithmetic import lower_add, lower_mul
from edge.compiler.concatenation import lower_concatenation
from edge.compiler.depthwise import lower_depthwise
from edge.compiler.lookup import lower_logistic, lower_relu, lower_relu6, lower_tanh
from edge.compiler.mean import lower_mean
from edge.compiler.pooling import lower_average_pool, lower_max_pool
from edge.compiler.quantising import lower_dequantize, lower_quantize
from edge.compiler.softmax import lower_softmax
from edge.compiler.step import Step
from edge.tflite.graph import Graph, Operator

__all__ = ["LOWERINGS"]

LOWERINGS: Mapping[str, Callable[[Graph, Operator], Step]] = MappingProxyType(
    {
        "ADD": lower_add,
        "AVERAGE_POOL_2D": lower_average_pool,
        "CONCATENATION": lower_concatenation,
        "DEPTHWISE_CONV_2D": lower_depthwise,
        "DEQUANTIZE": lower_dequantize,
        "LOGISTIC": lower_logistic,
        "MAX_POOL_2D": lower_max_pool,
        "MEAN": lower_mean,
        "MUL": lower_mul,
        "QUANTIZE": lower_quantize,
        "RELU": lower_relu,
        "RELU6": lower_relu6,
        "SOFTMAX": lower_softmax,
        "TANH": lower_tanh,
    }
)
