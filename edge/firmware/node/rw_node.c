/* The node: from samples to verdicts and reports: see the header. */
#include "rw_node.h"

#include <string.h>

/* What a node keeps in flash. All of it is written as bytes; a firmware of another layout finds another length
 * or another hash, and commissions anew. */
struct kept {
    uint8_t hash[RW_FEATURE_HASH_BYTES];
    uint32_t version, k;
    float rate_hz, scale;
    uint32_t unit, n;
    struct rw_baseline baseline;
};

union baseline_record {
    struct kept kept;
    uint8_t whole[(sizeof(struct kept) + 7u) / 8u * 8u]; /* in units of flash */
};

struct rw_node {
    struct rw_node_config config;
    struct rw_networks networks;
    const struct rw_board *board;
    const struct rw_uplink *uplink;
    struct rw_frontend *frontend;
    struct rw_sink sink;
    struct rw_sampler sampler;
    struct rw_watch watch;
    struct rw_outbox outbox;
    struct rw_store boots_store, baseline_store;
    uint32_t boots;
    uint32_t last_ms;   /* of the board's clock, which turns over */
    uint64_t clock_ms;  /* since the start */
    uint64_t due_ms;    /* when the next window begins */
    uint64_t heard_ms;  /* when the last sample was noticed */
    uint32_t heard;
    uint32_t faults, number;
    bool gathering, wanted, unsaved;
    uint64_t window_ms; /* of the window at hand */
    float features[RW_N_FEATURES];
};

#define ALIGNED(n) (((n) + 7u) / 8u * 8u)
#define LONGEST_SLEEP_MS 1000u

static const uint8_t needs[RW_N_FEATURES] = {
#define RW_NEEDS_ENTRY(identifier, name, unit, needs) needs,
    RW_FEATURES(RW_NEEDS_ENTRY)
#undef RW_NEEDS_ENTRY
};

/* What health is learned from: what needs no speed, less the places of largest lines, which jump between like peaks. */
static size_t choose(const float *features, float *chosen)
{
    size_t k = 0;

    for (size_t i = 0; i < RW_N_FEATURES; i++) {
        if (needs[i] == RW_NEEDS_NOTHING && i != RW_FEATURE_DOMINANT_FREQUENCY &&
            i != RW_FEATURE_ENVELOPE_LINE_FREQUENCY) {
            chosen[k++] = features[i];
        }
    }
    return k;
}

size_t rw_node_bytes(const struct rw_node_config *config)
{
    const size_t frontend = rw_frontend_bytes(&config->frontend);

    if (frontend == 0) {
        return 0;
    }
    return ALIGNED(sizeof(struct rw_node)) + ALIGNED(frontend) + 3u * sizeof(int16_t) * config->frontend.n;
}

static void lay_out(struct rw_node *node)
{
    const uint32_t n = node->config.frontend.n;
    uint8_t *memory = (uint8_t *)node + ALIGNED(sizeof *node);
    const size_t frontend = rw_frontend_bytes(&node->config.frontend);

    (void)rw_frontend_init(memory, frontend, &node->config.frontend, &node->frontend); /* it was checked */
    int16_t *const samples = (int16_t *)(void *)(memory + ALIGNED(frontend));
    rw_sampler_init(&node->sampler, samples, n);
    rw_outbox_init(&node->outbox, samples + 2u * n, n);
    node->sink = (struct rw_sink){&node->sampler, rw_sampler_put, rw_sampler_lost};
}

static void describe(const struct rw_node *node, union baseline_record *record)
{
    static const uint8_t hash[] = RW_FEATURE_HASH;
    const struct rw_frontend_config *frontend = &node->config.frontend;
    struct kept *kept = &record->kept;

    memset(record, 0, sizeof *record);
    memcpy(kept->hash, hash, sizeof hash);
    kept->version = node->networks.version;
    kept->k = (uint32_t)node->networks.health->input_bytes;
    kept->rate_hz = frontend->rate_hz;
    kept->scale = frontend->scale;
    kept->unit = frontend->unit;
    kept->n = frontend->n;
}

