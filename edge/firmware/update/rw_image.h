/* A model image as it lies in a slot, and what must hold before its model may run on this node.
 *
 * bytes of the manifest (32 bits, least byte first) | manifest | Ed25519 signature over it | zeros up to 8 | model
 */
#ifndef RW_IMAGE_H
#define RW_IMAGE_H

#include "rw_manifest.h"
#include "rw_update_status.h"

/* Of an empty manifest: length and signature. */
#define RW_IMAGE_FRAME_BYTES 68u

struct rw_image {
    struct rw_manifest manifest;
    const uint8_t *model; /* manifest.model_bytes of them, aligned to 8 where the slot is */
};

/* What the firmware accepts; all pointers outlive their use. */
struct rw_update_config {
    const uint8_t (*keys)[32]; /* public keys, any of which may have signed */
    size_t n_keys;
    uint8_t contract[RW_CONTRACT_BYTES];
    uint32_t memory_bytes; /* that the firmware gives a model */
    uint8_t trial_boots;   /* starts of a model that is not confirmed before it is given up; 1 at least */
    void *context;
    bool (*has_operator)(void *context, uint32_t id);
    /* Opens the model, runs it on the golden window and compares every byte of the output. */
    bool (*gives_golden)(void *context, const struct rw_image *image);
    /* Called now and then by what takes long, for a watchdog; may be NULL. */
    void (*alive)(void *context);
};

/* Bytes that must be there before the head can be checked; 0 where the n first bytes cannot be those of an image. */
size_t rw_image_head_bytes(const uint8_t *bytes, size_t n);

/* Signature, manifest, contract, operators and memory of the image whose head lies in the n bytes; the model itself
 * need not be there. size: bytes of the whole image. */
enum rw_update_status rw_image_check_head(struct rw_image *out, size_t *size, const uint8_t *bytes, size_t n,
                                          const struct rw_update_config *config);

/* The same and the bytes of the model; n: where the slot or the image ends. */
enum rw_update_status rw_image_check(struct rw_image *out, size_t *size, const uint8_t *bytes, size_t n,
                                     const struct rw_update_config *config);

#endif
