/* out[r][c] = exp(in[r][c] - max) / sum over c of exp(in[r][c] - max), in fixed point: differences in Q5.26,
 * exponentials in Q0.31, their sum in Q12.19; below 512, so that the last shift is one of 31 bits at most.
 * Source: exp(x) = exp(-1/4 k) * exp(rest) with a polynomial about -1/8, and 1 / (1 + x) by three steps of Newton's
 * method from 48/17 - 32/17 x, as in gemmlowp's fixed-point functions, bit for bit. */
#include "rw_softmax.h"

#include <stddef.h>

#include "rw_fixed.h"

#define RW_QUARTER (INT32_C(1) << 24) /* 1/4 in Q5.26 */
#define RW_EIGHTH (INT32_C(1) << 28)  /* 1/8 in Q0.31 */

/* x * 2^bits, held within int32. */
static int32_t rw_saturating_shift(int32_t x, int bits)
{
    const int32_t most = INT32_MAX >> bits;
    if (x > most) {
        return INT32_MAX;
    }
    return x < -most ? INT32_MIN : x * (INT32_C(1) << bits);
}

/* exp(x) for -1/4 <= x < 0, both Q0.31: the series to the fourth power about -1/8. */
static int32_t rw_exp_of_quarter(int32_t x)
{
    const int32_t at_eighth = INT32_C(1895147668); /* exp(-1/8) */
    const int32_t third = INT32_C(715827883);
    const int32_t y = x + RW_EIGHTH;
    const int32_t y2 = rw_doubling_high_multiply(y, y);
    const int32_t y3 = rw_doubling_high_multiply(y2, y);
    const int32_t y4 = rw_doubling_high_multiply(y2, y2);
    const int32_t cubic = rw_doubling_high_multiply(rw_rounding_shift(y4, 2) + y3, third) + y2;
    return at_eighth + rw_doubling_high_multiply(at_eighth, y + rw_rounding_shift(cubic, 1));
}

/* exp(x) for x <= 0 in Q5.26; Q0.31, where 1 is the largest int32. */
static int32_t rw_exp(int32_t x)
{
    /* exp(-2^k) for k = -2 to 4, Q0.31. */
    static const int32_t powers[] = {INT32_C(1672461947), INT32_C(1302514674), INT32_C(790015084), INT32_C(290630308),
                                     INT32_C(39332535), INT32_C(720401), INT32_C(242)};
    if (x == 0) {
        return INT32_MAX;
    }
    const int32_t rest = (x & (RW_QUARTER - 1)) - RW_QUARTER;
    const uint32_t quarters = ((uint32_t)rest - (uint32_t)x) / (uint32_t)RW_QUARTER;
    int32_t y = rw_exp_of_quarter(rw_saturating_shift(rest, 5));
    for (size_t k = 0; k < sizeof powers / sizeof powers[0]; ++k) {
        if (quarters >> k & 1u) {
            y = rw_doubling_high_multiply(y, powers[k]);
        }
    }
    return y;
}

/* 1 / (1 + x) for 0 <= x < 1, both Q0.31. */
static int32_t rw_one_over_one_plus(int32_t x)
{
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2); /* (1 + x) / 2 */
    /* Q2.29 from here on. */
    int32_t y = INT32_C(1515870810) + rw_doubling_high_multiply(half, INT32_C(-1010580540));
    for (int i = 0; i < 3; ++i) {
        const int32_t error = (INT32_C(1) << 29) - rw_doubling_high_multiply(half, y);
        y += rw_saturating_shift(rw_doubling_high_multiply(y, error), 2);
    }
    return rw_saturating_shift(y, 1);
}

static int rw_leading_zeros(uint32_t x)
{
    int n = 0;
    for (; !(x & 0x80000000u); x <<= 1) {
        ++n;
    }
    return n;
}

static void rw_softmax_row(const struct rw_softmax *op, const int8_t *in, int32_t *scratch, int8_t *out)
{
    int32_t most = INT8_MIN, sum = 0;
    for (size_t c = 0; c < op->depth; ++c) {
        most = in[c] > most ? in[c] : most;
    }
    for (size_t c = 0; c < op->depth; ++c) {
        const int32_t difference = in[c] - most;
        scratch[c] = -1;
        if (difference >= op->least) {
            const int32_t scaled = difference * (INT32_C(1) << op->shift);
            scratch[c] = rw_exp(rw_doubling_high_multiply(scaled, op->multiplier));
            sum += rw_rounding_shift(scratch[c], 12);
        }
    }
    const int zeros = rw_leading_zeros((uint32_t)sum);
    const int32_t scale = rw_one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
    for (size_t c = 0; c < op->depth; ++c) {
        const int32_t share = scratch[c] < 0 ? 0 : rw_doubling_high_multiply(scale, scratch[c]);
        out[c] = rw_clamp(rw_rounding_shift(share, 12 - zeros + 23) + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void rw_softmax(const struct rw_softmax *op, const int8_t *in, int32_t *scratch, int8_t *out)
{
    for (size_t r = 0; r < op->rows; ++r, in += op->depth, out += op->depth) {
        rw_softmax_row(op, in, scratch, out);
    }
}
