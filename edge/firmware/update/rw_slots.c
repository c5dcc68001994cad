/* The steps of an update, each of which can be cut off: what a step destroys is named as worthless by a record before,
 * what it made counts by a record behind. Only one record moves the node to another confirmed model: that of
 * rw_slots_confirm.
 */
#include "rw_slots.h"

#include <string.h>

static void show_life(const struct rw_slots *s)
{
    if (s->config->alive != NULL) {
        s->config->alive(s->config->context);
    }
}

static uint8_t spare_of(const struct rw_slots *s)
{
    return s->state.active == 0 ? 1 : 0;
}

static const struct rw_flash_area *spare_area(const struct rw_slots *s)
{
    return &s->flash->slots[spare_of(s)];
}

static const uint8_t *spare_bytes(const struct rw_slots *s)
{
    return s->flash->mapped + spare_area(s)->offset;
}

enum rw_update_status rw_slots_open(struct rw_slots *s, const struct rw_flash *flash,
                                    const struct rw_update_config *config)
{
    if (!rw_flash_is_sound(flash) || config->trial_boots == 0 || config->keys == NULL || config->n_keys == 0 ||
        config->has_operator == NULL || config->gives_golden == NULL) {
        return RW_UPDATE_CONFIGURATION;
    }
    *s = (struct rw_slots){.flash = flash, .config = config, .running = RW_NO_SLOT};
    rw_records_load(&s->state, flash);
    return RW_UPDATE_OK;
}

/* The state as it is to be, kept in flash first. */
static enum rw_update_status move_to(struct rw_slots *s, struct rw_slots_state next)
{
    if (!rw_records_keep(&next, s->flash)) {
        return RW_UPDATE_FLASH;
    }
    s->state = next;
    return RW_UPDATE_OK;
}

static enum rw_update_status move_to_phase(struct rw_slots *s, enum rw_phase phase, enum rw_update_status reason)
{
    struct rw_slots_state next = s->state;
    next.phase = (uint8_t)phase;
    next.boots = 0;
    next.reason = (uint8_t)reason;
    return move_to(s, next);
}

/* The image of the spare slot is given up; the reason is returned, or that not even that could be kept. */
static enum rw_update_status refuse(struct rw_slots *s, enum rw_update_status reason)
{
    s->begun = false;
    return move_to_phase(s, RW_PHASE_EMPTY, reason) == RW_UPDATE_OK ? reason : RW_UPDATE_FLASH;
}

static enum rw_update_status open_slot(const struct rw_slots *s, uint8_t slot, struct rw_image *image, size_t *size)
{
    const struct rw_flash_area *const area = &s->flash->slots[slot];
    return rw_image_check(image, size, s->flash->mapped + area->offset, area->bytes, s->config);
}

/* Whether the image is what was begun, and new. */
static enum rw_update_status check_place(const struct rw_slots *s, const struct rw_image *image, size_t size)
{
    if (size != s->state.image_bytes) {
        return RW_UPDATE_TRUNCATED;
    }
    return image->manifest.version > s->state.highest_version ? RW_UPDATE_OK : RW_UPDATE_VERSION;
}

static enum rw_update_status open_spare(const struct rw_slots *s, struct rw_image *image)
{
    size_t size;
    const enum rw_update_status status = open_slot(s, spare_of(s), image, &size);
    return status == RW_UPDATE_OK ? check_place(s, image, size) : status;
}

/* The confirmed model runs, if there is one and it is still whole. */
static enum rw_update_status run_active(struct rw_slots *s, struct rw_image *image)
{
    size_t size;
    enum rw_update_status status = RW_UPDATE_NO_MODEL;
    if (s->state.active != RW_NO_SLOT) {
        status = open_slot(s, s->state.active, image, &size);
    }
    s->running = status == RW_UPDATE_OK ? s->state.active : RW_NO_SLOT;
    if (status != RW_UPDATE_OK) {
        *image = (struct rw_image){.model = NULL};
    }
    return status;
}

