/* float32 to int8 at the entrance of a network and back at its end. */
#ifndef RW_QUANTISE_H
#define RW_QUANTISE_H

#include <stdint.h>

struct rw_quantise {
    float scale;
    uint32_t n;
    int16_t zero;
};

/* in: n floats as bytes, wherever they lie. */
void rw_quantise(const struct rw_quantise *op, const int8_t *in, int8_t *out);

/* out: n floats as bytes, wherever they lie. */
void rw_dequantise(const struct rw_quantise *op, const int8_t *in, int8_t *out);

#endif
