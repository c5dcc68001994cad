/* Squared envelope of the band above a tenth of Nyquist, and its lines.
 *
 * The band is shifted to zero and transformed back over 15/16 n places, as in features/envelope.py: the largest value
 * depends on where the envelope is sampled. 15 blocks of n/16 places part it into powers of two.
 */
#ifndef RW_ENVELOPE_H
#define RW_ENVELOPE_H

#include <stddef.h>

#include "rw_complex.h"

#define RW_ENVELOPE_PARTS 15

/* Complex places of working memory for a window of n samples, and lines with that of DC, which is 0. */
#define RW_ENVELOPE_PLACES(n) ((n) / 16 * RW_ENVELOPE_PARTS)
#define RW_ENVELOPE_LINES(n) ((n) / 8 + 1)

struct rw_envelope {
    float mean;    /* of the squared envelope, in squared steps; 0 for silence */
    float largest; /* over the mean */
    float square;  /* mean square over squared mean */
};

/* z is of rw_fft_real over n samples and has RW_ENVELOPE_PLACES(n) places; it is overwritten. lines takes amplitudes
 * over the mean, and may lie in the second half of z. */
void rw_envelope(struct rw_complex *z, size_t n, struct rw_envelope *out, float *lines);

/* Writes the features from RW_FEATURE_ENVELOPE_RMS to RW_FEATURE_ENVELOPE_LINE_FREQUENCY. */
void rw_envelope_features(const struct rw_envelope *e, const float *lines, size_t n, float rate_hz, float scale,
                          float *features);

#endif
