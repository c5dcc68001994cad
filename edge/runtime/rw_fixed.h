/* Fixed-point arithmetic of TensorFlow Lite's integer kernels, bit for bit: a quantised multiplier is
 * m * 2^(shift - 31) with m in [2^30, 2^31) in Q31; products are rounded twice, half up, then half away from zero.
 * Source: gemmlowp's fixed-point definitions as TensorFlow Lite uses them (double rounding). */
#ifndef RW_FIXED_H
#define RW_FIXED_H

#include <stdint.h>

/* x * m / 2^31, rounded half up (Q31 product); x = m = INT32_MIN saturates. */
static inline int32_t rw_doubling_high_multiply(int32_t x, int32_t m)
{
    if (x == INT32_MIN && m == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)x * m + (INT64_C(1) << 30)) >> 31);
}

/* x / 2^exponent, rounded half away from zero: half up, of one less below zero. x > INT32_MIN, 0 <= exponent <= 31. */
static inline int32_t rw_rounding_shift(int32_t x, int exponent)
{
    if (exponent == 0) {
        return x;
    }
    return (((x - (x < 0 ? 1 : 0)) >> (exponent - 1)) + 1) >> 1;
}

/* x * m * 2^(shift - 31), m >= 0; the caller sees to it that x * 2^shift fits where shift is positive. */
static inline int32_t rw_requantise(int32_t x, int32_t m, int shift)
{
    const int left = shift > 0 ? shift : 0;
    const int64_t product = (int64_t)(int32_t)((uint32_t)x << left) * m;
    return rw_rounding_shift((int32_t)((product + (INT64_C(1) << 30)) >> 31), left - shift);
}

/* a + b modulo 2^32, where only the caller's numbers say whether the sum fits: those of a damaged model may not. */
static inline int32_t rw_plus(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int8_t rw_clamp(int32_t x, int32_t lowest, int32_t highest)
{
    const int32_t above = x < lowest ? lowest : x;
    return (int8_t)(above > highest ? highest : above);
}

#endif
