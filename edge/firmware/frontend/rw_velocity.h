/* Velocity from acceleration, under a Hann window that is applied on the bins. */
#ifndef RW_VELOCITY_H
#define RW_VELOCITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rw_complex.h"

/* Integration over a band of bins; to make it is the work of init. */
struct rw_velocity {
    uint32_t first, last; /* bins, last included; first > last where the band is empty */
    float factor;         /* to mm/s, and to mm/s^2 where integrated */
    float omega;          /* angular frequency of bin 1, 1/s; 0: samples are velocities already */
};

/* factor takes samples to mm/s or mm/s^2. */
void rw_velocity_init(struct rw_velocity *v, size_t n, float rate_hz, float factor, bool integrate);

/* RMS velocity in mm/s; z is of rw_fft_real over samples in steps, scale the unit of a step. */
float rw_velocity_rms(const struct rw_velocity *v, const struct rw_complex *z, size_t n, float scale);

/* Power of bin k under the window, 0 <= k <= n/2, in n^2 / 2 of the mean square of the samples. */
float rw_hann_power(const struct rw_complex *z, size_t n, size_t k);

#endif
