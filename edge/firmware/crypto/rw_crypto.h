/* What the updates of a node need of cryptography: SHA-512 in pieces, and the verification of Ed25519 signatures.
 *
 * rw_sha512.c, rw_field25519.c and rw_ed25519.c implement it in C. A vendor's library or a secure element takes their
 * place when it is linked instead of them, behind these four functions; one that keeps more than RW_SHA512_WORDS words
 * for a hash defines the number for the whole build. No secret enters here: keys are public, signed contents too.
 */
#ifndef RW_CRYPTO_H
#define RW_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_SHA512_BYTES 64u
#define RW_ED25519_KEY_BYTES 32u
#define RW_ED25519_SIGNATURE_BYTES 64u

#ifndef RW_SHA512_WORDS
#define RW_SHA512_WORDS 25u
#endif

/* Of the implementation; a caller only gives it room. */
struct rw_sha512 {
    uint64_t words[RW_SHA512_WORDS];
};

void rw_sha512_begin(struct rw_sha512 *hash);
void rw_sha512_add(struct rw_sha512 *hash, const uint8_t *bytes, size_t n);

/* False where hardware failed; digest then has no meaning. The C implementation does not fail. */
bool rw_sha512_end(struct rw_sha512 *hash, uint8_t digest[RW_SHA512_BYTES]);

/* Whether signature is the key's over the n bytes of message; false too where hardware failed. What is accepted of
 * unusual keys and signatures is said in rw_ed25519.c; another implementation must refuse S >= L as that one does. */
bool rw_ed25519_verify(const uint8_t key[RW_ED25519_KEY_BYTES], const uint8_t *message, size_t n,
                       const uint8_t signature[RW_ED25519_SIGNATURE_BYTES]);

#endif
