/* Order of the work: moments leave the deviation, its transform serves spectrum, packets, velocity and orders, and is
 * then overwritten by the envelope, whose lines lie behind it. Source: Signals of features/signals.py.
 */
#include "rw_frontend.h"

#include <stdbool.h>

#include "rw_envelope.h"
#include "rw_fft.h"
#include "rw_lines.h"
#include "rw_moments.h"
#include "rw_orders.h"
#include "rw_packets.h"
#include "rw_pair.h"
#include "rw_spectrum.h"
#include "rw_velocity.h"

struct rw_frontend {
    struct rw_frontend_config config;
    struct rw_velocity velocity;
    struct rw_pair bins_per_hz;
    _Alignas(8) struct rw_complex work[]; /* RW_ENVELOPE_PLACES(n) */
};

_Static_assert(RW_FRONTEND_BYTES(0u) == sizeof(struct rw_frontend), "RW_FRONTEND_BYTES: head");
_Static_assert(RW_FRONTEND_BYTES(16u) - RW_FRONTEND_BYTES(0u) == RW_ENVELOPE_PLACES(16u) * sizeof(struct rw_complex),
               "RW_FRONTEND_BYTES: work");

static bool rw_within(float x, float low, float high)
{
    return x >= low && x <= high; /* NaN is not */
}

static bool rw_has_bearing(const struct rw_frontend_config *c)
{
    return c->bearing.bpfo > 0.0f;
}

static bool rw_bearing_holds(const struct rw_fault_orders *b)
{
    const float orders[] = {b->bpfo, b->bpfi, b->bsf, b->ftf};
    size_t zeros = 0, known = 0;
    for (size_t i = 0; i < 4; ++i) {
        zeros += rw_within(orders[i], 0.0f, 0.0f);
        known += orders[i] > 0.0f && orders[i] <= 1000.0f;
    }
    return zeros == 4 || known == 4;
}

static enum rw_frontend_status rw_check(const struct rw_frontend_config *c)
{
    if (c->n < RW_SMALLEST_WINDOW || c->n > RW_LARGEST_WINDOW || (c->n & (c->n - 1u)) != 0) {
        return RW_FRONTEND_BAD_LENGTH;
    }
    if (!rw_within(c->rate_hz, 1.0f, 1e6f)) {
        return RW_FRONTEND_BAD_RATE;
    }
    if (!rw_within(c->scale, 1e-9f, 1e4f)) {
        return RW_FRONTEND_BAD_SCALE;
    }
    if (c->unit > RW_UNIT_MM_S) {
        return RW_FRONTEND_BAD_UNIT;
    }
    return rw_bearing_holds(&c->bearing) ? RW_FRONTEND_OK : RW_FRONTEND_BAD_BEARING;
}

size_t rw_frontend_bytes(const struct rw_frontend_config *config)
{
    if (rw_check(config) != RW_FRONTEND_OK) {
        return 0;
    }
    return RW_FRONTEND_BYTES(config->n);
}

enum rw_frontend_status rw_frontend_init(void *memory, size_t bytes, const struct rw_frontend_config *config,
                                         struct rw_frontend **out)
{
    static const float to_mm[] = {1e3f * RW_STANDARD_GRAVITY, 1e3f, 1.0f};
    const enum rw_frontend_status status = rw_check(config);
    if (status != RW_FRONTEND_OK) {
        return status;
    }
    if (memory == NULL || (uintptr_t)memory % 8u != 0 || bytes < rw_frontend_bytes(config)) {
        return RW_FRONTEND_BAD_MEMORY;
    }
    struct rw_frontend *f = memory;
    f->config = *config;
    f->bins_per_hz = rw_exact_ratio((float)config->n, config->rate_hz);
    rw_velocity_init(&f->velocity, config->n, config->rate_hz, to_mm[config->unit], config->unit != RW_UNIT_MM_S);
    *out = f;
    return RW_FRONTEND_OK;
}

static void rw_read_spectrum(const struct rw_frontend *f, const struct rw_moments *m, float *features)
{
    const struct rw_frontend_config *c = &f->config;
    rw_spectrum_features(f->work, c->n, c->rate_hz, m->variance, c->scale, features);
    features[RW_FEATURE_VELOCITY_RMS] = rw_velocity_rms(&f->velocity, f->work, c->n, c->scale);
    rw_packets_features(f->work, c->n, features);
}

enum rw_frontend_status rw_frontend_extract(struct rw_frontend *f, const int16_t *window, float shaft_hz,
                                            float *features)
{
    const struct rw_frontend_config *c = &f->config;
    float *lines = &f->work[0].re + RW_ENVELOPE_PLACES(c->n);
    struct rw_moments moments;
    struct rw_envelope envelope;

    if (!rw_within(shaft_hz, 0.0f, 1e6f)) {
        return RW_FRONTEND_BAD_SPEED;
    }
    for (size_t i = RW_FEATURE_ORDER_HALF; i <= RW_FEATURE_FTF_CONTRAST; ++i) {
        features[i] = 0.0f;
    }
    const struct rw_pair shaft_bins = rw_pair_product(f->bins_per_hz, (struct rw_pair){shaft_hz, 0.0f});
    rw_moments(window, c->n, &f->work[0].re, &moments);
    rw_moments_features(&moments, c->n, c->scale, features);
    rw_fft_real(f->work, c->n, 1);
    rw_read_spectrum(f, &moments, features);
    if (shaft_hz > 0.0f) {
        rw_orders_features(f->work, c->n, shaft_bins, c->scale, features);
    }
    rw_envelope(f->work, c->n, &envelope, lines);
    rw_envelope_features(&envelope, lines, c->n, c->rate_hz, c->scale, features);
    if (shaft_hz > 0.0f && rw_has_bearing(c)) {
        rw_bearing_features(lines, c->n, shaft_bins, &c->bearing, features);
    }
    if (shaft_hz > 0.0f) {
        return rw_has_bearing(c) ? RW_FRONTEND_OK : RW_FRONTEND_NO_BEARING;
    }
    return RW_FRONTEND_NO_SPEED;
}
