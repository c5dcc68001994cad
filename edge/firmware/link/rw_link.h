/* Messages between two ends of a line that loses, doubles, corrupts, cuts and delays bytes: every one arrives once, in
 * order, as long as neither end restarts.
 *
 * A frame is COBS(payload | CRC-32 of it, little-endian) and a zero. Its payload is the CBOR array
 * [kind, session, peer, sequence, acknowledged, body]: the sender's session and the peer's as it knows it, the number of
 * this message (0 for kinds of the link itself), how many messages were taken from the peer, and a map.
 *
 * An end takes up a session with a peer on a frame of kind RW_LINK_SYNC that names its own session, which no frame to an
 * earlier start of it does, and how many it has taken up, which no frame of an earlier start of the peer does. Messages count up from 1 in it. The receiver takes the next one alone and drops the others;
 * the sender keeps all until they are acknowledged, and sends the oldest again when nothing is acknowledged in time,
 * each time after twice as long. Where the peer has restarted, what was not acknowledged is sent to its new session: it
 * may arrive a second time. No input or output happens here, and time is an argument: milliseconds modulo 2^32.
 *
 * Memory comes from the caller: bytes needed, init, then the rest. Nothing here may be called from an interrupt. */
#ifndef RW_LINK_H
#define RW_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_LINK_PAYLOAD_BYTES 1024u
#define RW_LINK_BODY_BYTES 1000u /* what is left of the payload beside the longest numbers */
#define RW_LINK_NAME_BYTES 32u
#define RW_LINK_RECORD_BYTES 4u /* of the queue, beside each body */
#define RW_LINK_MOST_WINDOW 32u

/* Kinds below this one are the link's own. */
#define RW_LINK_ACK 0u
#define RW_LINK_SYNC 1u
#define RW_LINK_FIRST_KIND 2u

/* Keys of the body of RW_LINK_SYNC. */
#define RW_LINK_SYNC_NAME 1u
#define RW_LINK_SYNC_KNOWN 2u /* whether the sender has taken up the session that it answers */
#define RW_LINK_SYNC_COUNT 3u /* sessions that the sender has taken up so far */
#define RW_LINK_SYNC_ECHO 4u  /* that number of the peer's, from the frame that is answered; 0 where it had none */

#define RW_LINK_STATUSES(X)                                                                                            \
    X(RW_LINK_OK, 0, "done")                                                                                           \
    X(RW_LINK_REFUSED, -1, "a configuration, kind or body outside of what the header admits")                          \
    X(RW_LINK_NO_MEMORY, -2, "less memory than rw_link_bytes asks for, or not aligned to 8")                           \
    X(RW_LINK_FULL, -3, "no room in the queue until the peer acknowledges")

enum rw_link_status {
#define RW_LINK_STATUS(name, value, meaning) name = value,
    RW_LINK_STATUSES(RW_LINK_STATUS)
#undef RW_LINK_STATUS
};

struct rw_link_config {
    uint32_t session;     /* of this start of this end: not 0, and not one of its last ones */
    const char *name;     /* who this end is: UTF-8 of 1 to RW_LINK_NAME_BYTES bytes; it is copied */
    size_t name_bytes;
    uint32_t window;      /* most messages under way: 1 to RW_LINK_MOST_WINDOW */
    uint32_t queue_bytes; /* for messages not yet acknowledged; at least one of the largest: body and record */
    uint32_t resend_ms;   /* first wait for an acknowledgement, after the last message said */
    uint32_t longest_ms;  /* longest wait, at least resend_ms and at most 2^30 */
    uint32_t idle_ms;     /* after which something is sent though nothing is to be said; from resend_ms to 2^30 */
};

struct rw_link_message {
    uint32_t kind;
    const uint8_t *body; /* a CBOR map that keeps the rules of rw_cbor.h */
    size_t n;
};

struct rw_link_counts {
    uint32_t damaged;  /* frames that were no frame */
    uint32_t repeated; /* messages that had been taken already */
    uint32_t early;    /* messages that came before the one they follow */
    uint32_t foreign;  /* frames of other sessions */
    uint32_t resent;   /* waits that ended without an acknowledgement */
    uint32_t sessions; /* sessions taken up with a peer; when it grows, the peer is another one or has restarted */
};

struct rw_link;

/* Bytes that a link of this configuration takes, 0 where it is refused. */
size_t rw_link_bytes(const struct rw_link_config *config);

enum rw_link_status rw_link_init(void *memory, size_t bytes, const struct rw_link_config *config, uint32_t now_ms,
                                 struct rw_link **out);

/* Takes bytes from the line and returns how many: fewer than n where a message now waits to be taken. */
size_t rw_link_feed(struct rw_link *l, const uint8_t *from, size_t n, uint32_t now_ms);

/* The message that waits; false where there is none. It stays, and nothing more is fed, until rw_link_take. */
bool rw_link_message(const struct rw_link *l, struct rw_link_message *message);

/* Lets the peer know that the waiting message has arrived: it need not be kept any longer on the other side. */
void rw_link_take(struct rw_link *l);

/* Writes at most n bytes for the line and returns how many. */
size_t rw_link_output(struct rw_link *l, uint8_t *to, size_t n, uint32_t now_ms);

/* Milliseconds until rw_link_output has something to write, 0 where it has now; later bytes and messages may hasten it. */
uint32_t rw_link_due_ms(const struct rw_link *l, uint32_t now_ms);

/* Queues a message: kind from RW_LINK_FIRST_KIND to 255, body a map of at most RW_LINK_BODY_BYTES, checked by
 * rw_cbor_check. */
enum rw_link_status rw_link_send(struct rw_link *l, uint32_t kind, const uint8_t *body, size_t n);

/* The same without a copy: room for the largest body, or NULL while the queue is full; what is written there is sent by
 * rw_link_commit. Nothing else of the link may be called between the two. */
uint8_t *rw_link_reserve(struct rw_link *l);
enum rw_link_status rw_link_commit(struct rw_link *l, uint32_t kind, size_t n);

/* Messages that are not acknowledged yet. */
size_t rw_link_pending(const struct rw_link *l);

/* Forgets what is queued and was never sent in this session: all, when it has just been taken up. Returns how many. */
size_t rw_link_drop_unsent(struct rw_link *l);

/* Whether a session is taken up and the peer was heard in the last within_ms. */
bool rw_link_up(const struct rw_link *l, uint32_t within_ms, uint32_t now_ms);

/* Who the peer says it is; n is 0 before the first session. */
const char *rw_link_peer_name(const struct rw_link *l, size_t *n);

struct rw_link_counts rw_link_counts(const struct rw_link *l);

#endif
