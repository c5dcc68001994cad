/* Verifies Ed25519 signatures: [S]B - [h]A is computed, encoded, and compared with R byte for byte (no cofactor).
 *
 * Refused: S >= L; a key or an R whose y is not below p, or that has x = 0 with the sign of x set; a key off the curve.
 * A key of small order is no error, as in OpenSSL, which the Python package `cryptography` calls: whoever builds a
 * firmware chooses its keys. OpenSSL also takes the few keys that are not encoded as RFC 8032 says; this does not.
 * Nothing is secret here, so time and memory accesses may depend on the values.
 *
 * h is SHA-512 of R, A and the message, modulo L. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z and T = XY/Z on
 * -x^2 + y^2 = 1 + d x^2 y^2. Both scalars are gone through together, bit by bit, so that three sums suffice as table.
 * Sources: RFC 8032, sections 5.1.3 and 5.1.7; Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited" (2008),
 * whose addition is complete on this curve, for equal points and the neutral one too.
 */
#include <string.h>

#include "rw_crypto.h"
#include "rw_field25519.h"

#define HALF_BYTES 32u
#define SCALAR_TOP_BIT 252 /* of anything below L */
#define SIGN_BIT 0x80u
#define LOW_WORDS 4u       /* of L - 2^252 */
#define TOP_SHIFT 28u      /* of bit 252 in word 7 */

struct point {
    struct rw_field x, y, z, t;
};

/* What an addition takes of its second operand. */
struct addend {
    struct rw_field difference, sum, twice_z, twice_dt; /* Y - X, Y + X, 2 Z, 2 d T */
};

static const struct rw_field d = {{0x135978a3u, 0x75eb4dcau, 0x4141d8abu, 0x00700a4du, 0x7779e898u, 0x8cc74079u,
                                   0x2b6ffe73u, 0x52036ceeu}};
static const struct rw_field root_of_minus_one = {{0x4a0ea0b0u, 0xc4ee1b27u, 0xad2fe478u, 0x2f431806u, 0x3dfbd7a7u,
                                                   0x2b4d0099u, 0x4fc1df0bu, 0x2b832480u}};
static const struct rw_field zero, one = {{1u}};

/* B, of RFC 8032, section 5.1. */
static const struct addend base = {
    .difference = {{0xd740913eu, 0x9d103905u, 0xd140beb3u, 0xfd399f05u, 0x688f8a09u, 0xa5c18434u, 0x98f81267u,
                    0x44fd2f92u}},
    .sum = {{0xf58c3b85u, 0x2fbc93c6u, 0xfb8c0e19u, 0xcf932dc6u, 0x643d42c2u, 0x270b4898u, 0x33d4ba65u, 0x07cf9d3au}},
    .twice_z = {{2u}},
    .twice_dt = {{0x877aaa68u, 0xabc91205u, 0xccaac49eu, 0x26d9e823u, 0xdd43598cu, 0x5a1b7dcbu, 0x9f0c65a8u,
                  0x6f117b68u}},
};

/* The order of B: 2^252 + 27742317777372353535851937790883648493. */
static const uint32_t order[RW_FIELD_WORDS] = {0x5cf5d3edu, 0x5812631au, 0xa2f79cd6u, 0x14def9deu, 0, 0, 0,
                                               0x10000000u};

static bool below(const uint32_t a[RW_FIELD_WORDS], const uint32_t limit[RW_FIELD_WORDS])
{
    for (size_t i = RW_FIELD_WORDS; i-- > 0;) {
        if (a[i] != limit[i]) {
            return a[i] < limit[i];
        }
    }
    return false;
}

/* r = r - factor * (L - 2^252), and L more where that is below zero; r < 2^252, factor < 2^17. */
static void subtract_low_of_order(uint32_t r[RW_FIELD_WORDS], uint32_t factor)
{
    uint32_t carry = 0, borrow = 0;
    for (size_t i = 0; i < RW_FIELD_WORDS; ++i) {
        const uint64_t product = (i < LOW_WORDS ? (uint64_t)factor * order[i] : 0) + carry;
        const uint64_t difference = (uint64_t)r[i] - (uint32_t)product - borrow;
        carry = (uint32_t)(product >> 32);
        r[i] = (uint32_t)difference;
        borrow = (uint32_t)(difference >> 32) & 1u;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < RW_FIELD_WORDS && borrow != 0; ++i) {
        sum += (uint64_t)r[i] + order[i];
        r[i] = (uint32_t)sum;
        sum >>= 32;
    }
}

