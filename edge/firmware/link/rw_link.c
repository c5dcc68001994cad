/* What is owed to the peer is kept as flags and as places in the queue; output turns them into one frame at a time.
 *
 * Of the messages in the queue, `sent` are under way in this round and `most` were ever sent in this session; a round
 * ends when an acknowledgement does not come in time, and the next one begins with the oldest message alone. */
#include "rw_link.h"

#include <string.h>

#include "rw_cbor.h"
#include "rw_frame.h"

#define MOST_QUEUE (UINT32_C(1) << 24)
#define LONGEST_MS (UINT32_C(1) << 30)
#define MOST_KIND 255u
/* Late frames of a session that has ended must not bring it back. */
#define RETIRED_MS 30000u
#define SYNC_BYTES (RW_LINK_NAME_BYTES + 20u)

struct rw_link {
    struct rw_link_config config; /* the name lies in `name` */
    struct rw_link_counts counts;
    char name[RW_LINK_NAME_BYTES];
    char peer_name[RW_LINK_NAME_BYTES];
    size_t peer_name_bytes;

    uint32_t peer;    /* 0 before the first */
    uint32_t retired; /* the peer before it */
    uint32_t retired_ms;
    uint32_t heard_ms;
    uint32_t said_ms;
    bool heard;

    bool owes_ack;
    bool owes_sync;
    uint32_t sync_to;
    uint32_t sync_echo;
    uint32_t sync_wait_ms;

    uint32_t acknowledged; /* number of the last message that the peer took */
    size_t pending;
    size_t used; /* bytes of the queue */
    size_t sent;
    size_t most;
    bool probing; /* only the oldest message is sent until it is acknowledged */
    bool waits;
    uint32_t since_ms;
    uint32_t wait_ms;

    uint32_t taken; /* number of the last message taken from the peer */
    bool has_message;
    struct rw_frame message;

    size_t in_bytes;
    bool in_overlong;
    size_t out_at;
    size_t out_bytes;
    bool out_is_message;
    uint8_t in[RW_FRAME_BYTES];
    uint8_t out[RW_FRAME_BYTES];
    uint8_t queue[]; /* records: length and kind, 2 bytes each, and the body */
};

static bool between(uint32_t least, uint32_t value, uint32_t most)
{
    return value >= least && value <= most;
}

size_t rw_link_bytes(const struct rw_link_config *c)
{
    const bool admitted = c->session != 0 && c->name != NULL && c->name_bytes > 0 &&
                          c->name_bytes <= RW_LINK_NAME_BYTES && between(1, c->window, RW_LINK_MOST_WINDOW) &&
                          between(RW_LINK_BODY_BYTES + RW_LINK_RECORD_BYTES, c->queue_bytes, MOST_QUEUE) &&
                          between(1, c->resend_ms, c->longest_ms) && c->longest_ms <= LONGEST_MS &&
                          between(c->resend_ms, c->idle_ms, LONGEST_MS);
    return admitted ? sizeof(struct rw_link) + c->queue_bytes : 0u;
}

enum rw_link_status rw_link_init(void *memory, size_t bytes, const struct rw_link_config *config, uint32_t now_ms,
                                 struct rw_link **out)
{
    const size_t wanted = rw_link_bytes(config);
    if (wanted == 0) {
        return RW_LINK_REFUSED;
    }
    if (bytes < wanted || (uintptr_t)memory % 8u != 0) {
        return RW_LINK_NO_MEMORY;
    }
    struct rw_link *const l = memory;
    memset(l, 0, sizeof *l);
    l->config = *config;
    memcpy(l->name, config->name, config->name_bytes);
    l->config.name = l->name;
    l->said_ms = now_ms;
    l->owes_sync = true;
    l->sync_wait_ms = config->resend_ms;
    l->wait_ms = config->resend_ms;
    *out = l;
    return RW_LINK_OK;
}

static uint32_t get16(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8;
}

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

/* Bytes of the first n records. */
static size_t record_bytes(const struct rw_link *l, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; ++i) {
        at += RW_LINK_RECORD_BYTES + get16(l->queue + at);
    }
    return at;
}

static uint32_t doubled(const struct rw_link *l, uint32_t wait_ms)
{
    return wait_ms > l->config.longest_ms / 2u ? l->config.longest_ms : 2u * wait_ms;
}

/* ---- receiving ---- */

static void owe_sync(struct rw_link *l, uint32_t to, uint32_t echo)
{
    l->owes_sync = true;
    l->sync_to = to;
    l->sync_echo = echo;
}

