/* Convolution of every channel of an int8 tensor in NHWC for itself. */
#ifndef RW_DEPTHWISE_H
#define RW_DEPTHWISE_H

#include <stdint.h>

struct rw_depthwise {
    const int8_t *weights;      /* [kernel_height][kernel_width][channels * per_channel] */
    const int32_t *bias;        /* of each output channel */
    const int32_t *multipliers; /* Q31, of each output channel */
    const int8_t *shifts;       /* left; of each output channel */
    uint16_t in_height;
    uint16_t in_width;
    uint16_t channels;
    uint16_t per_channel;       /* outputs of each input channel */
    uint16_t out_height;
    uint16_t out_width;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t dilation_height;
    uint16_t dilation_width;
    int16_t pad_top;
    int16_t pad_left;
    int16_t in_zero;
    int16_t out_zero;
    int8_t lowest;
    int8_t highest;
};

void rw_depthwise(const struct rw_depthwise *op, const int8_t *in, int8_t *out);

#endif
