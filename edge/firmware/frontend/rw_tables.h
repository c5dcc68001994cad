/* Sines and cosines in flash: a quarter of a turn in steps of 1/4096, and the fifteenths that the envelope takes. */
#ifndef RW_TABLES_H
#define RW_TABLES_H

#include <stddef.h>

#include "rw_complex.h"

#define RW_TURN 4096

extern const float rw_quarter_sine[RW_TURN / 4 + 1];

/* [q - 1][b - 1]: cosine and sine of q b / 15 of a turn. */
extern const float rw_cosine_of_fifteenths[7][7];
extern const float rw_sine_of_fifteenths[7][7];

/* exp(-2 pi i k / RW_TURN), 0 <= k < RW_TURN. */
static inline struct rw_complex rw_root_of_unity(size_t k)
{
    const size_t quarter = RW_TURN / 4, rest = k % quarter;
    const float c = rw_quarter_sine[quarter - rest], s = rw_quarter_sine[rest];
    switch (k / quarter) {
    case 0:
        return (struct rw_complex){c, -s};
    case 1:
        return (struct rw_complex){-s, -c};
    case 2:
        return (struct rw_complex){-c, s};
    default:
        return (struct rw_complex){s, c};
    }
}

#endif