/* r = (r * 2^16 + half) mod L, r < L: bits from 252 on, 17 at most, are so many times L to be taken away. */
static void append_half(uint32_t r[RW_FIELD_WORDS], uint32_t half)
{
    const uint32_t above = r[RW_FIELD_WORDS - 1u] >> (TOP_SHIFT - 16u);
    for (size_t i = RW_FIELD_WORDS - 1u; i > 0; --i) {
        r[i] = r[i] << 16 | r[i - 1u] >> 16;
    }
    r[0] = r[0] << 16 | half;
    r[RW_FIELD_WORDS - 1u] &= (1u << TOP_SHIFT) - 1u;
    subtract_low_of_order(r, above);
}

/* Of 64 bytes, least first. */
static void reduce_modulo_order(uint32_t r[RW_FIELD_WORDS], const uint8_t digest[RW_SHA512_BYTES])
{
    memset(r, 0, RW_FIELD_WORDS * sizeof r[0]);
    for (size_t i = RW_SHA512_BYTES; i > 0; i -= 2) {
        append_half(r, (uint32_t)digest[i - 1u] << 8 | digest[i - 2u]);
    }
}

static uint32_t bit_of(const uint32_t words[RW_FIELD_WORDS], int bit)
{
    return words[bit / 32] >> (bit % 32) & 1u;
}

static void make_addend(struct addend *out, const struct point *p)
{
    rw_field_subtract(&out->difference, &p->y, &p->x);
    rw_field_add(&out->sum, &p->y, &p->x);
    rw_field_add(&out->twice_z, &p->z, &p->z);
    rw_field_multiply(&out->twice_dt, &p->t, &d);
    rw_field_add(&out->twice_dt, &out->twice_dt, &out->twice_dt);
}

/* (X, Y, Z, T) = (E F, G H, F G, E H), with which additions and doublings end. */
static void finish(struct point *p, const struct rw_field *e, const struct rw_field *f, const struct rw_field *g,
                   const struct rw_field *h)
{
    rw_field_multiply(&p->x, e, f);
    rw_field_multiply(&p->y, g, h);
    rw_field_multiply(&p->z, f, g);
    rw_field_multiply(&p->t, e, h);
}

static void add(struct point *p, const struct addend *q)
{
    struct rw_field e, f, g, h;
    rw_field_subtract(&e, &p->y, &p->x);
    rw_field_multiply(&e, &e, &q->difference); /* A */
    rw_field_add(&h, &p->y, &p->x);
    rw_field_multiply(&h, &h, &q->sum);        /* B */
    rw_field_multiply(&f, &p->t, &q->twice_dt); /* C */
    rw_field_multiply(&g, &p->z, &q->twice_z); /* D */
    struct rw_field held = h;
    rw_field_add(&h, &held, &e);      /* B + A */
    rw_field_subtract(&e, &held, &e); /* B - A */
    held = g;
    rw_field_add(&g, &held, &f);      /* D + C */
    rw_field_subtract(&f, &held, &f); /* D - C */
    finish(p, &e, &f, &g, &h);
}

static void twice(struct point *p)
{
    struct rw_field e, f, g, h;
    rw_field_add(&e, &p->x, &p->y);
    rw_field_multiply(&e, &e, &e);
    rw_field_multiply(&f, &p->x, &p->x); /* A */
    rw_field_multiply(&g, &p->y, &p->y); /* B */
    rw_field_add(&h, &f, &g);
    rw_field_subtract(&e, &e, &h);    /* (X + Y)^2 - A - B */
    rw_field_subtract(&h, &zero, &h); /* -A - B */
    rw_field_subtract(&g, &g, &f);    /* B - A */
    rw_field_multiply(&f, &p->z, &p->z);
    rw_field_add(&f, &f, &f);
    rw_field_subtract(&f, &g, &f); /* B - A - 2 Z^2 */
    finish(p, &e, &f, &g, &h);
}

/* x = sqrt(u / v), whichever of both roots: u v^3 (u v^7)^((p - 5) / 8), times sqrt(-1) if needed. */
static bool root_of_ratio(struct rw_field *x, const struct rw_field *u, const struct rw_field *v)
{
    struct rw_field power, check;
    rw_field_multiply(&check, v, v);
    rw_field_multiply(&check, &check, v); /* v^3 */
    rw_field_multiply(x, &check, u);
    rw_field_multiply(&check, &check, &check);
    rw_field_multiply(&check, &check, v);
    rw_field_multiply(&check, &check, u); /* u v^7 */
    rw_field_root_power(&power, &check);
    rw_field_multiply(x, x, &power);
    rw_field_multiply(&check, x, x);
    rw_field_multiply(&check, &check, v);
    if (rw_field_equal(&check, u)) {
        return true;
    }
    rw_field_multiply(x, x, &root_of_minus_one);
    rw_field_add(&check, &check, u);
    return rw_field_is_zero(&check);
}