/* Both sides count from 0 again; what is queued stays queued. */
static void take_up(struct rw_link *l, uint32_t session, uint32_t now_ms)
{
    l->retired = l->peer;
    l->retired_ms = now_ms;
    l->peer = session;
    l->counts.sessions++;
    l->acknowledged = 0;
    l->sent = 0;
    l->most = 0;
    l->probing = false;
    l->waits = false;
    l->wait_ms = l->config.resend_ms;
    l->taken = 0;
    l->owes_ack = false;
}

static void hear_sync(struct rw_link *l, const struct rw_frame *frame, uint32_t now_ms)
{
    struct rw_cbor_reader r;
    size_t n;
    rw_cbor_read_begin(&r, frame->body, frame->n);
    bool good = rw_cbor_read_map(&r) == 4 && rw_cbor_read_uint(&r) == RW_LINK_SYNC_NAME;
    const char *const name = rw_cbor_read_text(&r, &n);
    good = good && n > 0 && n <= RW_LINK_NAME_BYTES && rw_cbor_read_uint(&r) == RW_LINK_SYNC_KNOWN;
    const bool known = rw_cbor_read_bool(&r);
    good = good && rw_cbor_read_uint(&r) == RW_LINK_SYNC_COUNT;
    const uint64_t count = rw_cbor_read_uint(&r);
    good = good && rw_cbor_read_uint(&r) == RW_LINK_SYNC_ECHO;
    const uint64_t echo = rw_cbor_read_uint(&r);
    if (!good || r.failed || count > UINT32_MAX || echo > UINT32_MAX) {
        l->counts.damaged++;
        return;
    }
    if (frame->session != l->peer && echo != l->counts.sessions) { /* from before the last change of peers */
        l->counts.foreign++;
        owe_sync(l, frame->session, (uint32_t)count);
        return;
    }
    if (frame->session != l->peer) {
        take_up(l, frame->session, now_ms);
    }
    memcpy(l->peer_name, name, n);
    l->peer_name_bytes = n;
    l->heard = true;
    l->heard_ms = now_ms;
    if (!known) {
        owe_sync(l, l->peer, (uint32_t)count);
    }
}

/* Removes what the peer has taken; numbers that were never sent, or were acknowledged before, change nothing. */
static void hear_acknowledged(struct rw_link *l, uint32_t acknowledged, uint32_t now_ms)
{
    const uint32_t n = acknowledged - l->acknowledged;
    if (n == 0 || n > l->most) {
        return;
    }
    const size_t bytes = record_bytes(l, n);
    l->used -= bytes;
    memmove(l->queue, l->queue + bytes, l->used);
    l->acknowledged = acknowledged;
    l->pending -= n;
    l->most -= n;
    l->sent = l->sent > n ? l->sent - n : 0;
    l->probing = false;
    l->waits = l->sent > 0;
    l->since_ms = now_ms;
    l->wait_ms = l->config.resend_ms;
}

static void hear_message(struct rw_link *l, const struct rw_frame *frame)
{
    const uint32_t ahead = frame->sequence - l->taken;
    if (ahead == 1) {
        l->message = *frame;
        l->has_message = true;
        return;
    }
    if (ahead == 0 || ahead > UINT32_MAX / 2u) {
        l->counts.repeated++;
    } else {
        l->counts.early++;
    }
    l->owes_ack = true;
}

static void hear(struct rw_link *l, const struct rw_frame *frame, uint32_t now_ms)
{
    const bool late = l->retired != 0 && frame->session == l->retired && now_ms - l->retired_ms < RETIRED_MS;
    const bool mine = frame->peer == l->config.session;
    if (late || frame->session == l->config.session) { /* the other is what a line sends back that echoes */
        l->counts.foreign++;
    } else if (mine && frame->kind == RW_LINK_SYNC) {
        hear_sync(l, frame, now_ms);
    } else if (!mine || frame->session != l->peer) {
        l->counts.foreign++;
        owe_sync(l, frame->session, 0);
    } else {
        l->heard = true;
        l->heard_ms = now_ms;
        hear_acknowledged(l, frame->acknowledged, now_ms);
        if (frame->kind >= RW_LINK_FIRST_KIND) {
            hear_message(l, frame);
        }
    }
}

