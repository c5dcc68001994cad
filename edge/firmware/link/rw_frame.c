/* A frame is made at the end of the memory that it will fill, and stuffed in place. Source: rw_link.h. */
#include "rw_frame.h"

#include <string.h>

#include "rw_cbor.h"
#include "rw_crc32.h"

#define FIELDS 6u
#define MOST_KIND 255u

size_t rw_frame_write(const struct rw_frame *frame, uint8_t *to)
{
    uint8_t *const plain = to + RW_COBS_AHEAD(RW_FRAME_PLAIN_BYTES);
    struct rw_cbor_writer w;
    rw_cbor_write_begin(&w, plain, RW_LINK_PAYLOAD_BYTES);
    rw_cbor_write_array(&w, FIELDS);
    rw_cbor_write_uint(&w, frame->kind);
    rw_cbor_write_uint(&w, frame->session);
    rw_cbor_write_uint(&w, frame->peer);
    rw_cbor_write_uint(&w, frame->sequence);
    rw_cbor_write_uint(&w, frame->acknowledged);
    memcpy(plain + w.used, frame->body, frame->n);
    const size_t n = w.used + frame->n;
    const uint32_t crc = rw_crc32(0, plain, n);
    for (size_t i = 0; i < RW_FRAME_CRC_BYTES; ++i) {
        plain[n + i] = (uint8_t)(crc >> (8u * i));
    }
    const size_t written = rw_cobs_encode(plain, n + RW_FRAME_CRC_BYTES, to);
    to[written] = 0;
    return written + 1;
}

/* Takes the CRC off; false where it is not that of the bytes before it. */
static bool check_crc(const uint8_t *plain, size_t *n)
{
    if (*n < RW_FRAME_CRC_BYTES || *n > RW_FRAME_PLAIN_BYTES) {
        return false;
    }
    *n -= RW_FRAME_CRC_BYTES;
    const uint32_t crc = rw_crc32(0, plain, *n);
    uint32_t difference = 0;
    for (size_t i = 0; i < RW_FRAME_CRC_BYTES; ++i) {
        difference |= plain[*n + i] ^ (crc >> (8u * i) & 0xFFu);
    }
    return difference == 0;
}

bool rw_frame_read(uint8_t *encoded, size_t n, struct rw_frame *frame)
{
    if (!rw_cobs_decode(encoded, n, &n) || !check_crc(encoded, &n) || !rw_cbor_check(encoded, n)) {
        return false;
    }
    struct rw_cbor_reader r;
    rw_cbor_read_begin(&r, encoded, n);
    const bool whole = rw_cbor_read_array(&r) == FIELDS;
    frame->kind = rw_cbor_read_uint32(&r);
    frame->session = rw_cbor_read_uint32(&r);
    frame->peer = rw_cbor_read_uint32(&r);
    frame->sequence = rw_cbor_read_uint32(&r);
    frame->acknowledged = rw_cbor_read_uint32(&r);
    frame->body = r.at;
    frame->n = r.left;
    (void)rw_cbor_read_map(&r);
    return whole && !r.failed && frame->kind <= MOST_KIND && frame->session != 0 && frame->n <= RW_LINK_BODY_BYTES;
}
