/* Sums down columns of int8: four adjacent ones at a time, in lanes of 16 bits, which hold 255 elements. */
#ifndef RW_COLUMNS_H
#define RW_COLUMNS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rw_simd.h"

static inline int32_t rw_column_sum(const int8_t *x, size_t n, size_t step)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; ++i) {
        sum += x[i * step];
    }
    return sum;
}

/* sums[c] += sum over n of x[n * step + c]; c: 4 columns. */
#if !RW_SIMD
static inline void rw_four_columns_sum(const int8_t *x, size_t n, size_t step, int32_t *sums)
{
    for (size_t c = 0; c < 4; ++c) {
        sums[c] += rw_column_sum(x + c, n, step);
    }
}
#else
static inline void rw_four_columns_sum(const int8_t *x, size_t n, size_t step, int32_t *sums)
{
    while (n > 0) {
        const size_t some = n < 255 ? n : 255;
        uint32_t even = 0, odd = 0;
        for (size_t i = 0; i < some; ++i, x += step) {
            uint32_t bytes;
            memcpy(&bytes, x, sizeof bytes);
            __asm__("sxtab16 %0, %0, %2\n\tsxtab16 %1, %1, %2, ror #8" : "+r"(even), "+r"(odd) : "r"(bytes));
        }
        sums[0] += rw_low(even);
        sums[1] += rw_low(odd);
        sums[2] += rw_high(even);
        sums[3] += rw_high(odd);
        n -= some;
    }
}
#endif

#endif
