/* What a node has said and the link has not taken yet: the latest reports, and the samples of one window.
 *
 * When the link is away for long, the oldest reports give way, and are counted; one that raised or cleared an alarm gives
 * way only to another of its kind. A window that is being sent gives way to none.
 */
#ifndef RW_OUTBOX_H
#define RW_OUTBOX_H

#include "rw_report.h"

#define RW_REPORTS_KEPT 16u
#define RW_CHUNK_SAMPLES 400u

struct rw_outbox {
    struct rw_report reports[RW_REPORTS_KEPT]; /* in order of time */
    uint32_t n_reports, dropped;
    int16_t *burst; /* room for n samples */
    uint32_t n, sent, bursts;
    bool bursting;
    struct rw_chunk burst_head; /* what all chunks of the window have alike */
};

void rw_outbox_init(struct rw_outbox *outbox, int16_t *burst, uint32_t n);

void rw_outbox_report(struct rw_outbox *outbox, const struct rw_report *report);

/* Copies the window; false while another one is being sent. */
bool rw_outbox_burst(struct rw_outbox *outbox, const struct rw_chunk *head, const int16_t *window);

/* Gives the link what it takes: reports first. */
void rw_outbox_flush(struct rw_outbox *outbox, const struct rw_uplink *uplink);

static inline bool rw_outbox_is_empty(const struct rw_outbox *outbox)
{
    return outbox->n_reports == 0 && !outbox->bursting;
}

#endif
