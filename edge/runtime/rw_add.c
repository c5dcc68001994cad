/* out = requantise(requantise(a - zero) + requantise(b - zero)) + zero, both sums with 20 more fractional bits: 9 + 20
 * bits each, 30 bits their sum.
 * Source: the definition of ADD in TensorFlow Lite's integer reference kernels. */
#include "rw_add.h"

#include "rw_fixed.h"

#define RW_ADD_FRACTION 20

static void rw_add_row(const void *parameters, const int8_t *a, size_t a_step, const int8_t *b, size_t b_step,
                       int8_t *out, size_t n)
{
    const struct rw_add *op = parameters;
    for (size_t k = 0; k < n; ++k, a += a_step, b += b_step) {
        const int32_t left = (*a - op->a_zero) * (INT32_C(1) << RW_ADD_FRACTION);
        const int32_t right = (*b - op->b_zero) * (INT32_C(1) << RW_ADD_FRACTION);
        const int32_t sum = rw_requantise(left, op->a_multiplier, op->a_shift)
                            + rw_requantise(right, op->b_multiplier, op->b_shift);
        out[k] = rw_clamp(rw_requantise(sum, op->out_multiplier, op->out_shift) + op->out_zero, op->lowest,
                          op->highest);
    }
}

void rw_add(const struct rw_add *op, const int8_t *a, const int8_t *b, int8_t *out)
{
    rw_broadcast(&op->extent, rw_add_row, op, a, b, out);
}
