/* Scales features by what was learned on healthy windows: see the header. */
#include "rw_scaler.h"

#include <string.h>

#include "rw_logarithm.h"

/* Of models/scaler.py, where they have their reasons. */
#define LEVEL_DEVIATION 0.5f
#define ABSENT 10.0f
#define LOG_FLOOR 0.02f
#define MEAN_SHARE_FLOOR 1e-3f
#define SMALLEST_NORMAL 1.17549435e-38f

void rw_spread_clear(struct rw_spread *spread)
{
    memset(spread, 0, sizeof *spread);
    memset(spread->positive, 1, sizeof spread->positive);
}

static float log_of(float x)
{
    return rw_logarithm(x > SMALLEST_NORMAL ? x : SMALLEST_NORMAL);
}

static void add(float *mean, float *squares, float x, float n)
{
    const float before = x - *mean;

    *mean += before / n;
    *squares += before * (x - *mean);
}

void rw_spread_add(struct rw_spread *spread, const float *features, size_t k)
{
    const float n = (float)++spread->n;

    for (size_t i = 0; i < k; i++) {
        add(&spread->mean[i], &spread->squares[i], features[i], n);
        if (!(features[i] > 0.0f)) {
            spread->positive[i] = 0;
        }
        if (spread->positive[i]) {
            add(&spread->log_mean[i], &spread->log_squares[i], log_of(features[i]), n);
        }
    }
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

static float size_of(float x)
{
    return x < 0.0f ? -x : x;
}

bool rw_scaler_learn(struct rw_scaler *scaler, const struct rw_spread *spread, size_t k)
{
    const float n = (float)spread->n;

    if (spread->n < 2u) {
        return false;
    }
    for (size_t i = 0; i < k; i++) {
        const float log_deviation = rw_square_root(spread->log_squares[i] / n);
        scaler->logarithmic[i] = spread->positive[i] && log_deviation < LEVEL_DEVIATION;
        scaler->mean[i] = scaler->logarithmic[i] ? spread->log_mean[i] : spread->mean[i];
        const float deviation =
            scaler->logarithmic[i]
                ? larger(log_deviation, LOG_FLOOR)
                : larger(rw_square_root(spread->squares[i] / n), MEAN_SHARE_FLOOR * size_of(scaler->mean[i]));
        scaler->scale[i] = deviation > 0.0f ? deviation : 1.0f;
    }
    return true;
}

static float clipped(float x)
{
    return x > RW_SCALED_LIMIT ? RW_SCALED_LIMIT : x < -RW_SCALED_LIMIT ? -RW_SCALED_LIMIT : x;
}

void rw_scaler_apply(const struct rw_scaler *scaler, const float *features, size_t k, float *scaled)
{
    for (size_t i = 0; i < k; i++) {
        if (!scaler->logarithmic[i]) {
            scaled[i] = clipped((features[i] - scaler->mean[i]) / scaler->scale[i]);
        } else if (features[i] > 0.0f) {
            scaled[i] = clipped((log_of(features[i]) - scaler->mean[i]) / scaler->scale[i]);
        } else {
            scaled[i] = -ABSENT;
        }
    }
}
