/* A node over a line that is nothing but a line: reports and chunks as they lie in memory, led by a letter and a length.
 * When it samples it says H.
 *
 * It tries rw_node on every board without a link. Commands of one letter: w asks for a waveform, r commissions anew and p and a
 * word sets the period. Configuration and networks come from the build.
 */
#include <string.h>

#include "networks.h"
#include "rw_node.h"

#ifndef RW_PERIOD_MS
#define RW_PERIOD_MS 0
#endif
#ifndef RW_SILENCE_MS
#define RW_SILENCE_MS 60000
#endif

struct line {
    const struct rw_board *board;
    uint8_t bytes[1100];
    size_t n, sent;
};

static _Alignas(8) uint8_t memory[RW_NODE_MEMORY];
static struct line line;

static void push(void)
{
    line.sent += line.board->send(line.board->context, line.bytes + line.sent, line.n - line.sent);
}

static bool say(uint8_t letter, const void *head, size_t head_bytes, const void *rest, size_t rest_bytes)
{
    const size_t n = head_bytes + rest_bytes;

    push();
    if (line.sent < line.n) {
        return false;
    }
    line.bytes[0] = letter;
    line.bytes[1] = (uint8_t)n;
    line.bytes[2] = (uint8_t)(n >> 8);
    if (head_bytes != 0) {
        memcpy(line.bytes + 3, head, head_bytes);
    }
    if (rest_bytes != 0) {
        memcpy(line.bytes + 3 + head_bytes, rest, rest_bytes);
    }
    line.n = n + 3u;
    line.sent = 0;
    push();
    return true;
}

static bool report(void *context, const struct rw_report *r)
{
    const struct rw_verdict *v = &r->verdict;
    struct {
        int32_t words[15];
        float floats[4];
    } head = {
        {(int32_t)r->number, (int32_t)r->uptime_ms, (int32_t)r->faults, (int32_t)r->missing, (int32_t)r->dropped,
         (int32_t)r->reports_dropped, (int32_t)v->state, v->scored, v->commissioned, (int32_t)v->change, v->kind.index,
         r->frontend >= RW_FRONTEND_OK, 0, (int32_t)rw_node_boots((const struct rw_node *)(const void *)memory),
         (int32_t)line.board->reset_reason(line.board->context)},
        {v->score, v->threshold, v->kind.probability, r->shaft_hz},
    };

    (void)context;
    return say('R', &head, sizeof head, r->features, sizeof r->features);
}

static bool chunk(void *context, const struct rw_chunk *c)
{
    const uint32_t head[5] = {c->report, c->first, c->n, c->whole, c->on_alarm};

    (void)context;
    return say('W', head, sizeof head, c->samples, c->n * sizeof *c->samples);
}

static void command(struct rw_node *node)
{
    static uint8_t got[5];
    static size_t n;

    while (line.board->receive(line.board->context, got + n, 1) == 1) {
        n++;
        const bool has_word = got[0] == 'p';
        if (has_word && n < sizeof got) {
            continue;
        }
        const uint32_t word = (uint32_t)got[1] | (uint32_t)got[2] << 8 | (uint32_t)got[3] << 16 | (uint32_t)got[4] << 24;
        n = 0;
        switch (got[0]) {
        case 'w':
            rw_node_request_waveform(node);
            break;
        case 'r':
            rw_node_recommission(node);
            break;
        case 'p':
            rw_node_set_period(node, word);
            break;
        default:
            break;
        }
    }
}

int rw_program(const struct rw_board *board)
{
    static const struct rw_node_config config = {
        .frontend = {.rate_hz = RW_RATE_HZ, .scale = RW_SCALE, .n = RW_N, .unit = RW_UNIT_G},
        .watch = {RW_N_SCALE, RW_N_TAIL, 1e-3f, {3u, 10u, 0.8f}},
        .period_ms = RW_PERIOD_MS,
        .silence_ms = RW_SILENCE_MS,
    };
    static const struct rw_uplink uplink = {NULL, report, chunk};
    const struct rw_networks networks = {rw_factory_health(), rw_factory_kinds(), RW_VERSION};
    struct rw_node *node;

    memset(&line, 0, sizeof line);
    line.board = board;
    const enum rw_node_status status =
        rw_node_init(memory, sizeof memory, &config, &networks, board, &uplink, &node);
    if (status != RW_NODE_OK) {
        return -(int)status;
    }
    (void)say('H', NULL, 0, NULL, 0); /* it samples from now on */
    for (;;) {
        command(node);
        const uint32_t ms = rw_node_step(node);
        push();
        board->sleep(board->context, line.sent < line.n ? 1u : ms);
    }
}
