/* sum = bias + sum over the kept groups of w0 x0 + w1 x1 + w2 x2 + w3 x3; of several positions the largest is taken. */
#include "rw_exact.h"

#include <stddef.h>

#include "rw_fixed.h"
#include "rw_simd.h"

static int32_t rw_byte(uint32_t word, unsigned i)
{
    return (int8_t)(uint8_t)(word >> (8 * i));
}

/* Takes back what rw_expand made of two inputs: odd = x1 + 129, even = 256 x0 - x1 + 127. */
static int32_t rw_two_products(int32_t even, int32_t odd, int32_t w0, int32_t w1)
{
    const int32_t x1 = odd - 129;
    const int32_t x0 = (even + x1 - 127) / 256;
    return w0 * x0 + w1 * x1;
}

static int32_t rw_group(uint32_t word, const struct rw_four *x)
{
    return rw_two_products(rw_low(x->even), rw_low(x->odd), rw_byte(word, 0), rw_byte(word, 1)) +
           rw_two_products(rw_high(x->even), rw_high(x->odd), rw_byte(word, 2), rw_byte(word, 3));
}

struct rw_exact_stream {
    const uint32_t *weights;
    const uint8_t *counts;
    const uint8_t *steps;
};

static int32_t rw_exact_sum(const struct rw_window *window, size_t position, int32_t bias,
                            struct rw_exact_stream *stream)
{
    uint32_t sum = (uint32_t)bias;
    const struct rw_four *segment = window->x + window->positions[position];
    for (size_t s = 0; s < window->n_segments; ++s, segment += window->segment_step) {
        const struct rw_four *x = segment;
        for (size_t left = *stream->counts++; left > 0; --left) {
            x += *stream->steps++;
            sum += (uint32_t)rw_group(*stream->weights++, x);
        }
    }
    return (int32_t)sum;
}

void rw_exact(const struct rw_band *band, const struct rw_window *window, int8_t *out)
{
    struct rw_exact_stream stream = {band->weights, band->counts, band->steps};
    const int32_t zero = (band->offset - 1) / 2;
    const int32_t *row = band->rows;
    for (size_t tile = 0; tile < band->tiles; ++tile, row += 3) {
        const struct rw_exact_stream begin = stream;
        int32_t largest = INT32_MIN;
        for (size_t p = 0; p < window->n_positions; ++p) {
            stream = begin;
            const int32_t sum = rw_exact_sum(window, p, row[0], &stream);
            largest = sum > largest ? sum : largest;
        }
        *out++ = rw_clamp(rw_plus(rw_requantise(largest, row[1], -row[2]), zero), band->lowest, band->highest);
    }
}
