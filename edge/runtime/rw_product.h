/* Products of an int8 weight matrix with expanded inputs, requantised to int8: the inner part of convolutions and dense
 * layers.
 *
 * Four weights of a row, w0..w3, lie in a word as two lanes of int16, (256 w1 + w0, 256 w3 + w2); the upper bytes are
 * lowered by one where the lower ones are negative, so that the lanes hold just that. With four inputs in the form of
 * rw_expand.h and s = SXTB16(word) = (w0, w2):
 *     SMLAD(word, odd) + SMLAD(s, even) = 256 (w0 x0' + w1 x1' + w2 x2' + w3 x3'),   x' = x + 1 (even), x + 129 (odd)
 * which is one extraction less than with plain lanes. Sums are modulo 2^32; the compiler sees to it that 256 times the
 * true sum fits, and takes rw_exact.h where it does not.
 *
 * Rows come in tiles of R = 4, 2 or 1. Dense: for each segment and group, a word of each row. Sparse: for each segment
 * a count of groups, for each group a byte that says how many groups further it lies, and a word of each row; a segment
 * has a count of its own. Segments are the rows of a kernel. Each inner loop stands in plain C first and then for the
 * Cortex-M4, where its registers are chosen by hand: a compiler spills them. */
#ifndef RW_PRODUCT_H
#define RW_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rw_expand.h"
#include "rw_fixed.h"
#include "rw_simd.h"

/* Where the inputs of one output lie; with several positions the largest sum is taken (a fused maximum pooling). */
struct rw_window {
    const struct rw_four *x;
    const uint16_t *positions;   /* in groups from x */
    uint16_t n_positions;
    uint16_t n_segments;
    uint16_t segment_step;       /* groups from one segment to the next */
};

struct rw_band;
typedef void (*rw_band_run)(const struct rw_band *band, const struct rw_window *window, int8_t *out);

/* Rows of a layer that are encoded alike. */
struct rw_band {
    rw_band_run run;
    const uint32_t *weights;
    const uint8_t *counts;       /* sparse: of each tile and segment */
    const uint8_t *steps;        /* sparse: of each group */
    const int32_t *rows;         /* a Q31 multiplier, where there is one for all; of each tile biases, and multipliers
                                  * where each row has its own: then the last byte of a bias is the row's shift */
    uint16_t tiles;
    uint16_t groups;             /* of a segment */
    uint8_t tile_rows;           /* R */
    int16_t offset;              /* 2 * zero point + 1 */
    uint8_t shift;               /* where there is one for all rows */
    int8_t lowest;
    int8_t highest;
};

/* The form of a band, known when it is compiled: a compiled model makes a function of each form that it uses. */
struct rw_form {
    unsigned rows;       /* R */
    bool sparse;
    bool pooled;         /* a window has several positions */
    bool one_segment;
    bool per_row;        /* multipliers and shifts are of each row */
    bool clamped;        /* lowest and highest are within int8 */
};

/* Where registers are chosen by hand, each form is compiled for itself, and optimised even where the rest is not:
 * lesser optimisation leaves the inner loops too few registers. The plain twin has one code for all forms. */
#if RW_SIMD && defined(__OPTIMIZE__)
#define RW_BY_HAND 1
#define RW_INLINE static inline __attribute__((always_inline))
#define RW_KERNEL __attribute__((optimize("O2", "omit-frame-pointer")))
#else
#define RW_BY_HAND 0
#define RW_INLINE static inline
#define RW_KERNEL
#endif

struct rw_scale {
    int32_t multiplier;
    uint32_t shift;
};

struct rw_sums {
    int32_t a0;
    int32_t a1;
    int32_t a2;
    int32_t a3;
};

/* What is read from front to back while tiles go by. */
struct rw_stream {
    const uint32_t *weights;
    const uint8_t *counts;
    const uint8_t *steps;
};

#if !RW_BY_HAND

