/* Convolution and dense layer over int8 in NHWC, as they are defined: what rw_convolve computes, and what serves where
 * it does not: dilations, shifts to the left, rows of more groups than the form of rw_exact.h counts. */
#ifndef RW_CONVOLVE_PLAIN_H
#define RW_CONVOLVE_PLAIN_H

#include <stdint.h>

struct rw_plain_convolution {
    const int8_t *weights;       /* [out_channels][kernel_height][kernel_width][in_channels] */
    const int32_t *bias;         /* of each output channel */
    const int32_t *multipliers;  /* Q31, of each output channel */
    const int8_t *shifts;        /* left; of each output channel */
    uint16_t in_height;
    uint16_t in_width;
    uint16_t in_channels;
    uint16_t out_height;
    uint16_t out_width;
    uint16_t out_channels;
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

void rw_convolve_plain(const struct rw_plain_convolution *op, const int8_t *in, int8_t *out);

#endif
