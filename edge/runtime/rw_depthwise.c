/* out[y][x][o] = requantise(bias[o] + sum over i, j of w[i][j][o] * (in[y s + i d - p][x s + j d - p][c] - zero)),
 * inputs outside left out. c: input channels, o = c * per_channel + m: output channels, i, j: rows and columns of the
 * kernel. Where each channel has one output, four channels are summed at once.
 * Source: the definition of DEPTHWISE_CONV_2D in TensorFlow Lite's quantisation specification. */
#include "rw_depthwise.h"

#include <stddef.h>
#include <string.h>

#include "rw_fixed.h"
#include "rw_simd.h"

/* Taps i_first <= i < i_end and j_first <= j < j_end lie inside; origin: of tap 0, 0, which may lie outside. */
struct rw_taps {
    ptrdiff_t origin;
    int32_t i_first;
    int32_t i_end;
    int32_t j_first;
    int32_t j_end;
};

/* The first tap that is not before the tensor, and the first that is behind it. */
static void rw_inside(int32_t origin, int32_t dilation, int32_t taps, int32_t size, int32_t *first, int32_t *end)
{
    *first = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
    const int32_t fit = origin < size ? (size - origin + dilation - 1) / dilation : 0;
    *end = fit < taps ? fit : taps;
}

static struct rw_taps rw_taps_at(const struct rw_depthwise *op, int32_t y, int32_t x)
{
    const int32_t top = y * op->stride_height - op->pad_top, left = x * op->stride_width - op->pad_left;
    struct rw_taps taps;
    taps.origin = ((ptrdiff_t)top * op->in_width + left) * op->channels;
    rw_inside(top, op->dilation_height, op->kernel_height, op->in_height, &taps.i_first, &taps.i_end);
    rw_inside(left, op->dilation_width, op->kernel_width, op->in_width, &taps.j_first, &taps.j_end);
    return taps;
}

static int8_t rw_depthwise_output(const struct rw_depthwise *op, size_t o, int32_t sum)
{
    const int32_t scaled = rw_requantise(rw_plus(sum, op->bias[o]), op->multipliers[o], op->shifts[o]);
    return rw_clamp(rw_plus(scaled, op->out_zero), op->lowest, op->highest);
}

static int32_t rw_one_channel(const struct rw_depthwise *op, const int8_t *in, const struct rw_taps *taps, size_t c,
                              size_t o)
{
    const ptrdiff_t row = (ptrdiff_t)op->in_width * op->channels * op->dilation_height;
    const ptrdiff_t step = (ptrdiff_t)op->channels * op->dilation_width;
    const size_t outputs = (size_t)op->channels * op->per_channel;
    int32_t sum = 0;
    for (int32_t i = taps->i_first; i < taps->i_end; ++i) {
        for (int32_t j = taps->j_first; j < taps->j_end; ++j) {
            const int32_t x = in[taps->origin + i * row + j * step + (ptrdiff_t)c] - op->in_zero;
            sum += op->weights[((size_t)i * op->kernel_width + (size_t)j) * outputs + o] * x;
        }
    }
    return sum;
}

/* Four channels from c on. */
#if !RW_SIMD
static void rw_four_channels(const struct rw_depthwise *op, const int8_t *in, const struct rw_taps *taps, size_t c,
                             int32_t *sums)
{
    for (size_t k = 0; k < 4; ++k) {
        sums[k] = rw_one_channel(op, in, taps, c + k, c + k);
    }
}
#else
/* In lanes of 16 bits: x - zero has 9 bits and a sign. */
static void rw_four_channels(const struct rw_depthwise *op, const int8_t *in, const struct rw_taps *taps, size_t c,
                             int32_t *sums)
{
    const ptrdiff_t row = (ptrdiff_t)op->in_width * op->channels * op->dilation_height;
    const ptrdiff_t step = (ptrdiff_t)op->channels * op->dilation_width;
    const uint32_t minus_zero = (uint32_t)(uint16_t)-op->in_zero * 0x10001u;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t i = taps->i_first; i < taps->i_end; ++i) {
        const int8_t *x = in + (taps->origin + i * row + taps->j_first * step + (ptrdiff_t)c);
        const int8_t *w = op->weights + ((size_t)i * op->kernel_width + (size_t)taps->j_first) * op->channels + c;
        for (int32_t j = taps->j_first; j < taps->j_end; ++j, x += step, w += op->channels) {
            uint32_t xs, ws, even, odd, w_even, w_odd;
            memcpy(&xs, x, sizeof xs);
            memcpy(&ws, w, sizeof ws);
            __asm__("sxtab16 %0, %2, %3\n\tsxtab16 %1, %2, %3, ror #8"
                    : "=&r"(even), "=r"(odd)
                    : "r"(minus_zero), "r"(xs));
            __asm__("sxtb16 %0, %2\n\tsxtb16 %1, %2, ror #8" : "=&r"(w_even), "=r"(w_odd) : "r"(ws));
            __asm__("smlabb %0, %1, %2, %0" : "+r"(s0) : "r"(even), "r"(w_even));
            __asm__("smlabb %0, %1, %2, %0" : "+r"(s1) : "r"(odd), "r"(w_odd));
            __asm__("smlatt %0, %1, %2, %0" : "+r"(s2) : "r"(even), "r"(w_even));
            __asm__("smlatt %0, %1, %2, %0" : "+r"(s3) : "r"(odd), "r"(w_odd));
        }
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}
#endif

static void rw_depthwise_position(const struct rw_depthwise *op, const int8_t *in, const struct rw_taps *taps,
                                  int8_t *out)
{
    size_t c = 0;
    for (; op->per_channel == 1 && c + 4 <= op->channels; c += 4) {
        int32_t sums[4];
        rw_four_channels(op, in, taps, c, sums);
        for (size_t k = 0; k < 4; ++k) {
            out[c + k] = rw_depthwise_output(op, c + k, sums[k]);
        }
    }
    for (; c < op->channels; ++c) {
        for (size_t m = 0; m < op->per_channel; ++m) {
            const size_t o = c * op->per_channel + m;
            out[o] = rw_depthwise_output(op, o, rw_one_channel(op, in, taps, c, o));
        }
    }
}

void rw_depthwise(const struct rw_depthwise *op, const int8_t *in, int8_t *out)
{
    const size_t outputs = (size_t)op->channels * op->per_channel;
    for (int32_t y = 0; y < op->out_height; ++y) {
        for (int32_t x = 0; x < op->out_width; ++x, out += outputs) {
            const struct rw_taps taps = rw_taps_at(op, y, x);
            rw_depthwise_position(op, in, &taps, out);
        }
    }
}
