/* Maximum and average of windows of an int8 tensor in NHWC; input and output have one scale. */
#ifndef RW_POOL_H
#define RW_POOL_H

#include <stdint.h>

struct rw_pool {
    uint16_t in_height;
    uint16_t in_width;
    uint16_t channels;
    uint16_t out_height;
    uint16_t out_width;
    uint16_t window_height;
    uint16_t window_width;
    uint16_t stride_height;
    uint16_t stride_width;
    int16_t pad_top;
    int16_t pad_left;
    int8_t lowest;
    int8_t highest;
};

void rw_max_pool(const struct rw_pool *op, const int8_t *in, int8_t *out);
void rw_average_pool(const struct rw_pool *op, const int8_t *in, int8_t *out);

#endif
