/* A speaker between a board whose clock is set at will and a peer's link; the node itself is left out. Says how often the
 * time was asked for: at the start, where the clock stands still at 0; later without an answer; and behind one. */
#include <stdio.h>
#include <string.h>

#include "rw_cbor.h"
#include "rw_messages.h"
#include "rw_speaker.h"

static uint32_t clock_ms;
static struct rw_link *peer;
static _Alignas(8) uint8_t own_memory[8192], peer_memory[8192];
static uint32_t asked, asked_at_ms;

static uint32_t now_ms(void *context)
{
    (void)context;
    return clock_ms;
}

static size_t receive(void *context, uint8_t *to, size_t n)
{
    (void)context;
    return rw_link_output(peer, to, n, clock_ms);
}

static size_t send(void *context, const uint8_t *from, size_t n)
{
    struct rw_link_message message;
    struct rw_cbor_reader r;

    (void)context;
    for (size_t fed = 0; fed < n;) {
        fed += rw_link_feed(peer, from + fed, n - fed, clock_ms);
        if (rw_link_message(peer, &message)) {
            if (message.kind == RW_KIND_TIME_REQUEST) {
                asked++;
                rw_cbor_read_begin(&r, message.body, message.n);
                (void)rw_cbor_read_map(&r);
                (void)rw_cbor_read_uint(&r);
                asked_at_ms = rw_cbor_read_uint32(&r);
            }
            rw_link_take(peer);
        }
    }
    return n;
}

static void kick(void *context)
{
    (void)context;
}

static enum rw_reset reset_reason(void *context)
{
    (void)context;
    return RW_RESET_POWER;
}

/* What a speaker wants of a node. */
uint64_t rw_node_uptime_ms(struct rw_node *node)
{
    (void)node;
    return clock_ms;
}

const struct rw_node_config *rw_node_config(const struct rw_node *node)
{
    static const struct rw_node_config config = {.period_ms = 1000};
    (void)node;
    return &config;
}

uint32_t rw_node_faults(const struct rw_node *node)
{
    (void)node;
    return 0;
}

bool rw_node_knows(const struct rw_report *report, size_t feature)
{
    (void)report;
    return feature == 0;
}

void rw_node_set_period(struct rw_node *node, uint32_t period_ms)
{
    (void)node;
    (void)period_ms;
}

void rw_node_set_shaft_hz(struct rw_node *node, float shaft_hz)
{
    (void)node;
    (void)shaft_hz;
}

void rw_node_set_threshold(struct rw_node *node, float threshold)
{
    (void)node;
    (void)threshold;
}

void rw_node_recommission(struct rw_node *node)
{
    (void)node;
}

void rw_node_request_waveform(struct rw_node *node)
{
    (void)node;
}

static const struct rw_board board = {
    .name = "asking", .now_ms = now_ms, .receive = receive, .send = send, .kick = kick, .reset_reason = reset_reason};

static struct rw_link *opened(void *memory, uint32_t session)
{
    const struct rw_link_config config = {session, "asking", 6, 8, 4096, 250, 8000, 5000};
    struct rw_link *link = NULL;

    return rw_link_init(memory, sizeof own_memory, &config, clock_ms, &link) == RW_LINK_OK ? link : NULL;
}

static void step_and_say(struct rw_speaker *speaker, uint32_t at_ms)
{
    clock_ms = at_ms;
    for (int i = 0; i < 20; i++) {
        rw_speaker_step(speaker);
    }
    printf("%u ", asked);
}

static void answer(void)
{
    uint8_t body[32];
    struct rw_cbor_writer w;

    rw_cbor_write_begin(&w, body, sizeof body);
    rw_cbor_write_map(&w, 2);
    rw_cbor_write_uint(&w, RW_TIME_ASKED_MS);
    rw_cbor_write_uint(&w, asked_at_ms);
    rw_cbor_write_uint(&w, RW_TIME_TIME_MS);
    rw_cbor_write_uint(&w, 1800000000000u);
    (void)rw_link_send(peer, RW_KIND_TIME, body, w.used);
}

int main(void)
{
    static struct rw_speaker speaker;
    struct rw_link *const own = opened(own_memory, 5);

    peer = opened(peer_memory, 77);
    if (own == NULL || peer == NULL) {
        return 1;
    }
    rw_speaker_init(&speaker, &board, own, NULL, "1", 0, 1);
    step_and_say(&speaker, 0);
    step_and_say(&speaker, 9999);
    step_and_say(&speaker, 10000);
    answer();
    step_and_say(&speaker, 10004);
    step_and_say(&speaker, 609999);
    step_and_say(&speaker, 610000);
    return speaker.time_is_set ? 0 : 2;
}
