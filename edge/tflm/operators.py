"""The operators that TFLite Micro's resolver knows by a method of their own; refuses others by name.

Left out are operators that need more than a resolver: resource variables, calls of other graphs, custom ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from features.errors import ArtifactError

__all__ = ["OPERATORS", "method_of", "refuse_lacking"]

# tensorflow/lite/micro/micro_mutable_op_resolver.h and python/tflite_micro/python_ops_resolver.cc of tflite-micro.
_NAMES = """
ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CAST CEIL CONCATENATION
CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV
FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU
LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX RELU RELU6 RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V
SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK ZEROS_LIKE
"""
OPERATORS = frozenset(_NAMES.split())

_IRREGULAR = {
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


def method_of(operator: str) -> str:
    """Name of the method of `MicroMutableOpResolver` that adds an operator.

    Parameters
    ----------
    operator : str
        As TensorFlow Lite names it; one of `OPERATORS`.

    Returns
    -------
    str

    Raises
    ------
    ArtifactError
        If there is none.

    Examples
    --------
    >>> method_of("DEPTHWISE_CONV_2D"), method_of("PADV2")
    ('AddDepthwiseConv2D', 'AddPadV2')
    """
    refuse_lacking([operator])
    words = (word if word[0].isdigit() else word.capitalize() for word in operator.split("_"))
    return _IRREGULAR.get(operator, "Add" + "".join(words))


def refuse_lacking(operators: Sequence[str]) -> None:
    """Refuse operators that the resolver has no method for.

    Raises
    ------
    ArtifactError
        With the names of all of them.
    """
    lacking = sorted(set(operators) - OPERATORS)
    if lacking:
        raise ArtifactError(
            f"TFLite Micro's resolver has no {' and no '.join(lacking)}; build the network of other operators"
        )
