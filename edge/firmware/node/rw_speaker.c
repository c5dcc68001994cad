/* What the node says and is told over the link: see the header. */
#include "rw_speaker.h"

#include <string.h>

#include "rw_cbor.h"
#include "rw_messages.h"

#define ASK_EVERY_MS 600000u /* a crystal of 50 ppm is 30 ms off by then */
#define ASK_AGAIN_MS 10000u
#define LATEST_ANSWER_MS 2000u /* half of it is the error of the time */
#define RESTART_AT_LAST_MS 3000u

_Static_assert((int)RW_STATE_FAULT == (int)RW_CODE_STATE_FAULT, "states are numbered as on the link");
_Static_assert((int)RW_RESET_BROWN_OUT == (int)RW_CODE_RESET_BROWN_OUT, "reasons are numbered as on the link");
_Static_assert((int)RW_UNIT_MM_S == (int)RW_CODE_UNIT_MM_S, "units are numbered as on the link");

static void key_uint(struct rw_cbor_writer *w, uint64_t key, uint64_t value)
{
    rw_cbor_write_uint(w, key);
    rw_cbor_write_uint(w, value);
}

static void key_float(struct rw_cbor_writer *w, uint64_t key, float value)
{
    rw_cbor_write_uint(w, key);
    rw_cbor_write_float(w, value);
}

/* Whether there is a session, and hello was said in it. */
static bool is_known(const struct rw_speaker *speaker)
{
    const uint32_t sessions = rw_link_counts(speaker->link).sessions;

    return sessions != 0 && sessions == speaker->sessions;
}

static uint8_t *begin_message(struct rw_speaker *speaker, struct rw_cbor_writer *w, size_t pairs)
{
    uint8_t *const body = rw_link_reserve(speaker->link);

    if (body != NULL) {
        rw_cbor_write_begin(w, body, RW_LINK_BODY_BYTES);
        rw_cbor_write_map(w, pairs);
    }
    return body;
}

static bool end_message(struct rw_speaker *speaker, const struct rw_cbor_writer *w, uint32_t kind)
{
    return !w->failed && rw_link_commit(speaker->link, kind, w->used) == RW_LINK_OK;
}

static bool say_hello(struct rw_speaker *speaker)
{
    static const uint8_t hash[] = RW_FEATURE_HASH;
    const struct rw_node_config *config = rw_node_config(speaker->node);
    const struct rw_slots *slots = speaker->updating.slots;
    struct rw_cbor_writer w;

    if (begin_message(speaker, &w, 10) == NULL) {
        return false;
    }
    rw_cbor_write_uint(&w, RW_HELLO_FIRMWARE);
    rw_cbor_write_text(&w, speaker->firmware, strlen(speaker->firmware));
    key_uint(&w, RW_HELLO_MODEL, speaker->version);
    rw_cbor_write_uint(&w, RW_HELLO_CONTRACT);
    rw_cbor_write_bytes(&w, hash, sizeof hash);
    key_uint(&w, RW_HELLO_BOOT, speaker->boot);
    key_uint(&w, RW_HELLO_RESET, (uint64_t)speaker->board->reset_reason(speaker->board->context));
    key_uint(&w, RW_HELLO_SLOT, slots != NULL ? slots->state.phase : 0u);
    key_float(&w, RW_HELLO_RATE_HZ, config->frontend.rate_hz);
    key_uint(&w, RW_HELLO_WINDOW, config->frontend.n);
    key_uint(&w, RW_HELLO_PERIOD_MS, config->period_ms);
    key_uint(&w, RW_HELLO_FEATURES, RW_N_FEATURES);
    return end_message(speaker, &w, RW_KIND_HELLO);
}

static void ask_time(struct rw_speaker *speaker)
{
    const uint64_t now_ms = rw_node_uptime_ms(speaker->node);
    struct rw_cbor_writer w;

    if (now_ms >= speaker->ask_due_ms && begin_message(speaker, &w, 1) != NULL) {
        key_uint(&w, RW_TIME_REQUEST_ASKED_MS, (uint32_t)now_ms);
        if (end_message(speaker, &w, RW_KIND_TIME_REQUEST)) {
            speaker->ask_due_ms = now_ms + ASK_AGAIN_MS;
        }
    }
}

