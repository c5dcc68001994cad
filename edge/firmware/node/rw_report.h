/* What a node has to say: a report each period, and the samples of a window in chunks. The link gives them their form. */
#ifndef RW_REPORT_H
#define RW_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rw_frontend.h"
#include "rw_watch.h"

/* X(identifier, bit, meaning). The bits go over the link. With those of RW_FAULTS_BLINDING nothing is judged, and the state
 * is that of fault; with the others verdicts go on. */
#define RW_FAULTS(X)                                                                                                   \
    X(SAMPLES, 0, "no samples come")                                                                                   \
    X(FEATURES, 1, "the front end refuses a window")                                                                   \
    X(FLASH, 2, "the baseline cannot be kept")                                                                         \
    X(COMMISSIONING, 3, "scores set no threshold: commissioning began again")                                          \
    X(SUPPLY, 4, "the supply is low: nothing is written to flash")                                                     \
    X(MODEL, 5, "there is no network that judges")

#define RW_FAULT_ENTRY(identifier, bit, meaning) RW_FAULT_##identifier = 1u << (bit),
enum rw_fault { RW_FAULTS(RW_FAULT_ENTRY) };
#undef RW_FAULT_ENTRY

#define RW_FAULTS_BLINDING                                                                                             \
    ((uint32_t)RW_FAULT_SAMPLES | (uint32_t)RW_FAULT_FEATURES | (uint32_t)RW_FAULT_COMMISSIONING |                     \
     (uint32_t)RW_FAULT_MODEL)

struct rw_report {
    uint64_t uptime_ms; /* of the window's first sample, since the start */
    uint32_t number;    /* of this start, from 0 */
    uint32_t faults;            /* of enum rw_fault */
    uint32_t missing, dropped;  /* samples, since the start: that never came, that came and belong to no window */
    uint32_t reports_dropped;   /* since the start, for want of room */
    struct rw_verdict verdict;
    bool alarm; /* whether the alarm stands, whatever the state */
    enum rw_frontend_status frontend; /* which features are there; below 0: none */
    float shaft_hz;                   /* 0: not known */
    float features[RW_N_FEATURES];
};

/* Some samples of a window, as they came from the converter. */
struct rw_chunk {
    uint64_t uptime_ms; /* of the window's first sample, as in its report */
    bool on_alarm;
    uint32_t report;          /* the number of the window's report */
    uint32_t burst;           /* counts the windows sent, from 0 */
    uint32_t first, n, whole; /* place of the first sample, how many, and of how many */
    float shaft_hz;           /* 0: not known */
    const int16_t *samples;
};

/* What a node asks of a link. What it has taken arrives once and in order, whatever the line does; what it has no room for
 * stays with the node and is offered again. */
struct rw_uplink {
    void *context;
    bool (*report)(void *context, const struct rw_report *report);
    bool (*chunk)(void *context, const struct rw_chunk *chunk);
};

#endif
