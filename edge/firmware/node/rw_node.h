/* The node: from samples to verdicts and reports, on any board and over any link.
 *
 * Each period a window is gathered, its features are extracted, scaled and rebuilt by a network; the difference is the
 * score, and what an abnormal window shows, a second network says. While the first is learned, on the machine itself, the
 * node is being commissioned. docs/NODE.md says what it does when power, link or samples are lost.
 *
 * Three calls: bytes, init in the caller's memory, step. A step does what is due and says for how long there is nothing
 * more to do; who calls it moves the bytes of the link and sleeps.
 */
#ifndef RW_NODE_H
#define RW_NODE_H

#include "rw_board.h"
#include "rw_frontend.h"
#include "rw_outbox.h"
#include "rw_sampler.h"
#include "rw_store.h"
#include "rw_watch.h"

/* Sectors that the node keeps its own records in; what lies behind them is the models'. */
#define RW_NODE_BOOTS_SECTOR 0u
#define RW_NODE_BASELINE_SECTOR 2u
#define RW_NODE_SECTORS 4u

/* X(identifier, value, meaning) */
#define RW_NODE_STATUSES(X)                                                                                            \
    X(OK, 0, "the node runs")                                                                                          \
    X(BAD_MEMORY, -1, "the memory is too small or not aligned to 8 bytes")                                             \
    X(BAD_FRONTEND, -2, "the front end refuses its configuration")                                                     \
    X(BAD_WATCH, -3, "the counts or rates of commissioning and alarm are not defined")                                 \
    X(BAD_FLASH, -4, "the flash has no room for the node's records")

#define RW_NODE_ENTRY(identifier, value, meaning) RW_NODE_##identifier = (value),
enum rw_node_status { RW_NODE_STATUSES(RW_NODE_ENTRY) };
#undef RW_NODE_ENTRY

struct rw_node_config {
    struct rw_frontend_config frontend;
    struct rw_watch_config watch;
    uint32_t period_ms;  /* from one window to the next; 0: one behind the other */
    uint32_t silence_ms; /* without samples for so long, the node is in fault, and starts sampling again */
    float shaft_hz;      /* 0: not known */
};

/* What judges; NULL health: the node is in fault, and reports features alone. */
struct rw_networks {
    const struct rw_network *health, *kinds;
    uint32_t version; /* of the model; a threshold holds for the version that it was learned with */
};

struct rw_node;

/* Bytes of memory that init wants; 0 if the front end's configuration is refused. */
size_t rw_node_bytes(const struct rw_node_config *config);

/* Sets a node up in memory aligned to 8 bytes, and samples from then on. What is pointed to must stay. */
enum rw_node_status rw_node_init(void *memory, size_t bytes, const struct rw_node_config *config,
                                 const struct rw_networks *networks, const struct rw_board *board,
                                 const struct rw_uplink *uplink, struct rw_node **out);

/* Does what is due; milliseconds until something is due again, unless an interrupt comes first. */
uint32_t rw_node_step(struct rw_node *node);

/* What comes over the link. */
void rw_node_set_period(struct rw_node *node, uint32_t period_ms);
void rw_node_set_shaft_hz(struct rw_node *node, float shaft_hz); /* negative or not finite: not known */
void rw_node_set_threshold(struct rw_node *node, float threshold); /* in place of the learned one, and kept */
void rw_node_recommission(struct rw_node *node);
void rw_node_request_waveform(struct rw_node *node); /* of the next window */

/* Milliseconds since the start. */
uint64_t rw_node_uptime_ms(struct rw_node *node);
const struct rw_node_config *rw_node_config(const struct rw_node *node);

/* Whether a feature of a report could be computed; the others are 0. */
bool rw_node_knows(const struct rw_report *report, size_t feature);

/* How often the node has started, as far as flash could tell; 0: not known. */
uint32_t rw_node_boots(const struct rw_node *node);
enum rw_state rw_node_state(const struct rw_node *node);
bool rw_node_alarmed(const struct rw_node *node);
uint32_t rw_node_faults(const struct rw_node *node);

#endif
