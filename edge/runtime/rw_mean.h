/* Mean of an int8 tensor over some of its dimensions. */
#ifndef RW_MEAN_H
#define RW_MEAN_H

#include <stdint.h>

struct rw_mean {
    uint16_t outer; /* kept */
    uint16_t rows;  /* averaged */
    uint16_t middle;
    uint16_t columns; /* averaged */
    uint16_t inner;
    int32_t multiplier; /* Q31, with the number of elements divided out */
    int32_t offset;     /* zero point of the input times the number of elements */
    int16_t out_zero;
    int8_t shift;
};

void rw_mean(const struct rw_mean *op, const int8_t *in, int8_t *out);

#endif
