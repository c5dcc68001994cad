/* Serves the link's parts to a test, over standard input and output: an operation (1 byte) and its argument (4 bytes of
 * length, little-endian, then as many bytes) are answered by 4 bytes of length and the answer. Every argument is copied
 * into memory of just its size, so that a sanitiser sees what lies outside. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rw_cbor.h"
#include "rw_cobs.h"
#include "rw_crc32.h"
#include "rw_frame.h"
#include "rw_link.h"

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0"; /* wants rights over processes that containers withhold */
}

static void put32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; ++i) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void answer(const uint8_t *data, size_t n)
{
    uint8_t head[4];
    put32(head, (uint32_t)n);
    fwrite(head, 1, 4, stdout);
    fwrite(data, 1, n, stdout);
    fflush(stdout);
}

static void serve_crc(const uint8_t *data, size_t n)
{
    uint8_t out[4];
    put32(out, rw_crc32(get32(data), data + 4, n - 4));
    answer(out, 4);
}

static void serve_encode(const uint8_t *data, size_t n)
{
    uint8_t *const out = malloc(RW_COBS_BOUND(n));
    answer(out, rw_cobs_encode(data, n, out));
    free(out);
}

static void serve_decode(uint8_t *data, size_t n)
{
    size_t decoded = 0;
    uint8_t *const out = malloc(n + 1);
    out[0] = rw_cobs_decode(data, n, &decoded);
    memcpy(out + 1, data, decoded);
    answer(out, 1 + decoded);
    free(out);
}

/* Reads an item through the functions for its kind and writes it again. */
static void copy_item(struct rw_cbor_reader *r, struct rw_cbor_writer *w)
{
    const unsigned kind = r->left > 0 ? r->at[0] >> 5 : 7u;
    size_t n = 0;
    if (kind == 0) {
        rw_cbor_write_uint(w, rw_cbor_read_uint(r));
    } else if (kind == 1) {
        rw_cbor_write_int(w, rw_cbor_read_int(r));
    } else if (kind == 2) {
        const uint8_t *const from = rw_cbor_read_bytes(r, &n);
        uint8_t *const to = n % 2 == 0 ? NULL : rw_cbor_write_space(w, n);
        if (to != NULL) {
            memcpy(to, from, n);
        } else if (n % 2 == 0) {
            rw_cbor_write_bytes(w, from, n);
        }
    } else if (kind == 3) {
        const char *const text = rw_cbor_read_text(r, &n);
        rw_cbor_write_text(w, text, n);
    } else if (kind == 4 || kind == 5) {
        n = kind == 4 ? rw_cbor_read_array(r) : rw_cbor_read_map(r);
        (kind == 4 ? rw_cbor_write_array : rw_cbor_write_map)(w, n);
        for (size_t i = 0; i < (kind - 3u) * n && !r->failed; ++i) {
            copy_item(r, w);
        }
    } else if (r->left > 0 && r->at[0] == 0xFA) {
        rw_cbor_write_float(w, rw_cbor_read_float(r));
    } else {
        rw_cbor_write_bool(w, rw_cbor_read_bool(r));
    }
}

/* Whether the bytes keep every rule, then what was read and written again, into the room that the first byte leaves. */
static void serve_cbor(const uint8_t *data, size_t n)
{
    const size_t room = n - 1 - (data[0] < n - 1 ? data[0] : n - 1);
    uint8_t *const out = malloc(2 + room);
    struct rw_cbor_reader r;
    struct rw_cbor_writer w;
    out[0] = rw_cbor_check(data + 1, n - 1);
    rw_cbor_read_begin(&r, data + 1, n - 1);
    rw_cbor_write_begin(&w, out + 2, room);
    if (out[0]) {
        copy_item(&r, &w);
    }
    out[1] = (uint8_t)(r.failed || w.failed);
    answer(out, 2 + w.used);
    free(out);
}

/* Which of the single functions take the item at the front, as bits. */
static void serve_kinds(const uint8_t *data, size_t n)
{
    uint8_t taken = 0;
    for (unsigned i = 0; i < 8; ++i) {
        struct rw_cbor_reader r;
        size_t length = 0;
        rw_cbor_read_begin(&r, data, n);
        switch (i) {
        case 0: (void)rw_cbor_read_uint(&r); break;
        case 1: (void)rw_cbor_read_int(&r); break;
        case 2: (void)rw_cbor_read_bytes(&r, &length); break;
        case 3: (void)rw_cbor_read_text(&r, &length); break;
        case 4: (void)rw_cbor_read_array(&r); break;
        case 5: (void)rw_cbor_read_map(&r); break;
        case 6: (void)rw_cbor_read_bool(&r); break;
        default: (void)rw_cbor_read_float(&r); break;
        }
        taken |= (uint8_t)(!r.failed << i);
    }
    answer(&taken, 1);
}