/* A zero has come: what was collected since the last one is a frame, or none. */
static void end_frame(struct rw_link *l, uint32_t now_ms)
{
    struct rw_frame frame;
    const size_t n = l->in_bytes;
    const bool overlong = l->in_overlong;
    l->in_bytes = 0;
    l->in_overlong = false;
    if (n == 0) {
        return;
    }
    if (overlong || !rw_frame_read(l->in, n, &frame)) {
        l->counts.damaged++;
        return;
    }
    hear(l, &frame, now_ms);
}

size_t rw_link_feed(struct rw_link *l, const uint8_t *from, size_t n, uint32_t now_ms)
{
    size_t i = 0;
    while (i < n && !l->has_message) {
        const uint8_t byte = from[i++];
        if (byte == 0) {
            end_frame(l, now_ms);
        } else if (l->in_bytes < sizeof l->in) {
            l->in[l->in_bytes++] = byte;
        } else {
            l->in_overlong = true;
        }
    }
    return i;
}

bool rw_link_message(const struct rw_link *l, struct rw_link_message *message)
{
    if (l->has_message) {
        *message = (struct rw_link_message){.kind = l->message.kind, .body = l->message.body, .n = l->message.n};
    }
    return l->has_message;
}

void rw_link_take(struct rw_link *l)
{
    if (l->has_message) {
        l->has_message = false;
        l->taken++;
        l->owes_ack = true;
    }
}

/* ---- sending ---- */

static void put_frame(struct rw_link *l, const struct rw_frame *frame, uint32_t now_ms)
{
    l->out_at = 0;
    l->out_bytes = rw_frame_write(frame, l->out);
    l->out_is_message = false;
    l->said_ms = now_ms;
}

static void say_sync(struct rw_link *l, uint32_t now_ms)
{
    uint8_t body[SYNC_BYTES];
    struct rw_cbor_writer w;
    rw_cbor_write_begin(&w, body, sizeof body);
    rw_cbor_write_map(&w, 4);
    rw_cbor_write_uint(&w, RW_LINK_SYNC_NAME);
    rw_cbor_write_text(&w, l->name, l->config.name_bytes);
    rw_cbor_write_uint(&w, RW_LINK_SYNC_KNOWN);
    rw_cbor_write_bool(&w, l->peer != 0 && l->sync_to == l->peer);
    rw_cbor_write_uint(&w, RW_LINK_SYNC_COUNT);
    rw_cbor_write_uint(&w, l->counts.sessions);
    rw_cbor_write_uint(&w, RW_LINK_SYNC_ECHO);
    rw_cbor_write_uint(&w, l->sync_echo);
    const struct rw_frame frame = {RW_LINK_SYNC, l->config.session, l->sync_to, 0, l->taken, body, w.used};
    put_frame(l, &frame, now_ms);
    l->owes_sync = false;
    l->sync_to = 0;
    l->sync_echo = 0;
}

static void say_ack(struct rw_link *l, uint32_t now_ms)
{
    static const uint8_t nothing[1] = {0xA0}; /* a map without entries */
    const struct rw_frame frame = {RW_LINK_ACK, l->config.session, l->peer, 0, l->taken, nothing, sizeof nothing};
    put_frame(l, &frame, now_ms);
    l->owes_ack = false;
}

static void say_message(struct rw_link *l, uint32_t now_ms)
{
    const uint8_t *const record = l->queue + record_bytes(l, l->sent);
    const struct rw_frame frame = {
        .kind = get16(record + 2),
        .session = l->config.session,
        .peer = l->peer,
        .sequence = l->acknowledged + (uint32_t)l->sent + 1u,
        .acknowledged = l->taken,
        .body = record + RW_LINK_RECORD_BYTES,
        .n = get16(record),
    };
    put_frame(l, &frame, now_ms);
    l->owes_ack = false;
    l->sent++;
    l->most = l->sent > l->most ? l->sent : l->most;
    l->waits = true;
    l->out_is_message = true;
}

static bool may_send(const struct rw_link *l)
{
    return l->peer != 0 && l->sent < l->pending && l->sent < (l->probing ? 1u : l->config.window);
}

/* What time alone brings about: the end of a round, an invitation, a sign of life. */
static void pass_time(struct rw_link *l, uint32_t now_ms)
{
    if (l->waits && now_ms - l->since_ms >= l->wait_ms) {
        l->counts.resent++;
        l->waits = false;
        l->probing = true;
        l->sent = 0;
        l->wait_ms = doubled(l, l->wait_ms);
    }
    if (l->peer == 0 && !l->owes_sync && now_ms - l->said_ms >= l->sync_wait_ms) {
        owe_sync(l, 0, 0);
        l->sync_wait_ms = doubled(l, l->sync_wait_ms);
    }
    if (l->peer != 0 && now_ms - l->said_ms >= l->config.idle_ms) {
        l->owes_ack = true;
    }
    if (now_ms - l->heard_ms >= LONGEST_MS) { /* before the difference begins again at 0 */
        l->heard = false;
    }
    if (now_ms - l->retired_ms >= RETIRED_MS) {
        l->retired = 0;
    }
}

