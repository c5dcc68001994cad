/* out[y][x][o] = requantise(bias[o] + sum over i, j, c of
 *                           w[o][i][j][c] * (in[y s + i d - p][x s + j d - p][c] - zero)),
 * inputs outside taken as zero. o: output channels, c: input channels, i, j: rows and columns of the kernel.
 * Source: the definition of CONV_2D in TensorFlow Lite's quantisation specification. */
#include "rw_convolve_plain.h"

#include <stddef.h>

#include "rw_fixed.h"

static int32_t rw_window_sum(const struct rw_plain_convolution *op, const int8_t *in, const int8_t *w, int32_t top,
                             int32_t left)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < op->kernel_height; ++i) {
        const int32_t row = top + i * op->dilation_height;
        for (int32_t j = 0; j < op->kernel_width; ++j, w += op->in_channels) {
            const int32_t column = left + j * op->dilation_width;
            if (row < 0 || row >= op->in_height || column < 0 || column >= op->in_width) {
                continue;
            }
            const int8_t *tap = in + ((ptrdiff_t)row * op->in_width + column) * op->in_channels;
            for (size_t c = 0; c < op->in_channels; ++c) {
                sum = rw_plus(sum, w[c] * (tap[c] - op->in_zero));
            }
        }
    }
    return sum;
}

void rw_convolve_plain(const struct rw_plain_convolution *op, const int8_t *in, int8_t *out)
{
    const size_t kernel = (size_t)op->kernel_height * op->kernel_width * op->in_channels;
    for (int32_t y = 0; y < op->out_height; ++y) {
        for (int32_t x = 0; x < op->out_width; ++x) {
            const int32_t top = y * op->stride_height - op->pad_top;
            const int32_t left = x * op->stride_width - op->pad_left;
            for (size_t o = 0; o < op->out_channels; ++o) {
                const int32_t sum = rw_plus(op->bias[o], rw_window_sum(op, in, op->weights + o * kernel, top, left));
                const int32_t scaled = rw_plus(rw_requantise(sum, op->multipliers[o], op->shifts[o]), op->out_zero);
                *out++ = rw_clamp(scaled, op->lowest, op->highest);
            }
        }
    }
}