RW_INLINE int32_t rw_four_products(uint32_t word, const struct rw_four *x, int32_t sum)
{
    return rw_smlad(rw_sxtb16(word), x->even, rw_smlad(word, x->odd, sum));
}

RW_INLINE const uint32_t *rw_tile_group(const uint32_t *w, const struct rw_four *x, struct rw_sums *sums, unsigned rows)
{
    sums->a0 = rw_four_products(*w++, x, sums->a0);
    if (rows > 1) {
        sums->a1 = rw_four_products(*w++, x, sums->a1);
    }
    if (rows > 2) {
        sums->a2 = rw_four_products(*w++, x, sums->a2);
        sums->a3 = rw_four_products(*w++, x, sums->a3);
    }
    return w;
}

RW_INLINE void rw_dense_segment(struct rw_stream *stream, const struct rw_four *x, size_t groups, struct rw_sums *sums,
                                unsigned rows)
{
    for (size_t g = 0; g < groups; ++g) {
        stream->weights = rw_tile_group(stream->weights, x + g, sums, rows);
    }
}

RW_INLINE void rw_sparse_segment(struct rw_stream *stream, const struct rw_four *x, struct rw_sums *sums, unsigned rows)
{
    for (size_t left = *stream->counts++; left > 0; --left) {
        x += *stream->steps++;
        stream->weights = rw_tile_group(stream->weights, x, sums, rows);
    }
}

#else

/* Both products of one row: w is the word of weights, r4 and r5 the inputs. */
#define RW_ROW(sum, w)                     \
    "smlad " sum ", " w ", r4, " sum "\n\t" \
    "sxtb16 " w ", " w "\n\t"              \
    "smlad " sum ", " w ", r5, " sum "\n\t"

#define RW_DENSE_4                         \
    "ldrd r4, r5, [%[x]], #8\n\t"          \
    "ldmia %[w]!, {r8, r9, r10}\n\t"       \
    RW_ROW("%[a0]", "r8")                  \
    RW_ROW("%[a1]", "r9")                  \
    RW_ROW("%[a2]", "r10")                 \
    "ldr r8, [%[w]], #4\n\t"               \
    RW_ROW("%[a3]", "r8")

#define RW_DENSE_1                         \
    "ldrd r4, r5, [%[x]], #8\n\t"          \
    "ldr r8, [%[w]], #4\n\t"               \
    RW_ROW("%[a0]", "r8")

#define RW_SPARSE_INPUTS                   \
    "ldrb r8, [%[steps]], #1\n\t"          \
    "add %[x], %[x], r8, lsl #3\n\t"       \
    "ldrd r4, r5, [%[x]]\n\t"

#define RW_SPARSE_1                        \
    RW_SPARSE_INPUTS                       \
    "ldr r8, [%[w]], #4\n\t"               \
    RW_ROW("%[a0]", "r8")

#define RW_SPARSE_2                        \
    RW_SPARSE_INPUTS                       \
    "ldrd r8, r9, [%[w]], #8\n\t"          \
    RW_ROW("%[a0]", "r8")                  \
    RW_ROW("%[a1]", "r9")

#define RW_SPARSE_4                        \
    RW_SPARSE_2                            \
    "ldrd r8, r9, [%[w]], #8\n\t"          \
    RW_ROW("%[a2]", "r8")                  \
    RW_ROW("%[a3]", "r9")

/* `once` until the weights are at their end, two to a round. The end stays in memory: registers are scarce. */
#define RW_REPEAT(once)                    \
    "ldr r8, %[end]\n\t"                   \
    "subs r8, r8, %[w]\n\t"                \
    "beq 3f\n\t"                           \
    "tst r8, %[size]\n\t"                  \
    "beq 2f\n\t"                           \
    once                                   \
    "b 1f\n\t"                             \
    "2:\n\t"                               \
    once once                              \
    "1:\n\t"                               \
    "ldr r8, %[end]\n\t"                   \
    "cmp r8, %[w]\n\t"                     \
    "bne 2b\n\t"                           \
    "3:\n\t"