/* The next frame that is owed; false where none is. */
static bool say_next(struct rw_link *l, uint32_t now_ms)
{
    pass_time(l, now_ms);
    if (l->owes_sync) {
        say_sync(l, now_ms);
    } else if (may_send(l)) {
        say_message(l, now_ms);
    } else if (l->owes_ack) {
        say_ack(l, now_ms);
    } else {
        return false;
    }
    return true;
}

size_t rw_link_output(struct rw_link *l, uint8_t *to, size_t n, uint32_t now_ms)
{
    size_t written = 0;
    while (written < n && (l->out_at < l->out_bytes || say_next(l, now_ms))) {
        const size_t left = l->out_bytes - l->out_at, room = n - written;
        const size_t moved = left < room ? left : room;
        memcpy(to + written, l->out + l->out_at, moved);
        l->out_at += moved;
        written += moved;
        if (l->out_is_message) { /* its last byte begins the wait: a slow line takes its time over a frame */
            l->since_ms = now_ms;
        }
    }
    return written;
}

static uint32_t left_of(uint32_t wait_ms, uint32_t since_ms, uint32_t now_ms)
{
    const uint32_t passed = now_ms - since_ms;
    return passed < wait_ms ? wait_ms - passed : 0u;
}

uint32_t rw_link_due_ms(const struct rw_link *l, uint32_t now_ms)
{
    if (l->out_at < l->out_bytes || l->owes_sync || l->owes_ack || may_send(l)) {
        return 0;
    }
    const uint32_t quiet = left_of(l->peer == 0 ? l->sync_wait_ms : l->config.idle_ms, l->said_ms, now_ms);
    const uint32_t wait = l->waits ? left_of(l->wait_ms, l->since_ms, now_ms) : quiet;
    return wait < quiet ? wait : quiet;
}

uint8_t *rw_link_reserve(struct rw_link *l)
{
    const size_t room = l->config.queue_bytes - l->used;
    return room < RW_LINK_RECORD_BYTES + RW_LINK_BODY_BYTES ? NULL : l->queue + l->used + RW_LINK_RECORD_BYTES;
}

enum rw_link_status rw_link_commit(struct rw_link *l, uint32_t kind, size_t n)
{
    uint8_t *const record = l->queue + l->used;
    if (rw_link_reserve(l) == NULL) {
        return RW_LINK_FULL;
    }
    return rw_link_send(l, kind, record + RW_LINK_RECORD_BYTES, n);
}

enum rw_link_status rw_link_send(struct rw_link *l, uint32_t kind, const uint8_t *body, size_t n)
{
    uint8_t *const record = l->queue + l->used;
    const bool map = n > 0 && n <= RW_LINK_BODY_BYTES && body[0] >> 5 == 5 && rw_cbor_check(body, n);
    if (!between(RW_LINK_FIRST_KIND, kind, MOST_KIND) || !map) {
        return RW_LINK_REFUSED;
    }
    if (l->config.queue_bytes - l->used < RW_LINK_RECORD_BYTES + n) {
        return RW_LINK_FULL;
    }
    memmove(record + RW_LINK_RECORD_BYTES, body, n);
    put16(record, (uint32_t)n);
    put16(record + 2, kind);
    l->used += RW_LINK_RECORD_BYTES + n;
    l->pending++;
    return RW_LINK_OK;
}

size_t rw_link_pending(const struct rw_link *l)
{
    return l->pending;
}

size_t rw_link_drop_unsent(struct rw_link *l)
{
    const size_t dropped = l->pending - l->most;
    l->pending = l->most;
    l->used = record_bytes(l, l->most);
    return dropped;
}

bool rw_link_up(const struct rw_link *l, uint32_t within_ms, uint32_t now_ms)
{
    return l->heard && now_ms - l->heard_ms <= within_ms;
}

const char *rw_link_peer_name(const struct rw_link *l, size_t *n)
{
    *n = l->peer_name_bytes;
    return l->peer_name;
}

struct rw_link_counts rw_link_counts(const struct rw_link *l)
{
    return l->counts;
}
