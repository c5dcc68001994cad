/* Rows of a product whose sums, shifts or weights the packed form of rw_product.h does not hold: computed in 32 bits
 * from the same expanded inputs, so that a few such rows do not take the whole layer to a slow kernel.
 *
 * Weights are plain bytes, four to a word, in the sparse form with R = 1. Of each row, `rows` has its bias with the
 * zero point folded in, its multiplier and its shift to the right. */
#ifndef RW_EXACT_H
#define RW_EXACT_H

#include "rw_product.h"

void rw_exact(const struct rw_band *band, const struct rw_window *window, int8_t *out);

#endif
