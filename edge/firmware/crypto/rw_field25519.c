/* Arithmetic modulo p = 2^255 - 19 on words of 32 bits: 2^256 is 38 modulo p, so what runs over is folded in 38 times.
 *
 * A product of two words and two more words fits 64 bits exactly: (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1. The time
 * that anything takes depends on the values, which are public. Loops stay loops: a verification takes some thousand
 * products, and a node wants its flash. Source of p: RFC 7748, section 4.1.
 */
#include "rw_field25519.h"

#include <string.h>

#define FOLD 38u          /* 2^256 modulo p */
#define ROOT_CHAIN 250u   /* both powers begin with z^(2^250 - 1) */
#define BELOW_TOP 0x40u   /* the bit of ROOT_CHAIN below its highest */
#define TOP_BIT 0x80000000u
#define LOW_OF_P 19u      /* 2^255 - p */

/* Adds folded to a value whose carry out of 2^256 was cut off into it. The second round begins after an overflow, which
 * leaves so little that no third can follow. */
static void fold(struct rw_field *out, uint32_t folded)
{
    while (folded != 0) {
        uint64_t carry = folded;
        for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
            carry += out->word[i];
            out->word[i] = (uint32_t)carry;
            carry >>= 32;
        }
        folded = (uint32_t)carry * FOLD;
    }
}

void rw_field_add(struct rw_field *out, const struct rw_field *a, const struct rw_field *b)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
        carry += (uint64_t)a->word[i] + b->word[i];
        out->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    fold(out, (uint32_t)carry * FOLD);
}

/* A borrow has added 2^256, which is 38 too much; taking it off may borrow once more, from a value near 2^256. */
void rw_field_subtract(struct rw_field *out, const struct rw_field *a, const struct rw_field *b)
{
    uint32_t borrow = 0;
    for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
        const uint64_t difference = (uint64_t)a->word[i] - b->word[i] - borrow;
        out->word[i] = (uint32_t)difference;
        borrow = (uint32_t)(difference >> 32) & 1u;
    }
    while (borrow != 0) {
        uint32_t taken = FOLD;
        borrow = 0;
        for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
            const uint64_t difference = (uint64_t)out->word[i] - taken - borrow;
            out->word[i] = (uint32_t)difference;
            borrow = (uint32_t)(difference >> 32) & 1u;
            taken = 0;
        }
    }
}

void rw_field_multiply(struct rw_field *out, const struct rw_field *a, const struct rw_field *b)
{
    uint32_t wide[2 * RW_FIELD_WORDS] = {0};
    for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
        const uint32_t factor = a->word[i];
        uint32_t carry = 0;
        for (size_t j = 0; j < RW_FIELD_WORDS; ++j) {
            const uint64_t sum = (uint64_t)factor * b->word[j] + wide[i + j] + carry;
            wide[i + j] = (uint32_t)sum;
            carry = (uint32_t)(sum >> 32);
        }
        wide[i + RW_FIELD_WORDS] = carry;
    }
    uint32_t carry = 0;
    for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
        const uint64_t sum = (uint64_t)FOLD * wide[i + RW_FIELD_WORDS] + wide[i] + carry;
        out->word[i] = (uint32_t)sum;
        carry = (uint32_t)(sum >> 32);
    }
    fold(out, carry * FOLD);
}

static void square_times(struct rw_field *a, unsigned times)
{
    for (; times > 0; --times) {
        rw_field_multiply(a, a, a);
    }
}

/* z^(2^250 - 1): n ones in the exponent become 2 n, or 2 n + 1, as the bits of 250 say from the top. */
static void power_of_ones(struct rw_field *out, const struct rw_field *z)
{
    unsigned ones = 1;
    *out = *z;
    for (unsigned bit = BELOW_TOP; bit != 0; bit >>= 1) {
        const struct rw_field before = *out;
        square_times(out, ones);
        rw_field_multiply(out, out, &before);
        ones *= 2u;
        if ((ROOT_CHAIN & bit) != 0) {
            square_times(out, 1);
            rw_field_multiply(out, out, z);
            ones += 1u;
        }
    }
}

void rw_field_root_power(struct rw_field *out, const struct rw_field *z)
{
    power_of_ones(out, z);
    square_times(out, 2);
    rw_field_multiply(out, out, z); /* 2^252 - 3 = 4 (2^250 - 1) + 1 */
}

void rw_field_invert(struct rw_field *out, const struct rw_field *z)
{
    power_of_ones(out, z);
    square_times(out, 2);
    rw_field_multiply(out, out, z);
    square_times(out, 2);
    rw_field_multiply(out, out, z);
    square_times(out, 1);
    rw_field_multiply(out, out, z); /* 2^255 - 21 = 32 (2^250 - 1) + 11, and 11 = 2 (4 + 1) + 1 */
}

void rw_field_reduce(struct rw_field *a)
{
    const uint32_t above = a->word[RW_FIELD_WORDS - 1u] >> 31;
    a->word[RW_FIELD_WORDS - 1u] &= ~TOP_BIT;
    fold(a, above * LOW_OF_P); /* below 2^255 + 19 now */
    struct rw_field sum = *a;
    fold(&sum, LOW_OF_P);
    if ((sum.word[RW_FIELD_WORDS - 1u] & TOP_BIT) != 0) { /* a >= p, and a - p = a + 19 - 2^255 */
        sum.word[RW_FIELD_WORDS - 1u] &= ~TOP_BIT;
        *a = sum;
    }
}

bool rw_field_is_zero(const struct rw_field *a)
{
    struct rw_field reduced = *a;
    uint32_t any = 0;
    rw_field_reduce(&reduced);
    for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
        any |= reduced.word[i];
    }
    return any == 0;
}

bool rw_field_equal(const struct rw_field *a, const struct rw_field *b)
{
    struct rw_field difference;
    rw_field_subtract(&difference, a, b);
    return rw_field_is_zero(&difference);
}

void rw_words_load(uint32_t words[RW_FIELD_WORDS], const uint8_t *bytes)
{
    for (size_t i = 0; i < RW_FIELD_WORDS; ++i, bytes += 4) {
        words[i] = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    }
}

void rw_words_store(uint8_t *bytes, const uint32_t words[RW_FIELD_WORDS])
{
    for (size_t i = 0; i < 4u * RW_FIELD_WORDS; ++i) {
        bytes[i] = (uint8_t)(words[i / 4u] >> (8u * (i % 4u)));
    }
}
