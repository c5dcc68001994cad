/* What the node says and is told over the link: the messages of docs/LINK.md, to and from rw_node.
 *
 * It moves bytes between board and link, takes what came, says hello first in each session, asks for the time, and sends
 * reports, windows and what becomes of faults.
 */
#ifndef RW_SPEAKER_H
#define RW_SPEAKER_H

#include "rw_link.h"
#include "rw_node.h"
#include "rw_updating.h"

struct rw_speaker {
    const struct rw_board *board;
    struct rw_link *link;
    struct rw_node *node; /* set when there is one: the uplink is needed before it */
    struct rw_updating updating;
    struct rw_uplink uplink;
    const char *firmware; /* its version, up to 32 bytes */
    uint32_t version;     /* of the model */
    uint32_t boot;
    uint32_t sessions; /* in which hello was said */
    bool says_hello;
    uint32_t told_faults;
    uint64_t offset_ms, ask_due_ms; /* uptime to time; when the time is to be asked for next */
    bool time_is_set;
    bool restart;
    uint64_t restart_ms; /* when it was decided */
    uint8_t pending[64]; /* bytes of the link that the board had no room for */
    size_t n_pending, sent;
};

/* slots may be NULL: updates are refused. */
void rw_speaker_init(struct rw_speaker *speaker, const struct rw_board *board, struct rw_link *link,
                     struct rw_slots *slots, const char *firmware, uint32_t version, uint32_t boot);

/* Moves bytes and messages both ways. */
void rw_speaker_step(struct rw_speaker *speaker);

/* Milliseconds until it has something to do; 0 where a message was queued since the last step. */
uint32_t rw_speaker_due_ms(const struct rw_speaker *speaker);

#endif
