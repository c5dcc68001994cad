/* Checks an image from the outside in: nothing of a manifest is read before its signature holds. */
#include "rw_image.h"

#include <string.h>

#include "rw_crypto.h"

#define LENGTH_BYTES 4u
#define MODEL_ALIGNMENT 8u
#define DIGESTED_AT_ONCE 4096u /* bytes between two signs of life */

_Static_assert(RW_IMAGE_FRAME_BYTES == LENGTH_BYTES + RW_ED25519_SIGNATURE_BYTES, "length and signature frame it");

static void show_life(const struct rw_update_config *config)
{
    if (config->alive != NULL) {
        config->alive(config->context);
    }
}

static size_t model_offset(size_t manifest_bytes)
{
    return (RW_IMAGE_FRAME_BYTES + manifest_bytes + MODEL_ALIGNMENT - 1u) / MODEL_ALIGNMENT * MODEL_ALIGNMENT;
}

/* 0 where it cannot be one. */
static size_t manifest_bytes_of(const uint8_t *bytes, size_t n)
{
    if (n < LENGTH_BYTES) {
        return 0;
    }
    const uint32_t length = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                            (uint32_t)bytes[3] << 24;
    return length <= RW_MANIFEST_BYTES ? length : 0;
}

size_t rw_image_head_bytes(const uint8_t *bytes, size_t n)
{
    const size_t manifest_bytes = manifest_bytes_of(bytes, n);
    return manifest_bytes == 0 ? 0 : model_offset(manifest_bytes);
}

static bool is_signed(const uint8_t *manifest, size_t n, const struct rw_update_config *config)
{
    for (size_t i = 0; i < config->n_keys; ++i) {
        show_life(config);
        if (rw_ed25519_verify(config->keys[i], manifest, n, manifest + n)) {
            return true;
        }
    }
    return false;
}

static enum rw_update_status check_fit(const struct rw_manifest *manifest, const struct rw_update_config *config)
{
    if (memcmp(manifest->contract, config->contract, RW_CONTRACT_BYTES) != 0) {
        return RW_UPDATE_CONTRACT;
    }
    for (size_t i = 0; i < manifest->n_operators; ++i) {
        if (!config->has_operator(config->context, manifest->operators[i])) {
            return RW_UPDATE_OPERATOR;
        }
    }
    return manifest->memory_bytes <= config->memory_bytes ? RW_UPDATE_OK : RW_UPDATE_MEMORY;
}

enum rw_update_status rw_image_check_head(struct rw_image *out, size_t *size, const uint8_t *bytes, size_t n,
                                          const struct rw_update_config *config)
{
    const size_t manifest_bytes = manifest_bytes_of(bytes, n);
    if (manifest_bytes == 0) {
        return RW_UPDATE_MANIFEST;
    }
    const size_t model_at = model_offset(manifest_bytes);
    if (model_at > n) {
        return RW_UPDATE_TRUNCATED;
    }
    const uint8_t *const manifest = bytes + LENGTH_BYTES;
    if (!is_signed(manifest, manifest_bytes, config)) {
        return RW_UPDATE_SIGNATURE;
    }
    if (!rw_manifest_parse(&out->manifest, manifest, manifest_bytes)) {
        return RW_UPDATE_MANIFEST;
    }
    for (size_t i = RW_IMAGE_FRAME_BYTES + manifest_bytes; i < model_at; ++i) {
        if (bytes[i] != 0) {
            return RW_UPDATE_MANIFEST;
        }
    }
    if (out->manifest.model_bytes > SIZE_MAX - model_at) {
        return RW_UPDATE_TOO_LARGE;
    }
    out->model = bytes + model_at;
    *size = model_at + out->manifest.model_bytes;
    return check_fit(&out->manifest, config);
}

static bool digest_holds(const struct rw_image *image, const struct rw_update_config *config)
{
    struct rw_sha512 hash;
    uint8_t digest[RW_SHA512_BYTES];
    rw_sha512_begin(&hash);
    for (size_t i = 0; i < image->manifest.model_bytes; i += DIGESTED_AT_ONCE) {
        const size_t left = image->manifest.model_bytes - i;
        show_life(config);
        rw_sha512_add(&hash, image->model + i, left < DIGESTED_AT_ONCE ? left : DIGESTED_AT_ONCE);
    }
    return rw_sha512_end(&hash, digest) && memcmp(digest, image->manifest.digest, sizeof digest) == 0;
}

enum rw_update_status rw_image_check(struct rw_image *out, size_t *size, const uint8_t *bytes, size_t n,
                                     const struct rw_update_config *config)
{
    const enum rw_update_status status = rw_image_check_head(out, size, bytes, n, config);
    if (status != RW_UPDATE_OK) {
        return status;
    }
    if (*size > n) {
        return RW_UPDATE_TRUNCATED;
    }
    return digest_holds(out, config) ? RW_UPDATE_OK : RW_UPDATE_DIGEST;
}
