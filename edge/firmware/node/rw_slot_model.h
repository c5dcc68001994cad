/* A packed model in a slot, as the network that judges: opened in place, its numbers and operators checked.
 *
 * One memory serves the model that runs and the one that is tried on its golden window. Behind a trial the one that ran is
 * opened again, whatever came of it, and judges on until a restart; the network that was handed out stays good.
 */
#ifndef RW_SLOT_MODEL_H
#define RW_SLOT_MODEL_H

#include "rw_image.h"
#include "rw_model.h"
#include "rw_network.h"

struct rw_slot_model {
    uint8_t *memory; /* aligned to 8 bytes; for what opening wants and, behind it, the arena */
    size_t memory_bytes;
    struct rw_model *model;
    void *arena;
    struct rw_network network;
    const uint8_t *running; /* the packed model that judges, in its slot; NULL for none */
    size_t running_bytes;
};

void rw_slot_model_init(struct rw_slot_model *slot_model, void *memory, size_t memory_bytes);

/* False where the model is refused, is not int8 at both ends, or needs more memory. */
bool rw_slot_model_open(struct rw_slot_model *slot_model, const struct rw_image *image);

/* For struct rw_update_config, the context being a struct rw_slot_model. */
bool rw_slot_model_gives_golden(void *context, const struct rw_image *image);
bool rw_slot_model_has_operator(void *context, uint32_t id);

#endif
