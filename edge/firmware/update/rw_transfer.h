/* The bytes of one image on their way into a slot: kept in whole units, gone on with after a power cut. */
#ifndef RW_TRANSFER_H
#define RW_TRANSFER_H

#include "rw_flash.h"

struct rw_transfer {
    const struct rw_flash *flash;
    const struct rw_flash_area *slot;
    uint32_t image_bytes;
    uint32_t flushed; /* bytes in flash, a multiple of the unit until the last ones */
    uint32_t pending; /* bytes that wait for their unit to fill up */
    bool erases;      /* each sector again before its first byte */
    uint8_t unit[RW_FLASH_UNIT_MAX];
};

/* Into a slot that was erased as a whole, or that holds what an earlier transfer of the same image left. */
void rw_transfer_begin(struct rw_transfer *t, const struct rw_flash *flash, const struct rw_flash_area *slot,
                       uint32_t image_bytes);
void rw_transfer_resume(struct rw_transfer *t, const struct rw_flash *flash, const struct rw_flash_area *slot,
                        uint32_t image_bytes);

uint32_t rw_transfer_received(const struct rw_transfer *t);

/* n bytes more, at most those that are missing; false where flash failed, which ends the transfer. */
bool rw_transfer_take(struct rw_transfer *t, const uint8_t *bytes, uint32_t n);

#endif
