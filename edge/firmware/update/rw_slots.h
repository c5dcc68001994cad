/* Two slots for models: one runs, the other takes the next one, which is checked, tried, and kept or given up.
 *
 * Calls of a node, in their order:
 *   rw_slots_open, rw_slots_boot                                  at every start
 *   rw_slots_begin, rw_slots_write..., rw_slots_finish            as an image arrives; begin says where to go on
 *   rw_slots_switch                                               starts it on trial
 *   rw_slots_confirm or rw_slots_give_up                          once the node has seen how it does
 * A power cut at any moment leaves the confirmed model whole. A model on trial that is not confirmed within
 * config->trial_boots starts is given up by rw_slots_boot. Each call returns RW_UPDATE_OK or the reason of its refusal.
 */
#ifndef RW_SLOTS_H
#define RW_SLOTS_H

#include "rw_flash.h"
#include "rw_image.h"
#include "rw_records.h"
#include "rw_transfer.h"

struct rw_slots {
    const struct rw_flash *flash;
    const struct rw_update_config *config;
    struct rw_slots_state state;
    struct rw_transfer transfer;
    bool begun;             /* since this start, a transfer was; only then does transfer count */
    bool head_checked;      /* of that transfer's image */
    uint8_t running;        /* slot of the model that runs, or RW_NO_SLOT */
    uint32_t trial_version; /* of the model on trial, where that one runs */
};

/* flash and config outlive s. Reads the state and writes nothing. */
enum rw_update_status rw_slots_open(struct rw_slots *s, const struct rw_flash *flash,
                                    const struct rw_update_config *config);

/* Decides which model runs, by all checks of an image; goes on with a trial, or ends it. Otherwise the status says
 * why no model may run, and image->model is NULL. s->state.reason says, then and later, why the last image was
 * given up. A node without any record takes the image of the highest version that a slot holds whole, as a factory
 * may write one. */
enum rw_update_status rw_slots_boot(struct rw_slots *s, struct rw_image *image);

/* An image of so many bytes is to arrive; id: 16 bytes that the sender takes for it, such as of a digest. *offset:
 * where to go on, 0 unless this very image arrived in part before. Erases the slot that is not active otherwise. */
enum rw_update_status rw_slots_begin(struct rw_slots *s, const uint8_t id[RW_IMAGE_ID_BYTES], uint32_t image_bytes,
                                     uint32_t *offset);

/* n bytes of the image, which begin where the last ones ended. As soon as its head is there it is checked; a
 * refusal ends the transfer, RW_UPDATE_OFFSET and RW_UPDATE_TOO_LARGE do not. */
enum rw_update_status rw_slots_write(struct rw_slots *s, uint32_t offset, const uint8_t *bytes, size_t n);

/* Bytes that have arrived of the image that was begun. */
uint32_t rw_slots_received(const struct rw_slots *s);

/* All has arrived: checks the whole image, which may be tried then. */
enum rw_update_status rw_slots_finish(struct rw_slots *s);

/* Tries the image on its golden window and makes it the running one, on trial. Where it is refused, image is the
 * model that runs on; image->model is NULL where there is none. RW_UPDATE_NOT_BEGUN leaves image and what runs as
 * they are. */
enum rw_update_status rw_slots_switch(struct rw_slots *s, struct rw_image *image);

/* The model on trial becomes the active one. No version up to its own is taken from then on. */
enum rw_update_status rw_slots_confirm(struct rw_slots *s);

/* Drops what arrives or waits, or ends a trial, for a reason that is kept; image is the model that runs on, as
 * above. */
enum rw_update_status rw_slots_give_up(struct rw_slots *s, enum rw_update_status reason, struct rw_image *image);

#endif