RW_INLINE void rw_dense_segment(struct rw_stream *stream, const struct rw_four *x, size_t groups, struct rw_sums *sums,
                                unsigned rows)
{
    const uint32_t *const end = stream->weights + rows * groups;
    if (rows == 4) {
        __asm__ volatile(RW_REPEAT(RW_DENSE_4)
                         : [a0] "+r"(sums->a0), [a1] "+r"(sums->a1), [a2] "+r"(sums->a2), [a3] "+r"(sums->a3),
                           [w] "+r"(stream->weights), [x] "+r"(x)
                         : [end] "m"(end), [size] "i"(16)
                         : "r4", "r5", "r8", "r9", "r10", "cc", "memory");
    } else {
        __asm__ volatile(RW_REPEAT(RW_DENSE_1)
                         : [a0] "+r"(sums->a0), [w] "+r"(stream->weights), [x] "+r"(x)
                         : [end] "m"(end), [size] "i"(4)
                         : "r4", "r5", "r8", "cc", "memory");
    }
}

RW_INLINE void rw_sparse_segment(struct rw_stream *stream, const struct rw_four *x, struct rw_sums *sums, unsigned rows)
{
    const uint32_t *const end = stream->weights + rows * *stream->counts++;
    if (rows == 4) {
        __asm__ volatile(RW_REPEAT(RW_SPARSE_4)
                         : [a0] "+r"(sums->a0), [a1] "+r"(sums->a1), [a2] "+r"(sums->a2), [a3] "+r"(sums->a3),
                           [w] "+r"(stream->weights), [steps] "+r"(stream->steps), [x] "+r"(x)
                         : [end] "m"(end), [size] "i"(16)
                         : "r4", "r5", "r8", "r9", "cc", "memory");
    } else if (rows == 2) {
        __asm__ volatile(RW_REPEAT(RW_SPARSE_2)
                         : [a0] "+r"(sums->a0), [a1] "+r"(sums->a1), [w] "+r"(stream->weights),
                           [steps] "+r"(stream->steps), [x] "+r"(x)
                         : [end] "m"(end), [size] "i"(8)
                         : "r4", "r5", "r8", "r9", "cc", "memory");
    } else {
        __asm__ volatile(RW_REPEAT(RW_SPARSE_1)
                         : [a0] "+r"(sums->a0), [w] "+r"(stream->weights), [steps] "+r"(stream->steps), [x] "+r"(x)
                         : [end] "m"(end), [size] "i"(4)
                         : "r4", "r5", "r8", "cc", "memory");
    }
}

#endif