static void write_known(struct rw_cbor_writer *w, const struct rw_report *report)
{
    uint8_t bits[(RW_N_FEATURES + 7) / 8] = {0};

    for (size_t i = 0; i < RW_N_FEATURES; i++) {
        bits[i / 8u] = (uint8_t)(bits[i / 8u] | (rw_node_knows(report, i) ? 1u << i % 8u : 0u));
    }
    rw_cbor_write_uint(w, RW_REPORT_KNOWN);
    rw_cbor_write_bytes(w, bits, sizeof bits);
}

static void write_features(struct rw_cbor_writer *w, const struct rw_report *report)
{
    rw_cbor_write_uint(w, RW_REPORT_FEATURES);
    uint8_t *to = rw_cbor_write_space(w, sizeof report->features);
    for (size_t i = 0; i < RW_N_FEATURES && to != NULL; i++, to += 4) {
        uint32_t bits;
        memcpy(&bits, &report->features[i], sizeof bits);
        to[0] = (uint8_t)bits;
        to[1] = (uint8_t)(bits >> 8);
        to[2] = (uint8_t)(bits >> 16);
        to[3] = (uint8_t)(bits >> 24);
    }
}

static void write_verdict(struct rw_cbor_writer *w, const struct rw_verdict *verdict)
{
    if (verdict->scored) {
        key_float(w, RW_REPORT_SCORE, verdict->score);
    }
    if (verdict->threshold > 0.0f) {
        key_float(w, RW_REPORT_THRESHOLD, verdict->threshold);
    }
    if (verdict->kind.index >= 0) {
        key_uint(w, RW_REPORT_DIAGNOSIS, (uint64_t)verdict->kind.index);
        key_float(w, RW_REPORT_PROBABILITY, verdict->kind.probability);
    }
}

static bool send_report(void *context, const struct rw_report *report)
{
    struct rw_speaker *speaker = context;
    const struct rw_verdict *verdict = &report->verdict;
    const size_t pairs = 9u + (speaker->time_is_set ? 1u : 0u) + (verdict->scored ? 1u : 0u) +
                         (verdict->threshold > 0.0f ? 1u : 0u) + (verdict->kind.index >= 0 ? 2u : 0u) +
                         (report->shaft_hz > 0.0f ? 1u : 0u);
    struct rw_cbor_writer w;

    if (!is_known(speaker) || begin_message(speaker, &w, pairs) == NULL) {
        return false;
    }
    key_uint(&w, RW_REPORT_BOOT, speaker->boot);
    key_uint(&w, RW_REPORT_NUMBER, report->number);
    key_uint(&w, RW_REPORT_UPTIME_MS, report->uptime_ms);
    if (speaker->time_is_set) {
        key_uint(&w, RW_REPORT_TIME_MS, report->uptime_ms + speaker->offset_ms);
    }
    key_uint(&w, RW_REPORT_STATE, (uint64_t)verdict->state);
    rw_cbor_write_uint(&w, RW_REPORT_ALARM);
    rw_cbor_write_bool(&w, report->alarm);
    key_uint(&w, RW_REPORT_MODEL, speaker->version);
    write_verdict(&w, verdict);
    if (report->shaft_hz > 0.0f) {
        key_float(&w, RW_REPORT_SHAFT_HZ, report->shaft_hz);
    }
    key_uint(&w, RW_REPORT_LOST, report->missing);
    write_known(&w, report);
    write_features(&w, report);
    return end_message(speaker, &w, RW_KIND_REPORT);
}

