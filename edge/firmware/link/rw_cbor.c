/* An item begins with 3 bits of its kind and 5 of a count: below 24 the count itself, 24 to 27 its length of 1, 2, 4 or 8
 * bytes, most significant first. Source: see the header. */
#include "rw_cbor.h"

#include <string.h>

enum kind { UINT = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, OTHER = 7 };

#define FALSE_BYTE 0xF4u
#define TRUE_BYTE 0xF5u
#define FLOAT_BYTE 0xFAu
#define NOT_FINITE 0x7F800000u /* all bits of the exponent */

void rw_cbor_write_begin(struct rw_cbor_writer *w, uint8_t *to, size_t n)
{
    *w = (struct rw_cbor_writer){.start = to, .used = 0, .room = n, .failed = false};
}

/* Room for n more bytes, or NULL from then on. */
static uint8_t *take_room(struct rw_cbor_writer *w, size_t n)
{
    if (w->failed || n > w->room) {
        w->failed = true;
        return NULL;
    }
    uint8_t *const at = w->start + w->used;
    w->used += n;
    w->room -= n;
    return at;
}

static void write_head(struct rw_cbor_writer *w, enum kind kind, uint64_t count)
{
    const unsigned code = count < 24u           ? (unsigned)count
                          : count <= UINT8_MAX  ? 24u
                          : count <= UINT16_MAX ? 25u
                          : count <= UINT32_MAX ? 26u
                                                : 27u;
    const size_t n = code < 24u ? 0u : (size_t)1 << (code - 24u);
    uint8_t *const at = take_room(w, 1u + n);
    if (at == NULL) {
        return;
    }
    at[0] = (uint8_t)((unsigned)kind << 5 | code);
    for (size_t i = 0; i < n; ++i) {
        at[n - i] = (uint8_t)(count >> (8u * i));
    }
}

static void write_string(struct rw_cbor_writer *w, enum kind kind, const void *from, size_t n)
{
    write_head(w, kind, n);
    uint8_t *const at = take_room(w, n);
    if (at != NULL && n > 0) {
        memcpy(at, from, n);
    }
}

void rw_cbor_write_uint(struct rw_cbor_writer *w, uint64_t value)
{
    write_head(w, UINT, value);
}

void rw_cbor_write_int(struct rw_cbor_writer *w, int64_t value)
{
    if (value < 0) {
        write_head(w, NEGATIVE, (uint64_t)(-1 - value));
    } else {
        write_head(w, UINT, (uint64_t)value);
    }
}

void rw_cbor_write_bytes(struct rw_cbor_writer *w, const uint8_t *bytes, size_t n)
{
    write_string(w, BYTES, bytes, n);
}

void rw_cbor_write_text(struct rw_cbor_writer *w, const char *text, size_t n)
{
    write_string(w, TEXT, text, n);
}

void rw_cbor_write_array(struct rw_cbor_writer *w, size_t n)
{
    write_head(w, ARRAY, n);
}

void rw_cbor_write_map(struct rw_cbor_writer *w, size_t n)
{
    write_head(w, MAP, n);
}

void rw_cbor_write_bool(struct rw_cbor_writer *w, bool value)
{
    uint8_t *const at = take_room(w, 1);
    if (at != NULL) {
        *at = value ? TRUE_BYTE : FALSE_BYTE;
    }
}

void rw_cbor_write_float(struct rw_cbor_writer *w, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint8_t *const at = (bits & NOT_FINITE) == NOT_FINITE ? NULL : take_room(w, 5);
    if (at == NULL) {
        w->failed = true;
        return;
    }
    at[0] = FLOAT_BYTE;
    for (size_t i = 0; i < 4; ++i) {
        at[4 - i] = (uint8_t)(bits >> (8u * i));
    }
}

uint8_t *rw_cbor_write_space(struct rw_cbor_writer *w, size_t n)
{
    write_head(w, BYTES, n);
    return take_room(w, n);
}

void rw_cbor_read_begin(struct rw_cbor_reader *r, const uint8_t *from, size_t n)
{
    *r = (struct rw_cbor_reader){.at = from, .left = n, .failed = false};
}

static void fail(struct rw_cbor_reader *r)
{
    r->failed = true;
    r->left = 0;
}

