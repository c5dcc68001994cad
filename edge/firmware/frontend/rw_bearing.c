/* Mean over the harmonics 1 to 3 that the lines reach of the largest line near each, over the median line; 0 where the
 * window holds fewer than three periods. A ball's defect strikes both races: its line is twice the spin. Source:
 * Signals.fault_contrasts of features/signals.py.
 */
#include "rw_bearing.h"

#include "rw_envelope.h"
#include "rw_feature_contract.h"
#include "rw_lines.h"

#define RW_HARMONICS 3
#define RW_FAMILIES 4

/* place is that of the first harmonic, in bins; so many periods does the window hold. */
static float rw_mean_harmonic(const float *lines, size_t n, struct rw_pair place)
{
    static const struct rw_pair share = RW_SLIP;
    float sum = 0.0f, inside = 0.0f;
    for (size_t i = 1; i <= RW_HARMONICS; ++i) {
        const struct rw_pair harmonic = rw_pair_product(place, (struct rw_pair){(float)i, 0.0f});
        const float height = rw_lines_largest(lines, rw_lines_near(harmonic, share, RW_ENVELOPE_LINES(n)));
        sum += height;
        inside += height > 0.0f ? 1.0f : 0.0f;
    }
    return inside > 0.0f ? sum / inside : 0.0f;
}

void rw_bearing_features(float *lines, size_t n, struct rw_pair shaft_bins, const struct rw_fault_orders *orders,
                         float *features)
{
    const float families[RW_FAMILIES] = {orders->bpfo, orders->bpfi, 2.0f * orders->bsf, orders->ftf};
    float means[RW_FAMILIES];
    for (size_t i = 0; i < RW_FAMILIES; ++i) {
        const struct rw_pair place = rw_pair_product(shaft_bins, (struct rw_pair){families[i], 0.0f});
        const int enough = (place.high - RW_LEAST_PERIODS) + place.low >= 0.0f;
        means[i] = enough ? rw_mean_harmonic(lines, n, place) : 0.0f;
    }
    const float median = rw_lines_median(lines + 1, RW_ENVELOPE_LINES(n) - 1);
    for (size_t i = 0; i < RW_FAMILIES; ++i) {
        features[RW_FEATURE_BPFO_CONTRAST + i] = median > 0.0f ? means[i] / median : 0.0f;
    }
}
