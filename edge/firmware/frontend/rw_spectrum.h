/* Shape of a power spectrum without window. */
#ifndef RW_SPECTRUM_H
#define RW_SPECTRUM_H

#include <stddef.h>

#include "rw_complex.h"
#include "rw_fft.h"

/* Mean square that bin k stands for, 1 <= k <= n/2, in n^2 / 2 of that of the samples; z is of rw_fft_real. */
static inline float rw_bin_power(const struct rw_complex *z, size_t n, size_t k)
{
    const float squared = rw_squared_modulus(rw_bin(z, n, k));
    return k < n / 2 ? squared : 0.5f * squared;
}

/* Writes the features from RW_FEATURE_SPECTRAL_CENTROID to RW_FEATURE_OCTAVE_RMS_7. variance is that of the samples in
 * steps, scale the unit of a step. */
void rw_spectrum_features(const struct rw_complex *z, size_t n, float rate_hz, float variance, float scale,
                          float *features);

#endif