static const uint8_t *pass(struct rw_cbor_reader *r, size_t n)
{
    const uint8_t *const at = r->at;
    r->at += n;
    r->left -= n;
    return at;
}

/* Big-endian bits of 1 + n bytes at the front, without the first; 0 and failure where they are not there. */
static uint64_t read_bits(struct rw_cbor_reader *r, size_t n)
{
    if (r->left < 1u + n) {
        fail(r);
        return 0;
    }
    const uint8_t *const at = pass(r, 1u + n);
    uint64_t bits = 0;
    for (size_t i = 1; i <= n; ++i) {
        bits = bits << 8 | at[i];
    }
    return bits;
}

static bool next_is(const struct rw_cbor_reader *r, enum kind kind)
{
    return r->left > 0 && r->at[0] >> 5 == (uint8_t)kind;
}

/* Count of the item at the front, which is to be of this kind; refuses counts in more bytes than they need. */
static uint64_t read_head(struct rw_cbor_reader *r, enum kind kind)
{
    if (!next_is(r, kind)) {
        fail(r);
        return 0;
    }
    const unsigned code = r->at[0] & 31u;
    if (code > 27u) {
        fail(r);
        return 0;
    }
    if (code < 24u) {
        (void)pass(r, 1);
        return code;
    }
    const uint64_t count = read_bits(r, (size_t)1 << (code - 24u));
    if (count < (code == 24u ? 24u : UINT64_C(1) << (4u << (code - 24u)))) {
        fail(r);
        return 0;
    }
    return count;
}

/* Count of a head that is followed by at least `each` bytes for every one of it. */
static size_t read_count(struct rw_cbor_reader *r, enum kind kind, size_t each)
{
    const uint64_t count = read_head(r, kind);
    if (count > r->left / each) {
        fail(r);
        return 0;
    }
    return (size_t)count;
}

static const uint8_t *read_string(struct rw_cbor_reader *r, enum kind kind, size_t *n)
{
    *n = read_count(r, kind, 1);
    return pass(r, *n);
}

uint64_t rw_cbor_read_uint(struct rw_cbor_reader *r)
{
    return read_head(r, UINT);
}

uint32_t rw_cbor_read_uint32(struct rw_cbor_reader *r)
{
    const uint64_t value = read_head(r, UINT);
    if (value > UINT32_MAX) {
        fail(r);
        return 0;
    }
    return (uint32_t)value;
}

int64_t rw_cbor_read_int(struct rw_cbor_reader *r)
{
    const bool negative = next_is(r, NEGATIVE);
    const uint64_t count = read_head(r, negative ? NEGATIVE : UINT);
    if (count > INT64_MAX) {
        fail(r);
        return 0;
    }
    return negative ? -1 - (int64_t)count : (int64_t)count;
}

const uint8_t *rw_cbor_read_bytes(struct rw_cbor_reader *r, size_t *n)
{
    return read_string(r, BYTES, n);
}

/* Bytes of the character at the front of n > 0, 0 where it is none: too long, a surrogate, above U+10FFFF, or cut short.
 * Source: RFC 3629, section 4. */
static size_t character_bytes(const uint8_t *s, size_t n)
{
    const uint8_t first = s[0];
    if (first < 0x80u) {
        return 1;
    }
    const size_t length = first < 0xC2u ? 0u : first < 0xE0u ? 2u : first < 0xF0u ? 3u : first < 0xF5u ? 4u : 0u;
    if (length == 0 || length > n) {
        return 0;
    }
    const uint8_t least = first == 0xE0u ? 0xA0u : first == 0xF0u ? 0x90u : 0x80u;
    const uint8_t most = first == 0xEDu ? 0x9Fu : first == 0xF4u ? 0x8Fu : 0xBFu;
    bool good = s[1] >= least && s[1] <= most;
    for (size_t i = 2; i < length; ++i) {
        good = good && (s[i] & 0xC0u) == 0x80u;
    }
    return good ? length : 0;
}

const char *rw_cbor_read_text(struct rw_cbor_reader *r, size_t *n)
{
    const uint8_t *const text = read_string(r, TEXT, n);
    for (size_t i = 0; i < *n;) {
        const size_t length = character_bytes(text + i, *n - i);
        if (length == 0) {
            fail(r);
            *n = 0;
        }
        i += length;
    }
    return (const char *)text;
}

