/* Softmax over the last dimension of an int8 tensor; the output has steps of 1/256 from -128. */
#ifndef RW_SOFTMAX_H
#define RW_SOFTMAX_H

#include <stdint.h>

struct rw_softmax {
    int32_t multiplier; /* Q31, from steps of the input times beta to Q5.26 */
    int32_t least;      /* differences to the maximum below this one have no weight; never positive */
    uint16_t rows;
    uint16_t depth;     /* at most 511 */
    uint8_t shift;      /* left */
};

/* scratch: depth exponentials, Q0.31. */
void rw_softmax(const struct rw_softmax *op, const int8_t *in, int32_t *scratch, int8_t *out);

#endif
