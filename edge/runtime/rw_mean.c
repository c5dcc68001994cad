/* out[o][m][i] = requantise(sum over r, c of in[o][r][m][c][i] - offset) + zero, divided by rows * columns in the
 * multiplier. o: outer, r: rows, m: middle, c: columns, i: inner; sums of 2^23 elements fit.
 * Source: the definition of MEAN in TensorFlow Lite's integer reference kernels. */
#include "rw_mean.h"

#include <stddef.h>

#include "rw_columns.h"
#include "rw_fixed.h"

static int8_t rw_mean_of(const struct rw_mean *op, int32_t sum)
{
    const int32_t scaled = rw_requantise(sum - op->offset, op->multiplier, op->shift);
    return rw_clamp(rw_plus(scaled, op->out_zero), INT8_MIN, INT8_MAX);
}

/* x: the first row of all columns of one outer and middle element. */
static void rw_mean_inner(const struct rw_mean *op, const int8_t *x, int8_t *out)
{
    const size_t row = (size_t)op->middle * op->columns * op->inner;
    size_t i = 0;
    for (; i + 4 <= op->inner; i += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        for (size_t r = 0; r < op->rows; ++r) {
            rw_four_columns_sum(x + r * row + i, op->columns, op->inner, sums);
        }
        for (size_t c = 0; c < 4; ++c) {
            out[i + c] = rw_mean_of(op, sums[c]);
        }
    }
    for (; i < op->inner; ++i) {
        int32_t sum = 0;
        for (size_t r = 0; r < op->rows; ++r) {
            sum += rw_column_sum(x + r * row + i, op->columns, op->inner);
        }
        out[i] = rw_mean_of(op, sum);
    }
}

void rw_mean(const struct rw_mean *op, const int8_t *in, int8_t *out)
{
    const size_t cell = (size_t)op->columns * op->inner;
    for (size_t o = 0; o < op->outer; ++o) {
        for (size_t m = 0; m < op->middle; ++m, out += op->inner) {
            rw_mean_inner(op, in + (o * op->rows * op->middle + m) * cell, out);
        }
    }
}