static bool send_chunk(void *context, const struct rw_chunk *chunk)
{
    struct rw_speaker *speaker = context;
    const struct rw_frontend_config *frontend = &rw_node_config(speaker->node)->frontend;
    const size_t pairs = 9u + (speaker->time_is_set ? 1u : 0u) + (chunk->shaft_hz > 0.0f ? 1u : 0u);
    struct rw_cbor_writer w;

    if (!is_known(speaker) || begin_message(speaker, &w, pairs) == NULL) {
        return false;
    }
    key_uint(&w, RW_WAVEFORM_BOOT, speaker->boot);
    key_uint(&w, RW_WAVEFORM_BURST, chunk->burst);
    key_uint(&w, RW_WAVEFORM_FIRST, chunk->first);
    key_uint(&w, RW_WAVEFORM_TOTAL, chunk->whole);
    key_uint(&w, RW_WAVEFORM_UPTIME_MS, chunk->uptime_ms);
    if (speaker->time_is_set) {
        key_uint(&w, RW_WAVEFORM_TIME_MS, chunk->uptime_ms + speaker->offset_ms);
    }
    key_float(&w, RW_WAVEFORM_RATE_HZ, frontend->rate_hz);
    key_uint(&w, RW_WAVEFORM_UNIT, frontend->unit);
    key_float(&w, RW_WAVEFORM_SCALE, frontend->scale);
    if (chunk->shaft_hz > 0.0f) {
        key_float(&w, RW_WAVEFORM_SHAFT_HZ, chunk->shaft_hz);
    }
    rw_cbor_write_uint(&w, RW_WAVEFORM_SAMPLES);
    uint8_t *to = rw_cbor_write_space(&w, chunk->n * 2u);
    for (size_t i = 0; i < chunk->n && to != NULL; i++) {
        *to++ = (uint8_t)chunk->samples[i];
        *to++ = (uint8_t)((uint16_t)chunk->samples[i] >> 8);
    }
    return end_message(speaker, &w, RW_KIND_WAVEFORM);
}

static bool say(struct rw_speaker *speaker, uint32_t level, const char *text)
{
    struct rw_cbor_writer w;

    if (begin_message(speaker, &w, 3) == NULL) {
        return false;
    }
    key_uint(&w, RW_LOG_UPTIME_MS, rw_node_uptime_ms(speaker->node));
    key_uint(&w, RW_LOG_LEVEL, level);
    rw_cbor_write_uint(&w, RW_LOG_TEXT);
    rw_cbor_write_text(&w, text, strlen(text));
    return end_message(speaker, &w, RW_KIND_LOG);
}

/* Each fault that came, once; and that all are over. */
static void tell_faults(struct rw_speaker *speaker)
{
    static const char *const words[] = {
#define RW_FAULT_WORDS(identifier, bit, meaning) [bit] = (meaning),
        RW_FAULTS(RW_FAULT_WORDS)
#undef RW_FAULT_WORDS
    };
    const uint32_t faults = rw_node_faults(speaker->node);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((faults & ~speaker->told_faults) >> i & 1u) {
            speaker->told_faults |= say(speaker, RW_CODE_LEVEL_ERROR, words[i]) ? 1u << i : 0u;
        }
    }
    if (faults == 0 && speaker->told_faults != 0 && say(speaker, RW_CODE_LEVEL_INFO, "the faults are over")) {
        speaker->told_faults = 0;
    }
}

static void take_time(struct rw_speaker *speaker, struct rw_cbor_reader *r)
{
    const uint64_t now_ms = rw_node_uptime_ms(speaker->node);
    uint32_t asked_ms = 0;
    uint64_t time_ms = 0;

    for (size_t pairs = rw_cbor_read_map(r); pairs != 0 && !r->failed; pairs--) {
        switch (rw_cbor_read_uint(r)) {
        case RW_TIME_ASKED_MS:
            asked_ms = rw_cbor_read_uint32(r);
            break;
        case RW_TIME_TIME_MS:
            time_ms = rw_cbor_read_uint(r);
            break;
        default:
            rw_cbor_skip(r);
        }
    }
    const uint32_t way_ms = (uint32_t)now_ms - asked_ms;
    if (!r->failed && time_ms != 0 && way_ms <= LATEST_ANSWER_MS) {
        speaker->offset_ms = time_ms + way_ms / 2u - now_ms;
        speaker->time_is_set = true;
        speaker->ask_due_ms = now_ms - way_ms + ASK_EVERY_MS;
    }
}

static void take_configuration(struct rw_speaker *speaker, struct rw_cbor_reader *r)
{
    for (size_t pairs = rw_cbor_read_map(r); pairs != 0 && !r->failed; pairs--) {
        const uint64_t key = rw_cbor_read_uint(r);
        if (key == RW_CONFIGURE_PERIOD_MS) {
            rw_node_set_period(speaker->node, rw_cbor_read_uint32(r));
        } else if (key == RW_CONFIGURE_SHAFT_HZ) {
            rw_node_set_shaft_hz(speaker->node, rw_cbor_read_float(r));
        } else if (key == RW_CONFIGURE_RELEARN) {
            if (rw_cbor_read_bool(r)) {
                rw_node_recommission(speaker->node);
            }
        } else if (key == RW_CONFIGURE_THRESHOLD) {
            rw_node_set_threshold(speaker->node, rw_cbor_read_float(r));
        } else if (key == RW_CONFIGURE_RESET) {
            speaker->restart = rw_cbor_read_bool(r) || speaker->restart;
        } else {
            rw_cbor_skip(r);
        }
    }
    speaker->says_hello = true;
}

