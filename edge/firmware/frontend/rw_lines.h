/* Lines of a spectrum near given places, and the median line. */
#ifndef RW_LINES_H
#define RW_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "rw_pair.h"

struct rw_range {
    size_t first, last; /* bins, last included */
    bool inside;        /* false: the place lies beyond the spectrum, or no bin near it */
};

/* First bin not below a place and last bin not above it, 0 <= place < 2^23; 1e-9 of a bin is allowed. */
size_t rw_first_bin(struct rw_pair place);
size_t rw_last_bin(struct rw_pair place);

/* Bins within one bin or within a share of a positive place (in bins), whichever is more, of `bins` from 0 on; not
 * bin 0. */
struct rw_range rw_lines_near(struct rw_pair place, struct rw_pair share, size_t bins);

/* Largest line of a range; 0 outside. */
float rw_lines_largest(const float *lines, struct rw_range range);

/* Median of n lines, n at least 1: mean of the two in the middle of an even number. Reorders the lines. */
float rw_lines_median(float *lines, size_t n);

#endif
