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

int main(void)
{
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
        default: return 2;
        }
        free(data);
    }
    return 0;
}