/* One more start of the spare slot's model; it is counted before it runs, since it may be what ends the start. */
static enum rw_update_status try_spare(struct rw_slots *s, struct rw_image *image)
{
    struct rw_slots_state next = s->state;
    next.phase = RW_PHASE_TRIAL;
    next.boots = (uint8_t)(s->state.phase == RW_PHASE_TRIAL ? s->state.boots + 1u : 1u);
    enum rw_update_status status = move_to(s, next);
    if (status != RW_UPDATE_OK) {
        return status;
    }
    status = open_spare(s, image);
    show_life(s);
    if (status == RW_UPDATE_OK && !s->config->gives_golden(s->config->context, image)) {
        status = RW_UPDATE_GOLDEN;
    }
    if (status != RW_UPDATE_OK) {
        return refuse(s, status);
    }
    s->running = spare_of(s);
    s->trial_version = image->manifest.version;
    return RW_UPDATE_OK;
}

/* Without a record: the slot whose image is whole and of the highest version becomes the active one. */
static void adopt(struct rw_slots *s, struct rw_image *image)
{
    struct rw_slots_state next = s->state;
    size_t size;
    for (uint8_t slot = 0; slot < RW_SLOTS; ++slot) {
        if (open_slot(s, slot, image, &size) == RW_UPDATE_OK &&
            (next.active == RW_NO_SLOT || image->manifest.version > next.highest_version)) {
            next.active = slot;
            next.highest_version = image->manifest.version;
        }
    }
    if (next.active != RW_NO_SLOT) {
        (void)move_to(s, next); /* if it cannot be kept, there is no model; the next start tries again */
    }
}

enum rw_update_status rw_slots_boot(struct rw_slots *s, struct rw_image *image)
{
    if (s->state.sequence == 0) {
        adopt(s, image);
    }
    if (s->state.phase == RW_PHASE_TRIAL && s->state.boots >= s->config->trial_boots) {
        (void)refuse(s, RW_UPDATE_UNCONFIRMED);
    } else if ((s->state.phase == RW_PHASE_STAGED || s->state.phase == RW_PHASE_TRIAL) &&
               try_spare(s, image) == RW_UPDATE_OK) {
        return RW_UPDATE_OK;
    }
    return run_active(s, image);
}

static enum rw_update_status erase_spare(const struct rw_slots *s)
{
    const struct rw_flash_area *const area = spare_area(s);
    for (uint32_t at = 0; at < area->bytes; at += area->sector_bytes) {
        show_life(s);
        if (!s->flash->erase(s->flash->context, area->offset + at)) {
            return RW_UPDATE_FLASH;
        }
    }
    return RW_UPDATE_OK;
}

/* The spare slot is said to hold nothing before it is erased, and to take this image once it is. */
static enum rw_update_status start_anew(struct rw_slots *s, const uint8_t id[RW_IMAGE_ID_BYTES], uint32_t image_bytes)
{
    enum rw_update_status status = RW_UPDATE_OK;
    s->begun = false;
    if (s->state.phase != RW_PHASE_EMPTY) {
        status = move_to_phase(s, RW_PHASE_EMPTY, RW_UPDATE_OK);
    }
    if (status == RW_UPDATE_OK) {
        status = erase_spare(s);
    }
    if (status != RW_UPDATE_OK) {
        return status;
    }
    struct rw_slots_state next = s->state;
    next.phase = RW_PHASE_RECEIVING;
    next.reason = RW_UPDATE_OK;
    next.image_bytes = image_bytes;
    memcpy(next.id, id, RW_IMAGE_ID_BYTES);
    status = move_to(s, next);
    if (status == RW_UPDATE_OK) {
        rw_transfer_begin(&s->transfer, s->flash, spare_area(s), image_bytes);
    }
    return status;
}

static bool is_known(const struct rw_slots *s, const uint8_t id[RW_IMAGE_ID_BYTES], uint32_t image_bytes)
{
    return s->state.image_bytes == image_bytes && memcmp(s->state.id, id, RW_IMAGE_ID_BYTES) == 0;
}

enum rw_update_status rw_slots_begin(struct rw_slots *s, const uint8_t id[RW_IMAGE_ID_BYTES], uint32_t image_bytes,
                                     uint32_t *offset)
{
    const bool known = is_known(s, id, image_bytes);
    enum rw_update_status status = RW_UPDATE_OK;
    *offset = 0;
    if (s->state.phase == RW_PHASE_TRIAL) {
        return RW_UPDATE_BUSY;
    }
    if (image_bytes > spare_area(s)->bytes) {
        return RW_UPDATE_TOO_LARGE;
    }
    if (image_bytes <= RW_IMAGE_FRAME_BYTES) {
        return RW_UPDATE_TRUNCATED;
    }
    if (known && s->state.phase == RW_PHASE_RECEIVING) {
        if (!s->begun) {
            rw_transfer_resume(&s->transfer, s->flash, spare_area(s), image_bytes);
            s->head_checked = false;
        }
    } else if (!known || s->state.phase != RW_PHASE_STAGED) {
        s->head_checked = false;
        status = start_anew(s, id, image_bytes);
    }
    if (status == RW_UPDATE_OK) {
        s->begun = s->state.phase == RW_PHASE_RECEIVING;
        *offset = rw_slots_received(s);
    }
    return status;
}

