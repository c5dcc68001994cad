/* The manifest of a model image: a CBOR map with the keys 1 to 11, all of them, in this order, in the shortest
 * encoding.
 *
 *  1 format, 1 here             5 bytes of the model           9 golden window: the model's input, int8
 *  2 version, uint32            6 SHA-512 of these            10 golden output, int8
 *  3 feature contract, 8 bytes  7 bytes of memory at run time 11 name, text, 1 to 32 bytes
 *  4 ids of operators, uint32   8 metrics: text to float32
 *
 * Refused is everything else: see rw_cbor.h, and more than RW_MANIFEST_OPERATORS operators or RW_MANIFEST_BYTES bytes,
 * operators that are not in strictly ascending order, an empty model, window, output or name.
 */
#ifndef RW_MANIFEST_H
#define RW_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RW_MANIFEST_FORMAT 1u
#define RW_MANIFEST_BYTES 16384u
#define RW_MANIFEST_OPERATORS 32u
#define RW_MANIFEST_NAME_BYTES 32u
#define RW_CONTRACT_BYTES 8u

/* Pointers are into the bytes that were parsed. */
struct rw_manifest {
    uint32_t version;
    uint32_t model_bytes;
    uint32_t memory_bytes;
    const uint8_t *contract;
    const uint8_t *digest;
    const uint8_t *golden_input, *golden_output;
    size_t golden_input_bytes, golden_output_bytes;
    const char *name; /* name_bytes of UTF-8, no zero behind them */
    size_t name_bytes;
    size_t n_operators;
    uint32_t operators[RW_MANIFEST_OPERATORS];
};

/* False where the n bytes are anything but one manifest; out is then not to be used. */
bool rw_manifest_parse(struct rw_manifest *out, const uint8_t *bytes, size_t n);

#endif
