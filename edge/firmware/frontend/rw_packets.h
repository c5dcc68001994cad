/* Shares of energy of an undecimated wavelet packet tree. */
#ifndef RW_PACKETS_H
#define RW_PACKETS_H

#include <stddef.h>

#include "rw_complex.h"

/* Writes the features from RW_FEATURE_PACKET_SHARE_00 to _15: even shares for silence; z is of rw_fft_real. */
void rw_packets_features(const struct rw_complex *z, size_t n, float *features);

#endif
