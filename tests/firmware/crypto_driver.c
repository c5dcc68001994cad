/* Reads cases from standard input until it ends, and writes for each what the firmware's crypto says of it.
 *
 * A case is a letter and a 32-bit length n (host order). 'v': key, signature, n bytes of message; answered by one
 * byte, 0 or 1. 'h': 32-bit length of pieces, n bytes; answered by the 64 bytes of their SHA-512, taken in such
 * pieces. What is handed over lies in memory of exactly its size, so that a sanitiser sees any byte read beyond it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rw_crypto.h"

static uint8_t *taken(size_t n)
{
    uint8_t *bytes = malloc(n);
    if (n > 0 && (bytes == NULL || fread(bytes, 1, n, stdin) != n)) {
        exit(3);
    }
    return bytes;
}

static uint32_t word(void)
{
    uint32_t value = 0;
    if (fread(&value, sizeof value, 1, stdin) != 1) {
        exit(3);
    }
    return value;
}

static void verify(size_t n)
{
    uint8_t *key = taken(RW_ED25519_KEY_BYTES), *signature = taken(RW_ED25519_SIGNATURE_BYTES), *message = taken(n);
    putchar(rw_ed25519_verify(key, message, n, signature) ? 1 : 0);
    free(key);
    free(signature);
    free(message);
}

static void digest(size_t n)
{
    const size_t piece = word();
    uint8_t *message = taken(n), out[RW_SHA512_BYTES];
    struct rw_sha512 hash;
    memset(&hash, 0xA5, sizeof hash);
    rw_sha512_begin(&hash);
    for (size_t i = 0; i < n; i += piece) {
        rw_sha512_add(&hash, message + i, n - i < piece ? n - i : piece);
    }
    if (!rw_sha512_end(&hash, out)) {
        exit(4);
    }
    fwrite(out, 1, sizeof out, stdout);
    free(message);
}

int main(void)
{
    for (int kind = getchar(); kind != EOF; kind = getchar()) {
        const size_t n = word();
        if (kind == 'v') {
            verify(n);
        } else if (kind == 'h') {
            digest(n);
        } else {
            return 2;
        }
    }
    return 0;
}
