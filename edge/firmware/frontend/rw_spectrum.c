/* P[k] = 2 |X[k]|^2 / n^2, half of that at Nyquist: sums of P in octaves, its mean frequency, the spread about that,
 * its largest bin. The spread is summed about the mean frequency in a second pass: a narrow line would vanish in the
 * difference of two sums. Source: bin_power, centroid_spread_hz and octave_edges of features/spectral.py.
 */
#include "rw_spectrum.h"

#include "rw_feature_contract.h"
#include "rw_pair.h"

#define RW_BLOCK 32

struct rw_spectrum {
    float octaves[RW_N_OCTAVES]; /* in rw_bin_power's unit, as the other powers */
    float total;
    float first;                 /* mean bin */
    float largest;
    size_t place;                /* of the largest; 0 for silence */
};

/* First bin of octave i; of the one after the last, the one behind Nyquist. */
static size_t rw_octave_edge(size_t n, size_t i)
{
    if (i == 0) {
        return 1;
    }
    return i < RW_N_OCTAVES ? (n / 2) >> (RW_N_OCTAVES - i) : n / 2 + 1;
}

/* Adds the bins from first on, before stop: their power, and that times their number. */
static void rw_sum_bins(const struct rw_complex *z, size_t n, size_t first, size_t stop, struct rw_spectrum *out,
                        struct rw_pair *octave, struct rw_pair *moment)
{
    float sum = 0.0f, weighted = 0.0f, largest = out->largest;
    for (size_t k = first; k < stop; ++k) {
        const float power = rw_bin_power(z, n, k);
        sum += power;
        weighted += (float)k * power;
        if (power > largest) {
            largest = power;
            out->place = k;
        }
    }
    out->largest = largest;
    rw_add(octave, sum);
    rw_add(moment, weighted);
}

static void rw_sum_octaves(const struct rw_complex *z, size_t n, struct rw_spectrum *out)
{
    struct rw_pair total = {0.0f, 0.0f}, moment = {0.0f, 0.0f};
    *out = (struct rw_spectrum){.place = 0};
    for (size_t i = 0; i < RW_N_OCTAVES; ++i) {
        struct rw_pair octave = {0.0f, 0.0f};
        const size_t end = rw_octave_edge(n, i + 1);
        for (size_t first = rw_octave_edge(n, i); first < end; first += RW_BLOCK) {
            rw_sum_bins(z, n, first, end - first < RW_BLOCK ? end : first + RW_BLOCK, out, &octave, &moment);
        }
        out->octaves[i] = rw_value(octave);
        rw_add(&total, out->octaves[i]);
    }
    out->total = rw_value(total);
    out->first = out->total > 0.0f ? rw_value(moment) / out->total : 0.0f;
}

/* Variance of the bin number under the power. */
static float rw_spread(const struct rw_complex *z, size_t n, const struct rw_spectrum *s)
{
    struct rw_pair sum = {0.0f, 0.0f};
    for (size_t first = 1; first <= n / 2; first += RW_BLOCK) {
        float block = 0.0f;
        for (size_t k = first; k < first + RW_BLOCK; ++k) { /* n/2 is a multiple of the block */
            const float from_first = (float)k - s->first;
            block += from_first * from_first * rw_bin_power(z, n, k);
        }
        rw_add(&sum, block);
    }
    return s->total > 0.0f ? rw_value(sum) / s->total : 0.0f;
}

void rw_spectrum_features(const struct rw_complex *z, size_t n, float rate_hz, float variance, float scale,
                          float *features)
{
    struct rw_spectrum s;
    const float bin_hz = rate_hz / (float)n, unit = 2.0f / ((float)n * (float)n);

    rw_sum_octaves(z, n, &s);
    const float spread = rw_spread(z, n, &s);
    features[RW_FEATURE_SPECTRAL_CENTROID] = bin_hz * s.first;
    features[RW_FEATURE_SPECTRAL_SPREAD] = bin_hz * rw_root(spread);
    features[RW_FEATURE_RMS_FREQUENCY] = bin_hz * rw_root(s.first * s.first + spread);
    features[RW_FEATURE_DOMINANT_FREQUENCY] = bin_hz * (float)s.place;
    features[RW_FEATURE_DOMINANT_SHARE] = variance > 0.0f ? unit * s.largest / variance : 0.0f;
    for (size_t i = 0; i < RW_N_OCTAVES; ++i) {
        features[RW_FEATURE_OCTAVE_RMS_1 + i] = scale * rw_root(unit * s.octaves[i]);
    }
}
