/* What a node has said and the link has not taken yet: see the header. */
#include "rw_outbox.h"

#include <string.h>

void rw_outbox_init(struct rw_outbox *outbox, int16_t *burst, uint32_t n)
{
    memset(outbox, 0, sizeof *outbox);
    outbox->burst = burst;
    outbox->n = n;
}

static void take_out(struct rw_outbox *outbox, uint32_t place)
{
    struct rw_report *const at = outbox->reports + place;

    outbox->n_reports--;
    memmove(at, at + 1, (outbox->n_reports - place) * sizeof *at);
}

/* The oldest report without a change of the alarm; the oldest of all where each has one. */
static uint32_t least_needed(const struct rw_outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->n_reports; i++) {
        if (outbox->reports[i].verdict.change == RW_ALARM_SAME) {
            return i;
        }
    }
    return 0;
}

void rw_outbox_report(struct rw_outbox *outbox, const struct rw_report *report)
{
    if (outbox->n_reports == RW_REPORTS_KEPT) {
        take_out(outbox, least_needed(outbox));
        outbox->dropped++;
    }
    outbox->reports[outbox->n_reports++] = *report;
}

bool rw_outbox_burst(struct rw_outbox *outbox, const struct rw_chunk *head, const int16_t *window)
{
    if (outbox->bursting) {
        return false;
    }
    memcpy(outbox->burst, window, outbox->n * sizeof *window);
    outbox->burst_head = *head;
    outbox->burst_head.burst = outbox->bursts++;
    outbox->sent = 0;
    outbox->bursting = true;
    return true;
}

static bool send_chunk(struct rw_outbox *outbox, const struct rw_uplink *uplink)
{
    const uint32_t left = outbox->n - outbox->sent;
    struct rw_chunk chunk = outbox->burst_head;

    chunk.first = outbox->sent;
    chunk.n = left < RW_CHUNK_SAMPLES ? left : RW_CHUNK_SAMPLES;
    chunk.whole = outbox->n;
    chunk.samples = outbox->burst + outbox->sent;
    if (!uplink->chunk(uplink->context, &chunk)) {
        return false;
    }
    outbox->sent += chunk.n;
    outbox->bursting = outbox->sent < outbox->n;
    return true;
}

void rw_outbox_flush(struct rw_outbox *outbox, const struct rw_uplink *uplink)
{
    while (outbox->n_reports != 0 && uplink->report(uplink->context, &outbox->reports[0])) {
        take_out(outbox, 0);
    }
    while (outbox->n_reports == 0 && outbox->bursting && send_chunk(outbox, uplink)) {
    }
}
