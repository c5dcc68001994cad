/* The state of the slots, kept in flash so that a power cut leaves the state before or the one after, never neither. */
#ifndef RW_RECORDS_H
#define RW_RECORDS_H

#include "rw_flash.h"

#define RW_IMAGE_ID_BYTES 16u
#define RW_NO_SLOT 0xFFu

/* What the slot that is not active is about. */
enum rw_phase {
    RW_PHASE_EMPTY = 0,     /* nothing that counts */
    RW_PHASE_RECEIVING = 1, /* an image arrives; it was erased before */
    RW_PHASE_STAGED = 2,    /* an image is whole and may be tried */
    RW_PHASE_TRIAL = 3,     /* it was started `boots` times and is not confirmed */
    RW_PHASE_CONFIRMED = 4, /* the image of `id` became the active one; the other slot holds what was before */
};

struct rw_slots_state {
    uint32_t sequence;        /* of the record; 0 where there is none */
    uint32_t highest_version; /* ever confirmed */
    uint32_t image_bytes;     /* of what is received, staged or tried */
    uint8_t id[RW_IMAGE_ID_BYTES];
    uint8_t active; /* slot of the confirmed model, or RW_NO_SLOT */
    uint8_t phase;
    uint8_t boots;
    uint8_t reason; /* why the last image was given up; RW_UPDATE_OK if none was since the last one was begun */
};

/* The newest state that is whole; a state of sequence 0, no active slot and nothing else where no record is. */
void rw_records_load(struct rw_slots_state *state, const struct rw_flash *flash);

/* Keeps the state under the next sequence number, in the place that the last one is not in. False where flash failed;
 * the state has its old number then. */
bool rw_records_keep(struct rw_slots_state *state, const struct rw_flash *flash);

#endif
