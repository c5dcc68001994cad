/* SHA-512 in pieces of any size: 80 rounds on words of 64 bits, the schedule of a block kept in 16 words.
 *
 * words: 0 to 7 the chaining value, 8 to 23 the block that fills up (as bytes), 24 the bytes taken so far.
 * Source: NIST FIPS 180-4, sections 4.1.3, 4.2.3, 5.1.2, 5.3.5 and 6.4.
 */
#include <string.h>

#include "rw_crypto.h"

#define BLOCK_BYTES 128u
#define LENGTH_BYTES 16u
#define ROUNDS 80u
#define BLOCK 8u  /* index of the block's first word */
#define TAKEN 24u /* index of the count */

_Static_assert(RW_SHA512_WORDS > TAKEN, "the chaining value, a block and a count need 25 words");

/* Fractions of the cube roots of the first 80 primes. */
static const uint64_t constants[ROUNDS] = {
    0x428a2f98d728ae22u, 0x7137449123ef65cdu, 0xb5c0fbcfec4d3b2fu, 0xe9b5dba58189dbbcu,
    0x3956c25bf348b538u, 0x59f111f1b605d019u, 0x923f82a4af194f9bu, 0xab1c5ed5da6d8118u,
    0xd807aa98a3030242u, 0x12835b0145706fbeu, 0x243185be4ee4b28cu, 0x550c7dc3d5ffb4e2u,
    0x72be5d74f27b896fu, 0x80deb1fe3b1696b1u, 0x9bdc06a725c71235u, 0xc19bf174cf692694u,
    0xe49b69c19ef14ad2u, 0xefbe4786384f25e3u, 0x0fc19dc68b8cd5b5u, 0x240ca1cc77ac9c65u,
    0x2de92c6f592b0275u, 0x4a7484aa6ea6e483u, 0x5cb0a9dcbd41fbd4u, 0x76f988da831153b5u,
    0x983e5152ee66dfabu, 0xa831c66d2db43210u, 0xb00327c898fb213fu, 0xbf597fc7beef0ee4u,
    0xc6e00bf33da88fc2u, 0xd5a79147930aa725u, 0x06ca6351e003826fu, 0x142929670a0e6e70u,
    0x27b70a8546d22ffcu, 0x2e1b21385c26c926u, 0x4d2c6dfc5ac42aedu, 0x53380d139d95b3dfu,
    0x650a73548baf63deu, 0x766a0abb3c77b2a8u, 0x81c2c92e47edaee6u, 0x92722c851482353bu,
    0xa2bfe8a14cf10364u, 0xa81a664bbc423001u, 0xc24b8b70d0f89791u, 0xc76c51a30654be30u,
    0xd192e819d6ef5218u, 0xd69906245565a910u, 0xf40e35855771202au, 0x106aa07032bbd1b8u,
    0x19a4c116b8d2d0c8u, 0x1e376c085141ab53u, 0x2748774cdf8eeb99u, 0x34b0bcb5e19b48a8u,
    0x391c0cb3c5c95a63u, 0x4ed8aa4ae3418acbu, 0x5b9cca4f7763e373u, 0x682e6ff3d6b2b8a3u,
    0x748f82ee5defb2fcu, 0x78a5636f43172f60u, 0x84c87814a1f0ab72u, 0x8cc702081a6439ecu,
    0x90befffa23631e28u, 0xa4506cebde82bde9u, 0xbef9a3f7b2c67915u, 0xc67178f2e372532bu,
    0xca273eceea26619cu, 0xd186b8c721c0c207u, 0xeada7dd6cde0eb1eu, 0xf57d4f7fee6ed178u,
    0x06f067aa72176fbau, 0x0a637dc5a2c898a6u, 0x113f9804bef90daeu, 0x1b710b35131c471bu,
    0x28db77f523047d84u, 0x32caab7b40c72493u, 0x3c9ebe0a15c9bebcu, 0x431d67c49c100d4cu,
    0x4cc5d4becb3e42b6u, 0x597f299cfc657e2au, 0x5fcb6fab3ad6faecu, 0x6c44198c4a475817u,
};

/* Fractions of the square roots of the first 8 primes. */
static const uint64_t initial[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static uint64_t rotated(uint64_t x, unsigned n)
{
    return (x >> n) | (x << (64u - n));
}

static uint64_t loaded(const uint8_t *bytes)
{
    uint64_t x = 0;
    for (size_t i = 0; i < 8; ++i) {
        x = x << 8 | bytes[i];
    }
    return x;
}

static void store(uint8_t *bytes, uint64_t x)
{
    for (size_t i = 8; i-- > 0; x >>= 8) {
        bytes[i] = (uint8_t)x;
    }
}

/* Word t of the schedule, in the place of word t - 16. */
static uint64_t scheduled(uint64_t w[16], unsigned t)
{
    const uint64_t early = w[(t + 1u) & 15u], late = w[(t + 14u) & 15u];
    const uint64_t s0 = rotated(early, 1) ^ rotated(early, 8) ^ (early >> 7);
    const uint64_t s1 = rotated(late, 19) ^ rotated(late, 61) ^ (late >> 6);
    w[t & 15u] += s0 + w[(t + 9u) & 15u] + s1;
    return w[t & 15u];
}

static void compress(uint64_t state[8], const uint8_t *block)
{
    uint64_t w[16];
    for (size_t i = 0; i < 16; ++i) {
        w[i] = loaded(block + 8 * i);
    }
    uint64_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint64_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (unsigned t = 0; t < ROUNDS; ++t) {
        const uint64_t word = t < 16u ? w[t] : scheduled(w, t);
        const uint64_t s1 = rotated(e, 14) ^ rotated(e, 18) ^ rotated(e, 41);
        const uint64_t t1 = h + s1 + (g ^ (e & (f ^ g))) + constants[t] + word;
        const uint64_t s0 = rotated(a, 28) ^ rotated(a, 34) ^ rotated(a, 39);
        const uint64_t t2 = s0 + ((a & b) | (c & (a | b)));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static uint8_t *block_of(struct rw_sha512 *hash)
{
    return (uint8_t *)&hash->words[BLOCK];
}

void rw_sha512_begin(struct rw_sha512 *hash)
{
    memcpy(hash->words, initial, sizeof initial);
    hash->words[TAKEN] = 0;
}

void rw_sha512_add(struct rw_sha512 *hash, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        const size_t filled = (size_t)(hash->words[TAKEN] & (BLOCK_BYTES - 1u));
        const size_t room = BLOCK_BYTES - filled;
        const size_t taken = n < room ? n : room;
        memcpy(block_of(hash) + filled, bytes, taken);
        hash->words[TAKEN] += taken;
        bytes += taken;
        n -= taken;
        if (taken == room) {
            compress(hash->words, block_of(hash));
        }
    }
}

bool rw_sha512_end(struct rw_sha512 *hash, uint8_t digest[RW_SHA512_BYTES])
{
    static const uint8_t zero = 0, one = 0x80;
    uint8_t length[LENGTH_BYTES] = {0}; /* in bits, below 2^67 */
    store(length, hash->words[TAKEN] >> 61);
    store(length + 8, hash->words[TAKEN] << 3);
    rw_sha512_add(hash, &one, 1);
    while ((hash->words[TAKEN] & (BLOCK_BYTES - 1u)) != BLOCK_BYTES - LENGTH_BYTES) {
        rw_sha512_add(hash, &zero, 1);
    }
    rw_sha512_add(hash, length, sizeof length);
    for (size_t i = 0; i < 8; ++i) {
        store(digest + 8 * i, hash->words[i]);
    }
    return true;
}