/* Goes on with the baseline in flash; with another version of the model, its scaler holds and its threshold does not. */
static void recall(struct rw_node *node)
{
    union baseline_record wanted;
    struct kept found;
    size_t bytes = 0;
    const void *record = rw_store_record(&node->baseline_store, &bytes);

    if (record == NULL || bytes != sizeof wanted) {
        return;
    }
    memcpy(&found, record, sizeof found);
    describe(node, &wanted);
    const uint32_t version = found.version;
    found.version = wanted.kept.version;
    if (memcmp(&found, &wanted.kept, offsetof(struct kept, baseline)) != 0) {
        return;
    }
    rw_watch_resume(&node->watch, &found.baseline);
    if (version != wanted.kept.version) {
        rw_watch_recommission(&node->watch, true);
    }
}

static bool supply_low(const struct rw_node *node)
{
    return node->board->supply_low(node->board->context);
}

static void set_fault(struct rw_node *node, enum rw_fault fault, bool there)
{
    node->faults = there ? node->faults | (uint32_t)fault : node->faults & ~(uint32_t)fault;
}

static void keep_baseline(struct rw_node *node)
{
    union baseline_record record;

    if (!node->unsaved || supply_low(node)) {
        return;
    }
    describe(node, &record);
    record.kept.baseline = node->watch.baseline;
    const bool written = rw_store_write(&node->baseline_store, &record, sizeof record) == RW_STORE_OK;
    set_fault(node, RW_FAULT_FLASH, !written);
    node->unsaved = false; /* what flash did not take once, it is not worn out with */
}

static void count_boot(struct rw_node *node)
{
    uint32_t words[2] = {0, 0};
    size_t bytes = 0;
    const void *record = rw_store_record(&node->boots_store, &bytes);

    if (record != NULL && bytes == sizeof words) {
        memcpy(words, record, sizeof words);
    }
    node->boots = ++words[0];
    if (!supply_low(node)) {
        set_fault(node, RW_FAULT_FLASH, rw_store_write(&node->boots_store, words, sizeof words) != RW_STORE_OK);
    }
}

static enum rw_node_status begin(struct rw_node *node)
{
    if (rw_store_open(&node->boots_store, node->board, RW_NODE_BOOTS_SECTOR, 1) != RW_STORE_OK ||
        rw_store_open(&node->baseline_store, node->board, RW_NODE_BASELINE_SECTOR, 1) != RW_STORE_OK) {
        return RW_NODE_BAD_FLASH;
    }
    count_boot(node);
    set_fault(node, RW_FAULT_MODEL, node->networks.health == NULL);
    if (node->networks.health != NULL) {
        switch (rw_watch_init(&node->watch, &node->config.watch, node->networks.health, node->networks.kinds)) {
        case RW_WATCH_OK:
            recall(node);
            break;
        case RW_WATCH_NETWORK:
            node->networks.health = NULL;
            set_fault(node, RW_FAULT_MODEL, true);
            break;
        default:
            return RW_NODE_BAD_WATCH;
        }
    }
    return RW_NODE_OK;
}

enum rw_node_status rw_node_init(void *memory, size_t bytes, const struct rw_node_config *config,
                                 const struct rw_networks *networks, const struct rw_board *board,
                                 const struct rw_uplink *uplink, struct rw_node **out)
{
    const size_t wanted = rw_node_bytes(config);
    struct rw_node *node = memory;

    if (wanted == 0) {
        return RW_NODE_BAD_FRONTEND;
    }
    if (memory == NULL || (uintptr_t)memory % 8u != 0 || bytes < wanted) {
        return RW_NODE_BAD_MEMORY;
    }
    memset(node, 0, sizeof *node);
    node->config = *config;
    node->networks = *networks;
    node->board = board;
    node->uplink = uplink;
    lay_out(node);
    const enum rw_node_status status = begin(node);
    if (status == RW_NODE_OK) {
        node->last_ms = board->now_ms(board->context);
        node->gathering = true;
        board->sample(board->context, &node->sink);
        *out = node;
    }
    return status;
}

