/* Scales features by what was learned on healthy windows: logarithms of levels, then zero mean and unit deviation.
 *
 * The twin of models/scaler.py, learned window by window (Welford, Technometrics 4 (1962) 419-420) instead of from all at
 * once: rw_spread gathers, rw_scaler_learn decides. k is the number of features, RW_SCALED_MOST at most.
 */
#ifndef RW_SCALER_H
#define RW_SCALER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_SCALED_MOST 64u
#define RW_SCALED_LIMIT 50.0f /* scaled values are clipped here */

struct rw_scaler {
    float mean[RW_SCALED_MOST], scale[RW_SCALED_MOST];
    uint8_t logarithmic[RW_SCALED_MOST];
};

/* Of values and, while all are positive, of their logarithms: mean, and sum of squared distances from it. */
struct rw_spread {
    uint32_t n;
    float mean[RW_SCALED_MOST], squares[RW_SCALED_MOST];
    float log_mean[RW_SCALED_MOST], log_squares[RW_SCALED_MOST];
    uint8_t positive[RW_SCALED_MOST];
};

void rw_spread_clear(struct rw_spread *spread);
void rw_spread_add(struct rw_spread *spread, const float *features, size_t k);

/* False, and nothing written, of fewer than two windows. */
bool rw_scaler_learn(struct rw_scaler *scaler, const struct rw_spread *spread, size_t k);

void rw_scaler_apply(const struct rw_scaler *scaler, const float *features, size_t k, float *scaled);

#endif
