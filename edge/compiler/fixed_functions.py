"""Fixed-point exponential, logistic and hyperbolic tangent, bit for bit as TensorFlow Lite's int8 operators have them.

Numbers are Python integers that stand for int32 of a Q-format; 1 in Q0.31 is the largest of them.
"""

from __future__ import annotations

__all__ = ["high_multiply", "logistic", "rounding_shift", "tanh"]

_ONE = (1 << 31) - 1
_LEAST = -(1 << 31)
# exp(-1/8) and 1/3 in Q0.31.
_EXP_EIGHTH, _THIRD = 1895147668, 715827883
# exp(-2**k) for k = -2 to 4, in Q0.31.
_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
# 48/17 and -32/17 in Q2.29: the line that Newton's method for a reciprocal begins on.
_INTERCEPT, _SLOPE = 1515870810, -1010580540


def high_multiply(x: int, y: int) -> int:
    """Return x * y / 2**31, rounded half up."""
    return _ONE if x == y == _LEAST else (x * y + (1 << 30)) >> 31


def rounding_shift(x: int, bits: int) -> int:
    """Return x / 2**bits, rounded half away from zero."""
    mask = (1 << bits) - 1
    return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0))


def logistic(x: int) -> int:
    """Return 1 / (1 + exp(-x)) in Q0.31 for x in Q4.27.

    Examples
    --------
    >>> round(logistic(1 << 27) / 2**31, 6)
    0.731059
    """
    if x == 0:
        return 1 << 30
    share = _one_over_one_plus(_exp(-abs(x), 4))
    return share if x > 0 else _ONE - share


def tanh(x: int) -> int:
    """Return tanh(x) in Q0.31 for x in Q4.27.

    Examples
    --------
    >>> round(tanh(-(1 << 26)) / 2**31, 6)
    -0.462117
    """
    if x == 0:
        return 0
    # (1 - e) / (1 + e) with e = exp(-2 |x|); doubling is another Q-format of the same integer.
    magnitude = _saturated(_reciprocal(_exp(-abs(x), 5)) - (1 << 29), 2)
    return magnitude if x > 0 else -magnitude


def _saturated(x: int, bits: int) -> int:
    return max(_LEAST, min(_ONE, x << bits))


def _exp(x: int, integer_bits: int) -> int:
    """Return exp(x) in Q0.31 for x <= 0 with so many integer bits."""
    if x == 0:
        return _ONE
    quarter = 1 << (29 - integer_bits)
    rest = (x & (quarter - 1)) - quarter
    value = _exp_of_quarter(_saturated(rest, integer_bits))
    for k, power in enumerate(_POWERS[: integer_bits + 2]):
        if (rest - x) & (quarter << k):
            value = high_multiply(value, power)
    return value


def _exp_of_quarter(x: int) -> int:
    """Return exp(x) for -1/4 <= x < 0, both Q0.31: the series to the fourth power about -1/8."""
    y = x + (1 << 28)
    y2 = high_multiply(y, y)
    y3, y4 = high_multiply(y2, y), high_multiply(y2, y2)
    cubic = high_multiply(rounding_shift(y4, 2) + y3, _THIRD) + y2
    return _EXP_EIGHTH + high_multiply(_EXP_EIGHTH, y + rounding_shift(cubic, 1))


def _reciprocal(x: int) -> int:
    """Return 2 / (1 + x) in Q2.29 for x in Q0.31, by three steps of Newton's method."""
    half = (x + _ONE + 1) // 2
    y = _INTERCEPT + high_multiply(half, _SLOPE)
    for _ in range(3):
        y += _saturated(high_multiply(y, (1 << 29) - high_multiply(half, y)), 2)
    return y


def _one_over_one_plus(x: int) -> int:
    return _saturated(_reciprocal(x), 1)