static void advance_clock(struct rw_node *node)
{
    const uint32_t now_ms = node->board->now_ms(node->board->context);

    node->clock_ms += now_ms - node->last_ms;
    node->last_ms = now_ms;
}

static void fill_report(struct rw_node *node, struct rw_report *report)
{
    report->uptime_ms = node->window_ms;
    report->number = node->number++;
    report->alarm = node->watch.alarm.active;
    report->missing = node->sampler.missing;
    report->dropped = node->sampler.dropped;
    report->reports_dropped = node->outbox.dropped;
    report->shaft_hz = node->config.shaft_hz;
    memcpy(report->features, node->features, sizeof node->features);
}

static void send_window(struct rw_node *node, const struct rw_report *report, const int16_t *window)
{
    const bool raised = report->verdict.change == RW_ALARM_RAISED;
    const struct rw_chunk head = {
        .uptime_ms = report->uptime_ms,
        .on_alarm = raised,
        .report = report->number,
        .shaft_hz = report->shaft_hz,
    };

    if ((raised || node->wanted) && rw_outbox_burst(&node->outbox, &head, window)) {
        node->wanted = false;
    }
}

static struct rw_verdict judge(struct rw_node *node, const int16_t *window)
{
    struct rw_verdict verdict = {.state = RW_STATE_FAULT, .kind = {-1, 0.0f}};
    float chosen[RW_N_FEATURES];
    const size_t k = choose(node->features, chosen);
    const bool fits = node->networks.health != NULL && node->networks.health->input_bytes == k;

    set_fault(node, RW_FAULT_MODEL, !fits);
    if (fits) {
        verdict = rw_watch_take(&node->watch, chosen, window);
        set_fault(node, RW_FAULT_COMMISSIONING, node->watch.failures != 0 && !node->watch.watching);
        node->unsaved = node->unsaved || verdict.commissioned;
        keep_baseline(node);
    }
    return verdict;
}

static void take_window(struct rw_node *node, const int16_t *window)
{
    struct rw_report report = {.verdict = {.state = RW_STATE_FAULT, .kind = {-1, 0.0f}}};
    const uint64_t length_ms = (uint64_t)(1e3f * (float)node->config.frontend.n / node->config.frontend.rate_hz);

    node->window_ms = node->clock_ms > length_ms ? node->clock_ms - length_ms : 0;
    report.frontend = rw_frontend_extract(node->frontend, window, node->config.shaft_hz, node->features);
    set_fault(node, RW_FAULT_FEATURES, report.frontend < RW_FRONTEND_OK);
    if (report.frontend >= RW_FRONTEND_OK) {
        report.verdict = judge(node, window);
    }
    fill_report(node, &report);
    report.faults = node->faults;
    if (node->faults & RW_FAULTS_BLINDING) {
        report.verdict.state = RW_STATE_FAULT;
    }
    send_window(node, &report, window);
    rw_outbox_report(&node->outbox, &report);
}

static void release_window(struct rw_node *node)
{
    node->gathering = node->config.period_ms == 0;
    rw_sampler_set_idle(&node->sampler, !node->gathering);
    rw_sampler_release(&node->sampler);
    while (!node->gathering && rw_sampler_window(&node->sampler) != NULL) {
        rw_sampler_release(&node->sampler); /* gathered while the other one was judged: older than the period wants */
    }
    node->board->resume(node->board->context);
}

/* Windows begin a period apart; those that could not begin in time are left out, not made up for. */
static void begin_window(struct rw_node *node)
{
    if (!node->gathering && node->clock_ms >= node->due_ms) {
        node->due_ms += node->config.period_ms;
        node->due_ms = node->due_ms > node->clock_ms ? node->due_ms : node->clock_ms + node->config.period_ms;
        node->gathering = true;
        rw_sampler_set_idle(&node->sampler, false);
    }
}

