/* Updates of the node's model over the link: its messages to calls of rw_slots, and what those say back. */
#ifndef RW_UPDATING_H
#define RW_UPDATING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rw_link.h"
#include "rw_slots.h"

struct rw_updating {
    struct rw_slots *slots;
    uint32_t version;  /* of the model that runs, 0 for none */
    bool told;         /* whether the last status has gone out */
    bool restart;      /* a trial was begun or ended: the node is to start again, with the model that runs from then on */
    enum rw_update_status reason;
};

void rw_updating_init(struct rw_updating *updating, struct rw_slots *slots, uint32_t version);

/* Takes a message of an update; false where it is of another kind. */
bool rw_updating_take(struct rw_updating *updating, const struct rw_link_message *message);

/* Says where the update stands, if that is due and there is room. */
void rw_updating_tell(struct rw_updating *updating, struct rw_link *link);

#endif
