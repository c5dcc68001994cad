/* From the features of one window to a verdict: learns what is healthy on the machine itself, then scores and follows an
 * alarm with hysteresis. No time, no line, no flash: those are rw_node's.
 *
 * Commissioning takes n_scale windows for means and deviations, then n_tail windows whose scores, by a scaler that did not
 * learn from them, set the threshold. A machine whose scores cannot set one begins again. The twin in Python is
 * edge/node/reference.py; the two give the same verdicts.
 */
#ifndef RW_WATCH_H
#define RW_WATCH_H

#include "rw_alarm.h"
#include "rw_diagnosis.h"
#include "rw_network.h"
#include "rw_scaler.h"
#include "rw_tail.h"

#define RW_TAIL_SCORES_MOST 256u

enum rw_watch_status {
    RW_WATCH_OK = 0,
    RW_WATCH_COUNTS = -1,  /* n_scale below 2, n_tail outside of 30 to 256, or counts of the alarm of 0 */
    RW_WATCH_RATES = -2,   /* false-alarm rate or clear ratio outside of what is defined */
    RW_WATCH_NETWORK = -3, /* a network over none or over more than RW_SCALED_MOST features, or of other outputs */
};

/* The numbers go over the link. */
enum rw_state {
    RW_STATE_COMMISSIONING = 0,
    RW_STATE_WATCHING = 1,
    RW_STATE_ALARM = 2,
    RW_STATE_FAULT = 3,
};

struct rw_watch_config {
    uint32_t n_scale, n_tail;
    float false_alarm_rate;
    struct rw_alarm_config alarm;
};

#define RW_WATCH_DEFAULTS {64u, 64u, 1e-3f, {3u, 10u, 0.8f}}

/* What commissioning gives, and what is kept in flash. */
struct rw_baseline {
    struct rw_scaler scaler;
    struct rw_tail tail;
    float threshold;
};

struct rw_watch {
    struct rw_watch_config config;
    const struct rw_network *health;  /* rebuilds scaled features */
    const struct rw_network *kinds;   /* names what is wrong; NULL: nobody does */
    bool scaled, watching;            /* how far commissioning is */
    uint32_t n_scores, failures;      /* failures: commissionings that began again */
    struct rw_baseline baseline;
    union {                           /* the scores begin when the spread has ended */
        struct rw_spread spread;
        float scores[RW_TAIL_SCORES_MOST];
    } learning;
    struct rw_alarm alarm;
    struct rw_diagnosis diagnosis;
};

struct rw_verdict {
    enum rw_state state;
    bool scored;        /* whether score is one */
    bool commissioned;  /* by this window: the baseline is to be kept */
    float score;        /* root mean square difference from what was rebuilt, in healthy deviations */
    float threshold;    /* 0 until there is one */
    enum rw_alarm_change change;
    struct rw_class kind;
};

/* The networks must stay where they are. */
enum rw_watch_status rw_watch_init(struct rw_watch *watch, const struct rw_watch_config *config,
                                   const struct rw_network *health, const struct rw_network *kinds);

/* Goes on with a baseline that was kept, instead of commissioning. */
void rw_watch_resume(struct rw_watch *watch, const struct rw_baseline *baseline);

/* Begins commissioning again; with keep_scaler, where another network was put in place, only the threshold is learned. */
void rw_watch_recommission(struct rw_watch *watch, bool keep_scaler);

/* Takes the next window: health->input_bytes features, and its samples. */
struct rw_verdict rw_watch_take(struct rw_watch *watch, const float *features, const int16_t *window);

#endif
