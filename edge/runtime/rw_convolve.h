/* Convolution and dense layer over int8 in NHWC, with the products of rw_product.h; a maximum pooling may be fused.
 *
 * The rows of inputs that one row of outputs needs are expanded into the caller's memory, once; a window is then a
 * stretch of groups of it. Where a window may begin within a group, each is expanded for itself. A dense layer is a
 * convolution of height, width and kernel 1. */
#ifndef RW_CONVOLVE_H
#define RW_CONVOLVE_H

#include <stdint.h>

#include "rw_expand.h"
#include "rw_product.h"

enum rw_layout {
    RW_ROWS,     /* a row of inputs is one stretch of elements */
    RW_TAPS,     /* each tap begins with a group of its own: channels that are no multiple of 4 */
    RW_WINDOWS,  /* each window is expanded for itself */
};

struct rw_convolution {
    const struct rw_band *bands;
    const uint16_t *positions;   /* groups from a window to those it is pooled with; the first is 0 */
    uint16_t n_bands;
    uint16_t n_positions;
    uint16_t in_height;
    uint16_t in_width;
    uint16_t in_channels;
    uint16_t out_height;         /* after pooling */
    uint16_t out_width;
    uint16_t out_channels;
    uint16_t kernel_height;
    uint16_t rows;               /* rows of inputs that one row of outputs needs */
    uint16_t row_groups;         /* groups of an expanded row */
    uint16_t row_step;           /* rows from one row of outputs to the next */
    uint16_t column_step;        /* from one output to the next: groups, or elements in RW_WINDOWS */
    int16_t pad_top;
    int16_t pad_left;
    uint8_t layout;
    int8_t zero;                 /* zero point of the inputs */
};

void rw_convolve(const struct rw_convolution *op, const int8_t *in, struct rw_four *scratch, int8_t *out);

#endif
