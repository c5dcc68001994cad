/* out = requantise((a - zero) * (b - zero)) + zero; the product has 17 bits.
 * Source: the definition of MUL in TensorFlow Lite's integer reference kernels. */
#include "rw_multiply.h"

#include "rw_fixed.h"

static void rw_multiply_row(const void *parameters, const int8_t *a, size_t a_step, const int8_t *b, size_t b_step,
                            int8_t *out, size_t n)
{
    const struct rw_multiply *op = parameters;
    for (size_t k = 0; k < n; ++k, a += a_step, b += b_step) {
        const int32_t product = (*a - op->a_zero) * (*b - op->b_zero);
        out[k] = rw_clamp(rw_requantise(product, op->multiplier, op->shift) + op->out_zero, op->lowest, op->highest);
    }
}

void rw_multiply(const struct rw_multiply *op, const int8_t *a, const int8_t *b, int8_t *out)
{
    rw_broadcast(&op->extent, rw_multiply_row, op, a, b, out);
}
