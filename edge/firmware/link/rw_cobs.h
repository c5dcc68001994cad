/* Consistent overhead byte stuffing: any bytes, written without zeros, so that a zero ends a frame.
 *
 * The data are cut behind each zero and behind 254 bytes without one; each piece is led by its length + 1 and loses its
 * zero. Source: Cheshire and Baker, IEEE/ACM Trans. Networking 7 (1999). */
#ifndef RW_COBS_H
#define RW_COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most bytes that n become, without the zero that ends them. */
#define RW_COBS_BOUND(n) ((n) + (n) / 254u + 1u)

/* How far the input may lie behind the start of the output where it is encoded in place. */
#define RW_COBS_AHEAD(n) ((n) / 254u + 1u)

/* Writes at most RW_COBS_BOUND(n) bytes and returns how many. The two must not overlap, but the input may lie
 * RW_COBS_AHEAD(n) bytes or more behind the start of the output. */
size_t rw_cobs_encode(const uint8_t *in, size_t n, uint8_t *out);

/* Decodes in place; false where the n bytes are no encoding: none, a zero among them, or a piece cut short. */
bool rw_cobs_decode(uint8_t *data, size_t n, size_t *decoded);

#endif