size_t rw_cbor_read_array(struct rw_cbor_reader *r)
{
    return read_count(r, ARRAY, 1);
}

size_t rw_cbor_read_map(struct rw_cbor_reader *r)
{
    return read_count(r, MAP, 2);
}

bool rw_cbor_read_bool(struct rw_cbor_reader *r)
{
    const uint8_t byte = r->left > 0 ? r->at[0] : 0u;
    if (byte != FALSE_BYTE && byte != TRUE_BYTE) {
        fail(r);
        return false;
    }
    (void)pass(r, 1);
    return byte == TRUE_BYTE;
}

float rw_cbor_read_float(struct rw_cbor_reader *r)
{
    float value = 0.0f;
    if (r->left == 0 || r->at[0] != FLOAT_BYTE) {
        fail(r);
        return value;
    }
    const uint32_t bits = (uint32_t)read_bits(r, 4);
    if ((bits & NOT_FINITE) == NOT_FINITE) {
        fail(r);
        return value;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* An array or map on the way into an item: what is left of it, and the key before the next one. */
struct level {
    size_t left; /* items; of a map two a pair, so that the next one is a key where this is even */
    const uint8_t *key;
    size_t key_bytes; /* 0 before the first */
    bool is_map;
};

/* Passes what holds no other items. */
static void skip_scalar(struct rw_cbor_reader *r)
{
    size_t n;
    if (next_is(r, UINT)) {
        (void)rw_cbor_read_uint(r);
    } else if (next_is(r, NEGATIVE)) {
        (void)rw_cbor_read_int(r);
    } else if (next_is(r, BYTES)) {
        (void)rw_cbor_read_bytes(r, &n);
    } else if (next_is(r, TEXT)) {
        (void)rw_cbor_read_text(r, &n);
    } else if (r->left > 0 && r->at[0] == FLOAT_BYTE) {
        (void)rw_cbor_read_float(r);
    } else {
        (void)rw_cbor_read_bool(r);
    }
}

/* Negative, 0 or positive as a comes before, equals or comes behind b. */
static int order(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b)
{
    const int compared = memcmp(a, b, n_a < n_b ? n_a : n_b);
    return compared != 0 ? compared : (n_a > n_b) - (n_a < n_b);
}

static void skip_key(struct rw_cbor_reader *r, struct level *level)
{
    const uint8_t *const key = r->at;
    if (!next_is(r, UINT) && !next_is(r, NEGATIVE) && !next_is(r, TEXT)) {
        fail(r);
        return;
    }
    skip_scalar(r);
    const size_t n = (size_t)(r->at - key);
    if (level->key_bytes > 0 && order(level->key, level->key_bytes, key, n) >= 0) {
        fail(r);
    }
    level->key = key;
    level->key_bytes = n;
}

/* The head of an array or a map, as the level that it opens. */
static struct level open_level(struct rw_cbor_reader *r)
{
    const bool is_map = next_is(r, MAP);
    const size_t n = is_map ? 2u * rw_cbor_read_map(r) : rw_cbor_read_array(r);
    return (struct level){.left = n, .key = NULL, .key_bytes = 0, .is_map = is_map};
}

void rw_cbor_skip(struct rw_cbor_reader *r)
{
    struct level levels[RW_CBOR_DEPTH];
    size_t depth = 0;
    do {
        if (depth > 0) {
            struct level *const inner = &levels[depth - 1];
            if (inner->left == 0) {
                --depth;
                continue;
            }
            if (inner->is_map && inner->left-- % 2u == 0) {
                skip_key(r, inner);
                continue;
            }
            inner->left -= inner->is_map ? 0u : 1u;
        }
        if (!next_is(r, ARRAY) && !next_is(r, MAP)) {
            skip_scalar(r);
        } else if (depth == RW_CBOR_DEPTH) {
            fail(r);
        } else {
            levels[depth++] = open_level(r);
        }
    } while (depth > 0 && !r->failed);
}

bool rw_cbor_check(const uint8_t *from, size_t n)
{
    struct rw_cbor_reader r;
    rw_cbor_read_begin(&r, from, n);
    rw_cbor_skip(&r);
    return !r.failed && r.left == 0;
}