RW_INLINE int32_t rw_largest(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The sums at one position: begins at the stream's place and leaves it at the next tile. */
RW_INLINE struct rw_sums rw_position(const struct rw_window *window, size_t groups, const struct rw_four *x,
                                     const int32_t *bias, struct rw_stream *stream, struct rw_form form)
{
    struct rw_sums sums = {bias[0], form.rows > 1 ? bias[1] : 0, form.rows > 2 ? bias[2] : 0,
                           form.rows > 2 ? bias[3] : 0};
    size_t segments = form.one_segment ? 1 : window->n_segments;
    for (;;) {
        if (form.sparse) {
            rw_sparse_segment(stream, x, &sums, form.rows);
        } else {
            rw_dense_segment(stream, x, groups, &sums, form.rows);
        }
        if (--segments == 0) {
            return sums;
        }
        x += window->segment_step;
    }
}

/* A sum is 256 times the true one, and a multiple of 256 but for a byte below 128: a shift by 7 leaves twice the true one, and a Q31 product of
 * that, rounded half up, is SMMULR's. Halves go away from zero: one less below zero, then half a step more, with the
 * zero point in the same addition. */
RW_INLINE int32_t rw_finish(int32_t sum, int32_t multiplier, unsigned shift, int32_t offset)
{
    int32_t v = rw_smmulr(sum >> 7, multiplier);
    v += v >> 31;
    return rw_halve_to_int8((v + (int32_t)((uint32_t)offset << shift)) >> shift);
}

/* Products are multiples of 256, so a sum's last byte is still that of its bias: its shift, which the shift by 7 drops. */
RW_INLINE int32_t rw_finish_row(int32_t sum, int32_t multiplier, int32_t offset)
{
    return rw_finish(sum, multiplier, (uint32_t)sum & 0xFFu, offset);
}

/* What a tile's sums are scaled by; one for all rows stands in `all`. */
RW_INLINE struct rw_sums rw_finish_tile(struct rw_sums sums, const int32_t *multipliers, struct rw_scale all,
                                        int32_t offset, struct rw_form form)
{
    if (!form.per_row) {
        sums.a0 = rw_finish(sums.a0, all.multiplier, all.shift, offset);
        sums.a1 = form.rows > 1 ? rw_finish(sums.a1, all.multiplier, all.shift, offset) : 0;
        sums.a2 = form.rows > 2 ? rw_finish(sums.a2, all.multiplier, all.shift, offset) : 0;
        sums.a3 = form.rows > 2 ? rw_finish(sums.a3, all.multiplier, all.shift, offset) : 0;
        return sums;
    }
    sums.a0 = rw_finish_row(sums.a0, multipliers[0], offset);
    sums.a1 = form.rows > 1 ? rw_finish_row(sums.a1, multipliers[1], offset) : 0;
    sums.a2 = form.rows > 2 ? rw_finish_row(sums.a2, multipliers[2], offset) : 0;
    sums.a3 = form.rows > 2 ? rw_finish_row(sums.a3, multipliers[3], offset) : 0;
    return sums;
}

RW_INLINE void rw_store_tile(struct rw_sums sums, const struct rw_band *band, int8_t *out, struct rw_form form)
{
    const int32_t lowest = form.clamped ? band->lowest : INT8_MIN;
    const int32_t highest = form.clamped ? band->highest : INT8_MAX;
    out[0] = form.clamped ? rw_clamp(sums.a0, lowest, highest) : (int8_t)sums.a0;
    if (form.rows > 1) {
        out[1] = form.clamped ? rw_clamp(sums.a1, lowest, highest) : (int8_t)sums.a1;
    }
    if (form.rows > 2) {
        out[2] = form.clamped ? rw_clamp(sums.a2, lowest, highest) : (int8_t)sums.a2;
        out[3] = form.clamped ? rw_clamp(sums.a3, lowest, highest) : (int8_t)sums.a3;
    }
}

/* All tiles of a band at one window. `form` is constant where this is called, so that one form's code is left. */
RW_INLINE void rw_tiles(const struct rw_band *band, const struct rw_window *window, int8_t *out, struct rw_form form)
{
    struct rw_stream stream = {band->weights, band->counts, band->steps};
    const int32_t *rows = form.per_row ? band->rows : band->rows + 1;
    const size_t groups = band->groups;
    const int32_t offset = band->offset;
    const struct rw_scale all = {band->rows[0], band->shift};
    for (size_t tile = band->tiles; tile > 0; --tile) {
        const struct rw_stream begin = stream;
        struct rw_sums sums = rw_position(window, groups, window->x, rows, &stream, form);
        for (size_t p = 1; form.pooled && p < window->n_positions; ++p) {
            const struct rw_sums other = sums;
            stream = begin;
            sums = rw_position(window, groups, window->x + window->positions[p], rows, &stream, form);
            sums.a0 = rw_largest(sums.a0, other.a0);
            sums.a1 = rw_largest(sums.a1, other.a1);
            sums.a2 = rw_largest(sums.a2, other.a2);
            sums.a3 = rw_largest(sums.a3, other.a3);
        }
        sums = rw_finish_tile(sums, rows + form.rows, all, offset, form);
        rw_store_tile(sums, band, out, form);
        out += form.rows;
        rows += form.per_row ? 2 * form.rows : form.rows;
    }
}

#endif