static void take(struct rw_speaker *speaker, const struct rw_link_message *message)
{
    struct rw_cbor_reader r;

    rw_cbor_read_begin(&r, message->body, message->n);
    if (message->kind == RW_KIND_TIME) {
        take_time(speaker, &r);
    } else if (message->kind == RW_KIND_REQUEST_WAVEFORM) {
        rw_node_request_waveform(speaker->node);
    } else if (message->kind == RW_KIND_CONFIGURE) {
        take_configuration(speaker, &r);
    } else if (rw_updating_take(&speaker->updating, message)) {
        speaker->restart = speaker->updating.restart || speaker->restart;
    }
}

static void receive(struct rw_speaker *speaker)
{
    const struct rw_board *board = speaker->board;
    struct rw_link_message message;
    uint8_t bytes[64];
    size_t n;

    while ((n = board->receive(board->context, bytes, sizeof bytes)) != 0) {
        for (size_t fed = 0; fed < n;) {
            fed += rw_link_feed(speaker->link, bytes + fed, n - fed, board->now_ms(board->context));
            if (rw_link_message(speaker->link, &message)) {
                take(speaker, &message);
                rw_link_take(speaker->link);
            }
        }
        board->kick(board->context);
    }
}

/* False when the board has no room left. */
static bool send_pending(struct rw_speaker *speaker)
{
    const struct rw_board *board = speaker->board;

    speaker->sent += board->send(board->context, speaker->pending + speaker->sent, speaker->n_pending - speaker->sent);
    return speaker->sent == speaker->n_pending;
}

static void transmit(struct rw_speaker *speaker)
{
    const struct rw_board *board = speaker->board;

    while (send_pending(speaker)) {
        speaker->sent = 0;
        speaker->n_pending = rw_link_output(speaker->link, speaker->pending, sizeof speaker->pending,
                                            board->now_ms(board->context));
        if (speaker->n_pending == 0) {
            break;
        }
    }
}

static void speak(struct rw_speaker *speaker)
{
    const uint32_t sessions = rw_link_counts(speaker->link).sessions;

    if (sessions == 0) {
        return; /* nobody is there; reports wait with the node */
    }
    if (sessions != speaker->sessions || speaker->says_hello) {
        if (!say_hello(speaker)) {
            return;
        }
        speaker->sessions = sessions;
        speaker->says_hello = false;
    }
    ask_time(speaker);
    rw_updating_tell(&speaker->updating, speaker->link);
    tell_faults(speaker);
}

/* Once the answers have arrived, or at the latest after a while. */
static void restart_when_said(struct rw_speaker *speaker)
{
    const uint64_t now_ms = rw_node_uptime_ms(speaker->node);

    if (!speaker->restart) {
        speaker->restart_ms = now_ms;
    } else if ((speaker->updating.told && rw_link_pending(speaker->link) == 0) ||
               now_ms - speaker->restart_ms > RESTART_AT_LAST_MS) {
        speaker->board->reset(speaker->board->context);
    }
}

void rw_speaker_init(struct rw_speaker *speaker, const struct rw_board *board, struct rw_link *link,
                     struct rw_slots *slots, const char *firmware, uint32_t version, uint32_t boot)
{
    memset(speaker, 0, sizeof *speaker);
    speaker->board = board;
    speaker->link = link;
    speaker->firmware = firmware;
    speaker->version = version;
    speaker->boot = boot;
    speaker->uplink = (struct rw_uplink){speaker, send_report, send_chunk};
    rw_updating_init(&speaker->updating, slots, version);
}

void rw_speaker_step(struct rw_speaker *speaker)
{
    receive(speaker);
    speak(speaker);
    transmit(speaker);
    restart_when_said(speaker);
}

uint32_t rw_speaker_due_ms(const struct rw_speaker *speaker)
{
    const struct rw_board *board = speaker->board;

    if (speaker->sent < speaker->n_pending || speaker->restart) {
        return 1;
    }
    return rw_link_due_ms(speaker->link, board->now_ms(board->context));
}
