/* From the features of one window to a verdict: see the header. */
#include "rw_watch.h"

#include <string.h>

#include "rw_logarithm.h"

enum rw_watch_status rw_watch_init(struct rw_watch *watch, const struct rw_watch_config *config,
                                   const struct rw_network *health, const struct rw_network *kinds)
{
    const struct rw_alarm_config *alarm = &config->alarm;

    if (config->n_scale < 2u || config->n_tail < RW_TAIL_FEWEST || config->n_tail > RW_TAIL_SCORES_MOST ||
        alarm->raise_after == 0 || alarm->clear_after == 0) {
        return RW_WATCH_COUNTS;
    }
    if (!(config->false_alarm_rate > 0.0f && config->false_alarm_rate <= RW_TAIL_LARGEST_RATE) ||
        !(alarm->clear_ratio > 0.0f && alarm->clear_ratio <= 1.0f)) {
        return RW_WATCH_RATES;
    }
    if (health->input_bytes == 0 || health->input_bytes > RW_SCALED_MOST ||
        health->output_bytes != health->input_bytes) {
        return RW_WATCH_NETWORK;
    }
    memset(watch, 0, sizeof *watch);
    watch->config = *config;
    watch->health = health;
    watch->kinds = kinds;
    rw_watch_recommission(watch, false);
    return RW_WATCH_OK;
}

static void clear_alarm(struct rw_watch *watch)
{
    memset(&watch->alarm, 0, sizeof watch->alarm);
    rw_diagnosis_clear(&watch->diagnosis);
}

void rw_watch_resume(struct rw_watch *watch, const struct rw_baseline *baseline)
{
    watch->baseline = *baseline;
    watch->scaled = true;
    watch->watching = true;
    clear_alarm(watch);
}

void rw_watch_recommission(struct rw_watch *watch, bool keep_scaler)
{
    watch->scaled = keep_scaler && watch->scaled;
    watch->watching = false;
    watch->n_scores = 0;
    watch->baseline.threshold = 0.0f;
    if (!watch->scaled) {
        rw_spread_clear(&watch->learning.spread);
    }
    clear_alarm(watch);
}

static float score_of(const struct rw_watch *watch, const float *features)
{
    const struct rw_network *health = watch->health;
    const size_t k = health->input_bytes;
    float scaled[RW_SCALED_MOST], sum = 0.0f;

    rw_scaler_apply(&watch->baseline.scaler, features, k, scaled);
    for (size_t i = 0; i < k; i++) {
        health->input[i] = rw_quantised(scaled[i], health->input_as);
    }
    health->run(health->context);
    for (size_t i = 0; i < k; i++) {
        const float difference = scaled[i] - rw_number(health->output[i], health->output_as);
        sum += difference * difference;
    }
    return rw_square_root(sum / (float)k);
}

static void learn_scale(struct rw_watch *watch, const float *features)
{
    const size_t k = watch->health->input_bytes;

    rw_spread_add(&watch->learning.spread, features, k);
    if (watch->learning.spread.n == watch->config.n_scale) {
        watch->scaled = rw_scaler_learn(&watch->baseline.scaler, &watch->learning.spread, k);
    }
}

static void learn_threshold(struct rw_watch *watch, const float *features, struct rw_verdict *verdict)
{
    struct rw_baseline *baseline = &watch->baseline;

    verdict->score = score_of(watch, features);
    verdict->scored = true;
    watch->learning.scores[watch->n_scores++] = verdict->score;
    if (watch->n_scores < watch->config.n_tail) {
        return;
    }
    if (rw_tail_learn(&baseline->tail, watch->learning.scores, watch->n_scores)) {
        baseline->threshold = rw_tail_level(&baseline->tail, watch->config.false_alarm_rate);
        watch->watching = true;
        verdict->commissioned = true;
    } else {
        watch->failures++;
        rw_watch_recommission(watch, false);
    }
}

static void judge(struct rw_watch *watch, const float *features, const int16_t *window, struct rw_verdict *verdict)
{
    const float threshold = watch->baseline.threshold;

    verdict->score = score_of(watch, features);
    verdict->scored = true;
    if (verdict->score > threshold) {
        verdict->kind = rw_diagnosis_take(&watch->diagnosis, watch->kinds, window);
    }
    verdict->change = rw_alarm_update(&watch->alarm, &watch->config.alarm, verdict->score / threshold);
    if (verdict->change == RW_ALARM_CLEARED) {
        rw_diagnosis_clear(&watch->diagnosis);
    }
}

struct rw_verdict rw_watch_take(struct rw_watch *watch, const float *features, const int16_t *window)
{
    struct rw_verdict verdict = {RW_STATE_COMMISSIONING, false, false, 0.0f, 0.0f, RW_ALARM_SAME, {-1, 0.0f}};

    if (watch->watching) {
        judge(watch, features, window, &verdict);
    } else if (watch->scaled) {
        learn_threshold(watch, features, &verdict);
    } else {
        learn_scale(watch, features);
    }
    if (watch->watching) {
        verdict.state = watch->alarm.active ? RW_STATE_ALARM : RW_STATE_WATCHING;
        verdict.threshold = watch->baseline.threshold;
    }
    return verdict;
}