uint32_t rw_slots_received(const struct rw_slots *s)
{
    if (s->begun) {
        return rw_transfer_received(&s->transfer);
    }
    return s->state.phase == RW_PHASE_STAGED ? s->state.image_bytes : 0;
}

/* Spares a transfer whose image would be refused at its end. */
static enum rw_update_status check_head_once(struct rw_slots *s)
{
    const uint32_t there = s->transfer.flushed;
    const size_t wanted = rw_image_head_bytes(spare_bytes(s), there);
    if (s->head_checked || there < sizeof(uint32_t)) {
        return RW_UPDATE_OK;
    }
    if (wanted > s->state.image_bytes) {
        return RW_UPDATE_TRUNCATED;
    }
    if (there < wanted) {
        return RW_UPDATE_OK;
    }
    struct rw_image image;
    size_t size;
    const enum rw_update_status status = rw_image_check_head(&image, &size, spare_bytes(s), there, s->config);
    s->head_checked = true;
    return status == RW_UPDATE_OK ? check_place(s, &image, size) : status;
}

enum rw_update_status rw_slots_write(struct rw_slots *s, uint32_t offset, const uint8_t *bytes, size_t n)
{
    if (!s->begun || s->state.phase != RW_PHASE_RECEIVING) {
        return RW_UPDATE_NOT_BEGUN;
    }
    if (offset != rw_slots_received(s)) {
        return RW_UPDATE_OFFSET;
    }
    if (n > s->state.image_bytes - offset) {
        return RW_UPDATE_TOO_LARGE;
    }
    if (!rw_transfer_take(&s->transfer, bytes, (uint32_t)n)) {
        return refuse(s, RW_UPDATE_FLASH);
    }
    const enum rw_update_status status = check_head_once(s);
    return status == RW_UPDATE_OK ? RW_UPDATE_OK : refuse(s, status);
}

enum rw_update_status rw_slots_finish(struct rw_slots *s)
{
    if (s->state.phase == RW_PHASE_STAGED) {
        return RW_UPDATE_OK;
    }
    if (!s->begun || s->state.phase != RW_PHASE_RECEIVING) {
        return RW_UPDATE_NOT_BEGUN;
    }
    if (rw_slots_received(s) != s->state.image_bytes) {
        return RW_UPDATE_INCOMPLETE;
    }
    struct rw_image image;
    const enum rw_update_status status = open_spare(s, &image);
    if (status != RW_UPDATE_OK) {
        return refuse(s, status);
    }
    s->begun = false;
    return move_to_phase(s, RW_PHASE_STAGED, RW_UPDATE_OK);
}

enum rw_update_status rw_slots_switch(struct rw_slots *s, struct rw_image *image)
{
    if (s->state.phase != RW_PHASE_STAGED) {
        return RW_UPDATE_NOT_BEGUN;
    }
    const enum rw_update_status status = try_spare(s, image);
    if (status != RW_UPDATE_OK) {
        (void)run_active(s, image);
    }
    return status;
}

enum rw_update_status rw_slots_confirm(struct rw_slots *s)
{
    if (s->state.phase != RW_PHASE_TRIAL || s->running != spare_of(s)) {
        return RW_UPDATE_NOT_BEGUN;
    }
    struct rw_slots_state next = s->state;
    next.active = s->running;
    next.highest_version = s->trial_version;
    next.phase = RW_PHASE_CONFIRMED;
    next.boots = 0;
    next.reason = RW_UPDATE_OK;
    return move_to(s, next);
}

enum rw_update_status rw_slots_give_up(struct rw_slots *s, enum rw_update_status reason, struct rw_image *image)
{
    if (s->state.phase == RW_PHASE_EMPTY || s->state.phase == RW_PHASE_CONFIRMED) {
        return RW_UPDATE_NOT_BEGUN;
    }
    const enum rw_update_status status = refuse(s, reason);
    (void)run_active(s, image);
    return status == reason ? RW_UPDATE_OK : status;
}
