/* Product of two int8 tensors, element by element. */
#ifndef RW_MULTIPLY_H
#define RW_MULTIPLY_H

#include <stdint.h>

#include "rw_broadcast.h"

struct rw_multiply {
    struct rw_extent extent;
    int32_t multiplier; /* Q31, from the product of both steps to steps of the output */
    int8_t shift;
    int8_t lowest;
    int8_t highest;
    int16_t a_zero;
    int16_t b_zero;
    int16_t out_zero;
};

void rw_multiply(const struct rw_multiply *op, const int8_t *a, const int8_t *b, int8_t *out);

#endif
