/* CBOR of a closed form, for messages between nodes and hosts and for manifests: integers, byte strings, text, arrays,
 * maps, booleans and float32 in the one shortest (deterministic) encoding; neither memory of its own nor recursion.
 *
 * Refused on both sides: tags, null, undefined, half and double floats, NaN and infinity, indefinite lengths, lengths
 * and integers that are not the shortest, text that is no UTF-8, map keys that are neither integers nor text or not in
 * strictly ascending order of their bytes, more than RW_CBOR_DEPTH arrays and maps in each other, integers outside of
 * int64 and uint64. Floats are always of 32 bits. Source: RFC 8949, sections 3 and 4.2.1. */
#ifndef RW_CBOR_H
#define RW_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_CBOR_DEPTH 8

/* Writes into n bytes of the caller; the first write that does not fit makes it fail, and it stays so. */
struct rw_cbor_writer {
    uint8_t *start;
    size_t used;
    size_t room; /* bytes behind those used */
    bool failed;
};

void rw_cbor_write_begin(struct rw_cbor_writer *w, uint8_t *to, size_t n);
void rw_cbor_write_uint(struct rw_cbor_writer *w, uint64_t value);
void rw_cbor_write_int(struct rw_cbor_writer *w, int64_t value);
void rw_cbor_write_bytes(struct rw_cbor_writer *w, const uint8_t *bytes, size_t n);
void rw_cbor_write_text(struct rw_cbor_writer *w, const char *text, size_t n); /* the caller gives UTF-8 */
void rw_cbor_write_array(struct rw_cbor_writer *w, size_t n); /* n items are to follow */
void rw_cbor_write_map(struct rw_cbor_writer *w, size_t n);   /* n pairs are to follow, in ascending order of keys */
void rw_cbor_write_bool(struct rw_cbor_writer *w, bool value);
void rw_cbor_write_float(struct rw_cbor_writer *w, float value); /* NaN and infinity make it fail */
/* Room for n bytes of a byte string that the caller fills; NULL where it does not fit. */
uint8_t *rw_cbor_write_space(struct rw_cbor_writer *w, size_t n);

/* Reads n bytes of the caller from front to end. What is read must be of the wanted kind; the first that is not makes the
 * reader fail, which stays so: values read from then on are 0 and empty. */
struct rw_cbor_reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

void rw_cbor_read_begin(struct rw_cbor_reader *r, const uint8_t *from, size_t n);
uint64_t rw_cbor_read_uint(struct rw_cbor_reader *r);
uint32_t rw_cbor_read_uint32(struct rw_cbor_reader *r); /* fails above UINT32_MAX */
int64_t rw_cbor_read_int(struct rw_cbor_reader *r);
const uint8_t *rw_cbor_read_bytes(struct rw_cbor_reader *r, size_t *n);
const char *rw_cbor_read_text(struct rw_cbor_reader *r, size_t *n); /* not ended by a zero, but may hold some */
size_t rw_cbor_read_array(struct rw_cbor_reader *r); /* items that follow, at most the bytes that are left */
size_t rw_cbor_read_map(struct rw_cbor_reader *r);   /* pairs that follow, at most half the bytes that are left */
bool rw_cbor_read_bool(struct rw_cbor_reader *r);
float rw_cbor_read_float(struct rw_cbor_reader *r);

/* Passes one item with all that it holds, and checks every rule above. */
void rw_cbor_skip(struct rw_cbor_reader *r);

/* Whether the n bytes are one item that keeps every rule, and nothing behind it. The single calls above check all but the
 * order of keys; so check bytes from outside once, then read them. */
bool rw_cbor_check(const uint8_t *from, size_t n);

#endif
