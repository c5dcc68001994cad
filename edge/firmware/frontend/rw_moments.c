/* mean = sum(x) / n; m_p = sum((x - mean)^p) / n; shapes m_p / m_2^(p/2), p = 3 to 6; levels. Sums of samples and of
 * their absolute values are integers, hence exact; so is what a sample deviates from the mean, up to one rounding,
 * whatever the mean is. Powers are summed in blocks, and blocks in pairs of floats. Growth: |sum| <= 2^27 for n <=
 * 2^12; |x - mean| < 2^16, so that sums of its sixth power stay below 2^108. Source: definitions in
 * features/contract.py; two passes as in features/statistics.py.
 */
#include "rw_moments.h"

#include "rw_complex.h"
#include "rw_feature_contract.h"
#include "rw_pair.h"

#define RW_BLOCK 32
#define RW_N_POWERS 5 /* second to sixth */

struct rw_counts {
    int32_t sum, absolute;
    float roots;
};

/* Of the samples from first on, before stop; what is counted beside goes to out. */
static struct rw_counts rw_count(const int16_t *window, size_t first, size_t stop, struct rw_moments *out)
{
    struct rw_counts counts = {0, 0, 0.0f};
    int32_t before = window[first > 0 ? first - 1 : 0], minimum = out->minimum, maximum = out->maximum;
    for (size_t i = first; i < stop; ++i) {
        const int32_t x = window[i], size = x < 0 ? -x : x;
        counts.sum += x;
        counts.absolute += size;
        counts.roots += rw_root((float)size);
        minimum = x < minimum ? x : minimum;
        maximum = x > maximum ? x : maximum;
        out->crossings += (uint32_t)(x ^ before) >> 31;
        before = x;
    }
    out->minimum = minimum;
    out->maximum = maximum;
    return counts;
}

/* Returns the sum of the samples. */
static int32_t rw_count_all(const int16_t *window, size_t n, struct rw_moments *out)
{
    int32_t sum = 0, absolute = 0;
    struct rw_pair roots = {0.0f, 0.0f};
    *out = (struct rw_moments){.minimum = window[0], .maximum = window[0]};
    for (size_t first = 0; first < n; first += RW_BLOCK) {
        const struct rw_counts counts = rw_count(window, first, first + RW_BLOCK, out);
        sum += counts.sum;
        absolute += counts.absolute;
        rw_add(&roots, counts.roots);
    }
    const float root = rw_value(roots) / (float)n;
    out->mean = (float)sum / (float)n;
    out->mean_abs = (float)absolute / (float)n;
    out->root_amplitude = root * root;
    return sum;
}

/* Whole steps of the mean are taken off as integers; what is left of it lies within one step. */
static void rw_deviate(const int16_t *window, size_t n, int32_t whole, float rest, float *deviation)
{
    for (size_t i = 0; i < n; ++i) {
        deviation[i] = (float)(window[i] - whole) - rest;
    }
}

static void rw_sum_powers(const float *deviation, size_t n, struct rw_pair *sums)
{
    for (size_t first = 0; first < n; first += RW_BLOCK) {
        float second = 0.0f, third = 0.0f, fourth = 0.0f, fifth = 0.0f, sixth = 0.0f;
        for (size_t i = first; i < first + RW_BLOCK; ++i) {
            const float d = deviation[i], d2 = d * d, d3 = d2 * d;
            second += d2;
            third += d3;
            fourth += d2 * d2;
            fifth += d2 * d3;
            sixth += d3 * d3;
        }
        rw_add(&sums[0], second);
        rw_add(&sums[1], third);
        rw_add(&sums[2], fourth);
        rw_add(&sums[3], fifth);
        rw_add(&sums[4], sixth);
    }
}

void rw_moments(const int16_t *window, size_t n, float *deviation, struct rw_moments *out)
{
    static const float gaussian[] = {0.0f, 3.0f, 0.0f, 15.0f};
    const int32_t sum = rw_count_all(window, n, out), whole = sum / (int32_t)n;
    struct rw_pair sums[RW_N_POWERS] = {{0.0f, 0.0f}};

    rw_deviate(window, n, (int32_t)whole, (float)(sum - whole * (int32_t)n) / (float)n, deviation);
    rw_sum_powers(deviation, n, sums);
    out->variance = rw_value(sums[0]) / (float)n;
    const float deviates = rw_root(out->variance);
    float power = out->variance;
    for (size_t p = 0; p < RW_N_POWERS - 1; ++p) {
        power *= deviates;
        out->shapes[p] = out->variance > 0.0f ? rw_value(sums[p + 1]) / (float)n / power : gaussian[p];
    }
}

static float rw_ratio(float a, float b)
{
    return b > 0.0f ? a / b : 0.0f;
}

void rw_moments_features(const struct rw_moments *m, size_t n, float scale, float *features)
{
    const float rms = rw_root(m->variance + m->mean * m->mean);
    const float low = (float)m->minimum, high = (float)m->maximum, peak = -low > high ? -low : high;

    features[RW_FEATURE_MEAN] = scale * m->mean;
    features[RW_FEATURE_STD] = scale * rw_root(m->variance);
    features[RW_FEATURE_RMS] = scale * rms;
    features[RW_FEATURE_PEAK] = scale * peak;
    features[RW_FEATURE_MINIMUM] = scale * low;
    features[RW_FEATURE_MAXIMUM] = scale * high;
    features[RW_FEATURE_PEAK_TO_PEAK] = scale * (high - low);
    features[RW_FEATURE_MEAN_ABS] = scale * m->mean_abs;
    features[RW_FEATURE_ROOT_AMPLITUDE] = scale * m->root_amplitude;
    features[RW_FEATURE_SKEWNESS] = m->shapes[0];
    features[RW_FEATURE_KURTOSIS] = m->shapes[1];
    features[RW_FEATURE_HYPERSKEWNESS] = m->shapes[2];
    features[RW_FEATURE_HYPERFLATNESS] = m->shapes[3];
    features[RW_FEATURE_CREST_FACTOR] = rw_ratio(peak, rms);
    features[RW_FEATURE_SHAPE_FACTOR] = rw_ratio(rms, m->mean_abs);
    features[RW_FEATURE_IMPULSE_FACTOR] = rw_ratio(peak, m->mean_abs);
    features[RW_FEATURE_CLEARANCE_FACTOR] = rw_ratio(peak, m->root_amplitude);
    features[RW_FEATURE_ZERO_CROSSING_RATE] = (float)m->crossings / (float)(n - 1);
}
