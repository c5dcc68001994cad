/* Sum of two int8 tensors of different scales. */
#ifndef RW_ADD_H
#define RW_ADD_H

#include <stdint.h>

#include "rw_broadcast.h"

struct rw_add {
    struct rw_extent extent;
    int32_t a_multiplier;   /* Q31, from steps of a to steps of twice the larger scale */
    int32_t b_multiplier;
    int32_t out_multiplier; /* Q31, from those to steps of the output */
    int8_t a_shift;
    int8_t b_shift;
    int8_t out_shift;
    int8_t lowest;
    int8_t highest;
    int16_t a_zero;
    int16_t b_zero;
    int16_t out_zero;
};

void rw_add(const struct rw_add *op, const int8_t *a, const int8_t *b, int8_t *out);

#endif
