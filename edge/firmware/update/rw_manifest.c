/* Reads a manifest from front to back; what its reader refuses, and any key out of its place, makes the whole
 * refused. */
#include "rw_manifest.h"

#include "rw_cbor.h"
#include "rw_crypto.h"

enum key {
    KEY_FORMAT = 1,
    KEY_VERSION,
    KEY_CONTRACT,
    KEY_OPERATORS,
    KEY_MODEL_BYTES,
    KEY_DIGEST,
    KEY_MEMORY_BYTES,
    KEY_METRICS,
    KEY_GOLDEN_INPUT,
    KEY_GOLDEN_OUTPUT,
    KEY_NAME,
};

static void expect(struct rw_cbor_reader *r, enum key key)
{
    r->failed |= rw_cbor_read_uint(r) != (uint64_t)key;
}

static uint32_t keyed_uint(struct rw_cbor_reader *r, enum key key)
{
    expect(r, key);
    return rw_cbor_read_uint32(r);
}

static const uint8_t *keyed_bytes(struct rw_cbor_reader *r, enum key key, size_t *n)
{
    expect(r, key);
    return rw_cbor_read_bytes(r, n);
}

static const uint8_t *keyed_bytes_of(struct rw_cbor_reader *r, enum key key, size_t wanted)
{
    size_t n;
    const uint8_t *const bytes = keyed_bytes(r, key, &n);
    r->failed |= n != wanted;
    return bytes;
}

static void read_operators(struct rw_cbor_reader *r, struct rw_manifest *out)
{
    expect(r, KEY_OPERATORS);
    out->n_operators = rw_cbor_read_array(r);
    if (out->n_operators > RW_MANIFEST_OPERATORS) {
        r->failed = true;
        return;
    }
    for (size_t i = 0; i < out->n_operators; ++i) {
        out->operators[i] = rw_cbor_read_uint32(r);
        r->failed |= i > 0 && out->operators[i] <= out->operators[i - 1];
    }
}

/* Metrics are for people: the node only sees to it that they are text and numbers. */
static void read_metrics(struct rw_cbor_reader *r)
{
    expect(r, KEY_METRICS);
    size_t n;
    for (size_t pairs = rw_cbor_read_map(r); pairs > 0 && !r->failed; --pairs) {
        (void)rw_cbor_read_text(r, &n);
        (void)rw_cbor_read_float(r);
    }
}

bool rw_manifest_parse(struct rw_manifest *out, const uint8_t *bytes, size_t n)
{
    if (n > RW_MANIFEST_BYTES || !rw_cbor_check(bytes, n)) {
        return false;
    }
    struct rw_cbor_reader r;
    rw_cbor_read_begin(&r, bytes, n);
    r.failed |= rw_cbor_read_map(&r) != KEY_NAME;
    r.failed |= keyed_uint(&r, KEY_FORMAT) != RW_MANIFEST_FORMAT;
    out->version = keyed_uint(&r, KEY_VERSION);
    out->contract = keyed_bytes_of(&r, KEY_CONTRACT, RW_CONTRACT_BYTES);
    read_operators(&r, out);
    out->model_bytes = keyed_uint(&r, KEY_MODEL_BYTES);
    out->digest = keyed_bytes_of(&r, KEY_DIGEST, RW_SHA512_BYTES);
    out->memory_bytes = keyed_uint(&r, KEY_MEMORY_BYTES);
    read_metrics(&r);
    out->golden_input = keyed_bytes(&r, KEY_GOLDEN_INPUT, &out->golden_input_bytes);
    out->golden_output = keyed_bytes(&r, KEY_GOLDEN_OUTPUT, &out->golden_output_bytes);
    expect(&r, KEY_NAME);
    out->name = rw_cbor_read_text(&r, &out->name_bytes);
    return !r.failed && out->model_bytes > 0 && out->golden_input_bytes > 0 && out->golden_output_bytes > 0 &&
           out->name_bytes > 0 && out->name_bytes <= RW_MANIFEST_NAME_BYTES;
}
