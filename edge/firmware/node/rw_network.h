/* A network as the node runs it, whether it was compiled into the firmware or came in a slot: int8 in, int8 out. */
#ifndef RW_NETWORK_H
#define RW_NETWORK_H

#include <stddef.h>
#include <stdint.h>

/* value = scale (q - zero) */
struct rw_quantisation {
    float scale;
    int32_t zero;
};

struct rw_network {
    void *context;
    void (*run)(void *context); /* from input to output; it may write over the input */
    int8_t *input;
    const int8_t *output;
    size_t input_bytes, output_bytes;
    struct rw_quantisation input_as, output_as;
};

#define RW_NO_FRACTION 12582912.0f /* 3 * 2^22: beside it, a float has no bits for a fraction */

/* Rounded, halves to even, and held within int8. */
static inline int8_t rw_quantised(float x, struct rw_quantisation as)
{
    const float steps = x / as.scale;
    const float held = steps > 512.0f ? 512.0f : steps < -512.0f ? -512.0f : steps;
    const float rounded = held + RW_NO_FRACTION;
    const int32_t q = (int32_t)(rounded - RW_NO_FRACTION) + as.zero;

    return (int8_t)(q < INT8_MIN ? INT8_MIN : q > INT8_MAX ? INT8_MAX : q);
}

static inline float rw_number(int8_t q, struct rw_quantisation as)
{
    return as.scale * (float)(q - as.zero);
}

#endif
