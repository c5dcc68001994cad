/* Amplitudes at multiples of the shaft speed. */
#ifndef RW_ORDERS_H
#define RW_ORDERS_H

#include <stddef.h>

#include "rw_complex.h"
#include "rw_pair.h"

/* Writes the features from RW_FEATURE_ORDER_HALF to RW_FEATURE_ORDER_4. shaft_bins is the shaft speed in bins, which is
 * also the number of revolutions of the window; z is of rw_fft_real, scale the unit of a step. */
void rw_orders_features(const struct rw_complex *z, size_t n, struct rw_pair shaft_bins, float scale, float *features);

#endif
