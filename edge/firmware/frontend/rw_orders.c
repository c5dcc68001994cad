/* a = max over the bins k near an order of sqrt(2 (H[k - 1] + H[k] + H[k + 1])): a tone is three bins wide under the
 * window. Source: Signals.order_amplitudes of features/signals.py.
 */
#include "rw_orders.h"

#include "rw_feature_contract.h"
#include "rw_lines.h"
#include "rw_velocity.h"

/* Three bins about k, as far as there are so many, in the unit of rw_hann_power. */
static float rw_tone(const struct rw_complex *z, size_t n, size_t k)
{
    const float beside = k < n / 2 ? rw_hann_power(z, n, k + 1) : 0.0f;
    return rw_hann_power(z, n, k - 1) + rw_hann_power(z, n, k) + beside;
}

static float rw_order_amplitude(const struct rw_complex *z, size_t n, struct rw_pair place)
{
    static const struct rw_pair share = RW_SPEED_TOLERANCE;
    const struct rw_range range = rw_lines_near(place, share, n / 2 + 1);
    float largest = 0.0f;
    for (size_t k = range.first; range.inside && k <= range.last; ++k) {
        const float tone = rw_tone(z, n, k);
        largest = tone > largest ? tone : largest;
    }
    return 2.0f / (float)n * rw_root(largest);
}

void rw_orders_features(const struct rw_complex *z, size_t n, struct rw_pair shaft_bins, float scale, float *features)
{
    static const float orders[RW_N_ORDERS] = RW_ORDERS;
    for (size_t i = 0; i < RW_N_ORDERS; ++i) {
        const float wanted = orders[i] < 1.0f ? 2.0f * RW_LEAST_REVOLUTIONS : RW_LEAST_REVOLUTIONS;
        const struct rw_pair place = rw_pair_product(shaft_bins, (struct rw_pair){orders[i], 0.0f});
        const float missing = (wanted - shaft_bins.high) - shaft_bins.low;
        const float amplitude = missing <= 1e-9f * wanted ? rw_order_amplitude(z, n, place) : 0.0f;
        features[RW_FEATURE_ORDER_HALF + i] = scale * amplitude;
    }
}
