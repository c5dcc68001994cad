"""Sizes and paddings of windows that slide over height and width."""

from __future__ import annotations

from edge.compiler.operands import check_count, check_shape, refusal
from edge.tflite.graph import Operator, Tensor

__all__ = ["windows_of"]

_SAME = 0


def windows_of(
    operator: Operator, given: Tensor, result: Tensor, *, height: int, width: int, channels: int
) -> dict[str, int]:
    """Lay windows of a height and a width over a tensor.

    Parameters
    ----------
    operator : Operator
        Its padding, strides and dilations are read.
    given, result : Tensor
        Of four dimensions, one item.
    height, width : int
        Of the window.
    channels : int
        Of the result.

    Returns
    -------
    dict of str to int
        Sizes, strides and paddings, by the names that the structs of the kernels have for them.

    Raises
    ------
    ArtifactError
        If the tensors are of other forms, or the result is not as large as the windows make it.
    """
    if len(given.shape) != 4 or given.shape[0] != 1:
        raise refusal(operator, f"of shape {given.shape} is not computed; (1, height, width, channels) is wanted")
    down = _along(operator, given.shape[1], height, "H")
    across = _along(operator, given.shape[2], width, "W")
    check_shape(operator, result, (1, down[0], across[0], channels))
    strides = int(operator.options["strideH"]), int(operator.options["strideW"])
    check_count(operator, *given.shape, *result.shape, height, width, *strides)
    return {
        "in_height": given.shape[1],
        "in_width": given.shape[2],
        "channels": given.shape[3],
        "out_height": down[0],
        "out_width": across[0],
        "stride_height": strides[0],
        "stride_width": strides[1],
        "pad_top": down[1],
        "pad_left": across[1],
    }


def _along(operator: Operator, size: int, window: int, letter: str) -> tuple[int, int]:
    """The number of windows along a dimension, and how many elements the first one begins before it."""
    stride, dilation = int(operator.options[f"stride{letter}"]), int(operator.options.get(f"dilation{letter}Factor", 1))
    if stride < 1 or dilation < 1 or window < 1:
        raise refusal(operator, f"of stride {stride}, dilation {dilation} and window {window} is not computed")
    reach = (window - 1) * dilation + 1
    if int(operator.options.get("padding", _SAME)) != _SAME:
        return (size + stride - reach) // stride, 0
    number = -(-size // stride)
    return number, max(0, (number - 1) * stride + reach - size) // 2
