/* v^2 = sum over k of (f / w[k])^2 H[k], with w[k] the angular frequency and H[k] = 8/3 times the power of
 * X[k] / 2 - (X[k - 1] + X[k + 1]) / 4, bin 0 being none: the Hann window as a sum over neighbours.
 * Source: hann_power of features/spectral.py, integration_weights and band_bins of features/velocity.py.
 */
#include "rw_velocity.h"

#include "rw_feature_contract.h"
#include "rw_fft.h"
#include "rw_lines.h"
#include "rw_pair.h"

#define RW_MEAN_OF_SQUARED_HANN (3.0f / 8.0f)

/* Bin k with the mirror images on both sides, -1 <= k <= n/2 + 1 given as k + 1, the mean taken out. */
static struct rw_complex rw_neighbour(const struct rw_complex *z, size_t n, size_t k_plus_1)
{
    if (k_plus_1 == 0) {
        return rw_conjugate(z[1]);
    }
    if (k_plus_1 == 1) {
        return (struct rw_complex){0.0f, 0.0f};
    }
    return k_plus_1 - 1 <= n / 2 ? rw_bin(z, n, k_plus_1 - 1) : rw_conjugate(z[n / 2 - 1]);
}

float rw_hann_power(const struct rw_complex *z, size_t n, size_t k)
{
    const struct rw_complex before = rw_neighbour(z, n, k), at = rw_neighbour(z, n, k + 1);
    const struct rw_complex sum = rw_plus(before, rw_neighbour(z, n, k + 2));
    const struct rw_complex windowed = {0.5f * at.re - 0.25f * sum.re, 0.5f * at.im - 0.25f * sum.im};
    const float power = rw_squared_modulus(windowed) / RW_MEAN_OF_SQUARED_HANN;
    return k == 0 || k == n / 2 ? 0.5f * power : power;
}

static bool rw_below(struct rw_pair a, struct rw_pair b)
{
    return (a.high - b.high) + (a.low - b.low) < 0.0f;
}

void rw_velocity_init(struct rw_velocity *v, size_t n, float rate_hz, float factor, bool integrate)
{
    const struct rw_pair bins_per_hz = rw_exact_ratio((float)n, rate_hz);
    const struct rw_pair first = {(float)RW_FIRST_BIN_OF_INTEGRALS, 0.0f}, nyquist = {(float)(n / 2), 0.0f};
    struct rw_pair low = rw_pair_product(bins_per_hz, (struct rw_pair){RW_VELOCITY_LOW_HZ, 0.0f});
    struct rw_pair high = rw_pair_product(bins_per_hz, (struct rw_pair){RW_VELOCITY_HIGH_HZ, 0.0f});
    low = rw_below(low, first) ? first : low;
    high = rw_below(nyquist, high) ? nyquist : high;
    v->first = 1;
    v->last = 0;
    if (rw_below(low, high)) {
        v->first = (uint32_t)rw_first_bin(low);
        v->last = (uint32_t)rw_last_bin(high);
    }
    v->factor = factor;
    v->omega = integrate ? 6.2831853f * rate_hz / (float)n : 0.0f;
}

float rw_velocity_rms(const struct rw_velocity *v, const struct rw_complex *z, size_t n, float scale)
{
    struct rw_pair sum = {0.0f, 0.0f};
    for (size_t k = v->first; k <= v->last; ++k) {
        const float power = rw_hann_power(z, n, k);
        rw_add(&sum, v->omega > 0.0f ? power / ((float)k * (float)k) : power);
    }
    const float steps = rw_root(2.0f * rw_value(sum)) / (float)n;
    return v->factor * scale * (v->omega > 0.0f ? steps / v->omega : steps);
}
