/* Statistics of a window of samples, in steps of int16. */
#ifndef RW_MOMENTS_H
#define RW_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

struct rw_moments {
    int32_t minimum, maximum;
    uint32_t crossings;   /* neighbouring pairs of opposite sign, zero being positive */
    float mean, mean_abs;
    float variance;       /* of the population */
    float root_amplitude; /* squared mean of the square roots of the absolute values */
    float shapes[4];      /* third to sixth standardised moment; those of a Gaussian for a constant window */
};

/* deviation takes the samples less their mean, each rounded once; n is a multiple of 32 and at most 4096. */
void rw_moments(const int16_t *window, size_t n, float *deviation, struct rw_moments *out);

/* Writes the features from RW_FEATURE_MEAN to RW_FEATURE_ZERO_CROSSING_RATE; scale is the unit of a step. */
void rw_moments_features(const struct rw_moments *m, size_t n, float scale, float *features);

#endif
