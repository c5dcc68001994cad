/* Numbers modulo p = 2^255 - 19 in eight words of 32 bits, least first; any value below 2^256 stands for its
 * residue. */
#ifndef RW_FIELD25519_H
#define RW_FIELD25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_FIELD_WORDS 8u

struct rw_field {
    uint32_t word[RW_FIELD_WORDS];
};

/* out may be either operand, in all of these. */
void rw_field_add(struct rw_field *out, const struct rw_field *a, const struct rw_field *b);
void rw_field_subtract(struct rw_field *out, const struct rw_field *a, const struct rw_field *b);
void rw_field_multiply(struct rw_field *out, const struct rw_field *a, const struct rw_field *b);

/* z^(2^252 - 3), of which a square root is made, and z^(p - 2), the inverse of all but 0; out must not be z. */
void rw_field_root_power(struct rw_field *out, const struct rw_field *z);
void rw_field_invert(struct rw_field *out, const struct rw_field *z);

/* The residue itself, below p. */
void rw_field_reduce(struct rw_field *a);
bool rw_field_is_zero(const struct rw_field *a);
bool rw_field_equal(const struct rw_field *a, const struct rw_field *b);

/* Eight words of 32 bytes, least byte first. */
void rw_words_load(uint32_t words[RW_FIELD_WORDS], const uint8_t *bytes);
void rw_words_store(uint8_t *bytes, const uint32_t words[RW_FIELD_WORDS]);

#endif
