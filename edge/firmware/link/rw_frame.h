/* Frames of the link: COBS([kind, session, peer, sequence, acknowledged, body] | CRC-32) and a zero; see rw_link.h. */
#ifndef RW_FRAME_H
#define RW_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rw_cobs.h"
#include "rw_link.h"

#define RW_FRAME_CRC_BYTES 4u
#define RW_FRAME_PLAIN_BYTES (RW_LINK_PAYLOAD_BYTES + RW_FRAME_CRC_BYTES)
#define RW_FRAME_BYTES (RW_COBS_BOUND(RW_FRAME_PLAIN_BYTES) + 1u) /* with the zero */

struct rw_frame {
    uint32_t kind; /* to 255 */
    uint32_t session;
    uint32_t peer;
    uint32_t sequence;
    uint32_t acknowledged;
    const uint8_t *body; /* a map */
    size_t n;            /* to RW_LINK_BODY_BYTES */
};

/* Writes a frame with its zero into RW_FRAME_BYTES and returns how many bytes it has. */
size_t rw_frame_write(const struct rw_frame *frame, uint8_t *to);

/* Reads the n bytes before a zero, decoding them in place; the body points among them. False where they are no frame. */
bool rw_frame_read(uint8_t *encoded, size_t n, struct rw_frame *frame);

#endif
