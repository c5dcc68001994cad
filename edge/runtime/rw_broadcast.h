/* The walk over two tensors of up to four dimensions, either repeated along some, for functions of two elements. */
#ifndef RW_BROADCAST_H
#define RW_BROADCAST_H

#include <stddef.h>
#include <stdint.h>

struct rw_extent {
    const uint16_t *counts;  /* [4] of the output, the last varies fastest */
    const uint16_t *a_steps; /* [4] elements of a from one to the next; 0 where a is repeated */
    const uint16_t *b_steps; /* [4] of b */
};

/* n elements of the last dimension. */
typedef void rw_row(const void *op, const int8_t *a, size_t a_step, const int8_t *b, size_t b_step, int8_t *out,
                    size_t n);

void rw_broadcast(const struct rw_extent *extent, rw_row *row, const void *op, const int8_t *a, const int8_t *b,
                  int8_t *out);

#endif