static void serve_frame(uint8_t *data, size_t n)
{
    struct rw_frame frame;
    uint8_t out[1 + RW_FRAME_BYTES];
    out[0] = rw_frame_read(data, n, &frame);
    answer(out, 1u + (out[0] ? rw_frame_write(&frame, out + 1) : 0u));
}

static void serve_init(const uint8_t *data, size_t n, struct rw_link **link)
{
    const struct rw_link_config config = {
        .session = get32(data),
        .name = (const char *)data + 28,
        .name_bytes = n - 28,
        .window = get32(data + 4),
        .queue_bytes = get32(data + 8),
        .resend_ms = get32(data + 12),
        .longest_ms = get32(data + 16),
        .idle_ms = get32(data + 20),
    };
    const size_t bytes = rw_link_bytes(&config);
    uint8_t out[8];
    free(*link);
    *link = NULL;
    void *const memory = malloc(bytes > 0 ? bytes : 1);
    put32(out, (uint32_t)rw_link_init(memory, bytes, &config, get32(data + 24), link));
    put32(out + 4, (uint32_t)bytes);
    if (*link == NULL) {
        free(memory);
    }
    answer(out, 8);
}

/* Takes each message at once, unless told to leave the first: bytes that were fed, then each kind, length and body. */
static void serve_feed(const uint8_t *data, size_t n, struct rw_link *link)
{
    uint8_t *const out = malloc(4 + 4 * n + 2 * RW_LINK_BODY_BYTES);
    struct rw_link_message m;
    size_t fed = 0, at = 4;
    do {
        fed += rw_link_feed(link, data + 5 + fed, n - 5 - fed, get32(data));
        if (rw_link_message(link, &m)) {
            out[at] = (uint8_t)m.kind;
            put32(out + at + 1, (uint32_t)m.n);
            memcpy(out + at + 5, m.body, m.n);
            at += 5 + m.n;
        }
        if (data[4]) {
            rw_link_take(link);
        }
    } while (fed < n - 5 && data[4]);
    put32(out, (uint32_t)fed);
    answer(out, at);
    free(out);
}

static void serve_output(const uint8_t *data, struct rw_link *link)
{
    const size_t room = get32(data + 4);
    uint8_t *const out = malloc(room > 0 ? room : 1);
    answer(out, rw_link_output(link, out, room, get32(data)));
    free(out);
}

/* By the copying or the reserving call, in turn. */
static void serve_send(const uint8_t *data, size_t n, struct rw_link *link)
{
    uint8_t out[4];
    enum rw_link_status status;
    if (n % 2 == 0) {
        status = rw_link_send(link, data[0], data + 1, n - 1);
    } else {
        uint8_t *const to = rw_link_reserve(link);
        memcpy(to != NULL ? to : out, data + 1, to != NULL && n - 1 <= RW_LINK_BODY_BYTES ? n - 1 : 0);
        status = to != NULL ? rw_link_commit(link, data[0], n - 1) : RW_LINK_FULL;
    }
    put32(out, (uint32_t)status);
    answer(out, 4);
}

static void serve_state(const uint8_t *data, struct rw_link *link)
{
    const uint32_t now_ms = get32(data), within_ms = get32(data + 4);
    const struct rw_link_counts c = rw_link_counts(link);
    const uint32_t numbers[] = {c.damaged,        c.repeated,
                                c.early,          c.foreign,
                                c.resent,         c.sessions,
                                rw_link_due_ms(link, now_ms), (uint32_t)rw_link_pending(link),
                                rw_link_up(link, within_ms, now_ms)};
    uint8_t out[sizeof numbers + RW_LINK_NAME_BYTES];
    size_t n;
    const char *const name = rw_link_peer_name(link, &n);
    for (size_t i = 0; i < sizeof numbers / 4; ++i) {
        put32(out + 4 * i, numbers[i]);
    }
    memcpy(out + sizeof numbers, name, n);
    answer(out, sizeof numbers + n);
}

static void serve_drop(struct rw_link *link)
{
    uint8_t out[4];
    put32(out, (uint32_t)rw_link_drop_unsent(link));
    answer(out, 4);
}

int main(void)
{
    struct rw_link *link = NULL;
    uint8_t head[5];
    while (fread(head, 1, 5, stdin) == 5) {
        const size_t n = get32(head + 1);
        uint8_t *const data = malloc(n > 0 ? n : 1);
        if (fread(data, 1, n, stdin) != n) {
            return 1;
        }
        switch (head[0]) {
        case 'c': serve_crc(data, n); break;
        case 'e': serve_encode(data, n); break;
        case 'd': serve_decode(data, n); break;
        case 'k': serve_cbor(data, n); break;
        case 't': serve_kinds(data, n); break;
        case 'f': serve_frame(data, n); break;
        case 'I': serve_init(data, n, &link); break;
        case 'F': serve_feed(data, n, link); break;
        case 'O': serve_output(data, link); break;
        case 'S': serve_send(data, n, link); break;
        case 'Q': serve_state(data, link); break;
        case 'D': serve_drop(link); break;
        default: return 2;
        }
        free(data);
    }
    free(link);
    return 0;
}