/* -A; false where the 32 bytes are no canonical encoding of a point. */
static bool decode_negated(struct point *p, const uint8_t key[RW_ED25519_KEY_BYTES])
{
    const bool negative = (key[HALF_BYTES - 1u] & SIGN_BIT) != 0;
    rw_words_load(p->y.word, key);
    p->y.word[RW_FIELD_WORDS - 1u] &= 0x7FFFFFFFu;
    p->z = p->y;
    rw_field_reduce(&p->z);
    if (memcmp(&p->z, &p->y, sizeof p->z) != 0) {
        return false;
    }
    rw_field_multiply(&p->t, &p->y, &p->y);
    struct rw_field v;
    rw_field_multiply(&v, &p->t, &d);
    rw_field_add(&v, &v, &one);            /* d y^2 + 1 */
    rw_field_subtract(&p->t, &p->t, &one); /* y^2 - 1 */
    if (!root_of_ratio(&p->x, &p->t, &v)) {
        return false;
    }
    rw_field_reduce(&p->x);
    if (negative && rw_field_is_zero(&p->x)) {
        return false;
    }
    if (((p->x.word[0] & 1u) != 0) == negative) {
        rw_field_subtract(&p->x, &zero, &p->x);
    }
    p->z = one;
    rw_field_multiply(&p->t, &p->x, &p->y);
    return true;
}

static void encode(uint8_t bytes[HALF_BYTES], struct point *p)
{
    rw_field_invert(&p->t, &p->z);
    rw_field_multiply(&p->x, &p->x, &p->t);
    rw_field_multiply(&p->y, &p->y, &p->t);
    rw_field_reduce(&p->x);
    rw_field_reduce(&p->y);
    rw_words_store(bytes, p->y.word);
    bytes[HALF_BYTES - 1u] |= (uint8_t)((p->x.word[0] & 1u) << 7);
}

/* p = [s] B + [h] p; s, h < L. */
static void combine(struct point *p, const uint32_t s[RW_FIELD_WORDS], const uint32_t h[RW_FIELD_WORDS])
{
    struct addend table[2]; /* p, and p + B */
    make_addend(&table[0], p);
    add(p, &base);
    make_addend(&table[1], p);
    *p = (struct point){.y = one, .z = one};
    for (int bit = SCALAR_TOP_BIT; bit >= 0; --bit) {
        const bool with_base = bit_of(s, bit) != 0;
        twice(p);
        if (bit_of(h, bit) != 0) {
            add(p, &table[with_base ? 1 : 0]);
        } else if (with_base) {
            add(p, &base);
        }
    }
}

/* SHA-512 of R, A and the message, modulo L; false where hardware failed. */
static bool challenge(uint32_t h[RW_FIELD_WORDS], const uint8_t *key, const uint8_t *message, size_t n,
                      const uint8_t *signature)
{
    struct rw_sha512 hash;
    uint8_t digest[RW_SHA512_BYTES];
    rw_sha512_begin(&hash);
    rw_sha512_add(&hash, signature, HALF_BYTES);
    rw_sha512_add(&hash, key, RW_ED25519_KEY_BYTES);
    rw_sha512_add(&hash, message, n);
    if (!rw_sha512_end(&hash, digest)) {
        return false;
    }
    reduce_modulo_order(h, digest);
    return true;
}

bool rw_ed25519_verify(const uint8_t key[RW_ED25519_KEY_BYTES], const uint8_t *message, size_t n,
                       const uint8_t signature[RW_ED25519_SIGNATURE_BYTES])
{
    uint32_t s[RW_FIELD_WORDS], h[RW_FIELD_WORDS];
    struct point p;
    uint8_t encoded[HALF_BYTES];
    rw_words_load(s, signature + HALF_BYTES);
    if (!below(s, order) || !decode_negated(&p, key) || !challenge(h, key, message, n, signature)) {
        return false;
    }
    combine(&p, s, h);
    encode(encoded, &p);
    return memcmp(encoded, signature, HALF_BYTES) == 0;
}