static void listen_for_samples(struct rw_node *node)
{
    const uint32_t heard = node->sampler.taken + node->sampler.missing;

    if (heard != node->heard) {
        node->heard = heard;
        node->heard_ms = node->clock_ms;
        set_fault(node, RW_FAULT_SAMPLES, false);
    } else if (node->clock_ms - node->heard_ms >= node->config.silence_ms) {
        set_fault(node, RW_FAULT_SAMPLES, true);
        node->heard_ms = node->clock_ms;
        node->board->sample(node->board->context, &node->sink);
        struct rw_report report = {.frontend = RW_FRONTEND_BAD_LENGTH, .verdict = {.state = RW_STATE_FAULT}};
        report.verdict.kind.index = -1;
        node->window_ms = node->clock_ms;
        fill_report(node, &report);
        report.faults = node->faults;
        rw_outbox_report(&node->outbox, &report);
    }
}

uint32_t rw_node_step(struct rw_node *node)
{
    const struct rw_board *board = node->board;
    const int16_t *window;

    board->kick(board->context);
    advance_clock(node);
    set_fault(node, RW_FAULT_SUPPLY, supply_low(node));
    keep_baseline(node);
    begin_window(node);
    listen_for_samples(node);
    window = rw_sampler_window(&node->sampler);
    if (window != NULL) {
        take_window(node, window);
        release_window(node);
    }
    rw_outbox_flush(&node->outbox, node->uplink);
    if (node->gathering || node->due_ms - node->clock_ms > LONGEST_SLEEP_MS) {
        return LONGEST_SLEEP_MS < node->config.silence_ms ? LONGEST_SLEEP_MS : node->config.silence_ms;
    }
    return (uint32_t)(node->due_ms - node->clock_ms);
}

uint64_t rw_node_uptime_ms(struct rw_node *node)
{
    advance_clock(node);
    return node->clock_ms;
}

void rw_node_set_period(struct rw_node *node, uint32_t period_ms)
{
    node->config.period_ms = period_ms;
    node->due_ms = node->clock_ms;
}

void rw_node_set_shaft_hz(struct rw_node *node, float shaft_hz)
{
    node->config.shaft_hz = shaft_hz >= 0.0f && shaft_hz <= 1e6f ? shaft_hz : 0.0f;
}

void rw_node_recommission(struct rw_node *node)
{
    if (node->networks.health != NULL) {
        node->watch.failures = 0;
        rw_watch_recommission(&node->watch, false);
    }
}

void rw_node_set_threshold(struct rw_node *node, float threshold)
{
    if (node->networks.health != NULL && node->watch.watching && threshold > 0.0f && threshold < 1e6f) {
        node->watch.baseline.threshold = threshold;
        node->unsaved = true;
    }
}

void rw_node_request_waveform(struct rw_node *node)
{
    node->wanted = true;
}

const struct rw_node_config *rw_node_config(const struct rw_node *node)
{
    return &node->config;
}

bool rw_node_knows(const struct rw_report *report, size_t feature)
{
    switch (needs[feature]) {
    case RW_NEEDS_NOTHING:
        return report->frontend >= RW_FRONTEND_OK;
    case RW_NEEDS_SPEED:
        return report->frontend == RW_FRONTEND_OK || report->frontend == RW_FRONTEND_NO_BEARING;
    default:
        return report->frontend == RW_FRONTEND_OK;
    }
}

uint32_t rw_node_boots(const struct rw_node *node)
{
    return node->boots;
}

enum rw_state rw_node_state(const struct rw_node *node)
{
    if (node->faults & RW_FAULTS_BLINDING) {
        return RW_STATE_FAULT;
    }
    if (!node->watch.watching) {
        return RW_STATE_COMMISSIONING;
    }
    return node->watch.alarm.active ? RW_STATE_ALARM : RW_STATE_WATCHING;
}

bool rw_node_alarmed(const struct rw_node *node)
{
    return node->watch.alarm.active;
}

uint32_t rw_node_faults(const struct rw_node *node)
{
    return node->faults;
}
