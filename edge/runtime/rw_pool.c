/* out[y][x][c] = max or mean over the window's i, j of in[y s + i - p][x s + j - p][c]; what lies outside is left out.
 * The mean is rounded half away from zero.
 * Source: the definitions of MAX_POOL_2D and AVERAGE_POOL_2D in TensorFlow Lite's integer reference kernels. */
#include "rw_pool.h"

#include <stddef.h>
#include <string.h>

#include "rw_columns.h"
#include "rw_fixed.h"
#include "rw_simd.h"

/* The part of a window that lies inside. */
struct rw_window {
    const int8_t *first;
    size_t height;
    size_t width;
};

static int32_t rw_least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t rw_most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static struct rw_window rw_window_at(const struct rw_pool *op, const int8_t *in, int32_t y, int32_t x)
{
    const int32_t top = y * op->stride_height - op->pad_top, left = x * op->stride_width - op->pad_left;
    const int32_t i = rw_most(top, 0), j = rw_most(left, 0);
    const struct rw_window window = {
        in + ((ptrdiff_t)i * op->in_width + j) * op->channels,
        (size_t)(rw_least(top + op->window_height, op->in_height) - i),
        (size_t)(rw_least(left + op->window_width, op->in_width) - j),
    };
    return window;
}

/* out[c] = max(out[c], x[c]). */
static void rw_take_maximum(int8_t *out, const int8_t *x, size_t n)
{
    size_t c = 0;
#if RW_SIMD
    for (; c + 4 <= n; c += 4) {
        uint32_t a, b, flags;
        memcpy(&a, out + c, sizeof a);
        memcpy(&b, x + c, sizeof b);
        __asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2" : "+r"(a), "=&r"(flags) : "r"(b) : "cc");
        memcpy(out + c, &a, sizeof a);
    }
#endif
    for (; c < n; ++c) {
        out[c] = x[c] > out[c] ? x[c] : out[c];
    }
}

void rw_max_pool(const struct rw_pool *op, const int8_t *in, int8_t *out)
{
    for (int32_t y = 0; y < op->out_height; ++y) {
        for (int32_t x = 0; x < op->out_width; ++x, out += op->channels) {
            const struct rw_window window = rw_window_at(op, in, y, x);
            memset(out, op->lowest, op->channels);
            for (size_t i = 0; i < window.height; ++i) {
                for (size_t j = 0; j < window.width; ++j) {
                    rw_take_maximum(out, window.first + (i * op->in_width + j) * op->channels, op->channels);
                }
            }
            for (size_t c = 0; c < op->channels && op->highest < INT8_MAX; ++c) {
                out[c] = out[c] > op->highest ? op->highest : out[c];
            }
        }
    }
}

static int8_t rw_average_of(const struct rw_pool *op, int32_t sum, int32_t count)
{
    return rw_clamp((sum > 0 ? sum + count / 2 : sum - count / 2) / count, op->lowest, op->highest);
}

static void rw_average_window(const struct rw_pool *op, const struct rw_window *window, int8_t *out)
{
    const size_t row = (size_t)op->in_width * op->channels;
    const int32_t count = (int32_t)(window->height * window->width);
    size_t c = 0;
    for (; c + 4 <= op->channels; c += 4) {
        int32_t sums[4] = {0, 0, 0, 0};
        for (size_t i = 0; i < window->height; ++i) {
            rw_four_columns_sum(window->first + i * row + c, window->width, op->channels, sums);
        }
        for (size_t k = 0; k < 4; ++k) {
            out[c + k] = rw_average_of(op, sums[k], count);
        }
    }
    for (; c < op->channels; ++c) {
        int32_t sum = 0;
        for (size_t i = 0; i < window->height; ++i) {
            sum += rw_column_sum(window->first + i * row + c, window->width, op->channels);
        }
        out[c] = rw_average_of(op, sum, count);
    }
}

void rw_average_pool(const struct rw_pool *op, const int8_t *in, int8_t *out)
{
    for (int32_t y = 0; y < op->out_height; ++y) {
        for (int32_t x = 0; x < op->out_width; ++x, out += op->channels) {
            const struct rw_window window = rw_window_at(op, in, y, x);
            rw_average_window(op, &window, out);
        }
    }
}
